"""Bringing the books up to date: gather, fold, queue (contract.md §2.3, §5, §13)."""

import logging
from decimal import Decimal
from typing import NamedTuple

from common.books.fills import History
from common.books.fold import BookContext, Books, Folded, NewFills, Observation, fold, is_whole, without_counted
from common.books.gather import gathered
from common.clock import milliseconds
from common.decimals import ZERO, places, plain, tidy
from common.domain.ledger.ledger import Ledger
from common.domain.ledger.quarantine import Quarantine
from common.domain.ledger.statement import Statement, statement
from common.domain.orders.order import Fill
from common.errors import ConfigurationError
from common.gcp.journal import note
from common.run import Run
from common.store.batch import Batch
from common.store.codec import Document, to_document
from common.store.documents import cost_document
from common.store.records import inception_document, lots_document

log = logging.getLogger(__name__)
NO_COST = "No position or cost data"


class Update(NamedTuple):
    """The books after an update, what they were compared with and say, new fills, and the cost response's data.

    `data` is None where nothing was ever traded and nothing was held when the ledger began.
    """

    books: Books
    observation: Observation
    statement: Statement
    fresh: tuple[Fill, ...]
    data: Document | None

    @property
    def total_pnl(self) -> Decimal:
        return tidy(self.statement.total_pnl)


def books_of(run: Run) -> Books:
    """What is stored. Raises StoreCorrupt; ConfigurationError for a ledger that was begun on another exchange."""
    state = run.state
    checked_exchange(run, state.ledger)
    return Books(state.ledger, state.lots, state.inception, state.attribution_state, state.quarantine)


def checked_exchange(run: Run, ledger: Ledger | None) -> None:
    """Raises ConfigurationError when the ledger was begun on another exchange than this run asks."""
    asked = run.exchange.address
    if ledger is not None and ledger.exchange not in ("", asked):
        raise ConfigurationError(
            f"MEXC_BASE_URL: {run.keys.ledger} was begun on {ledger.exchange}, not on {asked}: "
            "another exchange needs a REDIS_KEY_PREFIX of its own"
        )


def context_of(run: Run) -> BookContext:
    return BookContext(run.instrument, run.exchange.address, run.settings.policy.target_weight)


def update(run: Run, batch: Batch, books: Books, observation: Observation, history: History) -> Update:
    """Fold what is new, queue the books, and return them with the cost document.

    Raises StoreCorrupt when stored data cannot be read back; an invented cost never takes its place.
    """
    new_fills = without_counted(books, gathered(run, books, history), observation, run.instrument)
    folded = fold(books, new_fills, observation, context_of(run))
    quarantine = books.quarantine.after(new_fills.odd, history.fills, run.now)
    _log_news(run, books, history, folded)
    if not is_whole(books, new_fills, run.instrument):
        log.error("%s holds fewer fills than the ledger has counted: restore", run.keys.ledger_fills)
    _queue(run, batch, books, history, new_fills, folded)
    queue_quarantine(run, batch, books.quarantine, quarantine)
    after = Books(folded.ledger, folded.lots, folded.inception, folded.attribution_state, quarantine)
    observation = folded.observation
    holdings = observation.holdings
    said = statement(folded.ledger, folded.lots, folded.inception, holdings, observation.mark_price, run.instrument)
    held = {fill.fill_id for fill in books.tail}
    fresh = tuple(fill for fill in new_fills.fills if fill.fill_id not in held)
    if said.empty and not quarantine.open:
        return Update(after, observation, said, fresh, None)
    attribution, price = folded.attribution_state.now(run.instrument).attribution, observation.mark_price
    lines = attribution.at(price) if price > 0 else None
    data = cost_document(said, lines, quarantine, run.instrument)
    batch.hash(run.keys.cost, data | {"updated_at": run.now})
    if said.drift:
        log.warning("the account holds %s %s beyond the ledger", plain(tidy(said.drift)), run.instrument.base)
    if said.cost_known:
        log.info(_sentence(data, run))
    return Update(after, observation, said, fresh, data)


