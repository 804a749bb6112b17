"""What comes before anything new: intents left open, and orders that the journal has lost (contract.md §6).

The exchange is asked for every open intent, allowing time for an order to become visible; while one stays
unresolved nothing is sent. Orders of ours that Redis forgot show in their fills or among the open orders.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from common.decimals import ZERO
from common.domain.orders.journal import IntentState, JournalEntry
from common.domain.orders.order import Fill, Order, OrderStatus, is_ours, slot_in
from common.domain.slots import CLOCKS_APART
from common.errors import ExchangeError, UnknownOrder, UnreadablePayload
from common.mexc.client import Answer
from common.mexc.wave import together
from common.run import Run
from common.store.codec import to_document
from common.trading.execution import as_reported, cancelled, look_up
from common.trading.failover import aftermath, changed_over
from common.trading.recording import order_journal, record

log = logging.getLogger(__name__)
NOT_OURS = ""
"""Stored in place of our client order id for an order of somebody else, so that it is asked for only once."""
NOT_PLACED_AFTER = timedelta(seconds=60)
"""An order that cannot be found this long after it was sent was never accepted: its recvWindow is 5 s, and
a new order becomes visible within seconds (exchange.md §2, 4.3)."""
FILLED_WITHIN = timedelta(days=1)
"""No order of ours fills later than this after it was sent, and no window of fills may exceed seven days."""
LOOKED_UP_FOR = timedelta(days=1)
"""How old a fill may be for its order to be asked for."""
ORDERS_LISTED_FOR = timedelta(days=6)
"""The exchange lists orders of the last seven days: an older one may exist although it is not found."""


class Resolved(NamedTuple):
    """The open intents after asking the exchange; `unresolved` is why nothing may be sent, None if all are."""

    entries: tuple[JournalEntry, ...]
    unresolved: str | None


def resolve(run: Run) -> Resolved:
    """Ask the exchange about every open intent, of the journal and of this process's own memory.

    A resting order is cancelled, so that the plan is based on what is final. A PLANNED intent is asked for as well:
    a Redis that forgot its last writes may have forgotten that it was sent.
    """
    entries = [entry for entry in order_journal(run).entries.values() if entry.state.open]
    resolved = tuple(record(run, _resolved(run, entry)) for entry in entries)
    still = [entry for entry in resolved if entry.state.open]
    if not still:
        return Resolved(resolved, None)
    unresolved = "; ".join(f"{entry.intent.client_order_id} ({entry.reason})" for entry in still)
    log.error("unresolved order: nothing is sent until the exchange reports what became of %s", unresolved)
    return Resolved(resolved, f"Unresolved order: {unresolved}")


def _resolved(run: Run, entry: JournalEntry) -> JournalEntry:
    try:
        order = found(run, entry)
        if order is None:
            return _not_found(run, entry)
        if not order.status.final and run.settings.execution_mode == "live":
            order = cancelled(run, entry.acknowledged(order.order_id, entry.updated_at)) or order
        return as_reported(run, entry, order)
    except ExchangeError as error:
        return entry.unknown(f"the exchange did not say: {error}", run.clock.now())


def found(run: Run, entry: JournalEntry) -> Order | None:
    """The order as the exchange shows it, by its ids or among the open ones; None when it is nowhere."""
    return look_up(run, entry) or _among_open(run, entry)


def _among_open(run: Run, entry: JournalEntry) -> Order | None:
    """The order among the open ones, by either id."""
    intent = entry.intent
    for order in run.kept(run.exchange.open_orders()):
        if order.client_order_id == intent.client_order_id or (order.order_id == entry.order_id):
            return order
    return None


def _not_found(run: Run, entry: JournalEntry) -> JournalEntry:
    """No order of that id: known by its fills, not yet visible or, after long enough, never accepted.

    An acknowledged order was accepted, even if it is not found now. Beyond the exchange's memory only fills or an
    operator (`ops` settle-intent) can settle it.
    """
    now, sent_at = run.clock.now(), entry.sent_at or entry.planned_at
    until = min(now, sent_at + FILLED_WITHIN)
    page = run.kept(run.exchange.my_trades(sent_at - CLOCKS_APART, until + CLOCKS_APART))
    filled = _by_fills(run, entry, page.fills)
    if filled is not None:
        return filled
    if now - sent_at > ORDERS_LISTED_FOR:
        reason = "the exchange no longer lists orders of that time, and no fill belongs to it: use `settle-intent`"
        return entry.unknown(reason, now)
    if entry.order_id is not None:
        return entry.unknown(f"acknowledged as {entry.order_id}, not visible", now)
    if now - sent_at < NOT_PLACED_AFTER:
        return entry.unknown("not visible yet", now)
    if changed_over(run, NOT_PLACED_AFTER):
        return entry.unknown("not visible yet, and Redis may have forgotten when it was sent", now)
    if (twin := _twin(run, entry)) is not None:
        return entry.unknown(f"open order {twin} has its side, quantity and price", now)
    reason = "never accepted" if entry.sent_at else "never sent, or never accepted"
    return entry.ended(IntentState.CANCELED, f"{reason}: the exchange does not know it", now)


def _by_fills(run: Run, entry: JournalEntry, fills: Sequence[Fill]) -> JournalEntry | None:
    """The entry closed with its own fills, from the fills of its time; None when there are none.

    Fills belong to it if they or their order name its order id or ours. If the exchange no longer lists orders of
    that time, fills of one order that match its side, quantity and price count as its own; until then they are
    a reason to hold.
    """
    now, old = run.clock.now(), run.clock.now() - (entry.sent_at or entry.planned_at) > ORDERS_LISTED_FOR
    doubt = None
    for order_id in [entry.order_id] if entry.order_id else _unknown_orders(run, [f.order_id for f in fills]):
        own = [fill for fill in fills if fill.order_id == order_id]
        if not own:
            continue
        order = None if old else _order_by_id(run, order_id)
        if order is not None and order.client_order_id == entry.intent.client_order_id:
            return as_reported(run, entry, order)
        quantity, notional = _total(own)
        named = order_id == entry.order_id or own[0].client_order_id == entry.intent.client_order_id
        alike = order is None and own[0].client_order_id is None and _matches(entry, own, quantity)
        if alike and not (named or old):
            doubt = entry.unknown(f"fills of order {order_id} match it, and the exchange does not say whose", now)
        elif alike or (named and order is None):
            known = entry.acknowledged(order_id, now)
            partly, sent_at = quantity < entry.intent.quantity, entry.sent_at or entry.planned_at
            if not old and partly and _may_be_open(run, known.intent.client_order_id, order_id, sent_at):
                return known.unknown("its fills show, but not the order: the rest of it may still be open", now)
            return known.closed_with(quantity, notional, "known by its fills: the exchange no longer lists it", now)
    return doubt


def _total(fills: Sequence[Fill]) -> tuple[Decimal, Decimal]:
    """Quantity and notional of these fills together."""
    return sum((fill.quantity for fill in fills), ZERO), sum((fill.notional for fill in fills), ZERO)


def _may_be_open(run: Run, client_id: str, order_id: str, sent_at: datetime) -> bool:
    """Whether an order that the exchange does not show may still rest in the book: found out by cancelling it.

    Raises ExchangeError when the exchange does not say.
    """
    if run.settings.execution_mode != "live" or run.clock.now() - sent_at < NOT_PLACED_AFTER:
        return True
    try:
        run.exchange.cancel_order(client_id, order_id)
    except UnknownOrder:
        return False
    return True


def _matches(entry: JournalEntry, fills: Sequence[Fill], quantity: Decimal) -> bool:
    """Whether the fills of one order make up the whole intent, at its limit or better."""
    intent, limit = entry.intent, entry.intent.limit_price
    better = [
        limit is None or (fill.price <= limit if intent.side == "BUY" else fill.price >= limit) for fill in fills
    ]
    return quantity == intent.quantity and all(better) and all(fill.side is intent.side for fill in fills)


def _order_by_id(run: Run, order_id: str) -> Order | None:
    try:
        return run.kept(run.exchange.order_by_id(order_id))
    except UnknownOrder:
        return None


def _twin(run: Run, entry: JournalEntry) -> str | None:
    """An open order that looks like the intent, whoever placed it: another one must not be sent."""
    intent = entry.intent
    for order in run.kept(run.exchange.open_orders()):
        same = (order.side, order.quantity, order.limit_price) == (intent.side, intent.quantity, intent.limit_price)
        if same and slot_in(order.client_order_id) is None:
            return order.order_id
    return None


def _unknown_orders(run: Run, order_ids: Iterable[str]) -> list[str]:
    """The exchange's order ids that the journal does not know."""
    names = list(dict.fromkeys(order_ids))
    if not names:
        return []
    known = run.store.read_one(("HMGET", run.keys.orders_known, *names), run.meter)
    return [name for name, ours in zip(names, known, strict=True) if ours is None]


