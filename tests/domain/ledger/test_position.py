"""What was paid for the coins: the weighted average, and first in first out beside it (contract.md §5)."""

from decimal import Context, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.decimals import ZERO, exact, places, quotient
from common.domain.ledger.ledger import net_quantity
from common.domain.ledger.position import FifoView, Lot, Position
from common.domain.orders.order import Fill
from tests.builders import PROPERTY, QRL, amounts, d, ds, fill, fill_lists

PLACE = Decimal(1).scaleb(-18)


def position(*fills: Fill, start: Position | None = None) -> Position:
    return (start or Position()).fold(fills, QRL)


def covered(fills: list[Fill]) -> list[Fill]:
    """Those of `fills` that can happen one after the other without selling more than was bought."""
    kept: list[Fill] = []
    for each in fills:
        if position(*kept, each).unmatched_quantity == 0:
            kept.append(each)
    return kept


def test_no_fills_mean_no_position_and_no_cost() -> None:
    assert position() == Position()
    assert position().average_cost is None


def test_the_average_cost_is_weighted_by_quantity() -> None:
    held = position(fill("BUY", 8000, "0.052"), fill("BUY", "1234.56", "0.04987"))
    assert held.quantity == d("9234.56")
    assert held.average_cost is not None
    assert places(held.average_cost, 5) == "0.05172"


def test_unrealized_pnl_is_value_less_cost() -> None:
    assert position(fill("BUY", "1000.5", "0.0200")).unrealized_pnl(d("0.0205")) == d("0.50025")


def test_selling_realizes_the_difference_to_the_average_cost_and_leaves_it_alone() -> None:
    held = position(fill("BUY", 100, 1), fill("BUY", 100, 3), fill("SELL", 50, 5))
    assert (held.quantity, held.cost, held.average_cost) == ds(150, 300, 2)
    assert held.realized_pnl == 150


def test_buying_realizes_nothing() -> None:
    assert position(fill("BUY", 100, 1), fill("BUY", 100, 3)).realized_pnl == 0


def test_a_loss_is_realized_like_a_gain() -> None:
    assert position(fill("BUY", 100, 2), fill("SELL", 100, "1.5")).realized_pnl == -50


def test_selling_everything_leaves_no_cost_behind_whatever_the_average_was_rounded_to() -> None:
    held = position(fill("BUY", 3, 1, fee="0.1"), fill("SELL", 1, 1), fill("SELL", 1, 1), fill("SELL", 1, 1))
    assert (held.quantity, held.cost) == ds(0, 0)
    assert held.average_cost is None
    assert held.realized_pnl == d("-0.1")


def test_partial_fills_of_one_order_are_fills() -> None:
    whole = position(fill("BUY", 100, 2, fee="0.2"))
    parts = position(*[fill("BUY", 25, 2, fee="0.05", number=n) for n in range(4)])
    assert (parts.quantity, parts.cost, parts.fill_count) == (whole.quantity, whole.cost, 4)


def test_a_fee_in_the_quote_asset_raises_the_cost_of_a_buy() -> None:
    held = position(fill("BUY", 100, 2, fee="1", fee_asset="USDT"))
    assert (held.quantity, held.cost, held.average_cost) == ds(100, 201, "2.01")
    assert (held.quote_fees, held.cash_flow) == ds(1, -201)


def test_a_fee_in_the_quote_asset_lowers_the_proceeds_of_a_sale() -> None:
    held = position(fill("BUY", 100, 2), fill("SELL", 100, 3, fee="1", fee_asset="USDT"))
    assert (held.realized_pnl, held.cash_flow, held.quote_fees) == ds(99, 99, 1)


def test_a_fee_in_the_base_asset_is_coins_that_never_arrive() -> None:
    held = position(fill("BUY", 100, 2, fee="1", fee_asset="QRL"))
    assert (held.quantity, held.cost, held.base_fees) == ds(99, 200, 1)
    assert held.average_cost == quotient(d(200), d(99))


def test_a_fee_in_the_base_asset_on_a_sale_costs_coins_as_well() -> None:
    held = position(fill("BUY", 100, 2), fill("SELL", 49, 3, fee="1", fee_asset="QRL"))
    assert (held.quantity, held.cost) == ds(50, 100)
    assert held.realized_pnl == 47  # 147 for coins that cost 100


