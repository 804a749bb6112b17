"""How much of a best result is luck: on tries that are known to be worth nothing, or something."""

from random import Random

import pytest

from local.backtest.overfitting import deflated, deflated_sharpe, probability_of_overfitting, sharpe


def noise(seed: int, count: int = 400, mean: float = 0.0) -> list[float]:
    rng = Random(seed)
    return [rng.gauss(mean, 1) for _ in range(count)]


def test_among_tries_of_no_worth_the_best_of_one_half_is_anywhere_in_the_other() -> None:
    chances = [probability_of_overfitting([noise(1000 * run + n) for n in range(20)]) or 0 for run in range(10)]
    assert sum(chances) / 10 == pytest.approx(0.5, abs=0.12)


def test_a_try_that_is_better_all_the_time_is_no_overfitting() -> None:
    tries = [noise(n) for n in range(20)] + [noise(99, mean=0.5)]
    assert probability_of_overfitting(tries) == 0


def test_equal_tries_are_neither_and_too_few_days_are_no_basis() -> None:
    steps = noise(1)
    assert probability_of_overfitting([steps, steps, steps]) == pytest.approx(0.5)
    assert probability_of_overfitting([steps[:19], steps[:19]]) is None
    assert probability_of_overfitting([steps]) is None


def test_the_deflated_sharpe_ratio_is_that_of_the_paper() -> None:
    """Their example: SR 2.5 a year, 1250 days, 100 tries with variance ½, skew −3, kurtosis 10."""
    assert deflated(2.5 / 250**0.5, 1250, -3, 10, 0.5 / 250, 100) == pytest.approx(0.9004, abs=0.0005)
    assert deflated(2.5 / 250**0.5, 1250, -3, 10, 0.5 / 250, 46) == pytest.approx(0.9505, abs=0.0005)


def test_a_clear_edge_among_noise_is_no_luck_and_the_best_of_noise_may_be() -> None:
    tries = [noise(n) for n in range(20)]
    ratios = [sharpe(steps) for steps in tries]
    best = max(range(20), key=ratios.__getitem__)
    assert 0.3 < deflated_sharpe(tries[best], ratios) < 0.9
    edge = noise(99, mean=0.4)
    assert deflated_sharpe(edge, [*ratios, sharpe(edge)]) > 0.99


def test_one_try_or_steps_that_stand_still_prove_nothing() -> None:
    assert deflated_sharpe(noise(1), [0.1]) == 0
    assert deflated_sharpe([0.1] * 50, [0.1, 0.2]) == 0
