"""Run in real time: all functions on a port, with the schedule played to them, until interrupted."""

import argparse
import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from common.clock import SystemClock
from local import stage, summary
from local.player import Player, slots
from local.router import function_names, serving


def configure(parser: argparse.ArgumentParser) -> None:
    stage.configure(parser)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument(
        "--state", type=Path, metavar="FOLDER", help="keep Redis and the simulated account in there"
    )


def main(arguments: argparse.Namespace) -> int:
    console = stage.console()
    stage.candles(arguments)
    with stage.set_up(arguments, console, state=arguments.state) as (env, _):
        bot = stage.install(env, SystemClock())
        try:
            return _serve(arguments.port, console)
        except KeyboardInterrupt:
            page = summary.write_page(summary.values_of(bot), stage.results())
            console.print(f"ended; the report as it is now:\n{page}", soft_wrap=True)
            return 0


def _serve(port: int, console: Console) -> int:
    """Serve the router on a port, and play the schedule in real time."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with serving(port) as url:
        console.print(f"serving {url} ({', '.join(function_names())})")
        console.print("open it in a browser: / is the report, /ops the operator endpoint; Ctrl-C ends it")
        console.print(f"run a job: curl -X POST -H 'X-CloudScheduler: true' {url}/balance", soft_wrap=True)
        player = Player(url, time.sleep)
        while True:
            now = datetime.now(UTC)
            minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
            time.sleep((minute - now).total_seconds())
            for moment, jobs in slots(minute, minute + timedelta(minutes=1)):
                for job in jobs:
                    player.deliver(job, moment)
