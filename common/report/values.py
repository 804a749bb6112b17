"""The data of the report: stored documents, read in one trip, and points of the equity curve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, TypeVar

from common.config import Settings
from common.decimal_json import from_redis
from common.decimals import ZERO
from common.domain.instrument import Instrument
from common.domain.orders.journal import Journal, JournalEntry
from common.domain.orders.order import first_id
from common.domain.orders.program import Program
from common.domain.performance.attribution import Attribution
from common.domain.performance.attribution_state import AttributionState
from common.domain.performance.equity import Flow, Point
from common.domain.performance.shadows import Day, Shadows
from common.errors import StoreCorrupt
from common.report.mix import Mix, mix_of
from common.report.mix import reads as mix_reads
from common.run import View
from common.store.codec import from_document, moment_or_none
from common.store.entries import entry_of
from common.store.keys import Keys
from common.store.store import Read
from common.trading.replay import Replayed, replay

Document = Mapping[str, Any]
INTERVALS = {"balance": 180, "price": 60, "cost": 300, "fifteen_min_job": 900}
"""Seconds between two slots of each unpaused job."""
ENDED_WELL = ("success", "skipped")
"""How a run ends that needs no attention. A `partial` run has a failed leg: the alerts count it as failed too."""
T = TypeVar("T")
REPLAYED = 96
"""Plans that the page recomputes: those of a day; `verify` recomputes all of them."""
REPORTS, REPORTS_OF_A_DAY = 672, 96
"""Reports of the 15-minute job that the page reads (a week), and that the text views read (a day)."""

PLACES = (
    "auth_",
    "google_",
    "https_",
    "journal_",
    "k_",
    "log_",
    "mexc_",
    "oidc_",
    "operator_",
    "redis_",
    "scheduler_",
)
"""Prefixes of the settings that say where things are and who may call."""


@dataclass(frozen=True, slots=True)
class Values:
    """What was read, and when; a missing document is None or empty, never invented."""

    instrument: Instrument
    now: datetime
    mode: str = "plan"
    revision: str | None = None
    settings_hash: str = ""
    cost: Document = field(default_factory=dict)
    plan: Document | None = None
    mix: Mix | None = None
    policy: Document | None = None
    balances: Document | None = None
    price: Document | None = None
    most_orders: int | None = None
    pause: Document | None = None
    open_intents: Sequence[JournalEntry] = ()
    orders: Sequence[JournalEntry] = ()
    """Those of the last two days; with curves also those of the slots that the page draws."""
    commands: Sequence[Document] = ()
    runs: Mapping[str, Document | None] = field(default_factory=dict)
    reports: Sequence[Document] = ()
    program: Program | None = None
    attribution_state: AttributionState | None = None
    start_price: Decimal | None = None
    flows: Sequence[Flow] = ()
    slots: Sequence[Point] = ()
    days: Sequence[Point] = ()
    shadows: Shadows | None = None
    shadow_days: Sequence[Day] = ()
    replayed: Replayed | None = None
    unreadable: Sequence[str] = ()

    @property
    def base(self) -> str:
        return self.instrument.base

    @property
    def quote(self) -> str:
        return self.instrument.quote

    def of_quote(self, document: Document, name: str) -> Any:
        """A field whose name ends in the quote asset, such as total_value_usdt."""
        return document.get(f"{name}_{self.quote.lower()}")

    def age(self, document: Document | None, name: str = "timestamp") -> int | None:
        """Whole seconds since a document's own time; None when there is none."""
        return self.since(moment_or_none((document or {}).get(name)))

    def since(self, at: datetime | None) -> int | None:
        """Whole seconds since a moment, negative before it; None when there is none."""
        return None if at is None else int((self.now - at).total_seconds())

    @property
    def orders_today(self) -> int:
        """Orders of this UTC day, counted as every run counts them: a fold over the order journal."""
        return Journal.of(self.orders).activity(self.now).orders

    @property
    def attribution(self) -> Attribution | None:
        return self.attribution_state.now(self.instrument).attribution if self.attribution_state else None

    @property
    def paused(self) -> Document | None:
        """The pause in force, or None."""
        until = moment_or_none((self.pause or {}).get("until"))
        return self.pause if self.pause and (until is None or until > self.now) else None

    @property
    def drift_quantity(self) -> Decimal:
        """Base asset that the account holds beyond the ledger."""
        off: Decimal = self.cost.get("drift_quantity") or ZERO
        return off


def late(seconds: int | None, interval: int) -> bool:
    """Whether a job is more than three intervals and a minute old, or its time is unknown."""
    return seconds is None or seconds > 3 * interval + 60


def reads(keys: Keys, reports: int) -> Mapping[str, Read]:
    return {
        "cost": ("HGETALL", keys.cost),
        "inception": ("GET", keys.inception),
        **mix_reads(keys),
        "pause": ("GET", keys.pause),
        "open_intents": ("HGETALL", keys.orders_open),
        "orders": ("HGETALL", keys.orders_recent),
        "commands": ("LRANGE", keys.commands, "0", "9"),
        "reports": ("LRANGE", keys.report_history("fifteen_min_job"), "0", str(reports - 1)),
        **{f"run {name}": ("GET", keys.report_last(name)) for name in (*INTERVALS, "rebalance")},
    }


