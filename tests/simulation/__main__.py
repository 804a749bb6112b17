"""`python -m tests.simulation SEED` replays one seed and tells every step; `--soak N` plays many on all cores."""

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from multiprocessing import Pool

from tests.simulation.days import Result, play

CHUNK = 20


def quiet() -> None:
    """The bot's own log would say every warning of thousands of days."""
    logging.getLogger().handlers[:] = [logging.NullHandler()]
    logging.getLogger().setLevel(logging.CRITICAL + 1)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", help="replay this one")
    parser.add_argument("--soak", type=int, metavar="N", help="play so many seeds")
    parser.add_argument("--start", type=int, default=0, help="the first of them")
    options = parser.parse_args(arguments)
    quiet()
    if options.soak is not None:
        return soak(options.start, options.soak)
    if options.seed is None:
        parser.error("a seed, or --soak N")
    result = play(options.seed, tell=True)
    print("\n".join(result.lines))
    print(_summary(result))
    return 1 if result.problem else 0


def _summary(result: Result) -> str:
    verdict = f"BROKEN: {result.problem}" if result.problem else "all invariants hold"
    return f"seed {result.seed}: {result.steps} steps, {result.faults} faults, {result.orders} orders: {verdict}"


def soak(start: int, count: int) -> int:
    """Play `count` seeds from `start` on, on all cores; tell failures as they come, and a line at the end."""
    began, last = time.monotonic(), 0.0
    done = steps = faults = orders = 0
    failed: list[Result] = []
    with Pool(initializer=quiet) as pool:
        for result in pool.imap_unordered(play, range(start, start + count), CHUNK):
            done, steps = done + 1, steps + result.steps
            faults, orders = faults + result.faults, orders + result.orders
            if result.problem:
                failed.append(result)
                print(f"seed {result.seed}: {result.problem}\n  replay: {result.replay}", flush=True)
            if time.monotonic() - last >= 10:
                last = time.monotonic()
                print(f"{done} of {count} seeds, {len(failed)} failed, {last - began:.0f} s", flush=True)
    print(
        f"{count} seeds from {start} on: {steps} steps, {faults} faults, {orders} orders, "
        f"{len(failed)} failed, {time.monotonic() - began:.0f} s"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
