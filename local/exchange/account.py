"""The one account: balances, free and locked, never below zero, and the fees of fills."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

from local.exchange.amounts import ONE, ZERO, plain
from local.exchange.config import QUOTE_ASSET, Fees, Row, Side

# With MX deduction on, the fee is 20 % less, or half for holders of 500 MX.
_MX_DISCOUNT = Decimal("0.2")
_MX_HOLDER_DISCOUNT = Decimal("0.5")
_MX_HOLDER_AMOUNT = Decimal(500)
_MX_STEP = Decimal("0.00000001")


@dataclass(slots=True)
class Balance:
    free: Decimal = ZERO
    locked: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.free + self.locked


class Account:
    """What the account holds, and whether it may trade. Changes raise ValueError when the balance is too small."""

    def __init__(self, balances: Mapping[str, Decimal]) -> None:
        self._balances: dict[str, Balance] = {}
        for asset, amount in balances.items():
            self.set(asset, amount)
        self.can_trade = True
        self._stale: list[Row] = []
        self._stale_until_ms = 0

    def free(self, asset: str) -> Decimal:
        return self._balances.get(asset, Balance()).free

    def total(self, asset: str) -> Decimal:
        return self._balances.get(asset, Balance()).total

    def amounts(self) -> dict[str, Row]:
        """Every asset ever held, including zero balances."""
        return {
            asset: {"free": plain(held.free), "locked": plain(held.locked)}
            for asset, held in sorted(self._balances.items())
        }

    def set(self, asset: str, free: Decimal) -> None:
        """Set the free amount; what open orders hold stays locked."""
        if free < 0:
            raise ValueError(f"{asset}: a balance cannot be negative")
        self._of(asset).free = free

    def credit(self, asset: str, amount: Decimal) -> None:
        """Add to the free amount; a negative amount takes away."""
        balance = self._of(asset)
        if balance.free + amount < 0:
            raise ValueError(f"{asset}: only {plain(balance.free)} free")
        balance.free += amount

    def lock(self, asset: str, amount: Decimal) -> None:
        self.credit(asset, -amount)
        self._of(asset).locked += amount

    def release(self, asset: str, amount: Decimal) -> None:
        self.spend_locked(asset, amount)
        self._of(asset).free += amount

    def spend_locked(self, asset: str, amount: Decimal) -> None:
        balance = self._of(asset)
        if balance.locked < amount:
            raise ValueError(f"{asset}: only {plain(balance.locked)} locked")
        balance.locked -= amount

    def rows(self) -> list[Row]:
        """Balances as the exchange lists them: without zero balances."""
        return [
            {"asset": asset, **row, "available": row["free"]}
            for asset, row in self.amounts().items()
            if self._balances[asset].total
        ]

    def keep_showing(self, rows: list[Row], until_ms: int) -> None:
        """Show older rows for a while: balances that lag behind fills."""
        self._stale, self._stale_until_ms = rows, until_ms

    def shown_rows(self, now_ms: int) -> list[Row]:
        return self._stale if now_ms < self._stale_until_ms else self.rows()

    def commission(
        self, fees: Fees, rate: Decimal, side: Side, base: str, quantity: Decimal, quote: Decimal, mx_price: Decimal
    ) -> tuple[Decimal, str]:
        """The fee of a fill and its asset, unrounded as in the live samples (MX: up to eight decimals)."""
        if fees.asset == "BASE" and side == "BUY":
            return quantity * rate, base
        if fees.asset == "MX" and rate:
            discount = _MX_HOLDER_DISCOUNT if self.total("MX") >= _MX_HOLDER_AMOUNT else _MX_DISCOUNT
            fee = (quote * rate * (ONE - discount) / mx_price).quantize(_MX_STEP, ROUND_UP)
            if self.free("MX") >= fee:
                return fee, "MX"
        return quote * rate, QUOTE_ASSET

    def _of(self, asset: str) -> Balance:
        return self._balances.setdefault(asset, Balance())
