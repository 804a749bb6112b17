"""Levels: which one decides, where it goes back to, and the prices at which it acts (contract.md §11)."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from common.domain.decision.levels import Destination, Level
from common.domain.decision.policy import BELOW_COST, Cause, CostGuard, Hold, Policy, Rebalance
from common.domain.decision.rule import Decision, decide
from common.domain.decision.triggers import Grid, next_triggers
from common.domain.instrument import Side
from common.domain.orders.order import OrderStyle
from common.domain.portfolio import Balance, Holdings, Valuation
from tests.builders import POLICY, PROPERTY, QRL, amounts, d, holdings, rules
from tests.fakes import NOON

HAIR = Decimal(1).scaleb(-18)
HIGHEST = Decimal(10) ** 12
TARGET, HALF, EDGE = Destination.TARGET, Destination.HALF, Destination.EDGE
SEEDS = (Level(d("0.01"), HALF), Level(d("0.03"), TARGET), Level(d("0.05"), TARGET, OrderStyle.MAKER))


def decided(qrl: str | int, usdt: str | int, *levels: Level, cost: str | None = None, **policy: Any) -> Decision:
    """The decision at a price of 1, so that balances are values."""
    made = replace(POLICY, levels=levels or SEEDS, **policy)
    return decide(holdings(qrl, usdt), d(1), made, rules(), QRL, d(cost) if cost else None)


def quantity(made: Decision) -> Decimal:
    assert isinstance(made.outcome, Rebalance), made.outcome
    return made.outcome.quantity


def test_the_widest_level_that_is_reached_decides_and_equality_reaches_it() -> None:
    assert decided(509, 491).level is None
    assert [decided(q, 1000 - q).level for q in (510, 529, 530, 549, 550, 700)] == [
        SEEDS[0], SEEDS[0], SEEDS[1], SEEDS[1], SEEDS[2], SEEDS[2]
    ]  # fmt: skip
    assert decided(450, 550).level == SEEDS[2]


def test_each_destination_is_where_the_drift_ends() -> None:
    """100 off in 1000: to the target 100, half-way 50, to an edge of 8 points 20, back to 3 points 70."""
    for destination, order in ((TARGET, 100), (HALF, 50), (EDGE, 20), (d("0.03"), 70)):
        level = Level(d("0.08"), destination)
        assert quantity(decided(600, 400, level)) == order
        assert quantity(decided(400, 600, level)) == order


def test_the_order_takes_the_style_of_the_level_that_decides() -> None:
    inner, outer = decided(530, 470).outcome, decided(550, 450).outcome
    assert isinstance(inner, Rebalance)
    assert isinstance(outer, Rebalance)
    assert (inner.style, outer.style) == (OrderStyle.IOC, OrderStyle.MAKER)


def test_a_reached_level_whose_order_is_too_small_leaves_it_to_a_narrower_one() -> None:
    levels = Level(d("0.01"), TARGET), Level(d("0.03"), EDGE)
    assert decided(532, 468, *levels).level == levels[0]
    assert decided(535, 465, *levels).level == levels[1]


def test_the_triggers_of_a_side_are_widened_and_the_other_sides_are_not() -> None:
    wide: dict[str, Any] = {"sell_widening": d("1.5")}
    level = Level(d("0.02"), EDGE)
    assert decided(529, 471, level, **wide).level is None
    assert decided(535, 465, level, **wide).level == level
    assert quantity(decided(540, 460, level, **wide)) == 10
    assert decided(475, 525, level, **wide).level == level


def test_checks_tell_the_level_that_was_asked() -> None:
    made = decided(512, 488, Level(d("0.02"), HALF))
    told = [check.explanation for check in made.checks]
    assert "going half-way back takes 6.0000 USDT; less than 5 is not traded" in told
    assert "the mix is off by 1.20 % of the value; less than 2.00 % is not traded" in told
    assert (made.wanted_side, made.wanted_notional) == (Side.SELL, d(6))


# The cost guard


GUARD = CostGuard(d("0.1"), d("0.65"))


def test_a_sale_below_cost_and_margin_waits_and_shows_what_it_replaces() -> None:
    made = decided(600, 400, cost="0.95", cost_guard=GUARD)
    assert isinstance(made.outcome, Hold)
    assert (made.outcome.reason, made.outcome.cause) == (BELOW_COST, Cause.COST_BASIS)
    assert made.outcome.replaces == Rebalance(Side.SELL, d(100), d(100), "QRL above target", OrderStyle.MAKER)
    assert [check.name for check in made.checks if not check.passed] == ["cost_basis"]


def test_the_cost_guard_lets_pass_what_it_is_not_meant_for() -> None:
    assert quantity(decided(600, 400, cost="0.9", cost_guard=GUARD)) == 100  # 0.9 · 1.1 is below 1
    assert quantity(decided(600, 400, cost=None, cost_guard=GUARD)) == 100
    assert quantity(decided(400, 600, cost="5", cost_guard=GUARD)) == 100
    assert quantity(decided(600, 400, cost="5")) == 100
    assert quantity(decided(650, 350, cost="5", cost_guard=GUARD)) == 150
    assert isinstance(decided(649, 351, cost="5", cost_guard=GUARD).outcome, Hold)


# At the trigger it trades, a hair inside it does not


FRACTIONS = amounts(4, 1, 3000)
STEPS = st.sampled_from(["0.00000001", "0.0001", "0.01", "0.5", "1", "30"])


@st.composite
def levels(draw: st.DrawFn) -> tuple[Level, ...]:
    triggers = sorted(draw(st.sets(FRACTIONS, min_size=1, max_size=3)))
    part = st.sampled_from(["0", "0.25", "0.9"]).map(Decimal)
    return tuple(
        Level(trigger, draw(st.sampled_from([TARGET, HALF, EDGE]) | part.map(lambda p, t=trigger: p * t)))  # type: ignore[misc]
        for trigger in triggers
    )


@PROPERTY
@given(
    base=amounts(4, 1, 10**9),
    quote=amounts(6, 0, 10**10),
    weight=amounts(2, 5, 95),
    stages=levels(),
    least=amounts(1, 1, 200),
    venue_least=st.integers(0, 20),
    step=STEPS,
    widening=st.sampled_from(["1", "1.5"]),
    cost=st.none() | amounts(6, 1, 10**7),
)
def test_at_the_trigger_it_trades_and_a_hair_inside_it_does_not(
    base: Decimal,
    quote: Decimal,
    weight: Decimal,
    stages: tuple[Level, ...],
    least: Decimal,
    venue_least: int,
    step: str,
    widening: str,
    cost: Decimal | None,
) -> None:
    held, venue = Holdings(Balance(base), Balance(quote), NOON), rules(step, str(venue_least))
    guard = CostGuard(d(0), (1 + weight) / 2) if cost is not None else None
    policy = Policy(weight, least, stages, sell_widening=d(widening), cost_guard=guard)
    grid, value = Grid.of(policy, venue), Valuation.of(held, d(1))

    def side(price: Decimal) -> Side | None:
        outcome = decide(held, price, policy, venue, QRL, cost).outcome
        return outcome.side if isinstance(outcome, Rebalance) else None

    each = [next_triggers(value, policy, level, grid, cost if guard else None) for level in stages]
    sells = [above.price for _, above in each if above is not None]
    buys = [below.price for below, _ in each if below is not None]
    for price in sells:
        assert side(price) is Side.SELL
    for price in buys:
        assert side(price) is Side.BUY
    assert side(min(sells) - HAIR if sells else HIGHEST) is not Side.SELL
    assert side(max(buys) + HAIR if buys else HAIR) is not Side.BUY


def test_a_trigger_is_told_with_what_it_would_trade() -> None:
    value = Valuation.of(holdings(500, 500), d(1))
    below, above = next_triggers(value, POLICY, Level(d("0.1"), HALF), Grid.none(POLICY))
    assert below is not None
    assert above is not None
    assert (above.price, above.quantity) == (d("1.5"), d("41.666666666666666667"))  # half of 125, at 1.5
    assert round(below.price, 6) == d("0.666667")
    assert round(below.quantity, 6) == d("62.5")
