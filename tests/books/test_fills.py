"""Reading what is new in the trade history: windows, full pages, gaps, and fees in a third asset."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from common.books.fills import FillReader, History, less_what_is_booked
from common.clock import milliseconds
from common.domain.ledger.ledger import Gap, Ledger
from common.errors import ExchangeUnavailable
from common.mexc.client import Mexc
from common.mexc.wave import together
from tests.builders import d, fill, fill_payload, unread_ledger
from tests.fakes import NOON, Call, Several, StubExchange

DAY = timedelta(days=1)
Read = Callable[[FillReader], History]


@pytest.fixture
def read() -> Iterator[Read]:
    """The whole reading: the wave, then the history out of it."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield lambda reader: reader.history(together(pool, reader.calls))


def tells(exchange: StubExchange, rows: Sequence[dict[str, Any]]) -> None:
    """myTrades as it behaves: a window with both its ends, the newest hundred, newest first."""

    def page(call: Call) -> Any:
        start, end = int(call.params["startTime"]), int(call.params["endTime"])
        found = sorted((row for row in rows if start <= row["time"] <= end), key=lambda row: -row["time"])
        return found[: min(int(call.params["limit"]), 100)]

    exchange.answers["myTrades"] = page


def ledger(place: datetime, sealed_until: datetime | None = None, **more: Any) -> Ledger:
    """One that has looked back today already."""
    seen = {"looked_back_on": NOON.date(), **more}
    return replace(unread_ledger(), place=place, sealed_until=sealed_until or place - timedelta(hours=1), **seen)


def spread(count: int, over: timedelta, newest: datetime = NOON) -> list[dict[str, Any]]:
    return [
        fill_payload("BUY", "1", "2", number=number, at=newest - over * number / count) for number in range(count)
    ]


def windows(exchange: StubExchange) -> list[tuple[int, int]]:
    calls = [call for call in exchange.calls if call.path == "myTrades"]
    return [(int(call.params["startTime"]), int(call.params["endTime"])) for call in calls]


def test_without_a_ledger_the_exchanges_whole_memory_is_read(
    mexc: Mexc, exchange: StubExchange, read: Read
) -> None:
    tells(exchange, spread(30, 29 * DAY))
    history = read(FillReader.since(None, mexc, NOON))
    assert len(history.fills) == 30
    assert (history.gaps, history.read_until) == ((), NOON)


def test_a_clock_that_the_exchange_sets_forward_while_it_is_read_misses_no_fill(
    mexc: Mexc, exchange: StubExchange, read: Read
) -> None:
    """A first ledger would count the coins of such a fill twice, for good."""
    late = fill_payload("BUY", "25", "2", number=1, at=NOON + timedelta(seconds=30))
    tells(exchange, [late])
    page, refused = exchange.answers["myTrades"], (400, {"code": 700003, "msg": "outside of the recvWindow"})
    exchange.answers["time"] = {"serverTime": milliseconds(NOON + timedelta(seconds=31))}

    def slow(call: Call) -> Any:
        early = int(call.params["timestamp"]) < milliseconds(NOON + timedelta(seconds=20))
        return refused if early else page(call)

    exchange.answers["myTrades"] = slow
    assert [each.quantity for each in read(FillReader.since(None, mexc, NOON)).fills] == [d(25)]


def test_with_a_ledger_the_reading_starts_where_its_sealed_part_ends(
    mexc: Mexc, exchange: StubExchange, read: Read
) -> None:
    tells(exchange, [])
    read(FillReader.since(ledger(NOON - timedelta(minutes=5)), mexc, NOON))
    [(start, end)] = windows(exchange)
    assert start == milliseconds(NOON - timedelta(minutes=65))
    assert milliseconds(NOON) < end <= milliseconds(NOON + timedelta(seconds=20)), "the clocks may differ a little"


def test_what_lies_beyond_the_exchanges_memory_is_a_gap(mexc: Mexc, exchange: StubExchange, read: Read) -> None:
    tells(exchange, [])
    history = read(FillReader.since(ledger(NOON - 40 * DAY), mexc, NOON))
    assert history.gaps == (Gap(NOON - 40 * DAY, NOON - 30 * DAY),)
    assert min(start for start, _ in windows(exchange)) == milliseconds(NOON - 30 * DAY)


