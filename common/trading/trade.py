"""A plan carried out, as the mode allows; then its fills into the books and the balances read again."""

import logging

from common.books.account import store_account
from common.books.update import Books, absorb
from common.decimals import ZERO
from common.domain.decision.plan import Plan
from common.domain.ledger.ledger import net_quantity
from common.domain.orders.order import Fill
from common.domain.portfolio import Holdings
from common.errors import ExchangeError
from common.run import Run
from common.store.codec import Document
from common.store.documents import order_report
from common.trading import execution
from common.trading.resolution import Resolved
from common.trading.snapshot import Snapshot

log = logging.getLogger(__name__)


def trade(run: Run, seen: Snapshot, planned: Plan, books: Books) -> Document | None:
    """Execute what was planned, as the mode allows; the report of the order, None when there is none.

    After an order its fills go into the books and the balances are read again.
    """
    intent, mode = planned.order, run.settings.execution_mode
    if intent is None or mode == "plan":
        return None
    if mode == "test":
        return execution.try_out(run, intent)
    entry = execution.execute(run, intent)
    if entry.filled_quantity <= 0:
        return order_report(entry, run.instrument, balances_agree=None)
    try:
        fills = execution.fills_of(run, entry)
        holdings, agree = _balances_after(run, seen, fills)
    except ExchangeError as error:
        # What became of the order is known and must be stored; the rest is for the next run to read.
        log.error("after order %s its fills or the balances could not be read: %s", intent.client_order_id, error)
        return order_report(entry, run.instrument, fills=None, balances_agree=None)
    absorb(run, books, seen.mark_price, holdings, fills)
    return order_report(entry, run.instrument, fills=len(fills), balances_agree=agree)


def take_in(run: Run, seen: Snapshot, resolved: Resolved, books: Books) -> Books:
    """The books with the fills of orders that were just resolved: a plan rests on them (contract.md §12)."""
    for entry in resolved.entries:
        try:
            fills = execution.fills_of(run, entry)
        except ExchangeError as error:
            log.warning("fills of %s are left to the next run: %s", entry.intent.client_order_id, error)
            continue
        updated = absorb(run, books, seen.mark_price, seen.holdings, fills) if fills else None
        books = updated.books if updated is not None else books
    return books


def _balances_after(run: Run, seen: Snapshot, fills: tuple[Fill, ...]) -> tuple[Holdings, bool]:
    """The account read again, a few times if need be, until it shows the fills; and whether it does."""
    moved = sum((net_quantity(fill, run.instrument) for fill in fills), ZERO)
    expected = seen.holdings.base.total + moved
    for pause in (0.5, 1.0, 0.0):
        answer = run.exchange.account()
        holdings = answer.value.holdings(run.instrument, answer.reply.received_at)
        agree = holdings.base.total == expected
        if agree or not pause or run.deadline.remaining < 3:
            break
        run.clock.sleep(pause)
    run.batch.raw(answer.reply)
    store_account(run, answer.value, answer.reply.received_at)
    if not agree:
        log.warning("the account does not show the order's fills yet")
    return holdings, agree
