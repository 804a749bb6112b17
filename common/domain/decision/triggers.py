"""The prices at which the rule would next trade, exact to the venue's step (contract.md §4, §11)."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from common.decimals import ONE, ZERO, ceil_to, exact, floor_to, quotient
from common.domain.decision.levels import Level
from common.domain.decision.policy import CostGuard, Policy
from common.domain.instrument import Side, TradingRules
from common.domain.portfolio import Valuation

_TRIES = 1000
"""How many more steps to try for a price whose rounding does not leave the order below the minimum."""
_LOWEST = ONE.scaleb(-18)
"""The lowest price there is: a sale that any price would trigger is shown from there on."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """The price at which the mix would next be rebalanced, and the quantity that would then trade."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Grid:
    """What an order must fit: multiples of `step` (zero: any quantity), of at least these sizes."""

    step: Decimal
    min_quantity: Decimal
    min_notional: Decimal

    @classmethod
    def of(cls, policy: Policy, rules: TradingRules) -> "Grid":
        return cls(rules.quantity_step, rules.min_quantity, max(policy.min_notional, rules.min_notional))

    def floor(self, quantity: Decimal, price: Decimal) -> Decimal:
        """`quantity` floored to the step; 0 when that is below a minimum."""
        left = floor_to(quantity, self.step)
        return left if left >= self.min_quantity and left * price >= self.min_notional else ZERO

    @classmethod
    def none(cls, policy: Policy) -> "Grid":
        """The bare rule of contract.md §4, before any rounding."""
        return cls(ZERO, ZERO, policy.min_notional)


@exact
def next_triggers(
    valuation: Valuation, policy: Policy, level: Level, grid: Grid, cost_floor: Decimal | None = None
) -> tuple[Trigger | None, Trigger | None]:
    """The prices at which `level` would next BUY (at or below) and SELL (at or above); None: no such price.

    With w the target, t the trigger, m the minimum, off(p) = (1−w)·q·p − w·u, V = q·p + u: a level trades
    share·off − points·V, so SELL needs that ≥ m and off ≥ t·V; BUY mirrors it. The second is
    p = (u/q)·r/(1−r) with r = w ± t, as in rebalancing.md. Without base asset no price bounds a BUY. Prices are
    rounded outward, so that they themselves trade. Below `cost_floor` the cost guard holds a sale back
    until the weight lifts it.
    """
    if valuation.base_quantity <= 0:
        return None, None
    sell = _sell(valuation, policy, level, grid)
    if sell is not None and policy.cost_guard is not None and cost_floor is not None and sell < cost_floor:
        sell = max(sell, min(cost_floor, _lifted(valuation, policy.cost_guard)))
    buy = _buy(valuation, policy, level, grid)
    return (
        _at(buy, Side.BUY, valuation, policy, level) if buy is not None else None,
        _at(sell, Side.SELL, valuation, policy, level) if sell is not None else None,
    )


def _at(price: Decimal, side: Side, valuation: Valuation, policy: Policy, level: Level) -> Trigger:
    q, u, w = valuation.base_quantity, valuation.quote_quantity, policy.target_weight
    share, points = policy.order_line(level, side)
    wanted = share * abs((ONE - w) * q * price - w * u) - points * (q * price + u)
    return Trigger(price, quotient(wanted, price))


def _lifted(valuation: Valuation, guard: CostGuard) -> Decimal:
    """The price at which the weight lifts the cost guard."""
    q, u = valuation.base_quantity, valuation.quote_quantity
    return quotient(guard.max_weight * u, (ONE - guard.max_weight) * q, ROUND_CEILING)


def _sell(valuation: Valuation, policy: Policy, level: Level, grid: Grid) -> Decimal | None:
    """The lowest price at which the level sells.

    The quantity is a − b/p with a and b as below: it grows with the price, and so does its worth.
    """
    q, u, w = valuation.base_quantity, valuation.quote_quantity, policy.target_weight
    t = policy.trigger(level, Side.SELL)
    share, points = policy.order_line(level, Side.SELL)
    a, b = (share * (ONE - w) - points) * q, (share * w + points) * u
    if w + t > ONE or (w + t == ONE and u > 0) or a <= 0:
        return None
    # Without quote asset the weight is 1 at every price: what reaches the trigger then reaches it everywhere.
    reached = quotient((w + t) * u, (ONE - w - t) * q, ROUND_CEILING) if u > 0 else ZERO
    least = _least_sale(a, b, grid)
    return max(reached, least, _LOWEST) if least is not None else None


def _least_sale(a: Decimal, b: Decimal, grid: Grid) -> Decimal | None:
    """The lowest p at which a − b/p, floored to the step, is worth the minimum; None when it never is."""
    m, step = grid.min_notional, grid.step
    if step <= 0:
        return quotient(b + m, a, ROUND_CEILING)
    if b <= 0:
        most = floor_to(a, step)
        return quotient(m, most, ROUND_CEILING) if most >= max(step, grid.min_quantity) else None
    first = max(floor_to(m * a / (b + m), step), ceil_to(grid.min_quantity, step), step)
    prices = [
        max(quotient(b, a - x, ROUND_CEILING), quotient(m, x, ROUND_CEILING))
        for x in (first, first + step)
        if x < a
    ]
    return min(prices, default=None)


def _buy(valuation: Valuation, policy: Policy, level: Level, grid: Grid) -> Decimal | None:
    """The highest price at which the level buys; the quantity is b/p − a, and its worth b − a·p."""
    q, u, w = valuation.base_quantity, valuation.quote_quantity, policy.target_weight
    t = policy.trigger(level, Side.BUY)
    share, points = policy.order_line(level, Side.BUY)
    a, b = (share * (ONE - w) + points) * q, (share * w - points) * u
    if w <= t or b <= grid.min_notional:
        return None
    price = quotient((w - t) * u, (ONE - w + t) * q, ROUND_FLOOR)
    m, step = grid.min_notional, grid.step
    if step <= 0:
        price = min(price, quotient(b - m, a, ROUND_FLOOR))
        return price if price > 0 else None
    if price <= 0:
        return None
    least = max(ceil_to(m * a / (b - m), step), ceil_to(grid.min_quantity, step), step)
    x = max(least, floor_to(quotient(b, price, ROUND_FLOOR) - a, step))
    # The first price may lie between two multiples of the step, or its rounding may leave it a hair too low.
    for _ in range(_TRIES):
        best = min(price, quotient(b, a + x, ROUND_FLOOR))
        if best * x >= m or best <= 0:
            break
        x += step
    return best if best > 0 else None
