"""A rebalance executed in slices, one a slot at most (contract.md §12).

An order larger than a slice starts a program. Its state says only where it goes: each slice is planned from what
the account really holds, so a run that dies neither repeats a slice nor loses one.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from common.decimals import ONE, ZERO, exact
from common.domain.decision.facts import Facts
from common.domain.decision.levels import Level
from common.domain.decision.plan import Plan, plan
from common.domain.decision.policy import BELOW_MINIMUM, Cause, Hold, Limits, Policy, Rebalance, Slicing, percent
from common.domain.instrument import Side
from common.domain.orders.order import OrderStyle

REFUSED_AT_MOST = 3
"""The number of slots in a row refused by a guard that ends a program."""


@dataclass(frozen=True, slots=True)
class Program:
    """`destination` is the drift, in points, at which it ends; `refused` counts the slots in a row, up to
    `refused_slot`, in which a guard refused. `settings` names those it was begun under, None in an older record.
    """

    side: Side
    destination: Decimal
    style: OrderStyle
    begun_at: datetime
    slices_left: int
    refused: int = 0
    refused_slot: datetime | None = None
    settings: str | None = None

    def policy(self, usual: Policy) -> Policy:
        """The usual policy, except that it goes on to the destination from wherever the drift is."""
        return replace(
            usual,
            levels=(Level(self.destination, self.destination, self.style),),
            sell_widening=ONE,
            buy_widening=ONE,
        )

    def after(self, made: Plan, slicing: Slicing) -> "Program":
        """The program once this plan is carried out; a slot counts as refused once, however often it runs."""
        known = replace(self, slices_left=_slices_left(made, slicing))
        if not _refused(made):
            return replace(known, refused=0, refused_slot=None)
        slot, seen = made.facts.slot, (self.refused_slot, made.facts.activity.last_slot)
        if any(earlier is not None and slot <= earlier for earlier in seen):
            return known
        return replace(known, refused=self.refused + 1, refused_slot=slot)

    def describe(self) -> str:
        return (
            f"{self.side} to {percent(self.destination)} off, begun {self.begun_at:%Y-%m-%d %H:%M} UTC: "
            f"{self.slices_left} slice{'' if self.slices_left == 1 else 's'} left"
        )


class PlannedSlice(NamedTuple):
    """A plan, the policy and limits it was made with, and the program after it: None when there is none left.

    `ended` is why the previous program is over.
    """

    plan: Plan
    policy: Policy
    limits: Limits
    program: Program | None
    ended: str | None = None


@exact
def plan_slice(
    program: Program | None,
    slicing: Slicing,
    facts: Facts,
    policy: Policy,
    limits: Limits,
    settings: str | None = None,
) -> PlannedSlice:
    """Plan the next slice; without a program, plan as usual, and start one for a large order.

    `settings` names all that shape an order: a program ends when they change.
    """
    largest = slicing.notional if limits.max_notional is None else min(limits.max_notional, slicing.notional)
    sliced = replace(limits, max_notional=largest)
    ended = None
    if program is not None:
        # The cooldown applies to the program, not to its slices.
        within = replace(sliced, cooldown=timedelta(0))
        made = plan(facts, program.policy(policy), within)
        going = program.after(made, slicing)
        ended = _end(going, slicing, facts, made, settings)
        if ended is None:
            return PlannedSlice(_with_note(made, going.describe()), program.policy(policy), within, going)
    made = plan(facts, policy, sliced)
    begun = _begun(made, slicing, settings)
    note = "; ".join(filter(None, [f"ended: {ended}" if ended else None, begun.describe() if begun else None]))
    return PlannedSlice(_with_note(made, note or None), policy, sliced, begun, ended)


def _begun(made: Plan, slicing: Slicing, settings: str | None) -> Program | None:
    """The program that an order larger than a slice starts: this plan's order is its first slice."""
    decision, outcome = made.decision, made.outcome
    if made.order is None or not isinstance(outcome, Rebalance) or outcome.notional <= slicing.notional:
        return None
    if decision.level is None or decision.drift is None:
        return None
    share, points = decision.policy.order_line(decision.level, outcome.side)
    destination = abs(decision.drift) * (ONE - share) + points
    left = _slices_left(made, slicing)
    return Program(outcome.side, destination, outcome.style, made.facts.now, left, settings=settings)


def _end(program: Program, slicing: Slicing, facts: Facts, made: Plan, settings: str | None) -> str | None:
    """Why the program is over; None while it goes on. `program` is its state after the plan."""
    if facts.pause is not None and facts.pause.active(facts.now):
        return "trading is paused"
    if facts.pause is not None and facts.pause.set_at >= program.begun_at:
        return "trading was paused"
    if program.settings not in (None, settings):
        return "the settings have changed"
    if facts.now - program.begun_at >= slicing.within:
        return f"its {slicing.within // timedelta(hours=1)} hours are over"
    if facts.doubt is not None or made.decision.drift is None:
        return None  # too little is known to end it
    if made.decision.wanted_side not in (None, program.side):
        return "the drift has crossed the target"
    if made.decision.level is None or made.decision.outcome == Hold(BELOW_MINIMUM):
        return "its destination is reached"
    if program.refused >= REFUSED_AT_MOST:
        return f"a guard refused {program.refused} slots in a row: {made.outcome.reason}"
    return None


def _refused(made: Plan) -> bool:
    """Whether a guard refused the slice: doubt and stale data do not count."""
    outcome = made.outcome
    return isinstance(outcome, Hold) and outcome.cause in (Cause.REFUSED, Cause.COST_BASIS)


def _slices_left(made: Plan, slicing: Slicing) -> int:
    """How many slices are left once this plan is carried out; a remainder below the least order is none."""
    least = max(made.decision.policy.min_notional, made.facts.rules.min_notional)
    whole, rest = divmod(max(made.decision.wanted_notional, ZERO), slicing.notional)
    return max(int(whole) + (rest >= least) - (made.order is not None), 0)


def _with_note(made: Plan, text: str | None) -> Plan:
    """The plan with a word on its program, if there is anything to say."""
    return made if text is None else replace(made, facts=replace(made.facts, program=text))
