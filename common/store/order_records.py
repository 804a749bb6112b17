"""Intents, activity and the kill switch as documents and back."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from common.decimals import quotient
from common.domain.decision.guards import Activity, Pause
from common.domain.instrument import Instrument, Side
from common.domain.orders.order import Continuity, IntentState, JournalEntry, OrderIntent, OrderStyle
from common.store.stored import (
    amount,
    amount_or_none,
    count,
    moment,
    moment_or_none,
    reading,
    text,
    text_or_none,
)

Document = dict[str, Any]


def intent_document(intent: OrderIntent) -> Document:
    return {
        "client_order_id": intent.client_order_id,
        "slot": intent.slot,
        "side": intent.side.value,
        "style": intent.style.value,
        "quantity": intent.quantity,
        "limit_price": intent.limit_price,
        "notional": intent.notional,
    }


def entry_document(entry: JournalEntry) -> Document:
    return intent_document(entry.intent) | {
        "state": entry.state.value,
        "mid_price": entry.intent.mid_price,
        "planned_at": entry.planned_at,
        "sent_at": entry.sent_at,
        "updated_at": entry.updated_at,
        "order_id": entry.order_id,
        "filled_quantity": entry.filled_quantity,
        "filled_notional": entry.filled_notional,
        "reason": entry.reason,
    }


def entry_of(document: Any, key: str) -> JournalEntry:
    """Raises StoreCorrupt, naming `key`."""

    with reading(key, "an order intent"):
        intent = OrderIntent(
            text(document["client_order_id"]),
            moment(document["slot"]),
            Side(document["side"]),
            OrderStyle(document["style"]),
            amount(document["quantity"]),
            amount_or_none(document["limit_price"]),
            amount(document["notional"]),
            amount_or_none(document.get("mid_price")),
        )
        return JournalEntry(
            intent,
            IntentState(document["state"]),
            moment(document["planned_at"]),
            moment(document["updated_at"]),
            moment_or_none(document["sent_at"]),
            text_or_none(document["order_id"]),
            amount(document["filled_quantity"]),
            amount(document["filled_notional"]),
            text_or_none(document["reason"]),
        )


def order_report(entry: JournalEntry, instrument: Instrument, **more: Any) -> Document:
    """The execution report of the answer: what was ordered, and what became of it."""
    filled = entry.filled_quantity
    return {
        "client_order_id": entry.intent.client_order_id,
        "order_id": entry.order_id,
        "status": entry.state.value,
        "reason": entry.reason,
        "side": entry.intent.side.value,
        "type": entry.intent.style.order_type,
        "quantity": entry.intent.quantity,
        "limit_price": entry.intent.limit_price,
        f"notional_{instrument.quote.lower()}": entry.intent.notional,
        "filled_quantity": filled,
        f"filled_notional_{instrument.quote.lower()}": entry.filled_notional,
        "sent_at": entry.sent_at,
        "average_fill_price": quotient(entry.filled_notional, filled) if filled > 0 else None,
        **more,
    }


def activity_document(activity: Activity) -> Document:
    return {name: getattr(activity, name) for name in Activity.__slots__}


def activity_of(document: Any, now: datetime, key: str) -> Activity:
    """The stored activity, or none yet. Raises StoreCorrupt."""
    if document is None:
        return Activity(now.date().isoformat())

    with reading(key, "the record of orders"):
        return Activity(
            date.fromisoformat(document["day"]).isoformat(),
            count(document["orders"]),
            amount_or_none(document["pnl_at_start"]),
            moment_or_none(document["last_order_at"]),
            moment_or_none(document["last_slot"]),
        )


def pause_document(pause: Pause) -> Document:
    return {name: getattr(pause, name) for name in Pause.__slots__}


def pause_of(document: Any, key: str) -> Pause | None:
    """The stored pause, None when there is none. Raises StoreCorrupt: then nothing is ordered either."""
    if document is None:
        return None

    with reading(key, "a pause"):
        return Pause(
            text(document["reason"]),
            text(document["set_by"]),
            moment(document["set_at"]),
            moment_or_none(document["until"]),
        )


def continuity_document(continuity: Continuity) -> Document:
    return {name: getattr(continuity, name) for name in Continuity.__slots__}


def continuity_of(document: Any, key: str) -> Continuity | None:
    """The stored record, None when there is none. Raises StoreCorrupt."""
    if document is None:
        return None

    with reading(key, "the record of which Redis it is"):
        return Continuity(text(document["instance_id"]), moment(document["since"]), document["searched"] is True)


def fields_of(documents: Mapping[str, Any] | None) -> list[Any]:
    """The documents of a hash that was read back."""
    return list(documents.values()) if documents else []
