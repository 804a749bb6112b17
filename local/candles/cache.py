"""Parsed candle files, kept in the user's cache: one entry a path, replaced when the file changes."""

import hashlib
import json
import os
from array import array
from decimal import Decimal
from pathlib import Path
from typing import Any

from local.candles.series import Candles, Column

_LEAST = 50_000
"""Series shorter than this are not kept: parsing them is quick enough."""
_VERSION = 3
_NUMBERS = ("open", "high", "low", "close", "volume")


def find(path: Path) -> Candles | None:
    """The kept series of a file; None when there is none, or when the file or the cache format has changed."""
    try:
        with _entry(path).open("rb") as file:
            head = json.loads(file.readline())
            if head["source"] != _identity(path):
                return None
            times = array("q")
            times.frombytes(file.read(8 * head["bars"]))
            columns = []
            for name in _NUMBERS:
                exact = {int(index): Decimal(text) for index, text in head["exact"][name].items()}
                column = Column(array("d"), exact)
                column.floats.frombytes(file.read(8 * head["bars"]))
                columns.append(column)
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError):
        return None  # not an entry of ours: the file is parsed again
    if len(columns[-1]) != head["bars"] or len(times) != head["bars"]:
        return None
    return Candles.of(head["format"], times, columns)


def keep(path: Path, candles: Candles) -> None:
    """Keep a long series; a failure is harmless."""
    if len(candles) < _LEAST:
        return
    try:
        entry = _entry(path)
    except RuntimeError:  # a user without a home directory
        return
    columns = dict(zip(_NUMBERS, candles.columns, strict=True))
    head = {
        "source": _identity(path),
        "format": candles.format,
        "bars": len(candles),
        "exact": {name: {str(i): str(n) for i, n in column.exact.items()} for name, column in columns.items()},
    }
    part = entry.with_suffix(f".{os.getpid()}")
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(json.dumps(head).encode() + b"\n")
            candles.times.tofile(file)
            for column in columns.values():
                column.floats.tofile(file)
        part.replace(entry)
    except OSError:
        part.unlink(missing_ok=True)


def _entry(path: Path) -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "qrl-bot" / "candles" / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]}.bin"


def _identity(path: Path) -> list[Any]:
    """A value that changes with the file, or with the format of the cache."""
    stat = path.stat()
    return [_VERSION, stat.st_size, stat.st_mtime_ns]
