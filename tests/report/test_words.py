"""The report's words for numbers and times."""

from datetime import timedelta

from common.domain.slots import CLOCKS_APART
from common.report import words


def test_a_span_is_told_in_the_one_unit_that_says_enough_and_rounded() -> None:
    told = {
        timedelta(seconds=119): "119 s",
        timedelta(minutes=5, seconds=59): "6 minutes",
        timedelta(hours=5, minutes=59): "6 hours",
        timedelta(hours=23, minutes=59): "24 hours",
        timedelta(days=1): "1 day",
        timedelta(days=6, hours=23): "7 days",
    }
    assert {length: words.span(length) for length in told} == told


def test_an_age_is_never_negative_and_a_time_in_the_future_is_told_as_one() -> None:
    apart = int(CLOCKS_APART.total_seconds())
    assert [words.age(seconds) for seconds in (None, 5, -5, -apart)] == ["never", "5 s ago", "0 s ago", "0 s ago"]
    assert words.age(-apart - 1) == "a time in the future (a clock was set back)"
