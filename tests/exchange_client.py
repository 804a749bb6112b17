"""A signing client of the simulated exchange that calls `handle` directly, and a clock that stands until moved.

It shares nothing with the bot's client; its own signatures are checked against published vectors.
"""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from local.exchange import BookShape, ExchangeConfig, Response, SimulatedExchange
from local.exchange.access import sign


class ManualClock:
    """Time in milliseconds that stands until a test moves it."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def set(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def advance(self, ms: int) -> None:
        self._now_ms += ms


class DirectClient:
    """Speaks to one exchange with one key."""

    def __init__(
        self, exchange: SimulatedExchange, *, api_key: str | None = None, secret_key: str | None = None
    ) -> None:
        self.exchange = exchange
        self.api_key = exchange.config.api_key if api_key is None else api_key
        self.secret_key = exchange.config.secret_key if secret_key is None else secret_key

    def public(self, path: str, /, **params: object) -> Response:
        """GET a public endpoint below /api/v3/."""
        return self.exchange.handle("GET", f"/api/v3/{path}", encoded(params))

    def signed(self, method: str, path: str, /, **params: object) -> Response:
        """Call a signed endpoint below /api/v3/; `timestamp` is the exchange's own time unless given."""
        given = {"timestamp": self.exchange.clock.now_ms()} | params
        query = encoded(given)
        query += b"&signature=" + sign(self.secret_key, query).encode()
        headers = {"X-MEXC-APIKEY": self.api_key, "Content-Type": "application/json"}
        return self.exchange.handle(method, f"/api/v3/{path}", query, headers)

    def sim(self, method: str, path: str, /, **spec: object) -> Any:
        """Use the control API below /sim/.

        Raises:
            ValueError: what was asked cannot be done.
        """
        response = self.exchange.handle(method, f"/sim/{path}", body=json.dumps(spec, default=str).encode())
        if response.status != 200:
            raise ValueError(response.body.decode())
        return response.json()


def encoded(params: dict[str, object]) -> bytes:
    return urlencode({name: str(value) for name, value in params.items()}, quote_via=quote, safe="").encode()


NOON = 1_772_366_400_000
DEEP = BookShape(levels=1, notional_per_side=Decimal(100_000))
"""One level of 100 000 USDT a side: with the price at 0.02 at 0.01999 and 0.02001, so that fills have one price."""


def standing(now_ms: int, *, seed: int = 0, **config: Any) -> tuple[DirectClient, ManualClock]:
    """Give a client of a fresh exchange whose time stands until the clock given along is moved.

    Latency faults move that clock too, so nothing ever sleeps.
    """
    clock = ManualClock(now_ms)
    exchange = SimulatedExchange(ExchangeConfig(**config), clock=clock.now_ms, seed=seed, sleep=clock.advance)
    return DirectClient(exchange), clock


def market(now_ms: int = NOON, **config: Any) -> tuple[DirectClient, ManualClock]:
    """The same with the price pinned at 0.02 in a deep book; it holds 1000 QRL and 500 USDT."""
    client, clock = standing(now_ms, **({"book": DEEP} | config))
    client.sim("POST", "price", price="0.02")
    return client, clock
