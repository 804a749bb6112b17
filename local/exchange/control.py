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

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from local.exchange.amounts import from_control, plain
from local.exchange.answers import Draft, Response
from local.exchange.changes import changed, integer, only, snake, typed, written
from local.exchange.clock import SimulatedClock
from local.exchange.config import QUOTE_ASSET
from local.exchange.endpoints import Venue
from local.exchange.faults import FaultBook
from local.exchange.limits import RateLimiter
from local.exchange.market import Market
from local.exchange.orders import Fill, whole_second
from local.exchange.public_api import instrument_row, read_filters

Row = dict[str, object]

_FILL_NAMES = frozenset(
    {"symbol", "side", "price", "qty", "time", "id", "orderId", "clientOrderId", "commission"}
    | {"commissionAsset", "isMaker"}
)


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
        self._requests = requests
        self._statuses = statuses
        self._seeded = 0
        self._routes = {
            ("GET", "/sim/state"): self._state,
            ("POST", "/sim/clock"): self._clock_route,
            ("POST", "/sim/price"): self._set_price,
            ("POST", "/sim/account"): self._set_account,
            ("POST", "/sim/deposit"): self._deposit,
            ("POST", "/sim/fills"): self._seed_fills,
            ("POST", "/sim/rules"): self._set_rules,
            ("POST", "/sim/options"): self._set_options,
            ("GET", "/sim/faults"): self._list_faults,
            ("POST", "/sim/faults"): self._add_faults,
            ("DELETE", "/sim/faults"): self._clear_faults,
        }

    def handle(self, method: str, path: str, body: bytes) -> Response:
        route = self._routes.get((method, path))
        if route is None:
            return Draft(404, {"error": f"no {method} {path}"}).written()
        try:
            spec = json.loads(body, parse_float=Decimal) if body else {}
            if not isinstance(spec, dict):
                raise ValueError("the body must be a JSON object")
            return Draft(200, route(spec)).written()
        except ValueError as error:
            return Draft(400, {"error": str(error)}).written()

    def _state(self, _: Mapping[str, Any]) -> Row:
        venue, now_ms = self._venue, self._clock.now_ms()
        engine = venue.engine
        engine.advance(now_ms)
        account = engine.account
        prices = {symbol: plain(market.mid_price(now_ms)) for symbol, market in venue.markets.items()}
        pinned = {
            symbol: None if market.pinned is None else plain(market.pinned)
            for symbol, market in venue.markets.items()
        }
        return {
            "now_ms": now_ms,
            "frozen": self._clock.frozen,
            "symbol": venue.config.symbol,
            "prices": prices,
            "pinned": pinned,
            "balances": {
                asset: {"free": plain(account.free(asset)), "locked": plain(account.locked(asset))}
                for asset in account.assets()
            },
            "can_trade": account.can_trade,
            "orders": [order.row() for order in engine.orders.values()],
            "fills": [fill.row() for fill in engine.fills],
            "requests": dict(self._requests),
            "statuses": dict(self._statuses),
            "faults": self._faults.rows(),
            "fees": written(engine.fees),
            "rules": {symbol: instrument_row(market.rules) for symbol, market in venue.markets.items()},
        }

    def _clock_route(self, spec: Mapping[str, Any]) -> Row:
        only(spec, {"now_ms", "frozen", "advance_ms"})
        before = self._clock.now_ms()
        frozen = spec.get("frozen", self._clock.frozen)
        if not isinstance(frozen, bool):
            raise ValueError("frozen: true or false")
        if "advance_ms" in spec:
            self._clock.set(before + integer(spec["advance_ms"], "advance_ms"), frozen=frozen)
        elif "now_ms" in spec and spec["now_ms"] is None:
            self._clock.reset()
        else:
            self._clock.set(integer(spec.get("now_ms", before), "now_ms"), frozen=frozen)
        self._after_jump(before)
        return {"now_ms": self._clock.now_ms(), "frozen": self._clock.frozen}

    def set_clock(self, now_ms: int, *, frozen: bool) -> None:
        before = self._clock.now_ms()
        self._clock.set(now_ms, frozen=frozen)
        self._after_jump(before)

    def _after_jump(self, before_ms: int) -> None:
        """Let the market live through the time skipped, or begin anew from an earlier time."""
        now_ms = self._clock.now_ms()
        if now_ms >= before_ms:
            self._venue.engine.advance(now_ms)
            return
        self._venue.engine.rewind(now_ms)
        self._limiter.reset()
        for market in self._venue.markets.values():
            market.rewind(now_ms)

    def _set_price(self, spec: Mapping[str, Any]) -> Row:
        only(spec, {"price", "symbol"})
        if "price" not in spec:
            raise ValueError("price is missing")
        market, now_ms = self._market(spec), self._clock.now_ms()
        price = None if spec["price"] is None else from_control(spec["price"], "price")
        if price is not None and price <= 0:
            raise ValueError("price: must be positive")
        self._venue.engine.advance(now_ms)
        market.pin(price, now_ms)
        self._venue.engine.advance(now_ms)
        shown = format(market.mid_price(now_ms), "f")
        return {"symbol": market.symbol, "price": shown, "pinned": price is not None}

    def _set_account(self, spec: Mapping[str, Any]) -> Row:
        only(spec, {"balances", "replace", "can_trade"})
        account = self._venue.engine.account
        given = spec.get("balances", {})
        if not isinstance(given, Mapping):
            raise ValueError("balances: an object of asset and free amount")
        amounts = {str(asset): from_control(value, str(asset)) for asset, value in given.items()}
        if any(amount < 0 for amount in amounts.values()):
            raise ValueError("balances: cannot be negative")
        can_trade = spec.get("can_trade", account.can_trade)
        if not isinstance(can_trade, bool):
            raise ValueError("can_trade: true or false")
        if spec.get("replace", False):
            amounts = {asset: Decimal(0) for asset in account.assets()} | amounts
        for asset, amount in amounts.items():
            account.set(asset, amount)
        account.can_trade = can_trade
        return {"balances": account.rows(), "can_trade": can_trade}

    def _deposit(self, spec: Mapping[str, Any]) -> Row:
        only(spec, {"asset", "amount"})
        asset = spec.get("asset")
        if not isinstance(asset, str) or not asset:
            raise ValueError("asset: a name")
        account = self._venue.engine.account
        account.credit(asset, from_control(spec.get("amount"), "amount"))
        return {"asset": asset, "free": plain(account.free(asset)), "locked": plain(account.locked(asset))}

    def _seed_fills(self, spec: Mapping[str, Any]) -> Row:
        only(spec, {"fills"})
        given = spec.get("fills")
        if not isinstance(given, list):
            raise ValueError("fills: a list")
        fills = [self._fill(entry) for entry in given]
        known = {fill.trade_id for fill in self._venue.engine.fills}
        if len({fill.trade_id for fill in fills} - known) < len(fills):
            raise ValueError("fills: a trade id is there twice")
        for fill in fills:
            self._venue.engine.seed_fill(fill)
        return {"ids": [fill.trade_id for fill in fills]}

    def _fill(self, entry: object) -> Fill:
        if not isinstance(entry, Mapping):
            raise ValueError("fills: each an object")
        only(entry, _FILL_NAMES)
        if entry.get("side") not in ("BUY", "SELL"):
            raise ValueError("side: BUY or SELL")
        self._seeded += 1
        price, quantity = (from_control(entry.get(name), name) for name in ("price", "qty"))
        client_id = entry.get("clientOrderId")
        return Fill(
            symbol=self._market(entry).symbol,
            trade_id=str(entry.get("id", f"{500_000_000_000_000_000 + self._seeded}X1")),
            order_id=str(entry.get("orderId", f"C02__{500_000_000_000_000_000 + self._seeded}036")),
            client_order_id=None if client_id is None else str(client_id),
            price=price,
            quantity=quantity,
            quote_quantity=price * quantity,
            commission=from_control(entry.get("commission", 0), "commission"),
            commission_asset=str(entry.get("commissionAsset", QUOTE_ASSET)),
            time_ms=whole_second(integer(entry.get("time"), "time")),
            is_buyer=entry["side"] == "BUY",
            is_maker=bool(entry.get("isMaker", False)),
        )

    def _set_rules(self, spec: Mapping[str, Any]) -> Row:
        """Change rules (enforced and shown), the account's fees, and what exchangeInfo only shows."""
        market, engine = self._market(spec), self._venue.engine
        given = {name: value for name, value in spec.items() if name not in ("symbol", "fees", "shown")}
        if "filters" in given:
            given |= read_filters(given.pop("filters"))
        rules = changed(market.rules, {snake(name): value for name, value in given.items()})
        if rules.symbol != market.symbol:
            raise ValueError("baseAsset: cannot be changed")
        fees = changed(engine.fees, spec.get("fees", {}))
        shown = spec.get("shown", {})
        if shown is not None and not isinstance(shown, Mapping):
            raise ValueError("shown: an object, or null to show the rules alone")
        market.rules, engine.fees = rules, fees
        if shown is None:
            self._venue.shown.pop(market.symbol, None)
        else:
            self._venue.shown.setdefault(market.symbol, {}).update(shown)
        entry = instrument_row(rules) | self._venue.shown.get(market.symbol, {})
        return {"rules": entry, "fees": written(fees)}

    def _set_options(self, spec: Mapping[str, Any]) -> Row:
        only(spec, {"options", "book", "rate_limit", "key_symbols", "key_permissions"})
        venue, engine = self._venue, self._venue.engine
        market = venue.markets[venue.config.symbol]
        options = changed(engine.options, spec.get("options", {}))
        book = changed(market.shape, spec.get("book", {}))
        limit = changed(self._limiter.limit, spec.get("rate_limit", {}))
        symbols = typed(tuple[str, ...], spec.get("key_symbols", sorted(engine.key_symbols)), "key_symbols")
        granted = spec.get("key_permissions", sorted(venue.key_permissions))
        permissions = typed(tuple[str, ...], granted, "key_permissions")
        engine.options, engine.key_symbols = options, frozenset(symbols)
        venue.key_permissions = frozenset(permissions)
        for each in venue.markets.values():
            each.shape = book
        if limit != self._limiter.limit:
            self._limiter.limit = limit
            self._limiter.reset()
        return {
            "options": written(options),
            "book": written(book),
            "rate_limit": written(limit),
            "key_symbols": list(symbols),
            "key_permissions": list(permissions),
        }

    def _list_faults(self, _: Mapping[str, Any]) -> Row:
        return {"faults": self._faults.rows()}

    def _add_faults(self, spec: Mapping[str, Any]) -> Row:
        given = spec.get("faults", [spec])
        if not isinstance(given, list) or not all(isinstance(entry, Mapping) for entry in given):
            raise ValueError("faults: a list of objects")
        return {"faults": [self._faults.add(entry).row() for entry in given]}

    def _clear_faults(self, spec: Mapping[str, Any]) -> Row:
        only(spec, {"id"})
        fault_id = None if spec.get("id") is None else integer(spec["id"], "id")
        return {"cleared": self._faults.clear(fault_id)}

    def _market(self, spec: Mapping[str, Any]) -> Market:
        symbol = spec.get("symbol", self._venue.config.symbol)
        market = self._venue.markets.get(symbol) if isinstance(symbol, str) else None
        if market is None:
            raise ValueError(f"symbol: one of {', '.join(self._venue.markets)}")
        return market
