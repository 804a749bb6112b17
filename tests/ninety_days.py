"""Ninety days in the simulated exchange, money coming and going: does it add up, is every plan the same again?

    python -m tests.ninety_days --days 90 --seed 3

Plays every slot of the 15-minute job with orders (minutes of real time a month), moves money in and out on days of
its own choosing, makes each day's plans again from the raw answers, and in the end holds the page's lines against
value less held value, to the last digit. The page is left in `build/ninety-days.html`.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from rich.console import Console

from common.decimals import ZERO
from common.domain.performance.attribution import SUMMANDS
from common.meter import Meter
from common.report import content, page
from common.report.missed import missed_slots
from common.report.values import Values
from common.service import Bot
from common.trading.replay import Replayed, replay
from local import run, stage, summary
from local.clock import SimulatedClock
from local.player import Player
from local.router import serving
from local.simulation import Simulation

SLOT = timedelta(minutes=15)
FLOWS = ("200", "-150", "90", "-60")
"""What comes and goes, quote asset; every second time as much in the base asset instead."""


def main() -> int:
    arguments = _arguments()
    console = stage.console()
    start = stage.DAY
    with stage.set_up(arguments, console, start) as (env, simulation):
        if simulation is None:
            raise SystemExit("it is played in the simulated exchange only")
        clock = SimulatedClock(start, simulation.set_time)
        bot, folder = stage.install({**env, "LOG_LEVEL": "ERROR"}, clock), stage.results()
        stage.log_to(folder / "ninety-days.log")
        began = time.monotonic()
        replayed = list(_played(bot, clock, simulation, arguments, console))
        values = summary.values_of(bot)
        (folder / "ninety-days.html").write_text(page.render(values), encoding="utf-8")
    wrong = list(_wrong(values, replayed, arguments.days))
    console.print(f"{arguments.days} days in {time.monotonic() - began:.0f} s; {len(values.flows)} flows")
    console.print(content.sentence(values))
    console.print(f"{sum(r.reproduced for r in replayed)} of {sum(r.compared for r in replayed)} plans reproduced")
    console.print("\n".join(wrong) if wrong else "the lines add up to the last digit; every slot has its report")
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.ninety_days", description=__doc__)
    run.configure(parser)
    parser.add_argument("--days", type=int, default=90)
    parser.set_defaults(live=True)
    return parser.parse_args()


def _played(
    bot: Bot, clock: SimulatedClock, simulation: Simulation, arguments: argparse.Namespace, console: Console
) -> Iterator[Replayed]:
    """Every slot of every day; after each day its plans made again."""
    rng = random.Random(arguments.seed)
    flows = iter(FLOWS * arguments.days)
    with serving(0) as url:
        player = Player(url, clock.sleep)
        for day in range(arguments.days):
            begins: datetime = stage.DAY + timedelta(days=day)
            moved = rng.randrange(96) if day and rng.random() < 0.15 else None
            for number in range(96):
                moment = begins + number * SLOT
                clock.jump(moment)
                if number == moved:
                    _move(simulation, Decimal(next(flows)), in_base=rng.random() < 0.5)
                for job in ("balance", "price") if number % 4 == 0 else ():
                    player.deliver(job, moment)
                player.deliver("fifteen_min_job", moment)
            told = replay(bot.store, Meter(), 96)
            console.print(f"{begins:%Y-%m-%d}  {told.summary}")
            yield told
        for job in ("balance", "price", "cost"):
            player.deliver(job, None)


def _move(simulation: Simulation, amount: Decimal, *, in_base: bool) -> None:
    asset, moved = ("QRL", amount * 40) if in_base else ("USDT", amount)
    simulation.post("deposit", {"asset": asset, "amount": str(moved)})


def _wrong(values: Values, replayed: list[Replayed], days: int) -> Iterator[str]:
    lines: Any = values.cost["attribution"]
    total = sum((lines[name] for name in SUMMANDS), ZERO)
    if not total == lines["difference"] == lines["value"] - lines["held_value"]:
        yield f"the lines add up to {total}, the difference is {lines['difference']}"
    if different := [slot for told in replayed for slot in told.different]:
        yield f"other plans now: {', '.join(different[:10])}"
    if (compared := sum(told.compared for told in replayed)) != 96 * days:
        yield f"{96 * days} plans were made, {compared} could be made again"
    if len(values.days) != days:
        yield f"{len(values.days)} points of {days} days"
    if (missed := missed_slots(values.reports, values.now)[1]) != []:
        yield f"{len(missed)} slots missed"
    yield from values.unreadable


if __name__ == "__main__":
    sys.exit(main())
