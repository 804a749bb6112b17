"""Counts of what the market-data cache did: for the log line of each run, get_stats and /metrics."""

from collections import Counter
from collections.abc import Mapping
from threading import Lock

NAMES = ("hits", "misses", "errors", "skipped", "bytes_read", "bytes_written", "calls", "microseconds")
"""`errors` are calls that Redis did not answer, `skipped` those not made while the circuit was open."""


class Counts:
    """Totals since the process began, and counts since they were last taken; thread-safe."""

    def __init__(self) -> None:
        self._total: Counter[str] = Counter()
        self._fresh: Counter[str] = Counter()
        self._lock = Lock()

    def add(self, **counts: int) -> None:
        with self._lock:
            self._total.update(counts)
            self._fresh.update(counts)

    def take(self) -> dict[str, int]:
        """The counts since the last call, without zeros."""
        with self._lock:
            fresh, self._fresh = self._fresh, Counter()
        return {name: fresh[name] for name in NAMES if fresh[name]}

    def totals(self) -> Mapping[str, int]:
        with self._lock:
            return {name: self._total[name] for name in NAMES}
