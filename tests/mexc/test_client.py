"""The exchange's endpoints: where each call goes, with what, and what is answered from the cache instead."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis
import requests
from pydantic import SecretStr

from common.clock import Deadline, milliseconds
from common.domain.instrument import Side
from common.domain.orders.order import OrderIntent, OrderStatus, OrderStyle
from common.errors import (
    ConfigurationError,
    ExchangeUnavailable,
    InsufficientFunds,
    OutcomeUnknown,
    UnknownOrder,
    UnreadablePayload,
)
from common.meter import Meter
from common.mexc.client import Mexc
from common.mexc.http import MexcHttp, new_session
from common.store.cache import MarketCache
from common.store.keys import CacheKeys
from tests.builders import (
    QRL,
    account_payload,
    d,
    depth_payload,
    exchange_info_payload,
    fill_payload,
    order_payload,
    price_payload,
    ticker_payload,
)
from tests.fakes import NOON, Call, FakeClock, StubExchange, embedded_redis

NOON_MS = milliseconds(NOON)
TTLS = {"default": 60, "ticker": 5, "ohlcv": 86_400, "deals": 10, "orderbook": 5}
ORDER = order_payload()


@dataclass
class Desk:
    """An exchange that gives `answers`, seen through `Mexc` by a run that may trade or not."""

    answers: Mapping[str, Any]
    cache: MarketCache | None = None
    may_trade: bool = True
    clock: FakeClock = field(default_factory=FakeClock)
    meter: Meter = field(default_factory=Meter)

    def __post_init__(self) -> None:
        self.exchange = StubExchange(self.answers)
        session = new_session()
        session.mount("https://", self.exchange)
        key, secret = SecretStr("mx0test"), SecretStr("test-secret")
        http = MexcHttp(session, "https://exchange.test", self.clock, key, secret, 8, random.Random(7))
        deadline = Deadline(self.clock, 45)
        self.mexc = Mexc(http, QRL, deadline, self.meter, self.cache, may_trade=self.may_trade)

    @property
    def call(self) -> Call:
        """The only call that was made."""
        (call,) = self.exchange.calls
        return call

    @property
    def asked(self) -> dict[str, str]:
        """The parameters of the only call, without what signing adds."""
        signing = ("recvWindow", "timestamp", "signature")
        return {name: value for name, value in self.call.params.items() if name not in signing}


def intent(
    side: Side = Side.BUY,
    style: OrderStyle = OrderStyle.IOC,
    quantity: str = "25",
    price: str | None = "0.02",
    notional: str = "0.5",
) -> OrderIntent:
    return OrderIntent("rb1", NOON, side, style, d(quantity), d(price) if price else None, d(notional))


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


# Where each call goes

Ask = Callable[[Mexc], Any]
ENDPOINTS: dict[str, tuple[Ask, Any, str, str, bool, dict[str, str]]] = {
    "time": (lambda m: m.time(), {"serverTime": 1}, "GET", "time", False, {}),
    "exchange info": (
        lambda m: m.exchange_info(),
        exchange_info_payload(),
        *("GET", "exchangeInfo", False),
        {"symbol": "QRLUSDT"},
    ),
    "default symbols": (lambda m: m.default_symbols(), {"data": []}, "GET", "defaultSymbols", False, {}),
    "ticker": (lambda m: m.ticker_24hr(), ticker_payload(), "GET", "ticker/24hr", False, {"symbol": "QRLUSDT"}),
    "price": (lambda m: m.ticker_price(), price_payload(), "GET", "ticker/price", False, {"symbol": "QRLUSDT"}),
    "book ticker": (
        lambda m: m.book_ticker(),
        {"symbol": "QRLUSDT", "bidPrice": "1", "askPrice": "2"},
        *("GET", "ticker/bookTicker", False),
        {"symbol": "QRLUSDT"},
    ),
    "depth": (lambda m: m.depth(5), depth_payload(), "GET", "depth", False, {"symbol": "QRLUSDT", "limit": "5"}),
    "public trades": (lambda m: m.trades(7), [], "GET", "trades", False, {"symbol": "QRLUSDT", "limit": "7"}),
    "klines": (
        lambda m: m.klines("60m", 24),
        [],
        *("GET", "klines", False),
        {"symbol": "QRLUSDT", "interval": "60m", "limit": "24"},
    ),
    "klines up to a time": (
        lambda m: m.klines("15m", 4, symbol="MXUSDT", end=NOON),
        [],
        *("GET", "klines", False),
        {
            **{"symbol": "MXUSDT", "interval": "15m", "limit": "4"},
            **{"startTime": str(NOON_MS - 3_600_000), "endTime": str(NOON_MS)},
        },
    ),
    "account": (lambda m: m.account(), account_payload(), "GET", "account", True, {}),
    "trade fee": (
        lambda m: m.trade_fee(),
        {"data": {"makerCommission": 0, "takerCommission": 0.0005}, "code": 0},
        *("GET", "tradeFee", True),
        {"symbol": "QRLUSDT"},
    ),
    "symbols of the key": (lambda m: m.self_symbols(), {"data": [], "code": 200}, "GET", "selfSymbols", True, {}),
    "fills": (
        lambda m: m.my_trades(at(-15), NOON),
        [],
        *("GET", "myTrades", True),
        {
            **{"symbol": "QRLUSDT", "startTime": str(NOON_MS - 900_000), "endTime": str(NOON_MS)},
            "limit": "100",
        },
    ),
    "fills of an order": (
        lambda m: m.my_trades(at(-1), NOON, order_id="C02__1", limit=5),
        [],
        *("GET", "myTrades", True),
        {
            **{"symbol": "QRLUSDT", "startTime": str(NOON_MS - 60_000), "endTime": str(NOON_MS)},
            **{"limit": "5", "orderId": "C02__1"},
        },
    ),
    "order by our id": (
        lambda m: m.order("rb1"),
        ORDER,
        *("GET", "order", True),
        {"symbol": "QRLUSDT", "origClientOrderId": "rb1"},
    ),
    "order by its id": (
        lambda m: m.order_by_id("C02__1"),
        ORDER,
        *("GET", "order", True),
        {"symbol": "QRLUSDT", "orderId": "C02__1"},
    ),
    "open orders": (lambda m: m.open_orders(), [], "GET", "openOrders", True, {"symbol": "QRLUSDT"}),
    "all orders": (
        lambda m: m.orders_between(at(-15), NOON),
        [],
        *("GET", "allOrders", True),
        {
            **{"symbol": "QRLUSDT", "startTime": str(NOON_MS - 900_000), "endTime": str(NOON_MS)},
            "limit": "1000",
        },
    ),
    "new order": (
        lambda m: m.new_order(intent()),
        {"orderId": "C02__1"},
        *("POST", "order", True),
        {
            **{"symbol": "QRLUSDT", "side": "BUY", "type": "IMMEDIATE_OR_CANCEL"},
            **{"quantity": "25", "price": "0.02", "newClientOrderId": "rb1"},
        },
    ),
    "test of an order": (
        lambda m: m.test_order(intent(Side.SELL)),
        {},
        *("POST", "order/test", True),
        {
            **{"symbol": "QRLUSDT", "side": "SELL", "type": "IMMEDIATE_OR_CANCEL"},
            **{"quantity": "25", "price": "0.02", "newClientOrderId": "rb1"},
        },
    ),
    "cancel": (
        lambda m: m.cancel_order("rb1"),
        ORDER,
        *("DELETE", "order", True),
        {"symbol": "QRLUSDT", "origClientOrderId": "rb1"},
    ),
}


@pytest.mark.parametrize(("ask", "answer", "method", "path", "signed", "params"), ENDPOINTS.values(), ids=ENDPOINTS)
def test_every_call_goes_to_its_endpoint_with_its_parameters(
    ask: Ask, answer: Any, method: str, path: str, signed: bool, params: dict[str, str]
) -> None:
    desk = Desk({path: answer})
    ask(desk.mexc)
    assert (desk.call.method, desk.call.path) == (method, path)
    assert desk.asked == params
    assert ("signature" in desk.call.params) is signed
    assert desk.call.body is None


def test_every_method_that_calls_the_exchange_is_in_the_table_above() -> None:
    called = {name for ask, *_ in ENDPOINTS.values() for name in ask.__code__.co_names}
    public = {name for name in vars(Mexc) if not name.startswith("_")}
    assert public - called == {
        "now",
        "address",
        "instrument",
        "cached_ticker",
        "cached_deals",
        "cached_order_book",
        "cached_candles",
        "invalidate_cache",
    }


@pytest.mark.parametrize(
    ("interval", "span"),
    [("1m", 60), ("60m", 3_600), ("4h", 14_400), ("1d", 86_400), ("1W", 604_800), ("1M", 31 * 86_400)],
)
def test_candles_up_to_a_time_are_asked_for_with_both_times(interval: str, span: int) -> None:
    """A start alone is ignored by the exchange, and the newest candles come back."""
    desk = Desk({"klines": []})
    desk.mexc.klines(interval, 10, end=NOON)
    assert int(desk.asked["endTime"]) == NOON_MS
    assert int(desk.asked["startTime"]) == NOON_MS - 10 * span * 1000


def test_an_answer_carries_its_value_and_the_reply_it_was_read_from() -> None:
    text = '{"symbol": "QRLUSDT",  "price": "0.02050"}'
    answer = Desk({"ticker/price": (200, text)}).mexc.ticker_price()
    assert answer.value == d("0.0205")
    assert answer.reply.text == text
    assert answer.reply.endpoint == "ticker_price"


def test_values_come_out_in_the_words_of_the_domain() -> None:
    desk = Desk(
        {
            "account": account_payload(("QRL", "1000.5", "2")),
            "ticker/24hr": ticker_payload("0.0205"),
            "depth": depth_payload("0.02"),
            "myTrades": [fill_payload("SELL", "10", "0.02")],
            "tradeFee": (200, '{"data":{"makerCommission":0,"takerCommission":0.0005}}'),
            "selfSymbols": {"data": ["QRLUSDT"], "code": 200},
            "exchangeInfo": exchange_info_payload(),
            "openOrders": [ORDER],
            "order": ORDER,
            "time": {"serverTime": NOON_MS},
        }
    )
    mexc = desk.mexc
    assert mexc.account().value.balance("QRL").total == d("1002.5")
    assert mexc.ticker_24hr().value.last_price == d("0.0205")
    assert mexc.depth().value.mid_price == d("0.02")
    assert [fill.side for fill in mexc.my_trades(at(-1), NOON).value.fills] == [Side.SELL]
    assert mexc.trade_fee().value == (d(0), d("0.0005"))
    assert mexc.self_symbols().value == {"QRLUSDT"}
    assert mexc.exchange_info().value.size_increment == d("0.0001")
    assert [order.order_id for order in mexc.open_orders().value] == ["C02__1"]
    assert mexc.order("rb1").value.status is OrderStatus.NEW
    assert mexc.time() == NOON


def test_the_meter_counts_by_endpoint() -> None:
    desk = Desk({"account": account_payload(), "depth": depth_payload()})
    desk.mexc.account()
    desk.mexc.depth()
    desk.mexc.depth()
    assert desk.meter.counts == {"account_info": 1, "depth": 2}


def test_an_answer_about_another_symbol_is_refused() -> None:
    with pytest.raises(UnreadablePayload, match="BTCUSDT"):
        Desk({"ticker/price": {"symbol": "BTCUSDT", "price": "1"}}).mexc.ticker_price()


def test_an_order_that_is_not_found_is_an_unknown_order() -> None:
    desk = Desk({"order": (400, {"code": -2013, "msg": "Order does not exist."})})
    with pytest.raises(UnknownOrder):
        desk.mexc.order("rb1")


# Orders


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0.0000001", "0.0000001"),
        ("1E-7", "0.0000001"),
        ("1E+3", "1000"),
        ("25.50", "25.50"),
        ("1234567", "1234567"),
    ],
)
def test_amounts_go_out_as_plain_decimals_never_with_an_exponent(amount: str, text: str) -> None:
    desk = Desk({"order": {"orderId": "1"}})
    desk.mexc.new_order(intent(quantity=amount, price=amount))
    assert desk.asked["quantity"] == text
    assert desk.asked["price"] == text


@pytest.mark.parametrize(
    ("style", "price", "kind"),
    [
        (OrderStyle.IOC, "0.02", "IMMEDIATE_OR_CANCEL"),
        (OrderStyle.MAKER, "0.02", "LIMIT_MAKER"),
        (OrderStyle.MARKET, None, "MARKET"),
    ],
)
def test_the_style_of_an_order_is_the_type_the_exchange_knows(style: OrderStyle, price: Any, kind: str) -> None:
    desk = Desk({"order": {"orderId": "1"}})
    desk.mexc.new_order(intent(Side.SELL, style, price=price))
    assert desk.asked["type"] == kind
    assert desk.asked.get("price") == price


def test_a_market_purchase_goes_by_its_notional_and_a_market_sale_by_its_quantity() -> None:
    buy, sell = Desk({"order": {"orderId": "1"}}), Desk({"order": {"orderId": "1"}})
    buy.mexc.new_order(intent(Side.BUY, OrderStyle.MARKET, quantity="25", price=None, notional="0.5"))
    sell.mexc.new_order(intent(Side.SELL, OrderStyle.MARKET, quantity="25", price=None, notional="0.5"))
    assert (buy.asked.get("quantity"), buy.asked.get("quoteOrderQty")) == (None, "0.5")
    assert (sell.asked.get("quantity"), sell.asked.get("quoteOrderQty")) == ("25", None)


def test_a_new_order_answers_with_the_id_of_the_exchange() -> None:
    assert Desk({"order": {"orderId": "C02__42"}}).mexc.new_order(intent()) == "C02__42"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"orderId": None},
        {"success": False},
        {"orderId": ""},
        (503, ""),
        (200, "<html>"),
        requests.ReadTimeout(),
    ],
    ids=str,
)
def test_a_new_order_whose_answer_does_not_name_it_has_an_unknown_outcome(answer: Any) -> None:
    desk = Desk({"order": answer})
    with pytest.raises(OutcomeUnknown):
        desk.mexc.new_order(intent())
    assert desk.exchange.paths() == ["order"]


def test_an_order_that_is_refused_says_so() -> None:
    desk = Desk({"order": (400, {"code": 30005, "msg": "Oversold"})})
    with pytest.raises(InsufficientFunds):
        desk.mexc.new_order(intent(Side.SELL))


def test_a_run_that_may_not_trade_can_neither_place_nor_cancel_an_order() -> None:
    desk = Desk({"order": ORDER}, may_trade=False)
    with pytest.raises(ConfigurationError, match="EXECUTION_MODE=live"):
        desk.mexc.new_order(intent())
    with pytest.raises(ConfigurationError, match="EXECUTION_MODE=live"):
        desk.mexc.cancel_order("rb1")
    assert desk.exchange.calls == []


def test_a_run_that_may_not_trade_may_still_test_and_look_up_orders() -> None:
    desk = Desk({"order": ORDER, "order/test": {}}, may_trade=False)
    desk.mexc.test_order(intent())
    desk.mexc.order("rb1")
    assert [(call.method, call.path) for call in desk.exchange.calls] == [("POST", "order/test"), ("GET", "order")]


# Through the market-data cache


@pytest.fixture
def cache(store_client: "redis.Redis") -> MarketCache:
    return MarketCache(store_client, CacheKeys("qrl"), TTLS)


@pytest.fixture
def dead_cache() -> MarketCache:
    return MarketCache(embedded_redis(connected=False), CacheKeys("qrl"), TTLS)


def candles(last_closes_at: datetime, count: int = 3) -> list[list[Any]]:
    """Hours, the last of which is open until `last_closes_at`."""
    closes = [last_closes_at - timedelta(hours=hours) for hours in reversed(range(count))]
    return [
        [milliseconds(end - timedelta(hours=1)), "1", "1", "1", "1", "1", milliseconds(end), "1"] for end in closes
    ]


DEAL = {"id": None, "price": "1", "qty": "2", "time": NOON_MS, "isBuyerMaker": True}
CACHED: dict[str, tuple[Ask, str, Any, str, int]] = {
    "ticker": (lambda m: m.cached_ticker(), "ticker/24hr", ticker_payload(), "ticker:QRL/USDT", 5),
    "deals": (lambda m: m.cached_deals(20), "trades", [DEAL], "deals:QRL/USDT:20", 10),
    "order book": (lambda m: m.cached_order_book(20), "depth", depth_payload(), "orderbook:QRL/USDT:20", 5),
    "candles": (
        lambda m: m.cached_candles("60m", 3, NOON),
        "klines",
        candles(at(30)),
        *("ohlcv:QRL/USDT:60m:3", 1_800),
    ),
}
CACHED_NAMES = ("ask", "path", "answer", "key", "ttl")


@pytest.mark.parametrize(CACHED_NAMES, CACHED.values(), ids=CACHED)
def test_what_is_cached_is_asked_for_once_and_kept_under_its_readable_key(
    cache: MarketCache, store_client: "redis.Redis", ask: Ask, path: str, answer: Any, key: str, ttl: int
) -> None:
    desk = Desk({path: answer}, cache)
    first, second = ask(desk.mexc), ask(desk.mexc)
    assert first == second == answer
    assert desk.exchange.paths() == [path]
    assert store_client.keys() == [f"qrl:v1:{key}"]
    assert store_client.ttl(f"qrl:v1:{key}") == ttl


@pytest.mark.parametrize(CACHED_NAMES, CACHED.values(), ids=CACHED)
def test_without_a_cache_the_exchange_is_asked_every_time(
    ask: Ask, path: str, answer: Any, key: str, ttl: int
) -> None:
    desk = Desk({path: answer}, None)
    assert ask(desk.mexc) == ask(desk.mexc) == answer
    assert desk.exchange.paths() == [path, path]


@pytest.mark.parametrize(CACHED_NAMES, CACHED.values(), ids=CACHED)
def test_a_dead_cache_is_a_miss_and_the_exchange_is_asked(
    dead_cache: MarketCache, ask: Ask, path: str, answer: Any, key: str, ttl: int
) -> None:
    desk = Desk({path: answer}, dead_cache)
    assert ask(desk.mexc) == answer
    assert desk.exchange.paths() == [path]


@pytest.mark.parametrize(CACHED_NAMES, CACHED.values(), ids=CACHED)
def test_an_answer_that_cannot_be_read_is_not_cached(
    cache: MarketCache, store_client: "redis.Redis", ask: Ask, path: str, answer: Any, key: str, ttl: int
) -> None:
    with pytest.raises(UnreadablePayload):
        ask(Desk({path: {"surprise": 1}}, cache).mexc)
    assert store_client.keys() == []


def test_an_exchange_that_fails_is_not_hidden_by_the_cache(cache: MarketCache) -> None:
    with pytest.raises(ExchangeUnavailable):
        Desk({"ticker/24hr": (503, "")}, cache).mexc.cached_ticker()


@pytest.mark.parametrize("empty", [[], 0, "", False])
def test_a_cached_value_that_is_empty_is_a_hit(cache: MarketCache, empty: Any) -> None:
    cache.set("deals:QRL/USDT:20", empty)
    desk = Desk({}, cache)
    assert desk.mexc.cached_deals(20) == empty
    assert desk.exchange.calls == []


def test_limits_and_intervals_are_cached_apart(cache: MarketCache, store_client: "redis.Redis") -> None:
    desk = Desk({"klines": candles(at(30)), "depth": depth_payload()}, cache)
    desk.mexc.cached_candles("60m", 3, NOON)
    desk.mexc.cached_candles("60m", 5, NOON)
    desk.mexc.cached_candles("1d", 3, NOON)
    desk.mexc.cached_order_book(5)
    desk.mexc.cached_order_book(20)
    assert len(store_client.keys()) == len(desk.exchange.calls) == 5


def ttl_of_candles(store_client: "redis.Redis") -> int:
    """Seconds the cached candles still live; -2 when there are none."""
    ttl: Any = store_client.ttl("qrl:v1:ohlcv:QRL/USDT:60m:3")
    return int(ttl)


@pytest.mark.parametrize(
    ("closes_at", "ttl"),
    [
        (NOON + timedelta(hours=1), 3_600),
        (NOON + timedelta(seconds=90), 90),
        (NOON + timedelta(seconds=1, milliseconds=999), 1),
        (NOON + timedelta(days=3), 86_400),
    ],
)
def test_an_open_candle_is_cached_until_its_close_at_most(
    cache: MarketCache, store_client: "redis.Redis", closes_at: datetime, ttl: int
) -> None:
    Desk({"klines": candles(closes_at)}, cache).mexc.cached_candles("60m", 3, NOON)
    assert ttl_of_candles(store_client) == ttl


@pytest.mark.parametrize("closes_at", [NOON + timedelta(milliseconds=999), NOON, NOON - timedelta(hours=1)])
def test_a_candle_that_closes_now_is_not_cached_at_all(
    cache: MarketCache, store_client: "redis.Redis", closes_at: datetime
) -> None:
    answer = candles(closes_at)
    assert Desk({"klines": answer}, cache).mexc.cached_candles("60m", 3, NOON) == answer
    assert ttl_of_candles(store_client) == -2


def test_a_slow_answer_does_not_lengthen_the_life_of_an_open_candle(
    cache: MarketCache, store_client: "redis.Redis"
) -> None:
    """What counts is how long the candle is still open when it is stored, not when it was asked for."""
    clock = FakeClock()

    def slow(_: Call) -> Any:
        clock.move(20)
        return candles(NOON + timedelta(seconds=60))

    Desk({"klines": slow}, cache, clock=clock).mexc.cached_candles("60m", 3, NOON)
    assert ttl_of_candles(store_client) == 40


def test_candles_are_cached_for_no_longer_than_their_setting_says(store_client: "redis.Redis") -> None:
    cache = MarketCache(store_client, CacheKeys("qrl"), TTLS | {"ohlcv": 30})
    Desk({"klines": candles(at(60))}, cache).mexc.cached_candles("60m", 3, NOON)
    assert ttl_of_candles(store_client) == 30


def test_no_candles_are_an_answer_too(cache: MarketCache) -> None:
    desk = Desk({"klines": []}, cache)
    assert desk.mexc.cached_candles("60m", 3, NOON) == []
    assert desk.mexc.cached_candles("60m", 3, NOON) == []
    assert desk.exchange.paths() == ["klines"]


def test_numbers_come_out_of_the_cache_as_they_went_in(cache: MarketCache) -> None:
    desk = Desk({"depth": (200, '{"bids":[["0.0204",1.10]],"asks":[["0.0206",2]],"lastUpdateId":42}')}, cache)
    fresh, cached = desk.mexc.cached_order_book(), desk.mexc.cached_order_book()
    assert fresh == cached
    assert isinstance(cached["bids"][0][1], Decimal)
    assert cached["lastUpdateId"] == 42


def test_invalidating_one_pair_leaves_the_others(cache: MarketCache) -> None:
    desk = Desk({"ticker/24hr": ticker_payload(), "depth": depth_payload()}, cache)
    desk.mexc.cached_ticker()
    desk.mexc.cached_order_book()
    cache.set("ticker:BTC/USDT", 1)
    assert desk.mexc.invalidate_cache("QRL/USDT") == 2
    assert cache.get("ticker:BTC/USDT") == 1
    desk.mexc.cached_ticker()
    assert desk.exchange.paths() == ["ticker/24hr", "depth", "ticker/24hr"]


def test_invalidating_without_a_pair_forgets_all(cache: MarketCache) -> None:
    for key in ("ticker:QRL/USDT", "ticker:BTC/USDT", "anything"):
        cache.set(key, 1)
    assert Desk({}, cache).mexc.invalidate_cache() == 3
    assert cache.get("ticker:BTC/USDT") is None


@pytest.mark.parametrize("symbol", [None, "QRL/USDT"])
def test_there_is_nothing_to_invalidate_without_a_cache_or_with_a_dead_one(
    dead_cache: MarketCache, symbol: str | None
) -> None:
    assert Desk({}, None).mexc.invalidate_cache(symbol) == 0
    assert Desk({}, dead_cache).mexc.invalidate_cache(symbol) == 0
