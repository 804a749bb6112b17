"""The bundle on a laptop: `python -m local run` plays a day, `python -m local serve` stays up in real time."""

import argparse
import csv
import gzip
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import redis
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from common import runtime
from common.clock import Clock, SystemClock, from_milliseconds
from common.decimal_json import from_redis
from common.service import Bot
from common.store.keys import Keys
from local import report
from local.clock import SimulatedClock
from local.player import SCHEDULE, Player, slots
from local.redis_server import redis_for_run
from local.router import serving
from local.simulation import CREDENTIALS, Simulation, simulated_exchange

DAY = datetime(2026, 1, 5, tzinfo=UTC)
"""Where a played day starts when no candle file says otherwise."""
START_PRICE = "0.02"
HOLDING = {"QRL": "26000", "USDT": "480"}
"""Two percent above the target at the start price, so that the first plan has something to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 150)
    with redis_for_run(os.environ.get("REDIS_URL")) as (url, kind):
        console.print(f"Redis: {kind}")
        env = {**os.environ, "REDIS_URL": url, "AUTH_MODE": "header"}
        env.setdefault("LOG_LEVEL", "INFO" if options.command == "serve" else "ERROR")
        if options.live:
            if options.exchange:
                console.print("--live is for the simulated exchange: a real one trades when deployed")
                return 2
            env["EXECUTION_MODE"] = "live"
        if options.exchange:
            console.print(f"exchange: {options.exchange}, with the keys of the environment")
            bot = _install({**env, "MEXC_BASE_URL": options.exchange}, SystemClock())
            return _serve(options, console) if options.command == "serve" else _once(bot, console, url)
        with _simulation(options, console) as simulation:
            env |= {"MEXC_BASE_URL": simulation.url, **CREDENTIALS}
            if options.command == "serve":
                _install(env, SystemClock())
                return _serve(options, console)
            return _play(options, console, env, simulation)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("command", choices=("run", "serve"))
    parser.add_argument(
        "--candles", type=Path, help="replay this candle file (open_time_ms,open,high,low,close,volume)"
    )
    parser.add_argument("--seed", type=int, default=7, help="of the price path and the order book")
    parser.add_argument("--price", default=START_PRICE, help="price at the start; a candle file is scaled to it")
    parser.add_argument("--hours", type=int, default=24, help="how much to play")
    parser.add_argument("--live", action="store_true", help="place orders, in the simulated exchange")
    parser.add_argument("--exchange", help="read this exchange instead of the simulated one")
    parser.add_argument("--port", type=int, default=8080, help="of `serve`")
    return parser


def _install(env: Mapping[str, str], clock: Clock) -> Bot:
    bot = runtime.build(env, clock)
    runtime.install(bot)
    return bot


@contextmanager
def _simulation(options: argparse.Namespace, console: Console) -> Iterator[Simulation]:
    """A simulated exchange whose account holds some coins that were bought the day before."""
    live = options.command == "serve"
    start = _start(options)
    arguments = ["--seed", str(options.seed), "--price", options.price, "--rate-limit", "0" if not live else "500"]
    arguments += [] if live else ["--start", start.isoformat()]
    if options.candles:
        arguments += ["--candles", str(options.candles), "--candles-from", start.isoformat()]
        console.print(f"prices: {options.candles.name}, scaled so that the first is {options.price} USDT")
    for asset, amount in HOLDING.items():
        arguments += ["--balance", f"{asset}={amount}"]
    with simulated_exchange(arguments) as simulation:
        now = datetime.now(UTC) if live else start
        simulation.bought(HOLDING["QRL"], options.price, now - timedelta(days=1))
        console.print(f"exchange: simulated, a program of its own at {simulation.url}")
        yield simulation


def _start(options: argparse.Namespace) -> datetime:
    """The first whole minute of the candle file, or a fixed day."""
    if not options.candles:
        return DAY
    with gzip.open(options.candles, "rt", newline="") as file:
        first = next(csv.DictReader(file))
    opened = from_milliseconds(int(first["open_time_ms"]))
    return opened.replace(second=0, microsecond=0)


def _play(options: argparse.Namespace, console: Console, env: Mapping[str, str], simulation: Simulation) -> int:
    """Play the schedule on a clock that bot, exchange and player share."""
    start = _start(options)
    end = start + timedelta(hours=options.hours)
    clock = SimulatedClock(start, simulation.set_time)
    bot = _install(env, clock)
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
    state = simulation.state() if options.live else None
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
    report.show_plans(console, [from_redis(plan, keys.plan_history) for plan in reversed(plans)])
    if state is not None:
        report.show_orders(console, report.journal_entries(client, keys))
    report.show_redis(console, client)
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


def _serve(options: argparse.Namespace, console: Console) -> int:
    """Stay up: the router on a port, and the schedule played in real time, until interrupted."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with serving(options.port) as url:
        console.print(f"serving {url}/{{balance,price,cost,fifteen_min_job,rebalance}}; Ctrl-C ends it")
        console.print(f'try: curl -X POST -H "X-CloudScheduler: true" {url}/balance')
        player = Player(url, time.sleep)
        try:
            while True:
                now = datetime.now(UTC)
                minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
                time.sleep((minute - now).total_seconds())
                for moment, jobs in slots(minute, minute + timedelta(minutes=1)):
                    for job in jobs:
                        player.deliver(job, moment)
        except KeyboardInterrupt:
            console.print("ended")
            return 0


if __name__ == "__main__":
    sys.exit(main())
