"""How large an order may be: what the balances afford, what the step leaves, what the book bears."""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from common.decimals import ONE, ZERO, ceil_to, floor_to, places, plain, quotient
from common.domain.decision.policy import Check, Limits, Policy, Rebalance
from common.domain.instrument import Instrument, Side, TradingRules
from common.domain.order_book import OrderBook
from common.domain.orders.order import OrderStyle
from common.domain.portfolio import Holdings


def spendable(side: Side, holdings: Holdings, policy: Policy) -> Decimal:
    """What may leave the account: base asset above the core holding, or quote asset above the reserve."""
    balance = holdings.base if side is Side.SELL else holdings.quote
    kept = policy.core_holding if side is Side.SELL else policy.quote_reserve
    return min(balance.free, max(balance.total - kept, ZERO))


def affordable(side: Side, holdings: Holdings, policy: Policy, price: Decimal, fee: Decimal) -> Decimal:
    """The base asset that may be sold, or bought at `price` with the fee (a fraction) from the same balance."""
    available = spendable(side, holdings, policy)
    if side is Side.SELL:
        return available
    return quotient(available, price * (ONE + fee), ROUND_FLOOR) if price > 0 else ZERO


@dataclass(frozen=True, slots=True)
class Sized:
    """An order after all cuts: each cut as a check, the quantity that is left, and its limit price.

    `limit_price` is the deepest price that the quantity reaches, on the tick.
    """

    cuts: tuple[Check, ...]
    quantity: Decimal
    limit_price: Decimal


def against_book(
    rebalance: Rebalance,
    book: OrderBook,
    mark_price: Decimal,
    holdings: Holdings,
    rules: TradingRules,
    policy: Policy,
    limits: Limits,
    instrument: Instrument,
) -> Sized:
    """Cut a rebalance to the largest notional, to what the book bears, and to what the balances allow."""
    side, style, wanted = rebalance.side, rebalance.style, rebalance.quantity
    largest = min(rules.max_notional, limits.max_notional or rules.max_notional)
    buying, unit = side is Side.BUY, instrument.base
    bound = _to_tick(mark_price * (ONE + limits.max_slippage if buying else ONE - limits.max_slippage), side, rules)
    best = _joined(book, side, bound) if style is OrderStyle.MAKER else book.against(side)[0].price
    most = max(mark_price, bound) if buying else max(mark_price, bound, _to_tick(best, side, rules))
    allowed = {"largest_notional": quotient(largest, most, ROUND_FLOOR)}
    if style is not OrderStyle.MAKER:
        allowed["depth"] = book.depth(side, limits.depth_levels) * limits.max_depth_share
        allowed["within_slippage"] = book.quantity_within(side, bound)
    quantity = min(wanted, *allowed.values())
    reached = best if style is OrderStyle.MAKER else _reached(book, side, quantity, bound)
    limit_price = _to_tick(reached, side, rules)
    dearest = bound if style is OrderStyle.MARKET else limit_price
    allowed["reserves"] = affordable(side, holdings, policy, dearest, rules.taker_fee)
    return Sized(
        tuple(_cut(name, wanted, amount, unit) for name, amount in allowed.items()),
        floor_to(min(quantity, allowed["reserves"]), rules.quantity_step),
        limit_price,
    )


def _cut(name: str, wanted: Decimal, allowed: Decimal, unit: str) -> Check:
    """A limit that makes the order smaller instead of refusing it."""
    explanation = f"{plain(wanted)} {unit} are wanted, {places(allowed, 4)} {unit} let through"
    return Check(name, wanted, allowed, wanted <= allowed, explanation)


def _to_tick(price: Decimal, side: Side, rules: TradingRules) -> Decimal:
    """Down for buys, up for sells: never worse than the unrounded price (exchange.md §4.6)."""
    return floor_to(price, rules.price_increment) if side is Side.BUY else ceil_to(price, rules.price_increment)


def _reached(book: OrderBook, side: Side, quantity: Decimal, bound: Decimal) -> Decimal:
    """The price of the deepest level that `quantity` reaches, never beyond the slippage bound."""
    left, price = quantity, book.against(side)[0].price
    for level in book.against(side):
        if left <= 0:
            break
        price = level.price
        left -= level.quantity
    return min(price, bound) if side is Side.BUY else max(price, bound)


def _joined(book: OrderBook, side: Side, bound: Decimal) -> Decimal:
    """The best price of our own side, never beyond the bound: a resting order joins it and takes nothing."""
    return min(book.bids[0].price, bound) if side is Side.BUY else max(book.asks[0].price, bound)
