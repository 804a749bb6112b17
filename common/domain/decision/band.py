"""The band that costs least, in closed form (contract.md §11, rebalancing.md).

With w the target weight, q = w²(1−w)², c the one-way cost as a fraction, a trigger b and a destination a, let
S = a + b and h = b − a, the order's share of the value. In a year the band then loses σ²·((S² + h²)/24 + c·q/S)
against a mix that is kept at no cost, and trades σ²·q/(S·h) times. The best band does not depend on σ.
"""

from dataclasses import dataclass
from decimal import Decimal

from common.decimals import EXACT, ONE, ZERO, exact, quotient
from common.domain.decision.levels import Destination

NARROWEST, WIDEST = Decimal("0.02"), Decimal("0.15")
_THIRD = EXACT.divide(ONE, Decimal(3))
_SHARE = {Destination.TARGET: ONE, Destination.HALF: _THIRD, Destination.EDGE: ZERO}
"""h/S: the order's size against the sum of trigger and destination."""


@dataclass(frozen=True, slots=True)
class Band:
    """Points of weight, as fractions."""

    trigger: Decimal
    destination: Decimal

    @property
    def size(self) -> Decimal:
        """The order's share of the value."""
        return self.trigger - self.destination


@exact
def best_band(
    cost: Decimal, weight: Decimal, least: Decimal = ZERO, destination: Destination = Destination.HALF
) -> Band:
    """The band of least loss at this one-way cost; `least` is the least order as a share of the value.

    S = (12·c·q/(1+r²))^⅓ and h = r·S, with r = 1 to the target, ⅓ half-way, 0 to the edge. If the least order
    is larger than h, it becomes h, and S = (12·c·q)^⅓. The trigger is clamped to 2 to 15 points, and is never
    below the least order.
    """
    q, share = _q(weight), _SHARE[destination]
    total = _root(12 * cost * q / (ONE + share * share))
    size = share * total
    if bound := size < least:
        total, size = _root(12 * cost * q), least
    band = Band((total + size) / 2, (total - size) / 2) if size < total or not bound else Band(least, ZERO)
    trigger = max(min(band.trigger, WIDEST), NARROWEST, least)
    if trigger != band.trigger:
        size = band.size if bound else band.size * trigger / band.trigger
        band = Band(trigger, max(trigger - max(size, least), ZERO))
    return Band(quotient(band.trigger, ONE), quotient(band.destination, ONE))


@exact
def yearly_loss(band: Band, cost: Decimal, weight: Decimal) -> Decimal:
    """The band's loss a year at a volatility of 100 %, a fraction of the value; 1 for a band without width."""
    total, size = band.trigger + band.destination, band.size
    if total <= 0:
        return ONE
    return quotient((total * total + size * size) / 24 + cost * _q(weight) / total, ONE)


@exact
def orders_a_year(band: Band, weight: Decimal) -> Decimal | None:
    """Orders a year at a volatility of 100 %; None for a band whose orders have no size."""
    product = (band.trigger + band.destination) * band.size
    return quotient(_q(weight), product) if product > 0 else None


def _q(weight: Decimal) -> Decimal:
    return (weight * (ONE - weight)) ** 2


def _root(value: Decimal) -> Decimal:
    """The cube root."""
    return value**_THIRD if value > 0 else ZERO
