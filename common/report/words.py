"""Amounts, prices, shares, times and ages, formatted for people."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from common.decimals import plain, tidy
from common.domain.slots import CLOCKS_APART
from common.report.scales import MONTHS, grouped

AHEAD = "a time in the future (a clock was set back)"


def money(value: Decimal, *, signed: bool = False) -> str:
    """An amount of the quote asset: two decimals, four below a tenth."""
    return grouped(value, 4 if 0 < abs(value) < Decimal("0.1") else 2, signed=signed)


def exactly(value: Decimal) -> str:
    """Every digit, with a true minus and no trailing zeros."""
    return plain(tidy(value)).replace("-", "\u2212")


def price(value: Decimal) -> str:
    """Two decimals; below one, four significant digits."""
    return grouped(value, 3 - value.adjusted() if value and abs(value) < 1 else 2)


def quantity(value: Decimal) -> str:
    """An amount of the base asset: two decimals from 100 on, else four."""
    return grouped(value, 2 if abs(value) >= 100 else 4)


def percent(fraction: Decimal, digits: int = 1, *, signed: bool = False) -> str:
    return f"{grouped(fraction * 100, digits, signed=signed)}\u202f%"


def counted(number: int, noun: str) -> str:
    """1 day, 2 days."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def age(seconds: int | None) -> str:
    """How long ago, in one suitable unit."""
    if seconds is None:
        return "never"
    return AHEAD if ahead(seconds) else f"{span(timedelta(seconds=max(seconds, 0)))} ago"


def ahead(seconds: int | None) -> bool:
    """Whether a moment of this age is in the future, by more than two clocks may differ."""
    return seconds is not None and timedelta(seconds=seconds) < -CLOCKS_APART


def span(length: timedelta) -> str:
    """In one suitable unit, rounded, so that a day played to its last minute is 24 hours."""
    seconds = int(length.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size or (unit == "day" and seconds >= size):
            return counted((seconds + size // 2) // size, unit)
    return f"{seconds} s"


def clock(at: datetime) -> str:
    """2 Jan 2026, 12:15 UTC."""
    at = at.astimezone(UTC)
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}, {at:%H:%M} UTC"


def one_line(text: Any, most: int = 300) -> str:
    """Foreign text on one line, cut if it is too long."""
    words = " ".join(str(text).split())
    return words if len(words) <= most else f"{words[: most - 1]}\u2026"
