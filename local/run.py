"""Play a day: simulated exchange, Redis, bot and schedule on one clock; with --exchange, run each job once."""

import argparse
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from common import runtime
from common.clock import SystemClock
from common.decimal_json import from_redis
from common.service import Bot
from common.store.documents import shown
from common.store.keys import Keys
from local import checks, stage, summary, tables
from local.clock import SimulatedClock
from local.player import SCHEDULE, Player, Tally, slots
from local.refused import Refused
from local.router import serving
from local.simulation import PREFIX, Simulation

Checks = Mapping[str, bool]
Slot = tuple[datetime, list[str]]
MOST_HOURS = 10 * 366 * 24
"""Ten years, more than anybody waits for."""


def configure(parser: argparse.ArgumentParser) -> None:
    stage.configure(parser)
    parser.add_argument("--hours", type=int, default=24, help="how much to play")
    parser.add_argument("--verbose", action="store_true", help="show the last answers, every plan, and Redis")


def main(arguments: argparse.Namespace) -> int:
    console = stage.console()
    if not 1 <= arguments.hours <= MOST_HOURS:
        raise Refused(f"HOURS={arguments.hours}: from 1 to {MOST_HOURS} hours are played")
    candles = stage.candles(arguments)
    start = stage.first_minute(candles)
    end = start + timedelta(hours=arguments.hours)
    if candles and candles.end < end:
        end = candles.end
        console.print(f"CANDLES ends at {end:%Y-%m-%d %H:%M} UTC, before {arguments.hours} hours are over")
    with stage.set_up(arguments, console, start) as (env, simulation):
        clock = SimulatedClock(start, simulation.set_time) if simulation else SystemClock()
        bot, folder = stage.install(env, clock), stage.results()
        stage.log_to(folder / "run.log")
        if simulation and isinstance(clock, SimulatedClock):
            tally, results = _play(bot, clock, simulation, list(slots(start, end)), console)
        else:
            tally, results = _once()
        _show(bot, tally, results, folder, console, verbose=arguments.verbose)
    return 0 if all(results.values()) else 1


def _play(
    bot: Bot, clock: SimulatedClock, simulation: Simulation, timeline: list[Slot], console: Console
) -> tuple[Tally, Checks]:
    """Play the schedule on a clock that bot, exchange and player share."""
    with serving(0) as url:
        player = Player(url, clock.sleep)
        for moment, jobs in _progress(timeline, console):
            clock.jump(moment)
            for job in jobs:
                player.deliver(job, moment)
        for job in ("balance", "cost"):  # to see what filled since the last slot
            player.deliver(job, None)
    due = sum(1 for _, jobs in timeline if "fifteen_min_job" in jobs)
    keys = Keys(bot.settings.redis_key_prefix, bot.settings.symbol)
    with runtime.redis_client(bot.settings) as client:
        results = checks.of_a_day(client, keys, due, player.tally.failures)
        if bot.settings.execution_mode == "live":
            results |= checks.of_orders(client, keys, simulation.state())
    return player.tally, results


def _once() -> tuple[Tally, Checks]:
    """Every job once against a real exchange, in real time."""
    with serving(0) as url:
        player = Player(url, time.sleep)
        for job in (*SCHEDULE, "rebalance"):
            player.deliver(job, None)
    answers = player.tally.answers.items()
    return player.tally, {f"{job} ended without an error": answer["status"] != "error" for job, answer in answers}


def _progress(timeline: list[Slot], console: Console) -> Iterator[Slot]:
    title = f"playing {timeline[0][0]:%Y-%m-%d %H:%M} to {timeline[-1][0]:%Y-%m-%d %H:%M}"
    columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield from progress.track(timeline, description=title)


def _show(bot: Bot, tally: Tally, results: Checks, folder: Path, console: Console, *, verbose: bool) -> None:
    """Print the most important lines, where the rest is, and on request the long tables."""
    settings, values = bot.settings, summary.values_of(bot)
    keys = Keys(settings.redis_key_prefix, settings.symbol)
    with runtime.redis_client(settings) as client:
        texts: Any = client.lrange(keys.plan_history, 0, -1)
        plans = [shown(from_redis(text, keys.plan_history)) for text in reversed(texts)]
        page = summary.write_page(values, folder)
        console.print()
        summary.show(console, values, plans, results)
        console.print(f"\nThe report is a page, and the log is beside it:\n{page}", soft_wrap=True)
        if keys.prefix.startswith(PREFIX) and settings.execution_mode == "plan":
            console.print("LIVE=1 places orders as well, in the simulated exchange.")
        if not verbose:
            console.print("VERBOSE=1 shows every plan and order, the last answers, and what is in Redis.")
            return
        tables.show_answers(console, tally.answers)
        tables.show_plans(console, plans)
        tables.show_orders(console, values.orders)
        tables.show_redis(console, client, settings)
        tables.show_checks(console, results)
