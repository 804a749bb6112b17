"""Intents, orders and fills, and the id that ties them together."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Context, localcontext
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.instrument import Side
from common.domain.orders.journal import IntentState, JournalEntry, state_of
from common.domain.orders.order import (
    Order,
    OrderIntent,
    OrderStatus,
    OrderStyle,
    client_order_id,
    is_ours,
    slot_in,
)
from tests.builders import PROPERTY, d, ds, fill
from tests.fakes import NOON

LATER = NOON + timedelta(seconds=3)
SLOTS = st.datetimes(timezones=st.just(UTC)).filter(lambda slot: slot.year >= 1000)


def order(status: OrderStatus, filled: str = "0", quantity: str = "100", price: str = "0.5") -> Order:
    return Order("C02__1", "ours", Side.BUY, d(price), d(quantity), d(filled), d(filled) * d(price), status)


def intent() -> OrderIntent:
    return OrderIntent("ours", NOON, Side.BUY, OrderStyle.IOC, d(100), d("0.5"), d(50))


@PROPERTY
@given(st.from_regex(r"[A-Z0-9]{4,20}", fullmatch=True), SLOTS, st.sampled_from(Side))
def test_an_order_id_is_a_pure_function_of_the_slot_that_the_exchange_accepts(
    symbol: str, slot: datetime, side: Side
) -> None:
    ours = client_order_id(symbol, slot, side)
    assert ours == client_order_id(symbol, slot, side)
    assert len(ours) <= 32
    assert ours.isascii()
    assert ours.isalnum()
    assert is_ours(ours)
    assert slot_in(ours) == slot.replace(second=0, microsecond=0)


def test_the_order_id_of_a_slot_never_changes_between_releases() -> None:
    assert client_order_id("QRLUSDT", NOON, Side.SELL) == "rb202601021200Sc53dc43108a613"


def test_symbols_slots_and_sides_have_ids_of_their_own() -> None:
    slots = [NOON, NOON + timedelta(minutes=1), NOON + timedelta(days=365)]
    every = list(product(["QRLUSDT", "QRLUSDC", "BTCUSDT"], slots, Side))
    assert len({client_order_id(*one) for one in every}) == len(every)


def test_one_moment_told_in_two_time_zones_is_one_slot() -> None:
    singapore = NOON.astimezone(timezone(timedelta(hours=8)))
    assert client_order_id("QRLUSDT", singapore, Side.BUY) == client_order_id("QRLUSDT", NOON, Side.BUY)


@pytest.mark.parametrize("text", [None, "", "rb", "web_1234", "C02__413321238354677760043", "RB202601021200S"])
def test_ids_of_other_programs_are_not_ours(text: str | None) -> None:
    assert not is_ours(text)


def test_an_id_of_ours_with_something_added_is_not_ours() -> None:
    ours = client_order_id("QRLUSDT", NOON, Side.BUY)
    assert is_ours(ours)
    assert not is_ours(ours + "0")
    assert not is_ours("x" + ours)
    assert not is_ours(ours + "\n")


@pytest.mark.parametrize("when", ["209913990000", "202602300000", "202601022400", "000001010000"])
def test_an_id_whose_slot_is_no_time_is_somebody_elses(when: str) -> None:
    assert slot_in(f"rb{when}B{'0' * 14}") is None


def test_the_slot_of_an_id_of_ours_is_in_it() -> None:
    assert slot_in(client_order_id("QRLUSDT", NOON, Side.BUY)) == NOON
    assert slot_in(None) is None


def test_an_order_is_over_when_filled_or_cancelled_and_a_state_nobody_knows_is_not_the_end() -> None:
    assert {status for status in OrderStatus if status.final} == {"FILLED", "CANCELED", "PARTIALLY_CANCELED"}


@pytest.mark.parametrize(
    ("status", "filled", "state"),
    [
        (OrderStatus.NEW, "0", IntentState.SENT),
        (OrderStatus.PARTIALLY_FILLED, "40", IntentState.SENT),
        (OrderStatus.UNKNOWN, "100", IntentState.SENT),
        (OrderStatus.FILLED, "100", IntentState.FILLED),
        (OrderStatus.CANCELED, "0", IntentState.CANCELED),
        (OrderStatus.CANCELED, "40", IntentState.PARTIALLY_FILLED),
        (OrderStatus.PARTIALLY_CANCELED, "40", IntentState.PARTIALLY_FILLED),
        (OrderStatus.PARTIALLY_CANCELED, "100", IntentState.FILLED),
        (OrderStatus.PARTIALLY_CANCELED, "0", IntentState.CANCELED),
    ],
)
def test_what_executed_decides_where_an_intent_stands(status: OrderStatus, filled: str, state: IntentState) -> None:
    assert state_of(order(status, filled)) is state


def test_an_intent_is_open_until_the_exchange_has_told_its_end() -> None:
    assert {state for state in IntentState if state.open} == {"PLANNED", "SENT", "RESTING", "UNKNOWN"}


def test_a_journal_entry_follows_its_order_and_leaves_earlier_records_alone() -> None:
    planned = JournalEntry.planned(intent(), NOON)
    sent = planned.sent(LATER)
    assert (planned.state, planned.sent_at) == (IntentState.PLANNED, None)
    assert (sent.state, sent.sent_at, sent.planned_at) == (IntentState.SENT, LATER, NOON)
    lost = sent.unknown("no answer", LATER)
    assert (lost.state, lost.reason, lost.sent_at) == (IntentState.UNKNOWN, "no answer", LATER)
    found = lost.with_order(order(OrderStatus.CANCELED, filled="40"), LATER)
    assert (found.state, found.reason, found.order_id) == (IntentState.PARTIALLY_FILLED, None, "C02__1")
    assert (found.filled_quantity, found.filled_notional) == ds(40, 20)
    ended = planned.ended(IntentState.REJECTED, "30087", LATER)
    assert (ended.state, ended.reason, ended.updated_at) == (IntentState.REJECTED, "30087", LATER)


def test_an_order_the_journal_had_lost_is_taken_in_as_sent_in_its_slot() -> None:
    with localcontext(Context(prec=5)):
        entry = JournalEntry.lost(
            order(OrderStatus.NEW, quantity="12345.6789", price="0.020511"), "ours", NOON, OrderStyle.IOC, LATER
        )
    assert (entry.state, entry.order_id, entry.intent.slot) == (IntentState.SENT, "C02__1", NOON)
    assert entry.intent.notional == d("253.2222199179")


def test_a_fee_counts_in_the_asset_it_was_taken_in() -> None:
    paid = fill("BUY", 1, 1, fee="0.5", fee_asset="MX")
    assert (paid.fee_in("MX"), paid.fee_in("USDT")) == ds("0.5", 0)


@pytest.mark.parametrize(
    ("style", "word"),
    [(OrderStyle.IOC, "IMMEDIATE_OR_CANCEL"), (OrderStyle.MAKER, "LIMIT_MAKER"), (OrderStyle.MARKET, "MARKET")],
)
def test_each_style_has_the_exchanges_own_word(style: OrderStyle, word: str) -> None:
    assert style.order_type == word
