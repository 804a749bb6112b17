"""The record of fills: each applied once, in the order of their time, whatever order they arrive in.

A ledger is a sealed position plus the *tail*: the fills that are still inside the overlap, in which
the exchange may yet show one it had not shown before. Folding the tail anew on every run makes the
result the same to the last digit however often a page is read twice or a run is killed.
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
"""The longest window the exchange answers (exchange.md §5)."""
MEMORY = timedelta(days=30)
"""How far back the exchange tells trades at all (exchange.md §5)."""
SLOW = timedelta(seconds=10)
"""How far our clock may be behind without the exchange refusing what it signs (recvWindow, exchange.md §2)."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of history that the exchange no longer tells: fills in it are lost to the ledger."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Ledger:
    """`sealed` is the position of all fills before `sealed_until`; history is read up to `place`.

    `opening` is what the account held at `opened_at`, when the ledger began, beyond what fills explained: coins
    that were there before them, or less than none when coins were missing. `exchange` is whose fills they are,
    `looked_back_on` the day on which the last two days were read again, `order_rule` how fills of one second are
    ordered (sequence.py): what an older version wrote has none of the three.
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
        """The position after all fills, or after those up to `until` as far as they are not sealed."""
        tail = self.tail if until is None else [fill for fill in self.tail if was_before(fill, until)]
        return self.sealed.fold(tail, instrument)

    def set_back(self, now: datetime) -> "Ledger":
        """The same with its place at `now`: a clock that ran ahead had left it in the future.

        What it has sealed stands to be folded anew, for fills of in between were never read.
        """
        return replace(self, place=now, sealed_until=min(self.sealed_until, now - OVERLAP))

    @property
    def read_from(self) -> datetime:
        """Where the next reading starts: the overlap before the place."""
        return max(self.sealed_until, self.place - OVERLAP)

    def unknown(self, fills: Iterable[Fill]) -> tuple[Fill, ...]:
        """Those of `fills` that the ledger does not hold, each once, in the ledger's order."""
        known = {fill.fill_id for fill in self.tail}
        fresh = {fill.fill_id: fill for fill in fills if fill.fill_id not in known}
        return tuple(in_order(fresh.values()))

    def absorb(
        self, fresh: Sequence[Fill], read_until: datetime, instrument: Instrument, *, late_too: bool = False
    ) -> "Absorbed":
        """Take in fills that `unknown` has let through, or that are told better now than in the tail.

        The place moves to `read_until`; a fill that waits for the value of its fee is not sealed yet, nor what
        came after it. Raises LateFill when one is older than what is sealed, or than the account that the ledger
        began with, which had it in its coins already: then only the whole history will do. With `late_too` such a
        fill is folded on top of what is sealed, out of its order.
        """
        held = {fill.fill_id: fill for fill in self.tail}
        new = [fill for fill in fresh if fill.fill_id not in held]
        late = [fill for fill in new if self.is_late(fill)]
        if late and not late_too:
            raise LateFill(late)
        place = max(self.place, read_until)
        fills = in_order((held | {fill.fill_id: fill for fill in fresh}).values())
        sealed_until = max(self.sealed_until, _settled_before(fills, place - OVERLAP))
        settled = [fill for fill in fills if fill.executed_at < sealed_until]
        ledger = replace(
            self,
            sealed=self.sealed.fold(settled, instrument),
            sealed_until=sealed_until,
            place=place,
            tail=tuple(fills[len(settled) :]),
        )
        return Absorbed(ledger, tuple(settled))

    def is_late(self, fill: Fill) -> bool:
        """Whether a new fill belongs into what is sealed, or was in the account that the ledger began with."""
        return fill.executed_at < self.sealed_until or was_before(fill, self.opened_at)

    def rebuilt(
        self,
        known: Iterable[Fill],
        fresh: Iterable[Fill],
        instrument: Instrument,
        read_until: datetime | None = None,
    ) -> "Absorbed":
        """The same ledger folded anew from every fill, those it holds and the new ones, and read as far as said.

        Of the opening coins, those are explained now that new fills brought before the ledger was opened.
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
        """The same ledger holding just these fills, in the ledger's order, on top of its opening coins."""
        until = _settled_before(fills, self.sealed_until)
        settled = tuple(fill for fill in fills if fill.executed_at < until)
        sealed = Position(unknown_quantity=self.opening_quantity).fold(settled, instrument)
        tail = tuple(fills[len(settled) :])
        ledger = replace(self, sealed=sealed, sealed_until=until, tail=tail, order_rule=RULE)
        return Absorbed(ledger, settled, anew=True)

    @property
    def opening_quantity(self) -> Decimal:
        """Coins of unknown cost that the ledger began with; a deficit is left to `drift`."""
        return max(self.opening, ZERO)


