"""The simulated exchange behind the bot's own HTTP session: requests and answers that get lost or come late."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import BaseAdapter

from local.exchange.answers import Response, answered
from local.exchange.config import ExchangeConfig
from local.exchange.exchange import SimulatedExchange
from local.exchange.orders import Order
from local.exchange.price_path import Bar
from tests.fakes import response_of
from tests.simulation.faults import Fault
from tests.simulation.process import Process

ORDER = ("POST", "/api/v3/order")
_UNKNOWN = {"msg": "Order does not exist.", "code": -2013, "_extend": None}
_ORDERS = ("/api/v3/order", "/api/v3/openOrders", "/api/v3/allOrders")
_BUSY = {"code": -1003, "msg": "Unknown error, please check your request or try again later."}


class StillPath:
    """A path for a market whose price is set by hand: drawing a walk nobody sees costs a tenth of a day."""

    first_ms = 0

    def __init__(self, *, start_price: Decimal, **_: Any) -> None:
        self._bar = Bar(start_price, start_price, start_price, start_price, Decimal(100_000))

    def price_at(self, at_ms: int) -> Decimal:
        return self._bar.close

    def bar(self, start_ms: int, end_ms: int) -> Bar | None:
        return self._bar

    def extremes(self, start_ms: int, end_ms: int) -> tuple[Decimal, Decimal]:
        return self._bar.low, self._bar.high

    def is_quiet(self, at_ms: int) -> bool:
        return False


def still_exchange(config: ExchangeConfig, clock: Callable[[], int], seed: int) -> SimulatedExchange:
    """An exchange whose prices stand where they are set."""
    with patch("local.exchange.exchange.RandomWalk", StillPath):
        return SimulatedExchange(config, clock=clock, seed=seed)


class Desk:
    """Where all requests come in. `accepted` hears of every new order, `effects` says how it is treated.

    Orders in `unseen` are in no look-up and in no list, though they can be cancelled and their fills are shown.
    """

    def __init__(
        self,
        exchange: SimulatedExchange,
        accepted: Callable[[Order], None],
        effects: Callable[[], list[dict[str, Any]]],
    ) -> None:
        self.exchange = exchange
        self._accepted = accepted
        self._effects = effects
        self.unseen: frozenset[str] = frozenset()

    def carry_out(self, request: requests.PreparedRequest) -> Response:
        parts = urlsplit(request.url or "")
        method, path = request.method or "", parts.path
        engine, faults = self.exchange.engine, self.exchange.faults
        known, added = len(engine.orders), []
        if (method, path) == ORDER:
            added = [faults.add(effect | {"times": 1}) for effect in self._effects()]
        response = self.exchange.handle(method, path, parts.query.encode(), dict(request.headers))
        for fault in added:
            faults.clear(fault.id)
        for order in list(engine.orders.values())[known:]:
            self._accepted(order)
        return self._without_unseen(response) if method == "GET" and path in _ORDERS and self.unseen else response

    def _without_unseen(self, response: Response) -> Response:
        payload = response.json()
        if isinstance(payload, list):
            return answered(response.status, [row for row in payload if row["orderId"] not in self.unseen])
        return answered(400, _UNKNOWN) if payload.get("orderId") in self.unseen else response


class Line(BaseAdapter):
    """Mounted on a process's session. `sending` hears of every order request that leaves; `answered` of its end,
    and whether that was a clear no."""

    def __init__(
        self,
        process: Process,
        desk: Desk,
        latency: Callable[[], float],
        later: Callable[[timedelta, Callable[[], None]], None],
        sending: Callable[[str], None],
        answered: Callable[[str, bool], None],
    ) -> None:
        super().__init__()
        self._process = process
        self._desk = desk
        self._latency = latency
        self._later = later
        self._sending = sending
        self._answered = answered

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        name = f"{request.method} {parts.path.removeprefix('/api/v3/')}"
        if (request.method, parts.path) != ORDER:
            return self._exchanged(request, name, options["timeout"])
        client_id = dict(parse_qsl(parts.query)).get("newClientOrderId", "")
        self._sending(client_id)
        refused = False
        try:
            response = self._exchanged(request, name, options["timeout"])
            refused = 400 <= response.status_code < 500
        except requests.ConnectTimeout:
            refused = True
            raise
        finally:
            self._answered(client_id, refused)
        return response

    def close(self) -> None:
        """Nothing is open."""

    def _exchanged(self, request: requests.PreparedRequest, name: str, timeout: Any) -> requests.Response:
        process = self._process
        step = process.step("http", name)
        process.wait(self._latency())
        fault = process.meet(step, "before")
        if fault is not None:
            return self._not_now(request, fault, timeout)
        response = self._desk.carry_out(request)
        process.wait(self._latency())
        fault = process.meet(step, "after")
        if fault is None:
            return response_of(request, response.status, response.body, dict(response.headers))
        if fault.kind == "garbled":
            return response_of(request, response.status, response.body[: len(response.body) // 2], {})
        return self._not_now(request, fault, timeout)

    def _not_now(self, request: requests.PreparedRequest, fault: Fault, timeout: Any) -> requests.Response:
        match fault.kind:
            case "busy":
                return response_of(request, 503, json.dumps(_BUSY).encode(), {})
            case "throttled":
                return response_of(request, 429, b'{"code":429}', {"Retry-After": "1"})
            case "unreachable":
                self._process.wait(timeout.connect_timeout)
                raise requests.ConnectTimeout("connection timed out")
            case "timeout":
                self._process.wait(timeout.total)
                raise requests.ReadTimeout("read timed out")
            case "late":
                self._later(timedelta(seconds=fault.amount), lambda: self._carry_out_late(request))
        raise requests.ConnectionError("connection reset by peer")

    def _carry_out_late(self, request: requests.PreparedRequest) -> None:
        """The request was on its way all the time; nobody waits for the answer any more."""
        self._desk.carry_out(request)
