"""`settle-intent`: an operator says what became of an order that the exchange no longer tells."""

import logging
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from common.decimals import ZERO, exact, parse, plain
from common.domain.orders.journal import JournalEntry
from common.domain.orders.order import Order, OrderStatus
from common.errors import BadRequest, BotError, InvalidAmount
from common.run import Job, Outcome, Run
from common.store.entries import entry_document
from common.store.state import ORDERS
from common.trading.recording import order_journal, record
from common.trading.resolution import found

log = logging.getLogger(__name__)


def run(run: Run, name: str, filled: Decimal, notional: Decimal | None, reason: str) -> Outcome:
    """End the open intent of that client order id. Raises BadRequest when there is none, or it cannot be so."""
    entry = order_journal(run).entries.get(name)
    if entry is None or not entry.state.open:
        raise BadRequest("client_order_id: no open intent has it")
    order = _shown(run, entry)
    if order is not None:
        raise BadRequest(f"client_order_id: the exchange shows it as {order.status}: the next run goes by that")
    if filled > entry.intent.quantity:
        raise BadRequest(f"filled_quantity: at most {plain(entry.intent.quantity)}, what was ordered")
    settled = record(run, _settled(entry, filled, notional, reason, run))
    log.warning("intent %s is settled by hand as %s: %s", name, settled.state, reason)
    return Outcome(body={"data": entry_document(settled)})


def _shown(run: Run, entry: JournalEntry) -> Order | None:
    """The order, if the exchange shows it in a known state; where it does not answer, the operator is believed."""
    try:
        order = found(run, entry)
    except BotError as error:
        log.warning("the exchange was not asked for %s: %s", entry.intent.client_order_id, error)
        return None
    return order if order is not None and order.status is not OrderStatus.UNKNOWN else None


@exact
def _settled(entry: JournalEntry, filled: Decimal, notional: Decimal | None, reason: str, run: Run) -> JournalEntry:
    worth = notional if notional is not None else filled * (entry.intent.limit_price or ZERO)
    return entry.closed_with(filled, worth, reason, run.clock.now())


def job(body: Mapping[str, object], by: str) -> Job:
    """The command as a run under the account's lease. Raises BadRequest for what cannot be read."""
    name, reason = body.get("client_order_id"), body.get("reason")
    if not isinstance(name, str) or not name:
        raise BadRequest("client_order_id: the intent's own, as `open_intents` tells it")
    if not isinstance(reason, str) or not reason.strip():
        raise BadRequest("reason: where this is known from")
    filled = _amount(body, "filled_quantity")
    if filled is None:
        raise BadRequest("filled_quantity: base asset that executed, 0 when nothing did")
    told = f"settled by {by}: {reason.strip()[:200]}"
    notional = _amount(body, "filled_notional")
    return Job(
        name="settle-intent",
        task="ops",
        scope="account",
        run=partial(run, name=name, filled=filled, notional=notional, reason=told),
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
