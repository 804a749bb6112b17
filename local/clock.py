"""A clock for played days: it runs at the real rate, and jumps when the player asks for it."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

Listener = Callable[[datetime], None]


class SimulatedClock:
    """Shared by the bot and the player; `listener` (the exchange's own clock) is called on every jump."""

    def __init__(self, start: datetime, listener: Listener | None = None) -> None:
        self._start = self._base = start
        self._listener = listener
        self._set_at = time.monotonic()
        self._lock = Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._base + timedelta(seconds=time.monotonic() - self._set_at)

    def monotonic(self) -> float:
        return (self.now() - self._start).total_seconds()

    def sleep(self, seconds: float) -> None:
        """Jump ahead instead of waiting."""
        self.jump(self.now() + timedelta(seconds=seconds))

    def jump(self, moment: datetime) -> None:
        """Jump to `moment`; never back."""
        with self._lock:
            current = self._base + timedelta(seconds=time.monotonic() - self._set_at)
            self._base = max(moment, current)
            self._set_at = time.monotonic()
        if self._listener:
            self._listener(self.now())
