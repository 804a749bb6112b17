"""Fixtures: a bot whose exchange, Redis and clock are stand-ins, and the Redis servers to test against."""

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
import redis
from flask.testing import FlaskClient
from functions_framework import create_app

from common import runtime, service
from common.config import Settings
from common.decimal_json import from_redis
from common.domain.instrument import Instrument, Side
from common.domain.orders.journal import Activity, Journal
from common.domain.orders.order import client_order_id
from common.mexc.http import new_session
from common.mexc.wave import WIDTH
from common.ops import views
from common.ops.state import JOBS
from common.store.entries import entry_of
from common.store.records import ledger_of
from local.redis_server import free_port
from local.router import function_names
from tests.builders import exchange_answers, told
from tests.fakes import NOON, Desk, FakeClock, Inline, Line, Market, StubExchange, embedded_redis

ROOT = Path(__file__).parent.parent
PAYLOADS = ROOT.parent / "shared" / "reference" / "mexc-fixtures"
"""Recorded and documented payloads of the exchange: SOURCES.md there has the origin of each."""
SERIES = ROOT.parent / "shared" / "data"
"""Real price series. Neither these nor the payloads are part of the repository: tests that need them say so."""
needs_payloads = pytest.mark.skipif(not PAYLOADS.is_dir(), reason=f"no recorded payloads at {PAYLOADS}")
VECTORS: list[dict[str, Any]] = (
    json.loads((PAYLOADS / "signature_vectors.json").read_text()) if PAYLOADS.is_dir() else []
)


def payload_text(name: str) -> str:
    """The recorded payload of that name; the test is skipped where there are none."""
    if not PAYLOADS.is_dir():
        pytest.skip(f"no recorded payloads at {PAYLOADS}")
    return (PAYLOADS / f"{name}.json").read_text(encoding="utf-8")


FUNCTIONS = function_names()
"""The folders under functions/ with an entry point: the one list of what there is (tests/test_jobs.py)."""
TASKS = {name: job.task for name in JOBS if (job := views.job(name))}
"""The scheduled jobs, and what their answers call them."""
ENV = {
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "MEXC_API_KEY": "mx0test",
    "MEXC_SECRET_KEY": "test-secret",
    "AUTH_MODE": "header",
    "MEXC_BASE_URL": "https://exchange.test",
}


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: tests that wait for other processes leave theirs idle."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def exchange() -> StubExchange:
    return StubExchange(exchange_answers())


@pytest.fixture
def store_client() -> "redis.Redis":
    return embedded_redis()


POOL = ThreadPoolExecutor(WIDTH)
INLINE = Inline()
MakeBot = Callable[..., service.Bot]


@pytest.fixture
def make_bot(clock: FakeClock, exchange: StubExchange, store_client: "redis.Redis") -> Iterator[MakeBot]:
    """Build a bot from settings that differ from `ENV`, and make it the process's own.

    Its calls to the exchange go one after the other, which is faster here; `POOL` sends them side by side.
    """

    def make(client: "redis.Redis | None" = None, pool: Executor = INLINE, **env: str) -> service.Bot:
        settings = Settings.from_env({**ENV, **env})
        session = new_session()
        session.mount("https://", exchange)
        bot = service.Bot(settings, clock, client or store_client, session, random.Random(7), pool)
        runtime.install(bot)
        return bot

    yield make
    runtime.install(None)


@pytest.fixture
def bot(make_bot: MakeBot) -> service.Bot:
    return make_bot()


class Functions:
    """The deployed functions as the framework serves them, called as the Scheduler does."""

    def __init__(self) -> None:
        self._clients: dict[str, FlaskClient] = {}

    def client(self, name: str) -> FlaskClient:
        if name not in self._clients:
            source = str(ROOT / "functions" / name / "main.py")
            self._clients[name] = create_app(target=name, source=source).test_client()
        return self._clients[name]

    def post(self, name: str, headers: Mapping[str, str] | None = None, slot: str | None = None) -> Any:
        """POST as the Scheduler: by default with its header and without a schedule time."""
        sent = {"X-CloudScheduler": "true", **(headers or {})}
        if slot:
            sent["X-CloudScheduler-ScheduleTime"] = slot
        return self.client(name).post("/", headers=sent)

    def get(self, name: str, path: str = "") -> Any:
        """GET a path, a query, or both."""
        return self.client(name).get(f"/{path}", headers={"X-CloudScheduler": "true"})

    def command(self, name: str, **body: Any) -> Any:
        """POST one of the operator's commands to `ops`."""
        headers = {"X-CloudScheduler": "true"}
        return self.client("ops").post("/", headers=headers, json={"command": name, **body})


_FUNCTIONS = Functions()


@pytest.fixture
def functions(bot: service.Bot) -> Functions:
    """The six functions on the `bot` fixture; a test that needs other settings calls `make_bot` first."""
    return _FUNCTIONS


@pytest.fixture
def bare_functions() -> Functions:
    """The functions without a bot installed."""
    return _FUNCTIONS


