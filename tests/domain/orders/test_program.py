"""A rebalance in slices: when a program begins, what each slice is, and the five ways in which it ends."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.decimal_json import from_redis, to_redis
from common.domain.decision.facts import Facts
from common.domain.decision.levels import Destination, Level
from common.domain.decision.pause import Pause
from common.domain.decision.policy import Hold, Limits, Policy, Rebalance, Slicing
from common.domain.instrument import Side
from common.domain.orders.journal import Activity
from common.domain.orders.order import OrderStyle
from common.domain.orders.program import PlannedSlice, Program, plan_slice
from common.store.codec import from_document, to_document
from tests.builders import FACTS, POLICY, PROPERTY, d, holdings, rules
from tests.fakes import NOON

SLICING = Slicing(d(100), timedelta(hours=6))
LIMITS = Limits(
    max_price_deviation=d("0.2"),
    max_slippage=d("0.005"),
    max_depth_share=d("0.8"),
    max_fee=d("0.01"),
    max_orders_per_day=1000,
    cooldown=timedelta(hours=1),
    max_notional=None,
    max_daily_loss=None,
)
SLOT = timedelta(minutes=15)


def at(slots: int, qrl: str | int | Decimal = 1500, usdt: str | int | Decimal = 1000, **more: Any) -> Facts:
    now = NOON + slots * SLOT
    held = replace(holdings(str(qrl), str(usdt)), as_of=now)
    facts = replace(FACTS, now=now, asked_at=now, slot=now, price_as_of=now, holdings=held, rules=rules(fee="0"))
    return replace(facts, **more)


def begun(policy: Policy = POLICY) -> PlannedSlice:
    return plan_slice(None, SLICING, at(0), policy, LIMITS)


def going(**changes: Any) -> Program:
    program = begun().program
    assert program is not None
    return replace(program, **changes)


def test_an_order_larger_than_a_slice_begins_a_program_and_is_its_first_slice() -> None:
    worked = begun()
    assert worked.program == Program(Side.SELL, d(0), OrderStyle.IOC, NOON, slices_left=2)
    assert worked.plan.order is not None
    assert worked.plan.order.quantity <= 100
    assert worked.plan.facts.program == "SELL to 0.00 % off, begun 2026-01-02 12:00 UTC: 2 slices left"


@pytest.mark.parametrize(("most", "largest"), [("40", 40), ("100", 100), ("160", 100)])
def test_a_slice_is_no_larger_than_any_order_may_be(most: str, largest: int) -> None:
    for program in (None, going()):
        worked = plan_slice(program, SLICING, at(1), POLICY, replace(LIMITS, max_notional=d(most)))
        assert worked.plan.order is not None
        assert largest - 1 < worked.plan.order.quantity <= largest


def test_an_order_of_a_slice_or_less_goes_whole_and_begins_none() -> None:
    worked = plan_slice(None, SLICING, at(0, 1200), POLICY, LIMITS)
    assert (worked.program, worked.plan.facts.program) == (None, None)
    assert worked.plan.order is not None


@pytest.mark.parametrize(
    ("level", "destination"),
    [
        (Level(d("0.05"), Destination.TARGET), "0"),
        (Level(d("0.05"), Destination.HALF), "0.05"),
        (Level(d("0.05"), Destination.EDGE), "0.05"),
        (Level(d("0.05"), d("0.02")), "0.02"),
    ],
)
def test_the_destination_is_that_of_the_level_that_decided(level: Level, destination: str) -> None:
    program = begun(replace(POLICY, levels=(level,))).program
    assert program is not None
    assert program.destination == d(destination)


def test_the_next_slot_places_the_next_slice_whatever_trigger_and_cooldown_say() -> None:
    wide = replace(POLICY, levels=(Level(d("0.09")),))
    program = begun(wide).program
    lately = Activity(orders=1, placements=1, last_order_at=NOON, last_slot=NOON)
    worked = plan_slice(program, SLICING, at(1, 1400, 1100, activity=lately), wide, LIMITS)
    assert worked.plan.order is not None
    assert worked.program is not None
    assert (worked.program.slices_left, worked.ended) == (1, None)


def test_a_remainder_below_the_least_order_is_no_slice() -> None:
    """Of 200.15 two slices make 200; the least order is 5, and one of 5 is a slice."""
    for value, left in (("1400.3", "1 slice left"), ("1409.98", "1 slice left"), ("1410", "2 slices left")):
        told = plan_slice(None, SLICING, at(0, value), POLICY, LIMITS).plan.facts.program
        assert told == f"SELL to 0.00 % off, begun 2026-01-02 12:00 UTC: {left}"
    last = plan_slice(going(), SLICING, at(1, "1200.3"), POLICY, LIMITS)
    assert last.plan.order is not None
    assert (last.plan.facts.program or "").endswith(": 0 slices left")


def test_a_slot_that_is_carried_out_forgives_the_refused_ones_before_it() -> None:
    program = plan_slice(going(refused=2, refused_slot=NOON), SLICING, at(1), POLICY, LIMITS).program
    assert program is not None
    assert (program.refused, program.refused_slot) == (0, None)


def test_the_cooldown_is_kept_before_a_program_begins() -> None:
    lately = Activity(orders=1, last_order_at=NOON - SLOT, last_slot=NOON - SLOT)
    worked = plan_slice(None, SLICING, at(0, activity=lately), POLICY, LIMITS)
    assert (worked.program, worked.plan.order) == (None, None)


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (at(1, 1002, 998), "its destination is reached"),
        (at(1, 900, 1100), "the drift has crossed the target"),
        (at(24), "its 6 hours are over"),
        (at(1, pause=Pause("a look", "ops@example.test", NOON)), "trading is paused"),
        (at(1, pause=Pause("a look", "ops@example.test", NOON, NOON + SLOT / 2)), "trading was paused"),
    ],
)
def test_it_ends_and_says_why(facts: Facts, why: str) -> None:
    worked = plan_slice(going(), SLICING, facts, POLICY, LIMITS)
    assert worked.ended == why
    assert (worked.plan.facts.program or "").startswith(f"ended: {why}")


def test_it_ends_with_the_settings_it_was_begun_under_and_an_older_record_goes_on() -> None:
    for begun_under, ended in (("before", "the settings have changed"), ("now", None), (None, None)):
        worked = plan_slice(going(settings=begun_under), SLICING, at(1), POLICY, LIMITS, "now")
        assert worked.ended == ended
    begun = plan_slice(None, SLICING, at(0), POLICY, LIMITS, "now").program
    assert begun is not None
    assert begun.settings == "now"


def test_three_refusals_in_a_row_end_it_and_a_slot_counts_once() -> None:
    program: Program | None = going()
    refused: list[int] = []
    for slots in (1, 1, 2):
        worked = plan_slice(program, SLICING, at(slots, can_trade=False), POLICY, LIMITS)
        program = worked.program
        assert program is not None
        refused.append(program.refused)
    assert refused == [1, 1, 2]
    last = plan_slice(program, SLICING, at(3, can_trade=False), POLICY, LIMITS)
    assert last.program is None
    assert last.ended is not None
    assert last.ended.startswith("a guard refused 3 slots in a row: Order refused: the account may not trade")


def test_a_slot_without_a_refusal_begins_the_row_anew() -> None:
    program = plan_slice(going(), SLICING, at(1, can_trade=False), POLICY, LIMITS).program
    assert plan_slice(program, SLICING, at(2), POLICY, LIMITS).program == replace(going(), refused=0)


def test_a_run_again_in_the_slot_of_a_slice_is_no_refusal() -> None:
    sent = Activity(orders=1, placements=1, last_order_at=NOON, last_slot=NOON)
    program = plan_slice(going(), SLICING, at(0, activity=sent), POLICY, LIMITS).program
    assert program is not None
    assert program.refused == 0


def test_doubt_and_old_data_wait_and_end_nothing() -> None:
    for facts in (at(1, doubt=Hold("Unresolved order: x")), at(1, price_as_of=NOON - timedelta(hours=1))):
        worked = plan_slice(going(), SLICING, facts, POLICY, LIMITS)
        assert (worked.program, worked.plan.order, worked.ended) == (going(slices_left=3), None, None)


def test_without_money_for_the_next_slice_it_waits_for_its_time() -> None:
    buying = going(side=Side.BUY)
    poor = at(1, 500, 1500, holdings=replace(holdings(500, 0, usdt_locked=1500), as_of=NOON + SLOT))
    assert plan_slice(buying, SLICING, poor, POLICY, LIMITS).ended is None


def test_a_program_comes_back_as_it_was_stored() -> None:
    program = going(refused=2, refused_slot=NOON)
    assert from_document(Program, from_redis(to_redis(to_document(program)), "key"), "key") == program


@PROPERTY
@given(st.integers(1010, 1990), st.integers(30, 400), st.lists(st.booleans(), max_size=30))
def test_slices_sum_to_the_order_and_a_crash_neither_repeats_nor_loses_one(
    qrl: int, size: int, dies: list[bool]
) -> None:
    """A run may die before its slice is sent (then nothing moved) or after it (then the balances tell)."""
    slicing = Slicing(d(size), timedelta(hours=20))
    base, quote, program, sold = d(qrl), d(1000), None, d(0)
    whole = plan_slice(None, Slicing(d(10**6), timedelta(hours=1)), at(0, base, quote), POLICY, LIMITS)
    for slot, died in enumerate([*dies, *[False] * 45]):
        worked = plan_slice(program, slicing, at(slot, base, quote), POLICY, LIMITS)
        if died:
            continue
        program = worked.program
        if worked.plan.order is None:
            break
        assert isinstance(worked.plan.outcome, Rebalance)
        quantity = worked.plan.order.quantity
        assert quantity * d(1) <= size
        base, quote, sold = base - quantity, quote + quantity, sold + quantity
    assert program is None
    wanted = whole.plan.order.quantity if whole.plan.order else d(0)
    assert abs(sold - wanted) < max(d(6), POLICY.min_notional)
