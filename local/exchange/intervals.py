"""The kline intervals the exchange knows, and when their bars open."""

from collections.abc import Iterator
from datetime import UTC, datetime

from local.exchange.clock import DAY_MS, MINUTE_MS, SECOND_MS

# A month is as long as it gets.
_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "60m": 60, "4h": 240, "1d": 1_440, "1W": 10_080, "1M": 44_640}
WIDTHS_MS = {name: minutes * MINUTE_MS for name, minutes in _MINUTES.items()}
# The epoch was a Thursday; weeks are taken to open on Monday.
_MONDAY_MS = 4 * DAY_MS


def bars(interval: str, start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """The bars that open in [start, end): when each opens and when it closes."""
    open_ms = open_of(interval, start_ms)
    while open_ms < end_ms:
        # The next one holds the moment one width later, whatever the length of the month.
        close_ms = open_of(interval, open_ms + WIDTHS_MS[interval])
        if open_ms >= start_ms:
            yield open_ms, close_ms
        open_ms = close_ms


def open_of(interval: str, at_ms: int) -> int:
    """The opening of the bar that holds `at_ms`; days and longer open at 00:00 UTC."""
    if interval == "1M":
        day = datetime.fromtimestamp(at_ms // SECOND_MS, tz=UTC)
        return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp()) * SECOND_MS
    shift = _MONDAY_MS if interval == "1W" else 0
    return (at_ms - shift) // WIDTHS_MS[interval] * WIDTHS_MS[interval] + shift
