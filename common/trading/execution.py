"""From a plan to an order, at most once: the order journal around the one request that trades (contract.md §6).

    PLANNED ─ stored with the plan ─▶ SENT ─ stored before the order leaves; the exchange's id is stored as soon as
    it arrives ─▶ FILLED | PARTIALLY_FILLED | CANCELED | REJECTED; RESTING, when the order waits in the book for
    the next run (contract.md §12); or UNKNOWN when no reply says: then this run or the next asks the exchange.

However a run ends in between, the next one finds the intent open, asks the exchange for it, and sends nothing
while it is unresolved.
"""

import logging
from functools import partial

from common.decimals import ZERO
from common.domain.decision.pause import Pause
from common.domain.instrument import Side
from common.domain.orders.journal import IntentState, JournalEntry
from common.domain.orders.order import Fill, Order, OrderIntent, OrderStyle, client_order_id
from common.domain.slots import CLOCKS_APART
from common.errors import BotError, ExchangeError, OutcomeUnknown, UnknownOrder
from common.mexc.client import Answer
from common.mexc.wave import together
from common.run import Run
from common.store.codec import Document, from_document
from common.store.documents import intent_document
from common.trading.recording import record
from common.trading_settings import TIME_TO_SEND_SECONDS

log = logging.getLogger(__name__)
SEND_WITHIN_SECONDS = 2.0
"""Longest time between recording SENT and sending: a process that was suspended in between does not send."""
TIME_TO_FINISH_SECONDS = 6.0
"""Time reserved at the end of the run for fills, balances and the report."""


def execute(run: Run, intent: OrderIntent) -> JournalEntry:
    """Take one intent from PLANNED to its end, or as far as this run can follow it.

    Each state is in Redis before the action it describes. An order that is not final when the time is up stays
    open, for the next run to resolve.
    """
    entry = record(run, JournalEntry.planned(intent, run.clock.now()))
    run.save()
    earlier = _of_this_slot(run, intent)
    if isinstance(earlier, JournalEntry):
        return record(run, earlier)
    stop = earlier or _last_look(run)
    if stop is not None:
        return record(run, entry.ended(IntentState.CANCELED, f"never sent: {stop}", run.clock.now()))
    entry = record(run, entry.sent(run.clock.now()))
    recorded = run.clock.monotonic()
    run.save()
    if run.clock.monotonic() - recorded > SEND_WITHIN_SECONDS:
        late = "never sent: recording it took too long"
        return record(run, entry.ended(IntentState.CANCELED, late, run.clock.now()))
    run.in_flight[intent.client_order_id] = entry
    return record(run, _sent(run, entry))


def _last_look(run: Run) -> str | None:
    """Why the order must not leave after all: what may have changed since the guards passed."""
    if run.deadline.remaining < TIME_TO_SEND_SECONDS:
        return "too little of the run's time is left"
    return paused(run)


def paused(run: Run) -> str | None:
    """By whom and why trading is paused now, read afresh; None when it is not."""
    document = run.store.read_one(("GET", run.keys.pause), run.meter)
    pause = None if document is None else from_document(Pause, document, run.keys.pause)
    active = pause is not None and pause.active(run.clock.now())
    return f"paused by {pause.set_by}: {pause.reason}" if pause is not None and active else None


def _of_this_slot(run: Run, intent: OrderIntent) -> JournalEntry | str | None:
    """An order of either side that the exchange already has for this slot: the journal had lost it.

    If it is of our side, it is this intent's order; if of the other, it is a reason not to send.
    """
    names = {side.value: client_order_id(run.instrument.symbol, intent.slot, side) for side in Side}
    wave = together(run.pool, {side: partial(_order_of, run, name) for side, name in names.items()})
    for side, name in names.items():
        if (error := wave.error(side)) is not None:
            return f"the exchange did not say whether this slot has an order ({error.code})"
        answer: Answer[Order] | None = wave.get(side)
        if answer is not None:
            order = run.kept(answer)
            log.error("slot %s already has order %s: the journal had lost it", run.slot.name, name)
            style = order.style or intent.style
            entry = JournalEntry.lost(order, name, intent.slot, style, run.clock.now())
            if name == intent.client_order_id:
                return entry
            record(run, entry)
            return f"the exchange already has {name} for this slot"
    return None


def _order_of(run: Run, client_id: str) -> Answer[Order] | None:
    try:
        return run.exchange.order(client_id)
    except UnknownOrder:
        return None


