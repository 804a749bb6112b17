"""Replay the bot's own rule over candles, and say honestly what that shows.

The policy comes from the settings in the environment, so that one environment serves the bot and its back-test;
--policy sets another, and may be given several times to compare. Costs are fractions: 0.0005 is 0.05 %.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from common.decimals import parse
from common.domain.decision.levels import Destination
from common.domain.decision.notation import destination_in
from common.domain.instrument import Instrument
from common.errors import BotError, InvalidAmount
from local.backtest import export, page, words
from local.backtest.costs import Costs
from local.backtest.market import Market
from local.backtest.replay import Desk, Start
from local.backtest.strategies import DEFAULT_RULE, settings, strategy
from local.backtest.study import Grid, Setup, Study, replays, study
from local.candles.files import load
from local.candles.formats import CandleFileError
from local.lines import print_whole, widths, wrapped
from local.refused import Refused

USUAL = Costs()
STEP = Decimal("0.000001")
LEAST, MOST = Decimal(10) ** -18, Decimal(10) ** 18
"""The range of amounts and fractions given as options, unless they are zero."""
SLOTS = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description, parser.formatter_class = __doc__, argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="candles: ours, Binance Vision, MEXC, ccxt, CryptoDataDownload, freqtrade; .gz, .zip",
    )
    policies = "0.05; 0.01:half,0.03:target; auto:half; hold; monthly; or NAME=VALUE settings"
    add("--policy", action="append", metavar="POLICY", help=f"{policies}; several times to compare")
    add(
        "--grid",
        nargs="*",
        metavar="LIST",
        help="search: triggers, destinations, one-way costs, each comma separated: 0.02,0.05 half,edge 0.001,0.005",
    )
    add("--fee", type=_fraction, default=USUAL.fee, help="of the notional, taken in quote (%(default)s)")
    add("--half-spread", type=_fraction, help=f"a fraction of the price ({USUAL.half_spread})")
    add("--spread", type=_fraction, help="the whole spread instead of its half")
    add("--impact", type=_fraction, help=f"a fraction for each unit of quote ({USUAL.impact})")
    add(
        "--depth",
        type=_amount,
        help="the same as quote within 1 %% of the price on a side: impact 0.01 / depth / 2",
    )
    add("--volume-share", type=_share, default=USUAL.volume_share, help="of a bar, at most (%(default)s)")
    add("--base", type=_amount, help="base asset at the start; without --base and --quote half and half of 1000")
    add("--quote", type=_amount, help="quote asset at the start")
    add("--step", type=_amount, help="of quantities (QUANTITY_INCREMENT, else 0.000001)")
    add("--slots", choices=SLOTS, default="15m", help="how often the bot decides (%(default)s)")
    add(
        "--holdout", type=_fraction, default=Decimal("0.3"), help="last share, never seen by a choice (%(default)s)"
    )
    add("--every-bar", action="store_true", help="decide on every slot instead of jumping to the next trigger")
    add("--jobs", type=_processes, default=1, help="processes of a search")
    add("--report", type=Path, metavar="FILE.html", help="write the page")
    add("--json", action="store_true", help="print one JSON object instead")
    add("--csv", action="store_true", help="print the orders as CSV instead")


def main(arguments: argparse.Namespace) -> int:
    console, notes = (
        Console(width=None if sys.stdout.isatty() else 120, markup=False),
        Console(stderr=True, markup=False),
    )
    if arguments.file is None:
        raise Refused("CANDLES is missing: make backtest CANDLES=file, or python -m local backtest FILE")
    try:
        grid = _grid(arguments.grid)
        if grid and not arguments.holdout:
            raise ValueError("--grid: a search needs a holdout that it has not seen")
        with notes.status(escape(f"reading {arguments.file.name}")) if sys.stderr.isatty() else nullcontext():
            setup = _setup(arguments)
        with _progress(notes, replays(setup, grid)) as seen:
            found = study(setup, grid, seen)
        if arguments.report:
            arguments.report.write_text(page.render(found, arguments.file.name), encoding="utf-8")
    except InvalidAmount as error:
        notes.print(f"Refused: {arguments.file.name}, with this start and these costs: {error}", soft_wrap=True)
        return 2
    except (CandleFileError, BotError, ValueError) as error:
        notes.print(f"Refused: {error}", soft_wrap=True)
        return 2
    if grid and found.search is None:
        notes.print("too few candles for a search and a holdout")
    if arguments.report:
        notes.print(f"report: {arguments.report.resolve()}", soft_wrap=True)
    if arguments.json:
        print(export.as_json(found))
    elif arguments.csv:
        print(export.as_csv(found), end="")
    else:
        show(found, arguments.file.name, console)
    return 0


def _setup(arguments: argparse.Namespace) -> Setup:
    environ = dict(os.environ)
    texts = arguments.policy or [""]
    chosen = settings(environ)
    strategies = tuple(strategy(text, environ) for text in texts)
    rule, monthly, hold = (strategy(text, environ) for text in (DEFAULT_RULE, "monthly", "hold"))
    candles = load(arguments.file)
    start = _start(arguments, candles.open[0])
    desk = Desk(
        Market(candles, SLOTS[arguments.slots]),
        _costs(arguments),
        start,
        Instrument.from_symbol(chosen.symbol),
        arguments.step or chosen.quantity_increment or STEP,
    )
    return Setup(desk, strategies, rule, monthly, hold, arguments.holdout, arguments.every_bar, arguments.jobs)


def _costs(arguments: argparse.Namespace) -> Costs:
    """The cost model. Raises ValueError for options that exclude each other."""
    costs = Costs(fee=arguments.fee, volume_share=arguments.volume_share)
    if arguments.half_spread is not None and arguments.spread is not None:
        raise ValueError("--half-spread and --spread: only one of them can be given")
    if arguments.impact is not None and arguments.depth is not None:
        raise ValueError("--impact and --depth: only one of them can be given")
    if arguments.spread is not None:
        costs = replace(costs, half_spread=arguments.spread / 2)
    if arguments.half_spread is not None:
        costs = replace(costs, half_spread=arguments.half_spread)
    if arguments.depth is not None:
        if not arguments.depth:
            raise ValueError("--depth: must be above zero")
        costs = replace(costs, impact=Decimal("0.005") / arguments.depth)
    return replace(costs, impact=arguments.impact) if arguments.impact is not None else costs


def _start(arguments: argparse.Namespace, price: Decimal) -> Start:
    if arguments.base is None and arguments.quote is None:
        return Start.halves(Decimal(1000), price)
    start = Start(arguments.base or Decimal(0), arguments.quote or Decimal(0), price)
    if start.value <= 0:
        raise ValueError("--base and --quote: there must be something to begin with")
    return start


def _grid(lists: list[str] | None) -> Grid | None:
    """The grid of --grid; None without it. Raises ValueError."""
    if lists is None:
        return None
    if len(lists) > 3:
        raise ValueError("--grid: triggers, destinations and costs, three lists at most")
    triggers, destinations, costs = (
        [part for part in text.split(",") if part] for text in (*lists, *[""] * (3 - len(lists)))
    )
    grid = Grid()
    try:
        if triggers:
            grid = replace(grid, triggers=tuple(map(_fraction, triggers)))
        if destinations:
            grid = replace(grid, destinations=tuple(map(_destination, destinations)))
        if costs:
            grid = replace(grid, costs=tuple(map(_fraction, costs)))
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"--grid: {error}") from None
    if not all(grid.triggers):
        raise ValueError("--grid: a trigger is above 0")
    if not grid.cells:
        raise ValueError("--grid: no destination is below a trigger: there is nothing to search")
    return grid


def _destination(text: str) -> Decimal | Destination:
    try:
        return destination_in(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} {error}") from None


def _amount(text: str) -> Decimal:
    try:
        number = parse(text)
    except BotError:
        raise argparse.ArgumentTypeError(f"{text} is no decimal number") from None
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    if number and not LEAST <= number <= MOST:
        raise argparse.ArgumentTypeError(f"{text} is out of any sensible range")
    return number


def _fraction(text: str) -> Decimal:
    number = _amount(text)
    if number >= 1:
        raise argparse.ArgumentTypeError(f"{text} is no fraction below 1 (5 % is 0.05)")
    return number


def _processes(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 1000):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes from 1 to 1000")
    return int(text)


def _share(text: str) -> Decimal:
    number = _amount(text)
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share of a bar's volume: above 0, at most 1")
    return number


@contextmanager
def _progress(console: Console, count: int) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("replaying", total=count)
        yield lambda: bar.advance(task)


def show(found: Study, name: str, console: Console) -> None:
    """Print the sentences and the table; where it is too wide, the last column is a table of its own."""
    for line in words.lines(found, name):
        text = wrapped(line, console.width) if console.is_terminal else line
        console.print(text, soft_wrap=True, highlight=False, markup=False)
    rows = [words.row(figures, found) for figures in (found.figures, *found.others)]
    compared = [row for row in rows if row[-1]]
    rows += words.benchmark_rows(found)
    wide = _table(words.HEADS, rows)
    if widths(console, wide).maximum <= console.width:
        console.print(wide)
        return
    print_whole(console, _table(words.HEADS[:-1], [row[:-1] for row in rows]))
    if compared:
        print_whole(console, _table((words.HEADS[0], words.HEADS[-1]), [[row[0], row[-1]] for row in compared]))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """The names of policies may fold; figures may not."""
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, head in enumerate(heads):
        least = 12 if index == 0 else None
        table.add_column(head, justify="left" if index == 0 else "right", no_wrap=index > 0, min_width=least)
    for row in rows:
        table.add_row(*row)
    return table
