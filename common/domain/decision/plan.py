"""One plan from what was read: decided, checked against every guard, sized. Pure, so that it can be replayed."""

from dataclasses import dataclass

from common.decimals import exact
from common.domain.decision.facts import Facts
from common.domain.decision.guards import ages, jump, review
from common.domain.decision.policy import (
    BALANCES_CHANGED,
    SETTINGS_CHANGED,
    Cause,
    Check,
    Hold,
    Limits,
    Policy,
    Rebalance,
)
from common.domain.decision.rule import Decision, decide
from common.domain.orders.order import OrderIntent


@dataclass(frozen=True, slots=True)
class Plan:
    """`outcome` is the decision, or the hold that replaces it; `refusals` are the guards' words.

    `intent` is what would be ordered if nothing held it back; `order` is what may be ordered.
    """

    facts: Facts
    decision: Decision
    outcome: Rebalance | Hold
    checks: tuple[Check, ...]
    refusals: tuple[str, ...] = ()
    intent: OrderIntent | None = None

    @property
    def order(self) -> OrderIntent | None:
        return self.intent if isinstance(self.outcome, Rebalance) else None


@exact
def plan(facts: Facts, policy: Policy, limits: Limits) -> Plan:
    """Decide, check the decision against every guard, and size the order.

    Of several reasons to hold, doubt comes first, then unconfirmed settings, balances that jumped, a refusal, and
    stale data. Raises InvalidAmount for a negative or non-finite price or balance.
    """
    decision = decide(facts.holdings, facts.mark_price, policy, facts.rules, facts.instrument, facts.average_cost)
    hold, checks = facts.doubt, decision.checks
    refusals: tuple[str, ...] = ()
    intent = None
    if isinstance(decision.outcome, Rebalance):
        reviewed = review(decision.outcome, facts, limits, policy)
        checks, refusals, intent = (*checks, *reviewed.checks), reviewed.refusals, reviewed.intent
        if refusals and limits.binding:
            hold = hold or Hold(f"Order refused: {refusals[0]}", Cause.REFUSED)
    if facts.unconfirmed:
        explanation = "; ".join(facts.unconfirmed)
        checks = (*checks, Check("live_gate", "unconfirmed", "confirmed", False, explanation))
        hold = facts.doubt or Hold(SETTINGS_CHANGED, Cause.UNCONFIRMED)
    jumped = jump(facts, limits)
    if jumped is not None:
        checks, refusals, intent = (*checks, jumped), (*refusals, BALANCES_CHANGED), None
        if limits.binding and not facts.unconfirmed:
            hold = facts.doubt or Hold(BALANCES_CHANGED, Cause.BALANCES)
    fresh = ages(facts, limits)
    old = next((age for age in fresh if not age.passed), None)
    if old is not None:
        hold = hold or Hold(f"Stale data: {old.explanation}", Cause.STALE)
    return Plan(facts, decision, hold or decision.outcome, (*checks, *fresh), refusals, intent)
