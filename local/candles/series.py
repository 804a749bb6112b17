"""Candles in memory: eight bytes a number, exact on request."""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from operator import sub

from local.candles.formats import EPOCH

_SAFE = 15
"""Decimal digits that a binary double always reproduces exactly."""


def _moment(at_ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=at_ms)


@dataclass(slots=True)
class Column:
    """Numbers as doubles, for searching; `column[i]` is the decimal written in the file.

    A double reproduces 15 digits; the few numbers that need more are kept in `exact`.
    """

    floats: "array[float]" = field(default_factory=lambda: array("d"))
    exact: dict[int, Decimal] = field(default_factory=dict)

    def extend(self, texts: Sequence[str]) -> None:
        """Append numbers given as text. Raises ValueError for a text that is not a number."""
        start = len(self.floats)
        self.floats.extend(map(float, texts))
        if max(map(len, texts), default=0) > _SAFE:
            for index, text in enumerate(texts, start):
                if len(text) > _SAFE and (number := Decimal(text)) != Decimal(repr(self.floats[index])):
                    self.exact[index] = number

    def __getitem__(self, index: int) -> Decimal:
        kept = self.exact.get(index)
        return Decimal(repr(self.floats[index])) if kept is None else kept

    def __len__(self) -> int:
        return len(self.floats)

    def part(self, start: int, stop: int) -> "Column":
        exact = {index - start: number for index, number in self.exact.items() if start <= index < stop}
        return Column(self.floats[start:stop], exact)

    def reversed(self) -> "Column":
        last = len(self.floats) - 1
        return Column(self.floats[::-1], {last - index: number for index, number in self.exact.items()})


@dataclass(frozen=True, slots=True)
class Bar:
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Candles:
    """A series, oldest first. `times` are the openings in milliseconds, `width_ms` their most common distance.

    Gaps stay as in the source: `gaps` counts them, `missing` the bars that would fill them.
    """

    format: str
    times: "array[int]"
    open: Column
    high: Column
    low: Column
    close: Column
    volume: Column
    width_ms: int
    gaps: int
    missing: int

    @classmethod
    def of(cls, format: str, times: "array[int]", columns: Iterable[Column]) -> "Candles":
        """Determine width and gaps. A single candle is assumed to be a minute wide."""
        distances = Counter(map(sub, times[1:], times))
        width = distances.most_common(1)[0][0] if distances else 60_000
        wider = [(distance, count) for distance, count in distances.items() if distance > width]
        missing = sum((distance // width - 1) * count for distance, count in wider)
        opened, high, low, close, volume = columns
        gaps = sum(count for _, count in wider)
        return cls(format, times, opened, high, low, close, volume, width, gaps, missing)

    def __len__(self) -> int:
        return len(self.times)

    def bar(self, index: int) -> Bar:
        return Bar(self.open[index], self.high[index], self.low[index], self.close[index], self.volume[index])

    def part(self, start: int, stop: int) -> "Candles":
        """The candles [start, stop) as a series of its own."""
        return Candles.of(
            self.format, self.times[start:stop], [column.part(start, stop) for column in self.columns]
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.open, self.high, self.low, self.close, self.volume

    @property
    def start(self) -> datetime:
        return _moment(self.times[0])

    @property
    def end(self) -> datetime:
        """The close of the last candle."""
        return _moment(self.times[-1]) + timedelta(milliseconds=self.width_ms)
