"""Bringing the books up to date: new fills into the ledger, cost and P&L from it (contract.md §2.3, §5)."""

import logging
from dataclasses import dataclass, replace
from decimal import Decimal

from common.books.fills import History, with_fee_values
from common.clock import milliseconds
from common.decimals import ZERO, exact, places, plain, quotient, tidy
from common.domain.instrument import Instrument
from common.domain.ledger.ledger import Absorbed, LateFill, Ledger, drift, unexplained
from common.domain.ledger.position import FifoView, Position
from common.domain.orders.order import Fill
from common.domain.performance.benchmark import Inception, Moved, compare, pnl
from common.domain.portfolio import Holdings, Valuation
from common.errors import StoreCorrupt
from common.gcp.journal import note
from common.run import Run
from common.store.batch import Batch
from common.store.codec import Document, to_document
from common.store.documents import assets, comparison_document
from common.store.records import (
    fifo_summary,
    fill_of,
    inception_document,
    ledger_document,
    lots_document,
)

log = logging.getLogger(__name__)
NO_COST = "No position or cost data"


@dataclass(frozen=True, slots=True)
class Books:
    """The ledger with its FIFO summary, None before the first run; `lots` once they were folded anew."""

    ledger: Ledger | None
    fifo: Document
    lots: FifoView | None = None

    @classmethod
    def of(cls, run: Run) -> "Books":
        stored = run.state.ledger
        return cls(*stored) if stored else cls(None, {})

    @property
    def tail(self) -> tuple[Fill, ...]:
        """The fills of the last hour."""
        return self.ledger.tail if self.ledger else ()

    def average_cost(self, instrument: Instrument) -> Decimal | None:
        """What the coins of known cost were bought at, fees included; None where none is known."""
        return self.ledger.position(instrument).average_cost if self.ledger else None

    def known(self) -> Ledger:
        """The ledger of books that have been brought up to date."""
        if self.ledger is None:
            raise StoreCorrupt("the ledger was never read")
        return self.ledger


@dataclass(frozen=True, slots=True)
class Update:
    """What one update made of the books; `data` is None where no cost is known."""

    books: Books
    fresh: tuple[Fill, ...]
    data: Document | None

    @property
    def total_pnl(self) -> Decimal | None:
        return self.data["total_pnl"] if self.data else None


def update(
    run: Run, batch: Batch, books: Books, mark_price: Decimal, history: History, holdings: Holdings
) -> Update:
    """Fold what is new, queue ledger and cost, and answer the cost data.

    Raises StoreCorrupt when what is stored cannot be read back; an invented cost never takes its place.
    """
    updated, fresh, explaining = _brought_up_to_date(run, batch, books, history, holdings)
    ledger, fifo = updated.known(), updated.fifo
    for reply in history.more_replies:
        batch.raw(reply)
    batch.document(run.keys.ledger, ledger_document(ledger, fifo))
    position = ledger.position(run.instrument)
    then = ledger.position(run.instrument, holdings.as_of)  # what the balances can know of
    inception = _inception(run, batch, holdings, mark_price, then, explaining)
    if not position.fill_count and not position.unknown_quantity:
        return Update(updated, fresh, None)
    data = _data(run, ledger, position, holdings, mark_price, fifo)
    comparison = compare(inception, Valuation.of(holdings, mark_price), then)
    data["benchmark"] = comparison_document(comparison, inception)
    batch.hash(run.keys.cost, data | {"updated_at": run.now})
    if position.average_cost is None:
        return Update(updated, fresh, None)
    log.info(_sentence(data, run))
    return Update(updated, fresh, data)


def absorb(
    run: Run, books: Books, mark_price: Decimal, holdings: Holdings, fills: tuple[Fill, ...]
) -> Update | None:
    """Put an order's own fills into the books, with the balances read after it; the place stays."""
    if books.ledger is None:
        return None
    history = History(fills, (), books.ledger.place, None)
    return update(run, run.batch, books, mark_price, history, holdings)


def stored_pnl(run: Run, books: Books, mark_price: Decimal) -> Decimal | None:
    """Total P&L of the ledger as it is stored; None where no cost is known."""
    if books.ledger is None:
        return None
    position = books.ledger.position(run.instrument)
    return pnl(position, mark_price)["total_pnl"] if position.average_cost is not None else None


def _brought_up_to_date(
    run: Run, batch: Batch, books: Books, history: History, holdings: Holdings
) -> tuple[Books, tuple[Fill, ...], tuple[Fill, ...]]:
    """The books with the new fills; those fills; and such of them as explain opening coins. All queued."""
    ledger = books.ledger
    fresh = with_fee_values(
        ledger.unknown(history.fills) if ledger else history.fills, run.exchange, run.instrument
    )
    batch.members(run.keys.ledger_fills, [(milliseconds(f.executed_at), to_document(f)) for f in fresh])
    for fill in fresh:
        note("fill", to_document(fill))
    absorbed = _absorbed(run, ledger, history, fresh) if ledger else _opened(run, fresh, holdings)
    if books.fifo and not fresh and not absorbed.settled:
        return Books(absorbed.ledger, books.fifo, books.lots), fresh, ()
    lots = FifoView() if absorbed.anew else books.lots or run.state.lots or FifoView()
    sealed = lots.fold(absorbed.settled, run.instrument)
    batch.document(run.keys.ledger_lots, lots_document(sealed))
    summary = fifo_summary(sealed.fold(absorbed.ledger.tail, run.instrument))
    return Books(absorbed.ledger, summary, sealed), fresh, absorbed.explaining


