"""Stay up in real time: all functions on a port, and the schedule played to them, until interrupted."""

import argparse
import logging
import time
from datetime import UTC, datetime, timedelta

from rich.console import Console

from common.clock import SystemClock
from local import stage
from local.player import Player, slots
from local.router import serving


def configure(parser: argparse.ArgumentParser) -> None:
    stage.configure(parser)
    parser.add_argument("--port", type=int, default=8080)


def main(arguments: argparse.Namespace) -> int:
    console = stage.console()
    with stage.set_up(arguments, console, "INFO", None) as (env, _):
        stage.install(env, SystemClock())
        return _serve(arguments.port, console)


def _serve(port: int, console: Console) -> int:
    """The router on a port, and the schedule played in real time, until interrupted."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with serving(port) as url:
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
