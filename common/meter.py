"""What a run asked of the outside and was answered: its calls counted, its raw replies kept."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """An answer: parsed (fractions as Decimal), and its own text to be kept unaltered."""

    endpoint: str
    payload: Any
    text: str
    received_at: datetime


@dataclass
class Meter:
    """Counts what a run calls; shared by the threads of one wave."""

    counts: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, name: str) -> None:
        with self._lock:
            self.counts[name] += 1
