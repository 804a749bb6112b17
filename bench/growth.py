"""4. Growth: what a run costs when all there is has grown to its limit, and what Redis holds then."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import redis

from bench import fill, machine
from bench.figures import Figure, Listing, Section, in_turns, ratio
from bench.stand import (
    EXCHANGE_MS,
    JOBS,
    REDIS_MS,
    Function,
    delay,
    exchange,
    real_redis,
    scratch,
    settings,
    staged,
)
from bench.warm import Floor, floor
from common.domain.instrument import Instrument
from common.domain.ledger.position import FifoView, Position
from common.store.keys import HISTORY_LIMIT, Keys
from local.simulation import Simulation

RATIO = 1.2
FOLD_MS = 150
MEMORY_MIB = 512
"""Half of the smallest instance Memorystore has (platform.md §4.2: stay below half)."""
KEYS = Keys("", "QRLUSDT")
HOLDING = Decimal(1000)
WARM_UP = 3


@dataclass
class Stage:
    """One store with its exchange, and the jobs as processes on it."""

    functions: dict[str, Function]
    client: "redis.Redis"
    market: Simulation
    redis: str
    """Its address, by way of the delay."""

    def warm(self) -> None:
        for function in self.functions.values():
            for _ in range(WARM_UP):
                function.run()

    def cpu_ms(self, job: str) -> float:
        return machine.cpu_ms(self.functions[job].pids)

    def bytes_read(self) -> int:
        """What Redis has sent so far."""
        stats: Any = self.client.info("stats")
        return int(stats["total_net_output_bytes"])


@contextmanager
def stage(bundles: dict[str, Path], market: Simulation) -> Iterator[Stage]:
    with ExitStack() as stack:
        address = stack.enter_context(real_redis())
        link = stack.enter_context(delay(address, REDIS_MS))
        client = redis.Redis.from_url(f"redis://{address}/0", decode_responses=True)
        env = settings(f"redis://{link.address}/0", market.url)
        functions = {name: stack.enter_context(Function(name, path, env)) for name, path in bundles.items()}
        yield Stage(functions, client, market, link.address)


def measure(rounds: int = 20, fills: int = 100_001, intents: int = 40_000, assets: int = 1_000) -> Section:
    about = (
        f"A run on an empty store beside one on a store where something has grown; {EXCHANGE_MS} ms and "
        f"{REDIS_MS} ms each way as in 1. Medians of {rounds} runs each, in turns."
    )
    section = Section("growth", "4. Growth", about)
    section.figures += _fold()
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        bundles = staged(JOBS, folder)
        market = stack.enter_context(exchange(latency_ms=EXCHANGE_MS))
        held = [f"--balance=A{number:03d}=12.3456" for number in range(assets - 2)]
        rich = stack.enter_context(
            exchange(*held, "--balance=QRL=1000", "--balance=USDT=500", latency_ms=EXCHANGE_MS)
        )
        some = {name: bundles[name] for name in ("balance", "fifteen_min_job")}
        empty = stack.enter_context(stage(bundles, market))
        empty.warm()
        with stage(bundles, market) as old:
            old.warm()
            fill.histories(old.client)
            section.figures += _compared("histories full", old, empty, rounds)
            section.figures += _ranges(old, rounds)
        with stage(some, market) as traded:
            fill.ledger(traded.client, KEYS, fills, HOLDING)
            traded.warm()
            section.figures += _compared(f"{fills - 1:,} fills", traded, empty, rounds, jobs=("fifteen_min_job",))
            section.figures += _reads(traded, empty, fills)
            section.figures += _new_fill(traded, empty, rounds, fills)
        with stage(bundles, rich) as full, stage(some, rich) as as_rich:
            full.warm()
            as_rich.warm()
            with floor(rich.url, full.redis) as bare:
                section.figures += _against_floor(f"{assets:,} assets", full, bare, rounds)
            full.client.delete(*full.client.scan_iter("floor:*"))
            fill.ledger(full.client, KEYS, fills, HOLDING)
            fill.intents(full.client, KEYS, intents)
            fill.histories(full.client)
            fill.run_marks(full.client, KEYS)
            section.figures += _compared("all of it", full, as_rich, rounds)
            section.figures += _memory(full)
            section.listings.append(_largest(full.client))
    if not machine.HAS_PROC:
        section.skipped.append(machine.NO_PROC)
    return section


def _fold(count: int = 10_000) -> list[Figure]:
    """The ledger's own arithmetic, on one core."""
    instrument = Instrument.from_symbol("QRLUSDT")
    history = list(fill.fills(count, instrument, datetime.now(UTC), HOLDING))
    averages, firsts = [], []
    for _ in range(5):
        start = time.perf_counter()
        Position().fold(history, instrument)
        averages.append(1000 * (time.perf_counter() - start))
        start = time.perf_counter()
        FifoView().fold(history, instrument)
        firsts.append(1000 * (time.perf_counter() - start))
    return [
        Figure(
            f"{count:,} fills folded, weighted average", median(averages), "ms", FOLD_MS, "median of 5, one core"
        ),
        Figure(
            f"{count:,} fills folded, first in first out", median(firsts), "ms", FOLD_MS, "median of 5, one core"
        ),
    ]


def _compared(
    what: str, grown: Stage, empty: Stage, rounds: int, jobs: tuple[str, ...] = ("balance", "fifteen_min_job")
) -> list[Figure]:
    figures = []
    for job in jobs:
        before = grown.cpu_ms(job), empty.cpu_ms(job)
        walls, least = in_turns(rounds, grown.functions[job].run, empty.functions[job].run)
        note = f"{median(walls):.1f} ms, empty {median(least):.1f} ms"
        figures.append(Figure(f"{what}: {job}, wall time", ratio(walls, least), "×", RATIO, note))
        if machine.HAS_PROC:
            cpu, least_cpu = grown.cpu_ms(job) - before[0], empty.cpu_ms(job) - before[1]
            note = f"{cpu / rounds:.1f} ms, empty {least_cpu / rounds:.1f} ms"
            figures.append(Figure(f"{what}: {job}, processor time", cpu / least_cpu, "×", RATIO, note))
    return figures


