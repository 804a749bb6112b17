"""How certain a comparison of two policies on one history is: the stationary bootstrap. Pure.

It uses floats: nothing here is money, and everything is an estimate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import log
from random import Random

BLOCK_DAYS = 20.0
"""Mean length of a block: long enough for a drift to come and go (rebalancing.md)."""
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the bounds that contain `level` of all resamples."""

    low: float
    estimate: float
    high: float
    level: float = 0.95

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def stationary_bootstrap(
    steps: Sequence[float],
    rng: Random,
    *,
    block: float = BLOCK_DAYS,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Interval:
    """The sum of `steps` with its percentile interval; paired, if the steps are differences of two policies.

    Blocks start anywhere, their lengths are geometric with mean `block`, and the series wraps around, so that a
    resample is as stationary as the series (Politis and Romano 1994). Raises ValueError without steps.
    """
    count = len(steps)
    if not count:
        raise ValueError("there are no steps to resample")
    sums = [0.0, *accumulate([*steps, *steps])]
    stay = log(1 - 1 / block) if block > 1 else None
    totals = sorted(_resampled(sums, count, stay, rng) for _ in range(resamples))
    tail = (1 - level) / 2
    return Interval(_quantile(totals, tail), sums[count], _quantile(totals, 1 - tail), level)


def _resampled(sums: Sequence[float], count: int, stay: float | None, rng: Random) -> float:
    """The sum of one resample: whole blocks by differences of the running sums."""
    total, left = 0.0, count
    while left:
        length = 1 if stay is None else 1 + int(log(1 - rng.random()) / stay)
        length = min(length, left)
        start = rng.randrange(count)
        total += sums[start + length] - sums[start]
        left -= length
    return total


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between the two nearest, like numpy's default."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
