"""The order journal: every intent and its outcome; how much was ordered is a fold over its last two days."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from common.decimals import ZERO, exact
from common.domain.orders.order import Order, OrderIntent, OrderStatus, OrderStyle
from common.domain.slots import CLOCKS_APART

RECENT = timedelta(days=2)
"""How far back orders are counted: the UTC day, and the one before for runs that come late."""


class IntentState(StrEnum):
    """The state of an intent. SENT is recorded before the order leaves.

    PLANNED was never sent as far as Redis knows, which may have lost that write: the exchange is asked anyway.

    RESTING waits in the book, by intent, for a later run to see what became of it (contract.md §12).
    """

    PLANNED = "PLANNED"
    SENT = "SENT"
    RESTING = "RESTING"
    UNKNOWN = "UNKNOWN"
    FILLED = "FILLED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"

    @property
    def open(self) -> bool:
        """Whether its outcome is still to be asked for."""
        return self in (IntentState.PLANNED, IntentState.SENT, IntentState.RESTING, IntentState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """An intent's record: its state, and what the exchange has reported of it so far.

    With an `order_id` the exchange has acknowledged it: whatever it reports later, the order was accepted.
    """

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
    def lost(cls, order: Order, client_id: str, slot: datetime, style: OrderStyle, now: datetime) -> "JournalEntry":
        """An order of ours that the exchange knows and the journal had lost; sent when the exchange accepted it."""
        notional = order.quantity * order.limit_price
        intent = OrderIntent(client_id, slot, order.side, style, order.quantity, order.limit_price, notional)
        # A time before its slot or in the future is not used: the cooldown would last for ever, or never start.
        taken_at = order.created_at
        if taken_at is None or not slot - CLOCKS_APART <= taken_at <= now + CLOCKS_APART:
            taken_at = min(slot, now)
        return cls(intent, IntentState.SENT, taken_at, now, taken_at).with_order(order, now)

    @property
    def counts(self) -> bool:
        """Whether it has traded or still may: an order that filled nothing counts only against placements."""
        return self.sent_at is not None and (self.filled_quantity > 0 or self.state.open)

    def sent(self, now: datetime) -> "JournalEntry":
        return replace(self, state=IntentState.SENT, sent_at=now, updated_at=now)

    def acknowledged(self, order_id: str, now: datetime) -> "JournalEntry":
        return replace(self, order_id=order_id, updated_at=now)

    def unknown(self, reason: str, now: datetime) -> "JournalEntry":
        return replace(self, state=IntentState.UNKNOWN, reason=reason, updated_at=now)

    def ended(self, state: IntentState, reason: str, now: datetime) -> "JournalEntry":
        return replace(self, state=state, reason=reason, updated_at=now)

    def with_order(self, order: Order, now: datetime) -> "JournalEntry":
        """Record what the exchange says of it now; an order that it knows was sent, whatever the record says."""
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

    def resting(self, order: Order, now: datetime) -> "JournalEntry":
        """Left in the book on purpose, with what has filled so far."""
        known = self.with_order(order, now)
        waits = order.status in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)
        return replace(known, state=IntentState.RESTING) if waits else known

    def closed_with(self, quantity: Decimal, notional: Decimal, reason: str, now: datetime) -> "JournalEntry":
        """Closed by something other than the exchange's report on the order: its fills, or an operator."""
        filled = IntentState.FILLED if quantity >= self.intent.quantity else IntentState.PARTIALLY_FILLED
        state = filled if quantity > 0 else IntentState.CANCELED
        return replace(
            self, state=state, filled_quantity=quantity, filled_notional=notional, reason=reason, updated_at=now
        )


@dataclass(frozen=True, slots=True)
class Activity:
    """What was ordered so far: orders and placements of the UTC day, the last order that counts, the last slot."""

    orders: int = 0
    placements: int = 0
    pnl_at_start: Decimal | None = None
    last_order_at: datetime | None = None
    last_slot: datetime | None = None


@dataclass(frozen=True, slots=True)
class DayStart:
    """The total P&L at the start of a UTC day, None where unknown: a day's loss is measured against it."""

    day: date
    pnl_at_start: Decimal | None

    def on(self, now: datetime, total_pnl: Decimal | None) -> "DayStart":
        """The day of `now`, started with the current P&L if it is a new one; a clock that goes back starts none."""
        if now.date() > self.day:
            return DayStart(now.date(), total_pnl)
        return self if self.pnl_at_start is not None else replace(self, pnl_at_start=total_pnl)


@dataclass(frozen=True, slots=True)
class Journal:
    """The intents of the last two days and those still open, by client order id."""

    entries: Mapping[str, JournalEntry] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[JournalEntry]) -> "Journal":
        return cls({entry.intent.client_order_id: entry for entry in entries})

    def with_entry(self, entry: JournalEntry) -> "Journal":
        return Journal({**self.entries, entry.intent.client_order_id: entry})

    def activity(self, now: datetime, pnl_at_start: Decimal | None = None) -> Activity:
        """The fold: an order belongs to the UTC day in which it was sent."""
        sent = [(entry.sent_at, entry) for entry in self.entries.values() if entry.sent_at is not None]
        today = [entry for sent_at, entry in sent if sent_at.date() == now.date()]
        return Activity(
            orders=sum(1 for entry in today if entry.counts),
            placements=len(today),
            pnl_at_start=pnl_at_start,
            last_order_at=max((sent_at for sent_at, entry in sent if entry.counts), default=None),
            last_slot=max((entry.intent.slot for _, entry in sent), default=None),
        )

    def outdated(self, now: datetime) -> tuple[str, ...]:
        """Names of entries no count needs: ended, over two days old, and neither the newest nor the last order."""
        newest = max((entry.planned_at for entry in self.entries.values()), default=now)
        ordered = max((entry.planned_at for entry in self.entries.values() if entry.counts), default=now)
        ended = [(name, entry.planned_at) for name, entry in self.entries.items() if not entry.state.open]
        return tuple(name for name, at in ended if now - at > RECENT and at not in (newest, ordered))


@dataclass(frozen=True, slots=True)
class Continuity:
    """Which Redis records the orders, since when, and whether lost orders were searched for since."""

    instance_id: str
    since: datetime
    searched: bool


def state_of(order: Order) -> IntentState:
    """The intent's state for an order; the executed quantity decides, not the status name (exchange.md §4.4)."""
    if not order.status.final:
        return IntentState.SENT
    if order.filled_quantity <= 0:
        return IntentState.CANCELED
    return IntentState.FILLED if order.filled_quantity >= order.quantity else IntentState.PARTIALLY_FILLED
