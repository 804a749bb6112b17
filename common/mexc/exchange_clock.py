"""The exchange's time: our clock plus its offset, as far as that is known."""

from datetime import datetime, timedelta

from common.clock import Clock
from common.errors import ClockOff

MOST_OFF = timedelta(minutes=1)


class ExchangeClock:
    """A clock that shows the exchange's time; runs use it, so that their timestamps compare with those of fills.

    The offset is measured only when the exchange refuses our time: at ten seconds slow or one second fast.
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
        """Adopt the exchange's time. Raises ClockOff when ours is more than a minute off."""
        if abs(offset) > MOST_OFF:
            side = "behind" if offset > timedelta(0) else "ahead of"
            raise ClockOff(f"our clock is {round(abs(offset).total_seconds())} s {side} the exchange's")
        self._offset = offset
