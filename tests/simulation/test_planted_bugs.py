"""The simulation finds bugs: each one planted is caught by the sweep over a run, or within so many seeds."""

from collections.abc import Iterator

import pytest

from tests.simulation import days
from tests.simulation.planted import BUGS
from tests.simulation.sweep import HIDDEN, Case, sweep

SEEDS = 400


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str) -> None:
    with BUGS[name]():
        assert next(_problems(), None) is not None


def _problems() -> Iterator[str]:
    """What breaks, as it is found: the seeds that find most bugs, the sweeps that find the rest, more seeds."""
    for seed in range(40):
        yield from _played(seed)
    for case, kind, amount in (
        (Case(effects=HIDDEN), "outage", 3),
        (Case(effects=HIDDEN), "crash", 0),
        (Case(), "failover", 2),
    ):
        for _, problem in sweep(case, kind, amount):
            yield problem
    for seed in range(40, SEEDS):
        yield from _played(seed)


def _played(seed: int) -> Iterator[str]:
    problem = days.play(seed).problem
    if problem is not None:
        yield problem
