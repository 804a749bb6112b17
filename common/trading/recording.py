"""The order journal as a run sees it: what was read at the start, and what the run has written since.

orders:journal   every intent ever made      orders:open     those whose outcome is still to be asked for
orders:recent    those of the last two days: every run folds them again to count orders
"""

from common.decimal_json import from_redis
from common.domain.orders.journal import Journal, JournalEntry
from common.gcp.journal import note
from common.run import Run
from common.store.batch import Batch
from common.store.entries import entry_document, entry_of


def order_journal(run: Run) -> Journal:
    """The journal of the last two days as this run knows it, plus what this process remembers having sent.

    Raises StoreCorrupt when a record cannot be read: then nothing is ordered.
    """
    if run.order_journal is None:
        run.order_journal = _remembered(run, _stored(run))
    return run.order_journal


def _stored(run: Run) -> Journal:
    recent = run.state.recent_intents
    if not recent and run.state.journal_size:
        recent = _of_the_whole_journal(run)
    journal = Journal.of([*recent, *run.state.open_intents])
    for name in journal.outdated(run.now):
        run.batch.hash_delete(run.keys.orders_recent, name)
    return journal


def _of_the_whole_journal(run: Run) -> tuple[JournalEntry, ...]:
    """Fill orders:recent once from the whole journal: older versions did not keep it."""
    key = run.keys.orders_journal
    texts = run.store.read_one(("HGETALL", key), run.meter)
    journal = Journal.of(entry_of(from_redis(text, key), key) for text in texts.values())
    outdated = set(journal.outdated(run.now))
    recent = tuple(entry for name, entry in journal.entries.items() if name not in outdated)
    for entry in recent:
        run.batch.hash(run.keys.orders_recent, {entry.intent.client_order_id: entry_document(entry)})
    return recent


def _remembered(run: Run, stored: Journal) -> Journal:
    """Add what this process sent and Redis may have forgotten, until its outcome is read back from Redis."""
    journal = stored
    for name, sent in list(run.in_flight.items()):
        known = stored.entries.get(name)
        if known is not None and not known.state.open:
            del run.in_flight[name]
        elif known is None or known.sent_at is None or known.order_id is None:
            journal = journal.with_entry(sent)
    return journal


def record(run: Run, entry: JournalEntry) -> JournalEntry:
    """Queue an intent's new state, write it to the audit log, and return the entry."""
    run.order_journal = order_journal(run).with_entry(entry)
    queue(run.batch, entry)
    note("intent", entry_document(entry))
    return entry


def queue(batch: Batch, entry: JournalEntry, *, recent: bool = True) -> None:
    """Queue the entry for the journal and the last two days, and add it to or remove it from the open ones."""
    keys, name, document = batch.keys, entry.intent.client_order_id, entry_document(entry)
    batch.hash(keys.orders_journal, {name: document})
    if recent:
        batch.hash(keys.orders_recent, {name: document})
    if entry.state.open:
        batch.hash(keys.orders_open, {name: document})
    else:
        batch.hash_delete(keys.orders_open, name)
    if entry.order_id:
        batch.hash(keys.orders_known, {entry.order_id: name})
