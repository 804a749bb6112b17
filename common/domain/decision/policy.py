"""What the owner wants, as values: the mix, the levels that restore it, the reserves (contract.md §11).

A level is a trigger, a destination and a style, in points of weight as fractions. When |drift| reaches the
trigger (equality trades) the mix goes back until the drift is the destination. The widest level reached decides,
unless its order would be too small and a narrower one's is not.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from common.decimals import ONE, ZERO, places
from common.domain.decision.levels import HALF, Destination, Level
from common.domain.instrument import Side
from common.domain.orders.order import OrderStyle

INSUFFICIENT = "Insufficient price or balance"
WITHIN_THRESHOLD = "Within threshold"
BELOW_MINIMUM = "Below minimum after rounding"
BELOW_COST = "Price below cost basis"
SETTINGS_CHANGED = "Settings changed: confirm them"
BALANCES_CHANGED = "Balances changed without a fill: looking once more"


@dataclass(frozen=True, slots=True)
class CostGuard:
    """No sale below average cost · (1 + `margin`) while the weight is below `max_weight`."""

    margin: Decimal
    max_weight: Decimal


@dataclass(frozen=True, slots=True)
class Policy:
    """`target_weight` is a fraction, `min_notional` and `quote_reserve` are in the quote asset.

    `levels` rise; there is at least one. `core_holding` (base asset) is never sold and `quote_reserve` never
    spent. `sell_widening` and `buy_widening` multiply the triggers of a side.
    """

    target_weight: Decimal
    min_notional: Decimal
    levels: tuple[Level, ...]
    core_holding: Decimal = ZERO
    quote_reserve: Decimal = ZERO
    sell_widening: Decimal = ONE
    buy_widening: Decimal = ONE
    cost_guard: CostGuard | None = None

    def trigger(self, level: Level, side: Side) -> Decimal:
        """The drift at which the level acts on this side."""
        return level.trigger * (self.sell_widening if side is Side.SELL else self.buy_widening)

    def order_line(self, level: Level, side: Side) -> tuple[Decimal, Decimal]:
        """A level's order as a linear function, share · drift − points · value: (share, points).

        (1, 0) to the target, (½, 0) half-way, (1, trigger) to the edge, (1, a) back to a points.
        """
        match level.destination:
            case Destination.TARGET:
                return ONE, ZERO
            case Destination.HALF:
                return HALF, ZERO
            case Destination.EDGE:
                return ONE, self.trigger(level, side)
            case points:
                return ONE, points


@dataclass(frozen=True, slots=True)
class Slicing:
    """The largest slice, in the quote asset, and how long a program may take."""

    notional: Decimal
    within: timedelta


@dataclass(frozen=True, slots=True)
class Limits:
    """Fractions, counts, seconds and amounts of the quote asset; None: no such limit.

    Where orders are possible a refusal is `binding`: it makes the plan a HOLD; elsewhere the plan only reports it.
    """

    max_price_deviation: Decimal
    max_slippage: Decimal
    max_depth_share: Decimal
    max_fee: Decimal
    max_orders_per_day: int
    cooldown: timedelta
    max_notional: Decimal | None
    max_daily_loss: Decimal | None
    depth_levels: int = 3
    max_balance_age: int = 60
    max_price_age: int = 60
    max_balance_jump: Decimal = Decimal("0.2")
    binding: bool = True
    max_placements_per_day: int = 100


@dataclass(frozen=True, slots=True)
class Check:
    """One condition, with the observed value, its limit, and an explanation."""

    name: str
    value: Decimal | str | None
    limit: Decimal | str | None
    passed: bool
    explanation: str


@dataclass(frozen=True, slots=True)
class Rebalance:
    side: Side
    quantity: Decimal
    notional: Decimal
    reason: str
    style: OrderStyle = OrderStyle.IOC


class Cause(StrEnum):
    """Why the plan holds: the rule asks for nothing, or something forbids an order."""

    RULE = "rule"
    COST_BASIS = "cost basis"
    REFUSED = "refused"
    STALE = "stale"
    UNRESOLVED = "unresolved"
    BALANCES = "balances"
    UNCONFIRMED = "unconfirmed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Hold:
    """`replaces` is the rebalance that the cost guard holds back."""

    reason: str
    cause: Cause = Cause.RULE
    replaces: Rebalance | None = None


def percent(fraction: Decimal) -> str:
    return f"{places(fraction * 100, 2)} %"
