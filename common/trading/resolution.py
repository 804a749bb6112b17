"""Before anything new: what earlier runs left open, and orders that the journal has lost (contract.md §6).

The exchange is asked for every open intent, patient with an order that is not yet visible; while one stays
unresolved nothing is sent. Orders of ours that Redis forgot show in their fills or among the open orders.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from common.decimals import ZERO
from common.domain.orders.order import (
    Fill,
    IntentState,
    JournalEntry,
    Order,
    OrderIntent,
    OrderStatus,
    is_ours,
    slot_in,
)
from common.errors import ExchangeError, UnknownOrder
from common.run import Run
from common.store.codec import to_document
from common.trading.execution import CLOCKS_APART, cancelled, close, current_activity, found, journal
from common.trading.failover import aftermath, changed_over

log = logging.getLogger(__name__)
NOT_OURS = ""
"""What stands for an order of somebody else where our client order id would: it is asked for once."""
NOT_PLACED_AFTER = timedelta(seconds=60)
"""An order that cannot be found this long after it was sent was never accepted: its recvWindow is 5 s, and
a new order becomes visible within seconds (exchange.md §2, 4.3)."""
FILLED_WITHIN = timedelta(days=1)
"""No order of ours is filled later than that after it was sent, and no window of fills may exceed seven days."""
LOOKED_UP_FOR = timedelta(days=1)
"""How old a fill may be for its order to be asked for: the exchange tells orders of the last seven days."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The open intents after asking the exchange; `unresolved` is why nothing may be sent, None if all are."""

    entries: tuple[JournalEntry, ...]
    unresolved: str | None


def resolve(run: Run) -> Resolved:
    """Ask the exchange about every open intent, of the journal and of this process's own memory.

    An intent that stands as PLANNED is asked for as well: a Redis that forgot its last writes may have
    forgotten that it was sent.
    """
    entries = {entry.intent.client_order_id: entry for entry in run.state.open_intents}
    for name, entry in run.unsettled.items():
        if name not in entries or entries[name].state is IntentState.PLANNED:
            entries[name] = entry
    resolved = tuple(_resolved(run, entry) for entry in entries.values())
    for entry in resolved:
        close(run, entry)
        _count(run, entry)
    still = [entry for entry in resolved if entry.state.open]
    if not still:
        return Resolved(resolved, None)
    told = "; ".join(f"{entry.intent.client_order_id} ({entry.reason})" for entry in still)
    log.error("unresolved order: nothing is sent until the exchange tells what became of %s", told)
    return Resolved(resolved, f"Unresolved order: {told}")


def _count(run: Run, entry: JournalEntry) -> None:
    """Have an order that the exchange knows counted, should the record of orders have lost it."""
    if entry.order_id is not None:
        run.recovered.append(entry)
        run.batch.document(run.keys.activity, to_document(current_activity(run)))


def _resolved(run: Run, entry: JournalEntry) -> JournalEntry:
    try:
        order = _find(run, entry.intent.client_order_id)
        if order is not None and not order.status.final:
            order = _ended(run, entry, order)
        if order is not None:
            found = entry.with_order(order, run.clock.now())
            return found if order.status.final else found.unknown(f"it is still {order.status}", run.clock.now())
        return _not_found(run, entry)
    except ExchangeError as error:
        return entry.unknown(f"the exchange did not tell: {error}", run.clock.now())


def _not_found(run: Run, entry: JournalEntry) -> JournalEntry:
    """No order of that id: not yet visible or, after long enough and without a trace in the fills, never placed."""
    now, sent_at = run.clock.now(), entry.sent_at or entry.planned_at
    until = min(now, sent_at + FILLED_WITHIN)
    traces = run.exchange.my_trades(sent_at - CLOCKS_APART, until + CLOCKS_APART).value
    for order_id in _unknown_orders(run, [fill.order_id for fill in traces]):
        order = _behind(run, order_id, [fill for fill in traces if fill.order_id == order_id], entry.intent)
        if order.client_order_id == entry.intent.client_order_id:
            return entry.with_order(order, now)
    if now - sent_at < NOT_PLACED_AFTER:
        return entry.unknown("not visible yet", now)
    if changed_over(run, NOT_PLACED_AFTER):
        return entry.unknown("not visible yet, and Redis may have forgotten when it was sent", now)
    reason = "never accepted" if entry.sent_at else "never sent, or never accepted"
    return entry.ended(IntentState.CANCELED, f"{reason}: the exchange does not know it", now)


