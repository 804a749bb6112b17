"""The record of fills: each applied once, in the order of their time, whatever order they arrive in.

A ledger is a sealed position plus the *tail*: the fills that are still inside the overlap, in which
the exchange may yet show one it had not shown before. Folding the tail anew on every run makes the
result the same to the last digit however often a page is read twice or a run is killed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from common.decimals import ZERO, exact
from common.domain.instrument import Instrument, Side
from common.domain.ledger.position import Position
from common.domain.orders.order import Fill

OVERLAP = timedelta(hours=1)
WINDOW = timedelta(days=7)
"""The longest window the exchange answers (exchange.md §5)."""
MEMORY = timedelta(days=30)
"""How far back the exchange tells trades at all (exchange.md §5)."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of history that the exchange no longer tells: fills in it are lost to the ledger."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Ledger:
    """`sealed` is the position of all fills before `sealed_until`; history is read up to `place`.

    `opening` is what the account held at `opened_at`, when the ledger began, beyond what fills explained: coins
    that were there before them, or less than none when coins were missing.
    """

    sealed: Position
    sealed_until: datetime
    place: datetime
    opened_at: datetime
    opening: Decimal
    tail: tuple[Fill, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @classmethod
    def first(
        cls, now: datetime, history: Sequence[Fill], opening: Decimal, opened_at: datetime, instrument: Instrument
    ) -> "Absorbed":
        """A ledger of `history`, all that is known until `now`, in the ledger's order."""
        return cls(Position(), now - OVERLAP, now, opened_at, opening)._folded(history, instrument)

    def position(self, instrument: Instrument, until: datetime | None = None) -> Position:
        """The position after all fills, or after those up to `until` as far as they are not sealed."""
        tail = self.tail if until is None else [fill for fill in self.tail if fill.executed_at <= until]
        return self.sealed.fold(tail, instrument)

    @property
    def read_from(self) -> datetime:
        """Where the next reading starts: the overlap before the place."""
        return self.sealed_until

    def unknown(self, fills: Iterable[Fill]) -> tuple[Fill, ...]:
        """Those of `fills` that the ledger does not hold, each once, in the ledger's order."""
        known = {fill.fill_id for fill in self.tail}
        fresh = {fill.fill_id: fill for fill in fills if fill.fill_id not in known}
        return tuple(sorted(fresh.values(), key=lambda fill: fill.order_key))

    def absorb(self, fresh: Sequence[Fill], read_until: datetime, instrument: Instrument) -> "Absorbed":
        """Take in fills that `unknown` has let through, and move the place to `read_until`.

        Raises LateFill when one is older than what is sealed, or than the account that the ledger began with, which
        had it in its coins already: then only the whole history will do.
        """
        late = [f for f in fresh if f.executed_at < self.sealed_until or was_before(f, self.opened_at)]
        if late:
            raise LateFill(late)
        place = max(self.place, read_until)
        sealed_until = max(self.sealed_until, place - OVERLAP)
        fills = sorted([*self.tail, *fresh], key=lambda fill: fill.order_key)
        settled = [fill for fill in fills if fill.executed_at < sealed_until]
        ledger = replace(
            self,
            sealed=self.sealed.fold(settled, instrument),
            sealed_until=sealed_until,
            place=place,
            tail=tuple(fills[len(settled) :]),
        )
        return Absorbed(ledger, tuple(settled))

    def rebuilt(self, known: Iterable[Fill], fresh: Iterable[Fill], instrument: Instrument) -> "Absorbed":
        """The same ledger folded anew from every fill, those it holds and the new ones; the place is kept.

        Of the opening coins, those are explained now that new fills brought before the ledger was opened.
        """
        held = {fill.fill_id: fill for fill in known}
        new = {fill.fill_id: fill for fill in fresh if fill.fill_id not in held}
        explaining = tuple(fill for fill in new.values() if was_before(fill, self.opened_at))
        ledger = replace(self, opening=unexplained(self.opening, explaining, instrument))
        fills = sorted([*held.values(), *new.values()], key=lambda fill: fill.order_key)
        return replace(ledger._folded(fills, instrument), explaining=explaining)

    def _folded(self, fills: Sequence[Fill], instrument: Instrument) -> "Absorbed":
        """The same ledger holding just these fills, in the ledger's order, on top of its opening coins."""
        settled = tuple(fill for fill in fills if fill.executed_at < self.sealed_until)
        sealed = Position(unknown_quantity=self.opening_quantity).fold(settled, instrument)
        return Absorbed(replace(self, sealed=sealed, tail=tuple(fills[len(settled) :])), settled, anew=True)

    @property
    def opening_quantity(self) -> Decimal:
        """Coins of unknown cost that the ledger began with; a deficit is left to `drift`."""
        return max(self.opening, ZERO)


@dataclass(frozen=True, slots=True)
class Absorbed:
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


@exact
def drift(ledger: Ledger, account_quantity: Decimal, as_of: datetime, instrument: Instrument) -> Decimal:
    """What the account held at `as_of` beyond what the ledger expects: deposits, withdrawals, dust.

    Fills after `as_of` cannot be in that balance yet and are left out of the comparison.
    """
    later = sum((net_quantity(f, instrument) for f in ledger.tail if f.executed_at > as_of), ZERO)
    return account_quantity - (ledger.position(instrument).expected_quantity - later)


def was_before(fill: Fill, read_at: datetime) -> bool:
    """Whether an account read then held what the fill moved, though the fill itself may have shown only later.

    Fills carry whole seconds (exchange.md §5): one of the very second is taken to have come after the reading.
    """
    return fill.executed_at < read_at.replace(microsecond=0)


@exact
def unexplained(quantity: Decimal, fills: Iterable[Fill], instrument: Instrument) -> Decimal:
    """Of the coins in an account, those that fills until then do not explain; negative when coins are missing."""
    return quantity - sum((net_quantity(fill, instrument) for fill in fills), ZERO)


@exact
def net_quantity(fill: Fill, instrument: Instrument) -> Decimal:
    """What the fill did to the base balance: signed, less a fee taken in the base asset."""
    moved = fill.quantity if fill.side is Side.BUY else -fill.quantity
    return moved - fill.fee_in(instrument.base)


def windows(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """`start` to `end` in stretches the exchange answers, oldest first; none when there is nothing."""
    stretches = []
    while start < end:
        stop = min(start + WINDOW, end)
        stretches.append((start, stop))
        start = stop
    return stretches
