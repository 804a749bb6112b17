"""Stand-ins at the seams: a clock that moves when told, exchanges, and the wire to a Redis."""

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from threading import Lock
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import fakeredis
import redis
import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from local.exchange import ConnectionDropped, ExchangeConfig, ExchangeServer, RateLimit, SimulatedExchange
from tests.exchange_client import DirectClient

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


class FakeClock:
    """Stands still at `NOON` until it is moved; sleeping moves it."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._start = now
        self.slept: list[float] = []
        self._lock = Lock()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.move(seconds)

    def move(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=seconds)


class Inline(Executor):
    """The calls of a wave one after the other, for what depends on their order."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Call:
    """One request as it went over the wire."""

    def __init__(self, request: requests.PreparedRequest) -> None:
        parts = urlsplit(request.url or "")
        self.method = request.method
        self.path = parts.path.removeprefix("/api/v3/")
        self.query = parts.query
        self.params = dict(parse_qsl(parts.query))
        self.headers = request.headers
        self.body = request.body


Answer = Any | Callable[[Call], Any]


def response_of(
    request: requests.PreparedRequest, status: int, body: bytes, headers: Mapping[str, str]
) -> requests.Response:
    """What requests makes of an answer whose body has not been read yet."""
    response = requests.Response()
    response.status_code = status
    response.raw = HTTPResponse(BytesIO(body), status=status, preload_content=False)
    response.headers.update(headers)
    response.url = request.url or ""
    response.request = request
    return response


class StubExchange(BaseAdapter):
    """Mounted on a session: answers by path, and remembers every call.

    An answer is a JSON value, a (status, body) or (status, body, headers) tuple with a JSON or text body,
    an exception to raise, a function of the call that gives one of these, or a list: one after the other.
    """

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        super().__init__()
        self.answers: dict[str, Answer] = dict(answers or {})
        self.calls: list[Call] = []
        self._lock = Lock()

    def paths(self) -> list[str]:
        return [call.path for call in self.calls]

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        call = Call(request)
        with self._lock:
            self.calls.append(call)
            answer = self.answers.get(call.path, (404, {"code": -1, "msg": f"no answer for {call.path}"}))
            if isinstance(answer, Several):
                answer = answer.next()
        if callable(answer) and not isinstance(answer, type):
            answer = answer(call)
        if isinstance(answer, BaseException):
            raise answer
        status, body, headers = (*answer, {})[:3] if isinstance(answer, tuple) else (200, answer, {})
        return self._response(request, status, body, headers)

    def close(self) -> None:
        """Nothing is open."""

    @staticmethod
    def _response(
        request: requests.PreparedRequest, status: int, body: Any, headers: Mapping[str, str]
    ) -> requests.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        return response_of(request, status, text.encode(), headers)


