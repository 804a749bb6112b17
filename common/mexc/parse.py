"""From the exchange's payloads to domain values: its names stop here (exchange.md §1; unknown fields are ignored).

Every function takes the parsed JSON of one reply and raises UnreadablePayload, naming the endpoint, the field and
the fault, when it is not what the exchange documents. Nothing unreadable becomes a zero. An unreadable row that no
decision depends on (the balance of another asset, the tail of the order book, another symbol, an order of somebody
else) is left out and named in the log.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from common.clock import from_milliseconds
from common.decimal_json import spelt_out
from common.decimals import ONE, ZERO, plain
from common.domain.instrument import Instrument, Side, TradingRules
from common.domain.order_book import Level, OrderBook
from common.domain.orders.order import Order, OrderStatus, OrderStyle, is_ours
from common.domain.portfolio import Account, Balance
from common.errors import UnreadablePayload
from common.mexc.payloads import (
    MOST_MILLIS,
    Kline,
    Pair,
    WireAccount,
    WireAck,
    WireBalance,
    WireBookTicker,
    WireDeal,
    WireDepth,
    WireExchangeInfo,
    WireOrder,
    WirePrice,
    WireSymbol,
    WireSymbols,
    WireTicker,
    WireTime,
    WireTradeFee,
    asset_code,
)

T = TypeVar("T")
log = logging.getLogger(__name__)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Built when it is first needed: no run reads every kind of answer."""
    return TypeAdapter(kind)


def _read(endpoint: str, validate: Callable[[object], T], payload: object) -> T:
    try:
        return validate(payload)
    except ValidationError as error:
        raise UnreadablePayload(f"{endpoint}: {_fault(error)}") from None


def _fault(error: ValidationError, *row: str | int) -> str:
    """The first faulty field, and what is wrong with it; `row` is the path to its row, if it is in a list."""
    first = error.errors(include_input=False, include_url=False)[0]
    path = ".".join(map(str, (*row, *first["loc"][1:]) if row else first["loc"])) or "the whole"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{path}: {first['msg']}{more}"


def _rows(
    endpoint: str,
    where: tuple[str, ...],
    adapter: TypeAdapter[Any],
    rows: Sequence[Any],
    spared: Callable[[Any, int], str | None],
) -> list[Any]:
    """The rows as `adapter` (of a list) reads them; an unreadable one is left out if `spared` names it.

    Raises UnreadablePayload for a row that is needed.
    """
    try:
        read: list[Any] = adapter.validate_python(rows)
        return read
    except ValidationError:
        read = []
    for index, row in enumerate(rows):
        try:
            read += adapter.validate_python([row])
        except ValidationError as error:
            fault = _fault(error, *where, index)
            if (name := spared(row, index)) is None:
                raise UnreadablePayload(f"{endpoint}: {fault}") from None
            log.warning("%s: %s is left out: %s", endpoint, name, fault)
    return read


def _name_in(row: Any, field: str) -> str | None:
    """A row's own name, None where it has none."""
    name = row.get(field) if isinstance(row, dict) else None
    return name if isinstance(name, str) and name else None


def _same_symbol(endpoint: str, asked: str, answered: str) -> None:
    if asked != answered:
        raise UnreadablePayload(f"{endpoint}: asked for {asked}, answered for {answered:.20}")


class Ticker(NamedTuple):
    """The 24 h statistics; `change_fraction` is what MEXC calls percent. Fields it did not send are None."""

    last_price: Decimal
    volume: Decimal
    quote_volume: Decimal | None
    change: Decimal
    change_fraction: Decimal
    high_price: Decimal
    low_price: Decimal
    open_price: Decimal | None
    previous_close: Decimal | None
    bid_price: Decimal | None
    ask_price: Decimal | None


class Deal(NamedTuple):
    """A public trade."""

    price: Decimal
    quantity: Decimal
    at: datetime
    buyer_is_maker: bool


class Candle(NamedTuple):
    """`closes_at` is exactly `opens_at` + interval; the last row of a reply is still open."""

    opens_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    closes_at: datetime
    quote_volume: Decimal


