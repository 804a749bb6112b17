"""Bugs planted in the policy, each for as long as one test runs: the test must fail."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from common.domain.decision import cost_of_trading, rule
from common.domain.decision.cost_of_trading import BandInUse, Measured
from common.domain.decision.policy import Policy
from common.domain.instrument import Side
from common.domain.order_book import OrderBook
from tests.domain.decision import test_cost_of_trading as costs
from tests.domain.decision import test_levels as levels


def _destination_for_trigger() -> AbstractContextManager[Any]:
    """A level acts when the drift reaches its destination."""
    return patch.object(Policy, "trigger", lambda self, level, side: level.points)


def _other_side() -> AbstractContextManager[Any]:
    """A buy is measured against the bids, a sale against the asks."""
    return patch.object(OrderBook, "against", lambda self, side: self.bids if side is Side.BUY else self.asks)


def _one_side() -> AbstractContextManager[Any]:
    """A buy is measured as if it were a sale."""
    real = OrderBook.fill_price
    return patch.object(OrderBook, "fill_price", lambda self, side, quantity: real(self, Side.SELL, quantity))


def _seven_rows() -> AbstractContextManager[Any]:
    real = cost_of_trading.estimate
    return patch.object(costs, "estimate", lambda seen, *rest: real(replace(seen, books=seen.books[-7:]), *rest))


def _never_forgotten() -> AbstractContextManager[Any]:
    def with_book(self: Measured, book: Any, _: Any) -> Measured:
        return replace(self, books=(*self.books, book.line) if book else self.books)

    return patch.object(Measured, "with_book", with_book)


def _hysteresis_inside_out() -> AbstractContextManager[Any]:
    """The band changes while the best one differs by less than a tenth."""
    real = cost_of_trading.band_to_use

    def band_to_use(in_use: BandInUse | None, *rest: Any) -> BandInUse:
        best = real(None, *rest)
        near = in_use is None or abs(best.trigger - in_use.trigger) <= cost_of_trading.HYSTERESIS * in_use.trigger
        return best if near or in_use is None else in_use

    return patch.object(costs, "band_to_use", band_to_use)


def _hysteresis_up_only() -> AbstractContextManager[Any]:
    """Only a wider band is taken over: the sign of the difference counts."""
    real = cost_of_trading.band_to_use

    def band_to_use(in_use: BandInUse | None, *rest: Any) -> BandInUse:
        after = real(in_use, *rest)
        return in_use if in_use is not None and after.trigger < in_use.trigger else after

    return patch.object(costs, "band_to_use", band_to_use)


def _narrowest_decides() -> AbstractContextManager[Any]:
    real = rule._asked

    def asked(off: Any, total: Any, price: Any, side: Any, policy: Policy, grid: Any) -> Any:
        return real(off, total, price, side, replace(policy, levels=policy.levels[:1]), grid)

    return patch.object(rule, "_asked", asked)


BUGS: dict[str, tuple[Callable[[], AbstractContextManager[Any]], Callable[[], None]]] = {
    "destination taken for trigger": (
        _destination_for_trigger,
        levels.test_the_widest_level_that_is_reached_decides_and_equality_reaches_it,
    ),
    "the narrowest level decides": (
        _narrowest_decides,
        levels.test_the_widest_level_that_is_reached_decides_and_equality_reaches_it,
    ),
    "impact of the wrong side": (
        _other_side,
        costs.test_a_book_tells_half_its_spread_and_what_the_size_costs_beyond_it,
    ),
    "impact of one side": (_one_side, costs.test_each_side_is_measured_against_the_levels_it_would_take),
    "median over seven rows": (_seven_rows, costs.test_the_median_is_that_of_seven_days_and_not_of_seven_books),
    "books are never forgotten": (
        _never_forgotten,
        costs.test_what_is_seven_days_old_is_forgotten_and_an_unreadable_book_leaves_the_rest,
    ),
    "hysteresis inside out": (
        _hysteresis_inside_out,
        costs.test_a_band_changes_when_the_best_differs_by_more_than_a_tenth_and_not_before_a_day,
    ),
    "hysteresis off by its sign": (
        _hysteresis_up_only,
        costs.test_a_band_changes_when_the_best_differs_by_more_than_a_tenth_and_not_before_a_day,
    ),
}


@pytest.mark.parametrize("name", BUGS)
def test_each_planted_bug_is_found(name: str) -> None:
    plant, found_by = BUGS[name]
    found_by()
    with plant(), pytest.raises(AssertionError):
        found_by()
