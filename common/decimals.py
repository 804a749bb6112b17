"""The only module that makes, rounds and formats decimals.

All arithmetic of the domain runs under `EXACT` (60 digits), so that products of prices and quantities of any pair
are exact; where a quotient must be rounded, the code says to how many places. Functions called a hundred times a
plan use methods of `EXACT` instead of entering the context.
"""

from collections.abc import Callable
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    getcontext,
    localcontext,
)
from functools import wraps
from typing import Annotated, ParamSpec, TypeVar

from common.errors import InvalidAmount

P = ParamSpec("P")
R = TypeVar("R")

ZERO = Decimal(0)
ONE = Decimal(1)
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
_QUOTIENT = Decimal(1).scaleb(-18)
_TEN = Decimal(10)


def positive(value: Decimal) -> bool:
    return value > 0


def a_share(value: Decimal) -> bool:
    return ZERO <= value <= ONE


Price = Annotated[Decimal, positive]
"""A price in a stored document: never zero, since amounts are divided by it."""
Share = Annotated[Decimal, a_share]
"""A share in a stored document, from 0 to 1."""


def exact(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function of the domain under the `EXACT` context, whatever the thread's own context is.

    If the context is already active (one such function calls another), it is not entered again: that is expensive.
    """

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        context = getcontext()
        if context.prec == EXACT.prec and context.rounding == EXACT.rounding and context.traps == EXACT.traps:
            return function(*args, **kwargs)
        with localcontext(EXACT):
            return function(*args, **kwargs)

    return wrapper


def parse(value: object, name: str = "amount") -> Decimal:
    """Make a finite decimal of a string, an int or a Decimal.

    Raises InvalidAmount for anything else: floats, booleans, None, NaN, infinities, words.
    """
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, (str, int)) and not isinstance(value, bool):
        try:
            number = EXACT.create_decimal(value) if isinstance(value, int) else Decimal(value)
        except InvalidOperation:
            raise InvalidAmount(f"{name} is not a decimal number: {value!r:.40}") from None
    else:
        raise InvalidAmount(f"{name} is not a decimal number: {type(value).__name__}")
    if not number.is_finite():
        raise InvalidAmount(f"{name} is not finite: {number}")
    if abs(number.adjusted()) > 40:
        raise InvalidAmount(f"{name} is out of any sensible range: {number!s:.40}")
    return number


def non_negative(value: object, name: str = "amount") -> Decimal:
    """`parse`, and refuse a number below zero. Raises InvalidAmount."""
    number = parse(value, name)
    if number < 0:
        raise InvalidAmount(f"{name} is negative: {plain(number)}")
    return number


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` at or below `value`; a step of zero means no step."""
    return _to_step(value, step, ROUND_FLOOR)


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` at or above `value`; a step of zero means no step."""
    return _to_step(value, step, ROUND_CEILING)


def _to_step(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    if step <= 0:
        return value
    return EXACT.multiply(EXACT.divide(value, step).to_integral_value(rounding, EXACT), step)


def quotient(numerator: Decimal, denominator: Decimal, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """numerator / denominator to 18 decimal places, by default half to even: the only rounding in a division.

    Raises InvalidAmount beyond 42 digits before the point.
    """
    try:
        return tidy(EXACT.divide(numerator, denominator).quantize(_QUOTIENT, rounding, EXACT))
    except InvalidOperation:
        raise InvalidAmount("a quotient is out of any sensible range") from None


def tidy(value: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent (0E-8 becomes 0)."""
    value = value.normalize(EXACT)
    return value.quantize(ONE, context=EXACT) if value and not EXACT.remainder(value, _TEN) else value


def plain(value: Decimal) -> str:
    """Plain text without an exponent: neither a protocol nor a reader expects str(Decimal("0.0000001"))."""
    return format(value, "f")


def float_like(value: Decimal) -> str:
    """Plain text with at least one decimal place and no trailing zeros: 0 -> 0.0, 10.50 -> 10.5."""
    text = plain(tidy(value))
    return text if "." in text else f"{text}.0"


def places(value: Decimal, digits: int) -> str:
    """`value` with exactly `digits` decimal places, half to even, for people to read."""
    return format(value.quantize(ONE.scaleb(-digits), ROUND_HALF_EVEN, EXACT), "f")
