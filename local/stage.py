"""What `run` and `serve` stand on: a Redis, an exchange, and a bot built for both."""

import argparse
import csv
import gzip
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import redis
from rich.console import Console

from common import runtime
from common.clock import Clock, from_milliseconds
from common.service import Bot
from local.mode import execution_mode
from local.redis_server import redis_for_run
from local.refused import Refused
from local.simulation import CREDENTIALS, Simulation, begin_anew, settings_of_keys, simulated_exchange

DAY = datetime(2026, 1, 5, tzinfo=UTC)
"""Where a played day starts when no candle file says otherwise."""
START_PRICE = "0.02"
HOLDING = {"QRL": "26000", "USDT": "480"}
"""Two percent above the target at the start price, so that the first plan has something to do."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options that `run` and `serve` share."""
    parser.add_argument(
        "--candles", type=Path, help="replay this candle file (open_time_ms,open,high,low,close,volume)"
    )
    parser.add_argument("--seed", type=int, default=7, help="of the price path and the order book")
    parser.add_argument("--price", default=START_PRICE, help="price at the start; a candle file is scaled to it")
    parser.add_argument("--spread", help="of the simulated book, a fraction of the price (0.001)")
    parser.add_argument("--depth", help="of each side of the simulated book, in the quote asset (2000)")
    parser.add_argument("--live", action="store_true", help="place orders, in the simulated exchange")
    parser.add_argument("--exchange", metavar="URL", help="read this exchange instead of the simulated one")
    parser.add_argument(
        "--live-for-real", action="store_true", help="with --exchange: place real orders, confirmed"
    )


def console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 150)


@contextmanager
def set_up(
    arguments: argparse.Namespace, console: Console, log_level: str, start: datetime | None
) -> Iterator[tuple[dict[str, str], Simulation | None]]:
    """The environment to build the bot from, and the simulated exchange unless a real one is asked for.

    A simulation runs from `start` on, or in real time. Raises Refused.
    """
    mode = execution_mode(arguments, os.environ)
    with redis_for_run(os.environ.get("REDIS_URL")) as (url, kind):
        console.print(f"Redis: {kind}")
        env = {
            "LOG_LEVEL": log_level,
            **os.environ,
            "REDIS_URL": url,
            "AUTH_MODE": "header",
            "EXECUTION_MODE": mode,
        }
        if arguments.exchange:
            console.print(f"exchange: {arguments.exchange}, with the keys of the environment")
            if mode == "plan" != os.environ.get("EXECUTION_MODE", "plan"):
                console.print("EXECUTION_MODE of the environment is not followed on this machine: plans only")
            yield {**env, "MEXC_BASE_URL": arguments.exchange}, None
            return
        env |= settings_of_keys(os.environ)
        try:
            with redis.Redis.from_url(url, decode_responses=True) as client:
                begin_anew(client, env)
        except (redis.RedisError, ValueError) as error:
            raise Refused(f"the Redis of REDIS_URL cannot be used ({type(error).__name__})") from None
        with _simulation(arguments, console, start) as simulation:
            yield env | {"MEXC_BASE_URL": simulation.url, **CREDENTIALS}, simulation


def install(env: Mapping[str, str], clock: Clock) -> Bot:
    """Make the process's bot from an environment."""
    bot = runtime.build(env, clock)
    runtime.install(bot)
    return bot


@contextmanager
def _simulation(arguments: argparse.Namespace, console: Console, start: datetime | None) -> Iterator[Simulation]:
    """A simulated exchange whose account holds coins bought the day before."""
    options = ["--seed", str(arguments.seed), "--price", arguments.price, "--rate-limit", "0" if start else "500"]
    options += ["--start", start.isoformat()] if start else []
    if arguments.candles:
        begin = start or first_minute(arguments)
        options += ["--candles", str(arguments.candles), "--candles-from", begin.isoformat()]
        console.print(f"prices: {arguments.candles.name}, scaled so that the first is {arguments.price} USDT")
    for name in ("spread", "depth"):
        if value := getattr(arguments, name):
            options += [f"--{name}", value]
    for asset, amount in HOLDING.items():
        options += ["--balance", f"{asset}={amount}"]
    with simulated_exchange(options) as exchange:
        exchange.bought(HOLDING["QRL"], arguments.price, (start or datetime.now(UTC)) - timedelta(days=1))
        console.print(f"exchange: simulated, a program of its own at {exchange.url}")
        yield exchange


def first_minute(arguments: argparse.Namespace) -> datetime:
    """The first whole minute of the candle file, or a fixed day."""
    if not arguments.candles:
        return DAY
    with gzip.open(arguments.candles, "rt", newline="") as file:
        first = next(csv.DictReader(file))
    return from_milliseconds(int(first["open_time_ms"])).replace(second=0, microsecond=0)