def test_a_valued_fee_in_a_third_asset_counts_as_cost_but_leaves_the_quote_balance_alone() -> None:
    held = position(fill("BUY", 100, 2, fee="0.5", fee_asset="MX", fee_value=d("1.5")))
    assert (held.quantity, held.cost) == ds(100, "201.5")
    assert (held.other_fees_value, held.quote_fees, held.unvalued_fees) == (d("1.5"), d(0), {})
    assert (held.cash_flow, held.quote_flow) == ds("-201.5", -200)


def test_a_valued_fee_in_a_third_asset_lowers_the_proceeds_of_a_sale() -> None:
    held = position(fill("BUY", 100, 2), fill("SELL", 100, 3, fee="0.5", fee_asset="MX", fee_value=d("1.5")))
    assert held.realized_pnl == d("98.5")
    assert held.quote_flow == 100


def test_a_fee_nobody_could_value_is_listed_and_not_guessed() -> None:
    fees = [fill("BUY", 100, 2, fee="0.5", fee_asset="MX", number=n) for n in (1, 2)]
    held = position(*fees, fill("SELL", 50, 3, fee="2", fee_asset="BNB"))
    assert held.unvalued_fees == {"MX": d("1"), "BNB": d("2")}
    assert (held.cost, held.realized_pnl) == ds(300, 50)


def test_a_later_fold_does_not_change_an_earlier_position() -> None:
    before = position(fill("BUY", 100, 2, fee="0.5", fee_asset="MX"))
    before.apply(fill("BUY", 100, 2, fee="0.5", fee_asset="MX"), QRL)
    assert before.unvalued_fees == {"MX": d("0.5")}


def test_coins_of_unknown_cost_are_sold_last_and_bring_no_profit() -> None:
    held = position(fill("BUY", 10, 2), fill("SELL", 25, 4), start=Position(unknown_quantity=d(100)))
    assert (held.quantity, held.cost, held.unknown_quantity, held.unmatched_quantity) == ds(0, 0, 85, 0)
    assert (held.realized_pnl, held.unmatched_proceeds) == ds(20, 60)
    assert held.expected_quantity == 85


def test_a_sale_beyond_all_that_is_known_is_kept_apart() -> None:
    held = position(fill("BUY", 10, 2), fill("SELL", 25, 4), start=Position(unknown_quantity=d(5)))
    assert (held.unknown_quantity, held.unmatched_quantity) == ds(0, 10)
    assert (held.realized_pnl, held.unmatched_proceeds) == ds(20, 60)
    assert held.expected_quantity == -10


def test_buying_again_after_an_unmatched_sale_starts_with_the_price_that_was_paid() -> None:
    held = position(fill("SELL", 10, 4), fill("BUY", 30, 2))
    assert (held.quantity, held.average_cost, held.unmatched_quantity) == ds(30, 2, 10)
    assert (held.realized_pnl, held.expected_quantity) == ds(0, 20)


@PROPERTY
@given(fill_lists())
def test_the_quantity_is_what_was_bought_less_what_was_sold_and_fees_in_coins(fills: list[Fill]) -> None:
    fills = covered(fills)
    held = position(*fills)
    assert held.quantity == held.bought_quantity - held.sold_quantity - held.base_fees
    assert held.quantity == sum((net_quantity(each, QRL) for each in fills), ZERO)
    assert held.fill_count == len(fills)


@PROPERTY
@given(fill_lists(), amounts(6))
def test_cash_and_value_equal_the_pnl_to_the_last_digit(fills: list[Fill], price: Decimal) -> None:
    held = position(*covered(fills))
    assert total(held.cash_flow, held.quantity * price) == total(held.realized_pnl, held.unrealized_pnl(price))


@PROPERTY
@given(fill_lists(), amounts(6), amounts(4, 0))
def test_proceeds_of_unknown_coins_are_all_that_is_missing_from_the_pnl(
    fills: list[Fill], price: Decimal, unknown: Decimal
) -> None:
    held = position(*fills, start=Position(unknown_quantity=unknown))
    known = total(held.realized_pnl, held.unrealized_pnl(price), held.unmatched_proceeds)
    assert total(held.cash_flow, held.quantity * price) == known
    moved = held.bought_quantity - held.sold_quantity - held.base_fees
    assert held.expected_quantity == unknown + moved


@exact
def total(*parts: Decimal) -> Decimal:
    return sum(parts, ZERO)


