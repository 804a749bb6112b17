"""Whether a rebalance may become an order, and how large: every guard of contract.md §6 as a pure check.

A guard that fails is a refusal, in plain words with the value and the limit. Size is cut rather than
refused: to the largest notional, to what the book bears, to what the balances allow; the rest is left to
the next slot, which plans again from true fills.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from common.decimals import ONE, ZERO, exact, floor_to, places, plain, quotient
from common.domain.decision.facts import Facts, Reference
from common.domain.decision.policy import Check, Limits, Policy, Rebalance, percent
from common.domain.decision.sizing import against_book
from common.domain.instrument import Instrument, Side, TradingRules
from common.domain.order_book import OrderBook
from common.domain.orders.order import OrderIntent, OrderStyle, client_order_id


@dataclass(frozen=True, slots=True)
class Review:
    """The outcome: every guard and every cut as a check, the failed guards in words, the intent if none failed."""

    checks: tuple[Check, ...]
    refusals: tuple[str, ...]
    intent: OrderIntent | None


@exact
def review(rebalance: Rebalance, facts: Facts, limits: Limits, policy: Policy) -> Review:
    """Check the rebalance against every guard, and size the order."""
    if rebalance.style is OrderStyle.MARKET:
        facts = replace(facts, rules=facts.rules.for_market_orders())
    checks = [
        _pause(facts),
        _recovered(facts),
        _tradable(rebalance, facts),
        _fee(facts, limits),
        _nothing_open(facts),
        _one_per_slot(facts),
        _orders_today(facts, limits),
        *_placements_today(facts, limits),
        _cooldown(facts, limits),
        _daily_loss(facts, limits),
        _reference(facts, limits),
        _book(facts),
    ]
    cuts: tuple[Check, ...] = ()
    intent = None
    if facts.book is not None and facts.book.problem is None and facts.mark_price > 0:
        cuts, guards, intent = _sized(rebalance, facts, facts.book, limits, policy)
        checks += guards
    refusals = tuple(check.explanation for check in checks if not check.passed)
    return Review((*checks, *cuts), refusals, None if refusals else intent)


def ages(facts: Facts, limits: Limits) -> tuple[Check, ...]:
    """Whether what was read is fresh enough to decide on."""
    return (
        _fresh("balance", facts.holdings.as_of, facts.asked_at, limits.max_balance_age),
        _fresh("price", facts.price_as_of, facts.asked_at, limits.max_price_age),
    )


@exact
def jump(facts: Facts, limits: Limits) -> Check | None:
    """A failed check if the balances changed by more than the limit without a fill; None otherwise.

    This plan records the new balances and the next plan is compared with them, so a lasting change is acted on
    then.
    """
    seen, expected, price = facts.holdings, facts.expected, facts.mark_price
    if expected is None:
        return None
    base, quote = seen.base.total - expected.base, seen.quote.total - expected.quote
    moved = abs(base) * price + abs(quote)
    value = max(seen.base.total * price + seen.quote.total, expected.base * price + expected.quote)
    if moved <= limits.max_balance_jump * value:
        return None
    explanation = (
        f"the balances changed by {places(base, 4)} {facts.instrument.base} and {places(quote, 4)} "
        f"{facts.instrument.quote} without a fill; at most {percent(limits.max_balance_jump)} of the value"
    )
    return Check("balance_jump", quotient(moved, value), limits.max_balance_jump, False, explanation)


def _fresh(name: str, as_of: datetime, now: datetime, limit: int) -> Check:
    """Whether what was read at `as_of` is recent enough to decide on: `limit` in seconds."""
    age = now - as_of
    seconds = Decimal(age // timedelta(milliseconds=1)).scaleb(-3)
    explanation = f"{name} is {places(seconds, 0)} s old, at most {limit} s"
    return Check(f"{name}_age", seconds, Decimal(limit), age <= timedelta(seconds=limit), explanation)


def _pause(facts: Facts) -> Check:
    pause = facts.pause
    if pause is None or not pause.active(facts.now):
        return Check("kill_switch", "off", "off", True, "trading is not paused")
    until = f" until {pause.until:%Y-%m-%d %H:%M} UTC" if pause.until else ""
    return Check("kill_switch", "on", "off", False, f"paused by {pause.set_by}{until}: {pause.reason}")


def _recovered(facts: Facts) -> Check:
    explanation = (
        "the ledger is known" if facts.ledger_known else "the ledger was empty: this run rebuilds it, no order"
    )
    coins = plain(facts.holdings.base.total)
    return Check("ledger", f"{coins} {facts.instrument.base}", None, facts.ledger_known, explanation)


def _tradable(rebalance: Rebalance, facts: Facts) -> Check:
    side, style = rebalance.side, rebalance.style
    problems = list(facts.rules.closed)
    if not facts.can_trade:
        problems.append("the account may not trade (canTrade=false)")
    if side not in facts.rules.sides:
        problems.append(f"the exchange does not allow {side} for this symbol now")
    if style is OrderStyle.MARKET and not facts.rules.market_orders:
        problems.append("the exchange does not list MARKET orders for this symbol")
    explanation = "; ".join(problems) or "the symbol is open to this key"
    return Check("tradable", "closed" if problems else "open", "open", not problems, explanation)


def _fee(facts: Facts, limits: Limits) -> Check:
    fee = facts.rules.taker_fee
    explanation = f"the taker fee is {percent(fee)}, at most {percent(limits.max_fee)}"
    return Check("fee", fee, limits.max_fee, fee <= limits.max_fee, explanation)


def _nothing_open(facts: Facts) -> Check:
    count = facts.open_orders
    if count is None:
        return Check("open_orders", None, ZERO, False, "the open orders could not be read")
    return Check("open_orders", Decimal(count), ZERO, count == 0, f"{count} orders of the bot itself are open")


def _one_per_slot(facts: Facts) -> Check:
    last = facts.activity.last_slot
    slot = f"{facts.slot:%Y-%m-%d %H:%M}"
    passed = last is None or facts.slot > last
    explanation = f"slot {slot} is free" if passed else f"an order was already sent for slot {last:%Y-%m-%d %H:%M}"
    return Check("one_order_a_slot", slot, f"{last:%Y-%m-%d %H:%M}" if last else None, passed, explanation)


def _orders_today(facts: Facts, limits: Limits) -> Check:
    count, most = facts.activity.orders, limits.max_orders_per_day
    explanation = f"{count} orders were sent today (UTC), at most {most}"
    return Check("orders_a_day", Decimal(count), Decimal(most), count < most, explanation)


def _placements_today(facts: Facts, limits: Limits) -> list[Check]:
    """An order that filled nothing counts only as a placement; a check appears only when there are too many."""
    count, most = facts.activity.placements, limits.max_placements_per_day
    if count < most:
        return []
    explanation = f"{count} orders were placed today (UTC), filled or not, at most {most}"
    return [Check("placements_a_day", Decimal(count), Decimal(most), False, explanation)]


def _cooldown(facts: Facts, limits: Limits) -> Check:
    last, need = facts.activity.last_order_at, Decimal(int(limits.cooldown.total_seconds()))
    if last is None:
        return Check("cooldown", None, need, True, "no order was sent before")
    passed = Decimal(int((facts.now - last).total_seconds()))
    explanation = f"the last order was sent {passed} s ago, at least {need} s lie between two"
    return Check("cooldown", passed, need, facts.now - last >= limits.cooldown, explanation)


def _daily_loss(facts: Facts, limits: Limits) -> Check:
    most, start = limits.max_daily_loss, facts.activity.pnl_at_start
    if most is None:
        return Check("daily_loss", None, None, True, "no daily loss limit is set")
    if start is None or facts.total_pnl is None:
        return Check("daily_loss", None, most, False, "today's loss is not known")
    loss = max(start - facts.total_pnl, ZERO)
    explanation = f"today's loss is {places(loss, 2)} {facts.instrument.quote}, the limit {plain(most)}"
    return Check("daily_loss", loss, most, loss < most, explanation)


def _reference(facts: Facts, limits: Limits) -> Check:
    """Every price of the plan against every reference: reports the first that is too far off, else the first."""
    limit = limits.max_price_deviation
    prices = [facts.mark_price, *([facts.last_price] if facts.last_price is not None else [])]
    checks = [
        _near(price, reference, limit) for reference in facts.references if reference.price > 0 for price in prices
    ]
    if not checks:
        return Check("abnormal_price", None, limit, False, "there is no earlier price to hold this one against")
    return next((check for check in checks if not check.passed), checks[0])


def _near(price: Decimal, reference: Reference, limit: Decimal) -> Check:
    off = quotient(abs(price - reference.price), reference.price)
    explanation = (
        f"the price {plain(price)} is {percent(off)} off {reference.label}, "
        f"{plain(reference.price)}; at most {percent(limit)}"
    )
    return Check("abnormal_price", off, limit, off <= limit, explanation)


def _book(facts: Facts) -> Check:
    problem = "the order book could not be read" if facts.book is None else facts.book.problem
    return Check("order_book", problem, None, problem is None, problem or "the order book is sound")


def _sized(
    rebalance: Rebalance, facts: Facts, book: OrderBook, limits: Limits, policy: Policy
) -> tuple[tuple[Check, ...], list[Check], OrderIntent]:
    """The cuts to the order (each with what it lets through), the guards on what is left, and the intent."""
    side, style, mark, rules = rebalance.side, rebalance.style, facts.mark_price, facts.rules
    sized = against_book(rebalance, book, mark, facts.holdings, rules, policy, limits, facts.instrument)
    quantity, limit_price = sized.quantity, sized.limit_price
    intent = OrderIntent(
        client_order_id(facts.instrument.symbol, facts.slot, side),
        facts.slot,
        side,
        style,
        quantity,
        None if style is OrderStyle.MARKET else limit_price,
        floor_to(quantity * limit_price, rules.price_increment),
        book.mid_price,
    )
    slippage = ZERO if style is OrderStyle.MAKER or quantity <= 0 else book.slippage(side, quantity, mark)
    guards = [
        _size(intent, mark, policy, rules, facts.instrument),
        Check(
            "slippage",
            slippage,
            limits.max_slippage,
            slippage is not None and slippage <= limits.max_slippage,
            f"the book would fill it {'not at all' if slippage is None else percent(slippage)} off the price; "
            f"at most {percent(limits.max_slippage)}",
        ),
        _price_band(limit_price, side, mark, rules),
    ]
    return sized.cuts, guards, intent


def _size(intent: OrderIntent, mark: Decimal, policy: Policy, rules: TradingRules, instrument: Instrument) -> Check:
    """Our minimum at the mark price, the venue's at the price that will be sent."""
    worth = intent.quantity * mark
    passed = (
        intent.quantity > 0
        and intent.quantity >= rules.min_quantity
        and worth >= policy.min_notional
        and intent.notional >= rules.min_notional
    )
    explanation = (
        f"{plain(intent.quantity)} {instrument.base} are left after all cuts, worth {places(worth, 4)} "
        f"{instrument.quote}; the least is {plain(max(policy.min_notional, rules.min_notional))}"
    )
    return Check("size", worth, max(policy.min_notional, rules.min_notional), passed, explanation)


def _price_band(limit_price: Decimal, side: Side, mark: Decimal, rules: TradingRules) -> Check:
    """The venue's own band around the last price (exchange.md §4.6, code 30087)."""
    if side is Side.BUY:
        edge = mark * (ONE + rules.price_band_up) if rules.price_band_up is not None else None
        passed = edge is None or limit_price <= edge
    else:
        edge = mark * (ONE - rules.price_band_down) if rules.price_band_down is not None else None
        passed = edge is None or limit_price >= edge
    explanation = f"the limit price {plain(limit_price)} against the exchange's band around the last price"
    return Check("price_band", limit_price, edge, passed, explanation)
