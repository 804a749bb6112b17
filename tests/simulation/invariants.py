"""What must hold after every step, and once the faults are over: held against exchange and Redis themselves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeVar

from common.clock import from_milliseconds
from common.config import Settings
from common.decimal_json import from_redis
from common.domain.decision.pause import Pause
from common.domain.instrument import Side
from common.domain.orders.journal import Continuity, IntentState, JournalEntry
from common.domain.orders.order import client_order_id, slot_in
from common.domain.performance.attribution_state import AttributionState
from common.store.codec import from_document
from common.store.entries import entry_of
from common.store.keys import Keys
from common.store.records import fill_of, ledger_of
from local.exchange.exchange import SimulatedExchange
from local.exchange.orders import Order
from tests.simulation import money
from tests.simulation.redis_side import RedisServer, Write

T = TypeVar("T")
MORTAL = (":lease:", ":run:", ":price:cached", "qrl:v1:")
"""Keys that have a TTL (contract.md §3); every other is there for good."""
ON_ITS_WAY = timedelta(seconds=8)
"""From recording that an order is sent to its acceptance, at most: that much less may lie between two."""
RETRIED_WITHIN = timedelta(minutes=4)
"""From its slot to an order's acceptance, at most, when the delivery had to be retried."""


class Broken(BaseException):
    """An invariant does not hold; nothing in the bot catches it."""


@dataclass
class Sends:
    """The order requests of one client order id: how many, and whether each was answered with a clear no."""

    count: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Rested:
    """Orders that were left in the book, and what became of them."""

    orders: int = 0
    filled: int = 0
    cancelled: int = 0


