"""What was decided (OrderIntent), what the exchange knows (Order), what executed (Fill)."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from common.domain.decimals import ZERO
from common.domain.instrument import Side


class OrderStatus(StrEnum):
    """The exchange's states (mexc-api.md 4.4); what it may add one day reads as UNKNOWN, which is not final."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    PARTIALLY_CANCELED = "PARTIALLY_CANCELED"
    UNKNOWN = "UNKNOWN"

    @property
    def final(self) -> bool:
        return self in (OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.PARTIALLY_CANCELED)


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


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. `notional` and `fee_value` are in the quote asset.

    `fee_value` is what a fee in a third asset (MX) was worth when it was taken, None when nobody knows.
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

    @property
    def order_key(self) -> tuple[datetime, str]:
        """The ledger's order: the exchange documents none, and many fills share a second."""
        return self.executed_at, self.fill_id

    def fee_in(self, asset: str) -> Decimal:
        return self.fee if self.fee_asset == asset else ZERO


def client_order_id(symbol: str, slot: datetime, side: Side, attempt: int = 0) -> str:
    """The id of the one order a slot may place: a pure function, at most 32 letters and digits (mexc-api.md 4.2).

    `slot` is the scheduled minute, UTC. `attempt` tells a corrected order (other decimals, after the
    exchange's definite no) from the refused one.
    """
    minute = slot.astimezone(UTC).strftime("%Y%m%d%H%M")
    digest = hashlib.sha256(f"{symbol}:{minute}:{side}:{attempt}".encode()).hexdigest()
    return f"rb{minute}{side[0]}{attempt}{digest[:14]}"
