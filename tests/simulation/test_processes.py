"""Real processes: the staged bundle on a real Redis, killed in the middle of a live run, and started again.

Here time is real, so what takes a minute is not waited for: the lease of the dead run is taken away as if it had
run out, and an order is visible again within seconds.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import redis
import requests

from common.decimal_json import from_redis, to_redis
from common.domain.instrument import Instrument
from common.domain.orders.journal import IntentState, JournalEntry
from common.store.entries import entry_of
from common.store.records import ledger_of
from local.exchange import ExchangeConfig, ExchangeServer, RateLimit, SimulatedExchange
from tests.builders import KEYS
from tests.conftest import ROOT

FRAMEWORK = str(Path(sys.executable).with_name("functions-framework"))
ORDERS = "/api/v3/order"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "fifteen_min_job"
    subprocess.run([str(ROOT / "deploy.sh"), "stage", "fifteen_min_job", str(folder)], check=True, cwd="/")
    return folder


@pytest.fixture
def exchange() -> Iterator[ExchangeServer]:
    config = ExchangeConfig(
        balances={"QRL": Decimal(25000), "USDT": Decimal(500)}, rate_limit=RateLimit(weight=None)
    )
    with ExchangeServer(SimulatedExchange(config)) as handle:
        _price(handle, "0.02")
        yield handle


@dataclass
class Function:
    """The function as a process of its own, with all its children in one group that can be killed at once."""

    folder: Path
    env: dict[str, str]
    process: "subprocess.Popen[str] | None" = None
    url: str = ""

    def start(self) -> None:
        command = [FRAMEWORK, "--target", "fifteen_min_job", "--host", "127.0.0.1", "--port", "0"]
        env = {"PATH": os.environ["PATH"], "GUNICORN_LOG_LEVEL": "info", **self.env}
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stderr
        for line in self.process.stderr:
            if found := re.search(r"Listening at: (http://\S+)", line):
                self.url = found.group(1)
                return
        raise AssertionError("the function did not start")

    def kill(self) -> None:
        """SIGKILL: nothing of it gets to tidy up."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            if self.process.stderr:
                self.process.stderr.close()
            self.process = None

    def deliver(self, slot: datetime) -> requests.Response:
        headers = {"X-CloudScheduler": "true", "X-CloudScheduler-ScheduleTime": slot.isoformat()}
        with requests.Session() as session:
            session.trust_env = False
            return session.post(self.url, headers=headers, timeout=60)


@pytest.fixture
def function(bundle: Path, exchange: ExchangeServer, redis_server: str) -> Iterator[Function]:
    env = {
        "REDIS_URL": redis_server,
        "MEXC_BASE_URL": exchange.url,
        "MEXC_API_KEY": exchange.exchange.config.api_key,
        "MEXC_SECRET_KEY": exchange.exchange.config.secret_key,
        "AUTH_MODE": "header",
        "EXECUTION_MODE": "live",
        "ORDER_COOLDOWN_SECONDS": "0",
    }
    function = Function(bundle, env)
    yield function
    function.kill()


@pytest.fixture
def store(redis_server: str) -> Iterator["redis.Redis"]:
    client = redis.Redis.from_url(redis_server, decode_responses=True, protocol=2)
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


def _planned(store: "redis.Redis", _: SimulatedExchange) -> bool:
    return any(entry.state is IntentState.PLANNED for entry in _journal(store))


def _sent(store: "redis.Redis", _: SimulatedExchange) -> bool:
    return any(entry.state is IntentState.SENT for entry in _journal(store))


def _accepted(_: "redis.Redis", exchange: SimulatedExchange) -> bool:
    return bool(exchange.engine.orders)


