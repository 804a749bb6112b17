"""The settings of the policy and of the limits (contract.md §4, §6, §11).

Every function reads the settings but only two make a plan, so the planning types are imported on use.
"""

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from common.decimals import parse
from common.domain.decision.levels import Destination, Level
from common.domain.decision.notation import (
    StatedLevel,
    Style,
    Threshold,
    destination_in,
    levels_in,
    stated_problems,
    style_in,
    threshold_in,
)
from common.domain.orders.order import OrderStyle
from common.errors import InvalidAmount

if TYPE_CHECKING:
    from common.domain.decision.policy import Limits, Policy, Slicing
    from common.domain.performance.shadow_policies import Shadow

DEFAULT_SHADOWS = "1 point to target=0.01:target; 5 points half-way=0.05:half; auto; monthly; hold"


def _decimal(value: object) -> Decimal:
    try:
        return parse(value)
    except InvalidAmount:
        raise ValueError("must be a finite decimal number") from None


def stated_shadows(text: str) -> str:
    from common.domain.performance.shadow_policies import shadows_in

    shadows_in(text)
    return text


Number = Annotated[Decimal, BeforeValidator(_decimal)]
Fraction = Annotated[Decimal, BeforeValidator(_decimal), Field(ge=0, lt=1)]
Seconds = Annotated[int, Field(ge=1, le=31_536_000)]


TIME_TO_SEND_SECONDS = 15
"""The time that a run must have left to send an order and follow it up."""
_OF_POLICY = ("rebalance_to", "levels", "cost_fallback", "decide_on", "trend_filter", "min_sell_margin")


