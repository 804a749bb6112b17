"""Reading what is new in the trade history: windows, full pages, gaps, and fees in a third asset."""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from common.books.fills import FillReader, History, with_fee_values
from common.clock import Deadline, milliseconds
from common.config import Settings
from common.domain.ledger.ledger import Gap, Ledger
from common.errors import ExchangeUnavailable, UnreadablePayload
from common.meter import Meter
from common.mexc.client import Mexc
from common.mexc.http import MexcHttp, new_session
from common.mexc.wave import together
from tests.builders import QRL, d, fill, fill_payload, unread_ledger
from tests.conftest import ENV
from tests.fakes import NOON, Call, FakeClock, Several, StubExchange

DAY = timedelta(days=1)
Read = Callable[[FillReader], History]


@pytest.fixture
def mexc(exchange: StubExchange, clock: FakeClock) -> Mexc:
    settings = Settings.from_env(ENV)
    session = new_session()
    session.mount("https://", exchange)
    http = MexcHttp(
        session,
        settings.mexc_base_url,
        clock,
        settings.mexc_api_key,
        settings.mexc_secret_key,
        settings.exchange_timeout_seconds,
        random.Random(7),
    )
    return Mexc(http, QRL, Deadline(clock, 45), Meter())


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


def ledger(place: datetime, sealed_until: datetime | None = None) -> Ledger:
    return replace(unread_ledger(), place=place, sealed_until=sealed_until or place - timedelta(hours=1))


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
    assert (history.gap, history.read_until) == (None, NOON)


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
    assert history.gap == Gap(NOON - 40 * DAY, NOON - 30 * DAY)
    assert min(start for start, _ in windows(exchange)) == milliseconds(NOON - 30 * DAY)


def test_a_ledger_as_old_as_the_memory_has_no_gap(mexc: Mexc, exchange: StubExchange, read: Read) -> None:
    tells(exchange, [])
    assert read(FillReader.since(ledger(NOON - 30 * DAY), mexc, NOON)).gap is None


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


def test_a_hundred_fills_in_one_second_are_refused_and_not_cut_off(
    mexc: Mexc, exchange: StubExchange, read: Read
) -> None:
    tells(exchange, [fill_payload("BUY", "1", "2", number=number, at=NOON) for number in range(130)])
    with pytest.raises(UnreadablePayload, match="one second"):
        read(FillReader.since(ledger(NOON), mexc, NOON))


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


# Fees


MINUTE = datetime(2026, 1, 2, 11, 30, tzinfo=NOON.tzinfo)


def candle(opens_at: datetime, close: str) -> list[Any]:
    start = milliseconds(opens_at)
    return [start, close, close, close, close, "1", start + 60_000, "1"]


def test_a_fee_in_a_third_asset_is_worth_the_close_of_its_own_minute(mexc: Mexc, exchange: StubExchange) -> None:
    exchange.answers["klines"] = [candle(MINUTE - timedelta(minutes=1), "9"), candle(MINUTE, "3.1")]
    paid = fill("BUY", 10, 2, at=MINUTE + timedelta(seconds=59), fee="0.02", fee_asset="MX")
    [valued] = with_fee_values((paid,), mexc, QRL)
    assert valued.fee_value == d("0.062")
    asked = exchange.calls[0].params
    assert (asked["symbol"], asked["interval"]) == ("MXUSDT", "1m")
    assert int(asked["startTime"]) <= milliseconds(MINUTE) < int(asked["endTime"])


def test_its_value_is_exact_to_the_last_digit(mexc: Mexc, exchange: StubExchange) -> None:
    exchange.answers["klines"] = [candle(MINUTE, "1.123456789012345678")]
    paid = fill("BUY", 10, 2, at=MINUTE, fee="0.123456789012345678", fee_asset="MX")
    [valued] = with_fee_values((paid,), mexc, QRL)
    assert valued.fee_value == d("0.138698367765584514527968299765279684")


def test_fees_in_the_assets_of_the_pair_ask_for_no_price(mexc: Mexc, exchange: StubExchange) -> None:
    fills = (fill("BUY", 10, 2, fee="1", fee_asset="QRL"), fill("SELL", 10, 2, fee="1", fee_asset="USDT"))
    free = fill("BUY", 10, 2, fee="0", fee_asset="MX")
    assert with_fee_values((*fills, free), mexc, QRL) == (*fills, free)
    assert exchange.calls == []


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [candle(MINUTE - timedelta(minutes=5), "3")],
        (400, {"code": -1121, "msg": "Invalid symbol."}),
        (503, ""),
        "garbled",
    ],
)
def test_without_a_price_of_its_minute_a_fee_stays_unvalued(
    answer: Any, mexc: Mexc, exchange: StubExchange, caplog: pytest.LogCaptureFixture
) -> None:
    exchange.answers["klines"] = (200, answer) if isinstance(answer, str) else answer
    paid = fill("BUY", 10, 2, at=MINUTE, fee="0.02", fee_asset="MX")
    assert with_fee_values((paid,), mexc, QRL) == (paid,)
    assert "a fee was taken in MX" in caplog.text