# Orders that the journal has lost


def adopt(run: Run, resolved: Resolved, fills: Sequence[Fill], open_orders: Sequence[Order]) -> str | None:
    """Put orders of ours that the journal has lost (Redis forgot its last writes) back into it.

    They show in their fills, among the open orders, or after a failover in the list of all orders; orders of others
    are left alone. Returns why nothing may be sent, None when nothing is in doubt.
    """
    if run.settings.execution_mode != "live":
        return None
    _catch_up(run, fills)
    just_resolved = {entry.order_id for entry in resolved.entries}
    recent = [fill for fill in fills if run.now - fill.executed_at < LOOKED_UP_FOR]
    try:
        after = aftermath(run, NOT_PLACED_AFTER)
        still_open = {order.order_id: order for order in open_orders if is_ours(order.client_order_id)}
        listed = {order.order_id: order for order in after.orders} | still_open
        unknown = _unknown_orders(run, [*listed, *(fill.order_id for fill in recent)])
        doubtful = [name for name in dict.fromkeys([*still_open, *unknown]) if name not in just_resolved]
        lost = _looked_up(run, doubtful, listed, recent)
    except ExchangeError as error:
        log.error("an order could not be looked up: %s", error)
        return f"Unresolved order: an order could not be looked up ({error.code})"
    doubts = [after.doubt] if after.doubt else []
    for order_id, order in lost.items():
        if isinstance(order, UnreadablePayload):
            fault = str(order).removeprefix("order: ")
            doubts.append(
                f"Unresolved order: {order_id} ({fault}) cannot be read: `settle-intent`, or `ignore-order`"
            )
            continue
        slot = slot_in(order.client_order_id) if order is not None else None
        if order is None or order.client_order_id is None or slot is None:
            if resolved.unresolved is None:  # while an intent is open, these fills may turn out to be its own
                run.batch.hash(run.keys.orders_known, {order_id: NOT_OURS})
            continue
        log.error("order %s was not in the journal: taken back into it", order.client_order_id)
        known = order_journal(run).entries.get(order.client_order_id)
        style, now = order.style or run.settings.usual_style, run.clock.now()
        record(
            run,
            known.with_order(order, now)
            if known is not None
            else JournalEntry.lost(order, order.client_order_id, slot, style, now),
        )
    if after.searched is not None:
        run.batch.document(run.keys.continuity, to_document(after.searched))
    return "; ".join(doubts) or None


