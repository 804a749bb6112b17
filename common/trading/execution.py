"""From a plan to an order, at most once: the intent journal around the one request that trades (contract.md §6).

    PLANNED ─ stored with the plan ─▶ SENT ─ stored, then the order leaves ─▶ FILLED | PARTIALLY_FILLED |
    CANCELED | REJECTED, or UNKNOWN when no answer says: then the exchange is asked, in this run or the next.

Whatever ends a run in between, the next one finds the intent open, asks the exchange for it by its client
order id, and sends nothing while it is unresolved.
"""

import logging
from datetime import timedelta
from functools import partial

from common.decimals import ZERO
from common.domain.decision.guards import Activity, Pause
from common.domain.instrument import Side
from common.domain.orders.order import (
    Fill,
    IntentState,
    JournalEntry,
    Order,
    OrderIntent,
    OrderStyle,
    client_order_id,
    slot_in,
)
from common.errors import BotError, ExchangeError, OutcomeUnknown, UnknownOrder
from common.gcp.journal import note
from common.mexc.wave import together
from common.run import Run
from common.store.batch import Batch
from common.store.codec import Document, from_document, to_document
from common.store.documents import intent_document
from common.store.records import entry_document

log = logging.getLogger(__name__)
SEND_WITHIN_SECONDS = 2.0
"""Longest time between recording SENT and sending: a process that was stopped in between does not send."""
TIME_TO_SEND_SECONDS = 15.0
"""What must be left of the run for an order to be sent and followed up."""
CLOCKS_APART = timedelta(seconds=15)
"""By how much windows of fills reach further: a clock ten seconds slow is not refused yet."""
TIME_TO_FINISH_SECONDS = 6.0
"""What is kept of the run for fills, balances and the report."""


def journal(batch: Batch, entry: JournalEntry) -> None:
    """Queue the entry, and log it for the journal outside Redis."""
    record(batch, entry)
    note("intent", entry_document(entry))


def record(batch: Batch, entry: JournalEntry) -> None:
    """Queue the entry: into the journal, and into or out of the open ones."""
    keys, name, document = batch.keys, entry.intent.client_order_id, entry_document(entry)
    batch.hash(keys.orders_journal, {name: document})
    if entry.state.open:
        batch.hash(keys.orders_open, {name: document})
    else:
        batch.hash_delete(keys.orders_open, name)
    if entry.order_id:
        batch.hash(keys.orders_known, {entry.order_id: name})


def current_activity(run: Run) -> Activity:
    """What was ordered so far, with the orders that this run has found again."""
    activity = run.state.activity or Activity(run.now.date().isoformat())
    for entry in sorted(run.recovered, key=lambda entry: entry.intent.slot):
        activity = activity.recovered(entry.intent, entry.sent_at or entry.planned_at)
    return activity.at_least(run.told)


def found(run: Run, order: Order, client_id: str) -> JournalEntry:
    return JournalEntry.found(order, client_id, slot_in(client_id), run.settings.usual_style, run.clock.now())


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
        return close(run, earlier)
    stop = earlier or _last_look(run)
    if stop is not None:
        return close(run, entry.ended(IntentState.CANCELED, f"never sent: {stop}", run.clock.now()))
    now = run.clock.now()
    entry = entry.sent(now)
    journal(run.batch, entry)
    run.batch.document(run.keys.activity, to_document(activity.after(intent, now)))
    recorded = run.clock.monotonic()
    run.save()
    if run.clock.monotonic() - recorded > SEND_WITHIN_SECONDS:
        return close(
            run, entry.ended(IntentState.CANCELED, "never sent: recording it took too long", run.clock.now())
        )
    run.unsettled[intent.client_order_id] = entry
    return close(run, _sent(run, entry))


def _last_look(run: Run) -> str | None:
    """Why the order must not leave after all, from what may have changed since the guards were asked."""
    if run.deadline.remaining < TIME_TO_SEND_SECONDS:
        return "too little of the run's time is left"
    document = run.store.read({"pause": ("GET", run.keys.pause)}, run.meter)["pause"]
    pause = None if document is None else from_document(Pause, document, run.keys.pause)
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
            entry = found(run, order, name)
            run.recovered.append(entry)
            run.batch.document(run.keys.activity, to_document(activity.recovered(entry.intent, intent.slot)))
            if name == intent.client_order_id:
                return entry
            journal(run.batch, entry)
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
        order = poll(run, name, rest)
        if order is not None and not order.status.final:
            order = cancelled(run, name) or order
    except ExchangeError as error:
        return entry.unknown(f"the exchange did not tell: {error}", run.clock.now())
    if order is None:
        return entry.unknown(entry.reason or "not visible yet", run.clock.now())
    followed = entry.with_order(order, run.clock.now())
    return followed if order.status.final else followed.unknown(f"it is still {order.status}", run.clock.now())


def cancelled(run: Run, client_id: str) -> Order | None:
    """Cancel, then ask: the cancel's own answer shows the state before it (exchange.md §4.5)."""
    try:
        run.exchange.cancel_order(client_id)
    except (UnknownOrder, OutcomeUnknown) as error:
        log.warning("cancel of %s: %s", client_id, error)
    return poll(run, client_id, None)


def poll(run: Run, client_id: str, at_most: float | None) -> Order | None:
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


def close(run: Run, entry: JournalEntry) -> JournalEntry:
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
    """The order's fills, waited for a little: they may lag its final state (exchange.md §5)."""
    if entry.order_id is None or entry.filled_quantity <= 0:
        return ()
    start = (entry.sent_at or entry.planned_at) - CLOCKS_APART
    pause = 0.5
    while True:
        answer = run.exchange.my_trades(start, run.clock.now() + CLOCKS_APART, entry.order_id)
        found = tuple(fill for fill in answer.value if fill.order_id == entry.order_id)
        complete = sum((fill.quantity for fill in found), ZERO) >= entry.filled_quantity
        if complete or run.deadline.remaining - TIME_TO_FINISH_SECONDS / 2 < pause:
            run.batch.raw(answer.reply)
            return found
        run.clock.sleep(pause)
        pause *= 2
