"""The kline intervals the exchange knows, and when their bars open."""

from collections.abc import Iterator
from datetime import UTC, datetime

from local.exchange.clock import DAY_MS, MINUTE_MS, SECOND_MS

_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "60m": 60, "4h": 240, "1d": 1_440, "1W": 10_080}
INTERVALS = frozenset({*_MINUTES, "1M"})

# The epoch was a Thursday; weeks are taken to open on Monday.
_MONDAY_MS = 4 * DAY_MS


def opens_back(interval: str, newest_ms: int, first_ms: int) -> Iterator[int]:
    """The openings from the bar that holds `newest_ms` back to the one that holds `first_ms`."""
    open_ms = open_of(interval, newest_ms)
    while open_ms >= open_of(interval, first_ms):
        yield open_ms
        open_ms = open_of(interval, open_ms - 1)


def opens_from(interval: str, start_ms: int, end_ms: int) -> Iterator[int]:
    """The openings in a half open stretch of time."""
    open_ms = open_of(interval, start_ms)
    while open_ms < end_ms:
        if open_ms >= start_ms:
            yield open_ms
        open_ms = next_open(interval, open_ms)


def open_of(interval: str, at_ms: int) -> int:
    """The opening of the bar that holds `at_ms`; days and longer open at 00:00 UTC."""
    if interval == "1M":
        day = datetime.fromtimestamp(at_ms // SECOND_MS, tz=UTC)
        return _month_ms(day.year, day.month)
    shift = _MONDAY_MS if interval == "1W" else 0
    width = _MINUTES[interval] * MINUTE_MS
    return (at_ms - shift) // width * width + shift


def next_open(interval: str, open_ms: int) -> int:
    if interval == "1M":
        day = datetime.fromtimestamp(open_ms // SECOND_MS, tz=UTC)
        return _month_ms(day.year + day.month // 12, day.month % 12 + 1)
    return open_ms + _MINUTES[interval] * MINUTE_MS


def _month_ms(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * SECOND_MS
