"""`restore`: ledger and order journal of an empty Redis, from the journal outside it or from the exchange.

The result is proved against the account: what the fills do not explain is told as drift, never hidden.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from common.adapters.clock import milliseconds
from common.adapters.journal_source import Bucket, Folder, JournalSource, events
from common.adapters.order_records import activity_document, entry_document, entry_of
from common.adapters.records import (
    Document,
    fifo_summary,
    fill_document,
    fill_of,
    inception_of,
    ledger_document,
    lots_document,
)
from common.adapters.wave import together
from common.config import Settings
from common.domain.decimals import plain, tidy
from common.domain.ledger import MEMORY, Ledger, drift
from common.domain.orders import Fill, JournalEntry
from common.domain.position import FifoView, Position
from common.domain.risk import Activity
from common.errors import BadRequest, StoreCorrupt
from common.jobs import cost, orders
from common.jobs.fills import FillReader, with_fee_values
from common.jobs.run import NO_KEYS, Job, Outcome, Run, keep_raw, skipped

log = logging.getLogger(__name__)
NOT_EMPTY = "The ledger in Redis is not empty: nothing is restored over it"


@dataclass
class Journal:
    """What the log lines tell: fills by id, the last word on each intent, and the beginning."""

    fills: dict[str, Fill] = field(default_factory=dict)
    entries: dict[str, JournalEntry] = field(default_factory=dict)
    inception: Document | None = None
    opening_quantity: Decimal | None = None

    @classmethod
    def read(cls, source: JournalSource) -> "Journal":
        journal = cls()
        for name, fields in events(source):
            if name == "journal.fill":
                fill = fill_of(fields, source.name)
                journal.fills[fill.fill_id] = fill
            elif name == "journal.intent":
                journal._note(entry_of(fields, source.name))
            elif name == "journal.inception":
                journal._begin(fields, source.name)
        return journal

    def _begin(self, fields: Any, where: str) -> None:
        """Of several beginnings (a Redis that was lost once before) the earliest stands."""
        try:
            document, opening = fields["inception"], fields["opening_quantity"]
            begun = datetime.fromisoformat(document["timestamp"])
            known = datetime.fromisoformat(self.inception["timestamp"]) if self.inception else None
        except (KeyError, TypeError, ValueError) as error:
            raise StoreCorrupt(f"{where} is not the record of the inception: {type(error).__name__}") from None
        if not isinstance(opening, Decimal):
            raise StoreCorrupt(f"{where} does not tell the coins of the inception")
        if known is None or begun < known:
            self.inception, self.opening_quantity = document, opening

    def _note(self, entry: JournalEntry) -> None:
        """Lines may come in any order: the newest word on an intent stands."""
        name = entry.intent.client_order_id
        known = self.entries.get(name)
        if known is None or entry.updated_at >= known.updated_at:
            self.entries[name] = entry


def source_of(settings: Settings, wanted: object) -> JournalSource | None:
    """The journal that is configured, or None to go by the exchange alone. Raises BadRequest."""
    if wanted not in (None, "journal", "exchange"):
        raise BadRequest("source: journal or exchange")
    if wanted == "exchange":
        return None
    if settings.journal_folder:
        return Folder(settings.journal_folder)
    if settings.journal_bucket:
        return Bucket.of(settings.journal_bucket)
    if wanted == "journal":
        raise BadRequest("source: neither JOURNAL_BUCKET nor JOURNAL_FOLDER is set")
    return None


def run(run: Run, source: JournalSource | None) -> Outcome:
    if not run.settings.has_keys:
        return skipped(NO_KEYS)
    if run.values["ledger"] is not None:
        return skipped(NOT_EMPTY)
    with run.stage("gather"):
        journal = Journal.read(source) if source else Journal()
        reader = FillReader.since(None, run.exchange, run.now)
        wave = together(run.pool, {**reader.calls, "account": run.exchange.account})
        keep_raw(run.batch, wave)
        account = wave.get("account")
        told = reader.history(wave).fills
    with run.stage("decide"):
        new = tuple(fill for fill in told if fill.fill_id not in journal.fills)
        fills = [*journal.fills.values(), *with_fee_values(new, run.exchange, run.instrument)]
        quantity = account.value.balance(run.instrument.base).total
        data = _rebuilt(run, journal, fills, quantity, account.reply.received_at)
    return Outcome(body={"data": data | {"source": source.name if source else "exchange"}})


def _rebuilt(
    run: Run, journal: Journal, fills: Iterable[Fill], account_quantity: Decimal, as_of: datetime
) -> Document:
    """Fold the fills, queue all that was lost, and say how it compares with the account."""
    instrument = run.instrument
    ordered = sorted(fills, key=lambda fill: fill.order_key)
    ledger = Ledger.first(run.now, ordered, account_quantity, instrument)
    if journal.opening_quantity is not None:
        ledger = replace(ledger, sealed=Position(unknown_quantity=journal.opening_quantity))
    start = min([run.now - MEMORY, *(fill.executed_at for fill in ordered[:1])])
    absorbed = replace(ledger, sealed_until=start, place=start).absorb(ordered, run.now, instrument)
    lots = FifoView().fold(absorbed.settled, instrument)
    summary = fifo_summary(lots.fold(absorbed.ledger.tail, instrument))
    batch, keys = run.batch, run.keys
    batch.members(keys.ledger_fills, [(milliseconds(f.executed_at), fill_document(f)) for f in ordered])
    batch.document(keys.ledger, ledger_document(absorbed.ledger, summary))
    batch.document(keys.ledger_lots, lots_document(lots))
    if journal.inception is not None:
        inception_of(journal.inception, instrument, "the journal's inception")
        batch.document_once(keys.inception, journal.inception)
    _restore_entries(run, journal)
    position = absorbed.ledger.position(instrument)
    off = drift(absorbed.ledger, account_quantity, as_of, instrument)
    log.warning("restored %d fills and %d intents; drift %s", len(ordered), len(journal.entries), plain(tidy(off)))
    return {
        "fills": len(ordered),
        "fills_from_journal": len(journal.fills),
        "intents": len(journal.entries),
        "open_intents": sum(1 for entry in journal.entries.values() if entry.state.open),
        "ledger_quantity": position.quantity,
        "avg_cost": position.average_cost,
        "realized_pnl": position.realized_pnl,
        "unknown_cost_quantity": position.unknown_quantity,
        "account_quantity": account_quantity,
        "drift_quantity": tidy(off),
        "proved": off == 0,
    }


def _restore_entries(run: Run, journal: Journal) -> None:
    batch, keys = run.batch, run.keys
    for name, entry in journal.entries.items():
        document = entry_document(entry)
        batch.hash(keys.orders_journal, {name: document})
        if entry.state.open:
            batch.hash(keys.orders_open, {name: document})
        if entry.order_id:
            batch.hash(keys.orders_known, {entry.order_id: name})
    sent = sorted(entry.sent_at for entry in journal.entries.values() if entry.sent_at)
    if sent:
        today = run.now.date()
        activity = Activity(
            today.isoformat(),
            orders=sum(1 for moment in sent if moment.date() == today),
            last_order_at=sent[-1],
            last_slot=max(entry.intent.slot for entry in journal.entries.values() if entry.sent_at),
        )
        batch.document(keys.activity, activity_document(activity))


def _nothing(_: Any) -> None:
    return None


def job(source: JournalSource | None) -> Job:
    """The restore as a run: under the account's lease, stored in one MULTI."""
    return Job(
        name="restore",
        task="ops",
        scope="account",
        reads=cost.reads,
        containers=lambda keys: {**cost.containers(keys), **orders.containers(keys), keys.commands: "list"},
        run=partial(run, source=source),
        show=_nothing,
    )
