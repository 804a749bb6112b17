"""Read a candle file of any format that local/candles/formats.py knows: CSV or JSON, plain, gzip or zip.

Refused, naming the line (in JSON the row): times that repeat, go back, change to a coarser unit or are out of
range; text that is not UTF-8; numbers that are not finite or implausible for a market; prices at or below zero, a
high below the low or prices outside them; a file without candles. Blank lines are skipped, but counted as lines.
"""

import csv
import gzip
import io
import lzma
import re
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, islice, pairwise
from math import isfinite
from operator import gt, itemgetter, le, lt
from pathlib import Path
from typing import IO, Any

from local.candles import cache
from local.candles.formats import (
    END_MS,
    CandleFileError,
    Layout,
    Unit,
    by_header,
    by_width,
    has_header,
    may_follow,
    shown,
    time_of,
    times_of,
)
from local.candles.series import Candles, Column

_CHUNK = 1024
LEAST, MOST = 1e-30, 1e30
"""The range of prices and volumes of any market, whatever it is quoted in."""
_NO_UTF_8 = "\N{REPLACEMENT CHARACTER}"
_ROW = re.compile(r"\[([^\[\]]+)\]")
_ROWS = re.compile(r"\[\s*\[.*\]\s*\]|\[\s*\]", re.DOTALL)
_UNPACKABLE = (EOFError, RuntimeError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
"""Errors of an archive that is truncated, damaged, encrypted or compressed in an unknown way."""
Row = list[str]
Pick = Callable[[Any], tuple[Any, ...]]
"""Picks the six wanted cells of a row, or columns of a chunk."""


def load(path: Path) -> Candles:
    """The candles of a file; a long series is kept in the user's cache, so that the next read is instant.

    Raises CandleFileError, OSError.
    """
    kept = cache.find(path)
    if kept is None:
        kept = read(path)
        cache.keep(path, kept)
    return kept


def read(path: Path) -> Candles:
    """Parse a file. Raises CandleFileError, which names the line; OSError."""
    try:
        with _text(path) as file:
            first = file.readline()
            if first.lstrip()[:1] in ("[", "{"):
                return _Reader("row", *_json(first + file.read())).read()
            return _Reader("line", *_csv(file, first)).read()
    except CandleFileError as error:
        raise CandleFileError(f"{path.name}: {error}") from None
    except _UNPACKABLE as error:
        raise CandleFileError(f"{path.name}: cannot be read as text, gzip or zip ({error})") from None
    except OSError as error:
        if error.filename is not None:
            raise
        # An archive whose offsets point beyond its end raises one without a name.
        raise CandleFileError(f"{path.name}: cannot be read ({error})") from None


@contextmanager
def _text(path: Path) -> Iterator[IO[str]]:
    """The file's text, unpacked according to its first bytes; _NO_UTF_8 replaces what is not UTF-8."""
    with path.open("rb") as raw:
        magic = raw.read(4)
    if magic[:2] == b"PK":
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if len(names) != 1:
                raise CandleFileError(f"the archive holds {len(names)} files; one is wanted")
            with archive.open(names[0]) as member, io.TextIOWrapper(member, "utf-8-sig", "replace", "") as file:
                yield file
    elif magic[:2] == b"\x1f\x8b":
        with gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as file:
            yield file
    else:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            yield file


def _csv(file: IO[str], first: str) -> tuple[Layout, int, Iterator[str], int]:
    """Layout, width of a row, lines, and the number of the first line."""
    number, newest_first = 1, first.lstrip('" ').lower().startswith(("http://", "https://", "www."))
    if newest_first:
        number, first = 2, file.readline()
    if not first.strip():
        raise CandleFileError("no candles: the file is empty")
    row = _cells(first)
    if newest_first or has_header(row):
        return by_header(row, line=number, newest_first=newest_first), len(row), iter(file), number + 1
    return by_width(len(row)), len(row), chain([first], file), number


def _json(text: str) -> tuple[Layout, int, Iterator[str], int]:
    """An array of arrays of plain values: each inner array is read as a line of CSV, including quotes."""
    body = text.strip()
    if not _ROWS.fullmatch(body) or "{" in body:
        raise CandleFileError("row 1: JSON is read as an array of rows [time, open, high, low, close, volume]")
    lines = (" ".join(match[1].split()) + "\n" for match in _ROW.finditer(body))
    first = next(lines, None)
    if first is None:
        raise CandleFileError("no candles: the array is empty")
    width = len(_cells(first))
    return by_width(width), width, chain([first], lines), 1


def _cells(line: str) -> Row:
    try:
        return next(csv.reader([line], skipinitialspace=True), [])
    except csv.Error:  # longer than any cell is
        return [line]


class _Reader:
    """Reads chunk by chunk: whole columns at once, and line by line only in a faulty chunk."""

    def __init__(self, unit: str, layout: Layout, width: int, lines: Iterator[str], number: int) -> None:
        self._unit, self._layout, self._width = unit, layout, width
        self._lines, self._number = lines, number
        self._pick: Pick = itemgetter(*layout.columns)
        self._times = array("q")
        self._written_in: list[Unit] = []  # the times of the last row
        self._columns = tuple(Column() for _ in range(5))

    def read(self) -> Candles:
        while chunk := list(islice(self._lines, _CHUNK)):
            last = (self._times[-1], self._written_in[0]) if self._times else None
            filled = [line for line in chunk if not line.isspace()]
            if filled and not self._add(filled):
                raise CandleFileError(self._fault(chunk, last))
            self._number += len(chunk)
        if not self._times:
            raise CandleFileError(f"no candles after {self._unit} {self._number - 1}")
        if self._layout.newest_first:
            columns = [column.reversed() for column in self._columns]
            return Candles.of(self._layout.format, self._times[::-1], columns)
        return Candles.of(self._layout.format, self._times, self._columns)

    def _add(self, lines: Row) -> bool:
        """Append a chunk; False when something in it is wrong."""
        try:
            moments, *texts = self._split(lines)
            numbers, units = times_of(moments)
            times = array("q", numbers)
            for column, numbers in zip(self._columns, texts, strict=True):
                column.extend(numbers)
        except (ValueError, ArithmeticError, IndexError, OverflowError):
            return False
        before = self._times[-1:] + times
        ordered = all(map(gt if self._layout.newest_first else lt, before, before[1:])) and all(
            may_follow(unit, earlier, newest_first=self._layout.newest_first)
            for earlier, unit in pairwise([*self._written_in, *units])
        )
        self._written_in = units[-1:]
        self._times += times
        opened, high, low, close, volume = (column.floats[-len(lines) :] for column in self._columns)
        return (
            ordered
            and min(times) >= 0
            and max(times) < END_MS
            and isfinite(sum(high) + sum(volume))
            and min(low) >= LEAST
            and max(high) <= MOST
            and min(volume) >= 0
            and max(volume) <= MOST
            and all(map(le, low, opened))
            and all(map(le, low, close))
            and all(map(le, opened, high))
            and all(map(le, close, high))
        )

    def _split(self, lines: Row) -> tuple[Any, ...]:
        """The wanted columns of a chunk. Raises ValueError if rows differ in width."""
        text = ",".join(lines)
        if _NO_UTF_8 in text:
            raise ValueError("no UTF-8")
        if '"' in text:
            columns = list(zip(*map(_cells, lines), strict=True))
            if len(columns) != self._width:
                raise ValueError("rows of another width")
            return self._pick(columns)
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        cells = text.split(",")
        by_column = [cells[index :: self._width] for index in range(self._width)]
        if len(cells) != self._width * len(lines) or "".join(by_column[-1]).count("\n") < text.count("\n"):
            raise ValueError("rows of different widths")
        return self._pick(by_column)

    def _fault(self, chunk: Row, last: tuple[int, Unit] | None) -> str:
        """What is wrong with the first bad row of a chunk that `_add` refused."""
        for number, line in enumerate(chunk, self._number):
            if line.isspace():
                continue
            if problem := _problem(line, self._pick, self._width, last, self._layout.newest_first):
                return f"{self._unit} {number}: {problem}"
            last = time_of(self._pick(_cells(line))[0])
        raise AssertionError("the chunk was refused for one of its rows")


def _problem(line: str, pick: Pick, width: int, last: tuple[int, Unit] | None, newest_first: bool) -> str | None:
    """Why a line cannot follow a candle of `last` (time and unit); None when it can."""
    if _NO_UTF_8 in line:
        return f"is no UTF-8 text: {shown(line)}"
    row = _cells(line)
    if len(row) != width:
        return f"has {len(row)} columns, not {width}: {shown(','.join(row))}"
    numbers = Column()
    try:
        moment, *texts = pick(row)
        at, unit = time_of(moment)
        numbers.extend(texts)
    except (ValueError, ArithmeticError, IndexError):
        return f"is no candle: {shown(','.join(row))}"
    opened, high, low, close, volume = numbers.floats
    if not 0 <= at < END_MS:
        return f"the time {shown(moment)} is not between 1970 and 5138"
    before, unit_before = last or (None, unit)
    if before is not None and at == before:
        return f"the time {moment} is a duplicate"
    if before is not None and (at > before if newest_first else at < before):
        return f"unsorted: the time {moment} is {'later' if newest_first else 'earlier'} than the one before"
    if not may_follow(unit, unit_before, newest_first=newest_first):
        return f"the time {moment} is in {unit.name.lower()}, the one before in {unit_before.name.lower()}"
    if not all(map(isfinite, (opened, high, low, close, volume))):
        return "a number is not finite"
    if high < low:
        return f"the high {texts[1]} is below the low {texts[2]}"
    if not 0 < low <= min(opened, close) <= max(opened, close) <= high:
        return f"the prices contradict each other: {','.join(texts[:4])}"
    if volume < 0:
        return f"the volume {texts[4]} is negative"
    if low < LEAST or max(high, volume) > MOST:
        return f"no market has such numbers, below {LEAST:g} or above {MOST:g}: {shown(','.join(texts))}"
    return None
