"""6. Back-test: time and memory for a year of minutes, and the same policy by vectorbt, backtesting.py and bt."""

import csv
import json
import subprocess
import sys
from array import array
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

from bench.environments import interpreter
from bench.figures import Figure, Listing, Section, with_unit
from bench.replays import YEAR, walk
from bench.stand import ROOT, NotMeasurable, scratch
from common.report.statistics import stationary_bootstrap
from local.backtest.overfitting import deflated_sharpe, sharpe

PINNED = (
    "vectorbt==1.2.0",
    "backtesting==0.6.6",
    "bt==1.4.1",
    "arch==8.0.0",
    "empyrical-reloaded==0.7.1",
    "ffn==1.4.1",
)
DATA = ROOT.parent / "shared" / "data"
FEE = "0.003"
TRIGGERS = "0.02,0.01,0.05"
MONTH = 43_200
ALIKE = 1e-9


def measure() -> Section:
    about = (
        "A year of minutes (525,600 bars, a random walk with a volatility of 100 %), looked at every 15 minutes. "
        "Seconds are of processor time on one core, the first three the best of three; memory is the most the "
        "process has held. bt runs a month, for a year would take minutes; compilation is not counted."
    )
    section = Section("backtests", "6. Back-test", about)
    with scratch() as folder:
        section.figures += _own(folder)
        section.figures += _whole_files()
        section.listings.append(_growth())
        try:
            python = interpreter("backtests", PINNED)
        except NotMeasurable as error:
            section.skipped.append(str(error))
            return section
        figures, listing = _others(python, folder)
        section.figures += figures
        section.listings.append(listing)
        section.figures += _statistics(python)
    if not DATA.is_dir():
        section.skipped.append(f"real series ({DATA} is not there)")
    return section


def _replayed(*task: str) -> Any:
    """What one task of bench/replays.py prints, from a fresh process."""
    command = [sys.executable, "-m", "bench.replays", *task]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _own(folder: Path) -> list[Figure]:
    path, candles = folder / "year.csv", walk(YEAR)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["open_time_ms", "open", "high", "low", "close", "volume"])
        writer.writerows(zip(candles.times, *(column.floats for column in candles.columns), strict=True))
    loaded, swept, wide = (
        _replayed("load", str(path)),
        _replayed("sweep", str(YEAR), "100", "1", "3"),
        _replayed("sweep", str(YEAR), "100", "5", "3"),
    )

    def told(run: Mapping[str, Any]) -> str:
        return f"{run['events']:,} orders, {1e6 * run['seconds'] / run['events']:.0f} µs each, decided in full"

    return [
        Figure("a year of CSV, parsed", loaded["parse"], "s", 1.5, f"{path.stat().st_size / 1e6:.0f} MB"),
        Figure("the same from the cache", loaded["cached"], "s"),
        Figure("100 policies, triggers from 1 to 11 points", swept["seconds"], "s", 3, told(swept)),
        Figure("100 policies, triggers from 5 to 15 points", wide["seconds"], "s", 1, told(wide)),
        Figure(
            "of the first, the search in floats", swept["search"], "s", 1, f"index {1000 * swept['index']:.1f} ms"
        ),
        Figure("memory for the sweep", swept["memory_mib"], "MiB", 150),
        Figure("memory to parse the file", loaded["memory_mib"], "MiB", 150),
    ]


def _whole_files() -> list[Figure]:
    """Jumping against looking at every slot, on the real series: how many of the policies differ."""
    figures = []
    for path in sorted(DATA.glob("*.csv.gz")) if DATA.is_dir() else []:
        told = _replayed("equal", str(path))
        jumped, looked = told["decided"]
        note = f"{told['events']} orders; {jumped} decisions by jumping, {looked} by looking at every slot"
        unequal = told["policies"] - told["equal"]
        figures.append(Figure(f"{path.name}: policies that differ, of {told['policies']}", unequal, "", 0, note))
    return figures


def _growth() -> Listing:
    rows = []
    for years in (1, 2, 4):
        for count in (10, 100, 1000):
            told = _replayed("sweep", str(years * YEAR), str(count), "5")
            rows.append(
                [
                    f"{years}",
                    f"{count:,}",
                    f"{told['events']:,}",
                    with_unit(told["seconds"], "s"),
                    f"{1e6 * told['seconds'] / told['events']:.0f} µs",
                    with_unit(told["memory_mib"], "MiB"),
                ]
            )
    heads = ["years", "policies", "orders", "time", "an order", "memory"]
    return Listing("Growth, triggers from 5 to 15 points: linear in the orders", heads, rows)


