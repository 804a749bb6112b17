"""What a fill costs, and in which asset."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal

from local.exchange.account import Account
from local.exchange.amounts import ONE
from local.exchange.config import QUOTE_ASSET, Fees, Side

# With MX deduction on, the fee is 20 % less, half for who holds 500 MX.
_MX_DISCOUNT = Decimal("0.2")
_MX_HOLDER_DISCOUNT = Decimal("0.5")
_MX_HOLDER_AMOUNT = Decimal(500)
_MX_STEP = Decimal("0.00000001")


def commission(
    account: Account,
    fees: Fees,
    rate: Decimal,
    side: Side,
    base_asset: str,
    quantity: Decimal,
    quote: Decimal,
    mx_price: Decimal,
) -> tuple[Decimal, str]:
    """Give the fee of a fill and its asset, unrounded as in the live samples (MX: up to eight decimals)."""
    if fees.asset == "BASE" and side == "BUY":
        return quantity * rate, base_asset
    if fees.asset == "MX" and rate:
        holder = account.total("MX") >= _MX_HOLDER_AMOUNT
        discount = _MX_HOLDER_DISCOUNT if holder else _MX_DISCOUNT
        fee = (quote * rate * (ONE - discount) / mx_price).quantize(_MX_STEP, ROUND_UP)
        if account.free("MX") >= fee:
            return fee, "MX"
    return quote * rate, QUOTE_ASSET