def _against_floor(
    what: str, grown: Stage, bare: Floor, rounds: int, jobs: tuple[str, ...] = ("balance", "fifteen_min_job")
) -> list[Figure]:
    """Beside the bare program on the same payload: an account that large costs whoever reads it."""
    figures = []
    for job in jobs:
        bare.run(job)
        before = grown.cpu_ms(job), bare.cpu_ms()
        walls, least = in_turns(rounds, grown.functions[job].run, partial(bare.run, job))
        note = f"{median(walls):.1f} ms, floor {median(least):.1f} ms"
        figures.append(Figure(f"{what}: {job}, wall time", ratio(walls, least), "×", RATIO, note))
        if machine.HAS_PROC:
            cpu, least_cpu = grown.cpu_ms(job) - before[0], bare.cpu_ms() - before[1]
            note = f"{cpu / rounds:.1f} ms, floor {least_cpu / rounds:.1f} ms"
            figures.append(Figure(f"{what}: {job}, processor time", cpu / least_cpu, "×", None, note))
    return figures


def _reads(traded: Stage, empty: Stage, fills: int, runs: int = 10) -> list[Figure]:
    """A run with nothing new: calls for fills, and what is read of Redis."""

    def read(each: Stage) -> tuple[float, float]:
        calls, sent = each.market.state()["requests"]["GET /api/v3/myTrades"], each.bytes_read()
        for _ in range(runs):
            each.functions["fifteen_min_job"].run()
        now = each.market.state()["requests"]["GET /api/v3/myTrades"]
        return (now - calls) / runs, (each.bytes_read() - sent) / runs

    calls, sent = read(traded)
    _, least = read(empty)
    note = f"{sent / 1024:.1f} KiB a run, empty {least / 1024:.1f} KiB"
    return [
        Figure(f"{fills - 1:,} fills, nothing new: exchange calls for fills", calls, "", 1),
        Figure(f"{fills - 1:,} fills, nothing new: bytes read from Redis", sent / least, "×", RATIO, note),
    ]


def _new_fill(traded: Stage, empty: Stage, rounds: int, fills: int) -> list[Figure]:
    """Runs that each find one fill they do not know; both stores hear of the same ones."""
    job = "fifteen_min_job"

    def told() -> float:
        traded.market.bought("0.0001", "0.02", datetime.now(UTC))
        return traded.functions[job].run()

    walls, least = in_turns(rounds, told, empty.functions[job].run)
    note = f"{median(walls):.1f} ms, empty {median(least):.1f} ms"
    return [
        Figure(f"{fills - 1:,} fills, a new one each run: {job}, wall time", ratio(walls, least), "×", RATIO, note)
    ]


def _ranges(full: Stage, rounds: int, limit: int = 100) -> list[Figure]:
    """GET ?raw= at the newest, the middle and the oldest hundred of a thousand."""
    function, key = full.functions["balance"], KEYS.raw_history("account_info")
    ends = []
    for rank in (-1, HISTORY_LIMIT // 2, limit - 1):
        found: Any = full.client.zrange(key, rank, rank, withscores=True)
        ends.append(int(found[0][1]))

    def read(end: int) -> float:
        elapsed, answer = function.call("GET", f"/?raw=account_info&end={end}&limit={limit}")
        if answer["data"]["count"] != limit:
            raise RuntimeError(f"{limit} entries asked, {answer['data']['count']} answered")
        return elapsed

    series = in_turns(rounds, *(partial(read, end) for end in ends))
    return [
        Figure(
            f"{limit} of 1,000 raw answers: the {name}",
            ratio(values, series[0]),
            "×",
            RATIO,
            f"{median(values):.1f} ms, the newest {median(series[0]):.1f} ms",
        )
        for name, values in zip(("middle", "oldest"), series[1:], strict=True)
    ]


def _memory(full: Stage) -> list[Figure]:
    """What a full store takes, and whether it stays there."""
    lengths = _lengths(full.client)
    for function in full.functions.values():
        for _ in range(5):
            function.run()
    grown = sum(length > HISTORY_LIMIT for length in _lengths(full.client).values())
    memory: Any = full.client.info("memory")
    used = memory["used_memory"] / machine.MIB
    grown_to = "100,000 fills, 40,000 intents; marks of 2 days"
    note = f"{len(lengths)} histories at 1,000, of 1,000 assets each account; {grown_to}"
    return [
        Figure("all of it: memory of Redis", used, "MiB", MEMORY_MIB, note),
        Figure("all of it: histories beyond their limit after more runs", grown, "", 0),
    ]


def _lengths(client: "redis.Redis") -> dict[str, int]:
    names: Any = client.keys("*:history")
    lengths: dict[str, Any] = {}
    for key in names:
        lengths[key] = client.llen(key) if client.type(key) == "list" else client.zcard(key)
    return lengths


def _largest(client: "redis.Redis", shown: int = 8) -> Listing:
    names: Any = client.keys("*")
    sizes = Counter[str]()
    for key in names:
        kind = "…:run:{job}:{slot}" if ":run:" in key else key
        size: Any = client.memory_usage(key)  # None: its life ended meanwhile
        sizes[kind] += int(size or 0)
    rows = [(key, f"{size / machine.MIB:.1f}") for key, size in sizes.most_common(shown)]
    return Listing(f"The largest of {len(names):,} keys in a full store", ("key", "MiB"), rows)
