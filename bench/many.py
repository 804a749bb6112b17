"""5. Many bots: one machine that serves many symbols from one Redis, each under a prefix of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import redis

from bench.figures import Figure, Section, percentile
from bench.fleet import prefix_of
from bench.stand import EXCHANGE_MS, ROOT, Function, NotMeasurable, child, real_redis, settings
from common.store.keys import CacheKeys
from local.redis_server import free_port
from local.simulation import Simulation

JOBS = ("price", "balance", "cost", "fifteen_min_job")
ROUNDS = {1: 30, 10: 20, 100: 2}
"""How often each bot runs all its jobs, by the number of bots."""
WORKERS, THREADS, CLIENTS = 2, 8, 16
RUNS_A_QUARTER = 24
"""Of one bot on the deployed schedule: price 15, balance 5, cost 3, the 15-minute job once."""
CACHE = "qrl"


def symbols(count: int) -> list[str]:
    return [f"C{number:02d}XUSDT" for number in range(count)]


@contextmanager
def venue(names: Sequence[str]) -> Iterator[Simulation]:
    with child("bench.venue", *names) as process:
        simulation = Simulation(process.ask().removeprefix("listening on "))
        bought = {"side": "BUY", "price": "0.02", "qty": "1000", "time": round(1000 * (time.time() - 3 * 86_400))}
        simulation.post("fills", {"fills": [bought | {"symbol": name} for name in names]})
        simulation.post("faults", {"kind": "latency", "ms": EXCHANGE_MS})
        yield simulation


@contextmanager
def fleet(names: Sequence[str], env: Mapping[str, str]) -> Iterator[Function]:
    """gunicorn with all bots; called like one function, by path."""
    server = Function("fleet", ROOT, env, port=free_port())
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{server.port}", "--log-level", "error"]
    command += ["--workers", str(WORKERS), "--threads", str(THREADS), "bench.fleet:application()"]
    more = {"BENCH_SYMBOLS": " ".join(names), "REDIS_NAMESPACE": CACHE}
    server.process = subprocess.Popen(command, cwd=ROOT, env={**env, **more}, stdout=subprocess.DEVNULL)
    try:
        yield server
    finally:
        server.stop()


@dataclass
class Load:
    """What one level of load brought."""

    elapsed: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0


def played(server: Function, names: Sequence[str], rounds: int) -> Load:
    """Every bot runs its jobs one after the other, `rounds` times; some bots at once."""
    load = Load()

    def run_all(name: str) -> None:
        for job in JOBS:
            try:
                load.elapsed.append(server.run(f"/{name}/{job}"))
            except (RuntimeError, OSError) as error:
                load.errors.append(f"{name} {job}: {error}")

    start = time.perf_counter()
    with ThreadPoolExecutor(min(len(names), CLIENTS)) as pool:
        for _ in pool.map(run_all, list(names) * rounds):
            pass
    load.seconds = time.perf_counter() - start
    return load


def strangers(found: Mapping[str, str], names: Sequence[str]) -> list[str]:
    """Keys of no bot, and keys of one bot that tell of another; `found` is every key with its content as text.

    What the exchange reports of the whole account names every asset, so only other symbols count; the list of
    the symbols that a key may trade is the same for all.
    """
    problems = []
    cache, pairs = CacheKeys(CACHE), [f"{name[:-4]}/USDT" for name in names]
    shared = tuple(cache.full(cached(pair)) for cached in (cache.rules, cache.ticker) for pair in pairs)
    for key, text in found.items():
        name = next((name for name in names if key.startswith(prefix_of(name))), None)
        if name is None:
            if not key.startswith(shared):  # rules end with their owner's hash
                problems.append(f"{key} belongs to nobody")
        elif ":self_symbols:" not in key:
            told = [other for other in names if other != name and (other in text or other in key)]
            problems += [f"{key} tells of {other}" for other in told]
    return problems


def unlike(keys: Sequence[str], names: Sequence[str]) -> list[str]:
    """Bots whose keys are not the same as those of the first, but for the name."""
    kinds = {
        name: {
            key.removeprefix(prefix_of(name)).replace(name, "*") for key in keys if key.startswith(prefix_of(name))
        }
        for name in names
    }
    without_slots = {name: {key for key in found if ":run:" not in key} for name, found in kinds.items()}
    return [name for name in names if without_slots[name] != without_slots[names[0]]]


def contents(client: "redis.Redis") -> dict[str, str]:
    """Every key with all that it holds, as text; a key whose life ended meanwhile is left out."""
    readers: dict[str, Any] = {
        "string": client.get,
        "hash": client.hgetall,
        "list": lambda key: client.lrange(key, 0, -1),
        "zset": lambda key: client.zrange(key, 0, -1),
    }
    names: Any = client.keys("*")
    kinds = {key: str(client.type(key)) for key in names}
    return {key: str(readers[kind](key)) for key, kind in kinds.items() if kind in readers}


def measure(rounds: Mapping[int, int] = ROUNDS) -> Section:
    about = (
        f"One server ({WORKERS} workers of {THREADS} threads) for all bots; price, balance, cost and the 15-minute "
        f"job of each one after the other, up to {CLIENTS} bots at once; {EXCHANGE_MS} ms before each answer of "
        f"the exchange. Server, exchange, Redis and clients share this machine's {os.cpu_count()} cores."
    )
    section = Section("many", "5. Many bots", about)
    for count, times in rounds.items():
        section.figures += _level(symbols(count), times)
    return section


def _level(names: Sequence[str], rounds: int) -> list[Figure]:
    with real_redis() as address, venue(names) as market:
        client = redis.Redis.from_url(f"redis://{address}/0", decode_responses=True)
        with fleet(names, settings(f"redis://{address}/0", market.url)) as server:
            warm = played(server, names, 1)
            load = played(server, names, rounds)
            found = contents(client)
    if not load.elapsed:
        raise NotMeasurable(f"no run went through: {(warm.errors + load.errors)[:1]}")
    what = f"{len(names)} bot{'s' if len(names) > 1 else ''}"
    problems = strangers(found, names) + [f"{name} has other keys" for name in unlike(list(found), names)]
    errors = warm.errors + load.errors
    needed = len(names) * RUNS_A_QUARTER / 900
    rate = f"{len(load.elapsed):,} runs in {load.seconds:.1f} s; the schedule needs {needed:.2f} a second"
    return [
        Figure(f"{what}: runs a second", len(load.elapsed) / load.seconds, "", None, rate),
        Figure(f"{what}: p50 of a run", percentile(load.elapsed, 0.50), "ms"),
        Figure(f"{what}: p99 of a run", percentile(load.elapsed, 0.99), "ms"),
        Figure(f"{what}: errors", len(errors), "", 0, "; ".join(errors[:2])),
        Figure(
            f"{what}: keys shared or out of place",
            len(problems),
            "",
            0,
            "; ".join(problems[:2]) or f"{len(found):,} keys",
        ),
    ]
