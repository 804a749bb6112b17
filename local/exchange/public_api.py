"""The public endpoints: market data and rules."""

from collections.abc import Callable

from local.exchange.config import MX_SYMBOL, QUOTE_ASSET, Row, Rules
from local.exchange.endpoints import Call, endpoint
from local.exchange.market_data import INTERVALS_MS, MarketData
from local.exchange.refusals import No, Refusal

# Documented maximum 1000; in practice 500 rows come back.
_MAX_KLINES = 500
_NOT_SHOWN = {"true_quantity_scale", "market_orders_open", "api_open"}


@endpoint("GET", "ping", 1)
def ping(_: Call) -> object:
    return {}


@endpoint("GET", "time", 1)
def server_time(call: Call) -> object:
    return {"serverTime": call.now_ms}


@endpoint("GET", "defaultSymbols", 1)
def default_symbols(call: Call) -> object:
    """The symbols open to the API."""
    hidden = call.effects.key_symbol_closed
    names = [name for name, market in call.engine.markets.items() if market.rules.api_open]
    return call.enveloped_list([name for name in names if name == MX_SYMBOL or not hidden])


@endpoint("GET", "symbol/offline", 10)
def offline_symbols(call: Call) -> object:
    """Delisted symbols; the sample has neither code nor msg."""
    rules = (call.rules(symbol) for symbol in call.engine.markets)
    return {"data": [{"symbol": r.symbol, "state": 3} for r in rules if r.status == "3"]}


@endpoint("GET", "exchangeInfo", 25)
def exchange_info(call: Call) -> object:
    wanted = call.text("symbols") or call.text("symbol")
    names = list(call.engine.markets) if wanted is None else wanted.split(",")
    known = [name for name in names if name in call.engine.markets]
    if known != names and call.engine.options.unknown_symbol_info == "error":
        raise Refusal(No.INVALID_SYMBOL)
    return {
        "timezone": "CST",
        "serverTime": call.now_ms,
        "rateLimits": [],
        "exchangeFilters": [],
        # Overlaid with the fields that /sim/rules only shows.
        "symbols": [instrument_row(call.rules(name)) | call.engine.markets[name].shown for name in known],
    }


@endpoint("GET", "ticker/24hr", 25, weight_of_all=40)
def ticker_24hr(call: Call) -> object:
    if call.text("symbol") is None:
        return [data.ticker(call.now_ms, bare=True) for data in call.engine.data.values()]
    return call.data().ticker(call.now_ms, bare=call.engine.options.bare_ticker)


@endpoint("GET", "ticker/price", 10)
def ticker_price(call: Call) -> object:
    return _one_or_all(call, MarketData.price)


@endpoint("GET", "ticker/bookTicker", 10)
def ticker_book(call: Call) -> object:
    return _one_or_all(call, MarketData.best)


@endpoint("GET", "depth", 3)
def depth(call: Call) -> object:
    return call.data().depth(call.now_ms, call.limit(100, 5_000))


@endpoint("GET", "trades", 5)
def trades(call: Call) -> object:
    return call.data().trades(call.now_ms, call.limit(500, 1_000))


@endpoint("GET", "klines", 1)
def klines(call: Call) -> object:
    data, interval = call.data(), call.required("interval")
    if interval not in INTERVALS_MS:
        raise Refusal(No.INVALID_INTERVAL)
    start, end, limit = call.time("startTime"), call.time("endTime"), call.limit(500, _MAX_KLINES)
    return data.klines(interval, call.now_ms, start, end, limit)


def _one_or_all(call: Call, make: Callable[[MarketData, int], Row]) -> object:
    if call.text("symbol") is None:
        return [make(data, call.now_ms) for data in call.engine.data.values()]
    return make(call.data(), call.now_ms)


def instrument_row(rules: Rules) -> Row:
    """The rules of a symbol under the exchange's names."""
    shown = rules.model_dump(by_alias=True, exclude=_NOT_SHOWN)
    band = {name: shown.pop(name) for name in ("bidMultiplierUp", "askMultiplierDown")}
    return {
        "symbol": rules.symbol,
        **shown,
        "fullName": rules.full_name or rules.base_asset,
        "quoteAsset": QUOTE_ASSET,
        "baseCommissionPrecision": rules.base_asset_precision,
        "quoteCommissionPrecision": rules.quote_asset_precision,
        "isMarginTradingAllowed": False,
        "filters": [] if None in band.values() else [{"filterType": "PERCENT_PRICE_BY_SIDE", **band}],
        "contractAddress": "",
        "conceptPlateIds": [],
    }
