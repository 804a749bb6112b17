"""What fills do not tell themselves: the worth of a fee in a third asset, when orders were placed, the mid."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from common.books.details import order_times, with_fee_values, with_mids, with_order_times
from common.clock import milliseconds
from common.domain.orders.order import Fill
from common.mexc.client import Mexc
from tests.builders import d, fill
from tests.fakes import NOON, Call, StubExchange

MINUTE = datetime(2026, 1, 2, 11, 30, tzinfo=NOON.tzinfo)
DAY = timedelta(days=1)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield pool


def candle(opens_at: datetime, close: str) -> list[Any]:
    start = milliseconds(opens_at)
    return [start, close, close, close, close, "1", start + 60_000, "1"]


def paid(at: datetime = MINUTE, number: int = 1, asset: str = "MX", fee: str = "0.02") -> Fill:
    return fill("BUY", 10, 2, number=number, at=at, fee=fee, fee_asset=asset)


def prices(call: Call) -> Any:
    """Candles for every minute that is asked for."""
    start, end = int(call.params["startTime"]), int(call.params["endTime"])
    return [[at, "3", "3", "3", "3", "1", at + 60_000, "1"] for at in range(start, end, 60_000)]


def test_a_fee_in_a_third_asset_is_worth_the_close_of_its_own_minute(
    mexc: Mexc,
    exchange: StubExchange,
    pool: ThreadPoolExecutor,
) -> None:
    exchange.answers["klines"] = [candle(MINUTE - timedelta(minutes=1), "9"), candle(MINUTE, "3.1")]
    [valued] = with_fee_values([paid(MINUTE + timedelta(seconds=59))], mexc, pool, NOON)
    assert (valued.fee_value, valued.fee_pending) == (d("0.062"), False)
    asked = exchange.calls[0].params
    assert (asked["symbol"], asked["interval"]) == ("MXUSDT", "1m")
    assert int(asked["startTime"]) <= milliseconds(MINUTE) < int(asked["endTime"])


def test_its_value_is_exact_to_the_last_digit(
    mexc: Mexc,
    exchange: StubExchange,
    pool: ThreadPoolExecutor,
) -> None:
    exchange.answers["klines"] = [candle(MINUTE, "1.123456789012345678")]
    [valued] = with_fee_values([paid(fee="0.123456789012345678")], mexc, pool, NOON)
    assert valued.fee_value == d("0.138698367765584514527968299765279684")


def test_fees_in_the_assets_of_the_pair_ask_for_no_price(
    mexc: Mexc,
    exchange: StubExchange,
    pool: ThreadPoolExecutor,
) -> None:
    fills = (paid(asset="QRL"), paid(asset="USDT"), paid(fee="0"), replace(paid(), fee_value=d(1)))
    assert with_fee_values(fills, mexc, pool, NOON) == fills
    assert exchange.calls == []


@pytest.mark.parametrize(
    "answer", [[], [candle(MINUTE - timedelta(minutes=5), "3")], (400, {"code": -1121, "msg": "Invalid symbol."})]
)
def test_where_the_exchange_has_no_such_price_a_fee_stays_unvalued(
    answer: Any,
    mexc: Mexc,
    exchange: StubExchange,
    pool: ThreadPoolExecutor,
    caplog: Any,
) -> None:
    exchange.answers["klines"] = answer
    assert with_fee_values([paid()], mexc, pool, NOON) == (paid(),)
    assert "fees were taken in MX" in caplog.text


@pytest.mark.parametrize("answer", [(503, ""), (200, "garbled"), (429, {"code": 429, "msg": "slow down"})])
def test_what_could_not_be_asked_is_pending_as_long_as_the_exchange_tells_the_fill(
    answer: Any,
    mexc: Mexc,
    exchange: StubExchange,
    pool: ThreadPoolExecutor,
) -> None:
    exchange.answers["klines"] = answer
    assert with_fee_values([paid()], mexc, pool, NOON) == (replace(paid(), fee_pending=True),)
    [given_up] = with_fee_values([replace(paid(), fee_pending=True)], mexc, pool, NOON + 31 * DAY)
    assert not given_up.fee_pending


def test_the_candle_of_a_minute_just_over_may_be_missing_still(
    mexc: Mexc,
    exchange: StubExchange,
    pool: ThreadPoolExecutor,
) -> None:
    exchange.answers["klines"] = []
    [soon] = with_fee_values([paid()], mexc, pool, MINUTE + timedelta(minutes=2))
    assert soon.fee_pending


def test_four_hundred_fills_of_a_month_are_valued_by_few_requests_in_a_few_runs(
    mexc: Mexc,
    exchange: StubExchange,
    pool: ThreadPoolExecutor,
) -> None:
    exchange.answers["klines"] = prices
    fills: tuple[Fill, ...] = tuple(paid(NOON - n * DAY * 29 / 400, number=n) for n in range(400))
    counts = []
    while any(each.fee_value is None for each in fills):
        fills = with_fee_values(fills, mexc, pool, NOON)
        counts.append(sum(each.fee_pending for each in fills))
        assert len(counts) < 10
    assert (counts[-1], len(exchange.calls) < 100) == (0, True)
    assert {each.fee_value for each in fills} == {d("0.06")}
    spans = [int(c.params["endTime"]) - int(c.params["startTime"]) for c in exchange.calls]
    assert max(spans) <= 500 * 60_000


def test_fills_of_one_hour_and_asset_share_a_request(
    mexc: Mexc,
    exchange: StubExchange,
    pool: ThreadPoolExecutor,
) -> None:
    exchange.answers["klines"] = prices
    hour = [paid(MINUTE + n * timedelta(minutes=1), number=n) for n in range(60)]
    with_fee_values([*hour, paid(asset="BTC", number=99)], mexc, pool, NOON)
    assert sorted(call.params["symbol"] for call in exchange.calls) == ["BTCUSDT", "MXUSDT"]


def test_the_times_of_orders_are_wanted_only_where_both_sides_meet_in_a_second() -> None:
    bought, sold = fill("BUY", 1, 1, number=1), fill("SELL", 1, 1, number=2)
    second = timedelta(seconds=1)
    assert order_times([bought, sold], NOON) == (NOON - second, NOON + second)
    assert order_times([bought, replace(sold, executed_at=NOON + second)], NOON) is None
    assert order_times([bought, sold], NOON + 8 * DAY) is None, "the exchange tells orders of seven days"
    told = with_order_times([bought, sold], {"C02__1": NOON, "C02__2": NOON})
    assert [each.ordered_at for each in told] == [NOON, NOON]
    assert order_times(told, NOON) is None


def test_the_mid_is_that_of_the_order_behind_a_fill() -> None:
    ours = replace(fill("BUY", 1, 1), client_order_id="rb1")
    assert [f.mid_price for f in with_mids([ours, fill("BUY", 1, 1)], {"rb1": d(2), "rb2": d(3)})] == [d(2), None]