def _polling(_: "redis.Redis", exchange: SimulatedExchange) -> bool:
    return exchange.requests[f"GET {ORDERS}"] >= 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("come_so_far", "slow"),
    [
        pytest.param(_planned, {"method": "GET", "path": ORDERS, "ms": 1000}, marks=pytest.mark.soak),
        (_sent, {"method": "POST", "path": ORDERS, "ms": 1000, "when": "before"}),
        (_accepted, {"method": "POST", "path": ORDERS, "ms": 1000}),
        pytest.param(_polling, {"method": "GET", "path": ORDERS, "ms": 200}, marks=pytest.mark.soak),
    ],
    ids=["once it is planned", "once SENT is in Redis", "once the order is accepted", "while it is polled"],
)
def test_a_killed_run_is_followed_by_one_that_finds_its_order(
    function: Function,
    exchange: ExchangeServer,
    store: "redis.Redis",
    come_so_far: Callable[["redis.Redis", SimulatedExchange], bool],
    slow: dict[str, Any],
) -> None:
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    first, slot, following = (minute - timedelta(minutes=ago) for ago in (30, 15, 0))
    function.start()
    assert function.deliver(first).status_code == 200
    _known_for_long(store)
    _price(exchange, "0.022")
    exchange.exchange.faults.add({"kind": "hide_order", "seconds": 2, "times": 1})
    exchange.exchange.faults.add({"kind": "latency", **slow})

    _killed_in_the_middle(function, slot, lambda: come_so_far(store, exchange.exchange))
    exchange.exchange.faults.clear()
    store.delete(KEYS.lease("account"))
    function.start()
    _wait_until_visible(exchange.exchange)
    assert function.deliver(slot).status_code == 200
    assert function.deliver(following).status_code == 200

    _holds(store, exchange.exchange)


def _killed_in_the_middle(function: Function, slot: datetime, come_so_far: Callable[[], bool]) -> None:
    """Deliver, and kill the function as soon as it has come so far; its caller sees the connection break."""

    def deliver() -> None:
        with suppress(requests.ConnectionError):
            answers.append(function.deliver(slot))

    answers: list[requests.Response] = []
    caller = Thread(target=deliver)
    caller.start()
    end = time.monotonic() + 20
    while not come_so_far():
        assert time.monotonic() < end, "the run never came so far"
        time.sleep(0.002)
    function.kill()
    caller.join()
    assert answers == [], "the run was to end in the middle"


def _wait_until_visible(exchange: SimulatedExchange) -> None:
    """What was on its way when its sender was killed has arrived by then, and can be seen."""
    time.sleep(1)
    orders = list(exchange.engine.orders.values())
    seen_at = max((order.visible_ms for order in orders), default=0)
    time.sleep(max(seen_at - exchange.clock.now_ms(), 0) / 1000 + 0.05)


def _holds(store: "redis.Redis", exchange: SimulatedExchange) -> None:
    """The invariants, as far as they can be told within the time.

    A process killed between recording SENT and sending leaves an intent that is open for a minute.
    """
    orders = list(exchange.engine.orders.values())
    journal = {entry.intent.client_order_id: entry for entry in _journal(store)}
    names = [order.client_order_id for order in orders]
    slots = [entry.intent.slot for entry in journal.values() if entry.order_id is not None]
    assert len(set(names)) == len(names) == len(set(slots))
    assert len(orders) <= 1
    assert all(entry.state.open is (entry.order_id is None and not orders) for entry in journal.values())
    for order in orders:
        entry = journal[order.client_order_id or ""]
        assert (entry.order_id, entry.filled_quantity) == (order.order_id, order.executed)
        assert not entry.state.open
    text: Any = store.get(KEYS.ledger)
    ledger = ledger_of(from_redis(text, KEYS.ledger), KEYS.ledger)
    position = ledger.position(Instrument("QRL", "USDT"))
    assert position.expected_quantity == exchange.engine.account.total("QRL")
    assert position.fill_count == len(exchange.engine.fills)


def _journal(store: "redis.Redis") -> list[JournalEntry]:
    fields: Any = store.hgetall(KEYS.orders_journal)
    return [entry_of(from_redis(text, KEYS.orders_journal), KEYS.orders_journal) for text in fields.values()]


def _known_for_long(store: "redis.Redis") -> None:
    """This Redis was first seen an hour ago: nobody waits a minute for an order it might have forgotten."""
    text: Any = store.get(KEYS.continuity)
    since = datetime.now(UTC) - timedelta(hours=1)
    store.set(KEYS.continuity, to_redis(from_redis(text, KEYS.continuity) | {"since": since}))


def _price(exchange: ExchangeServer, price: str) -> None:
    market = exchange.exchange.engine.markets["QRLUSDT"]
    market.pin(Decimal(price), exchange.exchange.clock.now_ms())