def _others(python: Path, folder: Path) -> tuple[list[Figure], Listing]:
    """The same policies by all: orders and final value must agree, time and memory are put beside."""
    rows, figures, seconds = [], [], {}
    for name, bars in (("vectorbt", YEAR), ("backtesting", YEAR), ("bt", MONTH)):
        theirs = _rival(python, folder, name, bars)
        ours = _replayed("single", str(bars), TRIGGERS, FEE)
        worst = 0.0
        for mine, other in list(zip(ours["runs"], theirs["runs"], strict=True))[1:]:  # the first compiles
            off = abs(mine["value"] / other["value"] - 1)
            worst = max(worst, off if mine["orders"] == other["orders"] else 1.0)
            seconds[name, mine["trigger"]] = mine["seconds"], other["seconds"]
            rows.append(
                [
                    name,
                    f"{bars:,}",
                    f"{100 * mine['trigger']:.0f} %",
                    f"{mine['orders']} / {other['orders']}",
                    f"{off:.0e}",
                    with_unit(1000 * mine["seconds"], "ms"),
                    with_unit(1000 * other["seconds"], "ms"),
                    f"{other['seconds'] / mine['seconds']:,.0f} ×",
                    f"{ours['memory_mib']:.0f} / {theirs['memory_mib']:.0f}",
                ]
            )
        note = "as many orders" if worst < 1 else "not as many orders"
        figures.append(Figure(f"final value against {name}: off by", worst / ALIKE, "billionths", 1, note))
    for name, trigger, least in (("vectorbt", 0.05, 100), ("backtesting", 0.05, 500)):
        mine, other = seconds[name, trigger]
        what = f"time of one policy, 5 % to the target, of {name}'s"
        figures.append(Figure(what, 100 * mine / other, "%", 100 / least, f"{other / mine:,.0f} times as fast"))
    heads = ["framework", "bars", "trigger", "orders", "value off", "bot", "theirs", "theirs / bot", "MiB"]
    return figures, Listing("The same policy: the bot's plan / the framework", heads, rows)


def _rival(python: Path, folder: Path, name: str, bars: int) -> Any:
    candles = walk(bars)
    for column, values in (
        ("times", candles.times),
        ("opens", candles.open.floats),
        ("closes", candles.close.floats),
    ):
        with (folder / f"{column}.bin").open("wb") as file:
            array(values.typecode, values).tofile(file)
    command = [str(python), "-m", "bench.rival.backtests", name, str(folder), TRIGGERS, FEE]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def _statistics(python: Path) -> list[Figure]:
    """Interval, deepest fall and Sharpe ratios of one series, by us and by the packages people trust."""
    steps = _with_memory()
    tried = [0.02 * (n - 10) / 10 for n in range(21)]
    given = {"steps": steps, "block": 20, "resamples": 4000, "returns": steps, "tried": tried}
    command = [str(python), str(ROOT / "bench" / "rival" / "estimates.py")]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout.splitlines()[-1])
    ours = stationary_bootstrap(steps, Random(7), block=20, resamples=4000)
    wide = theirs["high"] - theirs["low"]
    off = max(abs(ours.low - theirs["low"]), abs(ours.high - theirs["high"])) / wide
    fall = _deepest_fall(steps)
    return [
        Figure(
            "bootstrap's bounds against arch: off by", 100 * off, "% of the interval", 6, "4,000 resamples each"
        ),
        Figure(
            "deepest fall against empyrical: off by", abs(fall - theirs["max_drawdown"]) / ALIKE, "billionths", 1
        ),
        Figure(
            "Sharpe ratio against empyrical: off by", abs(sharpe(steps) - theirs["sharpe"]) / ALIKE, "billionths", 1
        ),
        Figure(
            "deflated Sharpe against ffn: off by",
            100 * abs(deflated_sharpe(steps, tried) - theirs["deflated"]),
            "points",
            0.2,
            f"{theirs['deflated']:.4f}; ffn corrects skew and kurtosis for the size of the sample",
        ),
    ]


def _with_memory() -> list[float]:
    """Two years of daily steps that follow each other a little."""
    rng, last, steps = Random(3), 0.0, []
    for _ in range(730):
        last = 0.3 * last + rng.gauss(0.0008, 0.01)
        steps.append(last)
    return steps


def _deepest_fall(returns: Sequence[float]) -> float:
    values = list(accumulate(returns, lambda value, step: value * (1 + step), initial=1.0))
    peaks = accumulate(values, max)
    return min(value / peak - 1 for value, peak in zip(values, peaks, strict=True))