def _catch_up(run: Run, fills: Sequence[Fill]) -> None:
    """Correct ended entries by their fills: an order may be final before all its fills show (exchange.md §4.4)."""
    now = run.clock.now()
    for entry in order_journal(run).entries.values():
        own = [fill for fill in fills if fill.order_id == entry.order_id]
        quantity, notional = _total(own)
        if not entry.state.open and quantity > entry.filled_quantity:
            log.error("order %s has filled more than it showed when it ended", entry.intent.client_order_id)
            record(run, entry.closed_with(quantity, notional, "its fills are more than the order showed", now))


def _looked_up(
    run: Run, order_ids: Sequence[str], listed: Mapping[str, Order], fills: Sequence[Fill]
) -> dict[str, Order | UnreadablePayload | None]:
    """Each order, None for one of somebody else: by its fills' own client order id where they have one.

    Where its answer cannot be read, the error stands in its place.

    Raises UnknownOrder for an order that may be ours and is too young to be listed, or may still be open.
    """
    lost: dict[str, Order | UnreadablePayload | None] = {name: listed[name] for name in order_ids if name in listed}
    by_order = {name: [fill for fill in fills if fill.order_id == name] for name in order_ids if name not in listed}
    names = {name: own[0].client_order_id for name, own in by_order.items()}
    lost |= {name: None for name, ours in names.items() if ours is not None and not is_ours(ours)}
    asked = [name for name in by_order if name not in lost]
    if not asked:
        return lost
    wave = together(run.pool, {name: partial(run.exchange.order_by_id, name) for name in asked})
    for name in asked:
        error = wave.error(name)
        if error is None:
            answer: Answer[Order] = wave.get(name)
            lost[name] = run.kept(answer)
        elif isinstance(error, UnreadablePayload):
            lost[name] = error
        elif not isinstance(error, UnknownOrder) or _young(by_order[name], run.clock.now()):
            raise error
        else:
            lost[name] = _of_fills(run, name, by_order[name])
    return lost


def _young(fills: Sequence[Fill], now: datetime) -> bool:
    return now - max(fill.executed_at for fill in fills) < NOT_PLACED_AFTER


def _of_fills(run: Run, order_id: str, fills: Sequence[Fill]) -> Order | None:
    """An order that only its fills show, reconstructed from them; None for one of somebody else.

    Raises UnknownOrder while the rest of it may still be open.
    """
    first, last = fills[0], max(fill.executed_at for fill in fills)
    if first.client_order_id is None or not is_ours(first.client_order_id):
        return None
    if _may_be_open(run, first.client_order_id, order_id, last):
        raise UnknownOrder(f"order {order_id} shows in its fills only: what is left of it may still be open")
    quantity, notional = _total(fills)
    return Order(
        order_id,
        first.client_order_id,
        first.side,
        first.price,
        quantity,
        quantity,
        notional,
        OrderStatus.FILLED,
        first.executed_at,
    )
