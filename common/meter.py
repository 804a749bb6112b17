"""A run's calls to the outside, counted, and their raw replies."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """A reply: parsed (fractions as Decimal), and its unaltered text, which is stored."""

    endpoint: str
    payload: Any
    text: str
    received_at: datetime


@dataclass
class Meter:
    """Counts a run's calls; shared by the threads of one wave."""

    counts: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, name: str) -> None:
        with self._lock:
            self.counts[name] += 1
