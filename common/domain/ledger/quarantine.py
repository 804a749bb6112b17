"""Fills that cannot be booked as the exchange reported them: kept until an operator rules on them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from common.domain.orders.order import Fill

FORGOTTEN_AFTER = timedelta(days=32)
"""When the exchange no longer lists a row, the ruling on it need not be kept either."""


@dataclass(frozen=True, slots=True)
class OddFill:
    """A row of myTrades that cannot be read: its id, or a name derived from its text; what is wrong; its JSON."""

    fill_id: str
    reason: str
    row: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Ruling:
    """An operator's ruling: a fill to be booked in its place, or None to leave it out.

    `applied` says that the fill is in the ledger.
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
    """Every odd fill, with the ruling on it if there is one."""

    entries: tuple[Quarantined, ...] = ()

    @property
    def open(self) -> tuple[OddFill, ...]:
        """Those without a ruling: while there is one, nothing is ordered."""
        return tuple(entry.odd for entry in self.entries if entry.ruling is None)

    @property
    def to_book(self) -> tuple[Fill, ...]:
        """The fills that operators have entered and that are not in the ledger yet."""
        rulings = [entry.ruling for entry in self.entries]
        return tuple(ruling.fill for ruling in rulings if ruling and ruling.fill and not ruling.applied)

    @property
    def ruled(self) -> frozenset[str]:
        """The ids with a ruling: what the exchange reports of them no longer counts."""
        return frozenset(entry.odd.fill_id for entry in self.entries if entry.ruling is not None)

    @property
    def hold(self) -> str | None:
        """Why nothing may be ordered, None when nothing is open."""
        if not self.open:
            return None
        listed = "; ".join(f"{odd.fill_id} ({odd.reason})" for odd in self.open)
        return f"Fill in quarantine: {listed}"

    def new(self, odd: Iterable[OddFill]) -> tuple[OddFill, ...]:
        """The odd fills that are not in quarantine yet, each once."""
        known = {entry.odd.fill_id for entry in self.entries}
        return tuple({each.fill_id: each for each in odd if each.fill_id not in known}.values())

    def after(self, odd: Iterable[OddFill], readable: Iterable[Fill], now: datetime) -> "Quarantine":
        """After a reading: add new odd rows, drop those now readable or forgotten, mark rulings as applied."""
        readable_ids = {fill.fill_id for fill in readable}
        kept = [entry for entry in self.entries if not self._is_done(entry, readable_ids, now)]
        applied = [
            replace(entry, ruling=replace(entry.ruling, applied=True)) if entry.ruling else entry for entry in kept
        ]
        return Quarantine((*applied, *(Quarantined(each) for each in self.new(odd))))

    @staticmethod
    def _is_done(entry: Quarantined, readable_ids: set[str], now: datetime) -> bool:
        if entry.ruling is None:
            return entry.odd.fill_id in readable_ids
        return now - entry.odd.seen_at > FORGOTTEN_AFTER
