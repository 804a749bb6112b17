"""What a replay amounts to: totals to the last digit, the deepest fall, drift-neutral growth by day."""

from collections.abc import Sequence
from itertools import pairwise
from math import log

import pytest

from local.backtest.costs import Costs
from local.backtest.figures import Figures
from local.backtest.strategies import strategy
from local.backtest.study import Setup, study
from tests.builders import d
from tests.local.backtest.builders import candles, desk, one_level
from tests.local.backtest.test_replay import walk

COSTS = Costs(d("0.001"), d("0.002"), d(0), d(1))


def figures() -> Figures:
    table = desk(walk(21, 700), "9000", "11000", COSTS)
    return Figures(table.market, table.replay(one_level("0.03")))


def test_what_holding_and_trading_differ_by_is_what_the_orders_moved() -> None:
    found = figures()
    moved = sum(event.signed for event in found.replay.events)
    paid = sum(event.signed * event.fill_price + event.fee for event in found.replay.events)
    assert found.final_value - found.held_value == moved * found.last_price - paid
    assert found.turnover == sum(event.quantity * event.fill_price for event in found.replay.events)
    assert found.fees == found.turnover * d("0.001")


def test_values_at_decisions_are_those_of_the_balances_then() -> None:
    found = figures()
    for number in (0, 100, 350, 698):
        assert float(found.value_at(number)) == pytest.approx(found.values[number])
    assert [stretch.stop for stretch in found.stretches][:-1] == [e.number + 1 for e in found.replay.events]
    last = found.stretches[-1]
    assert (last.base, last.quote) == (found.replay.base, found.replay.quote)


def test_the_deepest_fall_is_measured_from_the_highest_before_it_the_start_among_them() -> None:
    rule = one_level("0.9")
    table = desk(candles(["1", "3", "2", "4", "1", "2"]), "100", "0")
    assert Figures(table.market, table.replay(rule)).max_drawdown == d("0.75")
    falling = desk(candles(["0.8", "0.6"], opens=["1", "0.8"]), "100", "0")
    assert Figures(falling.market, falling.replay(rule)).max_drawdown == d("0.4")
    rising = desk(candles(["1", "2", "3"]), "100", "0")
    assert Figures(rising.market, rising.replay(rule)).max_drawdown == 0


def drift_neutral(
    values: Sequence[float], weights: Sequence[float], prices: Sequence[float], target: float
) -> list[float]:
    """By its definition, step by step: Δ ln V − (weight − w)·Δ ln p; `weights` stand until the next moment."""
    steps = zip(pairwise(values), pairwise(prices), weights, strict=False)
    return [log(v1 / v0) - (weight - target) * log(p1 / p0) for (v0, v1), (p0, p1), weight in steps]


def test_drift_neutral_days_add_up_to_what_the_definition_says() -> None:
    shannon = drift_neutral([100, 150, 112.5], [0.5, 0.5, 0.5], [1, 2, 1], 0.5)
    assert sum(shannon) == pytest.approx(log(1.125)), "1 → 2 → 1, rebalanced each time: 1.5 · 0.75"
    found = figures()
    market = desk(walk(21, 700)).market
    held = {
        step: (float(stretch.base), float(stretch.quote))
        for stretch in found.stretches
        for step in range(max(stretch.first - 1, 0), stretch.stop - 1)
    }
    weights = [q * p / (q * p + u) for (q, u), p in ((held[step], market.closes[step]) for step in sorted(held))]
    steps = drift_neutral(found.values, weights, market.closes, 0.5)
    ends = market.day_ends
    days = [sum(steps[a:b]) for a, b in pairwise(ends)]
    assert found.neutral_days == pytest.approx(days)
    moved = log(market.closes[ends[-1]] / market.closes[ends[0]])
    assert found.harvest == pytest.approx(sum(days) - 0.5 * moved)


def test_a_study_of_a_policy_and_its_own_default_cannot_tell_them_apart() -> None:
    environ: dict[str, str] = {}
    rule, month, hold = (strategy(text, environ) for text in ("0.01:target", "monthly", "hold"))
    table = desk(walk(8, 900, 60), "9000", "11000", COSTS)
    same = study(Setup(table, (strategy("THRESHOLD_PCT=0.01", environ),), rule, month, hold), None)
    interval = same.against_rule[rule.name]
    assert interval is not None
    assert (interval.low, interval.estimate, interval.high) == (0, 0, 0)
    assert not interval.excludes_zero
    assert same.holdout is not None
    assert same.holdout.figures.replay.start.value == pytest.approx(same.figures.replay.start.value)
