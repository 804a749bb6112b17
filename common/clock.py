"""Time as a collaborator: the system clock, or another one that a laptop run or a test passes in."""

import time
from datetime import UTC, datetime
from typing import Protocol

from common.errors import ExchangeUnavailable


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, aware, UTC."""

    def monotonic(self) -> float:
        """Seconds since some point, never going back: for durations and deadlines."""

    def sleep(self, seconds: float) -> None:
        """Wait that many seconds."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Deadline:
    """The time left for a run; every outgoing call checks it (the platform does not end a run for us)."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds

    @property
    def remaining(self) -> float:
        return max(self._end - self._clock.monotonic(), 0.0)

    def timeout(self, at_most: float) -> float:
        """Seconds that the next call may take. Raises ExchangeUnavailable when the run's time is used up."""
        left = min(at_most, self.remaining)
        if left <= 0.05:
            raise ExchangeUnavailable("the run's deadline has passed")
        return left


def milliseconds(moment: datetime) -> int:
    """Unix milliseconds, exactly (a float of seconds would sometimes be off by one)."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def from_milliseconds(value: int) -> datetime:
    """The aware UTC datetime of Unix milliseconds. Raises OverflowError or ValueError out of range."""
    return datetime.fromtimestamp(value // 1000, UTC).replace(microsecond=value % 1000 * 1000)
