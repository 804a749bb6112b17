"""Decimals of the simulated exchange: reading, rounding and plain text. Independent of the bot's own."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

ZERO = Decimal(0)
ONE = Decimal(1)

_PLAIN = re.compile(r"[0-9]+(\.[0-9]+)?")


def plain(value: Decimal) -> str:
    """Write without exponent and without trailing zeros, as account and order amounts are sent."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def fixed(value: Decimal, decimals: int) -> str:
    """Write with at least `decimals` places: prices of market data come padded to the tick."""
    text = plain(value)
    missing = decimals - scale_of(text)
    if missing <= 0:
        return text
    return text + ("" if "." in text else ".") + "0" * missing


def scale_of(text: str) -> int:
    """Count the digits after the point as written: the exchange counts trailing zeros too."""
    return len(text.partition(".")[2])


def read_plain(text: str) -> Decimal | None:
    """Read an unsigned plain decimal; None for anything else, exponents included (stricter than Java)."""
    return Decimal(text) if _PLAIN.fullmatch(text) else None


def increment(decimals: int) -> Decimal:
    """Give the smallest step of that many decimals."""
    return ONE.scaleb(-decimals)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Round down to a multiple of `step`."""
    return (value / step).to_integral_value(ROUND_FLOOR) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """Round up to a multiple of `step`."""
    return (value / step).to_integral_value(ROUND_CEILING) * step


def from_control(value: object, name: str) -> Decimal:
    """Read an amount of the control API: a JSON number or a decimal string, finite.

    Raises:
        ValueError: the value is neither.
    """
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError(f"{name}: a decimal number or string is wanted")
    try:
        amount = Decimal(value)
    except ArithmeticError:
        raise ValueError(f"{name}: {value!r} is no decimal") from None
    if not amount.is_finite():
        raise ValueError(f"{name}: {value!r} is not finite")
    return amount
