"""The stationary bootstrap, against what is known of simple series."""

from math import sqrt
from random import Random
from statistics import fmean, pstdev

import pytest

from common.report.statistics import stationary_bootstrap


def test_independent_steps_get_the_interval_of_the_central_limit_theorem() -> None:
    rng = Random(1)
    steps = [rng.gauss(0.01, 1) for _ in range(400)]
    found = stationary_bootstrap(steps, Random(2), block=1)
    half = 1.96 * pstdev(steps) * sqrt(400)
    assert found.estimate == pytest.approx(sum(steps))
    assert found.low == pytest.approx(sum(steps) - half, abs=half * 0.1)
    assert found.high == pytest.approx(sum(steps) + half, abs=half * 0.1)


def test_blocks_see_that_neighbours_move_together_and_single_steps_do_not() -> None:
    """Of an autoregression with 0.8 the sum varies (1 + 0.8) / (1 − 0.8) = 9 times as much as independent steps."""
    rng, level, steps = Random(3), 0.0, []
    for _ in range(2000):
        level = 0.8 * level + rng.gauss(0, 1)
        steps.append(level)
    widths = []
    for block in (1.0, 50.0):
        found = stationary_bootstrap(steps, Random(4), block=block, resamples=500)
        widths.append(found.high - found.low)
    assert widths[1] / widths[0] == pytest.approx(3, abs=0.6)


def test_the_same_seed_gives_the_same_interval_and_zero_is_seen() -> None:
    steps = [0.1 + 0.01 * (n % 7) for n in range(100)]
    first, again = (stationary_bootstrap(steps, Random(5)) for _ in range(2))
    assert first == again
    assert first.excludes_zero
    mean = fmean(steps)
    assert not stationary_bootstrap([step - mean for step in steps], Random(5)).excludes_zero


def test_no_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="no steps"):
        stationary_bootstrap([], Random(1))
