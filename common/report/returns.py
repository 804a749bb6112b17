"""What the money earned, each figure with its method: returns, the break-even price, the corridor, the shadows."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from common.decimals import ZERO
from common.domain.performance.attribution import corridor
from common.domain.performance.equity import Point, drawdown, gain, money_weighted, time_weighted, volatility
from common.report.statistics import Interval, stationary_bootstrap
from common.report.values import Values
from common.report.words import clock, money, percent, price

ENOUGH_DAYS = 10
"""Days of a shadow before an interval means anything."""
RESAMPLES, LEAST_RESAMPLES = 1500, 150
"""Resamples of all shadows together, and of each: they fit into a fifth of a second."""
SEED = 7
"""The same page twice shows the same bounds."""


def facts(values: Values, points: Sequence[Point]) -> list[tuple[str, str]]:
    """Name and words: returns by time and by money, the money itself, and where holding would win."""
    if len(points) < 2:
        return []
    first, last = points[0], points[-1]
    flows = [flow for flow in values.flows if first.at < flow.at <= last.at]
    found = []
    if (made := time_weighted(points)) is not None:
        found.append(
            (
                "Time-weighted",
                f"{percent(made, 2, signed=True)} from {clock(first.at)} to {clock(last.at)}, flows apart",
            )
        )
    yearly = money_weighted(first.at, first.value, flows, last.at, last.value)
    if yearly is not None and (last.at - first.at).days >= 30:
        found.append(("Money-weighted", f"{percent(yearly, 2, signed=True)} a year (XIRR)"))
    paid = first.value + sum((flow.value for flow in flows), ZERO)
    amount = gain(first.value, flows, last.value)
    found.append(
        ("In money", f"{money(amount, signed=True)} {values.quote} on {money(paid)} paid in, at {clock(last.at)}")
    )
    if (even := values.attribution.break_even() if values.attribution else None) is not None:
        side = "below" if even.ahead_below else "above"
        found.append(("Break-even", f"{price(even.price)}: {side} it, stopping now beats having held"))
    if (bounds := _corridor(values)) is not None:
        found.append(("Corridor", _going_on(values, last, *bounds)))
    return found


def _going_on(values: Values, last: Point, low: Decimal, high: Decimal) -> str:
    """The corridor in words, and how it goes with the break-even price."""
    state = values.attribution_state
    realized = volatility(state.shares.variance, state.attribution.since, last.at) if state else None
    so_far = f" ({percent(realized, 0)} a year so far)" if realized is not None else ""
    where = "inside" if low <= last.mid <= high else "outside"
    text = (
        f"between {price(low)} and {price(high)} going on beats holding, by the price\u2019s own swings{so_far}. "
        f"The price, {price(last.mid)}, is {where}"
    )
    if state is None or state.attribution.break_even() is None:
        return text
    return (
        f"{text}. The break-even speaks of stopping now, after the orders made, and the corridor of a mix kept at "
        "its target all along: ahead outside it and behind inside it are both possible"
    )


def _corridor(values: Values) -> tuple[Decimal, Decimal] | None:
    state = values.attribution_state
    if state is None or values.start_price is None or not state.shares.variance:
        return None
    return corridor(values.start_price, state.shares.variance, state.attribution.weight)


def fall(points: Sequence[Point]) -> str:
    """The deepest fall in words."""
    worst = drawdown(points)
    if worst is None:
        return "It never stood below an earlier high."
    return f"{percent(worst.depth)} from {clock(worst.peak_at)} to {clock(worst.trough_at)}, flows apart."


@dataclass(frozen=True, slots=True)
class Compared:
    """A shadow against the account: growth beyond the account's, without drift, with its interval, in logarithms.

    `interval` is None before there are enough days. `ahead` is how much more it would be worth, in the quote asset.
    """

    name: str
    days: int
    growth: Decimal
    interval: Interval | None
    ahead: Decimal
    orders: int
    paid: Decimal


def alike(found: Sequence[Compared]) -> list[str]:
    """The names of the largest group that has done just the same so far; none of a group of one."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for each in found:
        groups.setdefault((each.days, each.growth, each.ahead, each.orders, each.paid), []).append(each.name)
    most = max(groups.values(), key=len, default=[])
    return most if len(most) > 1 else []


def compared(values: Values) -> list[Compared]:
    """Every shadow, the best first."""
    if values.shadows is None:
        return []
    now, real = values.shadows.mid, values.shadows.real
    resamples = max(RESAMPLES // max(len(values.shadows.papers), 1), LEAST_RESAMPLES)
    found = []
    for name, paper in values.shadows.papers.items():
        steps = [day.papers[name] - day.real for day in values.shadow_days if name in day.papers]
        days = len(steps)
        if paper.since.date() == real.since.date() or days:
            steps.append(paper.growth - real.growth)
        interval = None
        if days >= ENOUGH_DAYS:
            interval = stationary_bootstrap([float(step) for step in steps], Random(SEED), resamples=resamples)
        ahead = paper.pair.value(now) - real.pair.value(now)
        total = sum(steps, ZERO)
        found.append(Compared(name, days, total, interval, ahead, paper.orders, paper.paid))
    return sorted(found, key=lambda each: each.growth, reverse=True)
