"""The interface of a price path, and the seeded walk; the other path is a candle file (candles.py).

The walk is geometric: any minute can be read, in any order, with the same result. Two layers make that cheap. A
chain of daily steps runs outwards from the start day; inside a day 1440 minute steps are bent so that they end
where the next day starts. Each day draws from its own generator, seeded with (seed, name, day). The price is
constant during a minute. The noise is binary floating point; prices become Decimals here, and the market rounds
them to the tick.
"""

import math
import random
from array import array
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
_DAILY_QUOTE_VOLUME = Decimal(50_000)
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


class RandomWalk:
    """The walk that is at `start_price` at `start_ms`."""

    def __init__(
        self, *, seed: int, name: str, start_price: Decimal, start_ms: int, daily_volatility: float = 0.05
    ) -> None:
        self._seed = f"{seed}|{name}"
        self._volatility = daily_volatility
        self._anchor_day = start_ms // DAY_MS
        self._starts = {self._anchor_day: 0.0}
        # Volume is counted in hundredths of the base asset; a minute draws between none and twice the mean.
        mean = _DAILY_QUOTE_VOLUME / start_price * 100 / _MINUTES
        self._volume_unit = max(1, int(mean * 2 / _VOLUME_DRAWS))
        self._shift = math.log(start_price) - self._log(start_ms // MINUTE_MS)

    @property
    def first_ms(self) -> int:
        return (self._anchor_day - _HISTORY_DAYS) * DAY_MS

    def price_at(self, at_ms: int) -> Decimal:
        return self._price(self._log(at_ms // MINUTE_MS))

    def is_quiet(self, at_ms: int) -> bool:  # noqa: ARG002
        """Always False: this path has no gaps."""
        return False

    def bar(self, start_ms: int, end_ms: int) -> Bar | None:
        """The bar of the minutes touched; its open is the close of the minute before."""
        first, last = start_ms // MINUTE_MS, (end_ms - 1) // MINUTE_MS
        if last < first:
            return None
        opening, (logs, volumes) = self._log(first - 1), self._minutes(first, last)
        high, low = self._price(max(opening, max(logs))), self._price(min(opening, min(logs)))
        # The volume of a minute trades in three equal parts.
        thirds = min(3, (end_ms - last * MINUTE_MS) * 3 // MINUTE_MS)
        units = sum(volumes) - (volumes[-1] - volumes[-1] * thirds // 3)
        volume = Decimal(units * self._volume_unit).scaleb(-2)
        return Bar(self._price(opening), high, low, self._price(logs[-1]), volume)

    def extremes(self, start_ms: int, end_ms: int) -> tuple[Decimal, Decimal]:
        logs, _ = self._minutes(start_ms // MINUTE_MS, end_ms // MINUTE_MS)
        return self._price(min(logs)), self._price(max(logs))

    def _minutes(self, first: int, last: int) -> "tuple[array[float], array[int]]":
        """Logarithms of the prices of these minutes, both ends included, and their volumes in units."""
        logs, volumes = array("d"), array("H")
        for day in range(first // _MINUTES, last // _MINUTES + 1):
            part = slice(max(0, first - day * _MINUTES), last + 1 - day * _MINUTES)
            logs += self._day(day)[0][part]
            volumes += self._day(day)[1][part]
        return logs, volumes

    def _price(self, log: float) -> Decimal:
        return _DIGITS.create_decimal_from_float(math.exp(log + self._shift))

    def _log(self, minute: int) -> float:
        day, index = divmod(minute, _MINUTES)
        return self._day(day)[0][index]

    def _day(self, day: int) -> "tuple[array[float], array[int]]":
        return _drawn(f"{self._seed}|{day}", self._volatility, self._day_start(day))

    def _day_start(self, day: int) -> float:
        """The logarithm at a day's start: that of its neighbour towards the anchor, plus the step between them."""
        known, step = self._starts, 1 if day > self._anchor_day else -1
        before = day
        while before not in known:
            before -= step
        while before != day:
            reached = before + step
            net = _step(f"{self._seed}|{min(before, reached)}", self._volatility)[1]
            known[reached] = known[before] + step * net
            before = reached
        return known[day]


def _step(seed: str, volatility: float) -> tuple[random.Random, float]:
    """A day's own generator, and how far the whole day goes, its first draw."""
    rng = random.Random(seed)
    return rng, rng.gauss(0.0, volatility)


@lru_cache(1_000)
def _drawn(seed: str, volatility: float, start: float) -> "tuple[array[float], array[int]]":
    """A day's logarithms of prices and its volumes; cached for every walk of that seed in this process."""
    rng, net = _step(seed, volatility)
    sigma = volatility / math.sqrt(_MINUTES)
    raw, total = [0.0], 0.0
    for _ in range(_MINUTES):
        total += rng.gauss(0.0, sigma)
        raw.append(total)
    slope = (net - total) / _MINUTES
    logs = array("d", (start + step + slope * i for i, step in enumerate(raw[:_MINUTES])))
    return logs, array("H", (rng.getrandbits(10) for _ in range(_MINUTES)))
