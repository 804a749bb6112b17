"""Slots of the 15-minute job that were due and have no report.

Apart from what else the report tells: the state at a glance shows them, and starts without the rest of it.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from common.domain.slots import missed, slot_named
from common.store.codec import moment
from common.store.documents import MALFORMED_DOCUMENT

Document = Mapping[str, Any]


def missed_slots(reports: Iterable[Document], now: datetime) -> tuple[int, list[datetime]]:
    """How many slots of the last day were due, since the first with a report, and those without one.

    A report that cannot be told is none.
    """
    seen = []
    for report in reports:
        with suppress(*MALFORMED_DOCUMENT):
            if now - moment(report["timestamp"]) <= timedelta(days=1):
                seen.append(ran_for(report))
    return missed(seen, now)


def ran_for(report: Document) -> datetime:
    """The slot a report belongs to: that of its plan, else the time it was made."""
    name = (report.get("rebalance") or {}).get("slot")
    return slot_named(name) if isinstance(name, str) else moment(report["timestamp"])
