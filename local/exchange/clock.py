"""Time of the simulated exchange, in whole milliseconds since the epoch."""

import time
from collections.abc import Callable, Iterator

SECOND_MS = 1_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000


def system_ms() -> int:
    """The machine's own time."""
    return time.time_ns() // 1_000_000


class SimulatedClock:
    """A clock based on another one; it can be set, then runs at that clock's rate, or stands still."""

    def __init__(self, base: Callable[[], int]) -> None:
        self._base = base
        self._offset_ms = 0
        self._frozen_ms: int | None = None

    @property
    def frozen(self) -> bool:
        return self._frozen_ms is not None

    def now_ms(self) -> int:
        return self._base() + self._offset_ms if self._frozen_ms is None else self._frozen_ms

    def set(self, now_ms: int | None, *, frozen: bool = False) -> None:
        """Continue from that time, or stand still there; None follows the underlying clock again."""
        self._offset_ms = 0 if now_ms is None else now_ms - self._base()
        self._frozen_ms = now_ms if frozen else None


def pieces(since_ms: int, until_ms: int, width_ms: int) -> Iterator[tuple[int, int]]:
    """Cut a stretch of time, both ends included, at whole multiples of `width_ms`."""
    while since_ms <= until_ms:
        end_ms = min(until_ms, since_ms // width_ms * width_ms + width_ms - 1)
        yield since_ms, end_ms
        since_ms = end_ms + 1
