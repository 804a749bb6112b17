"""Intents, activity and the kill switch survive the way into Redis and back."""

from datetime import timedelta
from typing import Any

import pytest

from common.adapters.documents import from_redis, to_redis
from common.adapters.order_records import (
    activity_document,
    activity_of,
    entry_document,
    entry_of,
    order_report,
    pause_document,
    pause_of,
)
from common.domain.instrument import Side
from common.domain.orders import IntentState, JournalEntry, OrderIntent, OrderStyle, client_order_id
from common.domain.risk import Activity, Pause
from common.errors import StoreCorrupt
from tests.builders import QRL, d
from tests.fakes import NOON

INTENT = OrderIntent(
    client_order_id("QRLUSDT", NOON, Side.SELL),
    NOON,
    Side.SELL,
    OrderStyle.IOC,
    d("1000.5"),
    d("0.0204"),
    d("20.41"),
)
MARKET = OrderIntent(
    client_order_id("QRLUSDT", NOON, Side.BUY), NOON, Side.BUY, OrderStyle.MARKET, d(10), None, d("0.2")
)
ENTRY = JournalEntry(
    INTENT,
    IntentState.PARTIALLY_FILLED,
    NOON,
    NOON + timedelta(seconds=2),
    NOON + timedelta(milliseconds=7),
    "C02__593034730388221952036",
    d("400.25"),
    d("8.1651"),
    "the rest was cancelled",
)


def stored(document: Any) -> Any:
    """As it comes back from Redis."""
    return from_redis(to_redis(document), "key")


@pytest.mark.parametrize(
    "entry",
    [ENTRY, JournalEntry.planned(INTENT, NOON), JournalEntry.planned(MARKET, NOON).sent(NOON)],
    ids=["partly filled", "planned", "a market order, sent"],
)
def test_an_entry_of_the_journal_comes_back_as_it_was(entry: JournalEntry) -> None:
    assert entry_of(stored(entry_document(entry)), "key") == entry


def test_an_order_id_of_digits_alone_stays_text() -> None:
    entry = JournalEntry.planned(INTENT, NOON).sent(NOON)
    digits = entry_document(entry) | {"order_id": "133734823834147272"}
    assert entry_of(stored(digits), "key").order_id == "133734823834147272"


@pytest.mark.parametrize("name", sorted(entry_document(ENTRY)))
def test_an_entry_that_lacks_a_field_is_corrupt_and_its_key_is_named(name: str) -> None:
    document = stored(entry_document(ENTRY))
    del document[name]
    with pytest.raises(StoreCorrupt, match="the-key is not an order intent"):
        entry_of(document, "the-key")


@pytest.mark.parametrize("change", [{"state": "SOLD"}, {"side": "HOLD"}, {"slot": "soon"}, {"style": "twap"}])
def test_an_entry_with_a_word_nobody_knows_is_corrupt(change: dict[str, str]) -> None:
    with pytest.raises(StoreCorrupt):
        entry_of(stored(entry_document(ENTRY)) | change, "key")


def test_activity_comes_back_as_it_was() -> None:
    activity = Activity("2026-01-02", 3, d("-1.25"), NOON, NOON - timedelta(minutes=15))
    assert activity_of(stored(activity_document(activity)), NOON, "key") == activity


def test_without_a_record_today_has_no_orders() -> None:
    assert activity_of(None, NOON, "key") == Activity("2026-01-02")


@pytest.mark.parametrize("document", [{}, [], "paused", {"day": "2026-01-02"}])
def test_a_record_of_orders_that_is_none_is_corrupt(document: Any) -> None:
    with pytest.raises(StoreCorrupt, match="the-key"):
        activity_of(document, NOON, "the-key")


@pytest.mark.parametrize("until", [None, NOON + timedelta(days=1)])
def test_a_pause_comes_back_as_it_was(until: Any) -> None:
    pause = Pause("holiday", "ann@example.org", NOON, until)
    assert pause_of(stored(pause_document(pause)), "key") == pause


def test_no_pause_is_none_but_an_unreadable_one_is_an_error_not_a_green_light() -> None:
    assert pause_of(None, "key") is None
    unreadable: list[Any] = [{}, [], True, {"reason": "x"}]
    for document in unreadable:
        with pytest.raises(StoreCorrupt, match="the-key"):
            pause_of(document, "the-key")


def test_a_report_tells_the_average_fill_price_only_of_what_filled() -> None:
    report = order_report(ENTRY, QRL, balances_agree=True)
    assert report["average_fill_price"] == d("8.1651") / d("400.25")
    assert report["type"] == "IMMEDIATE_OR_CANCEL"
    assert report["status"] == "PARTIALLY_FILLED"
    assert report["filled_notional_usdt"] == d("8.1651")
    assert report["balances_agree"] is True
    assert order_report(JournalEntry.planned(INTENT, NOON), QRL)["average_fill_price"] is None
