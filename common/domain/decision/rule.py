"""The constant-mix rule: what the holdings are, what they should be, and what to do (contract.md §4, §11)."""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from common.decimals import ONE, ZERO, exact, floor_to, places, plain, quotient
from common.domain.decision.levels import Destination, Level
from common.domain.decision.policy import (
    BELOW_COST,
    BELOW_MINIMUM,
    INSUFFICIENT,
    WITHIN_THRESHOLD,
    Cause,
    Check,
    Hold,
    Policy,
    Rebalance,
    percent,
)
from common.domain.decision.sizing import affordable, spendable
from common.domain.decision.triggers import Grid, Trigger, next_triggers
from common.domain.instrument import Instrument, Side, TradingRules
from common.domain.portfolio import Holdings, Valuation


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rule decides, and on what basis. `wanted_*` is what it asks for, before any limit.

    `level` is the one that decides; `cost_floor` is the lowest price at which the cost guard allows a sale, None
    when it is off or no cost is known.
    """

    outcome: Rebalance | Hold
    valuation: Valuation
    policy: Policy
    target_value: Decimal
    drift: Decimal | None
    level: Level | None = None
    wanted_side: Side | None = None
    wanted_quantity: Decimal = ZERO
    wanted_notional: Decimal = ZERO
    checks: tuple[Check, ...] = ()
    cost_floor: Decimal | None = None

    def next_triggers(self, level: Level, grid: Grid | None = None) -> tuple[Trigger | None, Trigger | None]:
        """The next prices at which this level would BUY and SELL; without a grid those of the bare rule."""
        if self.drift is None:
            return None, None
        return next_triggers(self.valuation, self.policy, level, grid or Grid.none(self.policy), self.cost_floor)


@exact
def decide(
    holdings: Holdings,
    mark_price: Decimal,
    policy: Policy,
    rules: TradingRules,
    instrument: Instrument,
    average_cost: Decimal | None = None,
) -> Decision:
    """Apply the policy to the holdings at `mark_price`.

    Equality with a limit trades. The quantity is floored to the venue's step, and the minimum is checked again
    after every clamp. The cost guard compares with `average_cost`; an unknown cost never blocks. Raises
    InvalidAmount for a negative or non-finite price or balance.
    """
    valuation = Valuation.of(holdings, mark_price)
    price, total = valuation.mark_price, valuation.total_value
    target = total * policy.target_weight
    positive = Check(
        "price_and_value_positive",
        min(price, total),
        ZERO,
        price > 0 and total > 0,
        f"price {plain(price)} and value {plain(total)} {instrument.quote} must both be above zero",
    )
    if not positive.passed:
        return Decision(Hold(INSUFFICIENT), valuation, policy, target, None, checks=(positive,))

    delta = valuation.base_value - target
    side, off = Side.SELL if delta > 0 else Side.BUY, abs(delta)
    level, wanted = _asked(off, total, price, side, policy, Grid.of(policy, rules))
    shown = level or policy.levels[0]
    checks = [positive, *_size_checks(shown, side, off, wanted, total, policy, instrument)]
    outcome: Rebalance | Hold = Hold(WITHIN_THRESHOLD)
    floor = cost_floor(policy, average_cost)
    if level is not None:
        outcome, clamps = _clamped(level, side, wanted, holdings, price, policy, rules, instrument)
        checks += clamps
        if side is Side.SELL and floor is not None and policy.cost_guard is not None:
            guard = _cost_check(price, floor, valuation, policy.cost_guard.max_weight, instrument)
            checks.append(guard)
            if not guard.passed and isinstance(outcome, Rebalance):
                outcome = Hold(BELOW_COST, Cause.COST_BASIS, outcome)
    return Decision(
        outcome,
        valuation,
        policy,
        target,
        quotient(valuation.base_value, total) - policy.target_weight,
        level,
        side if delta else None,
        quotient(wanted, price),
        wanted,
        tuple(checks),
        floor,
    )


def _asked(
    off: Decimal, total: Decimal, price: Decimal, side: Side, policy: Policy, grid: Grid
) -> tuple[Level | None, Decimal]:
    """The widest reached level whose order is large enough, and the order's value; else what the first would ask.

    A reached level whose order would be below a minimum leaves the decision to a narrower one whose order is not.
    """
    reached = [
        (level, wanted)
        for level in reversed(policy.levels)
        if off >= policy.trigger(level, side) * total
        and (wanted := _order_value(level, side, off, total, policy)) >= policy.min_notional
    ]
    if not reached:
        return None, max(_order_value(policy.levels[0], side, off, total, policy), ZERO)
    if len(reached) == 1:
        return reached[0]
    return next((each for each in reached if grid.floor(quotient(each[1], price, ROUND_FLOOR), price)), reached[0])


def _order_value(level: Level, side: Side, off: Decimal, total: Decimal, policy: Policy) -> Decimal:
    share, points = policy.order_line(level, side)
    return off * share - points * total


def _size_checks(
    level: Level, side: Side, off: Decimal, wanted: Decimal, total: Decimal, policy: Policy, instrument: Instrument
) -> list[Check]:
    """Minimum and trigger, compared without a division so that equality is exact."""
    share, trigger = quotient(off, total), policy.trigger(level, side)
    to_target = level.destination is Destination.TARGET
    away = "the mix is off by" if to_target else f"{_way(level)} takes"
    minimum = Check(
        "minimum_notional",
        wanted,
        policy.min_notional,
        wanted >= policy.min_notional,
        f"{away} {places(wanted, 4)} {instrument.quote}; less than {plain(policy.min_notional)} is not traded",
    )
    threshold = Check(
        "threshold",
        share,
        trigger,
        off >= trigger * total,
        f"the mix is off by {percent(share)} of the value; less than {percent(trigger)} is not traded",
    )
    return [minimum, threshold] if to_target else [threshold, minimum]


def _way(level: Level) -> str:
    match level.destination:
        case Destination.HALF:
            return "going half-way back"
        case Destination.EDGE:
            return "going back to the edge"
        case _:
            return f"going back to {percent(level.points)} off"


def _clamped(
    level: Level,
    side: Side,
    wanted: Decimal,
    holdings: Holdings,
    price: Decimal,
    policy: Policy,
    rules: TradingRules,
    instrument: Instrument,
) -> tuple[Rebalance | Hold, list[Check]]:
    """The part of `wanted` (quote asset) that the free balances, the step and the minimum allow."""
    quantity = quotient(wanted, price, ROUND_FLOOR)
    available = affordable(side, holdings, policy, price, rules.taker_fee)
    purse = plain(spendable(side, holdings, policy))
    if side is Side.SELL:
        asset, reason = instrument.base, f"{instrument.base} above target"
        explanation = f"{purse} {asset} may be sold (free, above the core holding)"
    else:
        asset, reason = instrument.quote, f"{instrument.base} below target"
        explanation = (
            f"{purse} {asset} may be spent (free, above the reserve): "
            f"{places(available, 8)} {instrument.base} after fees"
        )
    minimum = max(policy.min_notional, rules.min_notional)
    clamped = floor_to(min(quantity, available), rules.quantity_step)
    notional = clamped * price
    checks = [
        Check("available_balance", available, quantity, available >= quantity, explanation),
        Check(
            "minimum_after_rounding",
            notional,
            minimum,
            clamped > 0 and notional >= minimum and clamped >= rules.min_quantity,
            f"{plain(clamped)} {instrument.base} in steps of {plain(rules.quantity_step)} are worth "
            f"{places(notional, 4)} {instrument.quote}; the least is {plain(minimum)}",
        ),
    ]
    if checks[1].passed:
        return Rebalance(side, clamped, notional, reason, level.style), checks
    short = available < quantity
    return Hold(f"Insufficient {asset}" if short else BELOW_MINIMUM), checks


def cost_floor(policy: Policy, average_cost: Decimal | None) -> Decimal | None:
    """The lowest price at which the cost guard allows a sale; None when it is off or no cost is known."""
    if policy.cost_guard is None or average_cost is None:
        return None
    return average_cost * (ONE + policy.cost_guard.margin)


def _cost_check(
    price: Decimal, floor: Decimal, valuation: Valuation, max_weight: Decimal, instrument: Instrument
) -> Check:
    """A sale must recover its cost and the margin, unless the weight is large enough to lift the guard."""
    lifted = valuation.base_value >= max_weight * valuation.total_value
    explanation = f"a sale below {places(floor, 8)} {instrument.quote}, the average cost with its margin, waits"
    if price < floor:
        explanation += (
            f": {percent(valuation.weight)} of the value is {instrument.base}, lifted at {percent(max_weight)}"
        )
    return Check("cost_basis", price, floor, price >= floor or lifted, explanation)
