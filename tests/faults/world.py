"""The six functions on a small exchange that answers from memory, and a Redis that can be put back as it was."""

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import redis

from common import runtime, service
from common.config import Settings
from common.mexc.http import new_session
from common.mexc.wave import WIDTH
from tests.builders import account_payload, exchange_answers, fill_payload, order_payload
from tests.conftest import ENV, Functions
from tests.fakes import NOON, Call, FakeClock, StubExchange, embedded_redis

LIVE = {"EXECUTION_MODE": "live", "ORDER_COOLDOWN_SECONDS": "0", "LEASE_WAIT_SECONDS": "0"}
QUARTER = timedelta(minutes=15)
_POOL = ThreadPoolExecutor(WIDTH)
_FUNCTIONS = Functions()


class Venue:
    """30000 QRL bought yesterday for 0.02, and 400 USDT; every order is filled at once, at the price."""

    def __init__(self, price: str) -> None:
        self.price = price
        self.orders: list[dict[str, Any]] = []
        self.bought = fill_payload("BUY", "30000", "0.02", at=NOON - timedelta(days=1))
        self.spoil: dict[str, Callable[[Any], Any]] = {}
        self.clock: FakeClock | None = None
        base = exchange_answers("0", "0", price)
        base |= {"account": self._account, "myTrades": self._fills, "order": self._order, "allOrders": self._all}
        base["openOrders"] = [order_payload(clientOrderId="web-1", orderId="C02__77")]
        self.answers = {path: self._answering(path, answer) for path, answer in base.items()}

    def _answering(self, path: str, answer: Any) -> Callable[[Call], Any]:
        def give(call: Call) -> Any:
            payload = answer(call) if callable(answer) else answer
            if self.clock:
                self.clock.move(0.3)  # a call takes its time, and an order comes after the balances it rests on
            spoil = self.spoil.get(path)
            read = call.method == "GET" and not isinstance(payload, tuple)
            return spoil(payload) if spoil and read else payload

        return give

    def _account(self, _: Call) -> Any:
        sign = {"SELL": 1, "BUY": -1}
        sold = [(sign[order["side"]] * Decimal(order["quantity"]), order["paid"]) for order in self.orders]
        base = 30000 - sum(quantity for quantity, _ in sold)
        quote = 400 + sum(quantity * Decimal(paid) for quantity, paid in sold)
        return account_payload(("QRL", str(base), "0"), ("USDT", str(quote), "0"), ("MX", "1", "0"))

    def _fills(self, call: Call) -> Any:
        start, end = int(call.params["startTime"]), int(call.params["endTime"])
        fills = [self.bought, *(order["fill"] for order in self.orders)]
        wanted = call.params.get("orderId")
        return [
            fill
            for fill in fills
            if isinstance(fill, dict) and start <= fill["time"] <= end and wanted in (None, fill["orderId"])
        ]

    def _row(self, order: dict[str, Any]) -> dict[str, Any]:
        return order_payload(
            orderId=order["orderId"],
            clientOrderId=order["newClientOrderId"],
            side=order["side"],
            price=order.get("price", self.price),
            origQty=order["quantity"],
            executedQty=order["quantity"],
            cummulativeQuoteQty=str(Decimal(order["quantity"]) * Decimal(order["paid"])),
            status="FILLED",
            time=order["at"],
        )

    def _order(self, call: Call) -> Any:
        if call.method == "POST":
            at = int(call.params["timestamp"]) // 1000 * 1000
            number = len(self.orders) + 100
            order: dict[str, Any] = {**call.params, "orderId": f"C02__{number}", "at": at, "paid": self.price}
            fill = fill_payload(order["side"], order["quantity"], self.price, number=number)
            order["fill"] = fill | {"time": at, "clientOrderId": order["newClientOrderId"]}
            self.orders.append(order)
            return {"symbol": "QRLUSDT", "orderId": order["orderId"]}
        names = call.params.get("origClientOrderId"), call.params.get("orderId")
        found = [
            order for order in self.orders if order["newClientOrderId"] == names[0] or order["orderId"] == names[1]
        ]
        return self._row(found[0]) if found else (400, {"code": -2013, "msg": "Order does not exist."})

    def _all(self, _: Call) -> Any:
        return [self._row(order) for order in self.orders]


class World:
    """One bot in live mode at `slot`; Redis holds what `kept` of another world was."""

    def __init__(self, slot: datetime, venue: Venue, kept: "Kept | None" = None) -> None:
        self.slot, self.venue = slot, venue
        self.clock = venue.clock = FakeClock(slot)
        self.exchange = StubExchange(venue.answers)
        self.redis = embedded_redis()
        if kept:
            kept.put_into(self.redis)
        session = new_session()
        session.mount("https://", self.exchange)
        settings = Settings.from_env({**ENV, **LIVE})
        runtime.install(service.Bot(settings, self.clock, self.redis, session, random.Random(7), _POOL))

    def call(self, job: str) -> Any:
        """The answer to this slot's delivery; `venue.orders` tells what was ordered."""
        return _FUNCTIONS.post(job, slot=self.slot.isoformat())

    def look(self, view: str = "") -> Any:
        """An operator's look through ops."""
        return _FUNCTIONS.get("ops", view)

    def next_slot(self) -> None:
        self.slot += QUARTER
        self.clock.move((self.slot - self.clock.now()).total_seconds())

    @property
    def leases(self) -> list[str]:
        return [str(key) for key in self.redis.scan_iter(match="*:lease:*")]


class Kept:
    """What is permanent in a Redis, to be put into others."""

    def __init__(self, client: "redis.Redis") -> None:
        read: dict[str, Callable[[str], Any]] = {
            "string": client.get,
            "hash": client.hgetall,
            "list": lambda key: client.lrange(key, 0, -1),
            "zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        }
        keys: list[str] = sorted(str(key) for key in client.scan_iter() if client.ttl(key) == -1)
        self.values = {key: (str(client.type(key)), read[str(client.type(key))](key)) for key in keys}

    def put_into(self, client: "redis.Redis", only: str | None = None) -> None:
        for key, (kind, value) in self.values.items():
            if only not in (None, key):
                continue
            if kind == "string":
                client.set(key, value)
            elif kind == "hash":
                client.hset(key, mapping=value)
            elif kind == "list":
                client.rpush(key, *value)
            else:
                client.zadd(key, dict(value))

    def documents(self) -> dict[tuple[str, str], Any]:
        """By key and field (or number), everything that is JSON; of histories the newest alone."""
        found = {}
        for key, (kind, value) in self.values.items():
            if kind == "string":
                pieces = {"": value}
            elif kind == "hash":
                pieces = value
            else:
                pieces = {"0": value[0] if kind == "list" else value[-1][0]}
            for name, text in pieces.items():
                found[key, name] = _parsed(text)
        return found

    def with_piece(self, key: str, name: str, text: str) -> "Kept":
        """The same with another text in that place."""
        kind, value = self.values[key]
        if kind == "string":
            new: Any = text
        elif kind == "hash":
            new = value | {name: text}
        else:
            new = [text, *value[1:]] if kind == "list" else [*value[:-1], (text, value[-1][1])]
        copy = object.__new__(Kept)
        copy.values = self.values | {key: (kind, new)}
        return copy


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
