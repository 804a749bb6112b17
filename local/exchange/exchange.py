"""The simulated exchange as one object: `handle` answers requests without a socket."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal

from local.exchange import access, account_api, public_api  # noqa: F401 - the endpoints register themselves
from local.exchange.access import RateLimiter, Request
from local.exchange.answers import Response, answered, instead, latency_ms, spoiled
from local.exchange.candles import CandleSeries
from local.exchange.clock import DAY_MS, SimulatedClock, system_ms
from local.exchange.config import MX_SYMBOL, ExchangeConfig, Rules
from local.exchange.control import Control
from local.exchange.endpoints import ENDPOINTS, Call
from local.exchange.engine import Engine
from local.exchange.faults import Effects, Fault, FaultBook
from local.exchange.market import Market
from local.exchange.price_path import PricePath, RandomWalk
from local.exchange.refusals import Refusal

_DEFAULT_PRICE = Decimal("0.02")
_MX_PRICE = Decimal(3)


class SimulatedExchange:
    """MEXC's spot v3 API over a synthetic market and one account. Thread-safe.

    The same config, clock readings, seed and sequence of requests give the same responses. `sleep` waits the
    milliseconds of a latency fault; a test passes its own clock's `advance`.
    """

    def __init__(
        self,
        config: ExchangeConfig | None = None,
        *,
        clock: Callable[[], int] = system_ms,
        seed: int = 0,
        sleep: Callable[[int], None] = lambda ms: time.sleep(ms / 1_000),
    ) -> None:
        self.config = config or ExchangeConfig()
        self.clock = SimulatedClock(clock)
        self.requests: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.faults = FaultBook(random.Random(f"{seed}|faults"))
        self.limiter = RateLimiter(self.config.rate_limit)
        now_ms, start_ms = self.clock.now_ms(), self.config.start_ms
        self.start_ms = now_ms // DAY_MS * DAY_MS if start_ms is None else start_ms
        markets, ids = _markets(self.config, self.start_ms, seed), random.Random(f"{seed}|ids")
        self.engine = Engine(self.config, markets, ids, now_ms)
        self._sleep = sleep
        self._lock = threading.RLock()
        self._control = Control(self)

    def handle(
        self,
        method: str,
        path: str,
        query: bytes = b"",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        client: str = "127.0.0.1",
    ) -> Response:
        """Handle one request; `query` holds the exact bytes after the question mark.

        Raises ConnectionDropped if a fault resets the connection.
        """
        if path.startswith("/sim/"):
            with self._lock:
                return self._control.handle(method, path, body)
        lower = {key.lower(): value for key, value in (headers or {}).items()}
        request, name = Request(method, path, query, lower, body, client), f"{method} {path}"
        with self._lock:
            self.requests[name] += 1
            met = self.faults.meet(method, path)
        outcome = "dropped"
        try:
            self._be_late(met, "before")
            response = instead(met, "before")
            if response is None:
                response = self._answer(request, Effects(met))
                response = instead(met, "after") or spoiled(response, met)
            self._be_late(met, "after")
            outcome = str(response.status)
        finally:
            with self._lock:
                self.statuses[f"{name} {outcome}"] += 1
        return response

    def _be_late(self, met: list[Fault], when: str) -> None:
        if late_ms := latency_ms(met, when):
            self._sleep(late_ms)

    def set_clock(self, now_ms: int, *, frozen: bool = False) -> None:
        """Set the simulated time; it continues from there unless frozen."""
        with self._lock:
            self._control.set_clock(now_ms, frozen=frozen)

    def _answer(self, request: Request, effects: Effects) -> Response:
        endpoint = ENDPOINTS.get((request.method, request.path))
        if endpoint is None:
            known = any(path == request.path for _, path in ENDPOINTS)
            status, text = (405, "Not Allowed") if known else (404, "Not Found")
            return answered(status, {"code": status, "msg": text})
        params = request.params()
        with self._lock:
            now_ms = self.clock.now_ms() + effects.skew_ms
            self.engine.advance(now_ms)
            try:
                name, weight = f"{request.method} {request.path}", endpoint.weight_for(params)
                self.limiter.spend(request.client, name, weight, now_ms)
                if endpoint.permission is not None:
                    permitted = endpoint.permission in self.engine.key_permissions
                    access.check(self.config, request, params, now_ms, permitted=permitted)
                return answered(200, endpoint.handler(Call(self.engine, params, now_ms, effects)))
            except Refusal as refusal:
                return answered(refusal.status, refusal.body, refusal.headers)


def _markets(config: ExchangeConfig, start_ms: int, seed: int) -> dict[str, Market]:
    rules = _rules(config.base_asset, config.start_price or _DEFAULT_PRICE)
    mx_rules = Rules(base_asset="MX", quote_precision=4, quote_asset_precision=4, full_name="MX Token")
    mx_path = RandomWalk(seed=seed, name=MX_SYMBOL, start_price=_MX_PRICE, start_ms=start_ms, daily_volatility=0.03)
    return {
        config.symbol: Market(rules, _path(config, start_ms, seed), config.book, seed),
        MX_SYMBOL: Market(mx_rules, mx_path, config.book, seed),
    }


def _rules(base_asset: str, price: Decimal) -> Rules:
    """Rules with quantities as fine as the price needs: a step is worth a few cents at most."""
    scale = max(4, 4 + price.adjusted())
    step = Decimal(1).scaleb(-scale)
    return Rules(base_asset=base_asset, full_name=base_asset, base_asset_precision=scale, base_size_precision=step)


def _path(config: ExchangeConfig, start_ms: int, seed: int) -> PricePath:
    if config.candles is None:
        return RandomWalk(
            seed=seed,
            name=config.symbol,
            start_price=config.start_price or _DEFAULT_PRICE,
            start_ms=start_ms,
            daily_volatility=config.daily_volatility,
        )
    origin_ms, price = config.candles_from_ms, config.start_price
    return CandleSeries(config.candles, start_ms=start_ms, from_ms=origin_ms, start_price=price)
