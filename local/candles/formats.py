"""Which columns of a candle file hold what, told by its header and its width.

| format | how it is told |
|---|---|
| ours | header `open_time_ms,open,high,low,close,volume` |
| Binance Vision | 12 columns, with or without a header; milliseconds, for spot microseconds from 2025 |
| MEXC klines | rows of 8, as the exchange answers them (JSON) |
| ccxt, freqtrade | rows of 6, `[time, open, high, low, close, volume]` (JSON, or CSV without a header) |
| CryptoDataDownload | a URL in the first line, then a header; newest first |
| any other CSV | a header that names a time and `open`, `high`, `low`, `close`, `volume` |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OURS = ("open_time_ms", "open", "high", "low", "close", "volume")
_TIMES = (
    "open_time_ms",
    "unix",
    "unix timestamp",
    "timestamp",
    "open_time",
    "open time",
    "time",
    "date",
    "datetime",
)
_MILLISECONDS = (10**11, 10**14)
"""Below are seconds, from the second on micro- and nanoseconds."""
_BY_WIDTH = {6: "ccxt", 8: "MEXC klines", 12: "Binance Vision"}


class CandleFileError(ValueError):
    """The file is not what is documented here; the text names the line."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where time, open, high, low, close and volume (of the base asset) stand in a row."""

    format: str
    columns: tuple[int, ...]
    newest_first: bool = False


def by_width(width: int) -> Layout:
    """The layout of rows without a header. Raises CandleFileError."""
    if width not in _BY_WIDTH:
        known = ", ".join(f"{count} ({name})" for count, name in _BY_WIDTH.items())
        raise CandleFileError(f"line 1: no header, and {width} columns; without a header there are {known}")
    return Layout(_BY_WIDTH[width], (0, 1, 2, 3, 4, 5))


def by_header(header: list[str], *, line: int, newest_first: bool) -> Layout:
    """The layout that a header names. Raises CandleFileError."""
    names = [name.strip().lower() for name in header]
    time = next((names.index(name) for name in _TIMES if name in names), None)
    volume = next((i for i, name in enumerate(names) if name == "volume"), None)
    if volume is None:
        volume = next((i for i, name in enumerate(names) if name.startswith("volume")), None)
    prices = [names.index(name) if name in names else None for name in OURS[1:5]]
    columns = [index for index in (time, *prices, volume) if index is not None]
    if len(columns) < len(OURS):
        told = ",".join(header)
        raise CandleFileError(
            f"line {line}: the header names no time, open, high, low, close and volume: {told:.80}"
        )
    if newest_first:
        return Layout("CryptoDataDownload", tuple(columns), newest_first=True)
    name = "ours" if tuple(names) == OURS else _BY_WIDTH[12] if len(names) == 12 else "CSV with a header"
    return Layout(name, tuple(columns))


def has_header(row: list[str]) -> bool:
    return any(cell.strip().lower() in ("open", "close") for cell in row)


def milliseconds_of(text: str) -> int:
    """A time in milliseconds: seconds, milliseconds, micro- or nanoseconds by magnitude, or a date in UTC.

    Raises ValueError, ArithmeticError.
    """
    try:
        number = int(text)
    except ValueError:
        if not any(mark in text for mark in "-/:"):
            number = int(Decimal(text.strip()))
        else:
            return (_date(text.strip()) - EPOCH) // timedelta(milliseconds=1)
    if number < _MILLISECONDS[0]:
        return number * 1000
    if number < _MILLISECONDS[1]:
        return number
    return number // (1000 if number < 10**17 else 1_000_000)


def milliseconds_of_all(texts: Sequence[str]) -> list[int]:
    """The same for a column, at once where all of it is milliseconds already."""
    try:
        numbers = list(map(int, texts))
    except ValueError:
        numbers = []
    if numbers and min(numbers) >= _MILLISECONDS[0] and max(numbers) < _MILLISECONDS[1]:
        return numbers
    return list(map(milliseconds_of, texts))


def _date(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.strptime(f"{text} +0000", "%Y-%m-%d %I-%p %z")  # 2020-07-04 12-AM
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
