"""The record of fills: each applied once, in the order of their time, whatever order they arrive in.

A ledger is a sealed position plus the *tail*: the fills that are still inside the overlap, in which
the exchange may yet show one it had not shown before. Folding the tail anew on every run makes the
result the same to the last digit however often a page is read twice or a run is killed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from common.domain.decimals import ZERO, exact
from common.domain.instrument import Instrument, Side
from common.domain.orders import Fill
from common.domain.position import Position

OVERLAP = timedelta(hours=1)
WINDOW = timedelta(days=7)
"""The longest window the exchange answers (mexc-api.md 5)."""
MEMORY = timedelta(days=30)
"""How far back the exchange tells trades at all (mexc-api.md 5)."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of history that the exchange no longer tells: fills in it are lost to the ledger."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Ledger:
    """`sealed` is the position of all fills before `sealed_until`; history is read up to `place`."""

    sealed: Position
    sealed_until: datetime
    place: datetime
    tail: tuple[Fill, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @classmethod
    @exact
    def first(
        cls, now: datetime, history: Sequence[Fill], account_quantity: Decimal, instrument: Instrument
    ) -> "Ledger":
        """A ledger about to absorb `history`, all that the exchange still tells.

        What the account holds and `history` does not explain was there before it: coins of unknown cost,
        from which the fold starts. A deficit is left to `drift`.
        """
        start = now - MEMORY
        net = sum((net_quantity(fill, instrument) for fill in history), ZERO)
        return cls(Position(unknown_quantity=max(account_quantity - net, ZERO)), start, start)

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

        Raises LateFill when one is older than what is sealed: then only the whole history will do.
        """
        late = [fill for fill in fresh if fill.executed_at < self.sealed_until]
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

    def rebuilt(self, history: Iterable[Fill], instrument: Instrument) -> "Absorbed":
        """The same ledger folded anew from every fill there is; opening coins and place are kept."""
        fills = sorted({f.fill_id: f for f in history}.values(), key=lambda fill: fill.order_key)
        opening = Position(unknown_quantity=self.opening_quantity)
        settled = [fill for fill in fills if fill.executed_at < self.sealed_until]
        ledger = replace(self, sealed=opening.fold(settled, instrument), tail=tuple(fills[len(settled) :]))
        return Absorbed(ledger, tuple(settled))

    @property
    @exact
    def opening_quantity(self) -> Decimal:
        """Coins of unknown cost at the start: what is sealed, less all that fills have moved."""
        moved = self.sealed.bought_quantity - self.sealed.sold_quantity - self.sealed.base_fees
        return self.sealed.expected_quantity - moved


@dataclass(frozen=True, slots=True)
class Absorbed:
    """The new ledger, and the fills that were sealed on the way (the FIFO lots follow them)."""

    ledger: Ledger
    settled: tuple[Fill, ...]


class LateFill(Exception):
    """A fill that belongs before the sealed part of the ledger."""

    def __init__(self, fills: Sequence[Fill]) -> None:
        super().__init__(f"{len(fills)} fills are older than the sealed ledger")
        self.fills = tuple(fills)


@exact
def drift(ledger: Ledger, account_quantity: Decimal, as_of: datetime, instrument: Instrument) -> Decimal:
    """What the account held at `as_of` beyond what the ledger expects: deposits, withdrawals, dust.

    Fills after `as_of` cannot be in that balance yet and are left out of the comparison.
    """
    later = sum((net_quantity(f, instrument) for f in ledger.tail if f.executed_at > as_of), ZERO)
    return account_quantity - (ledger.position(instrument).expected_quantity - later)


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
