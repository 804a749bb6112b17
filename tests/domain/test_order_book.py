"""The order book: what an order of a given size would find."""

from decimal import Context, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.instrument import Side
from common.domain.order_book import Level, OrderBook
from tests.builders import PROPERTY, amounts, d

Rows = list[tuple[str, str]]


def levels(rows: Rows) -> list[Level]:
    return [Level(d(price), d(quantity)) for price, quantity in rows]


def book(bids: Rows, asks: Rows) -> OrderBook:
    return OrderBook.of(levels(bids), levels(asks))


THREE_LEVELS = book(
    bids=[("0.99", "10"), ("0.98", "20"), ("0.90", "100")], asks=[("1.01", "10"), ("1.02", "20"), ("1.10", "100")]
)


def test_the_best_price_comes_first_whatever_order_the_exchange_sends() -> None:
    shuffled = book(bids=[("1", "5"), ("3", "5"), ("2", "5")], asks=[("6", "5"), ("4", "5"), ("5", "5")])
    assert [level.price for level in shuffled.bids] == [3, 2, 1]
    assert [level.price for level in shuffled.asks] == [4, 5, 6]


def test_levels_without_quantity_or_price_are_dropped() -> None:
    empties = book(bids=[("1", "0"), ("0.9", "5")], asks=[("0", "5"), ("1.1", "5"), ("1.2", "0")])
    assert empties.bids == (Level(d("0.9"), d(5)),)
    assert empties.asks == (Level(d("1.1"), d(5)),)


@pytest.mark.parametrize(
    ("bids", "asks", "problem"),
    [
        ([], [("1", "1")], "the order book has an empty side"),
        ([("1", "1")], [], "the order book has an empty side"),
        ([("1", "0")], [("2", "1")], "the order book has an empty side"),
        ([("2", "1")], [("1", "1")], "the order book is crossed"),
        ([("1", "1")], [("1", "1")], "the order book is crossed"),
        ([("1", "1")], [("1.000001", "1")], None),
    ],
)
def test_no_decision_rests_on_an_empty_or_crossed_book(bids: Rows, asks: Rows, problem: str | None) -> None:
    assert book(bids, asks).problem == problem


def test_the_mid_price_lies_half_way_between_the_best_prices() -> None:
    assert THREE_LEVELS.mid_price == 1


def test_the_mid_price_keeps_every_digit_whatever_the_threads_context() -> None:
    with localcontext(Context(prec=5)):
        middle = book(bids=[("60000.01", "1")], asks=[("60000.02", "1")]).mid_price
    assert middle == d("60000.015")


def test_a_buy_takes_from_the_asks_and_a_sale_from_the_bids() -> None:
    assert THREE_LEVELS.against(Side.BUY) == THREE_LEVELS.asks
    assert THREE_LEVELS.against(Side.SELL) == THREE_LEVELS.bids


def test_depth_counts_the_first_levels_only() -> None:
    assert THREE_LEVELS.depth(Side.BUY, 2) == 30
    assert THREE_LEVELS.depth(Side.SELL, 3) == 130
    assert THREE_LEVELS.depth(Side.SELL, 9) == 130


def test_an_order_within_the_best_level_is_filled_at_its_price() -> None:
    assert THREE_LEVELS.fill_price(Side.BUY, d(10)) == d("1.01")
    assert THREE_LEVELS.fill_price(Side.SELL, d(10)) == d("0.99")


def test_a_larger_order_is_filled_at_the_average_of_the_levels_it_takes() -> None:
    assert THREE_LEVELS.fill_price(Side.BUY, d(20)) == d("1.015")
    assert THREE_LEVELS.fill_price(Side.SELL, d(40)) == d("0.9625")  # 9.9 + 19.6 + 9 for 40


def test_an_order_the_book_does_not_hold_has_no_price_and_no_slippage() -> None:
    assert THREE_LEVELS.fill_price(Side.BUY, d(130)) is not None
    assert THREE_LEVELS.fill_price(Side.BUY, d("130.0001")) is None
    assert THREE_LEVELS.slippage(Side.BUY, d("130.0001"), d(1)) is None


def test_slippage_is_how_much_worse_than_the_mark_price_the_fill_would_be() -> None:
    assert THREE_LEVELS.slippage(Side.BUY, d(10), d(1)) == d("0.01")
    assert THREE_LEVELS.slippage(Side.SELL, d(10), d(1)) == d("0.01")


def test_slippage_is_negative_when_the_book_is_better_than_the_mark_price() -> None:
    assert THREE_LEVELS.slippage(Side.BUY, d(10), d("2.02")) == d("-0.5")
    assert THREE_LEVELS.slippage(Side.SELL, d(10), d("0.495")) == d(-1)


def test_quantity_within_a_limit_includes_the_level_at_the_limit() -> None:
    assert THREE_LEVELS.quantity_within(Side.BUY, d("1.02")) == 30
    assert THREE_LEVELS.quantity_within(Side.BUY, d("1.019999")) == 10
    assert THREE_LEVELS.quantity_within(Side.SELL, d("0.98")) == 30
    assert THREE_LEVELS.quantity_within(Side.SELL, d("0.980001")) == 10
    assert THREE_LEVELS.quantity_within(Side.BUY, d(1)) == 0


LEVELS = st.lists(st.builds(Level, amounts(4, most=10**6), amounts(4, most=10**6)), min_size=1, max_size=8)
PLACE = Decimal(1).scaleb(-18)


@PROPERTY
@given(LEVELS, st.sampled_from(Side), amounts(3, 1, 1000), amounts(3, 1, 1000))
def test_a_larger_order_never_finds_a_better_price_nor_one_outside_the_book(
    rows: list[Level], side: Side, one: Decimal, other: Decimal
) -> None:
    whole = OrderBook.of(rows, rows)
    small, large = sorted(share * whole.depth(side, len(rows)) for share in (one, other))
    near, far = whole.fill_price(side, small), whole.fill_price(side, large)
    assert near is not None
    assert far is not None
    prices = [level.price for level in rows]
    assert min(prices) <= near <= max(prices)
    assert far >= near - PLACE if side is Side.BUY else far <= near + PLACE
