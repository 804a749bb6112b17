"""Why the account is worth more or less than holding, line by line and exactly (contract.md §13).

Five portfolios are kept up to date, each in O(1) an event:

    real    what the account holds
    held    H, what it would hold had nothing been traded: the start, and every flow as it came
    mixed   T, held at the target mix: the start and each flow split at the target weight, then held
    growth  G, a frictionless mix rebalanced continuously: its value grows by (p/p′)^w
    free    M, the same quantities as real, but traded at the mid of each decision and without fees

and `leg`, L, which grows as G does and is set to the value of M after each fill. The lines telescope:

    V − H = (T−H) + (G−T) + (L−G) + (M−L) − slippage − fees − the fee coin's move + operator's trades

Rounding (18 places) touches only G, L and the split of a flow, so the sum is exact for every path.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Context, Decimal, localcontext
from typing import NamedTuple

from common.decimals import ONE, ZERO, Price, Share, exact, quotient
from common.errors import InvalidAmount

_PLACES = Decimal(1).scaleb(-18)
_CORRIDOR = Context(prec=30)
_HALVINGS = 70


@dataclass(frozen=True, slots=True)
class Pair:
    """Quantities of the two assets, signed."""

    base: Decimal
    quote: Decimal

    @exact
    def plus(self, base: Decimal, quote: Decimal) -> "Pair":
        return Pair(self.base + base, self.quote + quote)

    @exact
    def value(self, price: Decimal) -> Decimal:
        return self.base * price + self.quote


@dataclass(frozen=True, slots=True)
class Lines:
    """The difference to holding at one price, in the quote asset: `difference` is the sum of the eight lines.

    Costs are negative. `fees_in_other_assets` is a memo: what they were worth when taken, outside the value.
    """

    value: Decimal
    held_value: Decimal
    difference: Decimal
    start_mix: Decimal
    direction: Decimal
    harvest_locked: Decimal
    open_leg: Decimal
    slippage: Decimal
    fees: Decimal
    fee_coin_move: Decimal
    operator_trades: Decimal
    fees_in_other_assets: Decimal
    fills_without_mid: int
    mark_price: Decimal
    since: datetime


SUMMANDS = (
    "start_mix",
    "direction",
    "harvest_locked",
    "open_leg",
    "slippage",
    "fees",
    "fee_coin_move",
    "operator_trades",
)
"""The lines that add up to the difference."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """The state after all events so far; `weight` is w, and `growth` and `leg` are values at `price`.

    `slippage` is Σ s·(P − m), `base_fees_value` Σ g·m. `operator` is what the operator's own trades moved since
    the bot's last fill; its quote part includes what they made or lost before that.
    """

    since: datetime
    weight: Share
    price: Price
    real: Pair
    held: Pair
    mixed: Pair
    free: Pair
    growth: Decimal
    leg: Decimal
    operator: Pair = Pair(ZERO, ZERO)
    slippage: Decimal = ZERO
    quote_fees: Decimal = ZERO
    base_fees: Decimal = ZERO
    base_fees_value: Decimal = ZERO
    fees_in_other_assets: Decimal = ZERO
    fills_without_mid: int = 0

    @classmethod
    @exact
    def begin(
        cls, since: datetime, base: Decimal, quote: Decimal, price: Decimal, weight: Decimal
    ) -> "Attribution":
        """The state at inception. Raises InvalidAmount for a price that is not positive."""
        start, value = Pair(base, quote), base * _positive(price) + quote
        return cls(since, weight, price, start, start, _split(value, price, weight), start, value, value)

    @exact
    def fill(
        self,
        quantity: Decimal,
        notional: Decimal,
        mid: Decimal | None,
        *,
        quote_fee: Decimal = ZERO,
        base_fee: Decimal = ZERO,
        other_fee_value: Decimal = ZERO,
    ) -> "Attribution":
        """After a fill of the bot: signed `quantity` (a buy is positive) and its signed `notional` = quantity · P.

        `mid` is the order book's mid at the decision; None takes the fill's own price as mid and counts the fill
        among those without (a notional rounded to nothing is taken at the last price). What the operator's trades
        changed is handed over to the bot at that mid: from then on it is part of the bot's mix.
        """
        at = (quotient(notional, quantity) or self.price) if mid is None else _positive(mid)
        grown = self._grown(at)
        handed = self.operator.base
        free = self.free.plus(quantity + handed, -(quantity + handed) * at)
        return replace(
            grown,
            real=self.real.plus(quantity - base_fee, -notional - quote_fee),
            free=free,
            leg=free.value(at),
            operator=Pair(ZERO, self.operator.quote + handed * at),
            slippage=self.slippage + (notional - quantity * at),
            quote_fees=self.quote_fees + quote_fee,
            base_fees=self.base_fees + base_fee,
            base_fees_value=self.base_fees_value + base_fee * at,
            fees_in_other_assets=self.fees_in_other_assets + other_fee_value,
            fills_without_mid=self.fills_without_mid + (mid is None),
        )

    @exact
    def operator_fill(
        self,
        quantity: Decimal,
        notional: Decimal,
        *,
        quote_fee: Decimal = ZERO,
        base_fee: Decimal = ZERO,
        other_fee_value: Decimal = ZERO,
    ) -> "Attribution":
        """After a fill of somebody else's order, signed as in `fill`: its gain and fees are a line of their own."""
        base, quote = quantity - base_fee, -notional - quote_fee
        return replace(
            self,
            real=self.real.plus(base, quote),
            operator=self.operator.plus(base, quote),
            fees_in_other_assets=self.fees_in_other_assets + other_fee_value,
        )

    @exact
    def flow(self, base: Decimal, quote: Decimal, mid: Decimal) -> "Attribution":
        """After a deposit or a withdrawal (negative), first seen at the mid `mid`."""
        grown, value = self._grown(_positive(mid)), base * mid + quote
        split = _split(value, mid, self.weight)
        return replace(
            grown,
            real=self.real.plus(base, quote),
            held=self.held.plus(base, quote),
            mixed=self.mixed.plus(split.base, split.quote),
            free=self.free.plus(base, quote),
            growth=grown.growth + value,
            leg=grown.leg + value,
        )

    def with_weight(self, weight: Decimal, mid: Decimal) -> "Attribution":
        """This state with another target weight from now on, at the mid `mid`."""
        return self if weight == self.weight else replace(self._grown(_positive(mid)), weight=weight)

    @exact
    def at(self, price: Decimal) -> Lines:
        """Every line at `price`. Raises InvalidAmount for a price that is not positive."""
        grown = self._grown(_positive(price))
        value, held = self.real.value(price), self.held.value(price)
        mixed, free = self.mixed.value(price), self.free.value(price)
        return Lines(
            value=value,
            held_value=held,
            difference=value - held,
            start_mix=mixed - held,
            direction=grown.growth - mixed,
            harvest_locked=grown.leg - grown.growth,
            open_leg=free - grown.leg,
            slippage=-self.slippage,
            fees=-(self.quote_fees + self.base_fees_value),
            fee_coin_move=self.base_fees_value - self.base_fees * price,
            operator_trades=self.operator.value(price),
            fees_in_other_assets=self.fees_in_other_assets,
            fills_without_mid=self.fills_without_mid,
            mark_price=price,
            since=self.since,
        )

    def break_even(self) -> "BreakEven | None":
        """The price at which stopping now equals holding; None when there is none."""
        bought = self.real.base - self.held.base
        if not bought:
            return None
        price = quotient(self.held.quote - self.real.quote, bought)
        return BreakEven(price, ahead_below=bought < 0) if price > 0 else None

    @exact
    def _grown(self, price: Decimal) -> "Attribution":
        """G and L carried to another price."""
        if price == self.price:
            return self
        factor = (price / self.price) ** self.weight
        growth, leg = (self.growth * factor).quantize(_PLACES), (self.leg * factor).quantize(_PLACES)
        return replace(self, price=price, growth=growth, leg=leg)