def test_a_ledger_as_old_as_the_memory_has_no_gap(mexc: Mexc, exchange: StubExchange, read: Read) -> None:
    tells(exchange, [])
    assert read(FillReader.since(ledger(NOON - 30 * DAY), mexc, NOON)).gaps == ()


def test_fills_come_in_the_order_of_their_time_whatever_order_they_are_told_in(
    mexc: Mexc, exchange: StubExchange, read: Read
) -> None:
    rows = [
        fill_payload("BUY", "1", "2", number=number, at=NOON - timedelta(seconds=seconds))
        for number, seconds in [(3, 10), (1, 60), (2, 10), (4, 5)]
    ]
    exchange.answers["myTrades"] = rows
    history = read(FillReader.since(ledger(NOON - timedelta(minutes=5)), mexc, NOON))
    assert [found.fill_id for found in history.fills] == ["1X1", "2X1", "3X1", "4X1"]


@pytest.mark.parametrize("count", [99, 100, 101, 250, 1234])
def test_a_full_page_is_split_until_no_part_is_full(
    count: int, mexc: Mexc, exchange: StubExchange, read: Read
) -> None:
    tells(exchange, spread(count, timedelta(minutes=59)))
    history = read(FillReader.since(ledger(NOON), mexc, NOON))
    assert len(history.fills) == count
    assert len(history.more_replies) == len(exchange.calls) - 1
    assert (len(exchange.calls) > 1) == (count >= 100)


