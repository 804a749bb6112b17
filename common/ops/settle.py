"""`settle-intent` and `ignore-order`: an operator records an order's outcome where the exchange does not report it.

    {"command": "settle-intent", "client_order_id": "rb…", "filled_quantity": "0", "reason": "…"}
    {"command": "ignore-order", "id": "C02__1", "reason": "…"}

`settle-intent` closes an open intent, or an order that Redis has lost and whose row in the exchange's list is
unreadable; then it needs the `order_id`. `ignore-order` is for such a row that is not one of the bot's orders.
"""

import logging
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from common.decimals import ZERO, exact, parse, plain
from common.domain.instrument import Side
from common.domain.orders.journal import IntentState, JournalEntry
from common.domain.orders.order import Order, OrderIntent, OrderStatus, client_order_id, slot_in
from common.errors import BadRequest, BotError, InvalidAmount
from common.ops.given import Given
from common.run import Job, Outcome, Run
from common.store.entries import entry_document
from common.store.state import ORDERS
from common.trading.recording import order_journal, record
from common.trading.resolution import NOT_OURS, found

log = logging.getLogger(__name__)
INTENT_FIELDS = ("client_order_id", "order_id", "filled_quantity", "filled_notional", "reason")
"""What an operator may enter about an order, and what the audit log keeps of it."""


def run(
    run: Run, name: str, order_id: str | None, filled: Decimal, notional: Decimal | None, reason: str
) -> Outcome:
    """Close the open intent of that client order id. Raises BadRequest when there is none, or it contradicts."""
    entry = order_journal(run).entries.get(name) or _lost(run, name, order_id, filled, notional)
    if entry is None or not entry.state.open:
        raise BadRequest("client_order_id: no open intent has it")
    order = _shown(run, entry)
    if order is not None:
        raise BadRequest(f"client_order_id: the exchange shows it as {order.status}: the next run uses that status")
    if filled > entry.intent.quantity:
        raise BadRequest(f"filled_quantity: at most {plain(entry.intent.quantity)}, what was ordered")
    closed = record(run, _closed(entry, filled, notional, reason, run))
    log.warning("intent %s is settled by hand as %s: %s", name, closed.state, reason)
    return Outcome(body={"data": entry_document(closed)})


def _shown(run: Run, entry: JournalEntry) -> Order | None:
    """The order, if the exchange shows it in a known state; if the exchange does not reply, trust the operator."""
    try:
        order = found(run, entry)
    except BotError as error:
        log.warning("the exchange was not asked for %s: %s", entry.intent.client_order_id, error)
        return None
    return order if order is not None and order.status is not OrderStatus.UNKNOWN else None


def _lost(
    run: Run, name: str, order_id: str | None, filled: Decimal, notional: Decimal | None
) -> JournalEntry | None:
    """An entry for an id of this bot's own that no record knows; None for any other id. Raises BadRequest."""
    symbol, slot = run.instrument.symbol, slot_in(name)
    side = next((side for side in Side if slot and client_order_id(symbol, slot, side) == name), None)
    recorded = run.store.read_one(("HMGET", run.keys.orders_journal, name), run.meter)
    if slot is None or side is None or recorded != [None]:
        return None
    if order_id is None:
        raise BadRequest(
            "order_id: no record has this order; the exchange's own id of it, as the plan's reason has it"
        )
    if filled and notional is None:
        raise BadRequest("filled_notional: no record has this order's limit")
    intent = OrderIntent(name, slot, side, run.settings.usual_style, filled, None, notional or ZERO)
    return JournalEntry(intent, IntentState.SENT, slot, run.now, slot, order_id)


@exact
def _closed(entry: JournalEntry, filled: Decimal, notional: Decimal | None, reason: str, run: Run) -> JournalEntry:
    worth = notional if notional is not None else filled * (entry.intent.limit_price or ZERO)
    return entry.closed_with(filled, worth, reason, run.clock.now())


def job(body: Mapping[str, object], by: str) -> Job:
    """The command as a run under the account's lease. Raises BadRequest for unreadable input."""
    name, reason = body.get("client_order_id"), body.get("reason")
    if not isinstance(name, str) or not name:
        raise BadRequest("client_order_id: the intent's own, as in `open_intents`")
    if not isinstance(reason, str) or not reason.strip():
        raise BadRequest("reason: where this is known from")
    order_id = body.get("order_id")
    if order_id is not None and (not isinstance(order_id, str) or not order_id):
        raise BadRequest("order_id: the exchange's own, or nothing")
    filled = _amount(body, "filled_quantity")
    if filled is None:
        raise BadRequest("filled_quantity: base asset that executed, 0 when nothing did")
    note = f"settled by {by}: {reason.strip()[:200]}"
    notional = _amount(body, "filled_notional")
    return Job(
        name="settle-intent",
        task="ops",
        scope="account",
        run=partial(run, name=name, order_id=order_id, filled=filled, notional=notional, reason=note),
        show=lambda _: None,
        reads=ORDERS,
        writes=("orders", "commands"),
    )


def _amount(body: Mapping[str, object], field: str) -> Decimal | None:
    value: Any = body.get(field)
    if value is None:
        return None
    try:
        amount = parse(plain(value) if isinstance(value, Decimal) else str(value))
    except InvalidAmount:
        raise BadRequest(f"{field}: an amount, as text or as a number") from None
    if isinstance(value, bool) or amount < 0:
        raise BadRequest(f"{field}: an amount, as text or as a number")
    return amount


def ignore_order(given: Given) -> Mapping[str, Any]:
    """Leave a row of the exchange's order list out for good: it is not the bot's order. Raises BadRequest."""
    name, reason, key = given.body.get("id"), given.body.get("reason"), given.batch.keys.orders_known
    if not isinstance(name, str) or not name.strip():
        raise BadRequest("id: the order's, as the plan's reason has it")
    if not isinstance(reason, str) or not reason.strip():
        raise BadRequest("reason: where this is known from")
    (ours,) = given.store.read_one(("HMGET", key, name), given.meter)
    if ours:
        raise BadRequest(f"id: it is the bot's own {ours}")
    given.batch.hash(key, {name: NOT_OURS})
    log.warning("order %s is left out as %s said", name, given.by)
    return {"id": name}
