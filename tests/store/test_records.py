"""The bot's own state: what stands in Redis reads back as itself, or is told to be corrupt with its key."""

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.decimal_json import from_redis, loads, to_answer, to_redis
from common.domain.instrument import Side
from common.domain.ledger.ledger import Ledger
from common.domain.ledger.position import FifoView, Position
from common.domain.ledger.sequence import in_order
from common.domain.orders.journal import DayStart, IntentState, JournalEntry
from common.domain.orders.order import Fill, OrderIntent, OrderStyle
from common.errors import StoreCorrupt
from common.store.codec import from_document, to_document
from common.store.entries import entry_document, entry_of
from common.store.records import (
    fill_of,
    inception_document,
    inception_of,
    ledger_of,
    lots_document,
    lots_of,
    rules_of,
)
from tests.builders import PROPERTY, QRL, amounts, d, fill_lists, unread_ledger
from tests.fakes import NOON
from tests.faults.mutations import paths
from tests.store.test_written import BTC, DAY, FEE_IN_MX, FILLED, INCEPTION, LOTS, RULES, ledger

KEY = "bot:QRLUSDT:some:key"
HOUR = timedelta(hours=1)
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
def test_an_entry_comes_back_to_the_last_digit_from_redis_and_from_a_line_whose_amounts_are_numbers(
    entry: JournalEntry,
) -> None:
    for text in (to_redis(entry_document(entry)), to_answer(entry_document(entry))):
        read = entry_of(from_redis(text, KEY), KEY)
        assert read == entry
        assert isinstance(read.intent.quantity, Decimal)


def kept(known: Ledger) -> Ledger:
    return ledger_of(through_redis(to_document(known)), KEY)


@PROPERTY
@given(fill_lists(), amounts(4, 0), st.integers(0, 20))
def test_a_ledger_that_was_stored_between_two_runs_goes_on_to_the_last_digit(
    fills: list[Fill], opening: Decimal, cut: int
) -> None:
    start = unread_ledger(opening=opening)
    fills = in_order(fills)
    before = kept(start.absorb(fills[:cut], NOON, QRL).ledger)
    after = kept(before.absorb(fills[cut:], NOON + 3 * HOUR, QRL).ledger)
    assert after.position(QRL) == Position(unknown_quantity=opening).fold(fills, QRL)


def changed(document: Any, path: tuple[str | int, ...], bad: object = ...) -> Any:
    """A copy of the document with one field replaced, or without it."""
    copy = inner = deepcopy(document)
    for name in path[:-1]:
        inner = inner[name]
    if bad is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = bad
    return copy


def refused(read: Callable[[Any], object], document: Any) -> bool:
    """Whether it is told to be corrupt, by its key."""
    try:
        read(document)
    except StoreCorrupt as error:
        return str(error).startswith(f"{KEY} cannot be read: ")
    return False


NULLABLE = ("client_order_id", "fee_value", "mid_price", "ordered_at", "looked_back_on")
Reading = tuple[Any, Callable[[Any], object], tuple[str, ...]]
READINGS: dict[str, Reading] = {
    "fill": (to_document(FEE_IN_MX), lambda document: fill_of(document, KEY), NULLABLE),
    "entry": (
        entry_document(FILLED),
        lambda document: entry_of(document, KEY),
        ("limit_price", "mid_price", "sent_at", "order_id", "reason"),
    ),
    "ledger": (
        to_document(ledger()),
        lambda document: ledger_of(document, KEY),
        NULLABLE,
    ),
    "day": (to_document(DAY), lambda document: from_document(DayStart, document, KEY), ("pnl_at_start",)),
    "lots": (lots_document(LOTS), lambda document: lots_of(document, KEY), ()),
    "inception": (inception_document(INCEPTION, QRL), lambda document: inception_of(document, QRL, KEY), ()),
}
"""By name: a document, what reads it, and the fields that may be null."""
ADDED = ("mid_price", "fee_pending", "ordered_at", "remarks", "exchange", "looked_back_on", "order_rule")
"""Fields that an older version did not write."""


@pytest.mark.parametrize("name", READINGS)
def test_a_document_of_which_any_field_is_lost_or_unreadable_is_corrupt_and_never_filled_up(name: str) -> None:
    written, read, nullable = READINGS[name]
    document = through_redis(written)
    read(document)
    accepted = []
    for path in paths(document, rows=None):
        if path[-1] == "MX":  # the name of an asset
            continue
        spoilt = {"another type": {"x": 1}, "a fraction": d("5.5"), "a word": "\u200bmany"}
        if path[-1] not in nullable:
            spoilt["null"] = None
        if isinstance(path[-1], str) and path[-1] not in ADDED:
            spoilt["missing"] = ...
        for kind, bad in spoilt.items():
            if kind == "a fraction" and is_amount(document, path):
                continue
            if kind == "a word" and is_text(path):
                continue
            if kind == "another type" and path[-1] == "unvalued_fees":
                bad = []
            if not refused(read, changed(document, path, bad)):
                accepted.append((path, kind))
    assert accepted == []


def is_amount(document: Any, path: tuple[str | int, ...]) -> bool:
    for name in path:
        document = document[name]
    return path[-1] in ("fee_value", "limit_price", "mid_price", "pnl_at_start") or (
        isinstance(document, str) and not is_text(path) and document.replace(".", "").removeprefix("-").isdecimal()
    )


def is_text(path: tuple[str | int, ...]) -> bool:
    return str(path[-1]).endswith("_id") or path[-1] in ("fee_asset", "reason", "exchange")


def test_what_is_no_document_at_all_is_corrupt_with_its_key() -> None:
    nothings: list[Any] = [None, [], "x", 5, True, {}]
    accepted = [
        (name, each) for name, (_, read, _) in READINGS.items() for each in nothings if not refused(read, each)
    ]
    assert accepted == []


def test_an_inception_of_another_pair_is_corrupt() -> None:
    with pytest.raises(StoreCorrupt, match="btc_quantity is missing"):
        inception_of(through_redis(inception_document(INCEPTION, QRL)), BTC, KEY)


@pytest.mark.parametrize("view", [LOTS, FifoView()])
def test_lots_read_back_as_they_were(view: FifoView) -> None:
    assert lots_of(through_redis(lots_document(view)), KEY) == view


def test_cached_rules_read_back_as_they_were_and_are_a_miss_when_anything_is_amiss() -> None:
    document = loads(to_answer(to_document(RULES)))
    assert rules_of(document) == RULES
    taken: list[tuple[str, object]] = []
    for name in document:
        optional = name.startswith(("price_band", "market_m")) and name != "market_orders"
        for bad in ("many", [1], {}, True, *(() if optional else (None,))):
            if name == "market_orders" and bad is True:
                continue
            taken += [(name, bad)] if rules_of(document | {name: bad}) else []
        taken += [(name, "missing")] if rules_of({n: v for n, v in document.items() if n != name}) else []
    assert taken == []
    nothings: list[Any] = [None, [], "x", 5, {}]
    assert [rules_of(each) for each in nothings] == [None] * 5
    assert rules_of(document | {"sides": ["BUY", "HODL"]}) is None
