"""What is compared: policies as the bot's settings define them, and simple alternatives.

A policy is written as any of

    0.05                          a trigger; the rest from the environment
    0.01:half,0.03:target         levels, as in LEVELS
    auto, auto:half               the band that the costs of the run imply, and its destination
    hold, monthly                 never trade; back to the target at the first slot of a month
    NAME=VALUE NAME=VALUE         settings of the bot, separated by blanks or semicolons
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from common.config import Settings
from common.decimals import ZERO, places, plain, quotient
from common.domain.decision.band import Band, best_band
from common.domain.decision.cost_of_trading import ROUNDS
from common.domain.decision.levels import Destination, Level
from common.domain.decision.policy import Limits, Policy, Slicing
from common.domain.decision.trend import Trend
from common.errors import ConfigurationError
from local.backtest.costs import Costs
from local.backtest.market import Market

DEFAULT_RULE = "0.01:target"
_IRRELEVANT = ("K_SERVICE", "MEXC_API_KEY", "MEXC_SECRET_KEY", "REDIS_HOST", "REDIS_CA", "REDIS_URL")
"""Settings that do not matter in a back-test and might make it fail."""


@dataclass(frozen=True, slots=True)
class TrendFilter:
    """Days of the two means, and the factor by which triggers against the trend widen."""

    fast: int
    slow: int
    factor: Decimal

    def on(self, market: Market, number: int) -> Trend | None:
        """The trend on the day of a decision, from closed days; None if the newest is more than two days old."""
        day = market.day(number)
        closed = market.closed_days(day)
        if not closed or closed[-1][0] < day - 2:
            return None
        return Trend.of([close for _, close in closed[-self.slow :]], self.fast, self.slow)


@dataclass(frozen=True, slots=True)
class Strategy:
    """A policy with the limits of its orders.

    `never` just holds; `monthly` decides only at the first slot of a month; `auto` derives the band from cost and
    value every day; `trend` is updated once a day.
    """

    name: str
    policy: Policy
    limits: Limits
    never: bool = False
    monthly: bool = False
    auto: Destination | None = None
    trend: TrendFilter | None = None
    slicing: Slicing | None = None

    @property
    def changes_daily(self) -> bool:
        return self.auto is not None or self.trend is not None

    def with_band(self, band: Band) -> Policy:
        """The policy with this band as its one level."""
        return replace(self.policy, levels=(Level(band.trigger, band.destination, self.policy.levels[0].style),))


def least_order(policy: Policy, value: Decimal) -> Decimal:
    """The least order as a share of the value."""
    return quotient(policy.min_notional, value) if value > 0 else ZERO


def cost_at_best(policy: Policy, value: Decimal, costs: Costs, to: Destination) -> Decimal:
    """One-way cost at the size that the band of that cost trades (contract.md §11)."""
    cost, least = costs.one_way(ZERO), least_order(policy, value)
    for _ in range(ROUNDS if costs.impact else 0):
        cost = costs.one_way(best_band(cost, policy.target_weight, least, to).size * value)
    return cost


def formula(policy: Policy, value: Decimal, costs: Costs, to: Destination) -> Band:
    """The band of least loss at this value and these costs."""
    return best_band(cost_at_best(policy, value, costs, to), policy.target_weight, least_order(policy, value), to)


def settings(environ: Mapping[str, str], **changed: str) -> Settings:
    """The bot's settings with some of them changed. Raises ConfigurationError, which names every offender."""
    kept = {name: value for name, value in environ.items() if name not in _IRRELEVANT}
    return Settings.from_env({**kept, "AUTH_MODE": "header", "REDIS_URL": "redis://127.0.0.1", **changed})


def strategy(text: str, environ: Mapping[str, str]) -> Strategy:
    """The strategy that a text describes. Raises ConfigurationError."""
    word, _, rest = text.partition(":")
    if text in ("hold", "monthly"):
        bare = _strategy(text, settings(environ, **_levels(DEFAULT_RULE)))
        level = replace(bare.policy.levels[0], trigger=ZERO)
        policy = replace(bare.policy, levels=(level,), cost_guard=None)
        return replace(bare, policy=policy, never=text == "hold", monthly=text == "monthly", trend=None)
    if "=" in text:
        return _strategy(None, settings(environ, **_named(text)))
    if word == "auto":
        to = {"REBALANCE_TO": rest} if rest else {}
        return _strategy(None, settings(environ, THRESHOLD_PCT="auto", LEVELS="", **to))
    if ":" in text:
        return _strategy(None, settings(environ, **_levels(text)))
    return _strategy(None, settings(environ, **({"THRESHOLD_PCT": text, "LEVELS": ""} if text else {})))


def _named(text: str) -> dict[str, str]:
    """NAME=VALUE pairs. Raises ConfigurationError for an unknown setting, which would change nothing."""
    pairs = [part.partition("=") for part in re.split(r"[\s;]+", text.strip()) if part]
    unknown = [name for name, _, _ in pairs if name.lower() not in Settings.model_fields or not name.isupper()]
    if unknown:
        raise ConfigurationError(f"--policy: {', '.join(unknown)} is no setting of the bot")
    return {name: value for name, _, value in pairs}


def level_strategy(trigger: Decimal, destination: Decimal | Destination, like: Strategy) -> Strategy:
    """Another strategy with this one level instead of its own: a cell of a sweep."""
    level = Level(trigger, destination, like.policy.levels[0].style)
    policy = replace(like.policy, levels=(level,))
    return Strategy(named(policy.levels), policy, like.limits)


def _levels(text: str) -> dict[str, str]:
    return {"LEVELS": text, "THRESHOLD_PCT": "0.01", "REBALANCE_TO": "target"}


def _strategy(name: str | None, chosen: Settings) -> Strategy:
    limits = replace(chosen.limits, binding=True, max_depth_share=Decimal(1))
    policy_name = f"auto, {way(chosen.auto)}" if chosen.auto else named(chosen.policy.levels)
    extras = [f"cost guard {_percent(chosen.min_sell_margin)}"] if chosen.min_sell_margin is not None else []
    trend = None
    if chosen.trend_filter == "ma":
        trend = TrendFilter(chosen.trend_fast, chosen.trend_slow, chosen.trend_factor)
        extras.append(f"trend {trend.fast}/{trend.slow}")
    slicing = None
    if chosen.slice_notional_usdt is not None:  # whatever EXECUTION_MODE says: what is tested are orders
        slicing = Slicing(chosen.slice_notional_usdt, timedelta(hours=chosen.slice_hours))
        extras.append(f"in slices of {plain(slicing.notional)}")
    full_name = name or ", ".join([policy_name, *extras])
    return Strategy(full_name, chosen.policy, limits, auto=chosen.auto, trend=trend, slicing=slicing)


def named(levels: tuple[Level, ...]) -> str:
    """Levels in words: 1 % to the target; 10 % half-way; 10 % to 5 %."""
    return "; ".join(f"{_percent(level.trigger)} {way(level.destination)}" for level in levels)


def way(destination: Decimal | Destination) -> str:
    """The destination of a level in words."""
    match destination:
        case Destination.TARGET:
            return "to the target"
        case Destination.HALF:
            return "half-way"
        case Destination.EDGE:
            return "to the edge"
        case points:
            return f"to {_percent(points)}" if points else "to the target"


def _percent(fraction: Decimal) -> str:
    return f"{places(fraction * 100, 2).rstrip('0').rstrip('.')} %"
