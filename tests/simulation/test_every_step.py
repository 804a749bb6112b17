"""The run that places an order, with a fault at every single one of its steps, before it and after it."""

from collections.abc import Mapping, Sequence
from itertools import product

import pytest

from tests.simulation.sweep import HIDDEN, Case, freezes, play, sweep

MAKER = {"ORDER_STYLE": "maker", "ORDER_REST_SECONDS": "3"}
MARKET = {"ORDER_STYLE": "market", "ALLOW_MARKET_ORDERS": "true"}
TWICE = [("fifteen_min_job", 0.3, "", True)]
ELSEWHERE = [("fifteen_min_job", 0.3, "#2", True)]
LATER = [("rebalance", after, "", False) for after in (62, 100, 124)]
BESIDE = [("balance", 0.1, "", True), ("cost", 0.2, "", True), ("rebalance", 0.4, "", False)]
CASES: Mapping[str, Case] = {
    "an order": Case(),
    "an order that stays invisible": Case(effects=HIDDEN),
    "a resting order": Case(env=MAKER),
    "a market order": Case(env=MARKET),
    "a slot delivered twice": Case(beside=TWICE),
    "a slot delivered to two instances": Case(beside=ELSEWHERE, effects=HIDDEN),
    "other jobs at the same time": Case(beside=BESIDE),
}
FAULTS: Sequence[tuple[str, float]] = (
    *(("crash", 0), ("reset", 0), ("timeout", 0), ("busy", 0), ("garbled", 0), ("late", 4), ("away", 30)),
    *(("failover", 1), ("failover", 2), ("failover", 3), ("outage", 2), ("outage", 3), ("stall", 70)),
)
"""All of them on the plain order; an end of the process, alone and with Redis forgetting, on every case."""
TOGETHER = [("an order", *fault) for fault in FAULTS]
TOGETHER += [(name, *fault) for name, fault in product(list(CASES)[1:], (("crash", 0), ("outage", 3)))]


@pytest.mark.parametrize(("name", "kind", "amount"), TOGETHER)
def test_a_fault_at_any_single_step_breaks_no_invariant(name: str, kind: str, amount: float) -> None:
    assert [f"{case}: {problem}" for case, problem in sweep(CASES[name], kind, amount)] == []


@pytest.mark.parametrize("seconds", [40, 70, 130])
@pytest.mark.parametrize("beside", [[], ELSEWHERE, LATER], ids=["alone", "two instances", "others later"])
def test_a_process_that_stands_still_at_any_moment_breaks_no_invariant(
    beside: Sequence[tuple[str, float, str, bool]], seconds: float
) -> None:
    assert [f"{case}: {problem}" for case, problem in freezes(Case(beside=beside), seconds)] == []


@pytest.mark.parametrize("name", CASES)
def test_without_a_fault_the_slot_has_its_order(name: str) -> None:
    played = play(CASES[name])
    assert played.problem is None
    assert played.orders >= 1
    assert [step.name for step in played.steps].count("POST order") == 1
