"""One plan: what holds it, in which order, and what of it may be ordered."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from common.domain.decision.facts import Expected
from common.domain.decision.plan import Plan
from common.domain.decision.plan import plan as plan_on
from common.domain.decision.policy import BALANCES_CHANGED, Cause, Hold, Rebalance
from tests.builders import FACTS, LIMITS, POLICY, d, holdings
from tests.fakes import NOON

OLD = NOON - timedelta(seconds=61)
DOUBT = Hold("Unresolved order: rb1", Cause.UNRESOLVED)
JUMPED = Expected(d(100), d(1000))
TELLS: dict[str, Any] = {"doubt": DOUBT, "expected": JUMPED, "can_trade": False, "price_as_of": OLD}


def planned(binding: bool = True, **facts: Any) -> Plan:
    """At a price of 1, with 1100 and 1000: a sale of 50."""
    seen = replace(FACTS, holdings=holdings(1100, 1000), **facts)
    return plan_on(seen, POLICY, replace(LIMITS, binding=binding))


def held(plan: Plan) -> tuple[Cause, str]:
    assert isinstance(plan.outcome, Hold), plan.outcome
    assert plan.order is None
    return plan.outcome.cause, plan.outcome.reason


def test_where_nothing_speaks_against_it_the_decision_may_be_ordered() -> None:
    plan = planned()
    assert isinstance(plan.outcome, Rebalance)
    assert plan.order is not None
    assert (plan.order.quantity, plan.refusals) == (d(50), ())


def test_what_holds_a_plan_has_its_order() -> None:
    facts = dict(TELLS)
    reasons = []
    for name in TELLS:
        reasons.append(held(planned(**facts)))
        del facts[name]
    assert reasons == [
        (Cause.UNRESOLVED, DOUBT.reason),
        (Cause.BALANCES, BALANCES_CHANGED),
        (Cause.REFUSED, "Order refused: the account may not trade (canTrade=false)"),
        (Cause.STALE, "Stale data: price is 61 s old, at most 60 s"),
    ]


def test_where_no_order_is_possible_refusals_and_jumps_are_told_and_hold_nothing() -> None:
    plan = planned(binding=False, can_trade=False, expected=JUMPED)
    assert isinstance(plan.outcome, Rebalance)
    assert plan.refusals == ("the account may not trade (canTrade=false)", BALANCES_CHANGED)
    assert plan.order is None
    assert held(planned(binding=False, price_as_of=OLD))[0] is Cause.STALE


def test_a_jump_holds_a_plan_that_holds_anyway_too_for_the_next_run_to_see() -> None:
    seen = replace(FACTS, expected=JUMPED)
    assert held(plan_on(seen, POLICY, LIMITS)) == (Cause.BALANCES, BALANCES_CHANGED)
