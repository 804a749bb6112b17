"""The import tree of a bundle: what each import costs, and what of it the job brought in itself."""

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.figures import Listing

LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)")
REPEATS = 5
SHOWN_MS = 2.0
"""Modules below this are summed up under their parents only."""


@dataclass(frozen=True, slots=True)
class Import:
    """One module as it was imported: `own` and with all it brought in, in milliseconds; `depth` in the tree."""

    name: str
    depth: int
    own: float
    total: float


def parse(text: str) -> list[Import]:
    """The lines of `-X importtime`, parents before children (Python prints them after)."""
    found = [
        Import(name, len(indent) // 2, int(own) / 1000, int(total) / 1000)
        for own, total, indent, name in LINE.findall(text)
    ]
    return _parents_first(found)


def _parents_first(found: list[Import]) -> list[Import]:
    """Turn the order round without turning siblings round."""
    ordered: list[Import] = []
    pending: list[tuple[int, list[Import]]] = []
    for each in found:
        below: list[Import] = []
        while pending and pending[-1][0] > each.depth:
            below = pending.pop()[1] + below
        pending.append((each.depth, [each, *below]))
    for _, branch in pending:
        ordered += branch
    return ordered


def imported(folder: Path, env: Mapping[str, str]) -> list[Import]:
    """What importing a bundle's main.py imports, each module at its median cost over some repeats."""
    command = [sys.executable, "-X", "importtime", "-c", "import main"]
    runs = []
    for _ in range(REPEATS):
        done = subprocess.run(command, cwd=folder, env=dict(env), capture_output=True, text=True, check=True)
        runs.append({each.name: each for each in parse(done.stderr)})
    return [
        Import(
            name,
            each.depth,
            median([run[name].own for run in runs if name in run]),
            median([run[name].total for run in runs if name in run]),
        )
        for name, each in runs[-1].items()
    ]


def listing(name: str, folder: Path, env: Mapping[str, str]) -> Listing:
    tree = imported(folder, env)
    rows = [("  " * each.depth + each.name, f"{each.total:.1f}", f"{each.own:.1f}") for each in shown(tree)]
    return Listing(
        f"Import tree of {name}: {len(tree)} modules, medians of {REPEATS}, branches of {SHOWN_MS:.0f} ms and more "
        "(the measuring itself slows each import)",
        ("module", "ms with all below", "ms itself"),
        rows,
    )


def shown(tree: Iterable[Import]) -> list[Import]:
    """The branches worth a line: costly ones, down to where a third-party library begins."""
    lines = []
    hidden_below: int | None = None
    for each in tree:
        if hidden_below is not None and each.depth > hidden_below:
            continue
        hidden_below = None
        if each.total < SHOWN_MS:
            hidden_below = each.depth
            continue
        lines.append(each)
        if not each.name.startswith(("common", "main")):
            hidden_below = each.depth
    return lines