class BreakEven(NamedTuple):
    """The price at which the account is worth as much as holding, and on which side it is ahead."""

    price: Decimal
    ahead_below: bool


def corridor(start_price: Decimal, variance: Decimal, weight: Decimal) -> tuple[Decimal, Decimal]:
    """The prices between which a continuously rebalanced mix beats holding; `variance` is Σ (log return)² so far.

    The solutions of w·y + w(1−w)·variance/2 = ln(w·e^y + 1 − w), y being the log of the price over the start price
    (rebalancing.md); at w = ½ that is y = ± 2·arcosh(e^{variance/8}). Raises InvalidAmount for a weight
    that is not between 0 and 1.
    """
    if not ZERO < weight < ONE:
        raise InvalidAmount("a corridor needs a weight between 0 and 1")
    with localcontext(_CORRIDOR):
        gain, rest = weight * (1 - weight) * variance / 2, 1 - weight

        def ahead(y: Decimal) -> bool:
            return weight * y + gain >= (weight * y.exp() + rest).ln()

        upper = _crossing(ahead, (gain - weight.ln()) / rest)
        lower = _crossing(ahead, -(gain - rest.ln()) / weight)
        low, high = start_price * lower.exp(), start_price * upper.exp()
    wide = Context(prec=max(high.adjusted(), 0) + 20)
    return low.quantize(_PLACES, context=wide), high.quantize(_PLACES, context=wide)


def _crossing(ahead: Callable[[Decimal], bool], outside: Decimal) -> Decimal:
    """Bisect between 0, where the mix is ahead, and `outside`, where it cannot be."""
    inside = ZERO
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if ahead(middle) else (inside, middle)
    return inside


def _split(value: Decimal, price: Decimal, weight: Decimal) -> Pair:
    """A value as a pair at the target weight; the quotient is the one rounding."""
    base = (value * weight / price).quantize(_PLACES)
    return Pair(base, value - base * price)


def _positive(price: Decimal) -> Decimal:
    if not price.is_finite() or price <= 0:
        raise InvalidAmount(f"an attribution needs a positive price, not {price}")
    return price
