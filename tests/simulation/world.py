"""One exchange, one Redis, one time, and the processes that run the bot in it."""

import gc
import json
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from flask import Request
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from common.clock import milliseconds
from common.config import Settings
from common.jobs import balance, cost, fifteen_min_job, price, rebalance
from common.mexc.http import new_session
from common.run import Job
from common.service import Bot
from local.exchange.config import API_KEY, SECRET_KEY, ExchangeConfig
from local.exchange.orders import Order
from tests.fakes import Inline
from tests.simulation.exchange_side import Desk, Line, still_exchange
from tests.simulation.faults import Fault, Nothing, Plan, Side, Step, When
from tests.simulation.invariants import Broken, Watch
from tests.simulation.process import Crash, Process, ProcessClock
from tests.simulation.redis_line import client
from tests.simulation.redis_side import RedisServer, Write
from tests.simulation.timeline import Timeline

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
FIFTEEN = timedelta(minutes=15)
SEEN_BY_THEN = timedelta(minutes=2)
"""So much later every order and every fill can be seen."""
JOBS: Mapping[str, Job] = {job.JOB.name: job.JOB for job in (balance, price, cost, fifteen_min_job, rebalance)}
ENV = {
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "MEXC_BASE_URL": "https://exchange.test",
    "MEXC_API_KEY": API_KEY,
    "MEXC_SECRET_KEY": SECRET_KEY,
    "AUTH_MODE": "header",
    "EXECUTION_MODE": "live",
    "ORDER_COOLDOWN_SECONDS": "0",
    "MAX_ORDERS_PER_DAY": "1000",
}
LOOPBACK = {"REMOTE_ADDR": "127.0.0.1"}


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without the garbage collector: what it finds would be tidied up (by an UNWATCH) at a moment of its choice."""
    _freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()


@cache
def _freeze() -> None:
    """What is there before the first day stays: collecting after a day costs next to nothing then."""
    gc.collect()
    gc.freeze()


@dataclass(frozen=True)
class Answered:
    """What the Scheduler sees of a delivery; `status` is None when the process ended under it."""

    status: int | None
    body: Any = None

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass
class Trace:
    """What happened, for a reader; nothing is written unless somebody wants to read it."""

    lines: list[str] | None = None

    @property
    def wanted(self) -> bool:
        return self.lines is not None

    def tell(self, timeline: Timeline, who: str, what: str) -> None:
        if self.lines is not None:
            self.lines.append(
                f"{timeline.now:%d %H:%M:%S.%f}"[:-3] + f"  {timeline.actor or '-'}  {who:<19} {what}"
            )


@dataclass
class World:
    """`plan` says what goes wrong; while it is `Nothing`, all goes well."""

    seed: int
    env: Mapping[str, str] = field(default_factory=dict)
    exchange_config: ExchangeConfig = field(default_factory=ExchangeConfig)
    start: datetime = START
    trace: Trace = field(default_factory=Trace)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.seed}|world")
        self.settings = Settings.from_env({**ENV, **self.env})
        self.timeline = Timeline(self.start)
        self.plan: Plan = Nothing()
        self.steps = 0
        self.faults_met = 0
        self.processes: dict[str, Process] = {}
        self.exchange = still_exchange(self.exchange_config, lambda: milliseconds(self.timeline.now), self.seed)
        self.watch = Watch(self.settings, self.exchange, lambda: self.timeline.now)
        self.redis = RedisServer(self.timeline, self.watch.stored, self._undone)
        self.watch.redis = self.redis
        self.desk = Desk(self.exchange, self._took, lambda: self.plan.order_effects())

    # What a process lives in (process.Surroundings)

    def new_step(self, process: str, side: Side, name: str) -> Step:
        self.steps += 1
        return Step(self.steps, process, side, name)

    def meet(self, process: Process, step: Step, when: When) -> Fault | None:
        self.watch.moved()
        fault = self.plan.at(step, when)
        if self.trace.wanted and (when == "before" or fault):
            told = f"step {step.number} {step.side} {step.name}" if when == "before" else "      ⤷ after it"
            self.tell(process.name, told + (f"  ✗ {fault}" if fault else ""))
        if fault is None:
            return None
        self.faults_met += 1
        match fault.kind:
            case "crash":
                process.end()
            case "stall":
                self.timeline.wait(fault.amount)
            case "failover" | "outage":
                lost = self.redis.fail_over(int(fault.amount))
                self.tell("redis", f"fails over and forgets {lost} writes")
                if fault.kind == "outage":
                    process.end()
            case "away":
                self.redis.leave(fault.amount)
            case _:
                return fault
        return None

    def frozen(self, process: Process) -> float:
        seconds = self.plan.frozen()
        if seconds:
            self.tell(process.name, f"stands still for {seconds:g} s")
        return seconds

    # Playing

    def process(self, name: str) -> Process:
        """The process of that name, a new one if it has ended."""
        process = self.processes.get(name)
        if process is None or not process.alive:
            process = self.processes[name] = Process(name, self)
            process.bot = self._bot(process)
        return process

    def call(self, job: str, slot: datetime | None, instance: str = "") -> Answered:
        """Deliver to one function, as the Scheduler does; a call by hand carries no slot."""
        process = self.process(job + instance)
        headers = {"X-CloudScheduler-ScheduleTime": slot.isoformat()} if slot else {}
        self.tell(process.name, f"▶ slot {slot:%H:%M}" if slot else "▶ by hand")
        try:
            response = process.bot.handle(JOBS[job], _post(headers))
        except Crash:
            self.tell(process.name, "■ the process has ended")
            return Answered(None)
        body = json.loads(response.get_data(), parse_float=Decimal)
        self.tell(process.name, f"■ {response.status_code} {_summary(body)}")
        if _bug(body):
            raise Broken(f"{job} answered a bug: {body['error']}")
        return Answered(response.status_code, body)

    def command(self, **body: Any) -> Answered:
        """An operator's command, through the operators' own function."""
        process = self.process("ops")
        self.tell(process.name, f"▶ {body}")
        try:
            response = process.bot.handle_ops(_post({}, body))
        except Crash:
            return Answered(None)
        return Answered(response.status_code)

    def lose_redis(self) -> None:
        """All of Redis is gone; what the exchange knows is not."""
        self.redis.lose_everything()
        self.watch.emptied()
        self.tell("redis", "has lost everything")

    def cancel_what_rests(self) -> None:
        """The exchange cancels what is open, of its own accord."""
        engine = self.exchange.engine
        for order in engine.open_orders():
            self.tell("exchange", f"cancels {order.client_order_id}")
            engine.cancel(order, self.exchange.clock.now_ms())

    def hide_what_rests(self, seconds: float) -> None:
        """Orders that have rested for a minute, and are recorded as accepted, are not shown; their fills are."""
        seen_by_now, recorded = self.exchange.clock.now_ms() - 60_000, self.watch.acknowledged()
        resting = [
            order
            for order in self.exchange.engine.open_orders()
            if order.created_ms < seen_by_now and order.order_id in recorded
        ]
        self.desk.unseen = frozenset(order.order_id for order in resting)
        self.tell("exchange", f"hides {len(resting)} orders for {seconds:g} s")
        self.timeline.at(self.timeline.now + timedelta(seconds=seconds), self._show_all)

    def _show_all(self) -> None:
        self.desk.unseen = frozenset()

    def configure(self, **env: str) -> None:
        """Deploy other settings: every process is a new one, and what looks on goes by them."""
        self.settings = self.watch.settings = Settings.from_env({**ENV, **self.env, **env})
        self.processes.clear()
        self.tell("settings", str(env))

    def set_price(self, price: Decimal) -> None:
        market = self.exchange.engine.markets[self.settings.symbol]
        market.pin(market.round_price(price), self.exchange.clock.now_ms())
        self.tell("market", f"the price is {market.pinned}")

    def settle(self, slot: datetime, slots: int) -> datetime:
        """All goes well from here on: play quiet slots, at most so many, until the bot has settled everything."""
        self.plan = Nothing()
        self._show_all()
        self.redis.come_back()
        while slot - self.timeline.now < SEEN_BY_THEN:
            slot += FIFTEEN
        for _ in range(slots):
            self.timeline.wait(max((slot - self.timeline.now).total_seconds(), 0))
            asked_ms = self.exchange.clock.now_ms()
            answered = self.call("fifteen_min_job", slot)
            if not answered.ok:
                raise Broken(f"a quiet slot was answered {answered}")
            slot += FIFTEEN
            if not self.watch.unsettled() and not self.watch.unseen(asked_ms):
                break
        if self.watch.resting():
            self.command(command="pause", reason="the end of the day")
            self.timeline.wait(max((slot - self.timeline.now).total_seconds(), 0))
            self.call("fifteen_min_job", slot)
            slot += FIFTEEN
        self.verify()
        return slot

    def verify(self) -> None:
        """Hold everything against the exchange. Raises Broken with all that is wrong."""
        self.watch.moved()
        problems = list(self.watch.problems())
        if problems:
            raise Broken("; ".join(problems))

    def tell(self, who: str, what: str) -> None:
        self.trace.tell(self.timeline, who, what)

    def _bot(self, process: Process) -> Bot:
        session = new_session()
        session.mount(
            "https://",
            Line(
                process,
                self.desk,
                lambda: 0.01 + 0.05 * self.rng.random(),
                lambda delay, action: self.timeline.at(self.timeline.now + delay, action),
                self.watch.sending,
                self.watch.answered,
            ),
        )
        clock = ProcessClock(process, self.timeline)
        rng = random.Random(self.rng.getrandbits(64))
        return Bot(
            self.settings, clock, client(process, self.redis), session, rng, Inline()
        )  # their steps are in the seed's hand too

    def _took(self, order: Order) -> None:
        self.tell("exchange", f"accepts {order.client_order_id}: {order.side} {order.quantity}, {order.status}")
        self.watch.took(order)

    def _undone(self, write: Write) -> None:
        self.watch.undone(write)


def _post(headers: Mapping[str, str], body: Any = None) -> Request:
    sent = Headers({"X-CloudScheduler": "true", **headers})
    return Request(EnvironBuilder(method="POST", headers=sent, json=body, environ_base=LOOPBACK).get_environ())


def _summary(body: Any) -> str:
    plan = body.get("rebalance") or {}
    order = body.get("order") or {}
    told = (body["status"], body.get("reason"), plan.get("action"), plan.get("reason"), order.get("status"))
    return " · ".join(str(part) for part in (*told, order.get("reason")) if part)


def _bug(body: Any) -> bool:
    return any(isinstance(part, dict) and part.get("code") == "internal" for part in (body.get("error"),))
