"""The run that places an order, with a fault at every single one of its steps, before it and after it."""

import pytest

from tests.simulation.sweep import CASES, FAULTS, LASTING, Case, changes, everywhere, freezes, play, sweep


@pytest.mark.parametrize(("kind", "amount"), FAULTS)
def test_a_fault_at_any_single_step_breaks_no_invariant(kind: str, amount: float) -> None:
    """An end, and what lasts, only at the steps that leave a mark; at every other step too in `make soak`."""
    where = changes if kind in LASTING else everywhere
    assert [f"{case}: {problem}" for case, problem in sweep(Case(), kind, amount, where)] == []


@pytest.mark.parametrize("name", list(CASES)[1:])
def test_an_end_of_the_process_after_any_step_that_leaves_a_mark_breaks_no_invariant(name: str) -> None:
    """Of cases with many processes at every third of them; at every other step too in `make soak`."""
    case = CASES[name]
    every = 3 if case.beside else 1
    assert [f"{case}: {problem}" for case, problem in sweep(case, "crash", where=changes, every=every)] == []


def test_a_process_that_stands_still_at_any_moment_breaks_no_invariant() -> None:
    """Before every other reading of the clock; before each, for other times and in other cases in `make soak`."""
    assert [f"{case}: {problem}" for case, problem in freezes(Case(), 70, every=2)] == []


@pytest.mark.parametrize("name", CASES)
def test_without_a_fault_the_slot_has_its_order(name: str) -> None:
    played = play(CASES[name])
    assert played.problem is None
    assert played.orders >= 1
    assert [step.name for step in played.steps].count("POST order") == CASES[name].slots
