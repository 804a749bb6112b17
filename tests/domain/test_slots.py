"""Which scheduled time a delivery belongs to, and when its header is not believed."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.slots import Slot, missed, slot_named, slot_of
from tests.builders import PROPERTY
from tests.fakes import NOON

BY_HAND = Slot(NOON, scheduled=False)
OFFSETS = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)


def ago(**distance: float) -> str:
    return (NOON - timedelta(**distance)).isoformat()


def test_a_slots_name_is_sortable_and_readable() -> None:
    assert slot_of("2026-01-02T03:15:00Z", NOON).name == "20260102T0315Z"


def test_all_deliveries_of_one_schedule_time_share_its_slot() -> None:
    deliveries = [NOON, NOON + timedelta(seconds=40), NOON + timedelta(minutes=9), NOON + timedelta(hours=23)]
    assert {slot_of(NOON.isoformat(), moment) for moment in deliveries} == {Slot(NOON, scheduled=True)}


@pytest.mark.parametrize(
    "header",
    [
        "2026-01-02T12:00:00Z",
        "2026-01-02T12:00:00.123456Z",
        "2026-01-02T12:00:37+00:00",
        "2026-01-02T20:00:00+08:00",
    ],
)
def test_one_minute_is_one_slot_however_it_is_written(header: str) -> None:
    assert slot_of(header, NOON + timedelta(seconds=50)) == Slot(NOON, scheduled=True)


@pytest.mark.parametrize("header", [None, ""])
def test_a_call_without_a_schedule_time_is_one_by_hand_in_its_own_minute(header: str | None) -> None:
    assert slot_of(header, NOON + timedelta(seconds=59, microseconds=7)) == BY_HAND


@pytest.mark.parametrize("ahead", [timedelta(seconds=3), timedelta(minutes=15), timedelta(days=1)])
def test_a_forced_run_with_the_next_slots_time_is_one_by_hand(ahead: timedelta) -> None:
    assert slot_of((NOON + ahead).isoformat(), NOON) == BY_HAND


def test_a_delivery_a_moment_before_its_time_still_belongs_to_it() -> None:
    next_minute = NOON + timedelta(minutes=1)
    early = next_minute - timedelta(seconds=2)
    assert slot_of(next_minute.isoformat(), early) == Slot(next_minute, scheduled=True)


def test_a_delivery_may_be_a_day_late_and_no_later() -> None:
    assert slot_of(ago(days=1), NOON).scheduled
    assert slot_of(ago(days=1, microseconds=1), NOON) == BY_HAND


@pytest.mark.parametrize(
    "header",
    [
        "2026-01-02T12:00:00",
        "2026-01-02",
        "soon",
        "1767355200",
        "2026-13-45T99:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1970-01-01T00:00:00Z",
        "2026-01-02T12:00:00Z; DROP",
        "x" * 10_000,
    ],
)
def test_naive_absurd_and_unreadable_times_are_not_believed(header: str) -> None:
    assert slot_of(header, NOON) == BY_HAND


@PROPERTY
@given(st.text() | st.datetimes().map(datetime.isoformat) | st.datetimes(timezones=OFFSETS).map(str))
def test_no_header_whatsoever_ends_a_run_or_names_a_slot_out_of_range(header: str) -> None:
    slot = slot_of(header, NOON)
    assert slot == BY_HAND or timedelta(seconds=-2) <= NOON - slot.at < timedelta(days=1, minutes=1)


@PROPERTY
@given(st.integers(-2, 86_400))
def test_every_time_within_a_day_is_believed_and_cut_to_its_minute(seconds: int) -> None:
    slot = slot_of(ago(seconds=seconds), NOON)
    assert slot.scheduled
    assert (slot.at.second, slot.at.microsecond) == (0, 0)
    assert timedelta(0) <= (NOON - timedelta(seconds=seconds)) - slot.at < timedelta(minutes=1)


def test_slots_that_were_not_seen_are_missed_but_not_the_one_under_way() -> None:
    at = NOON
    seen = [at, at + timedelta(minutes=16), at + timedelta(minutes=59)]
    assert missed(seen, at + timedelta(minutes=70)) == (4, [at + timedelta(minutes=30)])
    assert missed(seen, at + timedelta(minutes=75)) == (5, [at + timedelta(minutes=30), at + timedelta(minutes=60)])
    assert missed([], at) == (0, [])
    assert slot_named(Slot(at, scheduled=True).name) == at
