"""Domain values as documents: what stands in Redis reads back as itself, or is told to be corrupt."""

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.decimal_json import from_hash, from_redis, loads, to_answer, to_hash, to_redis
from common.domain.instrument import Instrument, Side
from common.domain.ledger.ledger import Gap, Ledger
from common.domain.ledger.position import FifoView, Lot, Position
from common.domain.orders.order import Fill
from common.domain.performance.benchmark import Comparison, Inception, Moved
from common.domain.portfolio import Account, Balance
from common.errors import StoreCorrupt
from common.store.records import (
    account_document,
    comparison_document,
    fifo_summary,
    fill_document,
    fill_of,
    holdings_of,
    inception_document,
    inception_of,
    ledger_document,
    ledger_of,
    lots_document,
    lots_of,
    position_fields,
    price_in,
    rules_document,
    rules_of,
)
from tests.builders import PROPERTY, QRL, amounts, d, fill, fill_lists, rules, unread_ledger
from tests.fakes import NOON

BTC = Instrument("BTC", "USDC")
HOUR = timedelta(hours=1)
ACCOUNT = Account(
    balances={
        "QRL": Balance(d("1000.5"), d(0)),
        "USDT": Balance(d("500.25"), d(10)),
        "MX": Balance(d(0), d("0.1")),
        "BTC": Balance(d(0), d(0)),
    },
    can_trade=True,
    can_withdraw=False,
    can_deposit=True,
    account_type="SPOT",
    permissions=("SPOT",),
    maker_commission=None,
    taker_commission=d(10),
    update_time=None,
)
FEES_IN_MX = fill(
    "SELL", "0.5", "0.021", number=7, fee="0.001", fee_asset="MX", fee_value=d("0.0021"), is_maker=True
)


def stored(document: Any) -> Any:
    """The document as Redis gives it back."""
    return from_redis(to_redis(document), "key")


def kept(ledger: Ledger) -> Ledger:
    return ledger_of(stored(ledger_document(ledger, {})), "key")[0]


# Accounts


def test_the_account_document_keeps_every_asset_that_is_not_zero() -> None:
    balances = account_document(ACCOUNT, NOON)["balances"]
    assert balances == {
        "QRL": {"free": d("1000.5"), "locked": d(0), "total": d("1000.5")},
        "USDT": {"free": d("500.25"), "locked": d(10), "total": d("510.25")},
        "MX": {"free": d(0), "locked": d("0.1"), "total": d("0.1")},
    }


def test_the_account_document_has_the_specifications_fields() -> None:
    document = account_document(ACCOUNT, NOON)
    assert set(document) == {
        "success",
        "balances",
        "makerCommission",
        "takerCommission",
        "canTrade",
        "canWithdraw",
        "canDeposit",
        "updateTime",
        "accountType",
        "permissions",
        "timestamp",
        "cached",
    }
    assert (document["canTrade"], document["canWithdraw"], document["canDeposit"]) == (True, False, True)
    assert (document["success"], document["cached"], document["timestamp"]) == (True, False, NOON)
    assert (document["accountType"], document["permissions"]) == ("SPOT", ["SPOT"])


def test_a_null_in_the_account_stays_null_and_is_not_zero() -> None:
    document = stored(account_document(ACCOUNT, NOON))
    assert (document["makerCommission"], document["updateTime"]) == (None, None)
    assert document["takerCommission"] == 10


def test_the_position_hash_has_the_specifications_fields_as_text() -> None:
    assert to_hash(position_fields(ACCOUNT, QRL, NOON)) == {
        "qrl_balance": "1000.5",
        "usdt_balance": "500.25",
        "qrl_locked": "0",
        "usdt_locked": "10",
        "all_balances": to_redis(account_document(ACCOUNT, NOON)["balances"]),
        "account_type": "SPOT",
        "can_trade": "True",
        "can_withdraw": "False",
        "can_deposit": "True",
        "update_time": "",
        "permissions": '["SPOT"]',
        "maker_commission": "",
        "taker_commission": "10",
        "updated_at": "2026-01-02T12:00:00+00:00",
    }


