"""The kill switch of contract.md §6: a pause set by an operator or from a laptop."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Pause:
    """The kill switch: who set it, why, and until when (None: until it is lifted)."""

    reason: str
    set_by: str
    set_at: datetime
    until: datetime | None = None

    def active(self, now: datetime) -> bool:
        return self.until is None or now < self.until