def _sent(run: Run, entry: JournalEntry) -> JournalEntry:
    """Send the order, once, and follow it."""
    name = entry.intent.client_order_id
    try:
        order_id = run.exchange.new_order(entry.intent)
    except OutcomeUnknown as error:
        log.error("order %s: %s", name, error)
        return followed(run, entry.unknown(str(error), run.clock.now()))
    except BotError as error:
        log.error("order %s was refused: %s", name, error)
        # The next run reads the pair's rules again: they may be the cause.
        run.batch.delete(run.cache.full_key(run.cache.keys.rules(run.instrument.pair)))
        return entry.ended(IntentState.REJECTED, str(error), run.clock.now())
    log.info("order %s was accepted as %s", name, order_id)
    entry = run.in_flight[name] = record(run, entry.acknowledged(order_id, run.clock.now()))
    run.save()
    return followed(run, entry)


def followed(run: Run, entry: JournalEntry) -> JournalEntry:
    """Ask until the order is final or the time is up; an order that may rest longer is left in the book."""
    rest = run.settings.order_rest_seconds if entry.intent.style is OrderStyle.MAKER else None
    rests = rest is not None and rest > run.deadline.remaining - TIME_TO_FINISH_SECONDS
    try:
        order = poll(run, entry, rest, seen_is_enough=rests)
        if order is not None and not order.status.final and rests:
            log.info("order %s rests in the book", entry.intent.client_order_id)
            return entry.resting(order, run.clock.now())
        if order is not None and not order.status.final:
            order = cancelled(run, entry) or order
    except ExchangeError as error:
        return entry.unknown(f"the exchange did not say: {error}", run.clock.now())
    if order is None:
        return entry.unknown(entry.reason or "not visible yet", run.clock.now())
    return as_reported(run, entry, order)


def as_reported(run: Run, entry: JournalEntry, order: Order) -> JournalEntry:
    """The entry after the exchange's report on its order; if that is not final, the state is UNKNOWN."""
    known = entry.with_order(order, run.clock.now())
    return known if order.status.final else known.unknown(f"it is still {order.status}", run.clock.now())


def cancelled(run: Run, entry: JournalEntry) -> Order | None:
    """Cancel, then ask: the cancel's own reply shows the state before it (exchange.md §4.5)."""
    name = entry.intent.client_order_id
    try:
        run.exchange.cancel_order(name, entry.order_id)
    except (UnknownOrder, OutcomeUnknown) as error:
        log.warning("cancel of %s: %s", name, error)
    return poll(run, entry, None)


def poll(run: Run, entry: JournalEntry, at_most: float | None, *, seen_is_enough: bool = False) -> Order | None:
    """The order as soon as it is final (or visible), else as last seen; None if it was never visible."""
    pause, seen = 0.25, None
    end = run.clock.monotonic() + at_most if at_most is not None else None
    while True:
        seen = look_up(run, entry) or seen
        if seen is not None and (seen.status.final or seen_is_enough):
            return seen
        left = run.deadline.remaining - TIME_TO_FINISH_SECONDS
        if end is not None:
            left = min(left, end - run.clock.monotonic())
        if left <= 0:
            return seen
        run.clock.sleep(min(pause, left))
        pause = min(pause * 2, 4.0)


def look_up(run: Run, entry: JournalEntry) -> Order | None:
    """The order by the exchange's id or by our own; None when the exchange knows neither."""
    by_id = [partial(run.exchange.order_by_id, entry.order_id)] if entry.order_id else []
    for ask in (*by_id, partial(run.exchange.order, entry.intent.client_order_id)):
        try:
            return run.kept(ask())
        except UnknownOrder:
            continue
    return None


def try_out(run: Run, intent: OrderIntent) -> Document:
    """EXECUTION_MODE=test: the result of the exchange's own check of the order; nothing is placed."""
    try:
        run.exchange.test_order(intent)
        status, reason = "TEST_ACCEPTED", None
    except ExchangeError as error:
        status, reason = "TEST_REFUSED", str(error)
    return intent_document(intent) | {"status": status, "reason": reason}


def fills_of(run: Run, entry: JournalEntry) -> tuple[Fill, ...]:
    """The order's fills, after a short wait: they may lag its final state (exchange.md §5)."""
    if entry.order_id is None or entry.filled_quantity <= 0:
        return ()
    start = (entry.sent_at or entry.planned_at) - CLOCKS_APART
    pause = 0.5
    while True:
        answer = run.exchange.my_trades(start, run.clock.now() + CLOCKS_APART, entry.order_id)
        fills = tuple(fill for fill in answer.value.fills if fill.order_id == entry.order_id)
        complete = sum((fill.quantity for fill in fills), ZERO) >= entry.filled_quantity
        if complete or run.deadline.remaining - TIME_TO_FINISH_SECONDS / 2 < pause:
            run.batch.raw(answer.reply)
            return fills
        run.clock.sleep(pause)
        pause *= 2
