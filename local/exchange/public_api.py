"""The public endpoints: market data and rules. Weights are the larger of the two published columns."""

from __future__ import annotations

from collections.abc import Callable

from local.exchange import market_data, refusals
from local.exchange.amounts import plain
from local.exchange.config import MX_SYMBOL, QUOTE_ASSET, Rules
from local.exchange.endpoints import Call, Endpoint
from local.exchange.intervals import INTERVALS
from local.exchange.market import Market

Row = dict[str, object]

# Documented maximum 1000; in practice 500 rows come back.
_MAX_KLINES = 500


def ping(_: Call) -> Row:
    return {}


def server_time(call: Call) -> Row:
    return {"serverTime": call.now_ms}


def default_symbols(call: Call) -> Row:
    """The symbols open to the API."""
    hidden = call.effects.key_symbol_closed
    names = [
        symbol
        for symbol, market in call.venue.markets.items()
        if market.rules.api_open and not (hidden and symbol != MX_SYMBOL)
    ]
    return envelope(call, names)


def offline_symbols(call: Call) -> Row:
    """Symbols taken off; the sample has neither code nor msg."""
    rules = (call.rules(symbol) for symbol in call.venue.markets)
    return {"data": [{"symbol": r.symbol, "state": 3} for r in rules if r.status == "3"]}


def exchange_info(call: Call) -> Row:
    wanted = call.text("symbols") or call.text("symbol")
    names = list(call.venue.markets) if wanted is None else wanted.split(",")
    unknown = [name for name in names if name not in call.venue.markets]
    if unknown and call.venue.options.unknown_symbol_info == "error":
        raise refusals.invalid_symbol()
    return {
        "timezone": "CST",
        "serverTime": call.now_ms,
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [_instrument(call, name) for name in names if name not in unknown],
    }


def ticker_24hr(call: Call) -> object:
    if call.text("symbol") is None:
        return [history.ticker(call.now_ms, bare=True) for history in call.venue.histories.values()]
    return call.history().ticker(call.now_ms, bare=call.venue.options.bare_ticker)


def ticker_price(call: Call) -> object:
    return _one_or_all(call, lambda market: market_data.price_ticker(market, call.now_ms))


def ticker_book(call: Call) -> object:
    return _one_or_all(call, lambda market: market_data.book_ticker(market, call.now_ms))


def depth(call: Call) -> Row:
    return market_data.depth(call.market(), call.now_ms, call.limit(100, 5_000))


def trades(call: Call) -> list[Row]:
    return call.history().trades(call.now_ms, call.limit(500, 1_000))


def aggregate_trades(call: Call) -> list[Row]:
    start, end = call.time("startTime"), call.time("endTime")
    if (start is None) != (end is None):
        raise refusals.invalid_combination()
    return call.history().aggregate_trades(call.now_ms, start, end, call.limit(500, 1_000))


def average_price(call: Call) -> Row:
    return market_data.average_price(call.market(), call.now_ms)


def klines(call: Call) -> object:
    history, interval = call.history(), call.required("interval")
    if interval not in INTERVALS:
        raise refusals.invalid_interval()
    start, end, limit = call.time("startTime"), call.time("endTime"), call.limit(500, _MAX_KLINES)
    return history.klines(interval, call.now_ms, start, end, limit)


def envelope(call: Call, data: object) -> Row:
    """Wrap a list as selfSymbols and defaultSymbols do: live (code 0) or as documented (code 200)."""
    if call.venue.options.envelope_code == 200:
        return {"code": 200, "data": data, "msg": None}
    return {"data": data, "code": 0, "msg": "success", "timestamp": call.now_ms}


def _one_or_all(call: Call, make: Callable[[Market], Row]) -> object:
    if call.text("symbol") is None:
        return [make(market) for market in call.venue.markets.values()]
    return make(call.market())


def _instrument(call: Call, symbol: str) -> Row:
    """One entry of exchangeInfo, with what /sim/rules put over it for show."""
    return instrument_row(call.rules(symbol)) | call.venue.shown.get(symbol, {})


def instrument_row(rules: Rules) -> Row:
    """The rules of a symbol under the exchange's names."""
    filters: list[Row] = []
    if rules.bid_multiplier_up is not None and rules.ask_multiplier_down is not None:
        up, down = plain(rules.bid_multiplier_up), plain(rules.ask_multiplier_down)
        entry = {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": up, "askMultiplierDown": down}
        filters.append(dict(entry))
    return {
        "symbol": rules.symbol,
        "status": rules.status,
        "baseAsset": rules.base_asset,
        "baseAssetPrecision": rules.base_asset_precision,
        "quoteAsset": QUOTE_ASSET,
        "quotePrecision": rules.quote_precision,
        "quoteAssetPrecision": rules.quote_asset_precision,
        "baseCommissionPrecision": rules.base_asset_precision,
        "quoteCommissionPrecision": rules.quote_asset_precision,
        "orderTypes": list(rules.order_types),
        "isSpotTradingAllowed": rules.is_spot_trading_allowed,
        "isMarginTradingAllowed": False,
        "quoteAmountPrecision": plain(rules.quote_amount_precision),
        "baseSizePrecision": plain(rules.base_size_precision),
        "permissions": list(rules.permissions),
        "filters": filters,
        "maxQuoteAmount": plain(rules.max_quote_amount),
        "makerCommission": plain(rules.maker_commission),
        "takerCommission": plain(rules.taker_commission),
        "quoteAmountPrecisionMarket": plain(rules.quote_amount_precision_market),
        "maxQuoteAmountMarket": plain(rules.max_quote_amount_market),
        "fullName": rules.full_name or rules.base_asset,
        "tradeSideType": rules.trade_side_type,
        "contractAddress": "",
        "conceptPlateIds": [],
        "st": rules.st,
    }


def read_filters(filters: object) -> Row:
    """Read the one filter there is from exchangeInfo's list; an empty list takes it off."""
    off: Row = {"bidMultiplierUp": None, "askMultiplierDown": None}
    if filters == []:
        return off
    match filters:
        case [{"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": up, "askMultiplierDown": down}]:
            return {"bidMultiplierUp": up, "askMultiplierDown": down}
    raise ValueError("filters: empty, or one PERCENT_PRICE_BY_SIDE with both multipliers")


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "/api/v3/ping"): Endpoint(ping, 1),
    ("GET", "/api/v3/time"): Endpoint(server_time, 1),
    ("GET", "/api/v3/defaultSymbols"): Endpoint(default_symbols, 1),
    ("GET", "/api/v3/symbol/offline"): Endpoint(offline_symbols, 10),
    ("GET", "/api/v3/exchangeInfo"): Endpoint(exchange_info, 25),
    ("GET", "/api/v3/depth"): Endpoint(depth, 3),
    ("GET", "/api/v3/trades"): Endpoint(trades, 5),
    ("GET", "/api/v3/aggTrades"): Endpoint(aggregate_trades, 1),
    ("GET", "/api/v3/klines"): Endpoint(klines, 1),
    ("GET", "/api/v3/avgPrice"): Endpoint(average_price, 1),
    ("GET", "/api/v3/ticker/24hr"): Endpoint(ticker_24hr, 25, weight_of_all=40),
    ("GET", "/api/v3/ticker/price"): Endpoint(ticker_price, 10),
    ("GET", "/api/v3/ticker/bookTicker"): Endpoint(ticker_book, 10),
}