def _behind(run: Run, order_id: str, fills: Sequence[Fill], intent: OrderIntent) -> Order:
    """The order that left these fills; from the fills themselves when it is older than the exchange tells.

    Raises UnknownOrder when they do not name it either.
    """
    try:
        return run.exchange.order_by_id(order_id).value
    except UnknownOrder:
        name = fills[0].client_order_id
        if name is None:
            raise
    filled = sum((fill.quantity for fill in fills), ZERO)
    notional = sum((fill.notional for fill in fills), ZERO)
    status = OrderStatus.PARTIALLY_CANCELED
    return Order(order_id, name, fills[0].side, fills[0].price, intent.quantity, filled, notional, status)


def _unknown_orders(run: Run, order_ids: Iterable[str]) -> list[str]:
    """Those of the exchange's orders that the journal does not know."""
    names = list(dict.fromkeys(order_ids))
    if not names:
        return []
    known = run.store.read({"known": ("HMGET", run.keys.orders_known, *names)}, run.meter)["known"]
    return [name for name, ours in zip(names, known, strict=True) if ours is None]


def _find(run: Run, client_id: str) -> Order | None:
    """The order by its client order id: asked directly, then among the open ones."""
    try:
        return run.exchange.order(client_id).value
    except UnknownOrder:
        open_orders = run.exchange.open_orders().value
        return next((order for order in open_orders if order.client_order_id == client_id), None)


def _ended(run: Run, entry: JournalEntry, order: Order) -> Order:
    """Cancel what still rests, and follow it to its end as far as the run's time goes."""
    if run.settings.execution_mode != "live":
        return order
    return cancelled(run, entry.intent.client_order_id) or order


def adopt(run: Run, resolved: Resolved, fills: Sequence[Fill], open_orders: Sequence[Order]) -> str | None:
    """Take orders of ours that the journal has lost (Redis forgot its last writes) back into it.

    They show in the fills they left, among the open orders, or once Redis has changed over when all are asked
    for; orders of others are left alone. Returns why nothing may be sent, None when nothing is in doubt.
    """
    if run.settings.execution_mode != "live":
        return None
    just_resolved = {entry.order_id for entry in resolved.entries}
    recent = [fill for fill in fills if run.now - fill.executed_at < LOOKED_UP_FOR]
    lost = {order.order_id: order for order in open_orders if is_ours(order.client_order_id)}
    try:
        after = aftermath(run, NOT_PLACED_AFTER)
        ours = {order.order_id: order for order in after.orders}
        for order_id in _unknown_orders(run, [*ours, *(fill.order_id for fill in recent)]):
            if order_id not in just_resolved:
                lost[order_id] = ours.get(order_id) or run.exchange.order_by_id(order_id).value
    except ExchangeError as error:
        log.error("an order could not be looked up: %s", error)
        return f"Unresolved order: an order could not be looked up ({error.code})"
    for order_id, order in lost.items():
        if order.client_order_id is None or not is_ours(order.client_order_id):
            run.batch.hash(run.keys.orders_known, {order_id: NOT_OURS})
        elif order_id not in just_resolved:
            log.error("order %s was not in the journal: taken back into it", order.client_order_id)
            entry = found(run, order, order.client_order_id)
            journal(run.batch, entry)
            _count(run, entry)
    if after.orders:
        run.told += [slot_in(order.client_order_id or "") for order in after.orders]
        run.batch.document(run.keys.activity, to_document(current_activity(run)))
    if after.searched is not None:
        run.batch.document(run.keys.continuity, to_document(after.searched))
    return after.doubt