def test_the_assets_in_field_names_follow_the_symbol() -> None:
    fields = position_fields(ACCOUNT, BTC, NOON)
    assert (fields["btc_balance"], fields["usdc_balance"], fields["usdc_locked"]) == (0, 0, 0)
    assert "qrl_balance" not in fields


@pytest.mark.parametrize("instrument", [QRL, Instrument("MX", "USDT"), BTC])
def test_holdings_read_back_from_the_position_hash_as_the_account_had_them(instrument: Instrument) -> None:
    fields = from_hash(to_hash(position_fields(ACCOUNT, instrument, NOON)), "key")
    assert holdings_of(fields, instrument, "key") == ACCOUNT.holdings(instrument, NOON)


def test_no_position_hash_means_no_holdings() -> None:
    assert holdings_of({}, QRL, "key") is None


@pytest.mark.parametrize("name", ["qrl_balance", "qrl_locked", "usdt_balance", "usdt_locked", "updated_at"])
@pytest.mark.parametrize("text", [None, "", "many", "NaN", "2026-01-02T12:00:00"])
def test_holdings_without_a_readable_number_or_moment_are_corrupt(name: str, text: str | None) -> None:
    fields = to_hash(position_fields(ACCOUNT, QRL, NOON))
    del fields[name]
    if text is not None:
        fields[name] = text
    with pytest.raises(StoreCorrupt, match="bot:QRLUSDT:position"):
        holdings_of(from_hash(fields, "bot:QRLUSDT:position"), QRL, "bot:QRLUSDT:position")


# Rules

BANDED = replace(
    rules(
        step="1",
        fee="0.0005",
        price_band_up=d("0.1"),
        market_max_notional=d(100000),
        closed=("ST",),
        market_orders=False,
    ),
    sides=(Side.SELL,),
)


@pytest.mark.parametrize("venue", [rules(), BANDED])
def test_trading_rules_read_back_from_the_cache_as_they_were(venue: Any) -> None:
    assert rules_of(loads(to_answer(rules_document(venue)))) == venue
    assert rules_of(stored(rules_document(venue))) == venue


@pytest.mark.parametrize("bad", ["many", None, [], {}, True])
@pytest.mark.parametrize("name", [name for name, value in rules_document(rules()).items() if value is not None])
def test_cached_rules_that_cannot_be_read_are_a_miss(name: str, bad: object) -> None:
    if (name, bad) in (("market_orders", True), ("sides", []), ("closed", [])):
        return
    document = rules_document(rules())
    assert rules_of(document | {name: bad}) is None
    del document[name]
    assert rules_of(document) is None


@pytest.mark.parametrize("document", [None, [], "x", 5, {}])
def test_what_are_no_cached_rules_is_a_miss(document: object) -> None:
    assert rules_of(document) is None


def test_a_side_or_a_band_nobody_knows_is_a_miss() -> None:
    assert rules_of(rules_document(rules()) | {"sides": ["BUY", "HODL"]}) is None
    assert rules_of(rules_document(rules()) | {"price_band_up": "wide"}) is None


@pytest.mark.parametrize("document", [None, [], {}, {"price": "many"}, {"price": None}, {"price": True}])
def test_a_stored_document_without_a_price_is_corrupt(document: object) -> None:
    with pytest.raises(StoreCorrupt, match="price:latest holds no price"):
        price_in(document, "price:latest")


# Fills


@pytest.mark.parametrize("each", [fill("BUY", "1000.5", "0.02"), FEES_IN_MX, replace(FEES_IN_MX, order_id="123")])
def test_a_fill_reads_back_as_it_was(each: Fill) -> None:
    assert fill_of(stored(fill_document(each))) == each


def test_a_fill_reads_back_from_a_log_line_where_whole_amounts_lost_their_point() -> None:
    each = fill("BUY", 1000, 2, fee="1")
    again = fill_of(loads(to_answer(fill_document(each))))
    assert again == each
    assert isinstance(again.quantity, Decimal)


def test_a_fee_in_an_asset_that_is_named_like_a_number_reads_back() -> None:
    each = fill("BUY", 1, 1, fee="0.1", fee_asset="4")
    assert fill_of(stored(fill_document(each))) == each


