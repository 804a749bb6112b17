"""Series derived from the points of the equity curve: holdings of one asset, flows, weights, drawdowns."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import TypeVar

from common.decimals import ONE, ZERO, exact, quotient
from common.domain.performance.equity import Flow, Point

T = TypeVar("T")


@exact
def flows(points: Sequence[Point]) -> list[Flow]:
    """Deposits and withdrawals between the points: only they change the `held` portfolio."""
    found = []
    for before, after in pairwise(points):
        then, now = before.attribution.held, after.attribution.held
        if then != now:
            found.append(Flow(after.at, now.base - then.base, now.quote - then.quote, after.mid))
    return found


@exact
def all_base(points: Sequence[Point]) -> list[Decimal]:
    """What the money would be worth if it were all base asset from the first point on, including flows."""
    quantity, values = ZERO, []
    for paid, point in zip(_paid(points), points, strict=True):
        quantity += quotient(paid, point.mid)
        values.append(quantity * point.mid)
    return values


@exact
def all_quote(points: Sequence[Point]) -> list[Decimal]:
    """The same, all quote asset."""
    total, values = ZERO, []
    for paid in _paid(points):
        total += paid
        values.append(total)
    return values


def _paid(points: Sequence[Point]) -> list[Decimal]:
    """What was paid in at each point: the value at the first, the flows afterwards."""
    came = {flow.at: flow.value for flow in flows(points)}
    return [came.get(point.at, ZERO) if index else point.value for index, point in enumerate(points)]


def weight(point: Point) -> Decimal:
    """The base asset's share of the value; zero for an empty account."""
    return quotient(point.attribution.real.base * point.mid, point.value) if point.value > 0 else ZERO


def drawdowns(points: Sequence[Point]) -> list[Decimal]:
    """How far the share price is below its highest so far, as a fraction: zero or negative."""
    peak, found = ZERO, []
    for point in points:
        peak = max(peak, point.share_price)
        found.append(quotient(point.share_price, peak) - ONE if peak > 0 else ZERO)
    return found


def sampled(points: Sequence[T], most: int) -> list[T]:
    """At most `most` points, the last of each of that many equal parts: what fits a table."""
    if len(points) <= most:
        return list(points)
    return [points[(index + 1) * len(points) // most - 1] for index in range(most)]
