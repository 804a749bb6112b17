"""Reading what is new in the exchange's trade history: windows, pages, gaps, and seconds with more than a page."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from common.decimals import ZERO, exact, quotient
from common.domain.ledger.ledger import MEMORY, WINDOW, Gap, Ledger, windows
from common.domain.ledger.quarantine import OddFill
from common.domain.ledger.sequence import in_order
from common.domain.orders.order import SUMMED, Fill, Order
from common.domain.slots import CLOCKS_APART
from common.meter import Reply
from common.mexc.client import FILLS_PAGE, Answer, Mexc
from common.mexc.fills import FillPage
from common.mexc.wave import Wave

LOOK_BACK = timedelta(days=2)
"""How much is read again once a day, for fills that show more than an hour late."""
_IN_THE_FUTURE = timedelta(minutes=1)
_SECOND, _MILLISECOND = timedelta(seconds=1), timedelta(milliseconds=1)
Page = Answer[FillPage]


class History(NamedTuple):
    """What was read: fills, odd rows, rows left out, the replies beyond the wave, and stretches that are lost.

    `looked_back` says that the last two days were read again; `place_in_the_future` that the ledger's place is.
    """

    fills: tuple[Fill, ...]
    more_replies: tuple[Reply, ...]
    read_until: datetime
    gaps: tuple[Gap, ...] = ()
    odd: tuple[OddFill, ...] = ()
    left_out: tuple[tuple[datetime, str], ...] = ()
    looked_back: bool = False
    place_in_the_future: bool = False


@dataclass
class _Found:
    """What the pages have brought so far."""

    fills: dict[str, Fill] = field(default_factory=dict)
    odd: list[OddFill] = field(default_factory=list)
    left_out: list[tuple[datetime, str]] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    crowded: set[datetime] = field(default_factory=set)

    def add(self, page: FillPage) -> None:
        self.fills |= {fill.fill_id: fill for fill in page.fills}
        self.odd += page.odd
        self.left_out += page.left_out


class FillReader(NamedTuple):
    """Asks for all fills since the ledger's place: its calls go out in the run's wave."""

    exchange: Mexc
    start: datetime
    now: datetime
    gap: Gap | None = None
    looked_back: bool = True
    place_in_the_future: bool = False

    @classmethod
    def since(cls, ledger: Ledger | None, exchange: Mexc, now: datetime) -> "FillReader":
        """From the ledger's place, or as far back as the exchange remembers; anything older is a gap.

        Once a day the last two days are read again.
        """
        horizon = now - MEMORY
        if ledger is None:
            return cls(exchange, horizon, now)
        if ledger.place > now + _IN_THE_FUTURE:
            return cls(exchange, horizon, now, place_in_the_future=True)
        if ledger.place < horizon:
            return cls(exchange, horizon, now, Gap(ledger.place, horizon))
        looks_back = ledger.looked_back_on != now.date()
        start = min(ledger.read_from, now - LOOK_BACK) if looks_back else ledger.read_from
        return cls(exchange, max(start, horizon), now, looked_back=looks_back)

    @property
    def calls(self) -> dict[str, Callable[[], Page]]:
        """One call for each window of seven days; a ledger that is up to date needs one."""

        def call(start: datetime, end: datetime) -> Callable[[], Page]:
            return lambda: self.exchange.my_trades(start, end)

        return {f"fills {start:%Y%m%d%H%M%S}": call(start, end) for start, end in self._windows()}

    def history(self, wave: Wave) -> History:
        """The complete history out of the wave's first pages. Raises what a page raised."""
        found = _Found(gaps=[self.gap] if self.gap else [])
        for (start, end), name in zip(self._windows(), self.calls, strict=True):
            self._complete(start, end, wave.get(name), found)
        self._catch_up(found)
        return History(
            fills=tuple(in_order(found.fills.values())),
            more_replies=tuple(found.replies),
            read_until=self.now,
            gaps=tuple(found.gaps),
            odd=tuple(found.odd),
            left_out=tuple(dict.fromkeys(found.left_out)),
            looked_back=self.looked_back,
            place_in_the_future=self.place_in_the_future,
        )

    def _catch_up(self, found: _Found) -> None:
        """Read on if the exchange has set our clock forward meanwhile: the windows then ended before its time."""
        end, now = self.now + CLOCKS_APART, self.exchange.now()
        if now > end:
            for window in windows(end, now + CLOCKS_APART):
                self._complete(*window, self._page(window, found), found)

    def _windows(self) -> list[tuple[datetime, datetime]]:
        return windows(self.start, self.now + CLOCKS_APART)

    def _complete(
        self, start: datetime, end: datetime, page: Page, found: _Found, order_id: str | None = None
    ) -> None:
        """Take a page; a full page may hide fills, so its window is halved until no half is full."""
        if page.value.rows < FILLS_PAGE:
            found.add(page.value)
            return
        halves = _halves(start, end)
        if not halves:
            self._crowded(start.replace(microsecond=0), page.value, found)
        for half in halves:
            more = self._page(half, found, order_id)
            self._complete(*half, more, found, order_id)

    def _page(self, window: tuple[datetime, datetime], found: _Found, order_id: str | None = None) -> Page:
        page = self.exchange.my_trades(*window, order_id)
        found.replies.append(page.reply)
        return page

    def _crowded(self, second: datetime, page: FillPage, found: _Found) -> None:
        """A second with more fills than a page: ask for them order by order, and for the orders around that time.

        Orders that the exchange no longer lists, or that cannot be read, leave a gap of that second, with the fills
        that were shown.
        """
        if second in found.crowded:
            return
        found.crowded.add(second)
        found.add(page._replace(fills=()))
        start, end = max(second - WINDOW + timedelta(days=1), self.now - WINDOW), second + _SECOND
        orders, unreadable = dict[str, Order](), False
        if start < end:
            answer = self.exchange.orders_between(start, end)
            found.replies.append(answer.reply)
            orders = {order.order_id: order for order in answer.value.orders if order.filled_quantity > 0}
            unreadable = bool(answer.value.odd)
        shown = {fill.order_id for fill in page.fills}
        if unreadable or not shown <= set(orders):
            found.gaps.append(Gap(second, end))
        for order_id in dict.fromkeys([*orders, *sorted(shown)]):
            window = second, end - _MILLISECOND
            own = self._page(window, found, order_id)
            if own.value.rows >= FILLS_PAGE and order_id in orders:
                self._summed(orders[order_id], second, found)
            else:
                found.add(own.value)

    @exact
    def _summed(self, order: Order, second: datetime, found: _Found) -> None:
        """One order with more than a page in one second: one fill, the order's total less its other seconds."""
        elsewhere = _Found()
        around = (order.created_at or second - timedelta(days=1)) - _SECOND, second - _MILLISECOND
        for start, end in (around, (second + _SECOND, self.now + CLOCKS_APART)):
            for window in windows(start, end):
                page = self._page(window, found, order.order_id)
                self._complete(*window, page, elsewhere, order.order_id)
        found.replies += elsewhere.replies
        others = [fill for fill in elsewhere.fills.values() if fill.order_id == order.order_id]
        quantity = order.filled_quantity - sum((fill.quantity for fill in others), ZERO)
        notional = order.filled_notional - sum((fill.notional for fill in others), ZERO)
        if quantity <= 0 or notional <= 0:
            return
        _, taker = self.exchange.trade_fee().value
        fill = _one_for_many(order, second, quantity, notional, notional * taker, self.exchange.instrument.quote)
        found.fills[fill.fill_id] = fill


