"""How an owner writes a policy: `0.05`, `auto`, `half`, `0.01:half,0.03:target:ioc` (contract.md §11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Literal

from common.decimals import parse
from common.domain.decision.levels import Destination, Level
from common.domain.orders.order import OrderStyle
from common.errors import InvalidAmount

Threshold = Decimal | Literal["auto"]
Style = OrderStyle | Literal["tiered"]


@dataclass(frozen=True, slots=True)
class StatedLevel:
    """One level as it was written; without a style of its own it takes the general one."""

    trigger: Decimal
    destination: Decimal | Destination
    style: OrderStyle | None = None

    def level(self, style: OrderStyle) -> Level:
        return Level(self.trigger, self.destination, self.style or style)


def threshold_in(value: object) -> Threshold:
    """`auto`, or a fraction. Raises ValueError."""
    if value == "auto":
        return "auto"
    try:
        number = parse(value)
    except InvalidAmount:
        raise ValueError("must be `auto` or a decimal number") from None
    if not 0 <= number < 1:
        raise ValueError("is a fraction of the value from 0 to below 1 (5 % is 0.05)")
    return number


def style_in(value: object) -> Style:
    """A style of orders, or `tiered`. Raises ValueError."""
    if value == "tiered":
        return "tiered"
    if isinstance(value, str) and value in tuple(OrderStyle):
        return OrderStyle(value)
    raise ValueError(f"must be one of {', '.join(OrderStyle)}, tiered")


def destination_in(value: object) -> Decimal | Destination:
    """`target`, `half`, `edge`, or a number of points as a fraction. Raises ValueError."""
    if isinstance(value, str) and value in tuple(Destination):
        return Destination(value)
    try:
        points = parse(value)
    except InvalidAmount:
        raise ValueError(
            "must be `target`, `half`, `edge` or points as a fraction (2.5 points are 0.025)"
        ) from None
    if not 0 <= points < 1:
        raise ValueError("is a fraction from 0 to below 1 (2.5 points are 0.025)")
    return points


def levels_in(value: object) -> tuple[StatedLevel, ...]:
    """`trigger:destination[:style]`, comma separated. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("must be `trigger:destination[:style]`, comma separated")
    return tuple(_level(part.strip()) for part in value.split(",") if part.strip())


def _level(text: str) -> StatedLevel:
    trigger, *rest = text.split(":")
    if len(rest) not in (1, 2):
        raise ValueError("each level must be `trigger:destination` or `trigger:destination:style`")
    try:
        number = parse(trigger)
    except InvalidAmount:
        raise ValueError("a trigger must be a decimal number") from None
    if not 0 < number < 1:
        raise ValueError("a trigger is a fraction above 0 and below 1 (5 points are 0.05)")
    if len(rest) == 2 and rest[1] not in tuple(OrderStyle):
        raise ValueError(f"a style must be one of {', '.join(OrderStyle)}")
    return StatedLevel(number, destination_in(rest[0]), OrderStyle(rest[1]) if len(rest) == 2 else None)


def stated_problems(
    threshold: Threshold, destination: Decimal | Destination, levels: Sequence[StatedLevel]
) -> list[str]:
    """Contradictions between the settings, each with the names concerned."""
    problems = []
    if levels and threshold == "auto":
        problems.append("LEVELS and THRESHOLD_PCT=auto: only one of them can be set")
    if any(wide.trigger <= narrow.trigger for narrow, wide in pairwise(levels)):
        problems.append("LEVELS: the triggers must rise")
    if any(isinstance(each.destination, Decimal) and each.destination >= each.trigger for each in levels):
        problems.append("LEVELS: a destination must be below its trigger")
    if isinstance(destination, Decimal) and not levels:
        if threshold == "auto":
            problems.append("REBALANCE_TO: must be `target`, `half` or `edge` with THRESHOLD_PCT=auto")
        elif destination >= threshold:
            problems.append("REBALANCE_TO: must be below THRESHOLD_PCT")
    return problems
