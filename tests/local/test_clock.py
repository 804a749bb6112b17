"""The clock of played days: it runs on, jumps when told, and never goes back."""

import time
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest

from common.clock import Deadline
from local.clock import SimulatedClock

START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
SOON = timedelta(seconds=30)
"""More than any machine needs between two lines of a test."""


def near(moment: datetime, expected: datetime) -> bool:
    return expected <= moment < expected + SOON


def test_it_starts_where_it_is_told_and_runs_on() -> None:
    clock = SimulatedClock(START)
    first = clock.now()
    began = time.monotonic()
    while time.monotonic() - began < 0.001:
        pass
    assert START <= first < clock.now()
    assert near(first, START)
    assert first.utcoffset() == timedelta(0)


def test_a_jump_is_the_new_time() -> None:
    clock = SimulatedClock(START)
    clock.jump(START + HOUR)
    assert near(clock.now(), START + HOUR)
    assert 3600 <= clock.monotonic() < 3630


def test_it_never_goes_back() -> None:
    clock = SimulatedClock(START)
    clock.jump(START + HOUR)
    before, since = clock.now(), clock.monotonic()
    clock.jump(START)
    assert clock.now() >= before
    assert clock.monotonic() >= since


def test_sleeping_takes_simulated_time_only() -> None:
    clock = SimulatedClock(START)
    began = time.monotonic()
    clock.sleep(86_400)
    assert near(clock.now(), START + timedelta(days=1))
    assert time.monotonic() - began < 60


def test_whoever_listens_is_told_of_every_jump_and_sleep() -> None:
    heard: list[datetime] = []
    clock = SimulatedClock(START, heard.append)
    clock.jump(START + HOUR)
    clock.sleep(60)
    assert len(heard) == 2
    assert near(heard[0], START + HOUR)
    assert near(heard[1], START + HOUR + timedelta(seconds=60))


def test_a_listener_is_told_the_time_that_holds_when_the_jump_would_have_gone_back() -> None:
    heard: list[datetime] = []
    clock = SimulatedClock(START, heard.append)
    clock.jump(START + HOUR)
    clock.jump(START)
    assert heard[1] >= heard[0]


def test_deadlines_pass_in_simulated_time() -> None:
    clock = SimulatedClock(START)
    deadline = Deadline(clock, 45)
    assert deadline.remaining == pytest.approx(45, abs=30)
    clock.sleep(46)
    assert deadline.remaining == 0


def test_threads_that_jump_at_once_leave_the_latest_time() -> None:
    clock = SimulatedClock(START)
    threads = [Thread(target=clock.jump, args=(START + hours * HOUR,)) for hours in (5, 1, 9, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert near(clock.now(), START + 9 * HOUR)
