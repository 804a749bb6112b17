"""Which scheduled time a call belongs to, and whether to trust it (platform.md §2.2)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

QUARTER = timedelta(minutes=15)
"""The interval between two slots of the 15-minute job."""
EARLY = timedelta(seconds=2)
LATE = timedelta(days=1)
CLOCKS_APART = timedelta(seconds=15)
"""How far our clock and the exchange's may be apart in requests about a time.

The exchange accepts calls signed by a clock up to ten seconds slow (recvWindow, exchange.md §2); this adds half as
much again.
"""
_NAME = "%Y%m%dT%H%MZ"


@dataclass(frozen=True, slots=True)
class Slot:
    """`at` is the scheduled minute, or for a manual call the minute it came in; UTC."""

    at: datetime
    scheduled: bool

    @property
    def name(self) -> str:
        """Sortable and readable: 20260102T0315Z."""
        return self.at.strftime(_NAME)


def slot_of(schedule_time: str | None, now: datetime) -> Slot:
    """The slot of a delivery, from the X-CloudScheduler-ScheduleTime header.

    The header is the same for all deliveries of one slot, but a forced run carries the next slot or none,
    and anybody can send it. So it counts only when it is past (or `EARLY` ahead at most) and not older than
    `LATE`; otherwise the call counts as manual: never a duplicate, with its own minute as the order's slot.
    """
    by_hand = Slot(now.replace(second=0, microsecond=0), scheduled=False)
    if not schedule_time:
        return by_hand
    try:
        moment = datetime.fromisoformat(schedule_time)
    except ValueError:
        return by_hand
    if moment.tzinfo is None or not -EARLY <= now - moment <= LATE:
        return by_hand
    return Slot(moment.astimezone(UTC).replace(second=0, microsecond=0), scheduled=True)


def slot_named(name: str) -> datetime:
    """The time of a slot by its name. Raises ValueError."""
    return datetime.strptime(name, _NAME).replace(tzinfo=UTC)


def missed(seen: Collection[datetime], now: datetime) -> tuple[int, list[datetime]]:
    """How many slots were due since the first one seen, and which of them are missing.

    `seen` are times of runs; each belongs to the slot it falls in. The current slot is not due until it is over.
    """
    began = {_beginning(at) for at in seen}
    if not began:
        return 0, []
    first = min(began)
    last = max(max(began), _beginning(now) - QUARTER)
    due = [first + index * QUARTER for index in range((last - first) // QUARTER + 1)]
    return len(due), [slot for slot in due if slot not in began]


def _beginning(at: datetime) -> datetime:
    origin = datetime(2001, 1, 1, tzinfo=UTC)
    return origin + (at - origin) // QUARTER * QUARTER