class TradingSettings(BaseModel):
    """The settings that shape an order."""

    model_config = ConfigDict(defer_build=True)  # never instantiated itself: only Settings is

    target_ratio: Number = Field(
        Decimal("0.5"), gt=0, lt=1, description="Target share of the base asset in the value"
    )
    min_notional_usdt: Number = Field(
        Decimal("5.0"), ge=0, description="Smallest notional worth an order, quote asset"
    )
    threshold_pct: Annotated[Threshold, BeforeValidator(threshold_in)] = Field(
        Decimal("0.01"),
        description="Tolerance, a fraction of the value: the trigger of the one level; `auto`: from measured cost",
    )
    rebalance_to: Annotated[Decimal | Destination, BeforeValidator(destination_in)] = Field(
        Destination.TARGET,
        description="Where to go back to: `target`, `half` (of the drift), `edge` (the trigger), or points",
    )
    levels: Annotated[tuple[StatedLevel, ...], BeforeValidator(levels_in)] = Field(
        (),
        description="Several levels instead of the two above: `trigger:destination[:style]`, comma separated",
    )
    cost_fallback: Number = Field(
        Decimal("0.005"), gt=0, lt=1, description="One-way cost of trading, a fraction, until enough was measured"
    )
    decide_on: Literal["last", "mid"] = Field(
        "last",
        description="Price to decide on: the `last` trade's or the book's `mid`; unset, `auto` takes `mid`",
    )
    trend_filter: Literal["off", "ma"] = Field(
        "off", description="`ma`: while price > fast > slow mean, sales wait longer; mirrored for buys"
    )
    trend_fast: Annotated[int, Field(ge=1, le=499)] = Field(7, description="Days of the fast mean")
    trend_slow: Annotated[int, Field(ge=2, le=500)] = Field(25, description="Days of the slow mean")
    trend_factor: Number = Field(
        Decimal("1.5"), ge=1, le=10, description="How many times as wide the triggers against the trend are"
    )
    min_sell_margin: Annotated[Number | None, Field(ge=0, le=10)] = Field(
        None, description="Sell only at or above average cost times (1 + this), a fraction; unset: at any price"
    )
    cost_guard_max_weight: Number = Field(
        Decimal("0.65"), gt=0, lt=1, description="Share of the base asset at which `MIN_SELL_MARGIN` is lifted"
    )
    max_balance_age_seconds: Seconds = Field(60, description="Oldest account a plan may rest on")
    max_price_age_seconds: Seconds = Field(60, description="Oldest price a plan may rest on")
    execution_mode: Literal["plan", "test", "live"] = Field(
        "plan", description="`plan` places nothing, `test` asks the exchange's order/test, `live` trades"
    )
    live_gate: Literal["off", "confirm"] = Field(
        "off", description="`confirm`: live orders only under settings that an operator confirmed with `ops`"
    )
    order_style: Annotated[Style, BeforeValidator(style_in)] = Field(
        OrderStyle.IOC,
        description="`ioc` (take at once, cancel the rest), `maker` (rest at the best price), `market`, "
        "`tiered` (rest at the trigger of a maker's cost, take at that of a taker's)",
    )
    order_rest_seconds: Annotated[int, Field(ge=1, le=86_400)] = Field(
        840,
        description="How long a `maker` order may stay in the book, seconds; longer than a run: until a later one",
    )
    allow_market_orders: bool = Field(False, description="Must be true as well for `ORDER_STYLE=market`")
    max_price_deviation: Fraction = Field(
        Decimal("0.2"),
        description="Largest step from the last known price, the last plan's and the 24-hour mid-range, a fraction",
    )
    max_balance_jump: Fraction = Field(
        Decimal("0.2"),
        description="Largest change of balances without a fill, a fraction of the value; a larger one must show "
        "again in the next run before it counts",
    )
    max_slippage: Fraction = Field(
        Decimal("0.005"), description="Largest expected slippage by the order book, a fraction"
    )
    max_depth_share: Fraction = Field(Decimal("0.8"), description="Largest share of the first three levels to take")
    max_fee: Fraction = Field(Decimal("0.01"), description="Largest taker fee to trade at, a fraction")
    max_orders_per_day: Annotated[int, Field(ge=0, le=1000)] = Field(5, description="Orders a UTC day, at most")
    max_placements_per_day: Annotated[int, Field(ge=0, le=5000)] = Field(
        100, description="Orders placed a UTC day, at most, whether they filled or not"
    )
    order_cooldown_seconds: Annotated[int, Field(ge=0, le=604_800)] = Field(
        3600,
        description="Least time between two orders, seconds, from when one is sent (seconds after its slot): "
        "3600 allows every fifth slot, 3500 every fourth",
    )
    max_notional_usdt: Number = Field(
        Decimal(1000),
        gt=0,
        description="Largest order, quote asset; a larger one is cut to it; at least `MIN_NOTIONAL_USDT`",
    )
    slice_notional_usdt: Annotated[Number | None, Field(gt=0)] = Field(
        None,
        description="A larger order goes in slices of this, one a slot, quote asset; unset: whole",
    )
    slice_hours: Annotated[int, Field(ge=1, le=168)] = Field(
        6, description="Longest time that a program of slices may take, hours"
    )
    max_daily_loss_usdt: Annotated[Number | None, Field(gt=0)] = Field(
        None, description="Loss since 00:00 UTC (realized and unrealized) that stops trading for the day"
    )
    core_holding: Number = Field(Decimal(0), ge=0, description="Base asset that is never sold")
    usdt_reserve: Number = Field(Decimal(0), ge=0, description="Quote asset that is never spent")
    quantity_increment: Annotated[Number | None, Field(gt=0)] = Field(
        None,
        description="Coarser step of quantities than the exchange publishes (after `quantity scale is invalid`)",
    )

    shadow_policies: Annotated[str, AfterValidator(stated_shadows)] = Field(
        DEFAULT_SHADOWS,
        description="Policies that decide on paper beside the real one, for the report: `name=levels`, `auto`, "
        "`monthly`, `hold`, separated by semicolons; `off`: none",
    )

    @property
    def shadows(self) -> "tuple[Shadow, ...]":
        from common.domain.performance.shadow_policies import shadows_in

        return shadows_in(self.shadow_policies)

    def policy_problems(self) -> list[str]:
        """Violated rules over several of these settings; each sentence names the settings concerned."""
        problems = stated_problems(self.threshold_pct, self.rebalance_to, self.levels)
        if any(level.style is OrderStyle.MARKET for level in self.levels) and not self.allow_market_orders:
            problems.append("LEVELS: the style `market` needs ALLOW_MARKET_ORDERS=true")
        if self.order_style is OrderStyle.MARKET and not self.allow_market_orders:
            problems.append("ORDER_STYLE: `market` needs ALLOW_MARKET_ORDERS=true")
        if self.slice_notional_usdt is not None and self.slice_notional_usdt < self.min_notional_usdt:
            problems.append("SLICE_NOTIONAL_USDT: must not be below MIN_NOTIONAL_USDT")
        if self.min_notional_usdt > self.max_notional_usdt:
            problems.append("MIN_NOTIONAL_USDT and MAX_NOTIONAL_USDT: the least order is above the largest")
        if self.trend_fast >= self.trend_slow:
            problems.append("TREND_FAST: must be below TREND_SLOW")
        if self.order_style == "tiered" and self.threshold_pct != "auto":
            problems.append("ORDER_STYLE: `tiered` needs THRESHOLD_PCT=auto")
        if self.min_sell_margin is not None and self.cost_guard_max_weight <= self.target_ratio:
            problems.append("COST_GUARD_MAX_WEIGHT: must be above TARGET_RATIO")
        return problems

    @property
    def policy(self) -> "Policy":
        """The policy as set; with `THRESHOLD_PCT=auto`, for the cost that is assumed until one is measured."""
        from common.domain.decision.policy import CostGuard, Policy

        guard = self.min_sell_margin
        return Policy(
            target_weight=self.target_ratio,
            min_notional=self.min_notional_usdt,
            levels=self._levels,
            core_holding=self.core_holding,
            quote_reserve=self.usdt_reserve,
            cost_guard=CostGuard(guard, self.cost_guard_max_weight) if guard is not None else None,
        )

    @property
    def auto(self) -> Destination | None:
        """The destination of the band derived from cost; None when the levels are set by hand."""
        to = self.rebalance_to
        return to if self.threshold_pct == "auto" and isinstance(to, Destination) else None

    @property
    def decides_on_mid(self) -> bool:
        """A derived band decides on the book's mid unless the owner says otherwise."""
        named = "decide_on" in self.model_fields_set
        return self.decide_on == "mid" or (self.auto is not None and not named)

    @property
    def usual_style(self) -> OrderStyle:
        """The style of orders whose level sets none."""
        return OrderStyle.IOC if self.order_style == "tiered" else OrderStyle(self.order_style)

    @property
    def _levels(self) -> tuple[Level, ...]:
        if self.levels:
            return tuple(stated.level(self.usual_style) for stated in self.levels)
        if self.auto is not None:
            from common.domain.decision.band import best_band

            band = best_band(self.cost_fallback, self.target_ratio, destination=self.auto)
            return (Level(band.trigger, band.destination, self.usual_style),)
        return (Level(parse(self.threshold_pct), self.rebalance_to, self.usual_style),)

    @property
    def policy_in_plan(self) -> bool:
        """Whether a setting of contract.md §11 is in use: then the plan includes the policy in force."""
        fields = type(self).model_fields
        return self.auto is not None or any(getattr(self, name) != fields[name].default for name in _OF_POLICY)

    @property
    def slicing(self) -> "Slicing | None":
        """None where an order is sent whole, and where nothing is sent."""
        if self.slice_notional_usdt is None or self.execution_mode != "live":
            return None
        from common.domain.decision.policy import Slicing

        return Slicing(self.slice_notional_usdt, timedelta(hours=self.slice_hours))

    @property
    def limits(self) -> "Limits":
        from common.domain.decision.policy import Limits

        return Limits(
            max_price_deviation=self.max_price_deviation,
            max_slippage=self.max_slippage,
            max_depth_share=self.max_depth_share,
            max_fee=self.max_fee,
            max_orders_per_day=self.max_orders_per_day,
            max_placements_per_day=self.max_placements_per_day,
            cooldown=timedelta(seconds=self.order_cooldown_seconds),
            max_notional=self.max_notional_usdt,
            max_daily_loss=self.max_daily_loss_usdt,
            max_balance_age=self.max_balance_age_seconds,
            max_price_age=self.max_price_age_seconds,
            max_balance_jump=self.max_balance_jump,
            binding=self.execution_mode != "plan",
        )
