"""What one seed plays: settings, prices, deliveries with their retries and overlaps, and the faults on the way."""

import logging
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from common.domain.orders.order import OrderStyle
from local.exchange.clock import DAY_MS
from local.exchange.config import BookShape, ExchangeConfig, Fees, Options
from local.exchange.orders import Fill, whole_second
from tests.simulation.faults import Seeded
from tests.simulation.invariants import Broken, Rested
from tests.simulation.timeline import Action
from tests.simulation.world import FIFTEEN, START, Trace, World

QUIET_SLOTS = 6
RETRIES = 3
BACKOFF_SECONDS = 5
"""Cloud Scheduler's, as in local/player.py."""
PRICE = Decimal("0.02")
DEADLINES = (45, 230)
"""A run's time in seconds, by default and as Terraform deploys it: seeds play them in turn."""


@dataclass
class Result:
    """How a day ended: `problem` is the invariant that does not hold, None when all do."""

    seed: int
    problem: str | None
    steps: int
    faults: int
    orders: int
    lines: list[str] = field(default_factory=list)
    rested: Rested = field(default_factory=Rested)
    """Of the orders that rested."""
    slices: int = 0

    @property
    def replay(self) -> str:
        return f"python -m tests.simulation {self.seed}"


def quiet() -> None:
    """The bot's own log would say every warning of thousands of days."""
    logging.getLogger().handlers[:] = [logging.NullHandler()]
    logging.getLogger().setLevel(logging.CRITICAL + 1)


def play(seed: int, *, tell: bool = False) -> Result:
    """Play the day of a seed to its end, or to the first invariant that breaks."""
    trace = Trace([] if tell else None)
    day = Day(seed, trace)
    problem = None
    try:
        day.run()
    except Broken as broken:
        problem = str(broken)
        day.world.tell("!", problem)
    world = day.world
    accepted = len(world.exchange.engine.orders)
    watch = world.watch
    return Result(
        seed, problem, world.steps, world.faults_met, accepted, trace.lines or [], watch.rests(), watch.slices
    )