def read_account(payload: object, instrument: Instrument) -> Account:
    """Raises when an asset is listed twice, in whatever spelling, or a traded asset in another spelling.

    Neither case says which balance is the true one.
    """
    wire = _read("account", WireAccount.model_validate, payload)
    traded = {instrument.base, instrument.quote}

    def another(row: Any, index: int) -> str | None:
        name = _name_in(row, "asset")
        # A row without a usable name may be that of a traded asset, unless both of those are listed.
        if name is None or name != spelt_out(name) or not asset_code(name):
            both_listed = traded <= {_name_in(each, "asset") for each in wire.balances}
            return f"balance {index}" if both_listed else None
        return None if asset_code(name) in traded else f"the balance of {name:.20}"

    balances = _rows("account", ("balances",), _adapter(list[WireBalance]), wire.balances, another)
    codes = [asset_code(balance.asset) for balance in balances]
    listed = Counter(codes)
    if twice := [asset for asset, rows in listed.items() if rows > 1]:
        raise UnreadablePayload(f"account: balances: {twice[0]:.20} is listed {listed[twice[0]]} times")
    for balance, code in zip(balances, codes, strict=True):
        if code in traded and balance.asset != code:
            raise UnreadablePayload(f"account: balances: {balance.asset:.20} is {code} in another spelling")
    return Account(
        {b.asset: Balance(b.free, b.locked) for b in balances},
        wire.canTrade,
        wire.canWithdraw,
        wire.canDeposit,
        wire.accountType,
        tuple(wire.permissions),
        wire.makerCommission,
        wire.takerCommission,
        wire.updateTime,
    )


def read_ticker(payload: object, symbol: str) -> Ticker:
    wire = _read("ticker/24hr", WireTicker.model_validate, payload)
    _same_symbol("ticker/24hr", symbol, wire.symbol)
    return Ticker(
        wire.lastPrice,
        wire.volume,
        wire.quoteVolume,
        wire.priceChange,
        wire.priceChangePercent,
        wire.highPrice,
        wire.lowPrice,
        wire.openPrice,
        wire.prevClosePrice,
        wire.bidPrice,
        wire.askPrice,
    )


def read_price(payload: object, symbol: str) -> Decimal:
    wire = _read("ticker/price", WirePrice.model_validate, payload)
    _same_symbol("ticker/price", symbol, wire.symbol)
    return wire.price


def read_book_ticker(payload: object, symbol: str) -> tuple[Decimal | None, Decimal | None]:
    """Best bid and ask, each None when the exchange sent null or "" for an illiquid pair."""
    wire = _read("ticker/bookTicker", WireBookTicker.model_validate, payload)
    _same_symbol("ticker/bookTicker", symbol, wire.symbol)
    return wire.bidPrice, wire.askPrice


def read_depth(payload: object) -> OrderBook:
    """The first level of each side must be readable; an unreadable one behind it only makes the book thinner."""
    wire = _read("depth", WireDepth.model_validate, payload)

    def levels(side: str, rows: Sequence[Any]) -> list[Level]:
        def behind(_: Any, index: int) -> str | None:
            return f"level {index} of the {side}" if index else None

        return [Level(*level) for level in _rows("depth", (side,), _adapter(list[Pair]), rows, behind)]

    return OrderBook.of(levels("bids", wire.bids), levels("asks", wire.asks))


def read_deals(payload: object) -> list[Deal]:
    deals = _read("trades", _adapter(list[WireDeal]).validate_python, payload)
    return [Deal(d.price, d.qty, from_milliseconds(d.time), d.isBuyerMaker) for d in deals]


def read_klines(payload: object) -> list[Candle]:
    """Oldest first. Raises for a candle that contradicts itself, or two that open at the same time."""
    rows = _read("klines", _adapter(list[Kline]).validate_python, payload)
    opened_at: set[int] = set()
    for index, (start, opened, high, low, close, _, end, _) in enumerate(rows):
        if high < low or ZERO in (opened, low, close):
            raise UnreadablePayload(f"klines: {index}: a high below the low, or a price of 0")
        if not start < end or start in opened_at:
            raise UnreadablePayload(f"klines: {index}: the times contradict each other")
        opened_at.add(start)
    return [
        Candle(from_milliseconds(start), opened, high, low, close, volume, from_milliseconds(end), quote_volume)
        for start, opened, high, low, close, volume, end, quote_volume in sorted(rows)
    ]


