"""allOrders row by row: what cannot be read and may be ours is named, and costs no other row."""

from typing import Any

import pytest

from common.errors import UnreadablePayload
from common.mexc.order_history import OddOrder, OrderPage, read_order_history
from tests.builders import order_payload

OURS = "rb202601021200S0123456789abcd"


def page(*rows: Any) -> OrderPage:
    return read_order_history(list(rows), "QRLUSDT")


@pytest.mark.parametrize(
    ("row", "odd"),
    [
        (
            order_payload(orderId="C02__7", clientOrderId=OURS, executedQty="many"),
            OddOrder("C02__7", OURS, "executedQty: Value error, amount is not a decimal number: 'many'"),
        ),
        (
            order_payload(orderId=7, clientOrderId=None, side=None),
            OddOrder("7", None, "side: Input should be 'BUY' or 'SELL'"),
        ),
        (
            order_payload(orderId="C02__7", clientOrderId=OURS, origQty="1", executedQty="2"),
            OddOrder("C02__7", OURS, "executedQty 2 is more than was ordered"),
        ),
        ("order", None),
        ({"orderId": "\ud800", "clientOrderId": None}, None),
    ],
)
def test_an_unreadable_row_that_may_be_ours_is_named_and_the_others_are_read(
    row: Any, odd: OddOrder | None
) -> None:
    read = page(row, order_payload())
    assert [order.order_id for order in read.orders] == ["C02__1"]
    (found,) = read.odd
    if odd is None:
        assert (found.name.startswith("row-"), found.client_order_id) == (True, None)
        assert page(row).odd == read.odd
    else:
        assert found == odd


def test_an_unreadable_order_of_somebody_else_is_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    assert page(order_payload(clientOrderId="web-1", price="market")) == OrderPage(())
    assert "allOrders: the order web-1 of somebody else is left out: price:" in caplog.text


@pytest.mark.parametrize("payload", [{}, None, "x"])
def test_an_answer_that_is_no_list_is_refused(payload: Any) -> None:
    with pytest.raises(UnreadablePayload, match="allOrders: the answer is no list"):
        read_order_history(payload, "QRLUSDT")