class Absorbed(NamedTuple):
    """The new ledger, and the fills that were sealed on the way: the FIFO lots follow them, or begin `anew`.

    `explaining` are new fills that brought a part of what the ledger had taken for opening coins.
    """

    ledger: Ledger
    settled: tuple[Fill, ...]
    explaining: tuple[Fill, ...] = ()
    anew: bool = False


class LateFill(Exception):
    """A fill that belongs into what the ledger has sealed, or began with."""

    def __init__(self, fills: Sequence[Fill]) -> None:
        super().__init__(f"{len(fills)} fills are older than what the ledger holds for settled")
        self.fills = tuple(fills)


def once(fills: Iterable[Fill]) -> tuple[Fill, ...]:
    """Each fill once, in the ledger's order: of several records of one, that which knows most."""
    best: dict[str, Fill] = {}
    for fill in fills:
        known = best.get(fill.fill_id)
        if known is None or _knowledge(fill) > _knowledge(known):
            best[fill.fill_id] = fill
    return tuple(in_order(best.values()))


def _knowledge(fill: Fill) -> tuple[bool, ...]:
    told = (fill.fee_value, fill.ordered_at, fill.mid_price, fill.client_order_id)
    return (not fill.fee_pending, *(value is not None for value in told))


@exact
def drift(ledger: Ledger, account_quantity: Decimal, as_of: datetime, instrument: Instrument) -> Decimal:
    """What the account held at `as_of` beyond what the ledger expects: deposits, withdrawals, dust.

    Fills after `as_of` cannot be in that balance yet and are left out of the comparison.
    """
    later = sum((net_quantity(f, instrument) for f in ledger.tail if not was_before(f, as_of)), ZERO)
    return account_quantity - (ledger.position(instrument).expected_quantity - later)


def was_before(fill: Fill, read_at: datetime) -> bool:
    """Whether an account read then held what the fill moved, though the fill itself may have shown only later.

    Fills carry whole seconds (exchange.md §5): one of the very second came after the reading. Where it did not, the
    reading is stamped with the next second (`decided`); so every comparison goes by this one.
    """
    return fill.executed_at < read_at.replace(microsecond=0)


def decided(holdings: Holdings, ledger: "Ledger | None", fills: Iterable[Fill], instrument: Instrument) -> Holdings:
    """Balances whose very second has fills, or the seconds after it: stamped after those that are in them.

    Fills carry whole seconds of the exchange's clock, and ours may be behind it (`SLOW`). Whichever stamp leaves
    least unexplained; for a first ledger the fills that are known by then are in.
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
    """Of the coins in an account, those that fills until then do not explain; negative when coins are missing."""
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


def _settled_before(fills: Iterable[Fill], overlap: datetime) -> datetime:
    """Up to where fills may be sealed: the overlap, or the first that still waits for the value of its fee."""
    return min([overlap, *(fill.executed_at for fill in fills if fill.fee_pending)])


def windows(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """`start` to `end` in stretches the exchange answers, oldest first; none when there is nothing."""
    stretches = []
    while start < end:
        stop = min(start + WINDOW, end)
        stretches.append((start, stop))
        start = stop
    return stretches
