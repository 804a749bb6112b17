"""The policy in force at a plan: the measured cost of trading, the levels derived from it, and the trend."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from common.clock import milliseconds
from common.decimal_json import from_redis
from common.decimals import ZERO, plain, quotient
from common.domain.decision.advice import band_of
from common.domain.decision.band import best_band
from common.domain.decision.cost_of_trading import (
    KEPT,
    Estimate,
    FillCost,
    Measured,
    band_to_use,
    cost_at_best,
    estimate,
    fill_cost,
    resting_cost,
)
from common.domain.decision.levels import Destination, Level
from common.domain.decision.policy import Policy
from common.domain.instrument import Instrument, TradingRules
from common.domain.orders.order import Fill, OrderStyle
from common.domain.portfolio import Valuation
from common.errors import BotError, StoreCorrupt
from common.mexc.parse import read_depth, read_klines
from common.run import Run
from common.store.batch import Batch
from common.store.codec import from_document, to_document
from common.trading.snapshot import Snapshot

log = logging.getLogger(__name__)
SEEDED_BOOKS = 672
"""How many stored books are read when nothing was measured yet: one every 15 minutes for seven days."""

MARKED_AFTER = timedelta(minutes=15)
"""How long after a resting fill the mid is read: the cost of resting shows in where the price went."""
MAX_CANDLE_AGE = timedelta(days=2)
"""How long ago the last daily candle may have closed for the trend to count."""


class InForce(NamedTuple):
    """The policy to plan by, what trading costs, and the trend in words (None: the filter is off)."""

    policy: Policy
    cost: Estimate
    trend: str | None


def in_force(run: Run, batch: Batch, seen: Snapshot, price: Decimal, fills: Sequence[Fill]) -> InForce:
    """Measure this plan's book, queue the measurements, and derive what the settings leave open."""
    settings = run.settings
    policy, fee = settings.policy, seen.rules.taker_fee
    total = Valuation.of(seen.holdings, price).total_value
    least = quotient(max(policy.min_notional, seen.rules.min_notional), total) if total > 0 else ZERO
    size = _size(policy, settings.auto, least)
    measured = _stored(run) or _seeded(run, total, size, fee)
    book = None if seen.book is None else cost_at_best(seen.book, total, size, fee, run.now)
    measured = measured.with_book(book, run.now).with_fills(own_costs(fills, seen, run.instrument, run.now))
    cost = estimate(measured, fee, settings.cost_fallback)
    if settings.auto is not None and total > 0:
        measured, levels = _derived(run, measured, cost, policy, settings.auto, least, seen.rules.maker_fee)
        policy = replace(policy, levels=levels)
    batch.document(run.keys.trading_cost, to_document(measured))
    policy, trend = _with_trend(run, batch, policy, price)
    return InForce(policy, cost, trend)


def _size(policy: Policy, auto: Destination | None, least: Decimal) -> Callable[[Decimal], Decimal]:
    """The share of the value that the first level trades; with `auto` it depends on the cost."""
    if auto is None:
        size = band_of(policy.levels[0], least).size
        return lambda _: size
    return lambda cost: best_band(cost, policy.target_weight, least, auto).size


def _stored(run: Run) -> Measured | None:
    """What was measured so far; None if there is nothing readable, and measuring starts again."""
    text, key = run.state.trading_cost, run.keys.trading_cost
    if text is None:
        return None
    try:
        measured = from_document(Measured, from_redis(text, key), key)
        if not measured.readable:
            raise StoreCorrupt(f"{key} cannot be read: a line of books has another form")
    except StoreCorrupt as error:
        log.warning("%s: the cost of trading is measured again from the stored order books", error)
        return None
    return measured


def _seeded(run: Run, total: Decimal, size: Callable[[Decimal], Decimal], fee: Decimal) -> Measured:
    """Measure the stored order books of the last seven days."""
    since, until = milliseconds(run.now - KEPT), milliseconds(run.now)
    measured = Measured()
    for text in run.store.raw_history("depth", since, until, SEEDED_BOOKS, run.meter):
        try:
            document = from_redis(text, run.keys.raw_history("depth"), raw=True)
            at = datetime.fromtimestamp(int(document["timestamp"]) / 1000, UTC)
            book = read_depth(document["response"])
        except (BotError, KeyError, TypeError, ValueError):
            continue
        measured = measured.with_book(cost_at_best(book, total, size, fee, at), run.now)
    return measured


