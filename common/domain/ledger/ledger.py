"""The record of fills: each applied once, in order of time, whatever order they arrive in.

A ledger is a sealed position plus the *tail*: the fills still inside the overlap, in which the exchange may yet
show a fill that it had not shown before. Folding the tail again on every run makes the result the same to the last
digit, however often a page is read twice or a run is killed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from common.decimals import ZERO, exact
from common.domain.instrument import Instrument, Side
from common.domain.ledger.position import Position
from common.domain.ledger.sequence import RULE, in_order
from common.domain.orders.order import Fill
from common.domain.portfolio import Holdings

OVERLAP = timedelta(hours=1)
WINDOW = timedelta(days=7)
"""The longest window the exchange accepts in one request (exchange.md §5)."""
MEMORY = timedelta(days=30)
"""How far back the exchange lists trades (exchange.md §5)."""
SLOW = timedelta(seconds=10)
"""How far our clock may be behind without the exchange refusing what it signs (recvWindow, exchange.md §2)."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of history that the exchange no longer lists: its fills are lost to the ledger."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Ledger:
    """`sealed` is the position of all fills before `sealed_until`; history has been read up to `place`.

    `opening` is what the account held at `opened_at`, when the ledger began, beyond what fills explain: coins
    that were there before, or a negative number when coins were missing. `exchange` is the exchange's address,
    `looked_back_on` the day on which the last two days were last read again, `order_rule` the rule that orders
    fills of one second (sequence.py). Ledgers of older versions lack these three.
    """

    sealed: Position
    sealed_until: datetime
    place: datetime
    opened_at: datetime
    opening: Decimal
    tail: tuple[Fill, ...] = ()
    gaps: tuple[Gap, ...] = ()
    exchange: str = ""
    looked_back_on: date | None = None
    order_rule: int = 1

    @classmethod
    def first(
        cls,
        now: datetime,
        history: Iterable[Fill],
        quantity: Decimal,
        as_of: datetime,
        instrument: Instrument,
        exchange: str = "",
    ) -> "Absorbed":
        """A ledger of `history`, all that is known until `now`, for an account that held `quantity` at `as_of`."""
        fills = in_order(history)
        opening = unexplained(quantity, [fill for fill in fills if was_before(fill, as_of)], instrument)
        ledger = cls(Position(), now - OVERLAP, now, as_of, opening, exchange=exchange, looked_back_on=now.date())
        return ledger._folded(fills, instrument)

    def position(self, instrument: Instrument, until: datetime | None = None) -> Position:
        """The position after all fills; with `until`, without the tail's fills from then on."""
        tail = self.tail if until is None else [fill for fill in self.tail if was_before(fill, until)]
        return self.sealed.fold(tail, instrument)

    def set_back(self, now: datetime) -> "Ledger":
        """This ledger with its place at `now`: a clock that ran ahead had left it in the future.

        What it has sealed must then be folded again, since the fills in between were never read.
        """
        return replace(self, place=now, sealed_until=min(self.sealed_until, now - OVERLAP))

    @property
    def read_from(self) -> datetime:
        """Where the next reading starts: one overlap before the place."""
        return max(self.sealed_until, self.place - OVERLAP)

    def unknown(self, fills: Iterable[Fill]) -> tuple[Fill, ...]:
        """The fills that the ledger does not hold yet, each once, in the ledger's order."""
        known = {fill.fill_id for fill in self.tail}
        fresh = {fill.fill_id: fill for fill in fills if fill.fill_id not in known}
        return tuple(in_order(fresh.values()))

    def absorb(
        self, fresh: Sequence[Fill], read_until: datetime, instrument: Instrument, *, late_too: bool = False
    ) -> "Absorbed":
        """Take in fills that are new (see `unknown`) or better known now than in the tail.

        The place moves to `read_until`. A fill that waits for the value of its fee is not sealed yet, and neither
        are later ones. Raises LateFill when a fill is older than what is sealed, or than the account that the
        ledger began with, whose coins already included it: then only the whole history will do. With `late_too`
        such a fill is folded on top of what is sealed, out of order.
        """
        held = {fill.fill_id: fill for fill in self.tail}
        new = [fill for fill in fresh if fill.fill_id not in held]
        late = [fill for fill in new if self.is_late(fill)]
        if late and not late_too:
            raise LateFill(late)
        place = max(self.place, read_until)
        fills = in_order((held | {fill.fill_id: fill for fill in fresh}).values())
        sealed_until = max(self.sealed_until, _sealable_before(fills, place - OVERLAP))
        sealed_fills = [fill for fill in fills if fill.executed_at < sealed_until]
        ledger = replace(
            self,
            sealed=self.sealed.fold(sealed_fills, instrument),
            sealed_until=sealed_until,
            place=place,
            tail=tuple(fills[len(sealed_fills) :]),
        )
        return Absorbed(ledger, tuple(sealed_fills))

    def is_late(self, fill: Fill) -> bool:
        """Whether a new fill belongs before what is sealed, or was in the account that the ledger began with."""
        return fill.executed_at < self.sealed_until or was_before(fill, self.opened_at)

    def rebuilt(
        self,
        known: Iterable[Fill],
        fresh: Iterable[Fill],
        instrument: Instrument,
        read_until: datetime | None = None,
    ) -> "Absorbed":
        """This ledger folded from scratch: from every fill, known and new, and read up to `read_until`.

        New fills from before the ledger was opened explain their part of the opening coins.
        """
        held, news = ({fill.fill_id: fill for fill in fills} for fills in (known, fresh))
        explaining = tuple(f for f in news.values() if f.fill_id not in held and was_before(f, self.opened_at))
        place = max(self.place, read_until or self.place)
        ledger = replace(
            self,
            opening=unexplained(self.opening, explaining, instrument),
            place=place,
            sealed_until=max(self.sealed_until, place - OVERLAP) if read_until else self.sealed_until,
        )
        folded = ledger._folded(in_order((held | news).values()), instrument)
        return folded._replace(explaining=explaining)

    def _folded(self, fills: Sequence[Fill], instrument: Instrument) -> "Absorbed":
        """This ledger holding only these fills, in the ledger's order, on top of its opening coins."""
        until = _sealable_before(fills, self.sealed_until)
        sealed_fills = tuple(fill for fill in fills if fill.executed_at < until)
        sealed = Position(unknown_quantity=self.opening_quantity).fold(sealed_fills, instrument)
        tail = tuple(fills[len(sealed_fills) :])
        ledger = replace(self, sealed=sealed, sealed_until=until, tail=tail, order_rule=RULE)
        return Absorbed(ledger, sealed_fills, from_scratch=True)

    @property
    def opening_quantity(self) -> Decimal:
        """Coins of unknown cost that the ledger began with; a deficit is left to `drift`."""
        return max(self.opening, ZERO)


