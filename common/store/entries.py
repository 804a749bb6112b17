"""The order journal's entries as documents and back, kept apart so that reading orders does not load the books."""

from datetime import datetime
from typing import Any

from common.domain.orders.journal import Journal, JournalEntry
from common.store.codec import Document, from_document, to_document, whole

ENTRY_FIELDS = ("sent_at", "order_id", "filled_quantity", "filled_notional", "reason")


def entry_document(entry: JournalEntry) -> Document:
    """A flat document: the intent's own fields, then its state."""
    document = to_document(entry)
    intent: Document = document.pop("intent")
    return intent | {"state": None, "planned_at": None, "sent_at": None} | document


def entry_of(document: Any, key: str) -> JournalEntry:
    """A journal entry from Redis or the audit log. Raises StoreCorrupt, naming `key`."""
    found = whole(document, ENTRY_FIELDS, key)
    return from_document(JournalEntry, {**found, "intent": found}, key)


def activity_document(journal: Journal, day: Document | None, now: datetime) -> Document:
    """What was ordered so far, for display: folded, never stored; `day` is the stored start of the day."""
    activity = journal.activity(now)
    return {
        "day": now.date().isoformat(),
        "orders": activity.orders,
        "placements": activity.placements,
        "pnl_at_start": (day or {}).get("pnl_at_start"),
        "last_order_at": activity.last_order_at,
        "last_slot": activity.last_slot,
    }
