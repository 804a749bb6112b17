"""The closed form of the band: contract.md §11's worked numbers, to the digit."""

from decimal import Decimal

import pytest

from common.domain.decision.band import Band, best_band, orders_a_year, yearly_loss
from common.domain.decision.levels import Destination
from tests.builders import d, ds

HALF, TARGET, EDGE = Destination.HALF, Destination.TARGET, Destination.EDGE


def points(value: Decimal) -> Decimal:
    return round(value * 100, 2)


@pytest.mark.parametrize(
    ("cost", "half", "target"),
    [
        ("0.001", "5.85", "7.21"),
        ("0.003", "8.43", "10.40"),
        ("0.005", "10.00", "12.33"),
        ("0.01", "12.60", "15.00"),
    ],
)
def test_the_worked_triggers_at_a_half(cost: str, half: str, target: str) -> None:
    assert points(best_band(d(cost), d("0.5")).trigger) == d(half)
    assert points(best_band(d(cost), d("0.5"), destination=TARGET).trigger) == d(target)


def test_half_way_goes_back_to_half_the_trigger_and_the_others_to_their_names() -> None:
    half, target, edge = (best_band(d("0.003"), d("0.5"), destination=to) for to in (HALF, TARGET, EDGE))
    assert (points(half.destination), target.destination) == ds("4.22", 0)
    assert edge.destination == edge.trigger
    assert points(edge.trigger) == d("6.55")  # (1.5·c·q)^⅓


def test_a_least_order_widens_the_step_and_then_the_band() -> None:
    """5 of 50, 100 and 30: a tenth, a twentieth and a sixth of the value."""
    assert points(best_band(d("0.003"), d("0.5"), d("0.1")).trigger) == d("11.55")
    assert points(best_band(d("0.003"), d("0.5"), d("0.1")).destination) == d("1.55")
    assert points(best_band(d("0.003"), d("0.5"), d("0.05")).trigger) == d("9.05")
    assert points(best_band(d("0.003"), d("0.5"), d("0.05")).destination) == d("4.05")
    assert best_band(d("0.003"), d("0.5"), d(1) / 5) == Band(d("0.2"), d(0))
    assert points(best_band(d("0.003"), d("0.5"), d("0.01"), EDGE).size) == 1


def test_the_trigger_stays_between_two_and_fifteen_points_and_half_stays_half() -> None:
    narrow, wide = best_band(d("0.000001"), d("0.5")), best_band(d("0.05"), d("0.5"))
    assert (points(narrow.trigger), points(narrow.destination)) == ds(2, 1)
    assert (points(wide.trigger), points(wide.destination)) == ds(15, "7.5")
    assert best_band(d(0), d("0.5"), d("0.01")) == Band(d("0.02"), d("0.01"))


def test_the_yearly_loss_of_the_contracts_example() -> None:
    assert round(yearly_loss(Band(d("0.01"), d(0)), d("0.005"), d("0.5")) * 100, 1) == d("3.1")
    assert round(yearly_loss(best_band(d("0.005"), d("0.5")), d("0.005"), d("0.5")) * 100, 2) == d("0.31")
    assert yearly_loss(Band(d(0), d(0)), d("0.005"), d("0.5")) == 1


def test_no_band_nearby_loses_less_than_the_best() -> None:
    for weight in ("0.3", "0.5", "0.7"):
        for to in (HALF, TARGET):
            best = best_band(d("0.003"), d(weight), destination=to)
            least = yearly_loss(best, d("0.003"), d(weight))
            for factor in ("0.97", "1.03"):
                near = Band(best.trigger * d(factor), best.destination * d(factor))
                assert yearly_loss(near, d("0.003"), d(weight)) > least


def test_the_number_of_orders_a_year_and_none_for_orders_without_a_size() -> None:
    assert round(orders_a_year(Band(d("0.1"), d("0.05")), d("0.5")) or 0, 2) == d("8.33")
    assert orders_a_year(Band(d("0.05"), d("0.05")), d("0.5")) is None
