"""How much of a best result is the luck of the search: deflated Sharpe ratio, probability of overfitting. Pure.

It uses floats: nothing here is money, and everything is an estimate.
"""

from collections.abc import Sequence
from itertools import combinations, pairwise
from math import e, sqrt
from statistics import NormalDist, fmean, stdev, variance

_EULER = 0.5772156649015329
_NORMAL = NormalDist()
BLOCKS = 10


def sharpe(steps: Sequence[float]) -> float:
    """Mean over standard deviation of the steps, not annualized; 0 for steps that do not vary."""
    spread = stdev(steps) if len(steps) > 1 else 0.0
    return fmean(steps) / spread if spread > 0 else 0.0


def deflated_sharpe(steps: Sequence[float], tried: Sequence[float]) -> float:
    """The probability that the best of several tries is better than luck; `tried` are all Sharpe ratios."""
    if len(steps) < 3 or len(tried) < 2 or not (ratio := sharpe(steps)):
        return 0.0
    return deflated(ratio, len(steps), *_moments(steps), variance(tried), len(tried))


def deflated(ratio: float, count: int, skew: float, kurtosis: float, spread: float, tries: int) -> float:
    """Φ((SR − SR₀)·√(T−1) / √(1 − γ₃·SR + (γ₄−1)/4·SR²)), by Bailey and López de Prado 2014.

    SR₀ is the expected largest ratio of `tries` worthless tries whose ratios have the variance `spread`; `count` is
    T, the number of steps.
    """
    quantile = _NORMAL.inv_cdf
    luck = sqrt(spread) * ((1 - _EULER) * quantile(1 - 1 / tries) + _EULER * quantile(1 - 1 / (tries * e)))
    wide = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    return _NORMAL.cdf((ratio - luck) * sqrt((count - 1) / wide)) if wide > 0 else 0.0


def _moments(steps: Sequence[float]) -> tuple[float, float]:
    """Skewness and kurtosis (3 for a normal distribution)."""
    mean = fmean(steps)
    spread = sqrt(fmean((step - mean) ** 2 for step in steps))
    parts = [(step - mean) / spread for step in steps]
    return fmean(part**3 for part in parts), fmean(part**4 for part in parts)


def probability_of_overfitting(tries: Sequence[Sequence[float]], blocks: int = BLOCKS) -> float | None:
    """How often the best of one half of the time is below the median in the other half (PBO by CSCV).

    `tries` holds the steps of each try, at the same times. Time is cut into `blocks` parts, and every half of them
    is searched once (Bailey, Borwein, López de Prado, Zhu 2017). None when there are too few steps.
    """
    count = min(map(len, tries), default=0)
    if len(tries) < 2 or count < 2 * blocks:
        return None
    edges = [count * part // blocks for part in range(blocks + 1)]
    sums = [[sum(steps[a:b]) for a, b in pairwise(edges)] for steps in tries]
    totals = [sum(row) for row in sums]
    worse = splits = 0.0
    for half in combinations(range(blocks), blocks // 2):
        inside = [sum(row[part] for part in half) for row in sums]
        best = max(range(len(tries)), key=inside.__getitem__)
        outside = [total - found for total, found in zip(totals, inside, strict=True)]
        below = sum(1 for value in outside if value < outside[best])
        level = sum(1 for value in outside if value == outside[best])
        rank = (below + (level + 1) / 2) / (len(tries) + 1)
        worse += 1.0 if rank < 0.5 else 0.5 if rank == 0.5 else 0.0
        splits += 1
    return worse / splits
