"""3. Against others: the same work with ccxt's mexc client and redis-py, on the same exchange, in one run."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench import machine
from bench.environments import interpreter
from bench.figures import Figure, Section, in_turns, ratio
from bench.stand import (
    EXCHANGE_MS,
    REDIS_MS,
    ROOT,
    Function,
    NotMeasurable,
    compiled,
    delay,
    exchange,
    real_redis,
    scratch,
    settings,
    staged,
)

CCXT = "4.5.90"
INSTALL_SECONDS = 150
WARM_UP = 5


def rival_python() -> Path:
    """The interpreter of an environment with ccxt, made once in the user's cache. Raises NotMeasurable."""
    same = (f"{name}=={version(name)}" for name in ("functions-framework", "redis", "requests"))
    return interpreter(f"ccxt-{CCXT}", [f"ccxt=={CCXT}", *same], INSTALL_SECONDS)


@dataclass
class Contender:
    """One way to do the work: its name, and its process."""

    name: str
    function: Function

    def import_ms(self) -> float:
        """Milliseconds of `import main` in a fresh interpreter, by its own clock."""
        program = "import time; t = time.perf_counter(); import main; print(time.perf_counter() - t)"
        command = [str(self.function.python), "-c", program]
        done = subprocess.run(
            command,
            cwd=self.function.folder,
            env=dict(self.function.env),
            capture_output=True,
            text=True,
            check=True,
        )
        return 1000 * float(done.stdout.splitlines()[-1])

    def cpu_ms(self) -> float:
        return machine.cpu_ms(self.function.pids)

    def memory_mib(self) -> float:
        return machine.resident_mib(self.function.pids)


def measure(rounds: int = 20) -> Section:
    about = (
        "Account, price, order book and fills read and a plan stored, by the bundle of the 15-minute job and by a "
        f"function on ccxt {CCXT}, one call after the other and all at once (asyncio). {EXCHANGE_MS} ms and "
        f"{REDIS_MS} ms each way as in 1.; medians of {rounds} runs, in turns. The bundle does more: "
        "lease, ledger, guards, histories. ccxt is spared what it would load besides (derivatives, "
        "currencies, several MB of markets)."
    )
    section = Section("others", "3. Against others, same work", about)
    try:
        python = rival_python()
    except NotMeasurable as error:
        section.skipped.append(str(error))
        return section
    with ExitStack() as stack:
        market = stack.enter_context(exchange(latency_ms=EXCHANGE_MS))
        link = stack.enter_context(delay(stack.enter_context(real_redis()), REDIS_MS))
        folder = stack.enter_context(scratch())
        env = settings(f"redis://{link.address}/0", market.url)
        bundle = Function("fifteen_min_job", staged(("fifteen_min_job",), folder)["fifteen_min_job"], env)
        ours = Contender("bundle", bundle)
        theirs = [Contender(name, _rival(folder / name, python, env | more)) for name, more in RIVALS.items()]
        section.figures += _all([ours, *theirs], stack, rounds)
    if not machine.HAS_PROC:
        section.skipped.append(machine.NO_PROC)
    return section


RIVALS: Mapping[str, dict[str, str]] = {"ccxt": {}, "ccxt, asyncio": {"RIVAL_ASYNC": "true"}}


def _rival(folder: Path, python: Path, env: dict[str, str]) -> Function:
    folder.mkdir()
    shutil.copy(ROOT / "bench" / "rival" / "main.py", folder)
    compiled(folder)
    return Function("rival", folder, env, python=python)


def _all(contenders: Sequence[Contender], stack: ExitStack, rounds: int) -> list[Figure]:
    names = [each.name for each in contenders]
    for each in contenders:
        each.import_ms()  # once, unmeasured: files into the page cache
    figures = _side_by_side(
        "import of the function", names, in_turns(7, *(each.import_ms for each in contenders)), "ms"
    )
    for each in contenders:
        stack.enter_context(each.function)
        for _ in range(WARM_UP):
            each.function.run()
    before = [each.cpu_ms() for each in contenders] if machine.HAS_PROC else []
    walls = in_turns(rounds, *(each.function.run for each in contenders))
    figures += _side_by_side("wall time of a run", names, walls, "ms")
    if machine.HAS_PROC:
        cpu = [[(each.cpu_ms() - start) / rounds] for each, start in zip(contenders, before, strict=True)]
        figures += _side_by_side("processor time of a run", names, cpu, "ms")
        memory = [[each.memory_mib()] for each in contenders]
        figures += _side_by_side(f"memory after {WARM_UP + rounds} runs", names, memory, "MiB")
    return figures


def _side_by_side(what: str, names: Sequence[str], series: Sequence[Sequence[float]], unit: str) -> list[Figure]:
    """The bundle's share of what each other takes."""
    ours = series[0]
    return [
        Figure(
            f"{what}: bundle against {name}",
            ratio(ours, values),
            "×",
            None,
            f"{median(ours):.1f} {unit}, {name} {median(values):.1f} {unit}",
        )
        for name, values in zip(names[1:], series[1:], strict=True)
    ]
