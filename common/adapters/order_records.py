"""Intents, activity and the kill switch as documents and back."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from common.domain.decimals import quotient
from common.domain.instrument import Instrument, Side
from common.domain.orders import IntentState, JournalEntry, OrderIntent, OrderStyle
from common.domain.risk import Activity, Pause
from common.errors import StoreCorrupt

Document = dict[str, Any]
T = TypeVar("T")


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

    def read() -> JournalEntry:
        price: Decimal | None = document["limit_price"]
        intent = OrderIntent(
            document["client_order_id"],
            datetime.fromisoformat(document["slot"]),
            Side(document["side"]),
            OrderStyle(document["style"]),
            document["quantity"],
            price,
            document["notional"],
        )
        return JournalEntry(
            intent,
            IntentState(document["state"]),
            datetime.fromisoformat(document["planned_at"]),
            datetime.fromisoformat(document["updated_at"]),
            _moment(document["sent_at"]),
            document["order_id"],
            document["filled_quantity"],
            document["filled_notional"],
            document["reason"],
        )

    return _read(read, key, "an order intent")


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

    def read() -> Activity:
        return Activity(
            document["day"],
            document["orders"],
            document["pnl_at_start"],
            _moment(document["last_order_at"]),
            _moment(document["last_slot"]),
        )

    return _read(read, key, "the record of orders")


def pause_document(pause: Pause) -> Document:
    return {name: getattr(pause, name) for name in Pause.__slots__}


def pause_of(document: Any, key: str) -> Pause | None:
    """The stored pause, None when there is none. Raises StoreCorrupt: then nothing is ordered either."""
    if document is None:
        return None

    def read() -> Pause:
        return Pause(
            document["reason"],
            document["set_by"],
            datetime.fromisoformat(document["set_at"]),
            _moment(document["until"]),
        )

    return _read(read, key, "a pause")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


def _read(read: Callable[[], T], key: str, what: str) -> T:
    try:
        return read()
    except (KeyError, TypeError, ValueError) as error:
        raise StoreCorrupt(f"{key} is not {what}: {type(error).__name__}") from None


def fields_of(documents: Mapping[str, Any] | None) -> list[Any]:
    """The documents of a hash that was read back."""
    return list(documents.values()) if documents else []
