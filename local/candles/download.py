"""Candles from the exchange by the bot's own client: page by page, each written before the next is requested.

The file is its own bookmark: an interrupted run continues after the last whole line. A page is requested with both
its times (exchange.md §1.2), at most four a second. If the exchange is unreachable or limits the rate, the wait
grows up to a minute; after ten failures in a row the run ends and can be repeated.
"""

import argparse
import logging
import os
import random
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from common.clock import Clock, Deadline, SystemClock, milliseconds
from common.config import Settings
from common.decimals import plain
from common.domain.instrument import Instrument
from common.errors import BotError, ConfigurationError, ExchangeUnavailable, RateLimited
from common.meter import Meter
from common.mexc.client import Mexc
from common.mexc.http import MexcHttp, new_session
from common.mexc.parse import Candle
from local.candles.formats import EPOCH, OURS, CandleFileError, shown

log = logging.getLogger(__name__)
PAGE = 500
"""Most candles in one reply in practice; 1000 are documented."""
BETWEEN_PAGES = 0.25
PATIENCE = 10
_PAGE_SECONDS = 120.0
_HEADER = ",".join(OURS)
Ask = Callable[[str, int, datetime], list[Candle]]
"""(interval, how many, up to when) → the candles that open in that window."""


def run(arguments: argparse.Namespace, minutes: int, clock: Clock | None = None) -> int:
    """Run the command; exit code 0: complete, 1: ended early, 2: the request makes no sense."""
    clock, console = clock or SystemClock(), Console(stderr=True, markup=False, emoji=False)
    path = arguments.out or Path(f"{arguments.symbol}-{arguments.interval}.csv")
    try:
        ask = asking(arguments.symbol, arguments.exchange, clock)
        steps = fetch(ask, path, timedelta(minutes=minutes), timedelta(days=arguments.days), clock)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task(path.name, total=1.0)
            for share, reached in steps:
                progress.update(task, completed=share, description=f"{path.name} to {reached:%Y-%m-%d %H:%M}")
    except (ValueError, CandleFileError) as error:
        console.print(f"{arguments.symbol}: {error}", soft_wrap=True)
        return 2
    except (BotError, KeyboardInterrupt) as error:
        console.print(f"ended early ({error or 'interrupted'}); the same command goes on from here", soft_wrap=True)
        return 1
    with path.open() as file:
        count = sum(1 for _ in file) - 1
    console.print(f"{count} candles in {path}", soft_wrap=True)
    return 0


def asking(symbol: str, base_url: str, clock: Clock) -> Ask:
    """A function that asks the exchange without a key. Raises ValueError for an unknown quote asset."""
    instrument, meter, settings = Instrument.from_symbol(symbol), Meter(), _settings(base_url)
    session = new_session(1, settings.https_proxy)
    http = MexcHttp(session, settings.mexc_base_url, clock, None, None, 15.0, random.Random())

    def ask(interval: str, count: int, end: datetime) -> list[Candle]:
        exchange = Mexc(http, instrument, Deadline(clock, _PAGE_SECONDS), meter)
        return exchange.klines(interval, count, end=end).value

    return ask


def _settings(base_url: str) -> Settings:
    """The bot's rules for the two addresses. Raises ValueError."""
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or ""
    given = {"MEXC_BASE_URL": base_url, "HTTPS_PROXY": proxy}
    try:
        return Settings.from_env({**given, "AUTH_MODE": "header", "REDIS_URL": "redis://127.0.0.1"})
    except ConfigurationError as error:
        raise ValueError(str(error).replace("MEXC_BASE_URL", "--exchange")) from None


