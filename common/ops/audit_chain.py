"""The newest lines of the audit log: they follow one another, and those that must have arrived by now are there."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from common.domain.chain import Checked, Seen, check
from common.gcp.journal import AuditLogSource, events_of
from common.run import View
from common.store.codec import moment
from common.store.documents import MALFORMED_DOCUMENT

NEWEST_OBJECTS = 50
"""Objects that are checked: about two days of them."""
OBJECTS_BEFORE = 3
"""Objects before those, read only for the lines that the checked ones follow: an hour may come in several."""
SINK_DELAY = timedelta(hours=4)
"""When a line must have arrived: objects are written hourly, the first in up to three hours (platform.md §7.5)."""


def look(source: AuditLogSource, reports: Iterable[Mapping[str, Any]], view: View) -> tuple[Checked, str | None]:
    """Check the newest objects, and say which plan has not arrived; `reports` of the 15-minute job, newest first.

    Raises StoreUnreachable, ConfigurationError, UnreadablePayload, StoreCorrupt.
    """
    objects = list(source.texts(NEWEST_OBJECTS + OBJECTS_BEFORE))
    more = len(objects) == NEWEST_OBJECTS + OBJECTS_BEFORE
    before: list[Seen] = []
    seen: list[Seen] = []
    arrived: datetime | None = None
    split = OBJECTS_BEFORE if more else 0
    for part, into in ((objects[:split], before), (objects[split:], seen)):
        for name, fields in events_of(part, source.name, seen=into):
            with suppress(*MALFORMED_DOCUMENT):
                if name == "journal.plan":
                    at = moment(fields["plan"]["timestamp"])
                    arrived = max(arrived or at, at)
    due = _due(reports, view.now)
    late = due is not None and (not more if arrived is None else due > arrived)
    return check(seen, before), _late(seen, due, view) if late and due else None


def _due(reports: Iterable[Mapping[str, Any]], now: datetime) -> datetime | None:
    """The newest stored plan whose line must have arrived; malformed reports are passed over."""
    for report in reports:
        with suppress(*MALFORMED_DOCUMENT):
            made = moment(report["rebalance"]["timestamp"])
            if made <= now - SINK_DELAY:
                return made
    return None


def _late(seen: Iterable[Seen], due: datetime, view: View) -> str:
    head = view.store.read_one(("GET", view.keys.audit_log_head), view.meter)
    written = f"line {head['number']}" if isinstance(head, Mapping) and "number" in head else "a line not known"
    newest = max((line.link.number for line in seen if line.link), default=None)
    there = f"the newest here is line {newest}" if newest is not None else "none is here"
    return f"the plan of {due:%Y-%m-%d %H:%M} has not arrived: {written} was written last, {there}"
