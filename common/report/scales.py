"""From values to coordinates and ticks: linear, logarithmic, in time. Pure.

Values are exact; coordinates are floats, since no money is computed from them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import log
from typing import Protocol

from common.decimals import ONE, exact, places

_APART = Decimal("1.000001")
"""The ratio from which on a log scale draws two values apart: the logarithms of closer ones may be one float."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str


class Scale(Protocol):
    """Maps values to coordinates; `ticks` returns at most `most` ticks."""

    def ticks(self, most: int = 5) -> list[Tick]: ...


@dataclass(frozen=True, slots=True)
class Linear:
    """`low` is drawn at `start`, `high` at `end`; a vertical scale runs downwards, so its start is larger."""

    low: Decimal
    high: Decimal
    start: float
    end: float

    @classmethod
    @exact
    def over(
        cls, values: Iterable[Decimal], start: float, end: float, *, room: Decimal = Decimal("0.06")
    ) -> "Linear":
        """A scale that fits all values with some margin; equal values are in the middle."""
        low, high = _extremes(values)
        spare = (high - low) * room or max(abs(high) * room, ONE.scaleb(-9))
        return cls(low - spare, high + spare, start, end)

    def __call__(self, value: Decimal) -> float:
        share = float(value - self.low) / float(self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[Tick]:
        step = nice_step(self.low, self.high, most)
        digits = max(-int(step.as_tuple().exponent), 0)
        return [Tick(self(value), grouped(value, digits)) for value in _multiples(self.low, self.high, step)]


@dataclass(frozen=True, slots=True)
class Log:
    """Equal ratios are equal distances. All values must be above zero."""

    low: Decimal
    high: Decimal
    start: float
    end: float

    @classmethod
    @exact
    def over(cls, values: Iterable[Decimal], start: float, end: float, *, room: Decimal = Decimal("0.04")) -> "Log":
        """A scale that fits all values above zero, with some margin."""
        low, high = _extremes(value for value in values if value > 0)
        spread = (high / low) ** room if high > low * _APART else ONE + room
        return cls(low / spread, high * spread, start, end)

    def __call__(self, value: Decimal) -> float:
        low = log(self.low)
        return self.start + (log(value) - low) / (log(self.high) - low) * (self.end - self.start)

    @exact
    def ticks(self, most: int = 5) -> list[Tick]:
        """1, 2 and 5 of each decade; within less than a decade, round numbers at equal steps."""
        if self.high < self.low * 10:
            step = nice_step(self.low, self.high, most)
            values = list(_multiples(self.low, self.high, step))
        else:
            choices = [self._decades(each) for each in _DIGITS]
            values = next((found for found in choices if len(found) <= most), choices[-1])
        return [Tick(self(v), grouped(v, max(-int(v.normalize().as_tuple().exponent), 0))) for v in values if v > 0]

    def _decades(self, digits: Iterable[int]) -> list[Decimal]:
        decades = range(self.low.adjusted(), self.high.adjusted() + 1)
        values = (Decimal(digit).scaleb(decade) for decade in decades for digit in digits)
        return [value for value in values if self.low <= value <= self.high]


@dataclass(frozen=True, slots=True)
class Time:
    """Ticks are at whole hours, days, months of UTC."""

    first: datetime
    last: datetime
    start: float
    end: float

    def __call__(self, at: datetime) -> float:
        span = max((self.last - self.first).total_seconds(), 1)
        return self.start + (at - self.first).total_seconds() / span * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[Tick]:
        span = self.last - self.first
        for step in _STEPS:
            if span / step < most:
                return [Tick(self(at), _clock_or_day(at, step)) for at in self._every(step)]
        for months in (1, 2, 3, 6, 12, 24, 60):
            if span / timedelta(days=30 * months) < most:
                break
        return [
            Tick(
                self(at),
                f"{MONTHS[at.month - 1]} {at.year}" if not number or at.month == 1 else MONTHS[at.month - 1],
            )
            for number, at in enumerate(self._months(months))
        ]

    def _every(self, step: timedelta) -> Iterator[datetime]:
        origin = datetime(2001, 1, 1, tzinfo=UTC)  # a Monday
        at = origin + -((origin - self.first) // step) * step
        while at <= self.last:
            yield at
            at += step

    def _months(self, step: int) -> Iterator[datetime]:
        first = self.first.astimezone(UTC)
        month = -(-(first.year * 12 + first.month - 1) // step) * step
        while (at := datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)) <= self.last:
            if at >= first:
                yield at
            month += step


_DIGITS = ((1, 2, 5), (1, 3), (1,))
_STEPS = tuple(timedelta(minutes=each) for each in (5, 15, 30, 60, 180, 360, 720, 1440, 2880, 4320, 10080, 20160))


def _clock_or_day(at: datetime, step: timedelta) -> str:
    if step < timedelta(days=1) and (at.hour or at.minute):
        return f"{at:%H:%M}"
    return day(at)


def day(at: datetime) -> str:
    """A day in words, whatever the machine's locale: 2 Jan."""
    return f"{at.day} {MONTHS[at.month - 1]}"


@exact
def nice_step(low: Decimal, high: Decimal, most: int) -> Decimal:
    """The smallest of 1, 2, 5 times a power of ten that gives at most `most` steps between `low` and `high`."""
    rough = (high - low) / most
    power = ONE.scaleb(rough.adjusted()) if rough > 0 else ONE
    return next((power * factor for factor in (1, 2, 5) if power * factor >= rough), power * 10)


@exact
def _multiples(low: Decimal, high: Decimal, step: Decimal) -> list[Decimal]:
    first = (low / step).to_integral_value(ROUND_CEILING)
    last = (high / step).to_integral_value(ROUND_FLOOR)
    return [(first + index) * step for index in range(int(last - first) + 1)]


def _extremes(values: Iterable[Decimal]) -> tuple[Decimal, Decimal]:
    found = list(values)
    return (min(found), max(found)) if found else (ONE, ONE)


class Percents:
    """A scale of fractions whose ticks are labelled in percent."""

    def __init__(self, scale: Linear) -> None:
        self._scale = scale

    def ticks(self, most: int = 5) -> list[Tick]:
        hundred = Linear(self._scale.low * 100, self._scale.high * 100, self._scale.start, self._scale.end)
        return [Tick(tick.at, f"{tick.label}\u202f%") for tick in hundred.ticks(most)]


def grouped(value: Decimal, digits: int, *, signed: bool = False) -> str:
    """A number for people: a thin space between thousands, a true minus; with `signed` also a plus."""
    text = places(abs(value), digits)
    whole, dot, fraction = text.partition(".")
    whole = f"{int(whole):,}".replace(",", "\u202f")
    nothing = not text.strip("0.")
    sign = "" if nothing else "\u2212" if value < 0 else "+" if signed else ""
    return f"{sign}{whole}{dot}{fraction}"