class Absorbed(NamedTuple):
    """The new ledger and the fills it sealed: the FIFO lots add them, or start `from_scratch`.

    `explaining` are new fills that account for a part of the opening coins.
    """

    ledger: Ledger
    sealed_fills: tuple[Fill, ...]
    explaining: tuple[Fill, ...] = ()
    from_scratch: bool = False


class LateFill(Exception):
    """A fill older than what the ledger has sealed, or than what it began with."""

    def __init__(self, fills: Sequence[Fill]) -> None:
        super().__init__(f"{len(fills)} fills are older than what the ledger holds for settled")
        self.fills = tuple(fills)


def once(fills: Iterable[Fill]) -> tuple[Fill, ...]:
    """Each fill once, in the ledger's order: of several records of one fill, the most complete."""
    best: dict[str, Fill] = {}
    for fill in fills:
        known = best.get(fill.fill_id)
        if known is None or _knowledge(fill) > _knowledge(known):
            best[fill.fill_id] = fill
    return tuple(in_order(best.values()))


def _knowledge(fill: Fill) -> tuple[bool, ...]:
    details = (fill.fee_value, fill.ordered_at, fill.mid_price, fill.client_order_id)
    return (not fill.fee_pending, *(value is not None for value in details))


@exact
def drift(ledger: Ledger, account_quantity: Decimal, as_of: datetime, instrument: Instrument) -> Decimal:
    """What the account held at `as_of` beyond what the ledger expects: deposits, withdrawals, dust.

    Fills after `as_of` cannot be in that balance yet and are left out of the comparison.
    """
    later = sum((net_quantity(f, instrument) for f in ledger.tail if not was_before(f, as_of)), ZERO)
    return account_quantity - (ledger.position(instrument).expected_quantity - later)


def was_before(fill: Fill, read_at: datetime) -> bool:
    """Whether an account read then held what the fill moved, though the fill itself may have shown only later.

    Fills carry whole seconds (exchange.md §5). A fill of the same second counts as later than the reading. Where it
    was not, `restamped_after_fills` moves the reading to the next second, so that every comparison can use this
    rule.
    """
    return fill.executed_at < read_at.replace(microsecond=0)


def restamped_after_fills(
    holdings: Holdings, ledger: "Ledger | None", fills: Iterable[Fill], instrument: Instrument
) -> Holdings:
    """The balances, with their timestamp moved past fills of the same or the next seconds that they include.

    Fills carry whole seconds of the exchange's clock, and ours may be behind it (`SLOW`), so timestamps alone do
    not show whether a balance includes such a fill. The stamp that leaves least unexplained wins; for a first
    ledger the fills up to the reading are included.
    """
    as_of, second = holdings.as_of, holdings.as_of.replace(microsecond=0)
    near = sorted({fill.executed_at for fill in fills if second <= fill.executed_at <= as_of + SLOW})
    after = [replace(holdings, as_of=at + timedelta(seconds=1)) for at in near]
    known = [seen for seen, at in zip(after, near, strict=True) if at <= as_of]
    if ledger is None:
        return known[0] if known else holdings
    quantity = holdings.base.total
    stamps = [*known, holdings, *after[len(known) :]]
    return min(stamps, key=lambda seen: abs(drift(ledger, quantity, seen.as_of, instrument)))


@exact
def unexplained(quantity: Decimal, fills: Iterable[Fill], instrument: Instrument) -> Decimal:
    """The coins in an account that fills up to then do not explain; negative when coins are missing."""
    return quantity - sum((net_quantity(fill, instrument) for fill in fills), ZERO)


@exact
def net_quantity(fill: Fill, instrument: Instrument) -> Decimal:
    """What the fill did to the base balance: signed, less a fee taken in the base asset."""
    moved = fill.quantity if fill.side is Side.BUY else -fill.quantity
    return moved - fill.fee_in(instrument.base)


def net_notional(fill: Fill, instrument: Instrument) -> Decimal:
    """What the fill did to the quote balance: signed, less a fee taken in the quote asset."""
    moved = -fill.notional if fill.side is Side.BUY else fill.notional
    return moved - fill.fee_in(instrument.quote)


def _sealable_before(fills: Iterable[Fill], overlap: datetime) -> datetime:
    """The time before which fills may be sealed: the overlap, or the first fill that waits for its fee's value."""
    return min([overlap, *(fill.executed_at for fill in fills if fill.fee_pending)])


def windows(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """`start` to `end` in windows that the exchange accepts, oldest first; none unless `start` is before `end`."""
    stretches = []
    while start < end:
        stop = min(start + WINDOW, end)
        stretches.append((start, stop))
        start = stop
    return stretches
