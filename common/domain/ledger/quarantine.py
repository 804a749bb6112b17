"""Fills that cannot be booked as the exchange told them: kept until an operator says what they were."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from common.domain.orders.order import Fill

FORGOTTEN_AFTER = timedelta(days=32)
"""When the exchange no longer tells a row, what was said of it need not be known either."""


@dataclass(frozen=True, slots=True)
class OddFill:
    """A row of myTrades that cannot be read: its id, or a name made of its text; what is wrong; the row's JSON."""

    fill_id: str
    reason: str
    row: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Ruling:
    """What an operator said: a fill to be booked in its place, or None to leave it out.

    `applied` says that the fill is in the ledger by now.
    """

    by: str
    at: datetime
    fill: Fill | None
    applied: bool = False


@dataclass(frozen=True, slots=True)
class Quarantined:
    odd: OddFill
    ruling: Ruling | None = None


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Every odd fill by its id, with what was said of it."""

    entries: tuple[Quarantined, ...] = ()

    @property
    def open(self) -> tuple[OddFill, ...]:
        """Those that nobody has said anything about: while there is one nothing is ordered."""
        return tuple(entry.odd for entry in self.entries if entry.ruling is None)

    @property
    def to_book(self) -> tuple[Fill, ...]:
        """The fills that operators have told, and that are not in the ledger yet."""
        rulings = [entry.ruling for entry in self.entries]
        return tuple(ruling.fill for ruling in rulings if ruling and ruling.fill and not ruling.applied)

    @property
    def ruled(self) -> frozenset[str]:
        """The ids that were spoken of: what the exchange tells of them no longer counts."""
        return frozenset(entry.odd.fill_id for entry in self.entries if entry.ruling is not None)

    @property
    def hold(self) -> str | None:
        """Why nothing may be ordered, None when nothing stands open."""
        if not self.open:
            return None
        told = "; ".join(f"{odd.fill_id} ({odd.reason})" for odd in self.open)
        return f"Fill in quarantine: {told}"

    def new(self, odd: Iterable[OddFill]) -> tuple[OddFill, ...]:
        """Those of them that are not here yet, each once."""
        known = {entry.odd.fill_id for entry in self.entries}
        return tuple({each.fill_id: each for each in odd if each.fill_id not in known}.values())

    def after(self, odd: Iterable[OddFill], readable: Iterable[Fill], now: datetime) -> "Quarantine":
        """After a reading: new odd rows in, those out that can be read now or are forgotten, rulings applied."""
        told = {fill.fill_id for fill in readable}
        kept = [entry for entry in self.entries if not self._is_done(entry, told, now)]
        applied = [
            replace(entry, ruling=replace(entry.ruling, applied=True)) if entry.ruling else entry for entry in kept
        ]
        return Quarantine((*applied, *(Quarantined(each) for each in self.new(odd))))

    @staticmethod
    def _is_done(entry: Quarantined, told: set[str], now: datetime) -> bool:
        if entry.ruling is None:
            return entry.odd.fill_id in told
        return now - entry.odd.seen_at > FORGOTTEN_AFTER
