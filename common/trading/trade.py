"""Execute a plan as the mode allows; then add its fills to the books and read the balances again."""

import logging
from dataclasses import replace
from typing import NamedTuple

from common.books.account import store_account
from common.books.fold import Books, Observation
from common.books.update import Update, absorb
from common.decimals import ZERO
from common.domain.decision.plan import Plan
from common.domain.ledger.ledger import net_quantity
from common.domain.orders.journal import JournalEntry
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


class Traded(NamedTuple):
    """The order's report, None without an order; and the books after its fills, None without fills."""

    report: Document | None = None
    update: Update | None = None


def trade(run: Run, seen: Snapshot, planned: Plan, books: Books) -> Traded:
    """Execute what was planned, as the mode allows.

    After an order its fills go into the books and the balances are read again.
    """
    intent, mode = planned.order, run.settings.execution_mode
    if intent is None or mode == "plan":
        return Traded()
    if mode == "test":
        return Traded(execution.try_out(run, intent))
    entry = execution.execute(run, intent)
    if entry.filled_quantity <= 0:
        return Traded(order_report(entry, run.instrument, balances_agree=None))
    try:
        fills = execution.fills_of(run, entry)
        holdings, agree = _balances_after(run, seen, fills)
    except ExchangeError as error:
        # The order's outcome is known and must be stored; the next run reads the rest.
        log.error("after order %s its fills or the balances could not be read: %s", intent.client_order_id, error)
        return Traded(order_report(entry, run.instrument, fills=None, balances_agree=None))
    observation = Observation.of(holdings, seen.mark_price, seen.book)._replace(lags=not agree)
    update = absorb(run, books, observation, _ours(entry, fills))
    return Traded(order_report(entry, run.instrument, fills=len(fills), balances_agree=agree), update)


def take_in(run: Run, seen: Snapshot, resolved: Resolved, books: Books) -> Books:
    """The books with the fills of orders that were just resolved: the plan needs them (contract.md §12)."""
    for entry in resolved.entries:
        try:
            fills = execution.fills_of(run, entry)
        except ExchangeError as error:
            log.warning("fills of %s are left to the next run: %s", entry.intent.client_order_id, error)
            continue
        observation = Observation.of(seen.holdings, seen.mark_price, seen.book)
        updated = absorb(run, books, observation, _ours(entry, fills)) if fills else None
        books = updated.books if updated is not None else books
    return books


def _ours(entry: JournalEntry, fills: tuple[Fill, ...]) -> tuple[Fill, ...]:
    """The fills with what the journal knows of their order: its id, and the mid at the decision."""
    intent = entry.intent
    return tuple(
        replace(fill, client_order_id=intent.client_order_id, mid_price=intent.mid_price) for fill in fills
    )


def _balances_after(run: Run, seen: Snapshot, fills: tuple[Fill, ...]) -> tuple[Holdings, bool]:
    """The account, read again a few times until it shows the fills; and whether it does."""
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
