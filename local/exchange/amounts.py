"""Decimals of the simulated exchange: reading, rounding and plain text. Independent of the bot's own."""

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

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
    return text if missing <= 0 else text + ("" if "." in text else ".") + "0" * missing


def scale_of(text: str) -> int:
    """Count the digits after the point as written: the exchange counts trailing zeros too."""
    return len(text.partition(".")[2])


def read_plain(text: str) -> Decimal | None:
    """Read an unsigned plain decimal; None for anything else, exponents included (stricter than Java)."""
    return Decimal(text) if _PLAIN.fullmatch(text) else None


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).to_integral_value(ROUND_FLOOR) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).to_integral_value(ROUND_CEILING) * step


def _read(value: object) -> Decimal:
    """A JSON number or a decimal string of the control API. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError("a decimal number or string is wanted")
    try:
        return Decimal(value)
    except ArithmeticError:
        raise ValueError("no decimal") from None


Number = Annotated[Decimal, BeforeValidator(_read), PlainSerializer(plain), Field(allow_inf_nan=False)]
"""Read from a number or a text, written as plain text."""
Amount = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
