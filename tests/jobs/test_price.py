"""`price`: the 24 h ticker into Redis every minute, without exchange keys (contract.md §2.2, §3)."""

import json
from datetime import timedelta
from typing import Any

import pytest
import redis

from tests.builders import d, stored, ticker_payload, told
from tests.conftest import Functions, MakeBot
from tests.fakes import NOON, FakeClock, Line, StubExchange

LATEST, CACHED = "bot:QRLUSDT:price:latest", "bot:QRLUSDT:price:cached"
HISTORY = "bot:QRLUSDT:price:history"
SENTENCE = (
    "[Cloud Task] Price updated - Price: 0.020500, Change: 2.50%, Volume: 1500000.00, "
    "24h High/Low: 0.021000/0.019500"
)


def test_the_log_line_is_the_one_dashboards_read(functions: Functions, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    functions.post("price")
    assert [line for line in caplog.messages if line.startswith("[Cloud Task]")] == [SENTENCE]


def test_the_answer_has_the_whole_ticker(functions: Functions, exchange: StubExchange) -> None:
    exchange.answers["ticker/24hr"] = ticker_payload("0.0205", quoteVolume="30000")
    answer = told(functions.post("price"))
    assert (answer["status"], answer["task"]) == ("success", "update-price")
    assert answer["data"] == {
        "price": d("0.0205"),
        "volume_24h": 1500000,
        "price_change": d("0.0005"),
        "price_change_percent": d("2.5"),
        "high_24h": d("0.021"),
        "low_24h": d("0.0195"),
        "quote_volume": 30000,
        "open_price": d("0.02"),
        "weighted_avg_price": d("0.02"),
        "prev_close_price": d("0.02"),
        "bid_price": d("0.0204"),
        "ask_price": d("0.0206"),
        "spread": d("0.0002"),
    }


@pytest.mark.parametrize(
    ("fraction", "percent", "shown"),
    [("0.0173", "1.73", "1.73%"), ("-0.025", "-2.5", "-2.50%"), ("0", "0", "0.00%")],
)
def test_the_exchanges_percentage_is_a_fraction_and_told_in_percent(
    fraction: str, percent: str, shown: str, functions: Functions, exchange: StubExchange, caplog: Any
) -> None:
    caplog.set_level("INFO")
    exchange.answers["ticker/24hr"] = ticker_payload(priceChangePercent=fraction)
    assert told(functions.post("price"))["data"]["price_change_percent"] == d(percent)
    assert f"Change: {shown}," in caplog.text


def test_what_the_exchange_does_not_tell_is_null_and_never_zero(
    functions: Functions, exchange: StubExchange
) -> None:
    exchange.answers["ticker/24hr"] = ticker_payload(quoteVolume=None, bidPrice="", askPrice=None, openPrice=None)
    data = told(functions.post("price"))["data"]
    unknown = ("quote_volume", "weighted_avg_price", "bid_price", "ask_price", "spread", "open_price")
    assert {name: data[name] for name in unknown} == dict.fromkeys(unknown)


def test_a_price_is_kept_to_the_last_digit(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    exchange.answers["ticker/24hr"] = ticker_payload("0.000000674123456789", lowPrice="0.0000001")
    text = functions.post("price").get_data(as_text=True)
    assert '"price":0.000000674123456789,' in text
    assert '"low_24h":0.0000001,' in text
    assert stored(store_client, LATEST)["price"] == "0.000000674123456789"
    assert '"price":0.000000674123456789,' in functions.get("price").get_data(as_text=True)


def test_the_price_is_stored_for_good_for_thirty_seconds_and_in_the_history(
    make_bot: MakeBot, bare_functions: Functions, any_redis: "redis.Redis"
) -> None:
    make_bot(any_redis)
    bare_functions.post("price")
    expected = {"price": "0.0205", "volume": "1500000", "timestamp": NOON.isoformat()}
    latest: Any = any_redis.get(LATEST)
    assert json.loads(latest) == expected
    assert any_redis.get(CACHED) == latest
    assert any_redis.zrange(HISTORY, 0, -1, withscores=True) == [(latest, NOON.timestamp() * 1000)]
    permanent = (LATEST, HISTORY, "mexc:raw:ticker_24hr:latest", "mexc:raw:ticker_24hr:history")
    assert [any_redis.ttl(key) for key in permanent] == [-1] * 4
    assert [any_redis.type(key) for key in permanent] == ["string", "zset", "string", "zset"]
    assert 29 <= int(str(any_redis.ttl(CACHED))) <= 30


def test_the_ticker_goes_into_the_market_data_cache_for_five_seconds(
    functions: Functions, store_client: "redis.Redis"
) -> None:
    functions.post("price")
    assert stored(store_client, "qrl:v1:ticker:QRL/USDT")["lastPrice"] == "0.0205"
    assert 0 < int(str(store_client.ttl("qrl:v1:ticker:QRL/USDT"))) <= 5


def test_equal_prices_at_different_times_are_different_points(
    functions: Functions, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    functions.post("price")
    clock.move(60)
    functions.post("price")
    points: Any = store_client.zrange(HISTORY, 0, -1)
    assert [json.loads(point)["price"] for point in points] == ["0.0205", "0.0205"]
    assert json.loads(points[1])["timestamp"] == (NOON + timedelta(seconds=60)).isoformat()


def test_the_history_ends_at_the_newest_thousand_points(functions: Functions, store_client: "redis.Redis") -> None:
    store_client.zadd(HISTORY, {f'{{"price":"{n}"}}': n for n in range(1000)})
    functions.post("price")
    assert store_client.zcard(HISTORY) == 1000
    assert store_client.zrange(HISTORY, 0, 0) == ['{"price":"1"}']


def test_get_tells_the_cached_price_and_after_half_a_minute_the_permanent_one(
    functions: Functions, clock: FakeClock
) -> None:
    functions.post("price")
    clock.move(12)
    price = {"price": d("0.0205"), "volume": 1500000, "timestamp": NOON.isoformat()}
    assert told(functions.get("price"))["data"] == price | {"source": "cache", "age_seconds": 12}
    clock.move(19)
    assert told(functions.get("price"))["data"] == price | {"source": "permanent", "age_seconds": 31}


def test_get_falls_back_when_the_cached_price_is_gone(functions: Functions, store_client: "redis.Redis") -> None:
    functions.post("price")
    store_client.delete(CACHED)
    data = told(functions.get("price"))["data"]
    assert (data["source"], data["price"]) == ("permanent", d("0.0205"))


def test_price_works_without_keys_and_sends_none(
    make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange
) -> None:
    make_bot(MEXC_API_KEY="", MEXC_SECRET_KEY="")
    assert told(bare_functions.post("price"))["status"] == "success"
    assert exchange.paths() == ["ticker/24hr"]
    assert "X-MEXC-APIKEY" not in exchange.calls[0].headers
    assert "signature" not in exchange.calls[0].params


def test_another_symbol_is_asked_for_and_stored_under_its_own_keys(
    make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    make_bot(SYMBOL="BTCUSDC")
    exchange.answers["ticker/24hr"] = ticker_payload("60000", symbol="BTCUSDC")
    assert told(bare_functions.post("price"))["data"]["price"] == 60000
    assert exchange.calls[0].params == {"symbol": "BTCUSDC"}
    assert stored(store_client, "bot:BTCUSDC:price:latest")["price"] == "60000"
    assert store_client.exists("qrl:v1:ticker:BTC/USDC")
    assert not store_client.exists(LATEST)


def test_an_answer_about_another_symbol_is_refused(functions: Functions, exchange: StubExchange) -> None:
    exchange.answers["ticker/24hr"] = ticker_payload(symbol="QRLBTC")
    assert functions.post("price").status_code == 502


@pytest.mark.parametrize("filled", [False, True])
def test_a_run_makes_one_call_to_the_exchange_and_three_round_trips_to_redis(
    filled: bool, functions: Functions, exchange: StubExchange, line: Line, store_client: "redis.Redis"
) -> None:
    if filled:
        points = {f'{{"price":"{n}"}}': n for n in range(1000)}
        store_client.zadd(HISTORY, points)
        store_client.zadd("mexc:raw:ticker_24hr:history", points)
    functions.post("price")
    del line.trips[:], exchange.calls[:]
    functions.post("price", slot=NOON.isoformat())
    assert exchange.paths() == ["ticker/24hr"]
    assert len(line.trips) <= 3, line.trips


def test_a_price_of_zero_is_stored_as_what_it_is_and_a_negative_one_refused(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    exchange.answers["ticker/24hr"] = ticker_payload("-0.0205")
    assert functions.post("price").status_code == 502
    assert not store_client.exists(LATEST)
    exchange.answers["ticker/24hr"] = ticker_payload("0")
    assert told(functions.post("price"))["data"]["price"] == 0
