"""The control API under /sim/: the simulation's own door, not signed, never used by the bot.

  GET    /sim/state
  POST   /sim/clock    {"now_ms": int|null, "frozen": bool} or {"advance_ms": int}
  POST   /sim/price    {"price": "0.02"|null, "symbol"?}
  POST   /sim/account  {"balances": {asset: free}, "replace"?: bool, "can_trade"?: bool}
  POST   /sim/deposit  {"asset", "amount"}                       negative: a withdrawal
  POST   /sim/fills    {"fills": [{"side", "price", "qty", "time", …}]}   history only, no balance moves
  POST   /sim/rules    {"symbol"?, exchangeInfo fields…, "fees"?: {…}, "shown"?: {…}}
  POST   /sim/options  {"options"?, "book"?, "rate_limit"?, "key_symbols"?, "key_permissions"?}
  GET    /sim/faults   POST /sim/faults {fault} or {"faults": [fault…]}   DELETE /sim/faults {"id"}?

Answers are JSON; what cannot be done answers 400 {"error": text} and changes nothing.
"""

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from local.exchange.access import RateLimiter
from local.exchange.amounts import Amount, Number, plain
from local.exchange.answers import Draft, Response
from local.exchange.clock import SimulatedClock
from local.exchange.config import QUOTE_ASSET, Names, Row, Side
from local.exchange.endpoints import Venue
from local.exchange.faults import FaultBook
from local.exchange.market import Market
from local.exchange.orders import Fill, whole_second
from local.exchange.public_api import instrument_row


