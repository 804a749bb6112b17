"""What a run reads first, as one typed state, and the containers it writes to: one table each.

A job names the parts it needs, and all of them are read and parsed in its first trip. Asking for a part that cannot
be parsed raises; for a plan it is also a `fault`: a run that could not keep its books afterwards places no order.

The parser of a part is imported where it is read: a job that keeps no books starts without their many types.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, NamedTuple

from common.decimal_json import from_redis
from common.domain.instrument import Instrument
from common.domain.portfolio import Holdings
from common.errors import StoreCorrupt
from common.store.codec import Document, from_document
from common.store.documents import holdings_of
from common.store.keys import CacheKeys, Keys
from common.store.store import Read

if TYPE_CHECKING:
    from common.domain.decision.live_gate import Confirmation
    from common.domain.decision.pause import Pause
    from common.domain.ledger.ledger import Ledger
    from common.domain.ledger.position import FifoView
    from common.domain.ledger.quarantine import Quarantine
    from common.domain.orders.journal import Continuity, DayStart, JournalEntry
    from common.domain.orders.program import Program
    from common.domain.performance.attribution_state import AttributionState
    from common.domain.performance.benchmark import Inception
    from common.store.documents import LastPrice

BOOKS = ("holdings", "ledger", "lots", "inception", "attribution_state", "quarantine")
"""What updating the books needs."""
ORDERS = ("open_intents", "recent_intents", "journal_size")
"""What the order journal needs."""
TRADING = (
    *(*BOOKS, *ORDERS, "day_start", "continuity", "pause", "program"),
    *("last_price", "last_ticker", "last_plan", "trading_cost", "confirmation", "rules"),
)
"""What a plan and its order need beside the books."""


@dataclass(frozen=True, slots=True, init=False, repr=False, eq=False)
class State:
    """None where nothing is stored yet. Asking for a part that cannot be parsed raises StoreCorrupt.

    Asking for a part that the job did not name raises AttributeError.
    """

    holdings: Holdings | None
    ledger: "Ledger | None"
    lots: "FifoView | None"
    """The FIFO lots of the ledger's sealed fills."""
    inception: "Inception | None"
    attribution_state: "AttributionState | None"
    quarantine: "Quarantine"
    open_intents: "tuple[JournalEntry, ...]"
    recent_intents: "tuple[JournalEntry, ...]"
    journal: "tuple[JournalEntry, ...]"
    journal_size: int
    day_start: "DayStart | None"
    continuity: "Continuity | None"
    pause: "Pause | None"
    program: "Program | None"
    last_price: "LastPrice | None"
    earlier_reports: tuple[Document, ...]
    """The two reports before this run's, newest first, as stored: amounts are texts."""
    last_plan: str | None
    """Unparsed: it is long, and seldom needed."""
    last_ticker: str | None
    """The exchange's own reply, unparsed."""
    confirmation: "Confirmation | None"
    trading_cost: str | None
    """Unparsed: if it is unreadable, it is measured again."""
    shadows: str | None
    """Unparsed: no trade depends on them."""
    rules: str | None
    """The entry of the market-data cache, unparsed."""
    faults: Mapping[str, StoreCorrupt]
    """By part, why it cannot be parsed."""

    @classmethod
    def of(cls, values: Mapping[str, Any], keys: Keys) -> "State":
        """Parse what `reads` has read."""
        state, faults = cls(), {}
        for name, value in values.items():
            try:
                object.__setattr__(state, name, PARTS[name].understand(value, keys))
            except StoreCorrupt as error:
                faults[name] = error
        object.__setattr__(state, "faults", faults)
        return state

    @property
    def fault(self) -> str | None:
        """Which stored parts cannot be parsed, in words: then nothing may be ordered. None when all can."""
        return "; ".join(map(str, self.faults.values())) or None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise self.faults.get(name) or AttributeError(f"this job does not read {name}")


class Part(NamedTuple):
    """One part of the state: the command and key that read it, and the parser of the result."""

    command: str
    key: Callable[[Keys, CacheKeys], str]
    understand: Callable[[Any, Keys], Any]
    more: tuple[str, ...] = ()
    """Further arguments of the command."""


def _document(kind: str, key: Callable[[Keys], str]) -> Part:
    """A document stored as a plain dataclass, given by its name: `module:class`."""
    return _read(key, lambda found, keys: from_document(resolve_name(kind), found, key(keys)))


def _read(key: Callable[[Keys], str], understand: Callable[[Any, Keys], Any]) -> Part:
    return Part(
        "GET", lambda keys, _: key(keys), lambda found, keys: None if found is None else understand(found, keys)
    )


def _entries(key: Callable[[Keys], str]) -> Part:
    def understand(found: Mapping[str, str], keys: Keys) -> "tuple[JournalEntry, ...]":
        if not found:
            return ()
        from common.store.entries import entry_of

        name = key(keys)
        return tuple(entry_of(from_redis(text, f"{name}:{field}"), name) for field, text in found.items())

    return Part("HGETALL", lambda keys, _: key(keys), understand)


