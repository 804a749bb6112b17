"""The constant-mix rule: what the holdings are, what they should be, and what to do about it (contract.md §4)."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from common.decimals import ONE, ZERO, exact, floor_to, places, plain, quotient
from common.domain.instrument import Instrument, Side, TradingRules
from common.domain.portfolio import Holdings, Valuation

INSUFFICIENT = "Insufficient price or balance"
WITHIN_THRESHOLD = "Within threshold"
BELOW_MINIMUM = "Below minimum after rounding"


@dataclass(frozen=True, slots=True)
class Policy:
    """`target_weight` and `tolerance` are fractions, `min_notional`, `quote_reserve` in the quote asset.

    `core_holding` (base asset) is never sold and `quote_reserve` never spent.
    """

    target_weight: Decimal
    min_notional: Decimal
    tolerance: Decimal
    core_holding: Decimal = ZERO
    quote_reserve: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Check:
    """One condition, with the value that was seen, the limit it was held against, and why it matters."""

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


@dataclass(frozen=True, slots=True)
class Hold:
    reason: str


@dataclass(frozen=True, slots=True)
class Trigger:
    """The price at which the mix would next be rebalanced, and the quantity that would then trade."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """The decision and all it rests on. `wanted_*` is what the bare rule asks for, before any limit."""

    decision: Rebalance | Hold
    valuation: Valuation
    policy: Policy
    target_value: Decimal
    drift: Decimal | None
    wanted_side: Side | None
    wanted_quantity: Decimal
    wanted_notional: Decimal
    checks: tuple[Check, ...]
    buy_below: Trigger | None
    sell_above: Trigger | None


@exact
def decide(
    holdings: Holdings, mark_price: Decimal, policy: Policy, rules: TradingRules, instrument: Instrument
) -> Plan:
    """Apply contract.md §4 to the holdings at `mark_price`.

    Equality with a limit trades. The quantity is floored to the venue's step, and the minimum is checked
    again after every clamp. Raises InvalidAmount for a negative or non-finite price or balance.
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
        return Plan(Hold(INSUFFICIENT), valuation, policy, target, None, None, ZERO, ZERO, (positive,), None, None)

    delta = valuation.base_value - target
    side = Side.SELL if delta > 0 else Side.BUY
    wanted = abs(delta)
    checks = [positive, *_size_checks(wanted, total, policy, instrument)]
    decision: Rebalance | Hold
    if all(check.passed for check in checks):
        decision, clamps = _clamped(side, wanted, holdings, price, policy, rules, instrument)
        checks += clamps
    else:
        decision = Hold(WITHIN_THRESHOLD)
    return Plan(
        decision,
        valuation,
        policy,
        target,
        quotient(valuation.base_value, total) - policy.target_weight,
        side if delta else None,
        quotient(wanted, price),
        wanted,
        tuple(checks),
        *next_triggers(valuation, policy),
    )


def _size_checks(wanted: Decimal, total: Decimal, policy: Policy, instrument: Instrument) -> list[Check]:
    """Minimum and tolerance, compared without a division so that equality is exact."""
    share = quotient(wanted, total)
    return [
        Check(
            "minimum_notional",
            wanted,
            policy.min_notional,
            wanted >= policy.min_notional,
            f"the mix is off by {places(wanted, 4)} {instrument.quote}; "
            f"less than {plain(policy.min_notional)} is not traded",
        ),
        Check(
            "threshold",
            share,
            policy.tolerance,
            wanted >= policy.tolerance * total,
            f"the mix is off by {places(share * 100, 2)} % of the value; "
            f"less than {places(policy.tolerance * 100, 2)} % is not traded",
        ),
    ]


def _clamped(
    side: Side,
    wanted: Decimal,
    holdings: Holdings,
    price: Decimal,
    policy: Policy,
    rules: TradingRules,
    instrument: Instrument,
) -> tuple[Rebalance | Hold, list[Check]]:
    """What of `wanted` (quote asset) the free balances, the step and the minimum let through."""
    quantity = quotient(wanted, price, ROUND_FLOOR)
    if side is Side.SELL:
        asset, reason = instrument.base, f"{instrument.base} above target"
        sellable = min(holdings.base.free, max(holdings.base.total - policy.core_holding, ZERO))
        available = sellable
        explanation = f"{plain(sellable)} {asset} may be sold (free, above the core holding)"
    else:
        asset, reason = instrument.quote, f"{instrument.base} below target"
        spendable = min(holdings.quote.free, max(holdings.quote.total - policy.quote_reserve, ZERO))
        available = quotient(spendable, price * (ONE + rules.taker_fee), ROUND_FLOOR)
        explanation = (
            f"{plain(spendable)} {asset} may be spent (free, above the reserve): "
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
        return Rebalance(side, clamped, notional, reason), checks
    short = available < quantity
    return Hold(f"Insufficient {asset}" if short else BELOW_MINIMUM), checks


@exact
def next_triggers(valuation: Valuation, policy: Policy) -> tuple[Trigger | None, Trigger | None]:
    """The prices at which the rule would next BUY (at or below) and SELL (at or above).

    With w the target, t the tolerance, m the minimum, off(p) = (1−w)·q·p − w·u. SELL needs off ≥ m and
    off ≥ t·V, so p ≥ the larger of (w·u+m)/((1−w)·q) and (w+t)·u/((1−w−t)·q); BUY mirrors it. The second
    form is p = (u/q)·r/(1−r) with r = w ± t, as in rebalancing.md. Prices are rounded outward, so that they
    trade themselves. None: no such price.
    """
    q, u = valuation.base_quantity, valuation.quote_quantity
    w, t, m = policy.target_weight, policy.tolerance, policy.min_notional
    if q <= 0:
        return None, None
    rest = ONE - w

    def at(price: Decimal) -> Trigger | None:
        return Trigger(price, quotient(abs(rest * q * price - w * u), price)) if price > 0 else None

    sell = buy = None
    if w + t < ONE:
        sell = at(
            max(
                quotient(w * u + m, rest * q, ROUND_CEILING),
                quotient((w + t) * u, (rest - t) * q, ROUND_CEILING),
            )
        )
    if w > t and w * u > m:
        buy = at(
            min(
                quotient(w * u - m, rest * q, ROUND_FLOOR),
                quotient((w - t) * u, (rest + t) * q, ROUND_FLOOR),
            )
        )
    return buy, sell
