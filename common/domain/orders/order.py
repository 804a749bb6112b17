"""What was decided (OrderIntent), what the exchange knows (Order), what executed (Fill)."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from common.decimals import ZERO, Price
from common.domain.instrument import Side

_OURS = "rb"
_OUR_ID = re.compile(rf"{_OURS}\d{{12}}[BS][0-9a-f]{{14}}")


class OrderStatus(StrEnum):
    """The exchange's states (exchange.md §4.4); a state that it may add reads as UNKNOWN, which is not final."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    PARTIALLY_CANCELED = "PARTIALLY_CANCELED"
    UNKNOWN = "UNKNOWN"

    @property
    def final(self) -> bool:
        return self in (OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.PARTIALLY_CANCELED)


class OrderStyle(StrEnum):
    """How a rebalance is executed; the values are those of the setting, `order_type` is the exchange's word."""

    IOC = "ioc"
    MAKER = "maker"
    MARKET = "market"

    @property
    def order_type(self) -> str:
        return {"ioc": "IMMEDIATE_OR_CANCEL", "maker": "LIMIT_MAKER", "market": "MARKET"}[self.value]


@dataclass(frozen=True, slots=True)
class Order:
    order_id: str
    client_order_id: str | None
    side: Side
    limit_price: Decimal
    quantity: Decimal
    filled_quantity: Decimal
    filled_notional: Decimal
    status: OrderStatus
    created_at: datetime | None = None
    style: OrderStyle | None = None
    """None for a type that the bot never places."""


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. `notional` and `fee_value` are in the quote asset.

    `fee_value` is what a fee in a third asset (MX) was worth when it was taken, None when unknown;
    `fee_pending` says that it may be known later. `mid_price` is the order book's when the order was decided,
    `ordered_at` when it was placed: both None where unknown. `remarks` say what was derived, not reported.
    """

    fill_id: str
    order_id: str
    client_order_id: str | None
    side: Side
    price: Decimal
    quantity: Decimal
    notional: Decimal
    fee: Decimal
    fee_asset: str
    executed_at: datetime
    is_maker: bool = False
    fee_value: Decimal | None = None
    fee_pending: bool = False
    mid_price: Price | None = None
    ordered_at: datetime | None = None
    remarks: tuple[str, ...] = ()

    def fee_in(self, asset: str) -> Decimal:
        return self.fee if self.fee_asset == asset else ZERO


FEE_UNKNOWN = "fee unknown"
NOTIONAL_DERIVED = "notional derived"
SUMMED = "summed"
"""Remarks: what the exchange did not report of a fill, and that one stands for many of one order and second."""


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """The order to place; `limit_price` is None for a market order, `notional` is in the quote asset.

    `mid_price` is the order book's at the decision (contract.md §13), None in older records.
    """

    client_order_id: str
    slot: datetime
    side: Side
    style: OrderStyle
    quantity: Decimal
    limit_price: Decimal | None
    notional: Decimal
    mid_price: Price | None = None


def client_order_id(symbol: str, slot: datetime, side: Side) -> str:
    """The id of the one order a slot may place: a pure function, at most 32 letters and digits (exchange.md §4.2).

    `slot` is the scheduled minute, UTC.
    """
    minute = _minute(slot)
    digest = hashlib.sha256(f"{symbol}:{minute}:{side}".encode()).hexdigest()
    return f"{_OURS}{minute}{side[0]}{digest[:14]}"


def first_id(slot: datetime) -> str:
    """The text before which no id of this slot or a later one sorts: ids begin with their minute."""
    return f"{_OURS}{_minute(slot)}"


def _minute(slot: datetime) -> str:
    return slot.astimezone(UTC).strftime("%Y%m%d%H%M")


def slot_in(client_id: str | None) -> datetime | None:
    """The slot that an id of ours was made for; None for an id of somebody else."""
    if client_id is None or _OUR_ID.fullmatch(client_id) is None:
        return None
    try:
        return datetime.strptime(client_id[len(_OURS) :][:12], "%Y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError:
        return None


def is_ours(client_id: str | None) -> bool:
    """Whether a client order id is one that this bot makes."""
    return slot_in(client_id) is not None
