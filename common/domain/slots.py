"""Which scheduled time a call belongs to, and whether that may be believed (platform.md §2.2)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EARLY = timedelta(seconds=2)
LATE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Slot:
    """`at` is the scheduled minute, or for a call by hand the minute it came in; UTC."""

    at: datetime
    scheduled: bool

    @property
    def name(self) -> str:
        """Sortable and readable: 20260102T0315Z."""
        return self.at.strftime("%Y%m%dT%H%MZ")


def slot_of(schedule_time: str | None, now: datetime) -> Slot:
    """The slot of a delivery, from the X-CloudScheduler-ScheduleTime header.

    The header is the same for all deliveries of one slot, but a forced run carries the next slot or none,
    and anybody can send it. So it counts only when it is past (or `EARLY` ahead at most) and not older than
    `LATE`; otherwise the call is one by hand: never a duplicate, with its own minute as the order's slot.
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
