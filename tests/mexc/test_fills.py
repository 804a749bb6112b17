"""myTrades row by row: what can be left open is, what money rests on is not guessed, and no row costs another."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from common.clock import milliseconds
from common.decimal_json import to_redis
from common.domain.instrument import Side
from common.domain.orders.order import FEE_UNKNOWN, NOTIONAL_DERIVED, Fill
from common.errors import UnreadablePayload
from common.mexc.fills import FillPage, read_fills
from common.store.codec import to_document
from tests.builders import d, fill_payload
from tests.fakes import NOON
from tests.mexc.test_parse import recorded

GOOD = fill_payload("BUY", "10", "2", number=1)


def page(*rows: Any) -> FillPage:
    return read_fills(list(rows), "QRLUSDT", NOON)


def only(**changed: Any) -> Fill:
    (fill,) = page(GOOD | changed).fills
    return fill


def test_a_live_fill_is_read() -> None:
    (fill,) = read_fills(recorded("myTrades_buy.live-fusd-2025"), "FUSDUSDT", NOON).fills
    assert (fill.fill_id, fill.order_id) == ("565809460614950913X1", "C02__565809460614950913036")
    assert (fill.side, fill.price, fill.quantity, fill.notional) == (Side.BUY, d(1), d(3), d(3))
    assert (fill.fee, fill.fee_asset, fill.is_maker) == (d("0.0015"), "USDT", False)
    assert fill.executed_at == datetime(2025, 6, 23, 12, 28, 44, tzinfo=UTC)


def test_a_live_sale_is_read() -> None:
    (fill,) = read_fills(recorded("myTrades_sell.ccxt"), "ATLASUSDT", NOON).fills
    assert (fill.side, fill.notional, fill.fee) == (Side.SELL, d("5.54124"), d(0))


@pytest.mark.parametrize("value", ["C02__1", 1, 2**70])
def test_ids_are_text_also_where_they_are_printed_as_numbers(value: Any) -> None:
    assert (only(id=value).fill_id, only(orderId=value).order_id) == (str(value), str(value))


@pytest.mark.parametrize("missing", [{"commission": None}, {"commission": ""}, {"commissionAsset": None}])
def test_a_fee_that_was_not_told_is_unknown_and_no_zero(missing: dict[str, Any]) -> None:
    fill = only(**missing)
    assert (fill.fee, fill.fee_asset, fill.remarks) == (d(0), "unknown", (FEE_UNKNOWN,))


def test_a_rebate_is_a_negative_fee() -> None:
    assert only(commission="-0.01").fee == d("-0.01")


@pytest.mark.parametrize("value", [None, "", "0", "0E-8"])
def test_a_notional_that_was_not_told_is_price_times_quantity_and_says_so(value: Any) -> None:
    fill = only(quoteQty=value, price="0.123456789012345678", qty="1.123456789012345678")
    assert fill.notional == Decimal("0.138698367765584514527968299765279684")
    assert fill.remarks == (NOTIONAL_DERIVED,)


@pytest.mark.parametrize("value", ["0.138698", "0.14", "1.4e-1"])
def test_a_notional_may_be_rounded_to_what_the_exchange_prints(value: str) -> None:
    assert only(quoteQty=value, price="0.123456789012345678", qty="1.123456789012345678").notional == d(value)


def test_a_fee_is_held_against_what_was_traded_in_its_own_asset() -> None:
    """10 QRL for 20 USDT: 19.99 of either is dear, 15 QRL are more than there were, MX cannot be compared."""
    for fee, asset in (("19.99", "USDT"), ("-19.99", "USDT"), ("9.99", "QRL"), ("500", "MX"), ("0", "usdt")):
        assert only(commission=fee, commissionAsset=asset).fee == d(fee)
    (odd,) = page(GOOD | {"commission": "15", "commissionAsset": "QRL"}).odd
    assert odd.reason == "commission: 15 QRL of 10 that were traded"
    (derived,) = page(GOOD | {"commission": "20", "quoteQty": None}).odd
    assert derived.reason == "commission: 20 USDT of 20 that were traded"


def test_a_row_without_a_quantity_is_left_out_and_told() -> None:
    found = page(GOOD, GOOD | {"id": "2X1", "qty": "0"})
    assert [fill.fill_id for fill in found.fills] == ["1X1"]
    assert found.left_out == ((NOON, "myTrades: 2X1 has quantity 0"),)
    assert (found.odd, found.rows) == ((), 2)


ODD: dict[str, list[Any]] = {
    "isBuyer": [None, "perhaps", 7],
    "price": [None, "NaN", "-1", "0", 0.5, "abc", []],
    "qty": [None, "NaN", "-1", "", {}],
    "quoteQty": ["NaN", "-1", "abc", "1e30", "0.0003"],
    "commission": ["abc", "NaN", [], "20", "20.1", "1000", "-20"],
    "commissionAsset": ["usdt", " USDT", "\uff35\uff33\uff24\uff34", "qrl", "QRL\u200b", "\ud800", []],
    "clientOrderId": ["\ud800", 7],
    "time": [None, "noon", -1, 10**15],
    "orderId": [None, "", "\ud800"],
    "id": [None, "", [], "2X1\udfff"],
    "symbol": [None, "BTCUSDT", "QRLUSDT\ud800"],
}


def test_what_money_rests_on_is_not_guessed_and_costs_no_other_row() -> None:
    wrong: list[Any] = []
    for field, values in ODD.items():
        for value in values:
            found = page(GOOD | {"id": "2X1", "commission": "0.01", field: value}, GOOD)
            if len(found.odd) != 1 or field not in found.odd[0].reason or len(found.fills) != 1:
                wrong.append((field, value, found.odd))
            for odd in found.odd:
                to_redis(to_document(odd))  # or it raises
            if field != "id" and found.odd and found.odd[0].fill_id != "2X1":
                wrong.append((field, value, found.odd[0].fill_id))
    assert wrong == []


def test_a_field_that_is_not_there_is_the_same_as_null() -> None:
    needed = []
    for name in GOOD:
        row = {field: value for field, value in GOOD.items() if field != name}
        needed += [name] if page(row).odd else []
    assert needed == ["symbol", "id", "orderId", "price", "qty", "time", "isBuyer"]


@pytest.mark.parametrize("row", [None, 7, "x", [], {}])
def test_a_row_that_is_no_row_is_odd_under_a_name_of_its_own(row: Any) -> None:
    (odd,) = page(row).odd
    assert odd.fill_id.startswith("row-")
    assert page(row).odd == page(row).odd


def test_an_odd_row_is_kept_as_it_came() -> None:
    (odd,) = page(GOOD | {"isBuyer": None, "price": "0.020"}).odd
    assert '"isBuyer":null' in odd.row
    assert '"price":"0.020"' in odd.row
    assert odd.seen_at == NOON


@pytest.mark.parametrize(("seconds", "odd"), [(60, 0), (61, 1), (10 * 365 * 86_400, 1)])
def test_a_fill_that_is_still_to_come_is_odd(seconds: int, odd: int) -> None:
    """One in the future would never be sealed."""
    found = page(GOOD | {"time": milliseconds(NOON) + seconds * 1000}).odd
    assert (len(found), [each.reason[-16:] for each in found]) == (odd, [" is still to come"[1:]] * odd)


def test_unknown_fields_are_ignored() -> None:
    assert page(GOOD | {"tax": "0"}) == page(GOOD)


@pytest.mark.parametrize("payload", [{}, None, "x", {"code": 1}])
def test_an_answer_that_is_no_list_is_no_page(payload: Any) -> None:
    with pytest.raises(UnreadablePayload, match="myTrades: the answer is no list"):
        read_fills(payload, "QRLUSDT", NOON)