def read_rules(payload: object, instrument: Instrument) -> TradingRules:
    """The pair's rules from exchangeInfo (exchange.md §4.6). Raises when the symbol is not listed."""
    wire = _read("exchangeInfo", WireExchangeInfo.model_validate, payload)

    def another(row: Any, _: int) -> str | None:
        name = _name_in(row, "symbol")
        return None if name is None or name == instrument.symbol else f"the symbol {spelt_out(name):.20}"

    symbols = _rows("exchangeInfo", ("symbols",), _adapter(list[WireSymbol]), wire.symbols, another)
    symbol = next((s for s in symbols if s.symbol == instrument.symbol), None)
    if symbol is None:
        raise UnreadablePayload(f"exchangeInfo: {instrument.symbol} is not in the answer")
    if symbol.quoteAmountPrecision > symbol.maxQuoteAmount:
        raise UnreadablePayload("exchangeInfo: quoteAmountPrecision: the least order is larger than maxQuoteAmount")
    closed = []
    if symbol.status not in ("1", "ENABLED"):
        closed.append(f"the exchange says status {symbol.status}")
    if not symbol.isSpotTradingAllowed:
        closed.append("the exchange says isSpotTradingAllowed=false")
    if "SPOT" not in symbol.permissions:
        closed.append("the exchange does not list SPOT among the symbol's permissions")
    sides = {1: (Side.BUY, Side.SELL), 2: (Side.BUY,), 3: (Side.SELL,), 4: ()}[symbol.tradeSideType]
    market_least = symbol.quoteAmountPrecisionMarket
    least = ONE if instrument.in_dollars else ZERO  # dollar pairs refuse orders below 1, whatever they publish
    band = next((f for f in symbol.filters if f.filterType == "PERCENT_PRICE_BY_SIDE"), None)
    return TradingRules(
        size_increment=ONE.scaleb(-symbol.baseAssetPrecision),
        min_quantity=symbol.baseSizePrecision,
        price_increment=ONE.scaleb(-min(symbol.quotePrecision, symbol.quoteAssetPrecision)),
        min_notional=max(symbol.quoteAmountPrecision, least),
        max_notional=symbol.maxQuoteAmount,
        maker_fee=symbol.makerCommission,
        taker_fee=symbol.takerCommission,
        sides=sides,
        market_orders="MARKET" in symbol.orderTypes,
        closed=tuple(closed),
        price_band_up=_band(band.bidMultiplierUp) if band else None,
        price_band_down=_band(band.askMultiplierDown) if band else None,
        market_min_notional=None if market_least is None else max(market_least, least),
        market_max_notional=symbol.maxQuoteAmountMarket,
    )


def _band(multiplier: Decimal | None) -> Decimal | None:
    """A value below one is a band around the last price, any other a literal multiplier (exchange.md §4.6)."""
    if multiplier is None or multiplier < ONE:
        return multiplier
    return multiplier - ONE or None


def read_symbols(payload: object) -> frozenset[str]:
    """defaultSymbols or selfSymbols."""
    wire = _read("symbols", WireSymbols.model_validate, payload)
    return frozenset(wire.data)


def read_fees(payload: object) -> tuple[Decimal, Decimal]:
    """Maker and taker rate of this account, fractions."""
    wire = _read("tradeFee", WireTradeFee.model_validate, payload)
    for rate in (wire.data.makerCommission, wire.data.takerCommission):
        if rate >= ONE:
            raise UnreadablePayload("tradeFee: a rate of 100 % or more")
    return wire.data.makerCommission, wire.data.takerCommission


def read_order(payload: object, symbol: str) -> Order:
    """An order as queried or cancelled. A cancel's reply shows the state before it (exchange.md §4.5)."""
    return _order(_read("order", WireOrder.model_validate, payload), symbol)


def read_orders(payload: object, symbol: str) -> list[Order]:
    """Orders as listed. An unreadable one is left out if its client order id is not the bot's."""

    def somebody_elses(row: Any, _: int) -> str | None:
        name = _name_in(row, "clientOrderId")
        return None if name is None or is_ours(name) else f"the order {spelt_out(name):.40} of somebody else"

    rows = _read("openOrders", _adapter(list[Any]).validate_python, payload)
    wires = _rows("openOrders", (), _adapter(list[WireOrder]), rows, somebody_elses)
    return [_order(wire, symbol) for wire in wires]


def _order(wire: WireOrder, symbol: str) -> Order:
    _same_symbol("order", symbol, wire.symbol)
    quantity = wire.origQty if wire.origQty is not None else wire.Qty
    if quantity is None:
        raise UnreadablePayload("order: origQty is missing")
    if wire.executedQty > quantity and wire.type != OrderStyle.MARKET.order_type:
        raise UnreadablePayload(f"order: executedQty {plain(wire.executedQty)} is more than was ordered")
    known = wire.status in OrderStatus.__members__
    taken_at = wire.time if isinstance(wire.time, int) and 0 < wire.time <= MOST_MILLIS else None
    return Order(
        order_id=wire.orderId,
        client_order_id=wire.origClientOrderId or wire.clientOrderId,
        side=wire.side,
        limit_price=wire.price,
        quantity=quantity,
        filled_quantity=wire.executedQty,
        filled_notional=wire.cummulativeQuoteQty,
        status=OrderStatus(wire.status) if known else OrderStatus.UNKNOWN,
        created_at=None if taken_at is None else from_milliseconds(taken_at),
        style=next((style for style in OrderStyle if style.order_type == wire.type), None),
    )


def read_ack(payload: object) -> str:
    """The order id of a new order, the only useful part of that reply (exchange.md §4.3)."""
    wire = _read("order", WireAck.model_validate, payload)
    return wire.orderId


def read_time(payload: object) -> datetime:
    wire = _read("time", WireTime.model_validate, payload)
    return from_milliseconds(wire.serverTime)