class Day:
    """A day in the making: what is drawn when does not depend on how the bot behaves, but for the faults."""

    def __init__(self, seed: int, trace: Trace) -> None:
        self.rng = random.Random(f"{seed}|day")
        rng = self.rng
        self.slots = rng.choice((1, 2, 2, 3)) if rng.random() < 0.98 else 15
        start = START.replace(hour=23, minute=15) if rng.random() < 0.2 else START
        env = _settings(rng) | {"RUN_DEADLINE_SECONDS": str(DEADLINES[seed % 2])}
        self.late = random.Random(f"{seed}|resting and slices")
        env |= _resting_and_slices(self.late, env)
        env |= _policy(random.Random(f"{seed}|policy"), env)
        self.rests = env.get("ORDER_REST_SECONDS", "6") != "6"
        self.hidden = random.Random(f"{seed}|hidden")
        self.hides = self.rests and self.hidden.random() < 0.3
        self.owner = random.Random(f"{seed}|owner")
        self.changes = "ORDER_COOLDOWN_SECONDS" not in env and self.owner.random() < 0.15
        exchange = _exchange(rng)
        # Whose a nameless fill is shows by its order, which only a live bot asks for.
        if not self.changes and random.Random(f"{seed}|nameless").random() < 0.2:
            exchange = replace(exchange, options=exchange.options.changed({"fill_client_id": False}))
        self.world = World(seed, env, exchange, start, trace)
        self.price = PRICE
        self.slot = start
        if self.hides:
            market = self.world.exchange.engine.markets[self.world.settings.symbol]
            market.change(shape=market.shape.changed({"notional_per_side": Decimal(3)}))  # fills come in parts
        if self.changes:
            self.slots = max(self.slots, 4)
        if rng.random() < 0.3:
            self.world.exchange.faults.add({"kind": "refuse_duplicates"})

    def run(self) -> None:
        world = self.world
        self._begin()
        world.plan = plan = Seeded(random.Random(f"{world.seed}|faults"))
        for _ in range(self.slots):
            self.slot += FIFTEEN
            world.timeline.wait(max((self.slot - world.timeline.now).total_seconds(), 0))
            self._move_price()
            if self.changes and self.owner.random() < 0.6:
                world.configure(**self.owner.choice(CHANGES))
            if self.rng.random() < 0.05 and self._nothing_younger(120 if plan.balances_lag else 1):
                world.lose_redis()
            world.timeline.play([*self._deliveries(), *self._befalls_what_rests()])
            if self.rests and self.late.random() < 0.05:
                self.slot += timedelta(days=1)  # nobody calls for a day
        if self.changes:
            world.configure()
        world.settle(self.slot + FIFTEEN, QUIET_SLOTS)

    def _begin(self) -> None:
        """Coins bought yesterday, the first price, and the run that begins the ledger. All of it is kept."""
        world = self.world
        world.set_price(self.price)
        world.exchange.engine.seed_fill(_bought(world))
        if not world.call("fifteen_min_job", self.slot).ok:
            raise Broken("the first run failed though all went well")
        world.redis.settled()

    def _nothing_younger(self, seconds: int) -> bool:
        """Whether no order rests, and none has moved within these seconds: so that a ledger can start again.

        Fills may show late, but not within the second of the account it begins with (they carry whole seconds),
        nor before the balances follow them.
        """
        exchange = self.world.exchange
        orders, before = exchange.engine.orders.values(), exchange.clock.now_ms() - 1000 * seconds
        return all(not order.is_open and order.updated_ms < before for order in orders)

    def _move_price(self) -> None:
        percent = self.rng.choice((-14, -8, -3, 0, 3, 8, 14, 25))
        self._nudge(Decimal(100 + percent) / 100)

    def _deliveries(self) -> Iterator[tuple[datetime, Action]]:
        """The slot's own, others at the same minute, duplicates, calls by hand, and jobs in between."""
        rng, at = self.rng, self.world.timeline.now
        yield self._delivery("fifteen_min_job", at, self.slot)
        for job, chance in (("balance", 0.3), ("cost", 0.3), ("price", 0.2)):
            if rng.random() < chance:
                yield self._delivery(job, at + _seconds(rng, 3), self.slot)
        if rng.random() < 0.2:
            yield self._delivery("fifteen_min_job", at + _seconds(rng, rng.choice((1, 10, 90))), self.slot)
        if rng.random() < 0.2:
            job = rng.choice(("rebalance", "fifteen_min_job"))
            yield self._delivery(job, at + _seconds(rng, rng.choice((2, 60, 180))), None)
        if rng.random() < 0.3:
            minutes = rng.choice((3, 5, 9, 12))
            later = at + timedelta(minutes=minutes)
            yield self._delivery(
                rng.choice(("balance", "cost", "price")), later, self.slot + timedelta(minutes=minutes)
            )
        if rng.random() < 0.08:
            until = (at + timedelta(minutes=rng.choice((1, 20)))).isoformat()
            paused = at + _seconds(rng, 5) - timedelta(seconds=2)
            yield paused, lambda: self._command(command="pause", reason="a look", until=until)
            if rng.random() < 0.5:
                yield paused + _seconds(rng, 60), lambda: self._command(command="resume")
        if rng.random() < 0.15:
            factor = Decimal(rng.choice((97, 99, 101, 103))) / 100
            moved = at + _seconds(rng, 6)
            self.world.timeline.at(moved, lambda: self.world.set_price(self.price * factor))

    def _befalls_what_rests(self) -> Iterator[tuple[datetime, Action]]:
        """While an order rests: the price moves through it or back, jobs look, the exchange cancels it."""
        rng, at = self.late, self.world.timeline.now
        if not self.rests:
            return
        for _ in range(rng.randint(0, 3)):
            factor, moved = Decimal(rng.choice((985, 995, 1005, 1015, 1030))) / 1000, at + _seconds(rng, 800)
            self.world.timeline.at(moved, lambda factor=factor: self._nudge(factor))  # type: ignore[misc]
        for minutes in (3, 6, 9, 12, 14):
            if rng.random() < 0.4:
                later = self.slot + timedelta(minutes=minutes)
                yield self._delivery(rng.choice(("balance", "cost")), at + timedelta(minutes=minutes), later)
        if rng.random() < 0.1:
            self.world.timeline.at(at + _seconds(rng, 800), self.world.cancel_what_rests)
        if self.hides:
            self._fills_in_part_and_is_hidden(at + timedelta(seconds=100) + _seconds(self.hidden, 600))

    def _fills_in_part_and_is_hidden(self, begins: datetime) -> None:
        for seconds, factor in ((0, "1.006"), (15, "0.988"), (30, "1.006")):
            moved = begins + timedelta(seconds=seconds)
            self.world.timeline.at(moved, lambda factor=factor: self._nudge(Decimal(factor)))  # type: ignore[misc]
        lasts = self.hidden.choice((60, 900, 1800))
        self.world.timeline.at(begins + timedelta(minutes=1), lambda: self.world.hide_what_rests(lasts))

    def _nudge(self, factor: Decimal) -> None:
        self.price = min(max(self.price * factor, PRICE / 3), PRICE * 3)
        self.world.set_price(self.price)

    def _delivery(self, job: str, at: datetime, slot: datetime | None) -> tuple[datetime, Action]:
        instance = "" if self.rng.random() < 0.8 else "#2"
        fresh = self.rng.random() < 0.1
        return at, lambda: self._deliver(job, slot, instance, fresh)

    def _command(self, **body: str) -> None:
        self.world.command(**body)

    def _deliver(self, job: str, slot: datetime | None, instance: str, fresh: bool) -> None:
        """Until it is answered 2xx, at most so many times, and never past the next slot."""
        world = self.world
        if fresh:
            world.processes.pop(job + instance, None)
        for attempt in range(RETRIES + 1):
            if world.call(job, slot, instance).ok or slot is None:
                return
            world.timeline.wait(BACKOFF_SECONDS * 2**attempt)
            if slot is not None and world.timeline.now >= slot + FIFTEEN:
                return


