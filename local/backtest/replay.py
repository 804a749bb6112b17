"""One policy over one market: decide on a close, fill at the next opening, rest for the next slot.

The bot's own `plan` decides and its own guards size the order. Between two orders the holdings are constant, so the
prices at which the rule would next trade are known, and all decisions between them are skipped: they hold. A
decision at or beyond them is made in full. With `every_bar` nothing is skipped; both ways give the same events to
the last digit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import inf

from common.decimals import ONE, ZERO, exact, floor_to, quotient
from common.domain.decision.cost_of_trading import BandInUse, band_to_use
from common.domain.decision.facts import Facts, Reference
from common.domain.decision.levels import Destination, Level
from common.domain.decision.plan import Plan, plan
from common.domain.decision.policy import Hold, Policy, Rebalance
from common.domain.decision.rule import cost_floor
from common.domain.decision.sizing import affordable
from common.domain.decision.trend import Trend, filtered
from common.domain.decision.triggers import Grid, next_triggers
from common.domain.instrument import Instrument, Side, TradingRules
from common.domain.ledger.position import Position
from common.domain.order_book import OrderBook
from common.domain.orders.journal import Activity, DayStart
from common.domain.orders.order import Fill, OrderIntent
from common.domain.orders.program import Program, plan_slice
from common.domain.portfolio import Balance, Holdings, Valuation
from local.backtest.costs import Costs
from local.backtest.market import Market
from local.backtest.strategies import Strategy, cost_at_best, least_order

WIDE_BAR_MS = 3_600_000
"""The close of a wider bar is no reference for the next price: a running bot would have seen prices in between."""
SENT_AFTER = timedelta(seconds=1)
"""How long after its slot an order leaves: a live run first reads account, price and book.

In whole seconds, like cooldowns. A cooldown counts from the sending, so one of four slots refuses the fourth.
"""


@dataclass(frozen=True, slots=True)
class Event:
    """An order that filled. `time` is the slot's, `decision_price` its close, `fee` in the quote asset."""

    time: datetime
    side: Side
    quantity: Decimal
    decision_price: Decimal
    fill_price: Decimal
    fee: Decimal
    number: int
    """The number of its decision."""

    @property
    @exact
    def notional(self) -> Decimal:
        return self.quantity * self.fill_price

    @property
    def signed(self) -> Decimal:
        """The quantity with the sign of what it does to the base balance."""
        return self.quantity if self.side is Side.BUY else -self.quantity


@dataclass(frozen=True, slots=True)
class Start:
    """The starting balances, and the price at which they were valued."""

    base: Decimal
    quote: Decimal
    price: Decimal

    @classmethod
    @exact
    def halves(cls, value: Decimal, price: Decimal) -> "Start":
        """Half of the value in each asset."""
        return cls(quotient(value / 2, price), value / 2, price)

    @property
    @exact
    def value(self) -> Decimal:
        return self.base * self.price + self.quote


