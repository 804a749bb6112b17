"""One run that places an order, with a fault at every single step of it, before it and after it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from local.exchange.config import ExchangeConfig
from tests.simulation.days import BACKOFF_SECONDS, RETRIES
from tests.simulation.faults import KINDS, Fault, Script, Step, When
from tests.simulation.invariants import Broken
from tests.simulation.world import FIFTEEN, START, Trace, World

HIDDEN: Sequence[Mapping[str, Any]] = (
    {"kind": "hide_order", "seconds": 25},
    {"kind": "hide_trades", "seconds": 40},
)
SLOT = START + FIFTEEN


@dataclass(frozen=True)
class Case:
    """What goes wrong: faults by the number of the step in the run; how the exchange treats orders; the settings.

    `beside` are further deliveries: job, seconds after the slot's own, instance, and whether they carry its slot.
    """

    faults: Mapping[tuple[int, When], Fault] = field(default_factory=dict)
    effects: Sequence[Mapping[str, Any]] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    freezes: Mapping[int, float] = field(default_factory=dict)
    beside: Sequence[tuple[str, float, str, bool]] = ()
    slots: int = 1
    """How many slots the faults may meet; the first places an order, what rests is cancelled in the second."""

    def __str__(self) -> str:
        faults = ", ".join(f"{fault} {when} step {number}" for (number, when), fault in self.faults.items())
        hidden = ", hidden" if self.effects else ""
        frozen = "".join(f", {seconds:g} s at reading {number}" for number, seconds in self.freezes.items())
        beside = [job for job, *_ in self.beside] or ""
        return f"{faults or 'no fault'}{frozen}{hidden} {dict(self.env) or ''}{beside}".strip()


MAKER = {"ORDER_STYLE": "maker", "ORDER_REST_SECONDS": "3"}
RESTING = {"ORDER_STYLE": "maker"}
SLICES = {"SLICE_NOTIONAL_USDT": "10", "ORDER_COOLDOWN_SECONDS": "3600"}
MARKET = {"ORDER_STYLE": "market", "ALLOW_MARKET_ORDERS": "true"}
TWICE = [("fifteen_min_job", 0.3, "", True)]
ELSEWHERE = [("fifteen_min_job", 0.3, "#2", True)]
LATER = [("rebalance", after, "", False) for after in (62, 100, 124)]
BESIDE = [("balance", 0.1, "", True), ("cost", 0.2, "", True), ("rebalance", 0.4, "", False)]
CASES: Mapping[str, Case] = {
    "an order": Case(),
    "an order that stays invisible": Case(effects=HIDDEN),
    "a resting order": Case(env=MAKER),
    "an order that is left in the book": Case(env=RESTING, slots=2),
    "a program of slices": Case(env=SLICES, slots=2),
    "a market order": Case(env=MARKET),
    "a slot delivered twice": Case(beside=TWICE),
    "a slot delivered to two instances": Case(beside=ELSEWHERE, effects=HIDDEN),
    "other jobs at the same time": Case(beside=BESIDE),
}
STANDING_STILL = (Case(), Case(beside=ELSEWHERE), Case(beside=LATER))
FAULTS: Sequence[tuple[str, float]] = (
    *(("crash", 0), ("reset", 0), ("timeout", 0), ("busy", 0), ("garbled", 0), ("late", 4), ("away", 30)),
    *(("failover", 3), ("outage", 3), ("stall", 70)),
)
LASTING = ("crash", "timeout", "away", "failover", "outage", "stall")
"""Those of them that do not end with the step, or take long."""
FORGETTING_LESS: Sequence[tuple[str, float]] = (("failover", 1), ("failover", 2), ("outage", 2))


@dataclass
class Played:
    """How it went: the steps there were, and what broke."""

    steps: list[Step]
    readings: int
    orders: int
    problem: str | None
    lines: list[str]


def play(case: Case, *, tell: bool = False) -> Played:
    """Set up, deliver the slot whose order is to be placed, retry as the Scheduler does, settle, verify."""
    config = ExchangeConfig(balances={"QRL": Decimal(25000), "USDT": Decimal(500)})
    world = World(1, {"LEASE_WAIT_SECONDS": "1", **case.env}, config, trace=Trace([] if tell else None))
    script, problem = Script(case.faults, case.effects, case.freezes), None
    try:
        _set_up(world)
        world.plan = script
        deliveries = [("fifteen_min_job", 0.0, "", True), *case.beside]
        for slot in (SLOT + number * FIFTEEN for number in range(case.slots)):
            world.timeline.play(
                [
                    (slot + timedelta(seconds=after), _delivery(world, job, slot if slotted else None, instance))
                    for job, after, instance, slotted in deliveries
                ]
            )
        world.settle(SLOT + case.slots * FIFTEEN, 8)
        forgotten = any(fault.kind in ("failover", "outage") for fault in case.faults.values())
        if "SLICE_NOTIONAL_USDT" in case.env and not forgotten:  # then the usual rule goes on, after its cooldown
            for left in world.watch.left_over():
                raise Broken(left)
    except Broken as broken:
        problem = str(broken)
        world.tell("!", problem)
    return Played(
        script.steps, script.readings, len(world.exchange.engine.orders), problem, world.trace.lines or []
    )


def places(case: Case) -> Iterator[tuple[Step, int, When]]:
    """Every step of the case as it goes without a fault, with its number in the run."""
    played = play(replace(case, faults={}, freezes={}))
    assert played.problem is None, played.problem
    assert played.orders, "the run was to place an order"
    for number, step in enumerate(played.steps, 1):
        yield step, number, "before"
        yield step, number, "after"


def everywhere(_: Step) -> bool:
    """Any step."""
    return True


def changes(step: Step) -> bool:
    """Whether a step leaves a mark outside; between two that do, one end of the process is like another."""
    return step.name.startswith(("begin", "commit", "POST", "DELETE"))


def sweep(
    case: Case, kind: str, amount: float = 0, where: Callable[[Step], bool] = everywhere, every: int = 1
) -> Iterator[tuple[Case, str]]:
    """The case with that fault at every place where it can be; those that break an invariant, and how.

    With `every` only at one such place in so many. To a process that ends, before a step is the same as after the
    one before: only the first has both.
    """
    for step, number, when in islice((place for place in places(case) if where(place[0])), 0, None, every):
        again = kind in ("crash", "outage") and when == "before" and number > 1
        if kind in KINDS[step.side, when] and not again:
            faulty = replace(case, faults={(number, when): Fault(kind, amount)})
            problem = play(faulty).problem
            if problem is not None:
                yield faulty, f"{step.name}: {problem}"


def freezes(case: Case, seconds: float, every: int = 1) -> Iterator[tuple[Case, str]]:
    """The case with the process standing still for so long before a single time that it reads the clock.

    Before each such time, or before one in so many.
    """
    for number in range(1, play(case).readings + 1, every):
        frozen = replace(case, freezes={number: seconds})
        problem = play(frozen).problem
        if problem is not None:
            yield frozen, problem


def _set_up(world: World) -> None:
    """The price, the ledger, and then a price that asks for an order."""
    world.set_price(Decimal("0.02"))
    world.call("fifteen_min_job", START)
    world.redis.settled()
    world.timeline.wait((SLOT - world.timeline.now).total_seconds())
    world.set_price(Decimal("0.022"))


def _delivery(world: World, job: str, slot: datetime | None, instance: str) -> Any:
    def deliver() -> None:
        for attempt in range(RETRIES + 1):
            if world.call(job, slot, instance).ok or slot is None:
                return
            world.timeline.wait(BACKOFF_SECONDS * 2**attempt)

    return deliver


def everything() -> list[tuple[Case, str, float]]:
    """All faults on all cases, and all cases of a process that stands still: the whole sweep, for a soak."""
    faults = [(case, kind, amount) for case in CASES.values() for kind, amount in (*FAULTS, *FORGETTING_LESS)]
    return faults + [(case, "stand still", seconds) for case in STANDING_STILL for seconds in (40, 70, 130)]


def swept(task: tuple[Case, str, float]) -> list[str]:
    """One part of `everything`: what broke."""
    case, kind, amount = task
    found = freezes(case, amount) if kind == "stand still" else sweep(case, kind, amount)
    return [f"{broken}: {problem}" for broken, problem in found]