def _one_for_many(
    order: Order, second: datetime, quantity: Decimal, notional: Decimal, fee: Decimal, fee_asset: str
) -> Fill:
    return Fill(
        fill_id=f"{order.order_id}@{second:%Y%m%d%H%M%S}",
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        side=order.side,
        price=quotient(notional, quantity),
        quantity=quantity,
        notional=notional,
        fee=fee,
        fee_asset=fee_asset,
        executed_at=second,
        ordered_at=order.created_at,
        remarks=(SUMMED,),
    )


def less_what_is_booked(fills: Iterable[Fill], booked: Iterable[Fill]) -> tuple[Fill, ...]:
    """Reduce each summed fill by the fills of its order and second that were booked one by one before."""
    held = list(booked)
    left = (_less(fill, held) if SUMMED in fill.remarks else fill for fill in fills)
    return tuple(fill for fill in left if fill.quantity > 0)


@exact
def _less(fill: Fill, held: list[Fill]) -> Fill:
    same = [
        each
        for each in held
        if each.order_id == fill.order_id and each.executed_at == fill.executed_at and each.fill_id != fill.fill_id
    ]
    quantity = fill.quantity - sum((each.quantity for each in same), ZERO)
    notional = fill.notional - sum((each.notional for each in same), ZERO)
    fee = quotient(fill.fee * quantity, fill.quantity)
    return replace(fill, quantity=quantity, notional=notional, fee=fee) if same else fill


def _halves(start: datetime, end: datetime) -> tuple[tuple[datetime, datetime], ...]:
    """Two windows for one, cut at a whole second as the times of fills are; both ends of a window belong to it.

    Empty when there is one second only.
    """
    middle = (start + (end - start) / 2).replace(microsecond=0)
    if middle <= start:
        middle = end.replace(microsecond=0)
    if middle <= start:
        return ()
    # Two seconds that share an edge would never be separated.
    return (start, middle if end - start > 2 * _SECOND else middle - _MILLISECOND), (middle, end)