@dataclass
class Watch:
    """Looks on while the day is played; `now` is simulated time."""

    settings: Settings
    exchange: SimulatedExchange
    now: Callable[[], datetime]
    keys: Keys = field(init=False)
    redis: RedisServer = field(init=False)
    recorded: set[str] = field(default_factory=set)
    """Client order ids whose SENT was ever in Redis, and below those of which Redis has forgotten it."""
    forgotten: set[str] = field(default_factory=set)
    sends: dict[str, Sends] = field(default_factory=dict)
    accepted: dict[datetime, list[Order]] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)
    """Client order ids that Redis was told were never placed."""
    rested: set[str] = field(default_factory=set)
    """Client order ids that ever stood as RESTING."""
    slices: int = 0
    """Orders that were placed while a program of slices was stored."""
    empty: bool = False
    """Redis has lost everything, and no ledger has been written since."""
    _written: int = 0
    _paused_at: int = 0
    _planned_at: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys = Keys(self.settings.redis_key_prefix, self.settings.symbol)
        self._least = {asset: self._total(asset) for asset in (self._base, self._quote)}

    # Called at the steps

    def stored(self, write: Write) -> None:
        """A write was carried out: permanent keys carry no TTL; what is recorded as sent is remembered here."""
        for key in write.before:
            item, name = self.redis.database._dict.get(key), key.decode()
            if item is not None and item.expireat is not None and not any(part in name for part in MORTAL):
                raise Broken(f"{name} has a TTL")
        self._written += 1
        self.rested |= self._intents_in(write, IntentState.RESTING)
        for state in (IntentState.FILLED, IntentState.PARTIALLY_FILLED, IntentState.RESTING):
            self._filled_as_written(self._intents_in(write, state))
        self.recorded |= self._intents_in(write, IntentState.SENT)
        planned = self._intents_in(write, IntentState.PLANNED)
        self._planned_at |= dict.fromkeys(planned, self._written)
        self.given_up -= planned
        for state in (IntentState.CANCELED, IntentState.REJECTED):
            self._give_up(self._intents_in(write, state, "null") - planned)
        keys = {command[1] for command in write.commands}
        if self.keys.pause in keys:
            self._paused_at = self._written
        if self.keys.ledger in keys:
            self.empty = False

    def _give_up(self, names: set[str]) -> None:
        """These are written down as never placed: then they never were, and never will be."""
        self.given_up |= names
        for orders in self.accepted.values():
            for order in orders:
                if order.client_order_id in names:
                    raise Broken(f"order {_told(order)} is given up though the exchange has it")

    def _filled_as_written(self, names: set[str]) -> None:
        """Nothing is written down as filled that the exchange has not filled."""
        journal = {entry.intent.client_order_id: entry for entry in self._entries(self.keys.orders_journal)}
        for order in self._orders():
            entry = journal.get(order.client_order_id or "")
            if entry and order.client_order_id in names and entry.filled_quantity > order.executed:
                raise Broken(
                    f"order {_told(order)} is written down as {entry.state}, {entry.filled_quantity} filled"
                )

    def undone(self, write: Write) -> None:
        self.forgotten |= self._intents_in(write, IntentState.SENT)

    def emptied(self) -> None:
        self.forgotten |= self.recorded
        self.empty = True

    def sending(self, client_id: str) -> None:
        """An order request leaves the bot."""
        if client_id not in self.recorded:
            raise Broken(f"order {client_id} is sent before Redis holds it as SENT")
        sends = self.sends.setdefault(client_id, Sends())
        if sends.count > sends.refused:
            raise Broken(f"order {client_id} is sent again after an answer that did not tell")
        sends.count += 1
        slot, side = _slot(client_id), Side.BUY if "B" in client_id else Side.SELL
        if client_id != client_order_id(self.settings.symbol, slot, side):
            raise Broken(f"{client_id} is not the order id of its slot")
        if self.empty:
            raise Broken(f"order {client_id} is sent though Redis has lost everything")
        if self._pause_active() and self._paused_at < self._planned_at.get(client_id, 0):
            raise Broken(f"order {client_id} is sent while trading is paused")
        others = {entry.intent.client_order_id for entry in self.open_intents()} - {client_id}
        if others:
            raise Broken(f"order {client_id} is sent while {', '.join(sorted(others))} is unresolved")

    def answered(self, client_id: str, refused: bool) -> None:
        self.sends[client_id].refused += refused

    def took(self, order: Order) -> None:
        """The exchange has accepted an order: the only one of its slot, within every limit."""
        if order.client_order_id in self.given_up:
            raise Broken(f"order {_told(order)} is accepted after it was given up")
        slot = _slot(order.client_order_id)
        orders = self.accepted.setdefault(slot, [])
        orders.append(order)
        if len(orders) > 1:
            raise Broken(f"slot {slot:%H:%M} has {len(orders)} orders: {', '.join(_told(each) for each in orders)}")
        resting = [each for each in self.exchange.engine.open_orders() if each is not order]
        if resting:
            raise Broken(f"order {_told(order)} is accepted while {_told(resting[0])} is open")
        largest = min(self.settings.max_notional_usdt, self.settings.slice_notional_usdt or Decimal("Infinity"))
        self.slices += self._get(self.keys.program) is not None
        ordered = order.quote_budget or order.quantity * order.price
        if order.type == "MARKET" and not self.settings.allow_market_orders:
            raise Broken(f"order {_told(order)} is at market, and market orders are not allowed")
        if ordered > largest and (order.type, order.side) != ("MARKET", "SELL"):
            raise Broken(f"order {_told(order)} is worth {ordered}, more than {largest}")

    def moved(self) -> None:
        """What is never sold is there, and what is never spent."""
        for asset, least in ((self._base, self.settings.core_holding), (self._quote, self.settings.usdt_reserve)):
            if self._total(asset) < min(least, self._least[asset]):
                raise Broken(f"only {self._total(asset)} {asset} are left, {least} are to be kept")

    # At the end

    def unsettled(self) -> bool:
        """Whether the bot still has something to find out: of an intent, a fill, or what Redis has forgotten."""
        continuity = self._value(Continuity, self.keys.continuity)
        doubtful = [entry for entry in self.open_intents() if entry.state is not IntentState.RESTING]
        if self._get(self.keys.program) is not None:
            return True
        document = self._get(self.keys.ledger)
        tail = ledger_of(document, self.keys.ledger).tail if document else ()
        ours = {entry.order_id for entry in self._entries(self.keys.orders_journal)}
        if any(fill.client_order_id is None and fill.order_id in ours for fill in tail):
            return True  # the order was taken back after its fill was booked: the next plan names it
        return bool(doubtful) or (continuity is not None and not continuity.searched)

    def unseen(self, at_ms: int) -> bool:
        """Whether there is a fill that could not be seen by then, such as of a resting order just before."""
        return any(fill.visible_ms > at_ms for fill in self.exchange.engine.fills)

    def left_over(self) -> Iterator[str]:
        """What a program of slices that had its time has not brought to its destination, the target."""
        market = self.exchange.engine.markets[self.settings.symbol]
        base, quote = self._total(self._base) * (market.pinned or 0), self._total(self._quote)
        if self._get(self.keys.program) is not None:
            yield "the program of slices is still under way"
        if abs(base - quote) / 2 >= self.settings.min_notional_usdt:
            yield f"{base} and {quote} {self._quote} are off the target by more than an order"

    def resting(self) -> bool:
        return any(entry.state is IntentState.RESTING for entry in self.open_intents())

    def rests(self) -> Rested:
        ended = [order for order in self._orders() if order.client_order_id in self.rested]
        return Rested(
            len(self.rested),
            sum(1 for order in ended if order.executed > 0),
            sum(1 for order in ended if not order.executed and not order.is_open),
        )

    def problems(self) -> Iterator[str]:
        """Everything that is wrong once the bot has had its quiet slots."""
        yield from (f"intent {entry.intent.client_order_id} is open" for entry in self.open_intents())
        yield from self._journal_against_exchange()
        yield from self._ledger_against_exchange()
        yield from self._attribution_against_exchange()
        yield from self._pace()
        yield from self._drift()

    def acknowledged(self) -> set[str | None]:
        """The exchange's ids of the orders that Redis has as accepted."""
        return {entry.order_id for entry in self._entries(self.keys.orders_journal)}

    def open_intents(self) -> list[JournalEntry]:
        return self._entries(self.keys.orders_open)

    def _journal_against_exchange(self) -> Iterator[str]:
        journal = {entry.intent.client_order_id: entry for entry in self._entries(self.keys.orders_journal)}
        orders = {order.client_order_id or order.order_id: order for order in self._orders()}
        for name, order in orders.items():
            entry = journal.pop(name, None)
            if entry is None:
                yield f"order {_told(order)} is not in the journal"
            elif (entry.order_id, entry.filled_quantity) != (order.order_id, order.executed):
                yield f"order {_told(order)} is in the journal as {entry.order_id}, {entry.filled_quantity} filled"
            elif entry.state is not _state_of(order):
                yield f"order {_told(order)} stands in the journal as {entry.state}"
        for name, entry in journal.items():
            if entry.state not in (IntentState.CANCELED, IntentState.REJECTED) or entry.order_id is not None:
                yield f"intent {name} is {entry.state}, but the exchange has no such order"

    def _ledger_against_exchange(self) -> Iterator[str]:
        document = self._get(self.keys.ledger)
        if document is None:
            yield "there is no ledger"
            return
        ledger = ledger_of(document, self.keys.ledger)
        position = ledger.position(self.settings.instrument)
        held, fills = self._total(self._base), self.exchange.engine.fills
        if position.expected_quantity != held:
            yield f"the ledger expects {position.expected_quantity} {self._base}, the account holds {held}"
        stored = [fill_of(fill) for fill in self._members(self.keys.ledger_fills)]
        yield from money.of_the_ledger(ledger, stored, fills, self.settings.instrument)

    def _attribution_against_exchange(self) -> Iterator[str]:
        """It holds what the account holds, and nothing that a fill moved was ever a flow for good."""
        attribution_state = self._value(AttributionState, self.keys.attribution)
        if attribution_state is None:
            yield "there is no attribution"
            return
        real, quote = attribution_state.attribution.real, self.settings.instrument.quote
        if (real.base, real.quote) != (self._total(self._base), self._total(quote)):
            held = f"{self._total(self._base)} {self._base}, {self._total(quote)} {quote}"
            yield f"the attribution has {real.base}, {real.quote}, the account holds {held}"
        # An order that Redis forgot and whose fills name nobody is known by the next look-back only, a day later.
        named = self.exchange.engine.options.fill_client_id or not self.forgotten
        lines = attribution_state.now(self.settings.instrument).attribution.at(Decimal("0.02"))
        yield from money.of_the_lines(lines, ours_alone=named)
        for flow in self._members(self.keys.flows):
            yield f"there was no flow, but the attribution has {flow}"

    def _drift(self) -> Iterator[str]:
        """The cost that was told last knows of no coins that the ledger does not explain."""
        cost = self._held(self.keys.cost)
        told = None if cost is None else cost._values.get(b"drift_quantity")
        if told is not None and Decimal(told.decode()) != 0:
            yield f"the cost tells a drift of {told.decode()} {self._base}"

    def _pace(self) -> Iterator[str]:
        """Orders a day and the cooldown; what filled nothing is a placement only."""
        placed = self._orders()
        orders = sorted((order for order in placed if order.executed), key=lambda order: order.created_ms)
        times = [from_milliseconds(order.created_ms) for order in orders]
        cooldown = timedelta(seconds=self.settings.order_cooldown_seconds)
        if self.settings.slicing is not None:
            cooldown = timedelta(0)  # the program's, not the slice's
        for order, (earlier, later) in zip(orders, pairwise(times), strict=False):
            less = RETRIED_WITHIN if order.client_order_id in self.forgotten else ON_ITS_WAY
            if later - earlier < cooldown - less:
                yield f"orders at {earlier:%H:%M:%S} and {later:%H:%M:%S} are too close"
        days = [moment.date() for moment in times]
        for day in sorted(set(days)):
            if days.count(day) > self.settings.max_orders_per_day:
                yield f"{days.count(day)} orders on {day}"
        if len(placed) > self.settings.max_placements_per_day:
            yield f"{len(placed)} orders were placed"

    # Reading Redis without a step

    def _pause_active(self) -> bool:
        pause = self._value(Pause, self.keys.pause)
        return pause is not None and pause.active(self.now())

    def _entries(self, key: str) -> list[JournalEntry]:
        found = self._held(key)
        return [] if found is None else [entry_of(from_redis(t.decode(), key), key) for t in found._values.values()]

    def _value(self, kind: type[T], key: str) -> T | None:
        document = self._get(key)
        return None if document is None else from_document(kind, document, key)

    def _get(self, key: str) -> Any:
        found = self._held(key)
        return None if found is None else from_redis(found.decode(), key)

    def _members(self, key: str) -> list[Any]:
        return [from_redis(member.decode(), key) for member in self._held(key) or ()]

    def _held(self, key: str) -> Any:
        """What the embedded Redis holds under a key, None for nothing."""
        item = self.redis.database._dict.get(key.encode())
        return None if item is None else item.value

    def _intents_in(self, write: Write, state: IntentState, order_id: str = "") -> set[str]:
        """The client order ids that a write records in that state (with an order id that begins like this)."""
        found = set()
        for command in write.commands:
            if command[0] == "HSET" and command[1] == self.keys.orders_journal:
                pairs = zip(command[2::2], command[3::2], strict=True)
                marks = f'"state":"{state}"', f'"order_id":{order_id}'
                found |= {str(name) for name, text in pairs if all(mark in text for mark in marks)}
        return found

    # Reading the exchange

    def _orders(self) -> list[Order]:
        return list(self.exchange.engine.orders.values())

    def _total(self, asset: str) -> Decimal:
        return self.exchange.engine.account.total(asset)

    @property
    def _base(self) -> str:
        return self.settings.instrument.base

    @property
    def _quote(self) -> str:
        return self.settings.instrument.quote


def _state_of(order: Order) -> IntentState:
    if order.is_open:
        return IntentState.SENT
    if order.executed <= 0:
        return IntentState.CANCELED
    return IntentState.FILLED if order.executed >= order.quantity else IntentState.PARTIALLY_FILLED


def _slot(client_id: str | None) -> datetime:
    slot = slot_in(client_id)
    if slot is None:
        raise Broken(f"{client_id} is no id of a slot")
    return slot


def _told(order: Order) -> str:
    return f"{order.client_order_id} ({order.status}, {order.executed} of {order.quantity})"