def _ledger(found: Any, keys: Keys) -> "Ledger":
    from common.store.records import ledger_of

    return ledger_of(found, keys.ledger)


def _lots(found: Any, keys: Keys) -> "FifoView":
    from common.store.records import lots_of

    return lots_of(found, keys.ledger_lots)


def _inception(found: Any, keys: Keys) -> "Inception":
    from common.store.records import inception_of

    return inception_of(found, _instrument(keys), keys.inception)


def _quarantine(found: Mapping[str, str], keys: Keys) -> "Quarantine":
    from common.domain.ledger.quarantine import Quarantine, Quarantined

    name = keys.quarantine
    return Quarantine(
        tuple(
            from_document(Quarantined, from_redis(text, f"{name}:{field}"), name) for field, text in found.items()
        )
    )


def _unparsed(found: Any, _: Keys) -> Any:
    return found


def _instrument(keys: Keys) -> Instrument:
    return Instrument.from_symbol(keys.symbol)


PARTS: Mapping[str, Part] = {
    "holdings": Part(
        "HGETALL",
        lambda keys, _: keys.position,
        lambda found, keys: holdings_of(found, _instrument(keys), keys.position),
    ),
    "ledger": _read(lambda keys: keys.ledger, _ledger),
    "lots": _read(lambda keys: keys.ledger_lots, _lots),
    "inception": _read(lambda keys: keys.inception, _inception),
    "attribution_state": _document(
        "common.domain.performance.attribution_state:AttributionState", lambda keys: keys.attribution
    ),
    "quarantine": Part("HGETALL", lambda keys, _: keys.quarantine, _quarantine),
    "open_intents": _entries(lambda keys: keys.orders_open),
    "recent_intents": _entries(lambda keys: keys.orders_recent),
    "journal": _entries(lambda keys: keys.orders_journal),
    "journal_size": Part("HLEN", lambda keys, _: keys.orders_journal, _unparsed),
    "day_start": _document("common.domain.orders.journal:DayStart", lambda keys: keys.day_start),
    "continuity": _document("common.domain.orders.journal:Continuity", lambda keys: keys.continuity),
    "pause": _document("common.domain.decision.pause:Pause", lambda keys: keys.pause),
    "program": _document("common.domain.orders.program:Program", lambda keys: keys.program),
    "last_price": _document("common.store.documents:LastPrice", lambda keys: keys.price_latest),
    "earlier_reports": Part(
        "LRANGE",
        lambda keys, _: keys.report_history("fifteen_min_job"),
        lambda found, _: tuple(found),
        ("0", "1"),
    ),
    "last_plan": Part("TEXT", lambda keys, _: keys.plan_last, _unparsed),
    "last_ticker": Part("TEXT", lambda keys, _: keys.raw_latest("ticker_24hr"), _unparsed),
    "confirmation": _document("common.domain.decision.live_gate:Confirmation", lambda keys: keys.confirmation),
    "trading_cost": Part("TEXT", lambda keys, _: keys.trading_cost, _unparsed),
    "shadows": Part("CACHED", lambda keys, _: keys.shadows, _unparsed),
    "rules": Part("CACHED", lambda keys, cache: cache.full(cache.rules(_instrument(keys).pair)), _unparsed),
}


def reads(names: Iterable[str], keys: Keys, cache: CacheKeys) -> dict[str, Read]:
    """What the first trip reads, by the part's name."""
    parts = {name: PARTS[name] for name in names}
    return {name: (part.command, part.key(keys, cache), *part.more) for name, part in parts.items()}


def containers(groups: Iterable[str], keys: Keys) -> dict[str, str]:
    """The hashes, lists and sorted sets that these groups write to, with their Redis types."""
    table = _containers(keys)
    return {key: kind for group in groups for key, kind in table[group].items()}


def every_container(keys: Keys) -> dict[str, str]:
    return containers(_containers(keys), keys)


def _containers(keys: Keys) -> Mapping[str, Mapping[str, str]]:
    """By group, every key that is not a string."""

    def raw(*endpoints: str) -> dict[str, str]:
        return {keys.raw_history(endpoint): "zset" for endpoint in endpoints}

    return {
        "account": {keys.position: "hash", **raw("account_info")},
        "price": {keys.price_history: "zset", **raw("ticker_24hr")},
        "books": {
            **dict.fromkeys((keys.cost, keys.quarantine), "hash"),
            **dict.fromkeys((keys.ledger_fills, keys.flows), "zset"),
            **raw("ticker_price", "my_trades", "all_orders", "klines"),
        },
        "equity": dict.fromkeys((keys.equity_slots, keys.equity_days, keys.shadow_days), "zset"),
        "orders": {
            **dict.fromkeys((keys.orders_open, keys.orders_recent, keys.orders_journal, keys.orders_known), "hash"),
            **raw("order", "all_orders", "open_orders"),
        },
        "plans": {
            keys.plan_history: "list",
            keys.plan_inputs: "list",
            **raw("depth", "exchange_info", "trade_fee", "self_symbols", "default_symbols", "klines"),
        },
        "reports": {keys.report_history("fifteen_min_job"): "list"},
        "commands": {keys.commands: "list"},
    }