def fetch(
    ask: Ask, path: Path, width: timedelta, back: timedelta, clock: Clock
) -> Iterator[tuple[float, datetime]]:
    """Bring the file up to now; yield after each page the share that is done, and the time it has reached.

    Only closed candles are written. Raises ExchangeUnavailable after the last retry, CandleFileError.
    """
    now, step = clock.now(), PAGE * width
    start = _opening(now - back, width)
    last = _bookmark(path, start, width)
    begun = max(start, _listed(ask, start, now, clock)) if last is None else last + width
    page = begun
    while page + width <= now:
        candles = _patiently(ask, _word(width), PAGE, page + step, clock)
        closed = [each for each in candles if page <= each.opens_at < page + step and each.closes_at <= now]
        _append(path, closed)
        page += step
        yield min((page - begun) / (now - begun), 1.0), min(page, now)
        clock.sleep(BETWEEN_PAGES)
    _append(path, [])


def _append(path: Path, candles: list[Candle]) -> None:
    """Add to the file, which begins with its header; it is not there before the exchange has answered."""
    with path.open("a", newline="") as file:
        if not file.tell():
            file.write(f"{_HEADER}\n")
        file.writelines(map(_line, candles))


def _bookmark(path: Path, start: datetime, width: timedelta) -> datetime | None:
    """The opening of the last candle in the file, None for a new file; half a line at its end is cut off.

    Raises CandleFileError for a file of another kind or width, or with a later start.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    with path.open("rb+") as file:
        head = [line.decode("ascii", "replace").strip() for line in islice(file, 3)]
        file.seek(max(path.stat().st_size - 4096, 0))
        tail = file.read()
        torn = len(tail) - (tail.rfind(b"\n") + 1)
        if head[0] != _HEADER or torn == len(tail):
            raise CandleFileError(f"{path.name} is no file of this command: its header is not {_HEADER}")
        file.seek(-torn, os.SEEK_END)
        file.truncate()
    lines = tail[: len(tail) - torn].decode("ascii", "replace").splitlines()
    if lines[-1] == _HEADER:
        return None
    first, last = _opened(head[1]), _opened(lines[-1])
    if first > start + timedelta(days=1) and last < start:
        raise CandleFileError(f"{path.name} is outside the days asked for")
    if len(head) > 2 and head[2] and (_opened(head[2]) - first) % width:
        raise CandleFileError(f"{path.name} holds candles of another interval")
    return last


def _listed(ask: Ask, start: datetime, now: datetime, clock: Clock) -> datetime:
    """A day before the first daily candle since `start`, so that pages before the pair's listing are skipped."""
    day = timedelta(days=1)
    page = _opening(start, day)
    while page < now:
        if candles := _patiently(ask, "1d", PAGE, page + PAGE * day, clock):
            return candles[0].opens_at - day
        page += PAGE * day
    return now


def _patiently(ask: Ask, interval: str, count: int, end: datetime, clock: Clock) -> list[Candle]:
    """Fetch one page; the client's own retries last seconds, these last minutes."""
    for tries in range(1, PATIENCE + 1):
        try:
            return ask(interval, count, end)
        except ExchangeUnavailable as error:
            if tries == PATIENCE:
                raise
            wanted = error.retry_after if isinstance(error, RateLimited) else None
            pause = wanted or min(2.0**tries, 60.0)
            log.warning("%s; the next of %d tries in %d s", error, PATIENCE, pause)
            clock.sleep(pause)
    raise AssertionError("the last try returns or raises")


def _opening(moment: datetime, width: timedelta) -> datetime:
    """The opening of the candle that contains a moment."""
    return moment - (moment - EPOCH) % width


def _word(width: timedelta) -> str:
    """The exchange's name for an interval: hours are 60m and 4h."""
    minutes = width // timedelta(minutes=1)
    return {240: "4h", 1440: "1d"}.get(minutes, f"{minutes}m")


def _line(candle: Candle) -> str:
    numbers = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    return f"{milliseconds(candle.opens_at)},{','.join(map(plain, numbers))}\n"


def _opened(line: str) -> datetime:
    try:
        return EPOCH + timedelta(milliseconds=int(line.split(",")[0]))
    except (ValueError, OverflowError):
        raise CandleFileError(f"a line is no candle: {shown(line)}") from None
