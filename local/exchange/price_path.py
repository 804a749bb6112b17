"""What a price path is: the seeded walk and the candle file both are one."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Bar:
    """Prices and base volume of a stretch of time."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class PricePath(Protocol):
    """A price for every moment; unrounded. Intervals are half open: `start_ms` in, `end_ms` out."""

    @property
    def first_ms(self) -> int: ...

    def price_at(self, at_ms: int) -> Decimal: ...

    def bar(self, start_ms: int, end_ms: int) -> Bar | None: ...

    def extremes(self, start_ms: int, end_ms: int) -> tuple[Decimal, Decimal]:
        """Lowest and highest price, both ends included."""
        ...

    def is_quiet(self, at_ms: int) -> bool: ...
