"""The kline intervals the exchange knows, and when their bars open."""

from __future__ import annotations

from datetime import UTC, datetime

from local.exchange.clock import DAY_MS, MINUTE_MS, SECOND_MS

_INTERVALS_MS = {
    "1m": MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "60m": 60 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "1d": DAY_MS,
    "1W": 7 * DAY_MS,
}
INTERVALS = frozenset({*_INTERVALS_MS, "1M"})

# The epoch was a Thursday; weeks are taken to open on Monday.
_MONDAY_MS = 4 * DAY_MS


def opens_back(interval: str, newest_ms: int, first_ms: int, limit: int) -> list[int]:
    opens: list[int] = []
    open_ms = _open_of(interval, newest_ms)
    while len(opens) < limit and open_ms >= _open_of(interval, first_ms):
        opens.append(open_ms)
        open_ms = _open_of(interval, open_ms - 1)
    return opens[::-1]


def opens_from(interval: str, start_ms: int, end_ms: int, limit: int) -> list[int]:
    opens: list[int] = []
    open_ms = _open_of(interval, start_ms)
    if open_ms < start_ms:
        open_ms = next_open(interval, open_ms)
    while len(opens) < limit and open_ms < end_ms:
        opens.append(open_ms)
        open_ms = next_open(interval, open_ms)
    return opens


def _open_of(interval: str, at_ms: int) -> int:
    """The opening of the bar that holds `at_ms`; days and longer open at 00:00 UTC."""
    if interval == "1M":
        day = datetime.fromtimestamp(at_ms // SECOND_MS, tz=UTC)
        return _month_ms(day.year, day.month)
    shift = _MONDAY_MS if interval == "1W" else 0
    width = _INTERVALS_MS[interval]
    return (at_ms - shift) // width * width + shift


def next_open(interval: str, open_ms: int) -> int:
    if interval == "1M":
        day = datetime.fromtimestamp(open_ms // SECOND_MS, tz=UTC)
        return _month_ms(day.year + day.month // 12, day.month % 12 + 1)
    return open_ms + _INTERVALS_MS[interval]


def _month_ms(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * SECOND_MS
