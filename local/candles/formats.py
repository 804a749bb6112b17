"""The columns of a candle file, recognized by its header and width.

| format | recognized by |
|---|---|
| ours | header `open_time_ms,open,high,low,close,volume` |
| Binance Vision | 12 columns, with or without a header; milliseconds, for spot microseconds from 2025 |
| MEXC klines | rows of 8, as the exchange returns them (JSON) |
| ccxt, freqtrade | rows of 6, `[time, open, high, low, close, volume]` (JSON, or CSV without a header) |
| CryptoDataDownload | a URL in the first line, then a header; newest first |
| any other CSV | a header that names a time and `open`, `high`, `low`, `close`, `volume` |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from itertools import groupby

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


class Unit(IntEnum):
    """The unit of a file's times, from coarse to fine."""

    DATES = 0
    SECONDS = 1
    MILLISECONDS = 2
    MICROSECONDS = 3
    NANOSECONDS = 4


_BELOW = {Unit.SECONDS: 10**11, Unit.MILLISECONDS: 10**14, Unit.MICROSECONDS: 10**17}
"""The magnitudes of present-day times."""
END_MS = _BELOW[Unit.MILLISECONDS]
"""When that age ends, in the year 5138."""
_BY_WIDTH = {6: "ccxt", 8: "MEXC klines", 12: "Binance Vision"}


class CandleFileError(ValueError):
    """The file is not in a documented format; the text names the line."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The positions of time, open, high, low, close and volume (base asset) in a row."""

    format: str
    columns: tuple[int, ...]
    newest_first: bool = False


def shown(text: str) -> str:
    """The beginning of what a file holds, fit for a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text.strip()[:80])


def by_width(width: int) -> Layout:
    """The layout of rows without a header. Raises CandleFileError."""
    if width not in _BY_WIDTH:
        known = ", ".join(f"{count} ({name})" for count, name in _BY_WIDTH.items())
        raise CandleFileError(f"line 1: no header, and {width} columns; without a header there are {known}")
    return Layout(_BY_WIDTH[width], (0, 1, 2, 3, 4, 5))


def by_header(header: list[str], *, line: int, newest_first: bool) -> Layout:
    """The layout that a header describes. Raises CandleFileError."""
    names = [name.strip().lower() for name in header]
    time = next((names.index(name) for name in _TIMES if name in names), None)
    volume = next((i for i, name in enumerate(names) if name == "volume"), None)
    if volume is None:
        volume = next((i for i, name in enumerate(names) if name.startswith("volume")), None)
    prices = [names.index(name) if name in names else None for name in OURS[1:5]]
    columns = [index for index in (time, *prices, volume) if index is not None]
    if len(columns) < len(OURS):
        text = shown(",".join(header))
        raise CandleFileError(f"line {line}: the header names no time, open, high, low, close and volume: {text}")
    if newest_first:
        return Layout("CryptoDataDownload", tuple(columns), newest_first=True)
    name = "ours" if tuple(names) == OURS else _BY_WIDTH[12] if len(names) == 12 else "CSV with a header"
    return Layout(name, tuple(columns))


def has_header(row: list[str]) -> bool:
    return any(cell.strip().lower() in ("open", "close") for cell in row)


def may_follow(unit: Unit, before: Unit, *, newest_first: bool) -> bool:
    """Whether a time in `unit` may follow one in `before`: exporters change to finer units, never back.

    CryptoDataDownload went from seconds to milliseconds, Binance from milliseconds to microseconds in 2025.
    """
    finer = before - unit if newest_first else unit - before
    return finer == 0 or (finer > 0 and Unit.DATES not in (unit, before))


def time_of(text: str) -> tuple[int, Unit]:
    """A time in milliseconds, and its unit: that of a number by magnitude, or a date in UTC.

    Raises ValueError, ArithmeticError.
    """
    try:
        number = int(text)
    except ValueError:
        if any(mark in text for mark in "-/:"):
            return (_date(text.strip()) - EPOCH) // timedelta(milliseconds=1), Unit.DATES
        number = _whole(Decimal(text.strip()))
    unit = _unit_of(number)
    return _scaled([number], unit)[0], unit


def times_of(texts: Sequence[str]) -> tuple[list[int], list[Unit]]:
    """The same for a column, quickly if it has one unit; each run of rows in one unit gives one entry."""
    try:
        numbers = list(map(int, texts))
    except ValueError:
        numbers = []
    if numbers and (unit := _unit_of(min(numbers))) is _unit_of(max(numbers)):
        return _scaled(numbers, unit), [unit]
    times = [time_of(text) for text in texts]
    return [at for at, _ in times], [unit for unit, _ in groupby(unit for _, unit in times)]


def _whole(number: Decimal) -> int:
    """A whole number of at most 30 digits. Raises ValueError, ArithmeticError."""
    if number.is_finite() and number.adjusted() > 30:
        raise ValueError("more digits than any time has")
    return int(number)


def _unit_of(number: int) -> Unit:
    return next((unit for unit, end in _BELOW.items() if number < end), Unit.NANOSECONDS)


def _scaled(numbers: list[int], unit: Unit) -> list[int]:
    match unit:
        case Unit.SECONDS:
            return [number * 1000 for number in numbers]
        case Unit.MICROSECONDS:
            return [number // 1000 for number in numbers]
        case Unit.NANOSECONDS:
            return [number // 1_000_000 for number in numbers]
    return numbers


def _date(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.strptime(f"{text} +0000", "%Y-%m-%d %I-%p %z")  # 2020-07-04 12-AM
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
