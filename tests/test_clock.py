"""Time: the deadline that bounds a run, and milliseconds without a float in between."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.clock import Deadline, SystemClock, from_milliseconds, milliseconds
from common.errors import ExchangeUnavailable
from tests.builders import PROPERTY
from tests.fakes import NOON, FakeClock

WIRE_MS = st.integers(0, 32_503_680_000_000)


def test_the_system_clock_tells_an_aware_utc_time() -> None:
    before = datetime.now(UTC)
    now = SystemClock().now()
    assert now.utcoffset() == timedelta(0)
    assert before <= now <= datetime.now(UTC)


def test_the_system_clock_counts_seconds_that_never_go_back() -> None:
    clock = SystemClock()
    readings = [clock.monotonic() for _ in range(1000)]
    assert readings == sorted(readings)


def test_sleeping_on_the_system_clock_takes_at_least_as_long_as_asked() -> None:
    clock = SystemClock()
    start = clock.monotonic()
    clock.sleep(0.002)
    assert clock.monotonic() - start >= 0.002


def test_a_deadline_runs_down_with_the_clock(clock: FakeClock) -> None:
    deadline = Deadline(clock, 45)
    assert deadline.remaining == 45
    clock.move(44.5)
    assert deadline.remaining == 0.5


def test_a_deadline_that_has_passed_has_nothing_left_rather_than_less(clock: FakeClock) -> None:
    deadline = Deadline(clock, 45)
    clock.move(100)
    assert deadline.remaining == 0


def test_a_call_may_take_its_own_limit_while_the_run_has_more_time(clock: FakeClock) -> None:
    assert Deadline(clock, 45).timeout(8) == 8


def test_a_call_may_take_no_more_than_what_the_run_has_left(clock: FakeClock) -> None:
    deadline = Deadline(clock, 45)
    clock.move(42)
    assert deadline.timeout(8) == 3


@pytest.mark.parametrize("late", [44.96, 45, 60])
def test_no_call_goes_out_when_the_run_has_no_time_left(clock: FakeClock, late: float) -> None:
    deadline = Deadline(clock, 45)
    clock.move(late)
    with pytest.raises(ExchangeUnavailable, match="deadline has passed"):
        deadline.timeout(8)


def test_milliseconds_count_from_the_epoch() -> None:
    assert milliseconds(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert milliseconds(NOON) == 1_767_355_200_000
    assert milliseconds(NOON + timedelta(microseconds=1_999)) == milliseconds(NOON) + 1


def test_milliseconds_do_not_depend_on_the_zone_a_time_is_told_in() -> None:
    singapore = datetime.fromisoformat("2026-01-02T20:00:00+08:00")
    assert milliseconds(singapore) == milliseconds(NOON)


@PROPERTY
@given(WIRE_MS)
def test_every_time_of_the_wire_is_read_and_written_back_to_the_millisecond(value: int) -> None:
    assert milliseconds(from_milliseconds(value)) == value


@PROPERTY
@given(WIRE_MS)
def test_every_time_that_is_read_from_the_wire_is_aware_and_utc(value: int) -> None:
    assert from_milliseconds(value).utcoffset() == timedelta(0)


def test_a_time_beyond_the_calendar_is_an_error() -> None:
    with pytest.raises((OverflowError, ValueError)):
        from_milliseconds(10**18)
