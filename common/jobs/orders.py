"""From a plan to an order, at most once: the intent journal around the one request that trades (SPEC §6).

    PLANNED ─ stored with the plan ─▶ SENT ─ stored, then the order leaves ─▶ FILLED | PARTIALLY_FILLED |
    CANCELED | REJECTED, or UNKNOWN when no answer says: then the exchange is asked, in this run or the next.

Whatever ends a run in between, the next one finds the intent open, asks the exchange for it by its client
order id, and sends nothing while it is unresolved.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from common.adapters.batch import Batch
from common.adapters.journal_source import note
from common.adapters.keys import Keys
from common.adapters.order_records import (
    Document,
    activity_document,
    activity_of,
    entry_document,
    entry_of,
    fields_of,
    intent_document,
    pause_of,
)
from common.adapters.store import Read
from common.adapters.wave import together
from common.domain.decimals import ZERO
from common.domain.instrument import Side
from common.domain.orders import (
    Fill,
    IntentState,
    JournalEntry,
    Order,
    OrderIntent,
    OrderStatus,
    OrderStyle,
    client_order_id,
    is_ours,
    slot_in,
)
from common.domain.risk import Activity, Pause
from common.errors import BotError, ExchangeError, OutcomeUnknown, UnknownOrder
from common.jobs.run import Run

log = logging.getLogger(__name__)
NOT_OURS = ""
"""What stands for an order of somebody else where our client order id would: it is asked for once."""
NOT_PLACED_AFTER = timedelta(seconds=60)
"""An order that cannot be found this long after it was sent was never accepted: its recvWindow is 5 s, and
a new order becomes visible within seconds (mexc-api.md 2, 4.3)."""
FILLED_WITHIN = timedelta(days=1)
"""No order of ours is filled later than that after it was sent, and no window of fills may exceed seven days."""
LOOKED_UP_FOR = timedelta(days=1)
"""How old a fill may be for its order to be asked for: the exchange tells orders of the last seven days."""
SEND_WITHIN_SECONDS = 2.0
"""Longest time between recording SENT and sending: a process that was stopped in between does not send."""
TIME_TO_SEND_SECONDS = 15.0
"""What must be left of the run for an order to be sent and followed up."""
TIME_TO_FINISH_SECONDS = 6.0
"""What is kept of the run for fills, balances and the report."""


def reads(keys: Keys) -> Mapping[str, Read]:
    return {
        "open_intents": ("HGETALL", keys.orders_open),
        "activity": ("GET", keys.activity),
        "pause": ("GET", keys.pause),
    }


def containers(keys: Keys) -> Mapping[str, str]:
    return {
        keys.orders_open: "hash",
        keys.orders_journal: "hash",
        keys.orders_known: "hash",
        keys.raw_history("order"): "zset",
        keys.raw_history("open_orders"): "zset",
    }


def journal(batch: Batch, entry: JournalEntry) -> None:
    """Queue the entry: into the journal, and into or out of the open ones."""
    keys, name, document = batch.keys, entry.intent.client_order_id, entry_document(entry)
    batch.hash(keys.orders_journal, {name: document})
    if entry.state.open:
        batch.hash(keys.orders_open, {name: document})
    else:
        batch.hash_delete(keys.orders_open, name)
    if entry.order_id:
        batch.hash(keys.orders_known, {entry.order_id: name})
    note("intent", document)


def current_pause(run: Run) -> Pause | None:
    return pause_of(run.values["pause"], run.keys.pause)


def current_activity(run: Run) -> Activity:
    """What was ordered so far, with the orders that this run has found again."""
    activity = activity_of(run.values["activity"], run.now, run.keys.activity)
    for entry in sorted(run.recovered, key=lambda entry: entry.intent.slot):
        activity = activity.recovered(entry.intent, entry.sent_at or entry.planned_at)
    return activity


# Before anything new: what earlier runs left open


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
    key = run.keys.orders_open
    stored = (entry_of(document, key) for document in fields_of(run.values["open_intents"]))
    entries = {entry.intent.client_order_id: entry for entry in stored}
    for name, entry in run.unsettled.items():
        if name not in entries or entries[name].state is IntentState.PLANNED:
            entries[name] = entry
    resolved = tuple(_resolved(run, entry) for entry in entries.values())
    for entry in resolved:
        _close(run, entry)
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
        run.batch.document(run.keys.activity, activity_document(current_activity(run)))


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
    traces = run.exchange.my_trades(sent_at - timedelta(seconds=5), until + timedelta(seconds=5)).value
    for order_id in _unknown_orders(run, traces):
        order = _behind(run, order_id, [fill for fill in traces if fill.order_id == order_id], entry.intent)
        if order.client_order_id == entry.intent.client_order_id:
            return entry.with_order(order, now)
    if now - sent_at < NOT_PLACED_AFTER:
        return entry.unknown("not visible yet", now)
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


def _unknown_orders(run: Run, fills: Sequence[Fill]) -> list[str]:
    """The orders behind `fills` that the journal does not know."""
    names = list(dict.fromkeys(fill.order_id for fill in fills))
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
    return _cancelled(run, entry.intent.client_order_id) or order


def adopt(run: Run, resolved: Resolved, fills: Sequence[Fill], open_orders: Sequence[Order]) -> str | None:
    """Take orders of ours that the journal has lost (Redis forgot its last writes) back into it.

    They show in the fills they left, or among the open orders; orders of others are left alone. Returns why
    nothing may be sent, None when nothing is in doubt.
    """
    if run.settings.execution_mode != "live":
        return None
    just_resolved = {entry.order_id for entry in resolved.entries}
    recent = [fill for fill in fills if run.now - fill.executed_at < LOOKED_UP_FOR]
    lost = {order.order_id: order for order in open_orders if is_ours(order.client_order_id)}
    try:
        for order_id in _unknown_orders(run, recent):
            if order_id not in just_resolved:
                lost[order_id] = run.exchange.order_by_id(order_id).value
    except ExchangeError as error:
        log.error("a fill's order could not be looked up: %s", error)
        return f"Unresolved order: a fill's order could not be looked up ({error.code})"
    for order_id, order in lost.items():
        if order.client_order_id is None or not is_ours(order.client_order_id):
            run.batch.hash(run.keys.orders_known, {order_id: NOT_OURS})
        elif order_id not in just_resolved:
            log.error("order %s was not in the journal: taken back into it", order.client_order_id)
            found = _found(run, order, order.client_order_id)
            journal(run.batch, found)
            _count(run, found)
    return None


def _found(run: Run, order: Order, client_id: str) -> JournalEntry:
    return JournalEntry.found(order, client_id, slot_in(client_id), run.settings.order_style, run.clock.now())


# The one order of this slot


def execute(run: Run, intent: OrderIntent, activity: Activity) -> JournalEntry:
    """Take one intent from PLANNED to its end, or as far as this run can follow it.

    Each state is in Redis before the act it describes. What is not final when the time is up stays open,
    for the next run to resolve.
    """
    entry = JournalEntry.planned(intent, run.clock.now())
    journal(run.batch, entry)
    run.save()
    earlier = _of_this_slot(run, intent, activity)
    if isinstance(earlier, JournalEntry):
        return _close(run, earlier)
    stop = earlier or _last_look(run)
    if stop is not None:
        return _close(run, entry.ended(IntentState.CANCELED, f"never sent: {stop}", run.clock.now()))
    now = run.clock.now()
    entry = entry.sent(now)
    journal(run.batch, entry)
    run.batch.document(run.keys.activity, activity_document(activity.after(intent, now)))
    recorded = run.clock.monotonic()
    run.save()
    if run.clock.monotonic() - recorded > SEND_WITHIN_SECONDS:
        return _close(
            run, entry.ended(IntentState.CANCELED, "never sent: recording it took too long", run.clock.now())
        )
    run.unsettled[intent.client_order_id] = entry
    return _close(run, _sent(run, entry))


def _last_look(run: Run) -> str | None:
    """Why the order must not leave after all, from what may have changed since the guards were asked."""
    if run.deadline.remaining < TIME_TO_SEND_SECONDS:
        return "too little of the run's time is left"
    pause = pause_of(run.store.read({"pause": ("GET", run.keys.pause)}, run.meter)["pause"], run.keys.pause)
    if pause is not None and pause.active(run.clock.now()):
        return f"paused by {pause.set_by}: {pause.reason}"
    return None


def _of_this_slot(run: Run, intent: OrderIntent, activity: Activity) -> JournalEntry | str | None:
    """An order that the exchange already has for this slot, of either side: the journal had lost it.

    Of our own side it is the answer to this intent; of the other it is a reason not to send.
    """
    names = {side.value: client_order_id(run.instrument.symbol, intent.slot, side) for side in Side}
    wave = together(run.pool, {side: partial(_order_of, run, name) for side, name in names.items()})
    for side, name in names.items():
        if (error := wave.error(side)) is not None:
            return f"the exchange did not tell whether this slot has an order ({error.code})"
        order: Order | None = wave.get(side)
        if order is not None:
            log.error("slot %s already has order %s: the journal had lost it", run.slot.name, name)
            found = _found(run, order, name)
            run.recovered.append(found)
            run.batch.document(run.keys.activity, activity_document(activity.recovered(found.intent, intent.slot)))
            if name == intent.client_order_id:
                return found
            journal(run.batch, found)
            return f"the exchange already has {name} for this slot"
    return None


def _order_of(run: Run, client_id: str) -> Order | None:
    try:
        return run.exchange.order(client_id).value
    except UnknownOrder:
        return None


def _sent(run: Run, entry: JournalEntry) -> JournalEntry:
    """Send the order, once, and follow it."""
    name = entry.intent.client_order_id
    try:
        order_id = run.exchange.new_order(entry.intent)
    except OutcomeUnknown as error:
        log.error("order %s: %s", name, error)
        entry = entry.unknown(str(error), run.clock.now())
    except BotError as error:
        log.error("order %s was refused: %s", name, error)
        return entry.ended(IntentState.REJECTED, str(error), run.clock.now())
    else:
        log.info("order %s was accepted as %s", name, order_id)
    return _followed(run, entry)


def _followed(run: Run, entry: JournalEntry) -> JournalEntry:
    """Ask until the order is final or the time is up; a resting order is cancelled when its time is over."""
    name, style = entry.intent.client_order_id, entry.intent.style
    rest = run.settings.order_rest_seconds if style is OrderStyle.MAKER else None
    try:
        order = _poll(run, name, rest)
        if order is not None and not order.status.final:
            order = _cancelled(run, name) or order
    except ExchangeError as error:
        return entry.unknown(f"the exchange did not tell: {error}", run.clock.now())
    if order is None:
        return entry.unknown(entry.reason or "not visible yet", run.clock.now())
    followed = entry.with_order(order, run.clock.now())
    return followed if order.status.final else followed.unknown(f"it is still {order.status}", run.clock.now())


def _cancelled(run: Run, client_id: str) -> Order | None:
    """Cancel, then ask: the cancel's own answer shows the state before it (mexc-api.md 4.5)."""
    try:
        run.exchange.cancel_order(client_id)
    except (UnknownOrder, OutcomeUnknown) as error:
        log.warning("cancel of %s: %s", client_id, error)
    return _poll(run, client_id, None)


