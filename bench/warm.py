"""1. A warm run against the unavoidable: every job beside a bare program that makes just its calls."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from bench import machine
from bench.figures import Figure, Section, in_turns, ratio
from bench.stand import (
    EXCHANGE_MS,
    JOBS,
    REDIS_MS,
    Child,
    Delay,
    Function,
    child,
    delay,
    exchange,
    read_log,
    real_redis,
    scratch,
    settings,
    staged,
)
from local.simulation import Simulation

RATIO = 1.10
CPU_MS = {"balance": 8, "price": 8, "fifteen_min_job": 20}
TRIPS = {"balance": 3, "price": 3, "fifteen_min_job": 5}
WARM_UP = 3


class Floor:
    """The bare program, told what to run over its standard input (see floor.py)."""

    def __init__(self, process: Child) -> None:
        self._process = process

    def run(self, job: str) -> float:
        return float(self._process.ask(job))

    def cpu_ms(self) -> float:
        return machine.cpu_ms([self._process.pid])


@contextmanager
def floor(exchange_url: str, redis_address: str) -> Iterator[Floor]:
    with child("bench.floor", exchange_url, redis_address) as process:
        yield Floor(process)


class Counters:
    """Trips and calls as the outside sees them, and processor time; `per_run` since it was made."""

    def __init__(self, function: Function, link: Delay, market: Simulation) -> None:
        self._function, self._link, self._market = function, link, market
        self._start = self._now()

    def _now(self) -> tuple[float, float, float]:
        requests = self._market.state()["requests"]
        cpu = machine.cpu_ms(self._function.pids) if machine.HAS_PROC else 0.0
        return self._link.turns(), sum(requests.values()), cpu

    def per_run(self, runs: int) -> tuple[float, float, float]:
        """Redis round trips, exchange calls, milliseconds of processor time."""
        trips, calls, cpu = (now - before for now, before in zip(self._now(), self._start, strict=True))
        return trips / runs, calls / runs, cpu / runs


def measure(rounds: int = 30, jobs: tuple[str, ...] = JOBS) -> Section:
    about = (
        "The deployed form of each job (staged bundle, functions-framework, platform settings), "
        f"{EXCHANGE_MS} ms before each answer of the exchange, {REDIS_MS} ms each way to Redis. Medians of "
        f"{rounds} runs, bundle and floor in turns."
    )
    section = Section("warm", "1. Warm run against the unavoidable", about)
    with ExitStack() as stack:
        market = stack.enter_context(exchange(latency_ms=EXCHANGE_MS))
        link = stack.enter_context(delay(stack.enter_context(real_redis()), REDIS_MS))
        bare = stack.enter_context(floor(market.url, link.address))
        folder = stack.enter_context(scratch())
        env = settings(f"redis://{link.address}/0", market.url)
        for name, bundle in staged(jobs, folder).items():
            log = folder / f"{name}.log"
            with Function(name, bundle, env, log=log) as function:
                section.figures += _job(name, function, log, bare, link, market, rounds)
    if not machine.HAS_PROC:
        section.skipped.append(machine.NO_PROC)
    return section


def _job(
    name: str, function: Function, log: Path, bare: Floor, link: Delay, market: Simulation, rounds: int
) -> list[Figure]:
    for _ in range(WARM_UP):
        function.run()
        bare.run(name)
    # Counted apart from the comparison: the floor's own trips go through the same proxy.
    counters = Counters(function, link, market)
    for _ in range(WARM_UP):
        function.run()
    trips, calls, _ = counters.per_run(WARM_UP)
    cpu_before = machine.cpu_ms(function.pids) if machine.HAS_PROC else 0.0
    floor_before = bare.cpu_ms() if machine.HAS_PROC else 0.0
    walls, floors = in_turns(rounds, function.run, lambda: bare.run(name))
    told = read_log(log)[-1]["calls"]
    if told.pop("redis") != trips or sum(told.values()) != calls:
        raise RuntimeError(f"{name}: it says it made {told} calls, counted are {calls:g} and {trips:g} trips")
    wall, least = median(walls), median(floors)
    made = ", ".join(f"{number} {endpoint}" for endpoint, number in told.items())
    figures = [
        Figure(f"{name}: wall time", ratio(walls, floors), "×", RATIO, f"{wall:.1f} ms, floor {least:.1f} ms"),
        Figure(f"{name}: Redis round trips", trips, "", TRIPS.get(name), f"in one wave: {made}"),
    ]
    if machine.HAS_PROC:
        cpu = (machine.cpu_ms(function.pids) - cpu_before) / rounds
        least = (bare.cpu_ms() - floor_before) / rounds
        figures.append(Figure(f"{name}: processor time", cpu, "ms", CPU_MS.get(name), f"floor {least:.1f} ms"))
    return figures
