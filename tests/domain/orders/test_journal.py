"""An intent's way through the journal: what it keeps, what closes it, and what is counted."""

from dataclasses import FrozenInstanceError, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.decimals import ZERO
from common.domain.instrument import Side
from common.domain.orders.journal import Activity, DayStart, IntentState, Journal, JournalEntry
from common.domain.orders.order import Order, OrderIntent, OrderStatus, OrderStyle, client_order_id
from common.domain.slots import CLOCKS_APART
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
        found = JournalEntry.lost(report, NAME, NOON, OrderStyle.IOC, LATER)
        assert (found.state, found.planned_at, found.sent_at, found.updated_at) == (state, NOON, NOON, LATER)
        assert replace(found.intent, notional=INTENT.notional) == INTENT


@pytest.mark.parametrize(
    ("told", "sent_at"),
    [
        (NOON + SECOND, NOON + SECOND),
        (LATER + CLOCKS_APART, LATER + CLOCKS_APART),
        (LATER + CLOCKS_APART + SECOND, NOON),
        (NOON + timedelta(days=27_000), NOON),
        (NOON - CLOCKS_APART - SECOND, NOON),
        (None, NOON),
    ],
)
def test_a_lost_order_whose_time_cannot_be_true_is_dated_by_its_slot(
    told: datetime | None, sent_at: datetime
) -> None:
    """The cooldown is counted from it: a time of the year 2100 would hold it for ever."""
    assert timedelta(seconds=15) == CLOCKS_APART
    found = JournalEntry.lost(replace(order("FILLED", d(100)), created_at=told), NAME, NOON, OrderStyle.IOC, LATER)
    assert (found.planned_at, found.sent_at) == (sent_at, sent_at)


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


# The fold


def entry(minutes: float, state: IntentState = IntentState.FILLED, filled: str = "100") -> JournalEntry:
    """An order sent so many minutes after noon, of that minute's slot."""
    at = NOON + timedelta(minutes=minutes)
    slot = at.replace(second=0, microsecond=0)
    name = client_order_id("QRLUSDT", slot, Side.SELL)
    sent = JournalEntry.planned(replace(INTENT, client_order_id=name, slot=slot), at).sent(at)
    return replace(sent, state=state, filled_quantity=d(filled))


def test_an_order_counts_whatever_little_of_it_was_filled() -> None:
    assert entry(0, IntentState.CANCELED, "0.0001").counts
    assert not entry(0, IntentState.CANCELED, "0").counts
    part = SENT.closed_with(d("0.0001"), d("0.000002"), "by its fills", LATER)
    assert (part.state, part.counts) == (IntentState.PARTIALLY_FILLED, True)


def test_orders_are_counted_in_the_utc_day_they_were_sent_in_whenever_one_looks() -> None:
    journal = Journal.of([entry(719.99), entry(720.1), entry(-13 * 60)])
    before, after = NOON + timedelta(minutes=719.999), NOON + timedelta(minutes=721)
    assert (journal.activity(before).orders, journal.activity(after).orders) == (1, 1)
    assert journal.activity(after).last_order_at == NOON + timedelta(minutes=720.1)
    assert journal.activity(after).last_slot == NOON + timedelta(minutes=720)


@pytest.mark.parametrize(
    ("state", "filled", "counts"),
    [
        (IntentState.FILLED, "100", True),
        (IntentState.PARTIALLY_FILLED, "40", True),
        (IntentState.SENT, "0", True),
        (IntentState.UNKNOWN, "0", True),
        (IntentState.RESTING, "0", True),
        (IntentState.CANCELED, "0", False),
        (IntentState.REJECTED, "0", False),
    ],
)
def test_what_filled_nothing_is_a_placement_and_no_order(state: IntentState, filled: str, counts: bool) -> None:
    activity = Journal.of([entry(0, state, filled)]).activity(NOON + SECOND)
    assert (activity.orders, activity.placements) == (int(counts), 1)
    assert (activity.last_order_at == NOON) is counts
    assert activity.last_slot == NOON


def test_what_was_never_sent_is_not_counted() -> None:
    assert (
        Journal.of([PLANNED, PLANNED.ended(IntentState.CANCELED, "never sent", LATER)]).activity(NOON) == Activity()
    )


def test_what_is_open_or_of_two_days_is_kept_for_counting() -> None:
    old, still_open = entry(-2 * 24 * 60 - 1), entry(-9 * 24 * 60, IntentState.UNKNOWN, "0")
    journal = Journal.of([old, still_open, entry(-2 * 24 * 60 + 1), entry(-60)])
    assert journal.outdated(NOON) == (old.intent.client_order_id,)


def test_the_last_order_is_kept_for_a_cooldown_of_days_beside_a_later_one_that_was_refused() -> None:
    order, refused = entry(-5 * 24 * 60), entry(-4 * 24 * 60, IntentState.REJECTED, "0")
    journal = Journal.of([entry(-6 * 24 * 60), order, refused])
    assert journal.outdated(NOON) == (entry(-6 * 24 * 60).intent.client_order_id,)
    assert Journal.of([order, refused]).activity(NOON).last_order_at == order.sent_at


def test_a_new_word_on_an_order_replaces_the_old_one_and_leaves_the_journal_before_alone() -> None:
    before = Journal.of([SENT])
    after = before.with_entry(SENT.ended(IntentState.REJECTED, "too small", LATER))
    assert (before.activity(LATER).orders, after.activity(LATER).orders) == (1, 0)


def test_a_day_begins_with_the_pnl_of_its_first_plan_and_a_clock_that_goes_back_begins_none() -> None:
    began = DayStart(NOON.date(), None).on(NOON, d(7))
    assert began == DayStart(NOON.date(), d(7)) == began.on(LATER, d(3)) == began.on(NOON - timedelta(days=1), d(3))
    assert began.on(NOON + timedelta(days=1), None) == DayStart((NOON + timedelta(days=1)).date(), None)


def test_an_order_that_rests_is_open_and_one_that_is_over_is_what_became_of_it() -> None:
    resting = SENT.resting(order("PARTIALLY_FILLED", d(40)), LATER)
    assert (resting.state, resting.filled_quantity, resting.state.open) == (IntentState.RESTING, d(40), True)
    assert SENT.resting(order("CANCELED"), LATER).state is IntentState.CANCELED


def test_an_operator_or_the_fills_may_tell_the_end() -> None:
    states = [SENT.closed_with(d(quantity), d(0), "seen on the site", LATER).state for quantity in (0, 40, 100)]
    assert states == [IntentState.CANCELED, IntentState.PARTIALLY_FILLED, IntentState.FILLED]
