"""Candles as the bot would have seen them: one decision a slot, on the close of the slot's bar."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from math import log
from operator import sub

from common.clock import from_milliseconds
from local.backtest.extremes import Extremes
from local.candles.series import Candles

DAY_MS = 86_400_000
MINUTE_MS = 60_000


class Market:
    """The decisions that a series allows, numbered from 0.

    A bar has a decision if a slot's time falls into it or on its close: with bars that fit into a slot, the one
    that closes with it. A slot without a bar has no decision, because a stale price is not decided on.
    """

    def __init__(self, candles: Candles, slot_minutes: int = 15) -> None:
        self.candles, self.slot_minutes = candles, slot_minutes
        slot, width, times = slot_minutes * MINUTE_MS, candles.width_ms, candles.times
        every = width % slot == 0
        self.bars = array("l", [i for i, at in enumerate(times) if every or (at + width) // slot > at // slot])
        self.closes = array("d", [candles.close.floats[bar] for bar in self.bars])
        self._decided_ms = array("q", [times[bar] + width for bar in self.bars])

    def __len__(self) -> int:
        return len(self.bars)

    @cached_property
    def extremes(self) -> Extremes:
        return Extremes(self.closes)

    def close(self, number: int) -> Decimal:
        return self.candles.close[self.bars[number]]

    def decided_at(self, number: int) -> datetime:
        return from_milliseconds(self._decided_ms[number])

    def next_bar(self, number: int) -> int | None:
        """The bar that opens when the decision's bar closes; None where it is missing."""
        after, times = self.bars[number] + 1, self.candles.times
        return after if after < len(times) and times[after] == self._decided_ms[number] else None

    def price_before(self, number: int) -> Decimal:
        """The close before the decision's bar; for the first bar its own opening."""
        bar = self.bars[number]
        return self.candles.close[bar - 1] if bar else self.candles.open[0]

    def first_from(self, moment: datetime) -> int:
        """The first decision at or after a moment; `len` when there is none."""
        return self._first_from(-((from_milliseconds(0) - moment) // timedelta(milliseconds=1)))

    def day(self, number: int) -> int:
        """The UTC day of a decision, counted from 1970."""
        return self._decided_ms[number] // DAY_MS

    def day_start(self, number: int) -> int:
        """The first decision of the same UTC day."""
        return self._first_from(self.day(number) * DAY_MS)

    def next_day(self, number: int) -> int:
        """The first decision of a later UTC day."""
        return self._first_from((self.day(number) + 1) * DAY_MS)

    def _first_from(self, moment_ms: int) -> int:
        return bisect_left(self._decided_ms, moment_ms)

    @cached_property
    def day_ends(self) -> tuple[int, ...]:
        """The last decision of each UTC day."""
        ends, number = [], 0
        while number < len(self):
            number = self.next_day(number)
            ends.append(number - 1)
        return tuple(ends)

    @cached_property
    def log_returns(self) -> "array[float]":
        """Δ ln p from each decision to the next."""
        logs = list(map(log, self.closes))
        return array("d", map(sub, logs[1:], logs))

    @cached_property
    def inverses(self) -> "array[float]":
        """1/p at every decision."""
        return array("d", [1 / price for price in self.closes])

    @cached_property
    def months(self) -> tuple[int, ...]:
        """The first decision of each UTC month, except the month in which the series starts."""
        firsts, last, number = [], self.candles.start.month, 0
        while number < len(self):
            month = self.decided_at(number).month
            if month != last:
                firsts.append(number)
                last = month
            number = self.next_day(number)
        return tuple(firsts)

    @cached_property
    def daily_closes(self) -> tuple[tuple[int, Decimal], ...]:
        """(UTC day, close) of every day with a bar that ends with it, oldest first."""
        return tuple(self._daily_closes())

    def closed_days(self, day: int) -> tuple[tuple[int, Decimal], ...]:
        """The daily closes before `day`."""
        closes = self.daily_closes
        return closes[: bisect_left(closes, (day,))]

    def _daily_closes(self) -> Iterator[tuple[int, Decimal]]:
        times, width, index = self.candles.times, self.candles.width_ms, 0
        while index < len(times):
            day = times[index] // DAY_MS
            after = bisect_left(times, (day + 1) * DAY_MS, index)
            if times[after - 1] + width >= (day + 1) * DAY_MS:
                yield day, self.candles.close[after - 1]
            index = after
