"""allOrders row by row: one order that cannot be read is no reason to know nothing of the others."""

import logging
from typing import NamedTuple

from common.domain.orders.order import Order, is_ours
from common.errors import UnreadablePayload
from common.mexc.odd_rows import id_in, name_of
from common.mexc.parse import read_order

log = logging.getLogger(__name__)


class OddOrder(NamedTuple):
    """A row that cannot be read and may be an order of ours.

    `name` is the exchange's order id, or one made of the row's text; `client_order_id` is None where it has none.
    """

    name: str
    client_order_id: str | None
    fault: str

    def __str__(self) -> str:
        ours = f", {self.client_order_id}" if self.client_order_id else ""
        return f"{self.name}{ours} ({self.fault})"


class OrderPage(NamedTuple):
    orders: tuple[Order, ...]
    odd: tuple[OddOrder, ...] = ()


def read_order_history(payload: object, symbol: str) -> OrderPage:
    """Raises UnreadablePayload when the answer is no list. Unreadable orders of somebody else are left out."""
    if not isinstance(payload, list):
        raise UnreadablePayload("allOrders: the answer is no list")
    orders, odd = [], []
    for row in payload:
        try:
            orders.append(read_order(row, symbol))
        except UnreadablePayload as error:
            fault = str(error).removeprefix("order: ")
            name = id_in(row, "origClientOrderId") or id_in(row, "clientOrderId")
            if name is None or is_ours(name):
                odd.append(OddOrder(name_of(row, "orderId"), name, fault))
            else:
                log.warning("allOrders: the order %s of somebody else is left out: %s", name[:40], fault)
    return OrderPage(tuple(orders), tuple(odd))
