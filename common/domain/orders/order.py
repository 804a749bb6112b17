"""What was decided (OrderIntent), what the exchange knows (Order), what executed (Fill)."""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from common.decimals import ZERO, exact
from common.domain.instrument import Side

_OURS = "rb"
_OUR_ID = re.compile(rf"{_OURS}\d{{12}}[BS][0-9a-f]{{14}}")


class OrderStatus(StrEnum):
    """The exchange's states (exchange.md §4.4); what it may add one day reads as UNKNOWN, which is not final."""

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


class OrderStyle(StrEnum):
    """How a rebalance is executed; the values are the setting's, `order_type` the exchange's word."""

    IOC = "ioc"
    MAKER = "maker"
    MARKET = "market"

    @property
    def order_type(self) -> str:
        return {"ioc": "IMMEDIATE_OR_CANCEL", "maker": "LIMIT_MAKER", "market": "MARKET"}[self.value]


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """What was decided to be ordered; `limit_price` is None for a market order, `notional` in the quote asset.

    `mid_price` is the order book's when it was decided (contract.md §13), None where an older record has none.
    """

    client_order_id: str
    slot: datetime
    side: Side
    style: OrderStyle
    quantity: Decimal
    limit_price: Decimal | None
    notional: Decimal
    mid_price: Decimal | None = None


class IntentState(StrEnum):
    """Where an intent stands. SENT is recorded before the order leaves, so PLANNED means: never sent."""

    PLANNED = "PLANNED"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    FILLED = "FILLED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"

    @property
    def open(self) -> bool:
        return self in (IntentState.PLANNED, IntentState.SENT, IntentState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """An intent's record: where it stands, and what the exchange has told of it so far."""

    intent: OrderIntent
    state: IntentState
    planned_at: datetime
    updated_at: datetime
    sent_at: datetime | None = None
    order_id: str | None = None
    filled_quantity: Decimal = ZERO
    filled_notional: Decimal = ZERO
    reason: str | None = None

    @classmethod
    def planned(cls, intent: OrderIntent, now: datetime) -> "JournalEntry":
        return cls(intent, IntentState.PLANNED, now, now)

    @classmethod
    @exact
    def found(
        cls, order: Order, client_id: str, slot: datetime, style: OrderStyle, now: datetime
    ) -> "JournalEntry":
        """An order of ours that the exchange knows and the journal had lost."""
        notional = order.quantity * order.limit_price
        intent = OrderIntent(client_id, slot, order.side, style, order.quantity, order.limit_price, notional)
        return cls(intent, IntentState.SENT, slot, now, slot).with_order(order, now)

    def sent(self, now: datetime) -> "JournalEntry":
        return replace(self, state=IntentState.SENT, sent_at=now, updated_at=now)

    def unknown(self, reason: str, now: datetime) -> "JournalEntry":
        return replace(self, state=IntentState.UNKNOWN, reason=reason, updated_at=now)

    def ended(self, state: IntentState, reason: str, now: datetime) -> "JournalEntry":
        return replace(self, state=state, reason=reason, updated_at=now)

    def with_order(self, order: Order, now: datetime) -> "JournalEntry":
        """What the exchange says of it now; an order that it knows was sent, whatever the record says."""
        return replace(
            self,
            state=state_of(order),
            sent_at=self.sent_at or self.planned_at,
            order_id=order.order_id,
            filled_quantity=order.filled_quantity,
            filled_notional=order.filled_notional,
            reason=None,
            updated_at=now,
        )


@dataclass(frozen=True, slots=True)
class Continuity:
    """Which Redis the orders are recorded in, since when, and whether lost ones were searched for since."""

    instance_id: str
    since: datetime
    searched: bool


def state_of(order: Order) -> IntentState:
    """The intent's state after the exchange's; what executed decides, not the name of the status (4.4)."""
    if not order.status.final:
        return IntentState.SENT
    if order.filled_quantity <= 0:
        return IntentState.CANCELED
    return IntentState.FILLED if order.filled_quantity >= order.quantity else IntentState.PARTIALLY_FILLED


def client_order_id(symbol: str, slot: datetime, side: Side) -> str:
    """The id of the one order a slot may place: a pure function, at most 32 letters and digits (exchange.md §4.2).

    `slot` is the scheduled minute, UTC.
    """
    minute = slot.astimezone(UTC).strftime("%Y%m%d%H%M")
    digest = hashlib.sha256(f"{symbol}:{minute}:{side}".encode()).hexdigest()
    return f"{_OURS}{minute}{side[0]}{digest[:14]}"


def slot_in(client_id: str) -> datetime:
    """The slot that an id of ours was made for."""
    return datetime.strptime(client_id[len(_OURS) :][:12], "%Y%m%d%H%M").replace(tzinfo=UTC)


def is_ours(client_id: str | None) -> bool:
    """Whether a client order id has the shape of this bot's own."""
    return client_id is not None and _OUR_ID.fullmatch(client_id) is not None