class _Spec(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class Nothing(_Spec):
    pass


class ClockSpec(_Spec):
    now_ms: int | None = None
    advance_ms: int | None = None
    frozen: bool | None = None


class PriceSpec(_Spec):
    price: Annotated[Number, Field(gt=0)] | None
    symbol: str | None = None


class AccountSpec(_Spec):
    balances: dict[str, Amount] = {}
    replace: bool = False
    can_trade: bool | None = None


class DepositSpec(_Spec):
    asset: Annotated[str, Field(min_length=1)]
    amount: Number


class FillSpec(_Spec):
    symbol: str | None = None
    side: Side
    price: Number
    qty: Number
    time: int
    id: str | None = None
    orderId: str | None = None
    clientOrderId: str | None = None
    commission: Number = Decimal(0)
    commissionAsset: str = QUOTE_ASSET
    isMaker: bool = False


class FillsSpec(_Spec):
    fills: list[FillSpec]


class RulesSpec(_Spec):
    """Every other name is a field of the rules."""

    model_config = ConfigDict(extra="allow")

    symbol: str | None = None
    fees: Row = {}
    shown: Row | None = {}
    filters: list[Row] | None = None


class OptionsSpec(_Spec):
    options: Row = {}
    book: Row = {}
    rate_limit: Row = {}
    key_symbols: Names | None = None
    key_permissions: Names | None = None


class FaultsSpec(_Spec):
    """A fault itself, or several."""

    model_config = ConfigDict(extra="allow")

    faults: list[Row] | None = None


class ClearSpec(_Spec):
    id: int | None = None


class Control:
    """Reads and changes a running simulation; the caller holds the lock."""

    def __init__(
        self,
        venue: Venue,
        clock: SimulatedClock,
        faults: FaultBook,
        limiter: RateLimiter,
        requests: Counter[str],
        statuses: Counter[str],
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._faults = faults
        self._limiter = limiter
        self._counts = {"requests": requests, "statuses": statuses}
        self._seeded = 0
        self._routes: dict[tuple[str, str], tuple[type[_Spec], Callable[[Any], Row]]] = {
            ("GET", "/sim/state"): (Nothing, self._state),
            ("POST", "/sim/clock"): (ClockSpec, self._set_clock),
            ("POST", "/sim/price"): (PriceSpec, self._set_price),
            ("POST", "/sim/account"): (AccountSpec, self._set_account),
            ("POST", "/sim/deposit"): (DepositSpec, self._deposit),
            ("POST", "/sim/fills"): (FillsSpec, self._seed_fills),
            ("POST", "/sim/rules"): (RulesSpec, self._set_rules),
            ("POST", "/sim/options"): (OptionsSpec, self._set_options),
            ("GET", "/sim/faults"): (Nothing, lambda _: {"faults": faults.rows()}),
            ("POST", "/sim/faults"): (FaultsSpec, self._add_faults),
            ("DELETE", "/sim/faults"): (ClearSpec, lambda spec: {"cleared": faults.clear(spec.id)}),
        }

    def handle(self, method: str, path: str, body: bytes) -> Response:
        if (method, path) not in self._routes:
            return Draft(404, {"error": f"no {method} {path}"}).written()
        spec, route = self._routes[method, path]
        try:
            given = spec.model_validate(json.loads(body, parse_float=Decimal) if body else {})
            return Draft(200, route(given)).written()
        except ValidationError as error:
            wrong = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
            return Draft(400, {"error": "; ".join(wrong)}).written()
        except ValueError as error:
            return Draft(400, {"error": str(error)}).written()

    def set_clock(self, now_ms: int | None, *, frozen: bool) -> None:
        """Set the time (None: the machine's own) and let the market live through what is skipped."""
        before = self._clock.now_ms()
        if now_ms is None:
            self._clock.reset()
        else:
            self._clock.set(now_ms, frozen=frozen)
        now_ms = self._clock.now_ms()
        if now_ms >= before:
            self._venue.engine.advance(now_ms)
            return
        self._venue.engine.rewind(now_ms)
        self._limiter.reset()
        for market in self._venue.markets.values():
            market.rewind(now_ms)

    def _state(self, _: Nothing) -> Row:
        venue, engine, now_ms = self._venue, self._venue.engine, self._clock.now_ms()
        engine.advance(now_ms)
        markets = venue.markets.items()
        return {
            "now_ms": now_ms,
            "frozen": self._clock.frozen,
            "symbol": venue.config.symbol,
            "prices": {symbol: plain(market.mid_price(now_ms)) for symbol, market in markets},
            "pinned": {symbol: market.pinned and plain(market.pinned) for symbol, market in markets},
            "balances": engine.account.amounts(),
            "can_trade": engine.account.can_trade,
            "orders": [order.row() for order in engine.orders.values()],
            "fills": [fill.row() for fill in engine.fills],
            **self._counts,
            "faults": self._faults.rows(),
            "fees": engine.fees.written(),
            "rules": {symbol: instrument_row(market.rules) for symbol, market in markets},
        }

    def _set_clock(self, spec: ClockSpec) -> Row:
        now_ms = spec.now_ms
        if spec.advance_ms is not None:
            now_ms = self._clock.now_ms() + spec.advance_ms
        elif "now_ms" not in spec.model_fields_set:
            now_ms = self._clock.now_ms()
        self.set_clock(now_ms, frozen=self._clock.frozen if spec.frozen is None else spec.frozen)
        return {"now_ms": self._clock.now_ms(), "frozen": self._clock.frozen}

    def _set_price(self, spec: PriceSpec) -> Row:
        market, now_ms = self._market(spec.symbol), self._clock.now_ms()
        self._venue.engine.advance(now_ms)
        market.pin(spec.price, now_ms)
        self._venue.engine.advance(now_ms)
        shown = format(market.mid_price(now_ms), "f")
        return {"symbol": market.symbol, "price": shown, "pinned": spec.price is not None}

    def _set_account(self, spec: AccountSpec) -> Row:
        account = self._venue.engine.account
        zeros = dict.fromkeys(account.amounts(), Decimal(0)) if spec.replace else {}
        for asset, amount in (zeros | spec.balances).items():
            account.set(asset, amount)
        if spec.can_trade is not None:
            account.can_trade = spec.can_trade
        return {"balances": account.rows(), "can_trade": account.can_trade}

    def _deposit(self, spec: DepositSpec) -> Row:
        account = self._venue.engine.account
        account.credit(spec.asset, spec.amount)
        return {"asset": spec.asset, **account.amounts()[spec.asset]}

    def _seed_fills(self, spec: FillsSpec) -> Row:
        fills = [self._fill(entry) for entry in spec.fills]
        known = {fill.trade_id for fill in self._venue.engine.fills}
        if len({fill.trade_id for fill in fills} - known) < len(fills):
            raise ValueError("fills: a trade id is there twice")
        for fill in fills:
            self._venue.engine.seed_fill(fill)
        return {"ids": [fill.trade_id for fill in fills]}

    def _fill(self, spec: FillSpec) -> Fill:
        self._seeded += 1
        number = 500_000_000_000_000_000 + self._seeded
        return Fill(
            symbol=self._market(spec.symbol).symbol,
            trade_id=spec.id or f"{number}X1",
            order_id=spec.orderId or f"C02__{number}036",
            client_order_id=spec.clientOrderId,
            price=spec.price,
            quantity=spec.qty,
            quote_quantity=spec.price * spec.qty,
            commission=spec.commission,
            commission_asset=spec.commissionAsset,
            time_ms=whole_second(spec.time),
            is_buyer=spec.side == "BUY",
            is_maker=spec.isMaker,
        )

    def _set_rules(self, spec: RulesSpec) -> Row:
        """Change rules (enforced and shown), the account's fees, and what exchangeInfo only shows."""
        market, engine, venue = self._market(spec.symbol), self._venue.engine, self._venue
        rules = market.rules.changed((spec.model_extra or {}) | _band(spec.filters))
        if rules.symbol != market.symbol:
            raise ValueError("baseAsset: cannot be changed")
        fees = engine.fees.changed(spec.fees)
        market.rules, engine.fees = rules, fees
        shown = {} if spec.shown is None else venue.shown.get(market.symbol, {}) | spec.shown
        venue.shown[market.symbol] = shown
        return {"rules": instrument_row(rules) | shown, "fees": fees.written()}

    def _set_options(self, spec: OptionsSpec) -> Row:
        venue, engine = self._venue, self._venue.engine
        options = engine.options.changed(spec.options)
        book = venue.markets[venue.config.symbol].shape.changed(spec.book)
        limit = self._limiter.limit.changed(spec.rate_limit)
        engine.options = options
        if spec.key_symbols is not None:
            engine.key_symbols = frozenset(spec.key_symbols)
        if spec.key_permissions is not None:
            venue.key_permissions = frozenset(spec.key_permissions)
        for market in venue.markets.values():
            market.shape = book
        if limit != self._limiter.limit:
            self._limiter.limit = limit
            self._limiter.reset()
        return {
            "options": options.written(),
            "book": book.written(),
            "rate_limit": limit.written(),
            "key_symbols": sorted(engine.key_symbols),
            "key_permissions": sorted(venue.key_permissions),
        }

    def _add_faults(self, spec: FaultsSpec) -> Row:
        given = [spec.model_extra or {}] if spec.faults is None else spec.faults
        return {"faults": [self._faults.add(fault).row() for fault in given]}

    def _market(self, symbol: str | None) -> Market:
        market = self._venue.markets.get(symbol or self._venue.config.symbol)
        if market is None:
            raise ValueError(f"symbol: one of {', '.join(self._venue.markets)}")
        return market


def _band(filters: list[Row] | None) -> Row:
    """Read the one filter there is from exchangeInfo's list; an empty list takes it off."""
    match filters:
        case None:
            return {}
        case []:
            return {"bidMultiplierUp": None, "askMultiplierDown": None}
        case [{"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": up, "askMultiplierDown": down}]:
            return {"bidMultiplierUp": up, "askMultiplierDown": down}
    raise ValueError("filters: empty, or one PERCENT_PRICE_BY_SIDE with both multipliers")