def _opened(run: Run, fills: tuple[Fill, ...], holdings: Holdings) -> Absorbed:
    """A first ledger, of all fills that the exchange still tells and what the account holds beyond them."""
    seen = [fill for fill in fills if fill.executed_at <= holdings.as_of]
    opening = unexplained(holdings.base.total, seen, run.instrument)
    if opening > 0:
        base = run.instrument.base
        log.warning("%s %s were there before the known history: cost unknown", plain(opening), base)
    return Ledger.first(run.now, fills, opening, holdings.as_of, run.instrument)


def _absorbed(run: Run, ledger: Ledger, history: History, fresh: tuple[Fill, ...]) -> Absorbed:
    if gap := history.gap:
        ledger = replace(ledger, gaps=(*ledger.gaps, gap))
        log.error("fills between %s and %s are lost: the exchange no longer tells them", gap.start, gap.end)
    try:
        return ledger.absorb(fresh, history.read_until, run.instrument)
    except LateFill as late:
        log.warning("%s: it is folded anew from its whole history", late)
        return ledger.rebuilt(all_fills(run), fresh, run.instrument)


def all_fills(run: Run) -> list[Fill]:
    """Every fill that is stored, read in one trip."""
    key = run.keys.ledger_fills
    return [fill_of(doc, key) for doc in run.store.read({"fills": ("ZRANGE", key, "0", "-1")}, run.meter)["fills"]]


def _inception(
    run: Run,
    batch: Batch,
    holdings: Holdings,
    mark_price: Decimal,
    position: Position,
    explaining: tuple[Fill, ...],
) -> Inception:
    """The stored record, or a first one from what is seen now.

    Its balances and price stay as they were seen; `explaining` fills had moved them already, as is known now.
    """
    inception, key = run.state.inception, run.keys.inception
    if inception is not None:
        if not explaining:
            return inception
        inception = inception.after(explaining, run.instrument)
        batch.document(key, inception_document(inception, run.instrument))
    else:
        quantities = holdings.base.total, holdings.quote.total
        inception = Inception(holdings.as_of, *quantities, mark_price, Moved.by(position))
        document = inception_document(inception, run.instrument)
        batch.document_once(key, document)
        note("inception", {"inception": document})
    return inception


@exact
def _data(
    run: Run, ledger: Ledger, position: Position, holdings: Holdings, mark_price: Decimal, fifo: Document
) -> Document:
    """contract.md §2.3, and what §5 adds. P&L is on the coins of known cost; the others have lines of their own."""
    base, quote = assets(run.instrument)
    money = pnl(position, mark_price)
    flow = drift(ledger, holdings.base.total, holdings.as_of, run.instrument)
    invested = money["total_invested"]
    if flow:
        log.warning("the account holds %s %s beyond the ledger", plain(tidy(flow)), run.instrument.base)
    return {
        f"{base}_balance": position.quantity,
        "avg_cost": position.average_cost,
        "current_price": mark_price,
        **{name: tidy(value) for name, value in money.items()},
        "roi_percent": quotient(money["unrealized_pnl"] * 100, invested) if invested > 0 else None,
        "account_quantity": holdings.base.total,
        "account_as_of": holdings.as_of,
        "unknown_cost_quantity": position.unknown_quantity,
        "unmatched_sold_quantity": position.unmatched_quantity,
        "unmatched_proceeds": position.unmatched_proceeds,
        "drift_quantity": tidy(flow),
        "fees": {
            quote: position.quote_fees,
            base: position.base_fees,
            "other_value": position.other_fees_value,
            "unvalued": dict(position.unvalued_fees),
        },
        "fill_count": position.fill_count,
        "history_gaps": [{"start": gap.start, "end": gap.end} for gap in ledger.gaps],
        "fifo": fifo | {"unrealized_pnl": tidy(fifo["quantity"] * mark_price - fifo["total_invested"])},
    }


def _sentence(data: Document, run: Run) -> str:
    base = run.instrument.base
    return (
        f"[Cloud Task] Cost updated - Position: {places(data[f'{base.lower()}_balance'], 4)} {base} @ "
        f"${places(data['avg_cost'], 6)}, Current: ${places(data['current_price'], 6)}, "
        f"Value: ${places(data['current_value'], 2)}, Unrealized P&L: ${places(data['unrealized_pnl'], 2)} "
        f"({places(data['roi_percent'] or ZERO, 2)}%), Realized P&L: ${places(data['realized_pnl'], 2)}, "
        f"Total P&L: ${places(data['total_pnl'], 2)}"
    )
