"""The mix against simply holding: the parts of the difference, and P&L."""

from decimal import Decimal

from hypothesis import given

from common.domain.ledger.position import Position
from common.domain.orders.order import Fill
from common.domain.performance.benchmark import Comparison, Inception, Moved, compare
from common.domain.portfolio import Valuation
from tests.builders import PROPERTY, QRL, amounts, d, ds, fill, fill_lists, holdings
from tests.fakes import NOON


def inception(base: str | int, quote: str | int, price: str | int = 1, before: Position | None = None) -> Inception:
    return Inception(NOON, d(base), d(quote), d(price), Moved.by(before or Position()))


def after(*fills: Fill, start: Position | None = None) -> Position:
    return (start or Position()).fold(fills, QRL)


def test_nothing_that_happens_makes_no_difference() -> None:
    comparison = compare(inception(100, 100), Valuation.of(holdings(100, 100), d(3)), after())
    assert comparison == Comparison(d(400), d(400), d(0), d(0), d(0), d(0))


def test_shannons_example_gains_an_eighth_over_holding() -> None:
    fills = fill("SELL", 25, 2, number=1), fill("BUY", "37.5", 1, number=2)
    comparison = compare(inception(100, 100), Valuation.of(holdings("112.5", "112.5"), d(1)), after(*fills))
    assert (comparison.value, comparison.held_value) == ds(225, 200)
    assert (comparison.difference, comparison.price_moves, comparison.fees, comparison.flows) == ds(25, 25, 0, 0)


def test_a_deposit_is_a_flow_and_no_gain() -> None:
    """25 of 100 QRL sold at 2 for a fee of 0.10 USDT; 40 QRL and 30 USDT paid in; price 3."""
    sold = after(fill("SELL", 25, 2, fee="0.1"))
    comparison = compare(inception(100, 100), Valuation.of(holdings(115, "179.9"), d(3)), sold)
    assert comparison.value == d("524.9")
    assert comparison.held_value == 400
    assert comparison.price_moves == -25  # 25 sold at 2 are worth 75 now
    assert comparison.fees == d("0.1")
    assert comparison.flows == 150
    assert comparison.difference == d("124.9")


def test_a_withdrawal_is_a_flow_and_no_loss() -> None:
    comparison = compare(inception(100, 100), Valuation.of(holdings(60, 90), d(2)), after())
    assert (comparison.flows, comparison.price_moves, comparison.fees) == ds(-90, 0, 0)


def test_fees_in_coins_are_fees_at_todays_price() -> None:
    bought = after(fill("BUY", 10, 2, fee="1", fee_asset="QRL"))
    comparison = compare(inception(100, 100), Valuation.of(holdings(109, 80), d(3)), bought)
    assert (comparison.price_moves, comparison.fees, comparison.flows) == ds(10, 3, 0)


def test_fees_in_a_third_asset_do_not_touch_the_pair() -> None:
    bought = after(fill("BUY", 10, 2, fee="1", fee_asset="MX", fee_value=d(4)))
    comparison = compare(inception(100, 100), Valuation.of(holdings(110, 80), d(2)), bought)
    assert (comparison.difference, comparison.fees, comparison.flows) == ds(0, 0, 0)


def test_what_fills_did_before_the_inception_is_not_counted_again() -> None:
    before = after(fill("BUY", 1000, 1, fee="5"))
    now = after(fill("SELL", 25, 2), start=before)
    comparison = compare(inception(100, 100, before=before), Valuation.of(holdings(75, 150), d(2)), now)
    assert (comparison.difference, comparison.price_moves, comparison.fees, comparison.flows) == ds(0, 0, 0, 0)


@PROPERTY
@given(fill_lists(), fill_lists(), amounts(4, 0), amounts(8, 0), amounts(4, 0), amounts(8, 0), amounts(6))
def test_the_parts_sum_to_the_difference_to_the_last_digit(
    earlier: list[Fill],
    later: list[Fill],
    base: Decimal,
    quote: Decimal,
    base_now: Decimal,
    quote_now: Decimal,
    price: Decimal,
) -> None:
    before = after(*earlier)
    start = inception(str(base), str(quote), before=before)
    valuation = Valuation.of(holdings(str(base_now), str(quote_now)), price)
    parts = compare(start, valuation, after(*later, start=before))
    assert parts.difference == parts.price_moves - parts.fees + parts.flows
    assert parts.value == parts.held_value + parts.difference


@PROPERTY
@given(fill_lists(), amounts(4, 0), amounts(8, 0), amounts(6))
def test_without_deposits_the_flows_are_zero_to_the_last_digit(
    fills: list[Fill], base: Decimal, quote: Decimal, price: Decimal
) -> None:
    now = after(*fills)
    moved = Moved.by(now)
    base_now = base + moved.base - moved.base_fees + 10**9
    quote_now = quote + moved.quote - moved.quote_fees + 10**9
    start = inception(str(base + 10**9), str(quote + 10**9))
    parts = compare(start, Valuation.of(holdings(str(base_now), str(quote_now)), price), now)
    assert parts.flows == 0
