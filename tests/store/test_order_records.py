"""Intents, activity and the kill switch through Redis and back, and what is refused on the way."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.decimal_json import from_redis, to_answer, to_redis
from common.domain.decision.guards import Activity, Pause
from common.domain.instrument import Instrument, Side
from common.domain.orders.order import IntentState, JournalEntry, OrderIntent, OrderStyle
from common.errors import StoreCorrupt
from common.store.order_records import (
    activity_document,
    activity_of,
    entry_document,
    entry_of,
    fields_of,
    intent_document,
    order_report,
    pause_document,
    pause_of,
)
from tests.builders import PROPERTY, QRL, amounts, d
from tests.fakes import NOON

KEY = "bot:QRLUSDT:orders:journal"
INTENT = OrderIntent("rb1", NOON, Side.SELL, OrderStyle.IOC, d("5000"), d("0.01999"), d("99.95"))
FILLED = JournalEntry(
    INTENT, IntentState.FILLED, NOON, NOON + timedelta(seconds=2), NOON, "C02__1", d(5000), d("99.95"), None
)

MOMENTS = st.integers(0, 10**15).map(lambda micros: NOON + timedelta(microseconds=micros))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
INTENTS = st.builds(
    OrderIntent,
    st.from_regex(r"[A-Za-z0-9]{1,32}", fullmatch=True),
    MOMENTS,
    st.sampled_from(Side),
    st.sampled_from(OrderStyle),
    amounts(4),
    st.none() | amounts(8),
    amounts(6),
    st.none() | amounts(8),
)
ENTRIES = st.builds(
    JournalEntry,
    INTENTS,
    st.sampled_from(IntentState),
    MOMENTS,
    MOMENTS,
    st.none() | MOMENTS,
    st.none() | st.from_regex(r"C02__[0-9]{20}|[0-9]{5,20}|[0-9a-f]{32}", fullmatch=True),
    amounts(4, 0),
    amounts(8, 0),
    st.none() | TEXTS,
)


def through_redis(document: Any) -> Any:
    return from_redis(to_redis(document), KEY)


@PROPERTY
@given(ENTRIES)
def test_an_entry_comes_back_from_redis_to_the_last_digit(entry: JournalEntry) -> None:
    assert entry_of(through_redis(entry_document(entry)), KEY) == entry


@PROPERTY
@given(ENTRIES)
def test_an_entry_comes_back_from_a_line_whose_amounts_are_numbers_too(entry: JournalEntry) -> None:
    line = to_answer(entry_document(entry))
    read = entry_of(from_redis(line, KEY), KEY)
    assert read == entry
    assert isinstance(read.intent.quantity, Decimal)


@PROPERTY
@given(
    st.builds(
        Activity,
        st.dates().map(lambda day: day.isoformat()),
        st.integers(0, 1000),
        st.none() | amounts(8).map(lambda value: -value),
        st.none() | MOMENTS,
        st.none() | MOMENTS,
    )
)
def test_the_activity_comes_back_as_it_was(activity: Activity) -> None:
    assert activity_of(through_redis(activity_document(activity)), NOON, KEY) == activity


@PROPERTY
@given(st.builds(Pause, TEXTS, TEXTS, MOMENTS, st.none() | MOMENTS))
def test_a_pause_comes_back_as_it_was_whatever_its_reason(pause: Pause) -> None:
    assert pause_of(through_redis(pause_document(pause)), KEY) == pause


def test_a_reason_that_looks_like_a_number_stays_text() -> None:
    pause = Pause("1.50", "42", NOON)
    assert pause_of(through_redis(pause_document(pause)), KEY) == pause


def test_amounts_are_text_in_redis() -> None:
    text = to_redis(entry_document(FILLED))
    assert '"quantity":"5000"' in text
    assert '"limit_price":"0.01999"' in text
    assert '"filled_notional":"99.95"' in text


def test_what_is_not_there_yet_is_no_activity_and_no_pause() -> None:
    assert activity_of(None, NOON, KEY) == Activity("2026-01-02")
    assert pause_of(None, KEY) is None
    assert fields_of(None) == fields_of({}) == []
    assert fields_of({"a": 1, "b": 2}) == [1, 2]


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "SOLD"},
        {"side": "HOLD"},
        {"style": "iceberg"},
        {"slot": "noon"},
        {"slot": "2026-01-02T12:00:00"},
        {"planned_at": None},
        {"sent_at": "2026-01-02T12:00:00"},
        {"quantity": None},
        {"quantity": "many"},
        {"quantity": True},
        {"limit_price": "NaN"},
        {"notional": []},
        {"filled_quantity": None},
        {"client_order_id": None},
        {"order_id": 7},
        {"reason": {}},
    ],
    ids=str,
)
def test_an_entry_that_cannot_be_read_whole_is_refused_with_its_key(changes: dict[str, Any]) -> None:
    with pytest.raises(StoreCorrupt, match=f"{KEY} is not an order intent"):
        entry_of(through_redis(entry_document(FILLED) | changes), KEY)


@pytest.mark.parametrize("name", sorted({*entry_document(FILLED)} - {"mid_price"}))
def test_every_field_of_an_entry_must_be_there(name: str) -> None:
    document = {field: value for field, value in entry_document(FILLED).items() if field != name}
    with pytest.raises(StoreCorrupt, match="is not an order intent: KeyError"):
        entry_of(through_redis(document), KEY)


def test_an_entry_written_before_mids_were_kept_still_loads() -> None:
    document = {name: value for name, value in entry_document(FILLED).items() if name != "mid_price"}
    assert entry_of(through_redis(document), KEY).intent.mid_price is None


@pytest.mark.parametrize("document", [None, 5, "text", [], {}])
def test_something_else_altogether_is_refused(document: Any) -> None:
    with pytest.raises(StoreCorrupt, match="is not an order intent"):
        entry_of(document, KEY)
    if document is not None:
        with pytest.raises(StoreCorrupt, match="is not the record of orders"):
            activity_of(document, NOON, KEY)
        with pytest.raises(StoreCorrupt, match="is not a pause"):
            pause_of(document, KEY)


@pytest.mark.parametrize(
    "changes",
    [
        {"day": "yesterday"},
        {"day": None},
        {"orders": None},
        {"orders": "5"},
        {"orders": True},
        {"pnl_at_start": "much"},
        {"last_order_at": "2026-01-02T12:00:00"},
        {"last_slot": 5},
    ],
    ids=str,
)
def test_a_record_of_orders_that_cannot_be_read_is_refused(changes: dict[str, Any]) -> None:
    document = activity_document(Activity("2026-01-02", 1, d(1), NOON, NOON)) | changes
    with pytest.raises(StoreCorrupt, match=f"{KEY} is not the record of orders"):
        activity_of(through_redis(document), NOON, KEY)


@pytest.mark.parametrize(
    "changes",
    [{"until": "2026-01-03"}, {"until": "soon"}, {"set_at": None}, {"reason": None}, {"set_by": []}],
    ids=str,
)
def test_a_pause_that_cannot_be_read_is_an_error_never_no_pause(changes: dict[str, Any]) -> None:
    document = pause_document(Pause("stop", "ops@example.test", NOON)) | changes
    with pytest.raises(StoreCorrupt, match=f"{KEY} is not a pause"):
        pause_of(through_redis(document), KEY)


def test_the_report_tells_the_average_price_of_what_was_filled() -> None:
    report = order_report(FILLED, QRL, fills=1)
    assert (report["average_fill_price"], report["type"], report["fills"]) == (
        d("0.01999"),
        "IMMEDIATE_OR_CANCEL",
        1,
    )


def test_the_report_of_an_order_that_filled_nothing_has_no_average_price() -> None:
    report = order_report(JournalEntry.planned(INTENT, NOON), QRL)
    assert (report["average_fill_price"], report["filled_quantity"], report["status"]) == (None, d(0), "PLANNED")


def test_the_report_names_the_quote_asset_of_its_pair() -> None:
    report = order_report(FILLED, Instrument("QRL", "USDC"))
    assert {"notional_usdc", "filled_notional_usdc"} <= report.keys()


def test_an_intent_is_shown_with_the_setting_s_word_for_its_style() -> None:
    assert intent_document(INTENT)["style"] == "ioc"