@PROPERTY
@given(fill_lists(), amounts(4), amounts(6))
def test_selling_moves_the_average_cost_by_its_rounding_at_most(
    fills: list[Fill], sold: Decimal, price: Decimal
) -> None:
    before = position(*covered(fills))
    after = before.apply(fill("SELL", str(sold), str(price)), QRL)
    if before.average_cost is not None and after.average_cost is not None:
        assert abs(after.average_cost - before.average_cost) <= PLACE * (1 / after.quantity + 1)
    assert after.cost >= 0
    assert after.quantity >= 0


@PROPERTY
@given(fill_lists("BUY"))
def test_only_sales_realize_anything(buys: list[Fill]) -> None:
    assert position(*buys).realized_pnl == 0


@PROPERTY
@given(fill_lists(), st.integers(0, 20))
def test_a_fold_may_be_taken_up_where_it_was_left(fills: list[Fill], cut: int) -> None:
    assert position(*fills[cut:], start=position(*fills[:cut])) == position(*fills)


@PROPERTY
@given(fill_lists())
def test_no_digit_depends_on_the_threads_context(fills: list[Fill]) -> None:
    at_ease, lots = position(*fills), FifoView().fold(fills, QRL)
    seen = (at_ease.average_cost, at_ease.expected_quantity, at_ease.quote_flow, lots.quantity, lots.cost)
    with localcontext(Context(prec=3)):
        cramped, tight = position(*fills), FifoView().fold(fills, QRL)
        again = (cramped.average_cost, cramped.expected_quantity, cramped.quote_flow, tight.quantity, tight.cost)
    assert (cramped, tight, again) == (at_ease, lots, seen)


# First in, first out


def fifo(*fills: Fill) -> FifoView:
    return FifoView().fold(fills, QRL)


def test_the_oldest_coins_are_sold_first() -> None:
    view = fifo(fill("BUY", 100, 1), fill("BUY", 100, 3), fill("SELL", 150, 5))
    assert view.lots == (Lot(d(50), d(150)),)
    assert view.realized_pnl == 100 * 4 + 50 * 2
    assert (view.quantity, view.cost) == ds(50, 150)


def test_a_lot_that_is_used_up_exactly_is_gone() -> None:
    assert fifo(fill("BUY", 100, 1), fill("BUY", 100, 3), fill("SELL", 100, 5)).lots == (Lot(d(100), d(300)),)


def test_lots_carry_their_fees() -> None:
    view = fifo(
        fill("BUY", 100, 1, fee="1", fee_asset="USDT"),
        fill("BUY", 100, 1, fee="1", fee_asset="QRL"),
        fill("BUY", 100, 1, fee="1", fee_asset="MX", fee_value=d(2)),
        fill("BUY", 100, 1, fee="1", fee_asset="MX"),
    )
    assert view.lots == (Lot(d(100), d(101)), Lot(d(99), d(100)), Lot(d(100), d(102)), Lot(d(100), d(100)))


def test_a_sale_beyond_the_lots_brings_profit_only_on_what_they_covered() -> None:
    view = fifo(fill("BUY", 10, 2), fill("SELL", 25, 4))
    assert (view.lots, view.realized_pnl) == ((), d(20))
    assert fifo(fill("SELL", 25, 4)) == FifoView()


@PROPERTY
@given(fill_lists())
def test_both_views_hold_the_same_coins(fills: list[Fill]) -> None:
    view, held = fifo(*fills), position(*fills)
    assert view.quantity == held.quantity
    assert all(lot.quantity > 0 and lot.cost >= 0 for lot in view.lots)


@PROPERTY
@given(fill_lists(), amounts(6))
def test_both_views_tell_the_same_total_and_differ_only_in_when_it_was_realized(
    fills: list[Fill], price: Decimal
) -> None:
    fills = covered(fills)
    view, held = fifo(*fills), position(*fills)
    by_lots = total(view.realized_pnl, view.quantity * price, -view.cost)
    assert by_lots == total(held.realized_pnl, held.unrealized_pnl(price))


@PROPERTY
@given(fill_lists(), st.integers(0, 20))
def test_a_fold_over_lots_may_be_taken_up_where_it_was_left(fills: list[Fill], cut: int) -> None:
    assert fifo(*fills[:cut]).fold(fills[cut:], QRL) == fifo(*fills)


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_fill_without_a_fee_moves_exactly_its_quantity_and_notional(side: str) -> None:
    held = position(fill("BUY", 10, 1), fill(side, 4, 3))
    sign = 1 if side == "BUY" else -1
    assert (held.quantity, held.cash_flow) == ds(10 + 4 * sign, -10 - 12 * sign)
