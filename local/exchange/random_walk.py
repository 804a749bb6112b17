"""A seeded geometric random walk: any minute of it can be asked for, in any order, with the same answer.

Two layers make that cheap. A chain of daily steps runs outwards from the start day; inside a day 1440 minute
steps are bent so that they end where the next day starts. Each day draws from its own generator, seeded with
(seed, name, day). The price stands during a minute. The noise is binary floating point; a price becomes a
Decimal here and is rounded to the tick by the market.
"""

from __future__ import annotations

import math
import random
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Context, Decimal

from local.exchange.clock import DAY_MS, MINUTE_MS
from local.exchange.price_path import Bar

_MINUTES = DAY_MS // MINUTE_MS
_DIGITS = Context(prec=12)
_DAYS_KEPT = 64
# The listing day: klines reach no further back.
_HISTORY_DAYS = 730
_VOLUME_DRAWS = 1 << 10


@dataclass(frozen=True, slots=True)
class _Day:
    logs: list[float]
    volumes: list[int]


@dataclass(frozen=True, slots=True)
class _Span:
    high: float
    low: float
    volume: int


@dataclass(frozen=True, slots=True)
class _Summary:
    """What is kept of a day for good: enough for daily bars."""

    span: _Span
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
        self._forward = [0.0]
        self._backward = [0.0]
        self._days: OrderedDict[int, _Day] = OrderedDict()
        self._summaries: dict[int, _Summary] = {}
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
        opening, closing, span = self._log(first - 1), self._log(last), self._span(first, last)
        high, low = self._price(max(opening, span.high)), self._price(min(opening, span.low))
        units = span.volume - self._not_yet(last, end_ms)
        volume = Decimal(units * self._volume_unit).scaleb(-2)
        return Bar(self._price(opening), high, low, self._price(closing), volume)

    def extremes(self, start_ms: int, end_ms: int) -> tuple[Decimal, Decimal]:
        span = self._span(start_ms // MINUTE_MS, end_ms // MINUTE_MS)
        return self._price(span.low), self._price(span.high)

    def _not_yet(self, last_minute: int, end_ms: int) -> int:
        """Volume of the last minute that has not traded by `end_ms`: it comes in three equal parts."""
        elapsed = end_ms - last_minute * MINUTE_MS
        if elapsed >= MINUTE_MS:
            return 0
        units = self._day(last_minute // _MINUTES).volumes[last_minute % _MINUTES]
        return units - units * (elapsed * 3 // MINUTE_MS) // 3

    def _span(self, first: int, last: int) -> _Span:
        high, low, units = -math.inf, math.inf, 0
        for day in range(first // _MINUTES, last // _MINUTES + 1):
            begin, end = max(first - day * _MINUTES, 0), min(last - day * _MINUTES, _MINUTES - 1)
            part = self._part(day, begin, end)
            high, low, units = max(high, part.high), min(low, part.low), units + part.volume
        return _Span(high, low, units)

    def _part(self, day: int, begin: int, end: int) -> _Span:
        if begin == 0 and end == _MINUTES - 1:
            return self._summary(day).span
        content = self._day(day)
        logs = content.logs[begin : end + 1]
        return _Span(max(logs), min(logs), sum(content.volumes[begin : end + 1]))

    def _summary(self, day: int) -> _Summary:
        summary = self._summaries.get(day)
        if summary is None:
            content = self._day(day)
            logs = content.logs
            span = _Span(max(logs), min(logs), sum(content.volumes))
            summary = self._summaries[day] = _Summary(span, logs[0], logs[-1])
        return summary

    def _price(self, log: float) -> Decimal:
        return _DIGITS.create_decimal_from_float(math.exp(log + self._shift))

    def _log(self, minute: int) -> float:
        day, index = divmod(minute, _MINUTES)
        if index == 0 and day in self._summaries:
            return self._summaries[day].first
        if index == _MINUTES - 1:
            return self._summary(day).last
        return self._day(day).logs[index]

    def _day(self, day: int) -> _Day:
        content = self._days.get(day)
        if content is None:
            content = self._days[day] = self._draw(day)
            if len(self._days) > _DAYS_KEPT:
                self._days.popitem(last=False)
        return content

    def _draw(self, day: int) -> _Day:
        rng = self._generator(day)
        net = self._net(rng)
        sigma = self._volatility / math.sqrt(_MINUTES)
        gauss, bits = rng.gauss, rng.getrandbits
        raw, total = [0.0], 0.0
        for _ in range(_MINUTES):
            total += gauss(0.0, sigma)
            raw.append(total)
        slope = (net - total) / _MINUTES
        start = self._day_start(day)
        logs = [start + step + slope * i for i, step in enumerate(raw[:_MINUTES])]
        return _Day(logs, [bits(10) for _ in range(_MINUTES)])

    def _day_start(self, day: int) -> float:
        offset = day - self._anchor_day
        while len(self._forward) <= offset:
            step = self._net(self._generator(self._anchor_day + len(self._forward) - 1))
            self._forward.append(self._forward[-1] + step)
        while len(self._backward) <= -offset:
            step = self._net(self._generator(self._anchor_day - len(self._backward)))
            self._backward.append(self._backward[-1] - step)
        return self._forward[offset] if offset >= 0 else self._backward[-offset]

    def _net(self, rng: random.Random) -> float:
        return rng.gauss(0.0, self._volatility)

    def _generator(self, day: int) -> random.Random:
        return random.Random(f"{self._seed}|{day}")
