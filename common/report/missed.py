"""Slots of the 15-minute job that were due and have no report.

Kept apart from the rest of the report: the state at a glance needs only this.
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
    """How many slots of the last day were due since the first with a report, and which of them have none.

    A malformed report counts as missing.
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
