"""2. Cold start of every bundle against a function that imports the same libraries and does nothing; memory."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench import machine
from bench.figures import Figure, Section, in_turns, ratio
from bench.imports import listing
from bench.stand import FUNCTIONS, Function, compiled, exchange, real_redis, scratch, settings, staged

RATIO = 1.15
MEMORY_MIB = 96
GROWTH = 1.02
"""What the memory may have grown from the 50th to the 100th run and still be called flat."""
BARE = '''"""What every bundle needs, imported as the bundle imports it; and nothing done with it."""

import functions_framework
import redis
import requests
from flask import Request, Response
from pydantic import BaseModel, BeforeValidator, Field, SecretStr, TypeAdapter

USED = (redis.Redis, requests.Session, BaseModel, BeforeValidator, Field, SecretStr, TypeAdapter)


@functions_framework.http
def bare(request: Request) -> Response:
    return Response("{}", 200, mimetype="application/json")
'''


def bare_function(folder: Path) -> Path:
    folder.mkdir()
    (folder / "main.py").write_text(BARE)
    compiled(folder)
    return folder


class ColdStart:
    """Starts a function anew: the time to the answer of its first call, and the processor time spent until then."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self.cpu: list[float] = []

    def __call__(self) -> float:
        """Milliseconds."""
        start = time.perf_counter()
        with self._function as function:
            function.run()
            elapsed = 1000 * (time.perf_counter() - start)
            if machine.HAS_PROC:
                self.cpu.append(machine.cpu_ms(function.pids))
        return elapsed


def measure(rounds: int = 9, runs: int = 100, names: tuple[str, ...] = FUNCTIONS) -> Section:
    about = (
        "From the start of the process to the first answer: a whole run (settings, token, Redis, exchange, plan) "
        "without injected waits, beside a function that imports functions-framework, redis, requests and pydantic "
        f"and answers {{}}. Medians of {rounds} starts each, in turns; compiled as the platform's build does."
    )
    section = Section("cold", "2. Cold start and memory", about)
    with ExitStack() as stack:
        market = stack.enter_context(exchange())
        env = settings(f"redis://{stack.enter_context(real_redis())}/0", market.url)
        folder = stack.enter_context(scratch())
        bundles = staged(names, folder)
        bare = Function("bare", bare_function(folder / "bare"), env)
        functions = {name: Function(name, bundle, env) for name, bundle in bundles.items()}
        for function in functions.values():  # once, unmeasured: files into the page cache, the ledger into Redis
            ColdStart(function)()
        for name, function in functions.items():
            section.figures += _against(name, ColdStart(function), ColdStart(bare), rounds)
        if machine.HAS_PROC:
            for name, function in functions.items():
                section.figures += _memory(name, function, runs)
        else:
            section.skipped.append(machine.NO_PROC)
        shown = [name for name in ("price", "fifteen_min_job") if name in names]
        section.listings += [listing(name, bundles[name], env) for name in shown]
    return section


def _against(name: str, cold: ColdStart, bare: ColdStart, rounds: int) -> list[Figure]:
    walls, least = in_turns(rounds, cold, bare)
    figures = [_figure(f"{name}: first answer", walls, least, RATIO)]
    if cold.cpu:
        figures.append(_figure(f"{name}: processor time until then", cold.cpu, bare.cpu[-rounds:], None))
    return figures


def _figure(what: str, values: Sequence[float], least: Sequence[float], at_most: float | None) -> Figure:
    note = f"{median(values):.0f} ms, bare {median(least):.0f} ms; at their best {min(values) / min(least):.2f} ×"
    return Figure(what, ratio(values, least), "×", at_most, note)


def _memory(name: str, function: Function, runs: int) -> list[Figure]:
    """Resident memory of gunicorn's master and worker together, pages they share counted once."""
    with function:
        for _ in range(runs // 2):
            function.run()
        half = machine.resident_mib(function.pids)
        for _ in range(runs - runs // 2):
            function.run()
        whole = machine.resident_mib(function.pids)
    note = f"master and worker, shared pages once; {half:.1f} MiB after {runs // 2}"
    return [
        Figure(f"{name}: memory after {runs} runs", whole, "MiB", MEMORY_MIB, note),
        Figure(f"{name}: memory, {runs} runs to {runs // 2}", whole / half, "×", GROWTH),
    ]
