"""Candles from the exchange: pages, gaps, rate limits, a kill anywhere, what is there already."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.clock import Clock, milliseconds
from common.errors import ExchangeUnavailable
from common.mexc.parse import Candle
from local.__main__ import main
from local.candles import command, download
from local.candles.files import read
from local.candles.formats import CandleFileError
from local.clock import SimulatedClock
from local.exchange import ExchangeConfig, ExchangeServer, RateLimit, SimulatedExchange
from tests.exchange_client import ManualClock

NOW = datetime(2026, 3, 1, 12, 7, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
DAYS = timedelta(days=30)


@contextmanager
def exchange(now: datetime = NOW, **config: object) -> Iterator[tuple[str, SimulatedClock]]:
    """A simulated exchange on the download's own clock: nobody waits, and pauses count."""
    manual = ManualClock(milliseconds(now))
    start = {"start_ms": milliseconds(NOW - timedelta(days=2))}
    with ExchangeServer(SimulatedExchange(ExchangeConfig(**(start | config)), clock=manual.now_ms)) as handle:  # type: ignore[arg-type]
        yield (
            f"http://127.0.0.1:{handle.port}",
            SimulatedClock(now, lambda moment: manual.set(milliseconds(moment))),
        )


def fetched(url: str, path: Path, clock: Clock, back: timedelta = DAYS, pages: int | None = None) -> int:
    """Download into `path`, or be killed after so many pages; the number of pages asked for."""
    steps = download.fetch(download.asking("QRLUSDT", url, clock), path, QUARTER, back, clock)
    asked = 0
    for _ in steps:
        asked += 1
        if asked == pages:
            break
    return asked


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Thirty days in one go."""
    path = tmp_path_factory.mktemp("candles") / "whole.csv"
    with exchange() as (url, clock):
        assert fetched(url, path, clock) == 6
    return path.read_bytes()


def test_thirty_days_are_whole_and_hold_closed_candles_only(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "whole.csv"
    path.write_bytes(whole)
    candles = read(path)
    assert (candles.format, len(candles), candles.gaps, candles.width_ms) == ("ours", 2880, 0, 900_000)
    assert candles.end == NOW - timedelta(minutes=7)


def test_a_run_that_was_killed_goes_on_after_its_last_whole_line(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "killed.csv"
    with exchange() as (url, clock):
        fetched(url, path, clock, pages=2)
        for torn in (b"", b"17", b"1772366400000,0.02,0.0"):
            with path.open("ab") as file:
                file.write(torn)
            fetched(url, path, clock, pages=1)
        fetched(url, path, clock)
    assert path.read_bytes() == whole


def test_a_file_is_continued_when_time_has_gone_on(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "later.csv"
    path.write_bytes(whole)
    with exchange(NOW + timedelta(hours=1)) as (url, clock):
        assert fetched(url, path, clock) == 1
        assert fetched(url, path, clock) == 0
    assert path.read_bytes().startswith(whole)
    assert len(read(path)) == 2884


def test_gaps_of_the_exchange_stay_gaps_and_no_page_is_asked_before_the_listing(tmp_path: Path) -> None:
    source, path = tmp_path / "source.csv", tmp_path / "gaps.csv"
    begin = milliseconds(NOW.replace(minute=0) - timedelta(days=3))
    minutes = [n for n in range(0, 4320, 15) if not 600 <= n < 900]
    rows = "".join(f"{begin + n * 60_000},0.02,0.02,0.02,0.02,5\n" for n in minutes)
    source.write_text("open_time_ms,open,high,low,close,volume\n" + rows)
    with exchange(candles=source, candles_from_ms=begin, start_ms=begin) as (url, clock):
        assert fetched(url, path, clock) == 1
    candles = read(path)
    assert (len(candles), candles.gaps, candles.missing) == (len(minutes), 1, 20)


def test_an_exchange_that_asks_for_patience_gets_it(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "patient.csv"
    with exchange(rate_limit=RateLimit(weight=2, window_ms=10_000, retry_after_s=7)) as (url, clock):
        fetched(url, path, clock)
        assert timedelta(seconds=15) < clock.now() - NOW < timedelta(minutes=2)
    assert path.read_bytes() == whole


def test_an_exchange_out_of_reach_ends_the_run_after_minutes_and_keeps_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    clock = SimulatedClock(NOW)
    assert run(["QRLUSDT", "--out", str(tmp_path / "none.csv"), "--exchange", "http://127.0.0.1:9"], clock) == 1
    assert timedelta(minutes=3) < clock.now() - NOW < timedelta(minutes=10)
    assert "the same command goes on from here" in capsys.readouterr().err
    assert "cannot be reached (ConnectionError); the next of 10 tries in 2 s" in caplog.messages[0]


def test_a_file_of_another_kind_or_interval_is_left_alone(whole: bytes, tmp_path: Path) -> None:
    other, hourly = tmp_path / "other.csv", tmp_path / "quarters.csv"
    other.write_text("my,own,numbers\n1,2,3\n")
    hourly.write_bytes(whole)
    ask = download.asking("QRLUSDT", "http://127.0.0.1:9", SimulatedClock(NOW))
    for path, width, text in (
        (other, QUARTER, "no file of this command"),
        (hourly, 4 * QUARTER, "another interval"),
    ):
        before = path.read_bytes()
        with pytest.raises(CandleFileError, match=text):
            list(download.fetch(ask, path, width, DAYS, SimulatedClock(NOW)))
        assert path.read_bytes() == before


def run(arguments: list[str], clock: Clock) -> int:
    parser = argparse.ArgumentParser()
    command.configure(parser)
    options = parser.parse_args(arguments)
    return download.run(options, command.INTERVALS[options.interval], clock)


def test_the_command_says_what_it_did_and_what_makes_no_sense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "day.csv"
    with exchange() as (url, clock):
        assert (
            run(["QRLUSDT", "--interval", "1h", "--days", "2", "--out", str(path), "--exchange", url], clock) == 0
        )
        assert run(["QRLXYZ", "--out", str(path), "--exchange", url], clock) == 2
        assert run(["[/x]", "--out", str(path), "--exchange", url], clock) == 2
        assert main(["candles", "QRLUSDT", "--out", str(tmp_path), "--exchange", url]) == 2
        for wrong in ("x", "http://exchange.example", "http://[::1", "ftp://127.0.0.1"):
            assert run(["QRLUSDT", "--out", str(path), "--exchange", wrong], clock) == 2
        for days in ("10000000", "0", "-1", "1e2", "\u0663", "9" * 5000):
            with pytest.raises(SystemExit):
                run(["QRLUSDT", "--out", str(path), "--exchange", url, f"--days={days}"], clock)
    told = capsys.readouterr().err
    assert f"{tmp_path} cannot be read or written: Is a directory" in told
    assert told.count("QRLUSDT: --exchange: must be https (plain http only on loopback)") == 4
    assert "[/x]: ends in none of the quote assets" in told
    assert "argument --days: 10000000 is no number of days from 1 to 10000" in told
    assert f"48 candles in {path}" in told
    assert "QRLXYZ: ends in none of the quote assets" in told
    assert read(path).width_ms == 3_600_000


def test_an_exchange_that_never_answers_leaves_no_file(tmp_path: Path) -> None:
    def ask(interval: str, count: int, end: datetime) -> list[Candle]:
        raise ExchangeUnavailable("klines: the exchange cannot be reached")

    path = tmp_path / "none.csv"
    with pytest.raises(ExchangeUnavailable):
        list(download.fetch(ask, path, QUARTER, DAYS, SimulatedClock(NOW)))
    assert not path.exists()
