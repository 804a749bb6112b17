"""The exchange, one method for each endpoint the bot needs (exchange.md §1); one `Mexc` for a run.

Reads return the exchange's reply together with its domain value, so that decisions and the raw copy in Redis come
from the same reply.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

from common.clock import Deadline, milliseconds
from common.config import LOOPBACK_HOSTS
from common.decimals import plain
from common.domain.instrument import Instrument, Side, TradingRules
from common.domain.order_book import OrderBook
from common.domain.orders.order import Order, OrderIntent
from common.domain.portfolio import Account
from common.errors import ClockRefused, ConfigurationError, OutcomeUnknown, UnknownOrder, UnreadablePayload
from common.meter import Meter, Reply
from common.mexc import parse
from common.mexc.http import MexcHttp, Params
from common.mexc.market_data import Cache, cached
from common.mexc.order_history import OrderPage, read_order_history

if TYPE_CHECKING:
    from common.mexc.fills import FillPage

T = TypeVar("T")
LOCAL_ADDRESS = "loopback"
FILLS_PAGE = 100
"""Most fills in one reply of myTrades."""


class Answer(NamedTuple, Generic[T]):
    value: T
    reply: Reply


class Mexc:
    """Bound to one run: its deadline, and the meter that counts its calls."""

    def __init__(
        self,
        http: MexcHttp,
        instrument: Instrument,
        deadline: Deadline,
        meter: Meter,
        cache: Cache | None = None,
        *,
        may_trade: bool = False,
    ) -> None:
        self._http = http
        self._instrument = instrument
        self._deadline = deadline
        self._meter = meter
        self._cache = cache
        self._may_trade = may_trade

    @property
    def instrument(self) -> Instrument:
        return self._instrument

    @property
    def address(self) -> str:
        """Where fills and orders come from: the exchange's host, or one name for all exchanges on this machine."""
        parts = urlsplit(self._http.base_url)
        return LOCAL_ADDRESS if parts.hostname in LOOPBACK_HOSTS else f"{parts.scheme}://{parts.netloc}"

    def now(self) -> datetime:
        """The exchange's time, as far as it is known."""
        return self._http.clock.now()

    # Public

    def time(self) -> datetime:
        return parse.read_time(self._get("time", "time").payload)

    def exchange_info(self) -> Answer[TradingRules]:
        """Always for one symbol: the unfiltered reply is several MB."""
        reply = self._get("exchange_info", "exchangeInfo", self._symbol())
        return Answer(parse.read_rules(reply.payload, self._instrument), reply)

    def default_symbols(self) -> Answer[frozenset[str]]:
        reply = self._get("default_symbols", "defaultSymbols")
        return Answer(parse.read_symbols(reply.payload), reply)

    def ticker_24hr(self) -> Answer[parse.Ticker]:
        reply = self._get("ticker_24hr", "ticker/24hr", self._symbol())
        return Answer(parse.read_ticker(reply.payload, self._instrument.symbol), reply)

    def ticker_price(self) -> Answer[Decimal]:
        reply = self._get("ticker_price", "ticker/price", self._symbol())
        return Answer(parse.read_price(reply.payload, self._instrument.symbol), reply)

    def book_ticker(self) -> Answer[tuple[Decimal | None, Decimal | None]]:
        reply = self._get("book_ticker", "ticker/bookTicker", self._symbol())
        return Answer(parse.read_book_ticker(reply.payload, self._instrument.symbol), reply)

    def depth(self, limit: int = 20) -> Answer[OrderBook]:
        reply = self._get("depth", "depth", [*self._symbol(), ("limit", limit)])
        return Answer(parse.read_depth(reply.payload), reply)

    def trades(self, limit: int = 20) -> Answer[list[parse.Deal]]:
        reply = self._get("trades", "trades", [*self._symbol(), ("limit", limit)])
        return Answer(parse.read_deals(reply.payload), reply)

    def klines(
        self, interval: str, limit: int = 120, *, symbol: str | None = None, end: datetime | None = None
    ) -> Answer[list[parse.Candle]]:
        """The newest `limit` candles, or those up to `end`. Hours are `60m`: the exchange refuses `1h`.

        A start without an end is ignored by the exchange, so with `end` both are sent.
        """
        params: list[tuple[str, str | int]] = [("symbol", symbol or self._instrument.symbol)]
        params += [("interval", interval), ("limit", limit)]
        if end is not None:
            stop = milliseconds(end)
            params += [("startTime", stop - limit * _milliseconds_of(interval)), ("endTime", stop)]
        reply = self._get("klines", "klines", params)
        return Answer(parse.read_klines(reply.payload), reply)

    # Signed

    def account(self) -> Answer[Account]:
        reply = self._get("account_info", "account", signed=True)
        return Answer(parse.read_account(reply.payload, self._instrument), reply)

    def trade_fee(self) -> Answer[tuple[Decimal, Decimal]]:
        """Maker and taker rate of this account on this symbol: the fee to believe."""
        reply = self._get("trade_fee", "tradeFee", self._symbol(), signed=True)
        return Answer(parse.read_fees(reply.payload), reply)

    def self_symbols(self) -> Answer[frozenset[str]]:
        """The symbols this key may trade."""
        reply = self._get("self_symbols", "selfSymbols", signed=True)
        return Answer(parse.read_symbols(reply.payload), reply)

    def my_trades(
        self, start: datetime, end: datetime, order_id: str | None = None, limit: int = FILLS_PAGE
    ) -> "Answer[FillPage]":
        """One page of fills; the window is at most seven days, and a full page may hide more."""
        from common.mexc.fills import read_fills  # imported here: `price` and `balance` read no fills

        params = [*self._symbol(), ("startTime", milliseconds(start)), ("endTime", milliseconds(end))]
        params += [("limit", limit), *([("orderId", order_id)] if order_id else [])]
        reply = self._get("my_trades", "myTrades", params, signed=True)
        return Answer(read_fills(reply.payload, self._instrument.symbol, reply.received_at), reply)

    def order(self, client_order_id: str) -> Answer[Order]:
        """Raises UnknownOrder; for some seconds after a create that may only mean: not visible yet."""
        params = [*self._symbol(), ("origClientOrderId", client_order_id)]
        reply = self._get("order", "order", params, signed=True)
        return Answer(parse.read_order(reply.payload, self._instrument.symbol), reply)

    def order_by_id(self, order_id: str) -> Answer[Order]:
        """The order by the exchange's own id; it includes the client order id."""
        reply = self._get("order", "order", [*self._symbol(), ("orderId", order_id)], signed=True)
        return Answer(parse.read_order(reply.payload, self._instrument.symbol), reply)

    def open_orders(self) -> Answer[list[Order]]:
        reply = self._get("open_orders", "openOrders", self._symbol(), signed=True)
        return Answer(parse.read_orders(reply.payload, self._instrument.symbol), reply)

    def orders_between(self, start: datetime, end: datetime) -> Answer[OrderPage]:
        """The newest thousand orders in any state; the window is at most seven days."""
        params = [*self._symbol(), ("startTime", milliseconds(start)), ("endTime", milliseconds(end))]
        reply = self._get("all_orders", "allOrders", [*params, ("limit", 1000)], signed=True)
        return Answer(read_order_history(reply.payload, self._instrument.symbol), reply)

    def new_order(self, intent: OrderIntent) -> str:
        """Place an order and return the exchange's id. Ask `order` for its outcome.

        Raises OutcomeUnknown when it may have been accepted. It is never sent again, with one exception: our clock
        was refused, has been corrected, and the exchange, asked first, knows no such order.
        """
        self._require_live()
        try:
            reply = self._write("POST", "order", self._order_params(intent), again=False)
        except ClockRefused:
            try:
                return self.order(intent.client_order_id).value.order_id
            except UnknownOrder:
                reply = self._write("POST", "order", self._order_params(intent))
        try:
            return parse.read_ack(reply.payload)
        except UnreadablePayload as error:
            raise OutcomeUnknown(f"{error}; the order may have been accepted") from None

    def test_order(self, intent: OrderIntent) -> None:
        """The exchange's own check of an order; nothing reaches the matching engine."""
        self._write("POST", "order/test", self._order_params(intent))

    def cancel_order(self, client_order_id: str, order_id: str | None = None) -> None:
        """Cancel, by the exchange's own id where it is known.

        Ask `order` for the outcome: the reply to a cancel shows the state before it (exchange.md §4.5).
        """
        self._require_live()
        name = ("orderId", order_id) if order_id else ("origClientOrderId", client_order_id)
        self._write("DELETE", "order", [*self._symbol(), name])

    # Through the market-data cache

    def cached_ticker(self) -> Any:
        """The 24 h ticker, at most `REDIS_CACHE_TTL_TICKER` old."""
        if self._cache is None:
            return self.ticker_24hr().reply.payload
        return cached(self._cache, "ticker", self._cache.keys.ticker(self._instrument.pair), self.ticker_24hr)

    def cached_deals(self, limit: int = 20) -> Any:
        if self._cache is None:
            return self.trades(limit).reply.payload
        key = self._cache.keys.deals(self._instrument.pair, limit)
        return cached(self._cache, "deals", key, lambda: self.trades(limit))

    def cached_order_book(self, limit: int = 20) -> Any:
        if self._cache is None:
            return self.depth(limit).reply.payload
        key = self._cache.keys.orderbook(self._instrument.pair, limit)
        return cached(self._cache, "orderbook", key, lambda: self.depth(limit))

    def cached_candles(
        self, interval: str, limit: int, now: datetime, keep: Callable[[Reply], None] | None = None
    ) -> Any:
        """Candles; the entry expires when the open candle closes. `keep` is called with each new reply."""

        def fetched() -> Answer[list[parse.Candle]]:
            answer = self.klines(interval, limit)
            if keep is not None:
                keep(answer.reply)
            return answer

        if self._cache is None:
            return fetched().reply.payload
        key = self._cache.keys.ohlcv(self._instrument.pair, interval, limit)
        return cached(self._cache, "ohlcv", key, fetched, now)

    def invalidate_cache(self, symbol: str | None = None) -> int:
        """Remove the entries of one pair (`QRL/USDT`), or all; return how many were removed."""
        if self._cache is None:
            return 0
        return self._cache.clear_symbol(symbol) if symbol else self._cache.clear_all()

    # Plumbing

    def _symbol(self) -> list[tuple[str, str | int]]:
        return [("symbol", self._instrument.symbol)]

    def _require_live(self) -> None:
        """The one gate before the order endpoint: only live mode passes, whoever calls."""
        if not self._may_trade:
            raise ConfigurationError("orders are placed and cancelled with EXECUTION_MODE=live only")

    def _order_params(self, intent: OrderIntent) -> list[tuple[str, str | int]]:
        """A market BUY is sent by notional, the safe form of it (exchange.md §4.1)."""
        size: tuple[str, str | int] = ("quantity", plain(intent.quantity))
        price: list[tuple[str, str | int]] = []
        if intent.limit_price is not None:
            price = [("price", plain(intent.limit_price))]
        elif intent.side is Side.BUY:
            size = ("quoteOrderQty", plain(intent.notional))
        return [
            *self._symbol(),
            ("side", intent.side.value),
            ("type", intent.style.order_type),
            size,
            *price,
            ("newClientOrderId", intent.client_order_id),
        ]

    def _get(self, endpoint: str, path: str, params: Params = (), *, signed: bool = False) -> Reply:
        return self._http.read(endpoint, f"/api/v3/{path}", params, self._deadline, self._meter, signed=signed)

    def _write(self, method: str, path: str, params: Params, *, again: bool = True) -> Reply:
        return self._http.write(method, path, f"/api/v3/{path}", params, self._deadline, self._meter, again=again)


def _milliseconds_of(interval: str) -> int:
    unit = {"m": 60, "h": 3600, "d": 86_400, "W": 604_800, "M": 31 * 86_400}[interval[-1]]
    return int(interval[:-1]) * unit * 1000