def test_fills_that_crowd_into_a_few_seconds_are_all_found(mexc: Mexc, exchange: StubExchange, read: Read) -> None:
    rows = [
        fill_payload("BUY", "1", "2", number=number, at=NOON - timedelta(seconds=number // 90))
        for number in range(270)
    ]
    tells(exchange, rows)
    assert len(read(FillReader.since(ledger(NOON), mexc, NOON)).fills) == 270


def test_a_fill_on_the_edge_of_two_windows_is_one_fill(mexc: Mexc, exchange: StubExchange, read: Read) -> None:
    tells(exchange, [fill_payload("BUY", "1", "2", at=NOON - 23 * DAY)])
    history = read(FillReader.since(None, mexc, NOON))
    edges = [start for start, _ in windows(exchange)]
    assert milliseconds(NOON - 23 * DAY) in edges
    assert len(history.fills) == 1


def test_once_a_day_the_last_two_days_are_read_again(mexc: Mexc, exchange: StubExchange, read: Read) -> None:
    tells(exchange, [])
    yesterday = ledger(NOON, looked_back_on=NOON.date() - DAY)
    assert read(FillReader.since(yesterday, mexc, NOON)).looked_back
    assert not read(FillReader.since(ledger(NOON), mexc, NOON)).looked_back
    assert [start for start, _ in windows(exchange)] == [
        milliseconds(NOON - 2 * DAY),
        milliseconds(NOON - timedelta(hours=1)),
    ]


def test_a_place_in_the_future_has_the_whole_memory_read_again(
    mexc: Mexc, exchange: StubExchange, read: Read
) -> None:
    tells(exchange, [])
    history = read(FillReader.since(ledger(NOON + timedelta(hours=10)), mexc, NOON))
    assert (history.place_in_the_future, len(exchange.calls)) == (True, 5)


# More in one second than a page holds


SECOND = NOON - timedelta(minutes=5)


def order_row(number: int, side: str, quantity: str, notional: str) -> dict[str, Any]:
    return {
        "symbol": "QRLUSDT",
        "orderId": f"O{number}",
        "side": side,
        "price": "2",
        "status": "FILLED",
        "origQty": quantity,
        "executedQty": quantity,
        "cummulativeQuoteQty": notional,
        "time": milliseconds(SECOND) + number,
    }


def of_orders(
    exchange: StubExchange, *counts: int, at: datetime = SECOND, orders: Sequence[Any] | None = None
) -> None:
    """Orders with so many fills of 1 at 2 each in one second, and one fill of the first a minute later."""
    rows = [
        fill_payload("BUY", "1", "2", number=1000 * order + n, at=at) | {"orderId": f"O{order}"}
        for order, count in enumerate(counts, 1)
        for n in range(count)
    ]
    rows.append(fill_payload("BUY", "1", "2", number=1, at=at + timedelta(minutes=1)) | {"orderId": "O1"})
    known = [
        order_row(n, "BUY", str(count + (n == 1)), str(2 * (count + (n == 1)))) for n, count in enumerate(counts, 1)
    ]
    tells(exchange, rows)
    page = exchange.answers["myTrades"]

    def by_order(call: Call) -> Any:
        wanted = call.params.get("orderId")
        if wanted is None:
            return page(call)
        window = int(call.params["startTime"]), int(call.params["endTime"])
        return [r for r in rows if r["orderId"] == wanted and window[0] <= r["time"] <= window[1]][:100]

    exchange.answers["myTrades"] = by_order
    exchange.answers["allOrders"] = known if orders is None else orders


def test_a_page_of_fills_in_one_second_is_asked_for_by_order(
    mexc: Mexc, exchange: StubExchange, read: Read
) -> None:
    of_orders(exchange, 90, 60)
    history = read(FillReader.since(ledger(NOON), mexc, NOON))
    assert (len(history.fills), history.gaps) == (151, ())
    assert sum(fill.quantity for fill in history.fills) == 151


def test_an_order_with_more_than_a_page_in_one_second_is_one_fill_marked_as_summed(
    mexc: Mexc, exchange: StubExchange, read: Read
) -> None:
    """Its size is what the order tells beyond its fills of other seconds, its fee the account's rate."""
    of_orders(exchange, 150, 20)
    history = read(FillReader.since(ledger(NOON), mexc, NOON))
    summed = [fill for fill in history.fills if fill.remarks]
    assert [(f.order_id, f.quantity, f.notional, f.price, f.remarks) for f in summed] == [
        ("O1", d(150), d(300), d(2), ("summed",))
    ]
    assert (summed[0].fee, summed[0].fee_asset, summed[0].executed_at) == (d("0.15"), "USDT", SECOND)
    assert sum(fill.quantity for fill in history.fills) == 171
    assert read(FillReader.since(ledger(NOON), mexc, NOON)).fills == history.fills


def test_a_sum_is_less_what_was_booked_of_it_before() -> None:
    told = [replace(fill("BUY", 1, 2, number=n), order_id="O1") for n in (1, 2)]
    summed = replace(fill("BUY", 5, 2, number=3, fee="0.5"), order_id="O1", remarks=("summed",))
    (left,) = less_what_is_booked([summed], told)
    assert (left.quantity, left.notional, left.fee) == (d(3), d(6), d("0.3"))
    assert less_what_is_booked([summed], [summed]) == (summed,)
    assert less_what_is_booked([replace(summed, quantity=d(2))], told) == ()


def test_a_crowded_second_whose_orders_are_no_longer_told_is_a_gap(
    mexc: Mexc, exchange: StubExchange, read: Read
) -> None:
    of_orders(exchange, 130, orders=[])
    history = read(FillReader.since(ledger(NOON), mexc, NOON))
    assert history.gaps == (Gap(SECOND, SECOND + timedelta(seconds=1)),)
    assert len(history.fills) == 101


def test_a_window_that_cannot_be_read_fails_the_history_and_not_the_wave(
    mexc: Mexc, exchange: StubExchange
) -> None:
    exchange.answers["myTrades"] = (503, "")
    reader = FillReader.since(ledger(NOON), mexc, NOON)
    with ThreadPoolExecutor(max_workers=2) as pool:
        wave = together(pool, reader.calls)
    with pytest.raises(ExchangeUnavailable):
        reader.history(wave)


def test_a_part_of_a_full_page_that_cannot_be_read_fails_the_history(
    mexc: Mexc, exchange: StubExchange, read: Read
) -> None:
    exchange.answers["myTrades"] = Several(spread(100, timedelta(minutes=30)), (400, {"code": 10072, "msg": "no"}))
    with pytest.raises(Exception, match="10072"):
        read(FillReader.since(ledger(NOON), mexc, NOON))
