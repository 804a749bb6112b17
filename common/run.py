"""What a job is, and what it receives: one `Run` for each call."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from common.clock import Clock, Deadline
from common.config import Settings
from common.domain.instrument import Instrument, TradingRules
from common.domain.slots import Slot
from common.gcp.journal import Chain
from common.meter import Meter
from common.mexc.client import Answer, Mexc
from common.mexc.wave import Wave
from common.store.batch import Batch
from common.store.cache import MarketCache
from common.store.documents import shown
from common.store.keys import Keys
from common.store.lease import Lease
from common.store.state import State
from common.store.store import Read, Store

if TYPE_CHECKING:
    from common.domain.orders.journal import Journal, JournalEntry

T = TypeVar("T")
NO_KEYS = "API keys not configured"
NOT_YET = "Nothing stored yet"
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Outcome(NamedTuple):
    """How a run ended: `body` goes into the response beside the envelope, `logged` into job.finished."""

    status: str = "success"
    body: Mapping[str, Any] = NOTHING
    reason: str | None = None
    logged: Mapping[str, Any] = NOTHING
    http_status: int = 200


def skipped(reason: str) -> Outcome:
    return Outcome("skipped", {"data": None}, reason)


@dataclass
class Run:
    """One call of a job: its collaborators, what the first trip to Redis read, and what it will write."""

    settings: Settings
    clock: Clock
    slot: Slot
    now: datetime
    exchange: Mexc
    store: Store
    cache: MarketCache
    pool: Executor
    deadline: Deadline
    meter: Meter
    batch: Batch
    lease: Lease
    state: State
    stages: dict[str, int]
    in_flight: "dict[str, JournalEntry]"
    """Orders that this process has sent, until it reads their outcome from Redis, which may forget them."""
    order_journal: "Journal | None" = None
    """The last two days of orders, once they have been read (trading/recording.py)."""
    chain: Chain = field(default_factory=Chain)
    """The audit log's chain."""

    @property
    def keys(self) -> Keys:
        return self.store.keys

    @property
    def instrument(self) -> Instrument:
        return self.settings.instrument

    def kept(self, answer: Answer[T]) -> T:
        """What was answered; its raw reply is queued."""
        self.batch.raw(answer.reply)
        return answer.value

    def seal(self) -> None:
        """Queue the chain's last link, if lines were added."""
        if self.chain.grown:
            self.batch.document(self.keys.audit_log_head, self.chain.document())
            self.chain.grown = False

    @cached_property
    def cached_rules(self) -> TradingRules | None:
        """The pair's rules as the market-data cache had them when the run began; None on a miss."""
        # Imported here: a job that plans nothing starts without the types of the books.
        from common.store.records import rules_of

        return rules_of(self.cache.decode(self.cache.keys.rules(self.instrument.pair), self.state.rules))

    def save(self) -> None:
        """Write what is queued, and keep the lease: call it before the action that the queued state describes."""
        self.seal()
        self.lease.commit(self.batch, release=False)
        self.batch = self.batch.next()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a part of the run, in whole milliseconds."""
        start = self.clock.monotonic()
        try:
            yield
        finally:
            self.stages[name] = round((self.clock.monotonic() - start) * 1000)


class View(NamedTuple):
    """A GET: what may be read, and the query."""

    settings: Settings
    clock: Clock
    store: Store
    meter: Meter
    now: datetime
    limit: int | None

    @property
    def keys(self) -> Keys:
        return self.store.keys

    def newest(self, name: str, last: str, history: str, **more: Read) -> Mapping[str, Any] | None:
        """The document under `last`, by that name, and what `more` reads; None where nothing is stored yet.

        With a limit also that many entries of the list `history`, newest first.
        """
        reads: dict[str, Read] = {name: ("GET", last), **more}
        if self.limit is not None:
            reads["history"] = ("LRANGE", history, "0", str(self.limit - 1))
        found = self.store.read(reads, self.meter)
        return None if found[name] is None else {each: shown(value) for each, value in found.items()}


class Job(NamedTuple):
    """A job's name and task, the scope its lease covers, what it runs and shows.

    `reads` are the parts of the state it reads first, `writes` the containers it writes to (store/state.py).
    With `keeps_reports` the whole response is kept as a report, otherwise a summary of the last run.
    `patience` is how many times LEASE_WAIT_SECONDS it waits for a run that shares its state.
    """

    name: str
    task: str
    scope: str
    run: Callable[[Run], Outcome]
    show: Callable[[View], Mapping[str, Any] | None]
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    keeps_reports: bool = False
    patience: int = 1


def keep_raw(batch: Batch, wave: Wave) -> None:
    """Queue every raw reply of a wave: what was read is kept, whatever follows from it."""
    for answer in wave.values():
        batch.raw(answer.reply)


def age_seconds(timestamp: object, now: datetime) -> int | None:
    """The age of a stored document by its own timestamp (ISO), None if it has none."""
    if not isinstance(timestamp, str):
        return None
    try:
        return max(int((now - datetime.fromisoformat(timestamp)).total_seconds()), 0)
    except (ValueError, TypeError):
        return None
