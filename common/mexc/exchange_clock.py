"""The exchange's time: our clock and how far it is off, as far as the exchange has told."""

from datetime import datetime, timedelta

from common.clock import Clock
from common.errors import ClockOff

MOST_OFF = timedelta(minutes=1)


class ExchangeClock:
    """A clock that shows the exchange's time; runs live by it, so that what they stamp compares with fills.

    The offset is measured when the exchange refuses our time, that is from ten seconds slow or one fast on.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = timedelta(0)

    def now(self) -> datetime:
        return self._clock.now() + self._offset

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def measured(self, offset: timedelta) -> None:
        """Take the exchange's time for ours. Raises ClockOff when ours is more than a minute off."""
        if abs(offset) > MOST_OFF:
            side = "behind" if offset > timedelta(0) else "ahead of"
            raise ClockOff(f"our clock is {round(abs(offset).total_seconds())} s {side} the exchange's")
        self._offset = offset
