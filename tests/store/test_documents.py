"""The documents that carry the contract's names: how they are written, read back and shown."""

from dataclasses import replace

import pytest

from common.decimal_json import loads, to_hash, to_redis
from common.domain.instrument import Instrument
from common.domain.orders.journal import JournalEntry
from common.domain.performance.benchmark import Comparison
from common.errors import StoreCorrupt
from common.store.documents import (
    account_document,
    comparison_document,
    holdings_of,
    order_report,
    position_fields,
    shown,
    shown_hash,
)
from tests.builders import QRL, d
from tests.fakes import NOON
from tests.store.test_written import ACCOUNT, BTC, FILLED, INCEPTION, INTENT, read_back

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
    document = shown(loads(to_redis(account_document(ACCOUNT, NOON))))
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
    fields = to_hash(position_fields(ACCOUNT, instrument, NOON))
    assert holdings_of(fields, instrument, "key") == ACCOUNT.holdings(instrument, NOON)
    assert holdings_of({}, instrument, "key") is None


def test_holdings_without_a_readable_number_or_moment_are_corrupt() -> None:
    fields = to_hash(position_fields(ACCOUNT, QRL, NOON))
    for name in ("qrl_balance", "qrl_locked", "usdt_balance", "usdt_locked", "updated_at"):
        rest = {other: text for other, text in fields.items() if other != name}
        for spoilt in (rest, *(rest | {name: text} for text in ("", "many", "NaN", "2026-01-02T12:00:00"))):
            with pytest.raises(StoreCorrupt, match=r"^bot:QRLUSDT:position cannot be read"):
                holdings_of(spoilt, QRL, "bot:QRLUSDT:position")


# Orders


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


# Showing what was stored


def test_every_document_is_shown_with_amounts_as_numbers_and_texts_as_texts_whatever_they_look_like() -> None:
    entry = replace(FILLED, order_id="123", reason="2", intent=replace(INTENT, client_order_id="456"))
    held = shown(read_back("plan")) | {"reason": "7"}
    held["checks"][0]["explanation"] = "1.5"
    named = replace(ACCOUNT, account_type="4", permissions=("5",))
    for document in (order_report(entry, QRL), held, account_document(named, NOON)):
        again = shown(loads(to_redis(document)))
        for moment in ("timestamp", "sent_at"):
            if moment in document:
                document[moment] = str(document[moment]).replace(" ", "T")
        assert again == document
        assert to_redis(again) == to_redis(document)


def test_the_fields_of_a_hash_are_shown_as_what_they_were() -> None:
    fields = {"avg_cost": d("0.02"), "none": None, "may": True, "fees": {"usdt": d(1)}, "reason": "2", "gaps": [1]}
    assert shown_hash(to_hash(fields), "key") == fields
    with pytest.raises(StoreCorrupt, match=r"^bot:QRLUSDT:cost:fees does not hold valid JSON"):
        shown_hash({"fees": "{"}, "bot:QRLUSDT:cost")


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
