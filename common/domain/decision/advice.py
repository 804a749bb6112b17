"""What a band costs, in words and figures an owner can choose by (contract.md §11, Guidance)."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from common.decimals import exact, places, plain
from common.domain.decision.band import Band, best_band, orders_a_year, yearly_loss
from common.domain.decision.cost_of_trading import ROUNDS
from common.domain.decision.levels import Destination, Level

_WITHIN = Decimal("0.01")
"""How far from the mid the given depth reaches."""
_TENTH = Decimal("0.1")
_HAIR = Decimal("0.0000001")


def band_of(level: Level, least: Decimal) -> Band:
    """The band that a level makes, at orders of at least that share of the value."""
    trigger, destination = level.trigger, level.points
    if trigger - destination >= least:
        return Band(trigger, destination)
    if level.destination is Destination.HALF:
        return Band(2 * least, least)
    return Band(destination + least, destination)


@exact
def advice(level: Level, cost: Decimal, weight: Decimal, least: Decimal) -> str:
    """What the level costs a year at a volatility of 100 %, against the best half-way band."""
    band, best = band_of(level, least), best_band(cost, weight, least)
    loss, least_loss = yearly_loss(band, cost, weight), yearly_loss(best, cost, weight)
    text = (
        f"{places(band.trigger * 100, 1)} points {_destination(level)} costs about {_significant(loss)} % a year "
        f"at c = {places(cost * 100, 2)} %"
    )
    way = (
        "half-way"
        if abs(best.destination * 2 - best.trigger) < _HAIR
        else f"back to {places(best.destination * 100, 1)}"
    )
    if least_loss < loss:
        return f"{text}; {places(best.trigger * 100, 1)} {way} would cost {_significant(least_loss)} %"
    return f"{text}; no half-way band costs less"


def _destination(level: Level) -> str:
    match level.destination:
        case Destination.TARGET:
            return "to the target"
        case Destination.HALF:
            return "half-way"
        case Destination.EDGE:
            return "to the edge"
        case points:
            return f"back to {places(points * 100, 1)}"


def _significant(fraction: Decimal) -> str:
    """A percentage with two significant digits: 3.1, 0.31, 0.031."""
    percentage = fraction * 100
    digits = max(1 - percentage.adjusted(), 0) if percentage else 0
    return places(percentage, digits)


@dataclass(frozen=True, slots=True)
class Guidance:
    """What to choose for a portfolio of `value`; money in the quote asset, losses a year at 100 % volatility."""

    value: Decimal
    cost: Decimal
    band: Band
    order: Decimal
    orders_a_year: Decimal | None
    loss: Decimal
    usual_loss: Decimal

    @property
    def shown(self) -> tuple[str, str]:
        """Trigger and destination in points; the trigger is rounded up, so that it is never promised too early."""
        trigger = (self.band.trigger * 100).quantize(_TENTH, ROUND_CEILING)
        return plain(trigger), places(self.band.destination * 100, 1)


@exact
def guidance(
    value: Decimal, fee: Decimal, half_spread: Decimal, depth: Decimal, least: Decimal, weight: Decimal
) -> Guidance:
    """The best half-way band for a portfolio, with `depth` (quote asset) within 1 % of the mid on each side.

    The depth is assumed to be spread evenly between the half spread and that 1 %, so an order of n pays ½·n/depth
    of that distance beyond the half spread. `usual_loss` is what one point to the target would lose.
    """
    steepness = max(_WITHIN - half_spread, _WITHIN / 10) / depth / 2
    share, cost = least / value, fee + half_spread
    band = best_band(cost, weight, share)
    for _ in range(ROUNDS):
        cost = fee + half_spread + steepness * band.size * value
        band = best_band(cost, weight, share)
    usual = band_of(Level(_WITHIN), share)
    usual_cost = fee + half_spread + steepness * usual.size * value
    return Guidance(
        value,
        cost,
        band,
        band.size * value,
        orders_a_year(band, weight),
        yearly_loss(band, cost, weight),
        yearly_loss(usual, usual_cost, weight),
    )