def absorb(run: Run, books: Books, observation: Observation, fills: tuple[Fill, ...]) -> Update | None:
    """Add an order's own fills to the books, with the balances read after it; the ledger's place stays."""
    if books.ledger is None:
        return None
    return update(run, run.batch, books, observation, History(fills, (), books.ledger.place))


def _queue(run: Run, batch: Batch, books: Books, history: History, new_fills: NewFills, folded: Folded) -> None:
    keys, instrument = run.keys, run.instrument
    for reply in history.more_replies:
        batch.raw(reply)
    recorded = (*new_fills.counted_before, *new_fills.fills)
    batch.members(keys.ledger_fills, [(milliseconds(f.executed_at), to_document(f)) for f in recorded])
    for fill in recorded:
        note("fill", to_document(fill))
    batch.document(keys.ledger, to_document(folded.ledger))
    if folded.lots_changed or books.ledger is None:
        batch.document(keys.ledger_lots, lots_document(folded.lots))
    inception = inception_document(folded.inception, instrument)
    if books.inception is None:
        batch.document_once(keys.inception, inception)
        note("inception", {"inception": inception})
    elif folded.inception != books.inception:
        batch.document(keys.inception, inception)
    batch.document(keys.attribution, to_document(folded.attribution_state))
    if folded.flows is not None:
        batch.delete(keys.flows)
    flows = [*(folded.flows or ()), *([folded.confirmed] if folded.confirmed else [])]
    batch.members(keys.flows, [(milliseconds(flow.at), to_document(flow)) for flow in flows])
    if folded.confirmed:
        note("flow", to_document(folded.confirmed))


def queue_quarantine(run: Run, batch: Batch, before: Quarantine, after: Quarantine) -> None:
    """Queue what has changed, and log what is new in it."""
    known = {entry.odd.fill_id: entry for entry in before.entries}
    now = {entry.odd.fill_id: entry for entry in after.entries}
    for name in known.keys() - now.keys():
        batch.hash_delete(run.keys.quarantine, name)
    for name, entry in now.items():
        if known.get(name) != entry:
            batch.hash(run.keys.quarantine, {name: to_document(entry)})
        if name not in known and entry.ruling is None:
            log.error(
                "fill %s cannot be booked (%s): nothing is ordered until an operator says", name, entry.odd.reason
            )
            note("odd_fill", to_document(entry.odd))


def _log_news(run: Run, books: Books, history: History, folded: Folded) -> None:
    """Log what an operator should know about what was read."""
    before = books.ledger
    for gap in history.gaps:
        if before is None or gap not in before.gaps:
            log.error("fills between %s and %s are lost: the exchange no longer lists them", gap.start, gap.end)
    for at, what in history.left_out:
        if before is None or at > before.place:
            log.warning("%s: left out", what)
    if before is None and folded.ledger.opening > 0:
        opening = plain(folded.ledger.opening)
        log.warning("%s %s were there before the known history: cost unknown", opening, run.instrument.base)
    if before is not None and folded.from_scratch:
        log.warning("the ledger is folded again from its whole history")


def _sentence(data: Document, run: Run) -> str:
    base = run.instrument.base
    return (
        f"[Cloud Task] Cost updated - Position: {places(data[f'{base.lower()}_balance'], 4)} {base} @ "
        f"${places(data['avg_cost'], 6)}, Current: ${places(data['current_price'], 6)}, "
        f"Value: ${places(data['current_value'], 2)}, Unrealized P&L: ${places(data['unrealized_pnl'], 2)} "
        f"({places(data['roi_percent'] or ZERO, 2)}%), Realized P&L: ${places(data['realized_pnl'], 2)}, "
        f"Total P&L: ${places(data['total_pnl'], 2)}"
    )
