"""What a price path is, and the seeded walk; the candle file is the other one (candles.py).

The walk is geometric: any minute of it can be asked for, in any order, with the same answer. Two layers make
that cheap. A chain of daily steps runs outwards from the start day; inside a day 1440 minute steps are bent so
that they end where the next day starts. Each day draws from its own generator, seeded with (seed, name, day).
The price stands during a minute. The noise is binary floating point; a price becomes a Decimal here and is
rounded to the tick by the market.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from typing import Protocol

from local.candles.series import Bar
from local.exchange.clock import DAY_MS, MINUTE_MS

__all__ = ["Bar", "PricePath", "RandomWalk"]
_MINUTES = DAY_MS // MINUTE_MS
_DIGITS = Context(prec=12)
# The listing day: klines reach no further back.
_HISTORY_DAYS = 730
_VOLUME_DRAWS = 1 << 10


class PricePath(Protocol):
    """A price for every moment; unrounded. Intervals are half open: `start_ms` in, `end_ms` out."""

    @property
    def first_ms(self) -> int: ...

    def price_at(self, at_ms: int) -> Decimal: ...

    def bar(self, start_ms: int, end_ms: int) -> Bar | None: ...

    def extremes(self, start_ms: int, end_ms: int) -> tuple[Decimal, Decimal]:
        """Lowest and highest price, both ends included."""
        ...

    def is_quiet(self, at_ms: int) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Span:
    """A stretch of minutes; logarithms of prices, volume in units."""

    high: float
    low: float
    volume: int
    first: float
    last: float


class RandomWalk:
    """The walk that stands at `start_price` at `start_ms`."""

    def __init__(
        self,
        *,
        seed: int,
        name: str,
        start_price: Decimal,
        start_ms: int,
        daily_volatility: float = 0.05,
        daily_quote_volume: Decimal = Decimal(50_000),
    ) -> None:
        self._seed = f"{seed}|{name}"
        self._volatility = daily_volatility
        self._anchor_day = start_ms // DAY_MS
        self._starts = {self._anchor_day: 0.0}
        self._day = lru_cache(64)(self._draw)
        # What is kept of a day for good: enough for daily bars.
        self._summary = lru_cache(None)(lambda day: self._part(day, 0, _MINUTES - 1))
        # Volume is counted in hundredths of the base asset; a minute draws between none and twice the mean.
        mean = daily_quote_volume / start_price * 100 / _MINUTES
        self._volume_unit = max(1, int(mean * 2 / _VOLUME_DRAWS))
        self._shift = math.log(start_price) - self._log(start_ms // MINUTE_MS)

    @property
    def first_ms(self) -> int:
        return (self._anchor_day - _HISTORY_DAYS) * DAY_MS

    def price_at(self, at_ms: int) -> Decimal:
        return self._price(self._log(at_ms // MINUTE_MS))

    def is_quiet(self, at_ms: int) -> bool:  # noqa: ARG002
        """Tell that this path has no gaps."""
        return False

    def bar(self, start_ms: int, end_ms: int) -> Bar | None:
        """Give the bar of the minutes touched; its open is the close of the minute before."""
        first, last = start_ms // MINUTE_MS, (end_ms - 1) // MINUTE_MS
        if last < first:
            return None
        opening, span = self._log(first - 1), self._span(first, last)
        high, low = self._price(max(opening, span.high)), self._price(min(opening, span.low))
        units = span.volume - self._not_yet(last, end_ms)
        volume = Decimal(units * self._volume_unit).scaleb(-2)
        return Bar(self._price(opening), high, low, self._price(span.last), volume)

    def extremes(self, start_ms: int, end_ms: int) -> tuple[Decimal, Decimal]:
        span = self._span(start_ms // MINUTE_MS, end_ms // MINUTE_MS)
        return self._price(span.low), self._price(span.high)

    def _not_yet(self, last_minute: int, end_ms: int) -> int:
        """Volume of the last minute that has not traded by `end_ms`: it comes in three equal parts."""
        elapsed = end_ms - last_minute * MINUTE_MS
        if elapsed >= MINUTE_MS:
            return 0
        units = self._day(last_minute // _MINUTES)[1][last_minute % _MINUTES]
        return units - units * (elapsed * 3 // MINUTE_MS) // 3

    def _span(self, first: int, last: int) -> _Span:
        spans = list(self._parts(first, last))
        high, low = max(span.high for span in spans), min(span.low for span in spans)
        return _Span(high, low, sum(span.volume for span in spans), spans[0].first, spans[-1].last)

    def _parts(self, first: int, last: int) -> Iterator[_Span]:
        for day in range(first // _MINUTES, last // _MINUTES + 1):
            begin, end = max(first - day * _MINUTES, 0), min(last - day * _MINUTES, _MINUTES - 1)
            yield self._summary(day) if end - begin == _MINUTES - 1 else self._part(day, begin, end)

    def _part(self, day: int, begin: int, end: int) -> _Span:
        logs, volumes = self._day(day)
        logs, volumes = logs[begin : end + 1], volumes[begin : end + 1]
        return _Span(max(logs), min(logs), sum(volumes), logs[0], logs[-1])

    def _price(self, log: float) -> Decimal:
        return _DIGITS.create_decimal_from_float(math.exp(log + self._shift))

    def _log(self, minute: int) -> float:
        day, index = divmod(minute, _MINUTES)
        return self._summary(day).last if index == _MINUTES - 1 else self._day(day)[0][index]

    def _draw(self, day: int) -> tuple[list[float], list[int]]:
        """Logarithms of the prices of a day's minutes, and their volumes."""
        rng = self._generator(day)
        net = self._net(rng)
        sigma = self._volatility / math.sqrt(_MINUTES)
        raw, total = [0.0], 0.0
        for _ in range(_MINUTES):
            total += rng.gauss(0.0, sigma)
            raw.append(total)
        slope = (net - total) / _MINUTES
        start = self._day_start(day)
        logs = [start + step + slope * i for i, step in enumerate(raw[:_MINUTES])]
        return logs, [rng.getrandbits(10) for _ in range(_MINUTES)]

    def _day_start(self, day: int) -> float:
        """Where a day starts: its neighbour on the anchor's side, and the step between the two."""
        known, step = self._starts, 1 if day > self._anchor_day else -1
        reached = self._anchor_day
        while reached != day:
            reached += step
            if reached not in known:
                before, earlier = reached - step, min(reached, reached - step)
                known[reached] = known[before] + step * self._net(self._generator(earlier))
        return known[day]

    def _net(self, rng: random.Random) -> float:
        return rng.gauss(0.0, self._volatility)

    def _generator(self, day: int) -> random.Random:
        return random.Random(f"{self._seed}|{day}")
