"""Values to coordinates and ticks, as a reader of a picture expects them."""

from datetime import UTC, datetime, timedelta

import pytest

from common.report.scales import Linear, Log, Time, grouped, nice_step
from tests.builders import d, ds


def labels(scale: Linear | Log | Time, most: int = 5) -> list[str]:
    return [tick.label for tick in scale.ticks(most)]


def test_the_ends_of_a_scale_are_drawn_at_its_ends_and_the_middle_between() -> None:
    down = Linear(d(100), d(300), 200, 0)
    assert [down(value) for value in ds(100, 200, 300)] == [200, 100, 0]
    ratio = Log(d(1), d(100), 0, 1000)
    assert [round(ratio(value), 6) for value in ds(1, 10, 100)] == [0, 500, 1000]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert Time(start, start + timedelta(days=2), 0, 1000)(start + timedelta(days=1)) == 500


def test_a_scale_over_values_leaves_room_and_puts_equal_values_in_the_middle() -> None:
    some = Linear.over(ds(10, 20), 100, 0)
    assert (some.low, some.high) == (d("9.4"), d("20.6"))
    for scale in (Linear, Log):
        assert scale.over(ds(7, 7), 0, 1000)(d(7)) == pytest.approx(500, abs=11)
    assert Log.over(ds(10**18, 10**18 + 1), 0, 1000)(d(10**18)) == pytest.approx(500, abs=11)  # one logarithm
    assert Linear.over([], 0, 1000)(d(1)) == 500


@pytest.mark.parametrize(
    ("low", "high", "most", "step"),
    [("0", "10", 5, "2"), ("0.012", "0.019", 5, "0.002"), ("97", "1033", 4, "500"), ("-3", "3", 6, "1")],
)
def test_steps_are_one_two_or_five_times_a_power_of_ten(low: str, high: str, most: int, step: str) -> None:
    assert nice_step(d(low), d(high), most) == d(step)


def test_ticks_are_round_numbers_with_the_digits_of_their_step() -> None:
    assert labels(Linear(d("0.0123"), d("0.0191"), 0, 1)) == ["0.014", "0.016", "0.018"]
    assert labels(Linear(d("-1500"), d("2500"), 0, 1)) == ["\u22121\u202f000", "0", "1\u202f000", "2\u202f000"]


def test_ticks_of_ratios_are_round_within_a_decade_and_of_each_decade_beyond() -> None:
    assert labels(Log(d(100), d(220), 0, 1)) == ["100", "150", "200"]
    assert labels(Log(d("0.9"), d(60), 0, 1), 6) == ["1", "2", "5", "10", "20", "50"]
    assert labels(Log(d("0.05"), d(20000), 0, 1), 6) == ["0.1", "1", "10", "100", "1\u202f000", "10\u202f000"]


@pytest.mark.parametrize(
    ("span", "told"),
    [
        (timedelta(hours=24), ["12:00", "18:00", "3 Jan", "06:00"]),
        (timedelta(days=8), ["4 Jan", "6 Jan", "8 Jan", "10 Jan"]),
        (timedelta(days=364), ["Apr 2026", "Jul", "Oct", "Jan 2027"]),
        (timedelta(days=3000), ["Jan 2028", "Jan 2030", "Jan 2032", "Jan 2034"]),
    ],
)
def test_ticks_of_time_stand_at_whole_hours_days_and_months_of_utc(span: timedelta, told: list[str]) -> None:
    start = datetime(2026, 1, 2, 11, 7, tzinfo=UTC)
    assert labels(Time(start, start + span, 0, 1000)) == told


def test_numbers_for_people_are_grouped_and_signed() -> None:
    assert grouped(d("1234567.891"), 2) == "1\u202f234\u202f567.89"
    assert grouped(d("-0.5"), 2, signed=True) == "\u22120.50"
    assert grouped(d("28.3"), 2, signed=True) == "+28.30"
    assert grouped(d("-0.004"), 2, signed=True) == "0.00"
