"""The simulation finds bugs: each one planted breaks an invariant in the day of a seed that stands beside it."""

from itertools import chain

import pytest

from tests.simulation.days import play
from tests.simulation.planted import BUGS

SEEDS = 400


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str) -> None:
    """Where no pinned seed finds it any more, others are looked for, which takes long.

    `python -m tests.simulation --bugs` tells which.
    """
    bug = BUGS[name]
    with bug.plant():
        assert any(play(seed).problem for seed in chain(bug.seeds, range(SEEDS)))
