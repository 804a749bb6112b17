"""The trend filter: means of daily closes, and whose triggers wait."""

from dataclasses import replace

import pytest

from common.domain.decision.trend import Trend, filtered
from tests.builders import POLICY, d, ds

CLOSES = ds(1, 2, 3, 4, 5)
RISING, FALLING = Trend(d(2), d(1)), Trend(d(2), d(3))


def test_the_means_are_those_of_the_last_days() -> None:
    assert Trend.of(CLOSES, 2, 4) == Trend(d("4.5"), d("3.5"))
    assert Trend.of(CLOSES, 2, 5) == Trend(d("4.5"), d(3))
    assert Trend.of(CLOSES, 2, 6) is None


@pytest.mark.parametrize(
    ("trend", "price", "sell", "buy"),
    [
        (RISING, "2.01", "1.5", "1"),
        (RISING, "2", "1", "1"),
        (RISING, "1.5", "1", "1"),
        (FALLING, "1.99", "1", "1.5"),
        (FALLING, "2", "1", "1"),
        (FALLING, "2.5", "1", "1"),
        (Trend(d(2), d(2)), "9", "1", "1"),
    ],
)
def test_the_triggers_against_the_trend_are_widened(trend: Trend, price: str, sell: str, buy: str) -> None:
    expected = replace(POLICY, sell_widening=d(sell), buy_widening=d(buy))
    assert filtered(POLICY, trend, d(price), d("1.5")) == expected
