"""The simulated exchange as one object: `handle` answers requests without a socket."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal

from local.exchange import access, account_api, public_api
from local.exchange.account import Account
from local.exchange.answers import ConnectionDropped, Draft, Response, instead, latency_ms, spoiled
from local.exchange.candles import CandleSeries
from local.exchange.clock import DAY_MS, Clock, SimulatedClock, SystemClock
from local.exchange.config import MX_SYMBOL, QUOTE_ASSET, ExchangeConfig, Rules
from local.exchange.control import Control
from local.exchange.effects import NO_EFFECTS
from local.exchange.endpoints import Call, Venue
from local.exchange.engine import Engine
from local.exchange.faults import Fault, FaultBook, effects_of
from local.exchange.limits import RateLimiter
from local.exchange.market import Market
from local.exchange.market_history import MarketHistory
from local.exchange.price_path import PricePath
from local.exchange.random_walk import RandomWalk
from local.exchange.refusals import Refusal

_ENDPOINTS = public_api.ENDPOINTS | account_api.ENDPOINTS
_PATHS = frozenset(path for _, path in _ENDPOINTS)
_CONTROL = "/sim/"
_DEFAULT_PRICE = Decimal("0.02")
_MX_PRICE = Decimal(3)
_LOOPBACK = "127.0.0.1"


class SimulatedExchange:
    """MEXC's spot v3 API over a synthetic market and one account. Thread-safe.

    The same config, clock readings, seed and sequence of requests give the same answers. `sleep` takes the
    milliseconds of a latency fault; a test passes its own clock's `advance`.
    """

    def __init__(
        self,
        config: ExchangeConfig | None = None,
        *,
        clock: Clock | None = None,
        seed: int = 0,
        sleep: Callable[[int], None] | None = None,
    ) -> None:
        self.config = config or ExchangeConfig()
        self.clock = SimulatedClock(clock or SystemClock())
        self.requests: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.faults = FaultBook(random.Random(f"{seed}|faults"))
        self.limiter = RateLimiter(self.config.rate_limit)
        self.venue = _venue(self.config, self.clock.now_ms(), seed)
        self._sleep = sleep or _sleep_for_real
        self._lock = threading.RLock()
        counters = self.requests, self.statuses
        self._control = Control(self.venue, self.clock, self.faults, self.limiter, *counters)

    def handle(
        self,
        method: str,
        path: str,
        query: bytes = b"",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        client: str = _LOOPBACK,
    ) -> Response:
        """Answer one request; `query` holds the exact bytes after the question mark.

        Raises:
            ConnectionDropped: a fault resets the connection.
        """
        if path.startswith(_CONTROL):
            with self._lock:
                return self._control.handle(method, path, body)
        name = f"{method} {path}"
        with self._lock:
            self.requests[name] += 1
            met = self.faults.meet(method, path) if self.faults else []
        try:
            self._pause(met, "before")
            response = instead(met, "before")
            if response is None:
                lower = {key.lower(): value for key, value in (headers or {}).items()}
                draft = self._answer(method, path, query, lower, body, client, met)
                response = instead(met, "after") or spoiled(draft, met)
            self._pause(met, "after")
        except ConnectionDropped:
            with self._lock:
                self.statuses[f"{name} dropped"] += 1
            raise
        with self._lock:
            self.statuses[f"{name} {response.status}"] += 1
        return response

    def advance(self) -> None:
        """Let the market act up to the present time; every request does that too."""
        with self._lock:
            self.venue.engine.advance(self.clock.now_ms())

    def set_clock(self, now_ms: int, *, frozen: bool = False) -> None:
        """Set the simulated time; it flows on from there unless frozen."""
        with self._lock:
            self._control.set_clock(now_ms, frozen=frozen)

    def _answer(
        self,
        method: str,
        path: str,
        query: bytes,
        headers: Mapping[str, str],
        body: bytes,
        client: str,
        met: list[Fault],
    ) -> Draft:
        endpoint = _ENDPOINTS.get((method, path))
        if endpoint is None:
            status = 405 if path in _PATHS else 404
            return Draft(status, {"code": status, "msg": "Not Found" if status == 404 else "Not Allowed"})
        effects = effects_of(met) if met else NO_EFFECTS
        params = access.read_params(query, body)
        with self._lock:
            now_ms = self.clock.now_ms() + effects.skew_ms
            self.venue.engine.advance(now_ms)
            try:
                self.limiter.spend(client, f"{method} {path}", endpoint.weight_for(params), now_ms)
                if endpoint.permission is not None:
                    access.check(
                        self.config,
                        self.venue.key_permissions,
                        endpoint.permission,
                        query=query,
                        body=body,
                        headers=headers,
                        params=params,
                        client=client,
                        now_ms=now_ms,
                    )
                return Draft(200, endpoint.handler(Call(self.venue, params, now_ms, effects)))
            except Refusal as refusal:
                return Draft(refusal.status, refusal.body, dict(refusal.headers))

    def _pause(self, met: list[Fault], when: str) -> None:
        ms = latency_ms(met, when)
        if ms:
            self._sleep(ms)


def _venue(config: ExchangeConfig, now_ms: int, seed: int) -> Venue:
    start_ms = now_ms // DAY_MS * DAY_MS if config.start_ms is None else config.start_ms
    rules = config.rules or Rules(base_asset=config.base_asset, full_name=config.base_asset)
    mx_path = RandomWalk(
        seed=seed,
        name=MX_SYMBOL,
        start_price=_MX_PRICE,
        start_ms=start_ms,
        daily_volatility=0.03,
    )
    mx_rules = Rules(base_asset="MX", quote_precision=4, quote_asset_precision=4, full_name="MX Token")
    markets = {
        config.symbol: Market(rules, _path(config, start_ms, seed), config.book, seed),
        MX_SYMBOL: Market(mx_rules, mx_path, config.book, seed),
    }
    balances = config.balances
    if balances is None:
        balances = {config.base_asset: Decimal(1_000), QUOTE_ASSET: Decimal(500)}
    symbols = (config.symbol,) if config.key_symbols is None else config.key_symbols
    engine = Engine(
        markets=markets,
        account=Account(balances),
        fees=config.fees,
        options=config.options,
        key_symbols=frozenset(symbols),
        rng=random.Random(f"{seed}|ids"),
        now_ms=now_ms,
    )
    histories = {symbol: MarketHistory(market) for symbol, market in markets.items()}
    return Venue(config, markets, histories, engine, {}, config.key_permissions)


def _path(config: ExchangeConfig, start_ms: int, seed: int) -> PricePath:
    replay = config.candles
    if replay is None:
        return RandomWalk(
            seed=seed,
            name=config.symbol,
            start_price=_DEFAULT_PRICE if config.start_price is None else config.start_price,
            start_ms=start_ms,
            daily_volatility=config.daily_volatility,
            daily_quote_volume=config.daily_quote_volume,
        )
    return CandleSeries.read(
        replay.file,
        start_ms=start_ms,
        from_ms=replay.from_ms,
        start_price=config.start_price,
        volume_in_quote=replay.volume_in_quote,
    )


def _sleep_for_real(ms: int) -> None:
    time.sleep(ms / 1_000)
