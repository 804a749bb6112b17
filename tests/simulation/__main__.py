"""`python -m tests.simulation SEED` replays one seed and tells every step.

`--soak N` plays the whole sweep and N fresh seeds on all cores; `--bugs` looks for seeds that find planted bugs.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from multiprocessing import get_context

from tests.simulation.days import Result, play, quiet
from tests.simulation.planted import BUGS
from tests.simulation.sweep import everything, swept

CHUNK = 20
SPAWN = get_context("spawn")
"""The same on every platform and Python: what a process begun anew cannot import fails everywhere."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", help="replay this one")
    parser.add_argument("--soak", type=int, metavar="N", help="play the sweep and so many seeds")
    parser.add_argument("--start", type=int, help="the first of them; fresh ones when not said, without the sweep")
    parser.add_argument("--minutes", type=float, help="play no longer than that, however many seeds are left")
    parser.add_argument("--bugs", action="store_true", help="look for a seed that finds each planted bug")
    options = parser.parse_args(arguments)
    quiet()
    if options.bugs:
        return find_bugs()
    if options.soak is not None:
        start = random.SystemRandom().randrange(10**6, 10**9) if options.start is None else options.start
        broken = sweep_all() if options.start is None else 0
        return soak(start, options.soak, options.minutes) or broken
    if options.seed is None:
        parser.error("a seed, or --soak N")
    result = play(options.seed, tell=True)
    print("\n".join(result.lines))
    print(_summary(result))
    return 1 if result.problem else 0


def _summary(result: Result) -> str:
    verdict = f"BROKEN: {result.problem}" if result.problem else "all invariants hold"
    return f"seed {result.seed}: {result.steps} steps, {result.faults} faults, {result.orders} orders: {verdict}"


def sweep_all() -> int:
    """Every fault at every step of every case, on all cores; tell what broke."""
    began, broken = time.monotonic(), 0
    with SPAWN.Pool(initializer=quiet) as pool:
        for problems in pool.imap_unordered(swept, everything()):
            broken += len(problems)
            print("".join(f"{problem}\n" for problem in problems), end="", flush=True)
    print(f"every fault at every step: {broken} broke an invariant, {time.monotonic() - began:.0f} s", flush=True)
    return 1 if broken else 0


def find_bugs(seeds: int = 400) -> int:
    """For each planted bug the first seed that finds it; to be written beside it (planted.py)."""
    missing = 0
    for name, bug in BUGS.items():
        with bug.plant():
            seed = next((seed for seed in range(seeds) if play(seed).problem), None)
        missing += seed is None
        print(f"{name}: {seed}", flush=True)
    return 1 if missing else 0


def soak(start: int, count: int, minutes: float | None = None) -> int:
    """Play `count` seeds from `start` on, on all cores; tell failures as they come, and a line at the end."""
    began, last = time.monotonic(), 0.0
    print(f"{count} seeds from {start} on: again with --start {start}", flush=True)
    done = steps = faults = orders = rested = filled = cancelled = slices = 0
    failed: list[Result] = []
    with SPAWN.Pool(initializer=quiet) as pool:
        for result in pool.imap_unordered(play, range(start, start + count), CHUNK):
            done, steps = done + 1, steps + result.steps
            faults, orders, slices = faults + result.faults, orders + result.orders, slices + result.slices
            rested, filled = rested + result.rested.orders, filled + result.rested.filled
            cancelled += result.rested.cancelled
            if result.problem:
                failed.append(result)
                print(f"seed {result.seed}: {result.problem}\n  replay: {result.replay}", flush=True)
            if minutes is not None and time.monotonic() - began > 60 * minutes:
                break
            if time.monotonic() - last >= 10:
                last = time.monotonic()
                print(f"{done} of {count} seeds, {len(failed)} failed, {last - began:.0f} s", flush=True)
    print(
        f"{done} seeds from {start} on: {steps} steps, {faults} faults, {orders} orders "
        f"({rested} rested, of which {filled} filled and {cancelled} were cancelled; {slices} slices), "
        f"{len(failed)} failed, {time.monotonic() - began:.0f} s"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
