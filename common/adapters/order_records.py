"""Intents, activity and the kill switch as documents and back."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from common.domain.decimals import plain, quotient
from common.domain.instrument import Instrument, Side
from common.domain.orders import Continuity, IntentState, JournalEntry, OrderIntent, OrderStyle
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
        price = document["limit_price"]
        intent = OrderIntent(
            _text(document["client_order_id"]),
            _moment(document["slot"]),
            Side(document["side"]),
            OrderStyle(document["style"]),
            _amount(document["quantity"]),
            None if price is None else _amount(price),
            _amount(document["notional"]),
        )
        return JournalEntry(
            intent,
            IntentState(document["state"]),
            _moment(document["planned_at"]),
            _moment(document["updated_at"]),
            _moment_or_none(document["sent_at"]),
            _text_or_none(document["order_id"]),
            _amount(document["filled_quantity"]),
            _amount(document["filled_notional"]),
            _text_or_none(document["reason"]),
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
        start = document["pnl_at_start"]
        return Activity(
            date.fromisoformat(document["day"]).isoformat(),
            _count(document["orders"]),
            None if start is None else _amount(start),
            _moment_or_none(document["last_order_at"]),
            _moment_or_none(document["last_slot"]),
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
            _text(document["reason"]),
            _text(document["set_by"]),
            _moment(document["set_at"]),
            _moment_or_none(document["until"]),
        )

    return _read(read, key, "a pause")


def continuity_document(continuity: Continuity) -> Document:
    return {name: getattr(continuity, name) for name in Continuity.__slots__}


def continuity_of(document: Any, key: str) -> Continuity | None:
    """The stored record, None when there is none. Raises StoreCorrupt."""
    if document is None:
        return None

    def read() -> Continuity:
        return Continuity(_text(document["instance_id"]), _moment(document["since"]), document["searched"] is True)

    return _read(read, key, "the record of which Redis it is")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment


def _moment_or_none(text: str | None) -> datetime | None:
    return _moment(text) if text is not None else None


def _amount(value: Any) -> Decimal:
    """An amount; a whole one that was written as a number comes back as an int."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if not isinstance(value, Decimal):
        raise TypeError("no amount")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("no count")
    return value


def _text(value: Any) -> str:
    """A text; one that looks like a number (a reason such as "2") comes back as one."""
    if isinstance(value, Decimal):
        return plain(value)
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _text_or_none(value: Any) -> str | None:
    return _text(value) if value is not None else None


def _read(read: Callable[[], T], key: str, what: str) -> T:
    try:
        return read()
    except (KeyError, TypeError, ValueError) as error:
        raise StoreCorrupt(f"{key} is not {what}: {type(error).__name__}") from None


def fields_of(documents: Mapping[str, Any] | None) -> list[Any]:
    """The documents of a hash that was read back."""
    return list(documents.values()) if documents else []