@dataclass(frozen=True, slots=True)
class InForce:
    """Levels, and the time of the first decision under them."""

    since: datetime
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """The result: the orders, and the two balances at the end."""

    strategy: Strategy
    start: Start
    events: tuple[Event, ...]
    base: Decimal
    quote: Decimal
    decided: int
    """How many decisions were made in full."""
    held: str | None
    """Why the last decision beyond a trigger made no order; None if all did."""
    in_force: tuple[InForce, ...]
    """The levels in force over time: a derived band moves with the value. Empty if nothing was decided."""

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels in force at the end; empty if nothing was decided."""
        return self.in_force[-1].levels if self.in_force else ()


@dataclass(frozen=True, slots=True)
class Desk:
    """What the replays of one comparison share: market, costs, start and instrument."""

    market: Market
    costs: Costs
    start: Start
    instrument: Instrument
    step: Decimal

    @property
    def rules(self) -> TradingRules:
        """The venue as far as candles show it: steps of `step`, orders of at least 1 quote asset, any price."""
        return TradingRules(self.step, ZERO, ZERO, ONE, Decimal(10) ** 30, self.costs.fee, self.costs.fee)

    def replay(self, strategy: Strategy, *, every_bar: bool = False) -> Replay:
        """Run a strategy over all decisions."""
        return _Run(self, strategy, every_bar).played()


class _Run:
    """A replay in progress."""

    def __init__(self, desk: Desk, strategy: Strategy, every_bar: bool) -> None:
        self.desk, self.market, self.strategy = desk, desk.market, strategy
        self.every_bar, self.end = every_bar, len(desk.market)
        self.rules = desk.rules
        self.limits = strategy.limits
        self.base, self.quote = desk.start.base, desk.start.quote
        cost = desk.start.base * desk.start.price
        self.position = Position(quantity=desk.start.base, cost=cost)
        self.activity, self.day = Activity(), DayStart(date.min, None)
        self.policy = strategy.policy
        self.trend: Trend | None = None
        self.band: BandInUse | None = None
        self.in_force: list[InForce] = []
        self.program: Program | None = None
        self.events: list[Event] = []
        self.decided = 0
        self.held: str | None = None

    @exact
    def played(self) -> Replay:
        for number, stop in self._stretches():
            self._adapt(number)
            while (number := self._candidate(number, stop)) < stop:
                number = self._decide(number)
        return Replay(
            self.strategy,
            self.desk.start,
            tuple(self.events),
            self.base,
            self.quote,
            self.decided,
            self.held,
            tuple(self.in_force),
        )

    def _stretches(self) -> Sequence[tuple[int, int]]:
        """Ranges [first, stop) of decisions under one policy: days if it follows trend or value, else all."""
        if self.strategy.never or not self.end:
            return []
        if self.strategy.monthly:
            return [(number, number + 1) for number in self.market.months if number < self.end]
        if not self.strategy.changes_daily:
            return [(0, self.end)]
        stretches, number = [], 0
        while number < self.end:
            stop = min(self.market.next_day(number), self.end)
            stretches.append((number, stop))
            number = stop
        return stretches

    def _adapt(self, number: int) -> None:
        """Update the policy for the day."""
        if self.strategy.trend is not None:
            self.trend = self.strategy.trend.on(self.market, number)
        if self.strategy.auto is not None:
            price = self.market.close(number)
            value = self.base * price + self.quote
            self.band = self._band_to_use(self.strategy.auto, value, number)
            self.policy = self.strategy.with_band(self.band.band)
        if self.policy.levels != (self.in_force[-1].levels if self.in_force else ()):
            self.in_force.append(InForce(self.market.decided_at(number), self.policy.levels))

    def _band_to_use(self, to: Destination, value: Decimal, number: int) -> BandInUse:
        """The band that the costs imply at this value, if it differs enough from the one in use."""
        usual = self.strategy.policy
        cost = cost_at_best(usual, value, self.desk.costs, to)
        least = least_order(usual, value)
        return band_to_use(self.band, cost, usual.target_weight, least, to, self.market.decided_at(number))

    def _candidate(self, number: int, stop: int) -> int:
        """The next decision that may not be a hold; `stop` if there is none before it."""
        if self.every_bar or number >= stop or self.program is not None:
            return number
        number = max(number, self._free_from())
        low, high = self._triggers(number) if number < stop else (0.0, inf)
        return self.market.extremes.first_beyond(number, stop, low, high)

    def _free_from(self) -> int:
        """The first decision that the cooldown and the daily number of orders allow."""
        last = self.activity.last_order_at
        if last is None:
            return 0
        free = self.market.first_from(last + self.limits.cooldown)
        if self.activity.orders >= self.limits.max_orders_per_day:
            free = max(free, self.market.first_from(_midnight_after(last)))
        return free

    def _triggers(self, number: int) -> tuple[float, float]:
        """The prices between which every decision holds, as long as nothing trades; none without base asset.

        If the trend already widens the trigger at its narrow price, the wide trigger applies.
        """
        if self.base <= 0:
            return inf, 0.0
        valuation = Valuation.of(self._holdings(number), self.market.close(number))
        low, high = self._bounds(self.policy, valuation)
        trend, rule = self.trend, self.strategy.trend
        if trend is not None and rule is not None:
            wide = replace(self.policy, sell_widening=rule.factor, buy_widening=rule.factor)
            wide_low, wide_high = self._bounds(wide, valuation)
            high = wide_high if trend.fast > trend.slow and high > float(trend.fast) else high
            low = wide_low if trend.fast < trend.slow and low < float(trend.fast) else low
        return low, high

    def _bounds(self, policy: Policy, valuation: Valuation) -> tuple[float, float]:
        """The prices at which the first of the levels buys and sells."""
        grid, floor = Grid.of(policy, self.rules), cost_floor(policy, self._average_cost())
        pairs = [next_triggers(valuation, policy, level, grid, floor) for level in policy.levels]
        buys = [float(buy.price) for buy, _ in pairs if buy is not None]
        sells = [float(sell.price) for _, sell in pairs if sell is not None]
        return max(buys, default=0.0), min(sells, default=inf)

    def _decide(self, number: int) -> int:
        """Decide one slot in full and fill its order; return the number of the next decision."""
        self.decided += 1
        facts = self._facts(number)
        policy = self._followed(facts.mark_price)
        made, program = self._planned(facts, policy)
        asked = made.decision.outcome
        if self.desk.costs.impact and isinstance(asked, Rebalance):  # what the book bears depends on the order
            facts = replace(facts, book=self._book(facts.mark_price, min(asked.notional, self._largest())))
            made, program = self._planned(facts, policy)
        self.activity, self.program = facts.activity, program
        if made.order is not None:
            self._fill(number, made.order, facts)
        elif isinstance(asked, Rebalance) and isinstance(made.outcome, Hold):
            self.held = made.outcome.reason
        return number + 1

    def _planned(self, facts: Facts, policy: Policy) -> tuple[Plan, Program | None]:
        """The bot's plan, in slices if the settings ask for them, and the program after it."""
        slicing = self.strategy.slicing
        if slicing is None:
            return plan(facts, policy, self.limits), None
        sliced = plan_slice(self.program, slicing, facts, policy, self.limits)
        return sliced.plan, sliced.program

    def _largest(self) -> Decimal:
        """The largest notional of one order."""
        slicing, most = self.strategy.slicing, self.limits.max_notional
        known = [each for each in (most, slicing.notional if slicing else None) if each is not None]
        return min(known, default=self.rules.max_notional)

    def _followed(self, price: Decimal) -> Policy:
        """The policy under the day's trend."""
        if self.trend is None or self.strategy.trend is None:
            return self.policy
        return filtered(self.policy, self.trend, price, self.strategy.trend.factor)

    def _facts(self, number: int) -> Facts:
        now, price = self.market.decided_at(number), self.market.close(number)
        holdings = self._holdings(number)
        pnl = None
        if self.limits.max_daily_loss is not None:
            self._begin_day(now, self._pnl(self.market.close(self.market.day_start(number))))
            pnl = self._pnl(price)
        self._begin_day(now, pnl)
        return Facts(
            now=now,
            asked_at=now,
            slot=now,
            instrument=self.desk.instrument,
            holdings=holdings,
            mark_price=price,
            price_as_of=now,
            references=(self._reference(number, price),),
            book=self._book(price, ZERO),
            rules=self.rules,
            can_trade=True,
            pause=None,
            activity=self.activity,
            total_pnl=pnl,
            ledger_known=True,
            open_orders=0,
            average_cost=self._average_cost(),
        )

    def _begin_day(self, now: datetime, pnl: Decimal | None) -> None:
        """Start counting orders again with each UTC day."""
        if now.date() > self.day.day:
            self.activity = replace(self.activity, orders=0)
        self.day = self.day.on(now, pnl)
        self.activity = replace(self.activity, pnl_at_start=self.day.pnl_at_start)

    def _holdings(self, number: int) -> Holdings:
        return Holdings(Balance(self.base), Balance(self.quote), self.market.decided_at(number))

    def _reference(self, number: int, price: Decimal) -> Reference:
        """The price before the decision's bar, if bars are narrow enough for it to be meaningful."""
        wide = self.market.candles.width_ms > WIDE_BAR_MS
        return Reference("the last known one", price if wide else self.market.price_before(number))

    def _book(self, price: Decimal, notional: Decimal) -> OrderBook:
        return self.desk.costs.book(price, notional, self.limits.max_slippage)

    def _pnl(self, price: Decimal) -> Decimal:
        return self.base * price + self.quote - self.desk.start.value

    def _average_cost(self) -> Decimal | None:
        return self.position.average_cost if self.policy.cost_guard is not None else None

    def _fill(self, number: int, intent: OrderIntent, facts: Facts) -> None:
        """Fill at the next bar's opening what its volume and the balances allow; nothing if it is missing."""
        bar = self.market.next_bar(number)
        if bar is None:
            self.held = "the bar after the decision is missing"
            return
        costs, candles = self.desk.costs, self.market.candles
        opening = candles.open[bar]
        quantity = min(intent.quantity, costs.most(candles.volume[bar], self.desk.step))
        price = costs.price(intent.side, opening, quantity * opening)
        most = affordable(intent.side, facts.holdings, self.policy, price, costs.fee)
        if quantity > most:
            quantity = floor_to(most, self.desk.step)
            price = costs.price(intent.side, opening, quantity * opening)
        least = max(self.policy.min_notional, self.rules.min_notional)
        if quantity <= 0 or quantity * facts.mark_price < least:
            self.held = "the next bar's volume is too small for an order"
            return
        notional = quantity * price
        fee = notional * costs.fee
        sign = 1 if intent.side is Side.BUY else -1
        self.base += sign * quantity
        self.quote -= sign * notional + fee
        self.events.append(Event(facts.slot, intent.side, quantity, facts.mark_price, price, fee, number))
        orders = facts.activity.orders + 1
        self.activity = replace(
            facts.activity, orders=orders, last_order_at=facts.now + SENT_AFTER, last_slot=intent.slot
        )
        if self.policy.cost_guard is not None:
            self.position = self.position.apply(self._ledger_fill(self.events[-1]), self.desk.instrument)

    def _ledger_fill(self, event: Event) -> Fill:
        count, quote = len(self.events), self.desk.instrument.quote
        return Fill(
            f"{count}",
            f"{count}",
            None,
            event.side,
            event.fill_price,
            event.quantity,
            event.notional,
            event.fee,
            quote,
            event.time,
        )


def _midnight_after(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