BROKEN_FILLS: dict[str, tuple[object, ...]] = {
    "fill_id": (5, None),
    "side": ("HODL", None, 5),
    "price": ("many", None, True, [], {}),
    "quantity": ("many", None),
    "notional": ("many", None),
    "fee": ("many", None),
    "fee_asset": (None, []),
    "fee_value": ("many",),
    "executed_at": ("soon", None, 5, "2026-01-02T12:00:00"),
}


@pytest.mark.parametrize("name", Fill.__slots__)
def test_a_fill_that_lacks_a_field_or_has_it_unreadable_is_corrupt(name: str) -> None:
    document = stored(fill_document(FEES_IN_MX))
    for bad in BROKEN_FILLS.get(name, ()):
        with pytest.raises(StoreCorrupt, match="fills is not a fill"):
            fill_of(document | {name: bad}, "fills")
    del document[name]
    with pytest.raises(StoreCorrupt, match="fills is not a fill"):
        fill_of(document, "fills")


# The ledger


def ledger() -> Ledger:
    first = unread_ledger(opening=7)
    sealed = [fill("BUY", 100, 1, fee="1", fee_asset="QRL"), fill("SELL", 50, 3, number=2, fee="1", fee_asset="MX")]
    then = first.absorb(sealed, NOON + 2 * HOUR, QRL).ledger
    tail = (replace(FEES_IN_MX, executed_at=NOON + 2 * HOUR),)
    return replace(then.absorb(tail, NOON + 2 * HOUR, QRL).ledger, gaps=(Gap(NOON - HOUR, NOON),))


def test_the_ledger_reads_back_as_it_was_with_its_place_gaps_and_tail() -> None:
    known = ledger()
    assert known.tail
    assert known.sealed.unvalued_fees == {"MX": 1}
    again, fifo = ledger_of(stored(ledger_document(known, {"open_lots": 3})), "key")
    assert again == known
    assert fifo == {"open_lots": 3}


@PROPERTY
@given(fill_lists(), amounts(4, 0), st.integers(0, 20))
def test_a_ledger_that_was_stored_between_two_runs_goes_on_to_the_last_digit(
    fills: list[Fill], opening: Decimal, cut: int
) -> None:
    start = unread_ledger(opening=opening)
    fills.sort(key=lambda each: each.order_key)
    before = kept(start.absorb(fills[:cut], NOON, QRL).ledger)
    after = kept(before.absorb(fills[cut:], NOON + 3 * HOUR, QRL).ledger)
    assert after.position(QRL) == Position(unknown_quantity=opening).fold(fills, QRL)


def paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where every field of a document is."""
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [found for name, inner in items for found in ((*path, name), *paths(inner, (*path, name)))]


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


LEDGER = stored(ledger_document(ledger(), {"open_lots": 1}))
OPTIONAL = ("client_order_id", "fee_value", "is_maker")
LEDGER_PATHS = [path for path in paths(LEDGER) if path[0] != "fifo"]


@pytest.mark.parametrize("path", [path for path in LEDGER_PATHS if isinstance(path[-1], str)])
def test_a_ledger_that_lacks_a_field_is_corrupt_and_not_filled_up_with_zeros(path: tuple[str | int, ...]) -> None:
    if path[-1] == "MX":
        return
    with pytest.raises(StoreCorrupt, match="bot:QRLUSDT:ledger is not a"):
        ledger_of(changed(LEDGER, path), "bot:QRLUSDT:ledger")


@pytest.mark.parametrize("path", [path for path in LEDGER_PATHS if path[-1] not in OPTIONAL])
@pytest.mark.parametrize("bad", [None, True, 5.5])
def test_a_ledger_with_an_unreadable_field_is_corrupt(path: tuple[str | int, ...], bad: object) -> None:
    with pytest.raises(StoreCorrupt, match="bot:QRLUSDT:ledger is not a"):
        ledger_of(changed(LEDGER, path, bad), "bot:QRLUSDT:ledger")


@pytest.mark.parametrize("name", [name for name in LEDGER["sealed"] if name != "unvalued_fees"])
def test_a_ledger_with_a_word_for_an_amount_is_corrupt(name: str) -> None:
    with pytest.raises(StoreCorrupt, match="ledger is not a ledger: TypeError"):
        ledger_of(changed(LEDGER, ("sealed", name), "many"), "ledger")


@pytest.mark.parametrize("name", ["sealed_until", "place"])
def test_a_ledger_whose_place_has_no_time_zone_is_corrupt(name: str) -> None:
    with pytest.raises(StoreCorrupt):
        ledger_of(LEDGER | {name: "2026-01-02T12:00:00"}, "ledger")


@pytest.mark.parametrize("document", [None, [], "x", 5, {}])
def test_what_is_no_ledger_is_corrupt(document: object) -> None:
    with pytest.raises(StoreCorrupt, match="bot:QRLUSDT:ledger is not a ledger"):
        ledger_of(document, "bot:QRLUSDT:ledger")


# FIFO lots

FIFO = FifoView((Lot(d(100), d("200.5")), Lot(d("0.0001"), d("0.00000001"))), d("-3.5"))


@pytest.mark.parametrize("view", [FIFO, FifoView()])
def test_lots_read_back_as_they_were(view: FifoView) -> None:
    assert lots_of(stored(lots_document(view)), "key") == view


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"lots": []},
        {"realized_pnl": d(1)},
        {"realized_pnl": None, "lots": []},
        {"realized_pnl": "many", "lots": []},
        {"realized_pnl": d(1), "lots": None},
        {"realized_pnl": d(1), "lots": [[d(1)]]},
        {"realized_pnl": d(1), "lots": [[d(1), "many"]]},
        {"realized_pnl": d(1), "lots": [[d(1), d(2), d(3)]]},
    ],
)
def test_lots_that_cannot_be_read_are_corrupt(document: object) -> None:
    with pytest.raises(StoreCorrupt, match="bot:QRLUSDT:ledger:lots is not a record of FIFO lots"):
        lots_of(document, "bot:QRLUSDT:ledger:lots")


def test_the_summary_of_the_lots_has_their_sums_and_no_average_of_nothing() -> None:
    assert fifo_summary(FifoView((Lot(d(100), d(200)), Lot(d(100), d(400))), d(5))) == {
        "quantity": 200,
        "avg_cost": 3,
        "total_invested": 600,
        "realized_pnl": 5,
        "open_lots": 2,
    }
    assert fifo_summary(FifoView())["avg_cost"] is None


# The inception

INCEPTION = Inception(NOON, d("1000.5"), d(500), d("0.0205"), Moved(d(10), d(-20), d("0.1"), d("0.2")))


@pytest.mark.parametrize("instrument", [QRL, BTC])
def test_the_inception_reads_back_as_it_was(instrument: Instrument) -> None:
    document = inception_document(INCEPTION, instrument)
    assert inception_of(stored(document), instrument, "key") == INCEPTION
    assert inception_of(loads(to_answer(document)), instrument, "the journal") == INCEPTION
    assert f"{instrument.base.lower()}_quantity" in document


RECORD = stored(inception_document(INCEPTION, QRL))


@pytest.mark.parametrize("path", paths(RECORD))
@pytest.mark.parametrize("bad", [..., None, "many", True])
def test_an_inception_that_cannot_be_read_is_corrupt(path: tuple[str | int, ...], bad: object) -> None:
    with pytest.raises(StoreCorrupt, match="bot:QRLUSDT:inception is not the record of the inception"):
        inception_of(changed(RECORD, path, bad), QRL, "bot:QRLUSDT:inception")


def test_an_inception_of_another_pair_is_corrupt() -> None:
    with pytest.raises(StoreCorrupt):
        inception_of(RECORD, BTC, "bot:BTCUSDC:inception")


def test_a_comparison_is_told_with_the_day_it_counts_from() -> None:
    comparison = Comparison(d("225.00"), d(200), d("25.00"), d("26"), d(1), d(0))
    assert comparison_document(comparison, INCEPTION) == {
        "since": NOON,
        "value": 225,
        "held_value": 200,
        "difference": 25,
        "price_moves": 26,
        "fees": 1,
        "flows": 0,
    }