SLOT = NOON.isoformat()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real redis-server of this test process; skipped where there is none, but not in CI."""
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("redis-server is missing: in CI that is a failure")
        pytest.skip("no redis-server on this machine")
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    arguments = ["--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    process = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    client = redis.Redis.from_url(url)
    while not _answers(client):
        assert process.poll() is None, "redis-server ended"
    yield url
    process.terminate()
    process.wait()


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.fixture(params=["fakeredis", "redis-server"])
def any_redis(request: pytest.FixtureRequest) -> Iterator["redis.Redis"]:
    """The same test on the embedded Redis and on a real one, empty each time."""
    if request.param == "fakeredis":
        yield embedded_redis()
        return
    client = redis.Redis.from_url(
        request.getfixturevalue("redis_server"),
        decode_responses=True,
        protocol=2,
        encoding_errors="surrogateescape",
    )
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


@pytest.fixture
def line(store_client: "redis.Redis") -> Line:
    """The wire between the bot and its embedded Redis."""
    return Line(store_client)


@pytest.fixture
def market(clock: FakeClock) -> Iterator[Market]:
    """The simulated exchange over HTTP, on the test's clock; `make_bot(**market.env)` is a bot that uses it."""
    with Market(clock) as market:
        yield market


@pytest.fixture
def desk(exchange: StubExchange, market: Market) -> Desk:
    """The simulated exchange behind the bot's own session; `make_bot(**desk.env)` is a bot that uses it."""
    return Desk(exchange, market)


class Live:
    """A bot that trades on the simulated exchange, slot by slot; it has 5000 QRL (100 USDT) to sell at 0.02.

    30000 QRL, bought yesterday for 0.02, and 400 USDT; price, balance and ledger are in Redis.
    """

    SELLS: ClassVar = {"QRL": "30000", "USDT": "400"}
    LIVE: ClassVar = {"EXECUTION_MODE": "live", "ORDER_COOLDOWN_SECONDS": "0"}

    def __init__(self, make_bot: MakeBot, desk: Desk, clock: FakeClock, client: "redis.Redis") -> None:
        self.make_bot, self.desk, self.clock, self.client = make_bot, desk, clock, client
        latency, desk.latency = desk.latency, 0.0  # all this was before noon
        desk.market.hold(**self.SELLS)
        desk.market.bought(("30000", "0.02"), at=NOON - timedelta(days=1))
        self.start()
        for job in ("price", "balance", "cost"):
            self.call(job)
        desk.latency = latency

    def start(self, **env: str) -> None:
        """A fresh process, without a memory of its own."""
        self.make_bot(self.client, **{**self.LIVE, **self.desk.env, **env})

    def call(self, job: str, slot: datetime | None = None) -> Any:
        return _FUNCTIONS.post(job, slot=slot.isoformat() if slot else None)

    def run(self, minutes: int = 0, job: str = "fifteen_min_job") -> Any:
        """The answer to the slot so many minutes after noon, delivered on time, or at once if that is past."""
        slot = NOON + timedelta(minutes=minutes)
        if slot - self.clock.now() > timedelta(minutes=1):
            self.lease_ends()
        self.clock.move(max((slot - self.clock.now()).total_seconds(), 0))
        return told(self.call(job, slot))

    def lease_ends(self) -> None:
        """That of a run that has died: the embedded Redis does not follow the test's clock."""
        self.client.delete("bot:QRLUSDT:lease:account")

    def by_hand(self, job: str = "rebalance") -> Any:
        return told(self.call(job))

    @property
    def sent(self) -> int:
        """How many order requests have left the bot."""
        return len(self.desk.asked("POST order"))

    @property
    def orders(self) -> list[Any]:
        """The orders that the exchange has accepted, as it shows them."""
        state = self.desk.market.exchange.handle("GET", "/sim/state").json()
        return list(cast(Any, state)["orders"])

    def intent(self, minutes: int = 0, side: str = "SELL") -> Any:
        """What the journal says of the intent of a slot."""
        text: Any = self.client.hget("bot:QRLUSDT:orders:journal", self.name(minutes, side))
        return None if text is None else json.loads(text)

    def name(self, minutes: int = 0, side: str = "SELL") -> str:
        return client_order_id("QRLUSDT", NOON + timedelta(minutes=minutes), Side(side))

    @property
    def activity(self) -> Activity:
        """What was ordered so far, folded from the intents of the last two days."""
        key = "bot:QRLUSDT:orders:recent"
        documents: Any = self.client.hgetall(key)
        return Journal.of(entry_of(from_redis(text, key), key) for text in documents.values()).activity(
            self.clock.now()
        )

    def open_intents(self) -> list[str]:
        names: Any = self.client.hkeys("bot:QRLUSDT:orders:open")
        return list(names)

    def stored(self, key: str) -> Any:
        """A document below bot:QRLUSDT:, its amounts as the text they are."""
        text: Any = self.client.get(f"bot:QRLUSDT:{key}")
        return None if text is None else json.loads(text)

    def ledger_quantity(self) -> Decimal:
        """What the ledger expects the account to hold."""
        ledger = ledger_of(from_redis(json.dumps(self.stored("ledger")), "ledger"), "ledger")
        return ledger.position(Instrument("QRL", "USDT")).expected_quantity


@pytest.fixture
def live(make_bot: MakeBot, desk: Desk, clock: FakeClock, store_client: "redis.Redis") -> Live:
    return Live(make_bot, desk, clock, store_client)
