"""The report's words for numbers and times."""

from datetime import timedelta

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
