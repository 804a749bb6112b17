"""Balances of the one account: free and locked, never below zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from local.exchange.amounts import ZERO, plain


@dataclass(slots=True)
class Balance:
    free: Decimal = ZERO
    locked: Decimal = ZERO


class Account:
    """What the account holds, and whether it may trade."""

    def __init__(self, balances: Mapping[str, Decimal]) -> None:
        self._balances: dict[str, Balance] = {}
        for asset, amount in balances.items():
            self.set(asset, amount)
        self.can_trade = True
        self._stale: list[dict[str, object]] = []
        self._stale_until_ms = 0

    def free(self, asset: str) -> Decimal:
        balance = self._balances.get(asset)
        return balance.free if balance else ZERO

    def locked(self, asset: str) -> Decimal:
        balance = self._balances.get(asset)
        return balance.locked if balance else ZERO

    def total(self, asset: str) -> Decimal:
        return self.free(asset) + self.locked(asset)

    def assets(self) -> list[str]:
        return sorted(self._balances)

    def set(self, asset: str, free: Decimal) -> None:
        """Set the free amount; what open orders hold stays locked."""
        if free < 0:
            raise ValueError(f"{asset}: a balance cannot be negative")
        self._of(asset).free = free

    def credit(self, asset: str, amount: Decimal) -> None:
        """Add to the free amount; a negative amount takes away.

        Raises:
            ValueError: less than nothing would be left.
        """
        balance = self._of(asset)
        if balance.free + amount < 0:
            raise ValueError(f"{asset}: only {plain(balance.free)} free")
        balance.free += amount

    def lock(self, asset: str, amount: Decimal) -> None:
        self.credit(asset, -amount)
        self._of(asset).locked += amount

    def release(self, asset: str, amount: Decimal) -> None:
        """Give locked funds back."""
        self.spend_locked(asset, amount)
        self._of(asset).free += amount

    def spend_locked(self, asset: str, amount: Decimal) -> None:
        balance = self._of(asset)
        if balance.locked < amount:
            raise ValueError(f"{asset}: only {plain(balance.locked)} locked")
        balance.locked -= amount

    def rows(self) -> list[dict[str, object]]:
        """Balances as the exchange lists them: assets that are zero are not there."""
        return [
            {
                "asset": asset,
                "free": plain(balance.free),
                "locked": plain(balance.locked),
                "available": plain(balance.free),
            }
            for asset, balance in sorted(self._balances.items())
            if balance.free or balance.locked
        ]

    def keep_showing(self, rows: list[dict[str, object]], until_ms: int) -> None:
        """Go on showing older rows for a while: balances that lag behind fills."""
        self._stale, self._stale_until_ms = rows, until_ms

    def shown_rows(self, now_ms: int) -> list[dict[str, object]]:
        return self._stale if now_ms < self._stale_until_ms else self.rows()

    def _of(self, asset: str) -> Balance:
        return self._balances.setdefault(asset, Balance())