def _poll(run: Run, client_id: str, at_most: float | None) -> Order | None:
    """The order as soon as it is final, else as it was last seen; None if it was never seen."""
    pause, seen = 0.25, None
    end = run.clock.monotonic() + at_most if at_most is not None else None
    while True:
        try:
            seen = run.exchange.order(client_id).value
            if seen.status.final:
                return seen
        except UnknownOrder:
            pass
        left = run.deadline.remaining - TIME_TO_FINISH_SECONDS
        if end is not None:
            left = min(left, end - run.clock.monotonic())
        if left <= 0:
            return seen
        run.clock.sleep(min(pause, left))
        pause = min(pause * 2, 4.0)


def _close(run: Run, entry: JournalEntry) -> JournalEntry:
    """Queue how far the intent came; after a definite no the pair's rules are read anew."""
    journal(run.batch, entry)
    run.settled.append(entry.intent.client_order_id)
    if entry.state is IntentState.REJECTED:
        run.batch.delete(run.cache.full_key(run.cache.keys.rules(run.instrument.pair)))
    return entry


def try_out(run: Run, intent: OrderIntent) -> Document:
    """EXECUTION_MODE=test: what the exchange's own check says of the order; nothing is placed."""
    try:
        run.exchange.test_order(intent)
        status, reason = "TEST_ACCEPTED", None
    except ExchangeError as error:
        status, reason = "TEST_REFUSED", str(error)
    return intent_document(intent) | {"status": status, "reason": reason}


def fills_of(run: Run, entry: JournalEntry) -> tuple[Fill, ...]:
    """The order's fills, waited for a little: they may lag its final state (mexc-api.md 5)."""
    if entry.order_id is None or entry.filled_quantity <= 0:
        return ()
    start = (entry.sent_at or entry.planned_at) - timedelta(seconds=5)
    pause = 0.5
    while True:
        answer = run.exchange.my_trades(start, run.clock.now() + timedelta(seconds=5), entry.order_id)
        found = tuple(fill for fill in answer.value if fill.order_id == entry.order_id)
        complete = sum((fill.quantity for fill in found), ZERO) >= entry.filled_quantity
        if complete or run.deadline.remaining - TIME_TO_FINISH_SECONDS / 2 < pause:
            run.batch.raw(answer.reply)
            return found
        run.clock.sleep(pause)
        pause *= 2
