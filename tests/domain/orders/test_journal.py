"""An intent's way through the journal: what it keeps, what closes it, and what is counted."""

from dataclasses import FrozenInstanceError, replace
from datetime import timedelta
from decimal import Decimal
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.decimals import ZERO
from common.domain.decision.guards import Activity
from common.domain.instrument import Side
from common.domain.orders.order import (
    IntentState,
    JournalEntry,
    Order,
    OrderIntent,
    OrderStatus,
    OrderStyle,
    client_order_id,
)
from tests.builders import PROPERTY, d
from tests.fakes import NOON

SECOND = timedelta(seconds=1)
NAME = client_order_id("QRLUSDT", NOON, Side.SELL)
INTENT = OrderIntent(NAME, NOON, Side.SELL, OrderStyle.IOC, d(100), d("0.02"), d(2))
PLANNED = JournalEntry.planned(INTENT, NOON)
SENT = PLANNED.sent(NOON + SECOND)
LATER = NOON + 5 * SECOND


def order(status: str, filled: Decimal = ZERO, order_id: str = "C02__1") -> Order:
    at = d("0.02")
    return Order(order_id, NAME, Side.SELL, at, INTENT.quantity, filled, filled * at, OrderStatus(status))


def test_what_is_planned_was_never_sent_and_is_open() -> None:
    assert (PLANNED.state, PLANNED.sent_at, PLANNED.order_id) == (IntentState.PLANNED, None, None)
    assert (PLANNED.filled_quantity, PLANNED.filled_notional) == (d(0), d(0))
    assert PLANNED.state.open


def test_every_step_keeps_the_intent_and_when_it_was_planned_and_sent() -> None:
    steps = [
        SENT.unknown("no answer", LATER),
        SENT.with_order(order("NEW"), LATER),
        SENT.with_order(order("FILLED", d(100)), LATER),
        SENT.ended(IntentState.REJECTED, "below the minimum", LATER),
    ]
    for entry in steps:
        assert (entry.intent, entry.planned_at, entry.sent_at) == (INTENT, NOON, NOON + SECOND)
        assert entry.updated_at == LATER


def test_no_record_is_ever_changed_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        SENT.state = IntentState.FILLED  # type: ignore[misc]


def test_an_order_that_rests_stays_open_with_what_it_has_filled_so_far() -> None:
    resting = SENT.with_order(order("PARTIALLY_FILLED", d(30)), LATER)
    assert resting.state is IntentState.SENT
    assert resting.state.open
    assert (resting.filled_quantity, resting.filled_notional) == (d(30), d("0.6"))


def test_an_order_that_the_exchange_knows_was_sent_even_if_the_record_of_it_is_lost() -> None:
    assert PLANNED.with_order(order("FILLED", d(100)), LATER).sent_at == NOON


def test_a_doubt_keeps_its_reason_until_the_exchange_has_told() -> None:
    doubt = SENT.unknown("not visible yet", LATER)
    assert doubt.state.open
    assert doubt.reason == "not visible yet"
    told = doubt.with_order(order("CANCELED"), LATER + SECOND)
    assert (told.state, told.reason, told.order_id) == (IntentState.CANCELED, None, "C02__1")
    assert not told.state.open


def test_a_doubt_about_an_order_that_was_seen_keeps_what_was_seen() -> None:
    seen = SENT.with_order(order("PARTIALLY_FILLED", d(30)), LATER).unknown("it is still PARTIALLY_FILLED", LATER)
    assert (seen.state, seen.order_id, seen.filled_quantity) == (IntentState.UNKNOWN, "C02__1", d(30))


@pytest.mark.parametrize("state", [IntentState.CANCELED, IntentState.REJECTED])
def test_what_was_refused_or_never_accepted_is_closed_and_has_no_order(state: IntentState) -> None:
    ended = SENT.ended(state, "why", LATER)
    assert not ended.state.open
    assert (ended.order_id, ended.reason, ended.filled_quantity) == (None, "why", d(0))


def test_a_lost_order_comes_back_with_the_slot_as_its_time_and_its_fate_as_the_exchange_tells_it() -> None:
    for report, state in (
        (order("NEW"), IntentState.SENT),
        (order("FILLED", d(100)), IntentState.FILLED),
        (order("PARTIALLY_CANCELED", d(1)), IntentState.PARTIALLY_FILLED),
        (order("CANCELED"), IntentState.CANCELED),
    ):
        found = JournalEntry.found(report, NAME, NOON, OrderStyle.IOC, LATER)
        assert (found.state, found.planned_at, found.sent_at, found.updated_at) == (state, NOON, NOON, LATER)
        assert replace(found.intent, notional=INTENT.notional) == INTENT


REPORTS = st.lists(
    st.builds(
        order,
        st.sampled_from([status.value for status in OrderStatus]),
        st.integers(0, 100).map(Decimal),
    ),
    min_size=1,
    max_size=8,
)


@PROPERTY
@given(REPORTS)
def test_whatever_the_exchange_tells_one_after_the_other_the_last_word_stands(reports: list[Order]) -> None:
    entry = reduce(lambda known, report: known.with_order(report, LATER), reports, SENT)
    last = reports[-1]
    assert entry.state.open is not last.status.final
    assert (entry.filled_quantity, entry.filled_notional) == (last.filled_quantity, last.filled_notional)
    assert entry.intent == INTENT
    if not entry.state.open:
        assert (entry.state is IntentState.CANCELED) == (last.filled_quantity == 0)
        assert (entry.state is IntentState.FILLED) == (last.filled_quantity == INTENT.quantity)


def test_the_activity_counts_orders_and_moves_on_with_them() -> None:
    started = Activity("2026-01-02", 0, d(1))
    once = started.after(INTENT, NOON)
    twice = once.after(replace(INTENT, slot=NOON + timedelta(minutes=15)), LATER)
    assert (once.orders, once.last_order_at, once.last_slot) == (1, NOON, NOON)
    assert (twice.orders, twice.last_order_at, twice.last_slot) == (2, LATER, NOON + timedelta(minutes=15))
    assert started.orders == 0
    assert twice.pnl_at_start == 1