def _seconds(rng: random.Random, most: float) -> timedelta:
    return timedelta(seconds=round(rng.random() * most, 3))


def _settings(rng: random.Random) -> dict[str, str]:
    """Most days have no cooldown and many orders; some have the limits of a real deployment, or tight ones."""
    env = {"LEASE_WAIT_SECONDS": rng.choice(("0", "1", "1", "1", "10"))}
    if rng.random() < 0.7:
        env["MAX_PRICE_DEVIATION"] = "0.6"
    if rng.random() < 0.15:
        env |= {
            "ORDER_COOLDOWN_SECONDS": rng.choice(("1200", "3600")),
            "MAX_ORDERS_PER_DAY": rng.choice(("2", "5")),
        }
    style = OrderStyle(rng.choice(("ioc", "ioc", "ioc", "maker", "market")))
    env["ORDER_STYLE"] = style.value
    if style is OrderStyle.MARKET:
        env["ALLOW_MARKET_ORDERS"] = "true"
    if style is OrderStyle.MAKER:
        env["ORDER_REST_SECONDS"] = "6"
    if rng.random() < 0.2:
        env["MAX_NOTIONAL_USDT"] = "15"
    if rng.random() < 0.2:
        env["CORE_HOLDING"] = "24800"
    if rng.random() < 0.2:
        env["USDT_RESERVE"] = "470"
    return env


def _resting_and_slices(rng: random.Random, env: Mapping[str, str]) -> dict[str, str]:
    """How long a maker order rests, and whether large orders go in slices; drawn apart, so that older days stay."""
    more = {}
    if env["ORDER_STYLE"] != OrderStyle.MAKER and rng.random() < 0.1:
        more["ORDER_STYLE"] = OrderStyle.MAKER.value
        more["ORDER_REST_SECONDS"] = "840"
    elif env["ORDER_STYLE"] == OrderStyle.MAKER:
        more["ORDER_REST_SECONDS"] = rng.choice(("6", "300", "840", "840"))
    if rng.random() < 0.2:
        more["SLICE_NOTIONAL_USDT"] = rng.choice(("6", "10", "25"))
        more["SLICE_HOURS"] = rng.choice(("1", "6"))
    return more


POLICIES: tuple[Mapping[str, str], ...] = (
    {"LEVELS": "0.01:half,0.03:target:ioc"},
    {"LEVELS": "0.01:0.005:maker,0.04:half:ioc", "ORDER_REST_SECONDS": "840"},
    {"THRESHOLD_PCT": "auto", "REBALANCE_TO": "half"},
    {"THRESHOLD_PCT": "auto", "ORDER_STYLE": "tiered", "ORDER_REST_SECONDS": "840", "COST_FALLBACK": "0.0001"},
    {"REBALANCE_TO": "edge", "DECIDE_ON": "mid"},
    {"MIN_SELL_MARGIN": "0", "TREND_FILTER": "ma"},
)


CHANGES: tuple[Mapping[str, str], ...] = (
    {"ORDER_STYLE": "market", "ALLOW_MARKET_ORDERS": "true", "SLICE_NOTIONAL_USDT": "6"},
    {"ORDER_STYLE": "ioc", "ALLOW_MARKET_ORDERS": "false", "SLICE_NOTIONAL_USDT": "6"},
    {"ORDER_STYLE": "maker", "ORDER_REST_SECONDS": "840"},
    {"TARGET_RATIO": "0.6"},
    {"EXECUTION_MODE": "plan"},
    {},
)
"""What an owner may change from one slot to the next."""


def _policy(rng: random.Random, env: Mapping[str, str]) -> Mapping[str, str]:
    """On some days another policy than the one level to the target."""
    plain = env["ORDER_STYLE"] != OrderStyle.MARKET
    return rng.choice(POLICIES) if plain and rng.random() < 0.15 else {}


def _exchange(rng: random.Random) -> ExchangeConfig:
    config = ExchangeConfig(
        balances={"QRL": Decimal(25000), "USDT": Decimal(500)},
        options=Options(
            limit_maker_crossing=rng.choice(("cancel", "refuse")),
            trades_order=rng.choice(("newest", "oldest", "shuffled")),
            ack_client_id=rng.random() < 0.3,
        ),
    )
    if rng.random() < 0.15:
        config = replace(config, fees=Fees(asset="BASE"))
    if rng.random() < 0.3:
        config = replace(config, book=BookShape(notional_per_side=Decimal(60)))
    return config


def _bought(world: World) -> Fill:
    """A buy of yesterday, so that the coins have a cost; the balances are what they are."""
    at_ms = whole_second(world.exchange.clock.now_ms() - DAY_MS)
    amounts: dict[str, Any] = {"price": PRICE, "quantity": Decimal(25000), "quote_quantity": PRICE * 25000}
    return Fill(
        symbol=world.settings.symbol,
        trade_id="500000000000000001X1",
        order_id="C02__500000000000000001036",
        client_order_id=None,
        commission=Decimal(0),
        commission_asset="USDT",
        time_ms=at_ms,
        is_buyer=True,
        is_maker=False,
        **amounts,
    )
