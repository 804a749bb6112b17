"""Calls that go out together: at once, each with its own outcome."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from threading import Barrier, current_thread
from typing import Any

import pytest

from common.errors import ExchangeRefused, ExchangeUnavailable, UnreadablePayload
from common.mexc.wave import together

Call = Callable[[], Any]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield pool


def gives(value: Any) -> Call:
    return lambda: value


def fails(error: Exception) -> Call:
    def call() -> Any:
        raise error

    return call


def test_every_call_is_answered_under_its_name(pool: ThreadPoolExecutor) -> None:
    wave = together(pool, {"account": gives(1), "price": gives(2), "depth": gives(3)})
    assert (wave.get("account"), wave.get("price"), wave.get("depth")) == (1, 2, 3)


def test_the_outcomes_do_not_depend_on_the_order_of_the_calls(pool: ThreadPoolExecutor) -> None:
    refused = ExchangeRefused("no")
    calls = {"account": gives(1), "price": fails(refused), "depth": gives(3), "fills": gives([])}
    for names in permutations(calls):
        wave = together(pool, {name: calls[name] for name in names})
        assert wave.error("price") is refused
        assert (wave.get("account"), wave.get("depth"), wave.get("fills")) == (1, 3, [])


@pytest.mark.parametrize("failing", ["first", "last"])
def test_an_error_stays_with_its_call_and_the_others_keep_their_values(
    pool: ThreadPoolExecutor, failing: str
) -> None:
    error = ExchangeUnavailable("down")
    calls = {"first": gives(1), "last": gives(2)} | {failing: fails(error)}
    other = "last" if failing == "first" else "first"
    wave = together(pool, calls)
    with pytest.raises(ExchangeUnavailable) as raised:
        wave.get(failing)
    assert raised.value is error
    assert wave.error(failing) is error
    assert wave.error(other) is None
    assert wave.get(other) in (1, 2)


def test_values_are_those_of_the_calls_that_went_through(pool: ThreadPoolExecutor) -> None:
    wave = together(pool, {"a": gives(1), "b": fails(UnreadablePayload("garbled")), "c": gives(None)})
    assert set(wave.values()) == {1, None}


def test_a_wave_knows_which_calls_it_made(pool: ThreadPoolExecutor) -> None:
    wave = together(pool, {"price": gives(1), "depth": fails(ExchangeUnavailable("down"))})
    assert "price" in wave
    assert "depth" in wave
    assert "account" not in wave
    assert wave.error("account") is None


def test_asking_for_a_call_that_was_never_made_is_a_bug(pool: ThreadPoolExecutor) -> None:
    with pytest.raises(KeyError):
        together(pool, {"price": gives(1)}).get("account")


@pytest.mark.parametrize("failing", ["first", "last"])
def test_a_bug_is_raised_and_not_kept_as_an_outcome(pool: ThreadPoolExecutor, failing: str) -> None:
    calls = {"first": gives(1), "last": gives(2)} | {failing: fails(ZeroDivisionError())}
    with pytest.raises(ZeroDivisionError):
        together(pool, calls)


def test_the_calls_of_a_wave_run_at_the_same_time(pool: ThreadPoolExecutor) -> None:
    """Each waits until all have begun: one after the other, the barrier would break."""
    barrier = Barrier(4, timeout=5)

    def meet() -> int:
        return barrier.wait()

    wave = together(pool, dict.fromkeys("abcd", meet))
    assert sorted(wave.values()) == [0, 1, 2, 3]


def test_one_call_needs_no_other_thread(pool: ThreadPoolExecutor) -> None:
    wave = together(pool, {"price": current_thread})
    assert wave.get("price") is current_thread()


def test_a_wave_needs_one_thread_fewer_than_it_has_calls() -> None:
    """The last call runs on the caller's own thread, so that a full pool of n serves n + 1 calls."""
    barrier = Barrier(2, timeout=5)
    with ThreadPoolExecutor(max_workers=1) as pool:
        wave = together(pool, {"a": barrier.wait, "b": barrier.wait})
    assert sorted(wave.values()) == [0, 1]
