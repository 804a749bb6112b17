"""`restore`: ledger and order journal rebuilt from the audit log, from the stored fills, and from the exchange.

    {"command": "restore"}                      -> rebuilt, when the ledger is lost or younger than the audit log
                                                   else what a rebuilt ledger would be, and `confirm`
    {"command": "restore", "confirm": "1f0c"}   -> rebuilt; the ledger that was there moves to <key>:aside:<time>

After a loss the next run starts a new ledger from what the exchange still lists: such a younger one is merged with
the audit log. The result is checked against the account: what the fills do not explain is reported as drift, never
hidden.
"""

import logging
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import NamedTuple

from common.books.details import with_fee_values
from common.books.fills import FillReader, History
from common.books.gather import all_fills
from common.books.update import checked_exchange, queue_quarantine
from common.clock import milliseconds
from common.config import Settings
from common.decimals import plain, tidy
from common.domain.ledger.ledger import Absorbed, Ledger, drift, once, restamped_after_fills, was_before
from common.domain.ledger.position import FifoView, Position
from common.domain.ledger.quarantine import Quarantine, Ruling
from common.domain.orders.journal import Journal as OrderJournal
from common.domain.orders.order import Fill
from common.domain.performance.attribution_state import AttributionState, without
from common.domain.performance.benchmark import Inception, Moved
from common.domain.performance.equity import Flow
from common.domain.portfolio import Holdings
from common.errors import BadRequest
from common.gcp.journal import AuditLogSource
from common.mexc.wave import together
from common.ops.audit_log import AuditLog
from common.run import NO_KEYS, Job, Outcome, Run, keep_raw, skipped
from common.store.codec import Document, to_document
from common.store.entries import entry_document
from common.store.records import inception_document, lots_document
from common.trading import recording

log = logging.getLogger(__name__)
NOT_EMPTY = "The ledger in Redis is not empty, and goes as far back as the journal: nothing is restored over it"


class Gathered(NamedTuple):
    """Every fill there is a record of, those that only the exchange has, all flows, and the account."""

    fills: tuple[Fill, ...]
    unrecorded: tuple[Fill, ...]
    flows: tuple[Flow, ...]
    inception: Inception | None
    history: History
    holdings: Holdings


def run(run: Run, audit_log: AuditLog, confirm: str | None) -> Outcome:
    """Rebuild, or show what would be rebuilt. Raises BadRequest if that is no longer what was confirmed."""
    if not run.settings.has_keys:
        return skipped(NO_KEYS)
    before = run.state.ledger
    with run.stage("gather"):
        gathered = _gathered(run, audit_log)
    with run.stage("decide"):
        absorbed, quarantine = _rebuilt(run, gathered), _quarantine(run, audit_log, gathered)
        data = _document(run, audit_log, gathered, absorbed.ledger, quarantine)
        if before is not None and not audit_log.goes_further_back(before):
            proof = _proof(before, absorbed.ledger, run)
            data |= {"replaces": _figures(run, before, gathered.holdings)}
            if confirm is None:
                return Outcome("skipped", {"data": data | {"confirm": proof}}, NOT_EMPTY)
            if confirm != proof:
                raise BadRequest("confirm: the ledgers are not the ones that were shown, look at them again")
            data |= {"moved_to": run.batch.set_aside(run.keys.ledger, run.now)}
        _queue(run, audit_log, gathered, absorbed, quarantine)
    counts = len(gathered.fills), len(audit_log.entries), plain(data["drift_quantity"])
    log.warning("restored %d fills and %d intents; drift %s", *counts)
    return Outcome(body={"data": data})


def _gathered(run: Run, audit_log: AuditLog) -> Gathered:
    """Read everything; fills that an operator has booked in an odd row's place are among them."""
    checked_exchange(run, run.state.ledger)
    stored, flows = all_fills(run)
    reader = FillReader.since(None, run.exchange, run.now)
    wave = together(run.pool, {**reader.calls, "account": run.exchange.account})
    keep_raw(run.batch, wave)
    account, history, quarantine = wave.get("account"), reader.history(wave), run.state.quarantine
    known = {fill.fill_id for fill in (*audit_log.fills, *stored)}
    listed = [*(fill for fill in history.fills if fill.fill_id not in quarantine.ruled), *quarantine.to_book]
    new = tuple(fill for fill in listed if fill.fill_id not in known)
    valued = with_fee_values(new, run.exchange, run.pool, run.now, run.batch)
    beginnings = [each for each in (audit_log.inception, run.state.inception if stored else None) if each]
    by_time = audit_log.flows | {flow.at: flow for flow in flows}
    return Gathered(
        fills=once((*audit_log.fills, *stored, *valued)),
        unrecorded=valued,
        flows=tuple(by_time[at] for at in sorted(by_time)),
        inception=min(beginnings, key=lambda each: each.at, default=None),
        history=history,
        holdings=account.value.holdings(run.instrument, account.reply.received_at),
    )


def _rebuilt(run: Run, gathered: Gathered) -> Absorbed:
    """The ledger of all fills, from the inception where one is known, else from the account as it is."""
    fills, inception, instrument = gathered.fills, gathered.inception, run.instrument
    if inception is not None:
        opening, opened_at = inception.base_quantity, inception.at
    else:
        opening = gathered.holdings.base.total
        opened_at = restamped_after_fills(gathered.holdings, None, fills, instrument).as_of
    absorbed = Ledger.first(run.now, fills, opening, opened_at, instrument, run.exchange.address)
    earlier = run.state.ledger.gaps if run.state.ledger is not None else ()
    gaps = tuple(dict.fromkeys((*earlier, *gathered.history.gaps)))
    return absorbed._replace(ledger=replace(absorbed.ledger, gaps=gaps))


