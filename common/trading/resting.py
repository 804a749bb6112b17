"""The resting order, checked by jobs that plan nothing (contract.md §12).

A plan first asks for it and cancels what remains (resolution.py), so that it is based on what is final. In between
`balance` and `cost` ask for it too, record what has filled, and cancel it once its time is over.

In most runs no order is open, so the modules for one are imported only when needed.
"""

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from common.errors import ExchangeError
from common.run import Run

if TYPE_CHECKING:
    from common.domain.orders.journal import JournalEntry

log = logging.getLogger(__name__)


def tend(run: Run) -> None:
    """Ask for the resting order, if there is one; if the exchange cannot say, the next run asks again.

    Call this before any other read: balances and fills must not be older than the recorded order.
    """
    if {"open_intents", "recent_intents"} & run.state.faults.keys():
        return  # a plan holds on this, and `ops` repairs it; balances and cost need no orders
    for entry in run.state.open_intents:
        _see_to(run, entry)


def _see_to(run: Run, entry: "JournalEntry") -> None:
    from common.domain.orders.journal import IntentState
    from common.trading.recording import record

    if entry.state is IntentState.RESTING:
        tended = _tended(run, entry)
        if tended != entry:
            record(run, tended)


def _tended(run: Run, entry: "JournalEntry") -> "JournalEntry":
    from common.trading.execution import cancelled, look_up, paused

    now = run.clock.now()
    rest = timedelta(seconds=run.settings.order_rest_seconds)
    over = now - (entry.sent_at or entry.planned_at) >= rest
    try:
        order = look_up(run, entry)
        if order is None:
            return entry
        if not order.status.final and run.settings.execution_mode == "live" and (over or paused(run)):
            log.info("order %s has rested long enough, or trading is paused", entry.intent.client_order_id)
            order = cancelled(run, entry) or order
    except ExchangeError as error:
        log.warning("the resting order %s could not be asked for: %s", entry.intent.client_order_id, error)
        return entry
    if not order.status.final and order.filled_quantity == entry.filled_quantity:
        return entry
    return entry.resting(order, run.clock.now())
