"""`restore`: ledger and order journal after a loss of Redis, from the audit log or from the exchange.

After a loss the next run starts a new ledger from what the exchange still lists. So an existing ledger prevents a
restore only if it goes as far back as the audit log; a younger one is merged with the audit log. The result is
checked against the account: what the fills do not explain is reported as drift, never hidden.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from common.books.details import with_fee_values
from common.books.fills import FillReader
from common.books.gather import all_fills
from common.books.update import checked_exchange
from common.clock import milliseconds
from common.config import Settings
from common.decimals import plain, tidy
from common.domain.chain import Checked, Seen, check
from common.domain.instrument import Instrument
from common.domain.ledger.ledger import Ledger, drift, once, restamped_after_fills, was_before
from common.domain.ledger.position import FifoView, Position
from common.domain.orders.journal import Journal as OrderJournal
from common.domain.orders.journal import JournalEntry
from common.domain.orders.order import Fill
from common.domain.performance.attribution_state import AttributionState
from common.domain.performance.benchmark import Inception, Moved
from common.domain.performance.equity import Flow, Point
from common.domain.portfolio import Holdings
from common.errors import BadRequest
from common.gcp.journal import AuditLogSource, Bucket, Folder, events
from common.mexc.wave import together
from common.run import NO_KEYS, Job, Outcome, Run, keep_raw, skipped
from common.store.codec import Document, from_document, to_document
from common.store.entries import entry_document, entry_of
from common.store.records import fill_of, inception_document, inception_of, lots_document
from common.trading import recording

log = logging.getLogger(__name__)
NOT_EMPTY = "The ledger in Redis is not empty, and goes as far back as the journal: nothing is restored over it"


@dataclass
class AuditLog:
    """What the log lines hold: fills, flows, the last state of each intent, the daily points, and the inception."""

    name: str = "exchange"
    """Where it was read from; without an audit log everything comes from the exchange."""
    fills: list[Fill] = field(default_factory=list)
    flows: dict[datetime, Flow] = field(default_factory=dict)
    days: dict[datetime, Point] = field(default_factory=dict)
    entries: dict[str, JournalEntry] = field(default_factory=dict)
    inception: Inception | None = None
    chain: Checked | None = None

    @classmethod
    def read(cls, source: AuditLogSource, instrument: Instrument) -> "AuditLog":
        audit_log = cls(source.name)
        seen: list[Seen] = []
        for name, fields in events(source, without=("journal.plan",), seen=seen):
            if name == "journal.fill":
                audit_log.fills.append(fill_of(fields, source.name))
            elif name == "journal.flow":
                flow = from_document(Flow, fields, source.name)
                audit_log.flows[flow.at] = flow
            elif name == "journal.equity":
                point = from_document(Point, fields, source.name)
                audit_log.days[point.at] = point
            elif name == "journal.intent":
                audit_log._note(entry_of(fields, source.name))
            elif name == "journal.inception":
                audit_log._begin(inception_of(fields.get("inception"), instrument, source.name))
        audit_log.chain = check(seen, whole=True)
        if audit_log.chain.broken:
            log.error("the journal is not whole: %s", audit_log.chain.broken)
        return audit_log

    def _begin(self, inception: Inception) -> None:
        """Keep the earliest inception: there are several if Redis was lost before."""
        if self.inception is None or inception.at < self.inception.at:
            self.inception = inception

    def _note(self, entry: JournalEntry) -> None:
        """Keep the newest state of an intent: lines may come in any order."""
        name = entry.intent.client_order_id
        known = self.entries.get(name)
        if known is None or entry.updated_at >= known.updated_at:
            self.entries[name] = entry

    def goes_further_back(self, stored: Inception | None) -> bool:
        """Whether its inception is earlier than the stored one."""
        if self.inception is None:
            return False
        return stored is None or self.inception.at < stored.at


def source_of(settings: Settings, wanted: object) -> AuditLogSource | None:
    """The configured audit log, or None to use the exchange alone. Raises BadRequest."""
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


def run(run: Run, audit_log: AuditLog) -> Outcome:
    if not run.settings.has_keys:
        return skipped(NO_KEYS)
    with run.stage("gather"):
        fills = list(audit_log.fills)
        checked_exchange(run, run.state.ledger)
        if run.state.ledger is not None:
            if not audit_log.goes_further_back(run.state.inception):
                return skipped(NOT_EMPTY)
            stored, flows = all_fills(run)
            fills += stored
            audit_log.flows |= {flow.at: flow for flow in flows}
        reader = FillReader.since(None, run.exchange, run.now)
        wave = together(run.pool, {**reader.calls, "account": run.exchange.account})
        keep_raw(run.batch, wave)
        account = wave.get("account")
        listed = reader.history(wave).fills
    with run.stage("decide"):
        known = {fill.fill_id for fill in fills}
        new = tuple(fill for fill in listed if fill.fill_id not in known)
        fills += with_fee_values(new, run.exchange, run.pool, run.now, run.batch)
        holdings = account.value.holdings(run.instrument, account.reply.received_at)
        data = _rebuilt(run, audit_log, once(fills), holdings)
    return Outcome(body={"data": data | {"source": audit_log.name}})


def _rebuilt(run: Run, audit_log: AuditLog, ordered: Sequence[Fill], holdings: Holdings) -> Document:
    """Fold the fills, queue everything that was lost, and compare the result with the account."""
    instrument, batch, keys = run.instrument, run.batch, run.keys
    account_quantity = holdings.base.total
    opening, opened_at = account_quantity, restamped_after_fills(holdings, None, ordered, instrument).as_of
    if (inception := audit_log.inception) is not None:
        before = [fill for fill in ordered if was_before(fill, inception.at)]
        opening, opened_at = inception.base_quantity, inception.at
        inception = replace(inception, moved=Moved.by(Position().fold(before, instrument)))
        batch.document(keys.inception, inception_document(inception, instrument))
        _restore_attribution(run, audit_log, inception, ordered)
    absorbed = Ledger.first(run.now, ordered, opening, opened_at, instrument, run.exchange.address)
    lots = FifoView().fold(absorbed.sealed_fills, instrument)
    batch.members(keys.ledger_fills, [(milliseconds(f.executed_at), to_document(f)) for f in ordered])
    batch.document(keys.ledger, to_document(absorbed.ledger))
    batch.document(keys.ledger_lots, lots_document(lots))
    _restore_entries(run, audit_log)
    position = absorbed.ledger.position(instrument)
    seen = restamped_after_fills(holdings, absorbed.ledger, absorbed.ledger.tail, instrument)
    off = drift(absorbed.ledger, account_quantity, seen.as_of, instrument)
    log.warning(
        "restored %d fills and %d intents; drift %s", len(ordered), len(audit_log.entries), plain(tidy(off))
    )
    return {
        "fills": len(ordered),
        "fills_from_journal": len(audit_log.fills),
        "intents": len(audit_log.entries),
        "open_intents": sum(1 for entry in audit_log.entries.values() if entry.state.open),
        "ledger_quantity": position.quantity,
        "avg_cost": position.average_cost,
        "realized_pnl": position.realized_pnl,
        "unknown_cost_quantity": position.unknown_quantity,
        "account_quantity": account_quantity,
        "drift_quantity": tidy(off),
        "proved": off == 0,
        "journal_chain": audit_log.chain._asdict() if audit_log.chain else None,
    }


def _restore_attribution(run: Run, audit_log: AuditLog, inception: Inception, fills: Sequence[Fill]) -> None:
    """Restore the attribution from fills and flows, and the daily points; the next run compares with balances."""
    flows = [audit_log.flows[at] for at in sorted(audit_log.flows)]
    state = AttributionState.rebuilt(
        None, inception, fills, flows, run.settings.policy.target_weight, run.instrument
    )
    if audit_log.days:
        last = audit_log.days[max(audit_log.days)]
        shares = replace(state.shares, variance=last.shares.variance, mid=last.mid)
        state = replace(state, shares=shares, last_day=last.at.date())
    run.batch.document(run.keys.attribution, to_document(state))
    run.batch.members(run.keys.flows, [(milliseconds(flow.at), to_document(flow)) for flow in flows])
    for at, point in audit_log.days.items():
        run.batch.at_score(run.keys.equity_days, to_document(point), milliseconds(at))


def _restore_entries(run: Run, audit_log: AuditLog) -> None:
    """Restore the intents that Redis lacks or knows less about, and the record of the last two days."""
    batch, keys = run.batch, run.keys
    entries = {entry.intent.client_order_id: entry for entry in run.state.journal}
    for name, entry in audit_log.entries.items():
        known = entries.get(name)
        if known is not None and known.updated_at >= entry.updated_at:
            continue
        entries[name] = entry
        recording.queue(batch, entry, recent=False)
    outdated = OrderJournal(entries).outdated(run.now)
    for name, entry in entries.items():
        if name not in outdated:
            batch.hash(keys.orders_recent, {name: entry_document(entry)})
    # The P&L at the start of the day is lost: the day's loss is counted from now on.
    batch.delete(keys.day_start)


def job(settings: Settings, source: AuditLogSource | None) -> Job:
    """The restore as a run: under the account's lease, stored in one MULTI.

    The audit log is read here, before the lease is taken: a year of it takes longer than a job waits.
    """
    audit_log = AuditLog.read(source, settings.instrument) if source and settings.has_keys else AuditLog()
    return Job(
        name="restore",
        task="ops",
        scope="account",
        run=partial(run, audit_log=audit_log),
        show=lambda _: None,
        reads=("ledger", "inception", "journal"),
        writes=("books", "equity", "orders", "commands"),
    )