def _figures(run: Run, ledger: Ledger, holdings: Holdings) -> Document:
    """What a ledger says, compared with the account."""
    position = ledger.position(run.instrument)
    seen = restamped_after_fills(holdings, ledger, ledger.tail, run.instrument)
    return {
        "ledger_quantity": position.quantity,
        "avg_cost": position.average_cost,
        "realized_pnl": position.realized_pnl,
        "unknown_cost_quantity": position.unknown_quantity,
        "drift_quantity": tidy(drift(ledger, holdings.base.total, seen.as_of, run.instrument)),
    }


def _document(
    run: Run, audit_log: AuditLog, gathered: Gathered, ledger: Ledger, quarantine: Quarantine
) -> Document:
    figures, odd = _figures(run, ledger, gathered.holdings), quarantine.open
    return {
        "fills": len(gathered.fills),
        "fills_from_journal": len(audit_log.fills),
        "fills_in_quarantine": len(odd),
        "intents": len(audit_log.entries),
        "open_intents": sum(1 for entry in audit_log.entries.values() if entry.state.open),
        "account_quantity": gathered.holdings.base.total,
        **figures,
        "proved": figures["drift_quantity"] == 0 and not odd,
        "journal_chain": audit_log.chain._asdict() if audit_log.chain else None,
        "source": audit_log.name,
    }


def _proof(before: Ledger, rebuilt: Ledger, run: Run) -> str:
    """Identify both ledgers by what they have counted: what has changed since it was shown is not replaced."""
    text = repr([(ledger.position(run.instrument), ledger.opening) for ledger in (before, rebuilt)])
    return sha256(text.encode()).hexdigest()[:12]


def _queue(run: Run, audit_log: AuditLog, gathered: Gathered, absorbed: Absorbed, quarantine: Quarantine) -> None:
    batch, keys, fills = run.batch, run.keys, gathered.fills
    lots = FifoView().fold(absorbed.sealed_fills, run.instrument)
    batch.members(keys.ledger_fills, [(milliseconds(f.executed_at), to_document(f)) for f in fills])
    batch.document(keys.ledger, to_document(absorbed.ledger))
    batch.document(keys.ledger_lots, lots_document(lots))
    if (inception := gathered.inception) is not None:
        before = [fill for fill in fills if was_before(fill, inception.at)]
        inception = replace(inception, moved=Moved.by(Position().fold(before, run.instrument)))
        batch.document(keys.inception, inception_document(inception, run.instrument))
        _queue_attribution(run, audit_log, gathered, inception)
    queue_quarantine(run, batch, run.state.quarantine, quarantine)
    _queue_entries(run, audit_log)


def _quarantine(run: Run, audit_log: AuditLog, gathered: Gathered) -> Quarantine:
    """Every odd row that the exchange lists; those that an operator has booked or left out before stay so."""
    booked = {fill.fill_id: fill for fill in gathered.fills}
    after = run.state.quarantine.after(gathered.history.odd, gathered.history.fills, run.now)
    entries = []
    for entry in after.entries:
        name, ruling = entry.odd.fill_id, entry.ruling
        if ruling is None and name in booked:
            ruling = Ruling("the audit log", run.now, booked[name], applied=True)
        entries.append(replace(entry, ruling=ruling or audit_log.ignored.get(name)))
    return Quarantine(tuple(entries))


def _queue_attribution(run: Run, audit_log: AuditLog, gathered: Gathered, inception: Inception) -> None:
    """Queue attribution, flows and daily points; the next run compares them with balances.

    A fill that no record had was taken for a flow, where there was an attribution to take it for one.
    """
    before, flows, weight = run.state.attribution_state, gathered.flows, run.settings.policy.target_weight
    if before is not None:
        flows = without(flows, gathered.unrecorded, run.instrument)
    state = AttributionState.rebuilt(None, inception, gathered.fills, flows, weight, run.instrument)
    last = audit_log.days[max(audit_log.days)] if audit_log.days else None
    if last is not None and (before is None or before.attribution.since > inception.at):
        shares = replace(state.shares, variance=last.shares.variance, mid=last.mid)
        state = replace(state, shares=shares, last_day=last.at.date())
    elif before is not None:
        shares = replace(state.shares, variance=before.shares.variance, mid=before.shares.mid)
        state = replace(state, shares=shares, last_day=before.last_day)
    run.batch.document(run.keys.attribution, to_document(state))
    run.batch.delete(run.keys.flows)
    run.batch.members(run.keys.flows, [(milliseconds(flow.at), to_document(flow)) for flow in flows])
    for at, point in audit_log.days.items():
        run.batch.at_score(run.keys.equity_days, to_document(point), milliseconds(at))


def _queue_entries(run: Run, audit_log: AuditLog) -> None:
    """Queue the intents that Redis lacks or knows less about, and the record of the last two days."""
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


def job(settings: Settings, source: AuditLogSource | None, confirm: object = None) -> Job:
    """The restore as a run: under the account's lease, stored in one MULTI. Raises BadRequest.

    The audit log is read here, before the lease is taken: a year of it takes longer than a job waits.
    """
    if confirm is not None and not isinstance(confirm, str):
        raise BadRequest("confirm: what the command without it has answered")
    audit_log = AuditLog.read(source, settings.instrument) if source and settings.has_keys else AuditLog()
    return Job(
        name="restore",
        task="ops",
        scope="account",
        run=partial(run, audit_log=audit_log, confirm=confirm),
        show=lambda _: None,
        reads=("ledger", "inception", "attribution_state", "quarantine", "journal"),
        writes=("books", "equity", "orders", "commands"),
    )