class Several:
    """Answers one after the other; the last one stays."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)

    def next(self) -> Answer:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class Market:
    """The simulated exchange at the test's own time; `env` are the settings of a bot that asks it over HTTP.

    The price stands at `price`. `config` are fields of ExchangeConfig.
    """

    _server: ExchangeServer | None = None

    def __init__(self, clock: FakeClock, price: str = "0.02", **config: Any) -> None:
        self._clock = clock
        limit = RateLimit(weight=None)
        self.exchange = SimulatedExchange(
            ExchangeConfig(rate_limit=limit, **config), clock=self.now_ms, sleep=lambda ms: clock.move(ms / 1000)
        )
        self._client = DirectClient(self.exchange)
        self.keys = {"MEXC_API_KEY": self._client.api_key, "MEXC_SECRET_KEY": self._client.secret_key}
        self.set_price(price)

    @property
    def env(self) -> dict[str, str]:
        """The keys, and the address of a server on a loopback port, which is started by the first to ask."""
        self._server = self._server or ExchangeServer(self.exchange)
        return {"MEXC_BASE_URL": self._server.url, **self.keys}

    def wait(self, seconds: float) -> None:
        self._clock.move(seconds)

    def now_ms(self) -> int:
        return round(self._clock.now().timestamp() * 1000)

    def sim(self, path: str, **spec: Any) -> Any:
        """POST to the control API."""
        return self._client.sim("POST", path, **spec)

    def set_price(self, price: str) -> None:
        self.sim("price", price=price)

    def hold(self, **balances: str) -> None:
        """The account holds this and nothing else."""
        self.sim("account", balances=balances, replace=True)

    def bought(self, *fills: tuple[str, str], at: datetime, side: str = "BUY", fee: str = "0") -> None:
        """Fills as (quantity, price) in the account's history; the balances stay as they are."""
        row = {"side": side, "time": round(at.timestamp() * 1000), "commission": fee}
        self.sim("fills", fills=[row | {"qty": quantity, "price": price} for quantity, price in fills])

    def order(self, side: str, quantity: str, kind: str = "MARKET", **more: str) -> None:
        """An order that somebody else than the bot places."""
        response = self._client.signed(
            "POST", "order", symbol=self.exchange.config.symbol, side=side, type=kind, quantity=quantity, **more
        )
        assert response.status == 200, response.body

    def total(self, asset: str) -> Decimal:
        account = self.exchange.engine.account
        return account.total(asset)

    def calls(self, path: str) -> int:
        """How often GET `path` was asked for."""
        return self.exchange.requests[f"GET /api/v3/{path}"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server:
            self._server.close()


class Desk:
    """Carries the bot's requests to a simulated exchange by hand: each can be looked at, refused or lost.

    `on["POST order"]` is a function of the call: what it gives is the answer, None lets the request go on.
    """

    PATHS = (
        *("account", "time", "depth", "ticker/price", "ticker/24hr", "klines", "exchangeInfo", "defaultSymbols"),
        *("tradeFee", "selfSymbols", "myTrades", "openOrders", "allOrders", "order", "order/test"),
    )

    def __init__(self, stub: StubExchange, market: Market) -> None:
        self.market = market
        self.on: dict[str, Callable[[Call], Any]] = {}
        self.env = market.keys
        self.latency = 0.02
        """Seconds that a request takes to the exchange, and its answer back; 0 where a test tells exact times."""
        self._stub = stub
        stub.answers = dict.fromkeys(self.PATHS, self._answer)

    def asked(self, what: str) -> list[Call]:
        """The requests of one kind ("POST order") that left the bot so far."""
        return [call for call in self._stub.calls if f"{call.method} {call.path}" == what]

    def carry_out(self, call: Call) -> Any:
        """What the exchange answers; a dropped connection as the exception it is to the bot."""
        path = f"/api/v3/{call.path}"
        try:
            response = self.market.exchange.handle(call.method or "", path, call.query.encode(), call.headers)
        except ConnectionDropped:
            return requests.ConnectionError("reset")
        return response.status, response.body.decode(), response.headers

    def _answer(self, call: Call) -> Any:
        self.market.wait(self.latency)
        look = self.on.get(f"{call.method} {call.path}")
        answer = look(call) if look else None
        answer = self.carry_out(call) if answer is None else answer
        self.market.wait(self.latency)
        return answer


def embedded_redis(*, connected: bool = True) -> "redis.Redis":
    """A Redis of its own in this process, with text answers as the bot's client has them."""
    server = fakeredis.FakeServer()
    server.connected = connected
    client: redis.Redis = fakeredis.FakeRedis(
        server=server, decode_responses=True, encoding_errors="surrogateescape"
    )
    return client


class Line:
    """The wire of a Redis client: notes the commands of every round trip in `trips`, and can be cut."""

    def __init__(self, client: "redis.Redis") -> None:
        pool: Any = client.connection_pool
        line = self

        class Watched(pool.connection_class):  # type: ignore[misc]
            def send_packed_command(self, command: Any, check_health: bool = True) -> None:
                try:
                    line._sending(b"".join([command] if isinstance(command, bytes) else command))
                except redis.ConnectionError:
                    self.disconnect()
                    raise
                super().send_packed_command(command, check_health)

            def read_response(self, *args: Any, **options: Any) -> Any:
                answer = super().read_response(*args, **options)
                if line._losing():
                    self.disconnect()
                    raise redis.ConnectionError("the answer was lost")
                return answer

        pool.disconnect()
        pool.reset()
        pool.connection_class = Watched
        # How fakeredis greets is its own; on a real server the greeting counts.
        self._unseen = {"HELLO", "CLIENT"} if isinstance(client, fakeredis.FakeRedis) else set()
        self.trips: list[list[str]] = []
        self._left: int | None = None
        self._lose_at: int | None = None
        self._lock = Lock()

    def cut_after(self, trips: int) -> None:
        """So many round trips still go through, then nothing until `mend`."""
        self._left = trips

    def lose_answer(self, trip: int) -> None:
        """The `trip`-th round trip from now is carried out, but its answer never comes; the next ones are fine."""
        self._lose_at = len(self.trips) + trip

    def mend(self) -> None:
        self._left = None

    def _sending(self, packed: bytes) -> None:
        with self._lock:
            if self._left == 0:
                raise redis.ConnectionError("the line is cut")
            names = list(_commands(packed))
            if self._unseen.issuperset(names):
                return
            if self._left is not None:
                self._left -= 1
            self.trips.append(names)

    def _losing(self) -> bool:
        with self._lock:
            lost = self._lose_at == len(self.trips)
            if lost:
                self._lose_at = None
            return lost


def _commands(packed: bytes) -> Iterable[str]:
    """The names of the commands in what goes over the wire (RESP)."""
    at = 0
    while at < len(packed):
        end = packed.index(b"\r\n", at)
        count, at = int(packed[at + 1 : end]), end + 2
        for number in range(count):
            end = packed.index(b"\r\n", at)
            size = int(packed[at + 1 : end])
            if number == 0:
                yield packed[end + 2 : end + 2 + size].decode()
            at = end + size + 4