def gather(view: View, *, curves: bool = False) -> Values:
    """Read the data of the text views; with `curves` also the history that the page draws.

    Corrupt data is left out and named in `unreadable`.
    """
    reports = REPORTS if curves else REPORTS_OF_A_DAY
    found, unreadable = view.store.survey(reads(view.keys, reports), view.meter)
    keys, read = view.keys, _Reading(view, unreadable)
    settings = view.settings
    orders = _entries(found["orders"], keys.orders_recent, unreadable)
    drawn = read.curves() if curves else {}
    if drawn.get("slots"):
        orders = [*Journal.of([*read.orders(drawn["slots"][0].at), *orders]).entries.values()]
    return Values(
        instrument=settings.instrument,
        now=view.now,
        mode=_mode(found["plan"], settings),
        revision=settings.k_revision,
        settings_hash=settings_hash(settings),
        most_orders=settings.max_orders_per_day,
        cost=found["cost"] or {},
        plan=found["plan"],
        mix=mix_of(found, settings.instrument, keys, unreadable),
        policy=found["policy"],
        balances=found["balances"],
        price=found["price"],
        pause=found["pause"],
        open_intents=_entries(found["open_intents"], view.keys.orders_open, unreadable),
        orders=orders,
        commands=found["commands"] or [],
        reports=found["reports"] or [],
        runs={name: found[f"run {name}"] for name in (*INTERVALS, "rebalance")},
        program=read.one(Program, keys.program),
        attribution_state=read.one(AttributionState, keys.attribution),
        flows=read.all(Flow, keys.flows),
        start_price=_price((found["inception"] or {}).get("price")),
        unreadable=unreadable,
        **drawn,
    )


def _mode(plan: Any, settings: Settings) -> str:
    """The mode of the trading jobs, from their last plan: `ops` itself always runs with `plan`."""
    made_with = plan.get("settings") if isinstance(plan, Mapping) else None
    mode = made_with.get("execution_mode") if isinstance(made_with, Mapping) else None
    return mode if isinstance(mode, str) else settings.execution_mode


def _price(value: Any) -> Decimal | None:
    return value if isinstance(value, Decimal) and value > 0 else None


@dataclass(frozen=True, slots=True)
class _Reading:
    """Typed values from the store; unreadable ones are named in `unreadable`."""

    view: View
    unreadable: list[str]

    def one(self, kind: type[T], key: str) -> T | None:
        found = self._read("GET", key)
        return None if found is None else next(iter(self._typed(kind, [found], key)), None)

    def all(self, kind: type[T], key: str) -> list[T]:
        """A whole sorted set, oldest first."""
        return self._typed(kind, self._read("ZRANGE", key, "0", "-1") or [], key)

    def curves(self) -> dict[str, Any]:
        keys, replayed = self.view.keys, None
        try:
            replayed = replay(self.view.store, self.view.meter, REPLAYED)
        except StoreCorrupt as error:
            self.unreadable.append(str(error))
        return {
            "slots": self.all(Point, keys.equity_slots),
            "days": self.all(Point, keys.equity_days),
            "shadows": self.one(Shadows, keys.shadows),
            "shadow_days": self.all(Day, keys.shadow_days),
            "replayed": replayed,
        }

    def orders(self, since: datetime) -> list[JournalEntry]:
        """The journal's intents of this slot and later: their ids tell them, so the rest of years is not read."""
        key, first = self.view.keys.orders_journal, first_id(since)
        names = [name for name in self._read("HKEYS", key) or () if name >= first]
        texts = (self._read("HMGET", key, *names) if names else None) or ()
        return _entries(
            {name: text for name, text in zip(names, texts, strict=False) if text}, key, self.unreadable
        )

    def _read(self, command: str, key: str, *more: str) -> Any:
        try:
            return self.view.store.read_one((command, key, *more), self.view.meter)
        except StoreCorrupt as error:
            self.unreadable.append(str(error))
            return None

    def _typed(self, kind: type[T], documents: Sequence[Any], key: str) -> list[T]:
        try:
            return [from_document(kind, document, key) for document in documents]
        except StoreCorrupt as error:
            self.unreadable.append(str(error))
            return []


def _entries(documents: Mapping[str, Any] | None, key: str, unreadable: list[str]) -> list[JournalEntry]:
    """The intents of a hash, as documents or as text; an unreadable one is named."""
    entries = []
    for name, document in (documents or {}).items():
        try:
            entries.append(entry_of(from_redis(document, key) if isinstance(document, str) else document, key))
        except StoreCorrupt as error:
            unreadable.append(f"{name} in {error}")
    return entries


def settings_hash(settings: Settings) -> str:
    """Eight letters that change with any setting that affects decisions; those of `PLACES` are left out."""
    names = [name for name in type(settings).model_fields if not name.startswith(PLACES)]
    return sha256(settings.model_dump_json(include=set(names)).encode()).hexdigest()[:8]
