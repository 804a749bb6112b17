"""Play a day: simulated exchange, Redis, bot and schedule on one clock; with --exchange each job once, for real."""

import argparse
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import redis
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from common.clock import SystemClock
from common.decimal_json import from_redis
from common.service import Bot
from common.store.documents import shown
from common.store.keys import Keys
from local import report, stage
from local.clock import SimulatedClock
from local.player import SCHEDULE, Player, slots
from local.router import serving
from local.simulation import Simulation


def configure(parser: argparse.ArgumentParser) -> None:
    stage.configure(parser)
    parser.add_argument("--hours", type=int, default=24, help="how much to play")


def main(arguments: argparse.Namespace) -> int:
    console = stage.console()
    start = stage.first_minute(arguments)
    with stage.set_up(arguments, console, "ERROR", start) as (env, simulation):
        if simulation is None:
            return _once(stage.install(env, SystemClock()), console, env["REDIS_URL"])
        return _play(arguments, console, env, simulation)


def _play(arguments: argparse.Namespace, console: Console, env: Mapping[str, str], simulation: Simulation) -> int:
    """Play the schedule on a clock that bot, exchange and player share."""
    start = stage.first_minute(arguments)
    end = start + timedelta(hours=arguments.hours)
    clock = SimulatedClock(start, simulation.set_time)
    bot = stage.install(env, clock)
    began = time.monotonic()
    with serving(0) as url:
        player = Player(url, clock.sleep)
        timeline = list(slots(start, end))
        for moment, jobs in _progress(timeline, console, f"playing {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"):
            clock.jump(moment)
            for job in jobs:
                player.deliver(job, moment)
    seconds = time.monotonic() - began
    calls = sum(player.tally.calls.values())
    failures = sum(n for (_, status), n in player.tally.calls.items() if not 200 <= status < 300)
    due = sum(1 for _, jobs in timeline if "fifteen_min_job" in jobs)
    state = simulation.state() if bot.settings.execution_mode == "live" else None
    held = _report(console, bot, env["REDIS_URL"], player, due, failures, state)
    console.print(f"{calls} calls in {seconds:.1f} s: {_counts(player)}")
    return 0 if held else 1


def _progress(timeline: list[Any], console: Console, title: str) -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        yield from progress.track(timeline, description=title)


def _counts(player: Player) -> str:
    return ", ".join(f"{job} {player.tally.count(job)}" for job in SCHEDULE)


def _report(
    console: Console,
    bot: Bot,
    redis_url: str,
    player: Player,
    due: int | None,
    failures: int,
    state: Any = None,
) -> bool:
    """Show what there is to see; whether all checks hold. `state` is the simulated exchange's, with orders."""
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    keys = Keys(bot.settings.redis_key_prefix, bot.settings.symbol)
    report.show_answers(console, player.tally.answers)
    plans: Any = client.lrange(keys.plan_history, 0, -1)
    report.show_plans(console, [shown(from_redis(plan, keys.plan_history)) for plan in reversed(plans)])
    if state is not None:
        report.show_orders(console, report.journal_entries(client, keys))
    report.show_redis(console, client, bot.settings)
    if due is None:
        return failures == 0
    checks = report.checks(client, keys, due, failures)
    if state is not None:
        checks |= report.live_checks(client, keys, state)
    return report.show_checks(console, checks)


def _once(bot: Bot, console: Console, redis_url: str) -> int:
    """Every job once against a real exchange, in real time."""
    with serving(0) as url:
        player = Player(url, time.sleep)
        for job in (*SCHEDULE, "rebalance"):
            player.deliver(job, None)
    failures = sum(1 for answer in player.tally.answers.values() if answer["status"] == "error")
    return 0 if _report(console, bot, redis_url, player, None, failures) else 1
