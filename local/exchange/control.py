"""The control API of the simulation under /sim/: unsigned, never used by the bot.

Each route is a method of `Control`: the fields of its JSON body are keyword arguments, checked by their types.
Responses are JSON; an impossible request gets 400 {"error": text} and changes nothing.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, ValidationError, validate_call

from local.exchange.amounts import ZERO, Amount, Number, plain
from local.exchange.answers import Response, answered
from local.exchange.config import QUOTE_ASSET, Row, Side
from local.exchange.market import Market
from local.exchange.orders import Fill, whole_second
from local.exchange.public_api import instrument_row

if TYPE_CHECKING:
    from local.exchange.exchange import SimulatedExchange

_ROUTES: dict[tuple[str, str], Callable[..., Row]] = {}
_CHECKED = validate_call(config=ConfigDict(strict=True))
_AS_IT_IS: Any = object()
_NOTHING: Row = {}
Handler = TypeVar("Handler", bound=Callable[..., Row])


def _route(method: str, path: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        _ROUTES[method, f"/sim/{path}"] = _CHECKED(handler)
        return handler

    return register


class Control:
    """Reads and changes a running simulation; the caller holds the lock."""

    def __init__(self, exchange: "SimulatedExchange") -> None:
        self._exchange = exchange
        self._engine = exchange.engine
        self._clock = exchange.clock
        self._limiter = exchange.limiter
        self._faults = exchange.faults
        self._seeded = 0

    def handle(self, method: str, path: str, body: bytes) -> Response:
        route = _ROUTES.get((method, path))
        if route is None:
            return answered(404, {"error": f"no {method} {path}"})
        try:
            given = json.loads(body, parse_float=Decimal) if body else {}
            if not isinstance(given, dict):
                raise ValueError("a JSON object is wanted")
            return answered(200, route(self, **given))
        except ValidationError as error:
            wrong = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
            return answered(400, {"error": "; ".join(wrong)})
        except ValueError as error:
            return answered(400, {"error": str(error)})

    def set_clock(self, now_ms: int | None, *, frozen: bool) -> None:
        """Set the time (None: the machine's own) and let the market trade through the skipped time."""
        before = self._clock.now_ms()
        self._clock.set(now_ms, frozen=frozen)
        now_ms = self._clock.now_ms()
        if now_ms >= before:
            self._engine.advance(now_ms)
            return
        self._engine.rewind(now_ms)
        self._limiter.reset()

    @_route("GET", "state")
    def _state(self) -> Row:
        engine, now_ms = self._engine, self._clock.now_ms()
        engine.advance(now_ms)
        markets = engine.markets.items()
        return {
            "now_ms": now_ms,
            "frozen": self._clock.frozen,
            "symbol": engine.symbol,
            "prices": {symbol: plain(market.mid_price(now_ms)) for symbol, market in markets},
            "pinned": {symbol: market.pinned and plain(market.pinned) for symbol, market in markets},
            "balances": engine.account.amounts(),
            "can_trade": engine.account.can_trade,
            "orders": [order.row() for order in engine.orders.values()],
            "fills": [fill.row() for fill in engine.fills],
            "requests": self._exchange.requests,
            "statuses": self._exchange.statuses,
            "faults": self._faults.rows(),
            "fees": engine.fees.model_dump(),
            "rules": {symbol: instrument_row(market.rules) for symbol, market in markets},
        }

    @_route("POST", "clock")
    def _set_clock(
        self, *, now_ms: int | None = _AS_IT_IS, advance_ms: int | None = None, frozen: bool | None = None
    ) -> Row:
        if now_ms is _AS_IT_IS or advance_ms is not None:
            now_ms = self._clock.now_ms() + (advance_ms or 0)
        self.set_clock(now_ms, frozen=self._clock.frozen if frozen is None else frozen)
        return {"now_ms": self._clock.now_ms(), "frozen": self._clock.frozen}

    @_route("POST", "price")
    def _set_price(self, *, price: Annotated[Number, Field(gt=0)] | None, symbol: str | None = None) -> Row:
        market, now_ms = self._market(symbol), self._clock.now_ms()
        self._engine.advance(now_ms)
        market.pin(price, now_ms)
        self._engine.advance(now_ms)
        shown = format(market.mid_price(now_ms), "f")
        return {"symbol": market.symbol, "price": shown, "pinned": price is not None}

    @_route("POST", "account")
    def _set_account(
        self, *, balances: dict[str, Amount] = _NOTHING, replace: bool = False, can_trade: bool | None = None
    ) -> Row:
        account = self._engine.account
        zeros = dict.fromkeys(account.amounts(), ZERO) if replace else {}
        for asset, amount in (zeros | balances).items():
            account.set(asset, amount)
        if can_trade is not None:
            account.can_trade = can_trade
        return {"balances": account.rows(), "can_trade": account.can_trade}

    @_route("POST", "deposit")
    def _deposit(self, *, asset: Annotated[str, Field(min_length=1)], amount: Number) -> Row:
        account = self._engine.account
        account.credit(asset, amount)
        return {"asset": asset, **account.amounts()[asset]}

    @_route("POST", "fills")
    def _seed_fills(self, *, fills: list[Row]) -> Row:
        seeded = [self._fill(**fill) for fill in fills]
        known = {fill.trade_id for fill in self._engine.fills}
        if len({fill.trade_id for fill in seeded} - known) < len(seeded):
            raise ValueError("fills: a trade id is there twice")
        for fill in seeded:
            self._engine.seed_fill(fill)
        return {"ids": [fill.trade_id for fill in seeded]}

    @_CHECKED
    def _fill(
        self,
        *,
        side: Side,
        price: Number,
        qty: Number,
        time: int,
        symbol: str | None = None,
        id: str | None = None,
        orderId: str | None = None,
        clientOrderId: str | None = None,
        commission: Number = ZERO,
        commissionAsset: str = QUOTE_ASSET,
        isMaker: bool = False,
    ) -> Fill:
        self._seeded += 1
        number = 500_000_000_000_000_000 + self._seeded
        return Fill(
            symbol=self._market(symbol).symbol,
            trade_id=id or f"{number}X1",
            order_id=orderId or f"C02__{number}036",
            client_order_id=clientOrderId,
            price=price,
            quantity=qty,
            quote_quantity=price * qty,
            commission=commission,
            commission_asset=commissionAsset,
            time_ms=whole_second(time),
            is_buyer=side == "BUY",
            is_maker=isMaker,
        )

    @_route("POST", "rules")
    def _set_rules(
        self,
        *,
        symbol: str | None = None,
        fees: Row = _NOTHING,
        shown: Row | None = _NOTHING,
        filters: list[Row] | None = None,
        **rules: Any,
    ) -> Row:
        """Change rules (enforced and shown), the account's fees, and fields that are only shown (None: clear)."""
        market, engine = self._market(symbol), self._engine
        changed = market.rules.changed(rules | _band(filters))
        if changed.symbol != market.symbol:
            raise ValueError("baseAsset: cannot be changed")
        engine.fees = engine.fees.changed(fees)
        market.change(rules=changed)
        market.shown = {} if shown is None else market.shown | shown
        return {"rules": instrument_row(changed) | market.shown, "fees": engine.fees.model_dump()}

    @_route("POST", "options")
    def _set_options(
        self,
        *,
        options: Row = _NOTHING,
        book: Row = _NOTHING,
        rate_limit: Row = _NOTHING,
        key_symbols: list[str] | None = None,
        key_permissions: list[str] | None = None,
    ) -> Row:
        engine, limiter = self._engine, self._limiter
        shape = engine.markets[engine.symbol].shape.changed(book)
        limit = limiter.limit.changed(rate_limit)
        engine.options = engine.options.changed(options)
        if key_symbols is not None:
            engine.key_symbols = frozenset(key_symbols)
        if key_permissions is not None:
            engine.key_permissions = frozenset(key_permissions)
        for market in engine.markets.values():
            market.change(shape=shape)
        if limit != limiter.limit:
            limiter.limit = limit
            limiter.reset()
        return {
            "options": engine.options.model_dump(),
            "book": shape.model_dump(),
            "rate_limit": limit.model_dump(),
            "key_symbols": sorted(engine.key_symbols),
            "key_permissions": sorted(engine.key_permissions),
        }

    @_route("GET", "faults")
    def _show_faults(self) -> Row:
        return {"faults": self._faults.rows()}

    @_route("POST", "faults")
    def _add_faults(self, *, faults: list[Row] | None = None, **fault: Any) -> Row:
        return {"faults": [self._faults.add(each).row() for each in ([fault] if faults is None else faults)]}

    @_route("DELETE", "faults")
    def _clear_faults(self, *, id: int | None = None) -> Row:
        return {"cleared": self._faults.clear(id)}

    def _market(self, symbol: str | None) -> Market:
        market = self._engine.markets.get(symbol or self._engine.symbol)
        if market is None:
            raise ValueError(f"symbol: one of {', '.join(self._engine.markets)}")
        return market


def _band(filters: list[Row] | None) -> Row:
    """Read the only known filter from exchangeInfo's list; an empty list removes it."""
    match filters:
        case None:
            return {}
        case []:
            return {"bidMultiplierUp": None, "askMultiplierDown": None}
        case [{"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": up, "askMultiplierDown": down}]:
            return {"bidMultiplierUp": up, "askMultiplierDown": down}
    raise ValueError("filters: empty, or one PERCENT_PRICE_BY_SIDE with both multipliers")
