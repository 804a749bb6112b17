"""Other policies beside the real one, on paper: what each would hold today, and how it did (contract.md §13).

A shadow starts with what the account holds when it is first named. It decides by the bot's own rule on every slot
and pays the measured one-way cost; deposits and withdrawals reach it as they reach the account. The comparison uses
growth that does not come from being off target while the price moves: Δ ln V − (weight − w)·Δ ln p a step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Context, Decimal, localcontext
from typing import NamedTuple

from common.decimals import ZERO, Price, exact, quotient
from common.domain.decision.band import best_band
from common.domain.decision.levels import Level
from common.domain.decision.policy import Policy, Rebalance
from common.domain.decision.rule import decide
from common.domain.instrument import Instrument, Side, TradingRules
from common.domain.performance.attribution import Pair
from common.domain.performance.shadow_policies import Kind, Shadow
from common.domain.portfolio import Balance, Holdings

_PLACES = Decimal(1).scaleb(-18)
_LOGS = Context(prec=24)


@dataclass(frozen=True, slots=True)
class Paper:
    """What a portfolio holds, and its `value` at the last slot before it traded.

    `growth` is the sum of the day's steps so far; `paid` is the total cost of `orders` orders; `since` is when it
    began. `band` is what `auto` uses today.
    """

    since: datetime
    base: Decimal
    quote: Decimal
    value: Decimal
    growth: Decimal = ZERO
    paid: Decimal = ZERO
    orders: int = 0
    band: tuple[Decimal, Decimal] | None = None

    @property
    def pair(self) -> Pair:
        return Pair(self.base, self.quote)


@dataclass(frozen=True, slots=True)
class Shadows:
    """All of them at the last slot. `held` is what holding would have: only flows change it."""

    at: datetime
    mid: Price
    held: Pair
    real: Paper
    papers: Mapping[str, Paper]


@dataclass(frozen=True, slots=True)
class Day:
    """A day that is over: the growth of the real portfolio and of each shadow, as logarithms."""

    day: date
    real: Decimal
    papers: Mapping[str, Decimal]


class Seen(NamedTuple):
    """What one slot shows: the account, holding, the mid, the measured one-way cost, and what the rule needs."""

    at: datetime
    mid: Decimal
    real: Pair
    held: Pair
    cost: Decimal
    policy: Policy
    rules: TradingRules
    instrument: Instrument


@exact
def advance(before: Shadows | None, shadows: Sequence[Shadow], seen: Seen) -> tuple[Shadows, Day | None]:
    """Advance by one slot: flows, growth, each shadow's decision; and the day that has ended since, if one has.

    A slot no later than the last one changes nothing: a repeated run counts once.
    """
    value = seen.real.value(seen.mid)
    if before is None:
        fresh = Paper(seen.at, seen.real.base, seen.real.quote, value)
        before = Shadows(seen.at, seen.mid, seen.held, fresh, {})
    elif seen.at <= before.at:
        return before, None
    flow = seen.held.plus(-before.held.base, -before.held.quote)
    move = _log(quotient(seen.mid, before.mid))
    new_day = seen.at.date() != before.at.date()

    # Between two slots the account holds what it holds now, less what came from outside.
    held = seen.real.plus(-flow.base, -flow.quote)
    real = _grown(replace(before.real, base=held.base, quote=held.quote), before.mid, seen, move)
    real = replace(real, base=seen.real.base, quote=seen.real.quote, value=value)
    papers = {}
    for shadow in shadows:
        paper = before.papers.get(shadow.name) or Paper(seen.at, held.base, held.quote, held.value(seen.mid))
        if paper.since < seen.at:
            paper = _grown(paper, before.mid, seen, move)
        paper = replace(paper, base=paper.base + flow.base, quote=paper.quote + flow.quote)
        paper = replace(paper, value=paper.pair.value(seen.mid))
        papers[shadow.name] = _decided(shadow, paper, before.at, seen)
    after = Shadows(seen.at, seen.mid, seen.held, real, papers)
    if not new_day:
        return after, None
    day = Day(before.at.date(), real.growth, {name: paper.growth for name, paper in papers.items()})
    rested = {name: replace(paper, growth=ZERO) for name, paper in papers.items()}
    return replace(after, real=replace(real, growth=ZERO), papers=rested), day


def _grown(paper: Paper, mid: Decimal, seen: Seen, move: Decimal) -> Paper:
    """Add the growth of one step: that of the value, less what being off target won or lost."""
    now, then = paper.pair.value(seen.mid), paper.pair.value(mid)
    if now <= 0 or then <= 0 or paper.value <= 0:
        return paper
    lean = quotient(paper.base * mid, then) - seen.policy.target_weight
    step = _log(quotient(now, paper.value)) - lean * move
    return replace(paper, growth=(paper.growth + step).quantize(_PLACES))


def _log(ratio: Decimal) -> Decimal:
    with localcontext(_LOGS):
        return ratio.ln()


def _covered(paper: Paper, seen: Seen) -> Paper:
    """Paper that a withdrawal has left short of one asset trades the other for it, at the mid and at the cost."""
    short = max(-paper.base * seen.mid, -paper.quote)
    cost = (short * seen.cost).quantize(_PLACES)
    if short <= 0 or paper.pair.value(seen.mid) <= cost:
        return paper
    base = ZERO if paper.base < 0 else paper.base - quotient(short + cost, seen.mid).quantize(_PLACES)
    quote = ZERO if paper.quote < 0 else paper.quote - short - cost
    return replace(paper, base=base, quote=quote, paid=paper.paid + cost, orders=paper.orders + 1)


def _decided(shadow: Shadow, paper: Paper, last: datetime, seen: Seen) -> Paper:
    """The shadow's own plan at this slot, carried out on paper at the mid and at the one-way cost."""
    paper, levels = _levels(shadow, _covered(paper, seen), last, seen)
    if not levels or paper.base < 0 or paper.quote < 0:
        return paper
    policy = Policy(seen.policy.target_weight, seen.policy.min_notional, levels)
    holdings = Holdings(Balance(paper.base), Balance(paper.quote), seen.at)
    rules = replace(seen.rules, taker_fee=max(seen.rules.taker_fee, seen.cost))
    outcome = decide(holdings, seen.mid, policy, rules, seen.instrument).outcome
    if not isinstance(outcome, Rebalance):
        return paper
    signed = outcome.quantity if outcome.side is Side.BUY else -outcome.quantity
    cost = (outcome.notional * seen.cost).quantize(_PLACES)
    quote = paper.quote - signed * seen.mid - cost
    return replace(paper, base=paper.base + signed, quote=quote, paid=paper.paid + cost, orders=paper.orders + 1)


def _levels(shadow: Shadow, paper: Paper, last: datetime, seen: Seen) -> tuple[Paper, tuple[Level, ...]]:
    """The levels that the shadow uses at this slot; none when it does not decide."""
    match shadow.kind:
        case None:
            return paper, shadow.levels
        case Kind.HOLD:
            return paper, ()
        case Kind.MONTHLY:
            turned = (last.year, last.month) != (seen.at.year, seen.at.month)
            return paper, (Level(ZERO),) if turned else ()
        case Kind.AUTO:
            if paper.band is None or last.date() != seen.at.date():
                least = quotient(seen.policy.min_notional, paper.value) if paper.value > 0 else ZERO
                band = best_band(seen.cost, seen.policy.target_weight, least)
                paper = replace(paper, band=(band.trigger, band.destination))
            trigger, destination = paper.band or (ZERO, ZERO)
            return paper, (Level(trigger, destination),)