def own_costs(fills: Sequence[Fill], seen: Snapshot, instrument: Instrument, now: datetime) -> list[FillCost]:
    """The cost of the bot's own fills of the last hour.

    Fills that took are compared with the mid at the decision, resting ones with the mid 15 minutes later.
    """
    book = seen.book if seen.book is not None and seen.book.problem is None else None
    costs = []
    for fill in fills:
        mid = fill.mid_price  # only the bot's own fills have one
        if mid is not None and fill.is_maker:
            age = now - fill.executed_at
            mid = book.mid_price if book is not None and MARKED_AFTER <= age < 2 * MARKED_AFTER else None
        if mid is not None:
            fee = _fee(fill, instrument, seen.rules)
            cost = fill_cost(fill.side, fill.price, mid, fee)
            costs.append(FillCost(fill.executed_at, fill.fill_id, cost, fill.is_maker))
    return costs


def _fee(fill: Fill, instrument: Instrument, rules: TradingRules) -> Decimal:
    """The fee as a fraction of the notional; the account's own rate where the fee's value is unknown."""
    if fill.fee_asset == instrument.quote:
        return quotient(fill.fee, fill.notional)
    if fill.fee_asset == instrument.base:
        return quotient(fill.fee, fill.quantity)
    if fill.fee_value is not None:
        return quotient(fill.fee_value, fill.notional)
    return rules.maker_fee if fill.is_maker else rules.taker_fee


def _derived(
    run: Run,
    measured: Measured,
    cost: Estimate,
    policy: Policy,
    to: Destination,
    least: Decimal,
    maker_fee: Decimal,
) -> tuple[Measured, tuple[Level, ...]]:
    """The band of the measured cost, kept while it changes little, and with `tiered` an inner one that rests."""
    weight, style = policy.target_weight, run.settings.order_style
    tiered = style == "tiered"
    taken = band_to_use(measured.band, cost.one_way, weight, least, to, run.now)
    outer = Level(taken.trigger, taken.destination, OrderStyle.IOC if tiered else OrderStyle(style))
    if cost.books or cost.fills:
        measured = replace(measured, band=taken)
    if not tiered:
        return measured, (outer,)
    rested = band_to_use(measured.resting_band, resting_cost(measured, cost, maker_fee), weight, least, to, run.now)
    if cost.books or cost.fills:
        measured = replace(measured, resting_band=rested)
    inner = Level(rested.trigger, rested.destination, OrderStyle.MAKER)
    return measured, (inner, outer) if inner.trigger < outer.trigger else (outer,)


def _with_trend(run: Run, batch: Batch, policy: Policy, price: Decimal) -> tuple[Policy, str | None]:
    """The policy under the trend filter, and the trend in words; unreadable candles leave the filter out."""
    settings = run.settings
    if settings.trend_filter == "off":
        return policy, None
    from common.domain.decision.trend import Trend, filtered  # imported here: the filter is rarely on

    try:
        candles = read_klines(run.exchange.cached_candles("1d", settings.trend_slow + 1, run.now, batch.raw))
    except BotError as error:
        return policy, _left_out(str(error))
    closed = [candle for candle in candles if candle.closes_at <= run.now]
    if not closed or run.now - closed[-1].closes_at > MAX_CANDLE_AGE:
        return policy, _left_out("the newest daily candle is too old")
    trend = Trend.of([candle.close for candle in closed], settings.trend_fast, settings.trend_slow)
    if trend is None:
        return policy, _left_out(f"{len(closed)} days have closed, {settings.trend_slow} are needed")
    means = (
        f"price {plain(price)}, mean of {settings.trend_fast} days {plain(trend.fast)}, "
        f"of {settings.trend_slow} days {plain(trend.slow)}"
    )
    followed = filtered(policy, trend, price, settings.trend_factor)
    if followed.sell_widening != policy.sell_widening:
        return followed, f"rising, sales wait for {plain(settings.trend_factor)} times the trigger: {means}"
    if followed.buy_widening != policy.buy_widening:
        return followed, f"falling, buys wait for {plain(settings.trend_factor)} times the trigger: {means}"
    return policy, f"none: {means}"


def _left_out(why: str) -> str:
    log.warning("the trend filter is left out: %s", why)
    return f"left out: {why}"
