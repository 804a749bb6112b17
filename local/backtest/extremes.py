"""The next price at or beyond a bound, found by jumping over blocks whose extremes are within the bounds.

A pyramid: every row holds the lowest and the highest of 32 entries of the row below. A search climbs while whole
blocks can be skipped and descends into the first that cannot: some dozens of comparisons, however far.
"""

from array import array
from collections.abc import Sequence

FAN = 32


class Extremes:
    """An index over immutable prices, a fifteenth of their size."""

    def __init__(self, prices: "array[float]") -> None:
        lows, highs = prices, prices
        self._lows, self._highs = [lows], [highs]
        while len(lows) > FAN:
            starts = range(0, len(lows), FAN)
            lows = array("d", [min(lows[at : at + FAN]) for at in starts])
            highs = array("d", [max(highs[at : at + FAN]) for at in starts])
            self._lows.append(lows)
            self._highs.append(highs)

    def first_beyond(self, start: int, end: int, low: float, high: float) -> int:
        """The first index from `start` on whose price is ≤ `low` or ≥ `high`; `end` if there is none before it."""
        row, at, top = 0, start, len(self._lows) - 1
        while at * FAN**row < end:
            size = len(self._lows[row])
            stop = min((at // FAN + 1) * FAN, size)
            found = _scan(self._lows[row], self._highs[row], at, stop, low, high)
            if found < stop:
                if row == 0:
                    return min(found, end)
                row, at = row - 1, found * FAN
            elif stop == size:
                return end
            elif row < top:
                row, at = row + 1, stop // FAN
            else:
                at = stop
        return end


def _scan(lows: Sequence[float], highs: Sequence[float], start: int, stop: int, low: float, high: float) -> int:
    for index in range(start, stop):
        if lows[index] <= low or highs[index] >= high:
            return index
    return stop
