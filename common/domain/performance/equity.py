"""The account's value over time: points, returns with their method, drawdown, volatility (contract.md §13).

Values are in the quote asset; returns and drawdowns are fractions; volatility and money-weighted return are yearly.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Context, Decimal, localcontext
from typing import NamedTuple

from common.decimals import ONE, ZERO, Price, exact, quotient
from common.domain.performance.attribution import Attribution

YEAR = timedelta(days=365)
_PLACES = Decimal(1).scaleb(-18)
_RETURNS = Context(prec=34)
_HALVINGS = 100


@dataclass(frozen=True, slots=True)
class Shares:
    """The account as a fund: a flow buys or redeems shares at their price, so the share price shows the return.

    `variance` is the realized variance of the mid so far, Σ (ln mᵢ/mᵢ₋₁)², `mid` the last one seen. `last_price` is
    the share price at which the account was emptied, and is funded again: 1 before that.
    """

    count: Decimal
    variance: Decimal
    mid: Price
    last_price: Price = ONE

    @classmethod
    def begin(cls, value: Decimal, mid: Decimal) -> "Shares":
        """As many shares as the account is worth: the first price is 1."""
        return cls(value, ZERO, mid)

    @exact
    def flow(self, value_before: Decimal, flow: Decimal) -> "Shares":
        """After a flow worth `flow` into an account worth `value_before`; an empty one keeps its last price."""
        if value_before <= 0 or self.count <= 0:
            return replace(self, count=quotient(value_before + flow, self.last_price))
        count = self.count + quotient(flow * self.count, value_before)
        if count > 0:
            return replace(self, count=count)
        return replace(self, count=ZERO, last_price=self.price(value_before) or self.last_price)

    @exact
    def seen(self, mid: Decimal) -> "Shares":
        """After a look at the mid, once a slot."""
        step = (mid / self.mid).ln() if mid != self.mid else ZERO
        return replace(self, variance=self.variance + (step * step).quantize(_PLACES), mid=mid)

    def price(self, value: Decimal) -> Decimal:
        return quotient(value, self.count) if self.count > 0 else self.last_price


@dataclass(frozen=True, slots=True)
class Point:
    """The account at one time: what it was worth, and the whole state behind it."""

    at: datetime
    mid: Price
    value: Decimal
    held_value: Decimal
    shares: Shares
    attribution: Attribution

    @classmethod
    def of(cls, at: datetime, mid: Decimal, shares: Shares, attribution: Attribution) -> "Point":
        return cls(at, mid, attribution.real.value(mid), attribution.held.value(mid), shares, attribution)

    @property
    def share_price(self) -> Decimal:
        return self.shares.price(self.value)


@dataclass(frozen=True, slots=True)
class Flow:
    """A deposit (positive) or withdrawal (negative), as it was seen."""

    at: datetime
    base: Decimal
    quote: Decimal
    mid: Price

    @property
    @exact
    def value(self) -> Decimal:
        return self.base * self.mid + self.quote


def time_weighted(points: Sequence[Point]) -> Decimal | None:
    """The return of one unit of money that stayed from the first point to the last, whatever flows came between."""
    if len(points) < 2:
        return None
    with localcontext(_RETURNS):
        return quotient(points[-1].share_price, points[0].share_price) - 1


def money_weighted(
    began: datetime, start: Decimal, flows: Iterable[Flow], ended: datetime, end: Decimal
) -> Decimal | None:
    """XIRR, actual days over 365: the yearly rate at which start and flows grow into the end.

    None where there is no such rate between −99.99 % and a million-fold, where every rate is one (nothing was
    invested for any time), or where no time has passed.
    """
    paid = [(_years(began, ended), start), *((_years(flow.at, ended), flow.value) for flow in flows)]
    if ended <= began:
        return None
    with localcontext(_RETURNS):

        def surplus(growth: Decimal) -> Decimal:
            """How far the money would exceed the end at that yearly growth."""
            return sum((amount * growth**years for years, amount in paid), ZERO) - end

        low, high = Decimal("0.0001"), Decimal(1_000_000)
        if surplus(low) > 0 or surplus(high) < 0 or surplus(low) == surplus(high):
            return None
        for _ in range(_HALVINGS):
            middle = (low * high).sqrt()
            low, high = (low, middle) if surplus(middle) > 0 else (middle, high)
        return (low - 1).quantize(Decimal("1e-12"))


@exact
def gain(start: Decimal, flows: Iterable[Flow], end: Decimal) -> Decimal:
    """The money made: the end less the start and what was paid in."""
    return end - start - sum((flow.value for flow in flows), ZERO)


class Drawdown(NamedTuple):
    """The deepest fall of the share price from an earlier peak, as a positive fraction."""

    depth: Decimal
    peak_at: datetime
    trough_at: datetime


def drawdown(points: Iterable[Point]) -> Drawdown | None:
    """None where the price never fell. Flows do not count: it is the share price that falls."""
    worst: Drawdown | None = None
    peak, peak_at = ZERO, None
    for point in points:
        price = point.share_price
        if peak_at is None or price >= peak:
            peak, peak_at = price, point.at
            continue
        depth = quotient(peak - price, peak)
        if worst is None or depth > worst.depth:
            worst = Drawdown(depth, peak_at, point.at)
    return worst


def volatility(variance: Decimal, began: datetime, ended: datetime) -> Decimal | None:
    """The realized volatility a year from a realized variance; None where no time has passed."""
    if ended <= began:
        return None
    with localcontext(_RETURNS):
        return (variance / _years(began, ended)).sqrt().quantize(Decimal("1e-12"))


def _years(start: datetime, end: datetime) -> Decimal:
    with localcontext(_RETURNS):
        return Decimal((end - start) // timedelta(microseconds=1)) / Decimal(YEAR // timedelta(microseconds=1))
