"""Many policies over one market, in several processes where there are several cores."""

import gc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing import get_context

from local.backtest.figures import Figures
from local.backtest.replay import Desk
from local.backtest.strategies import Strategy

FLAT = 0.05
"""How far below the best a cell may be, as a share of it, to count as equally good."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What a sweep keeps of a replay. `score` is the drift-neutral growth beyond what the price did."""

    strategy: Strategy
    final_value: Decimal
    orders: int
    score: float
    days: Sequence[float]


def sweep(
    desk: Desk, strategies: Sequence[Strategy], jobs: int = 1, seen: Callable[[], None] = lambda: None
) -> list[Cell]:
    """Replay every strategy; `seen` is called after each."""
    cells = []
    with undisturbed():
        for cell in _cells(desk, strategies, jobs):
            cells.append(cell)
            seen()
    return cells


@contextmanager
def undisturbed() -> Iterator[None]:
    """Disable Python's cycle collector: a replay creates no cycles, and the collector would keep scanning."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _cells(desk: Desk, strategies: Sequence[Strategy], jobs: int) -> Iterator[Cell]:
    if jobs <= 1 or len(strategies) < 2:
        yield from (cell_of(desk, each) for each in strategies)
        return
    # Spawned, not forked: a fork would not copy the thread that draws the progress.
    spawn = get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, initializer=_take, initargs=(desk,)) as pool:
        yield from pool.map(_work, strategies, chunksize=max(1, len(strategies) // (8 * jobs)))


def cell_of(desk: Desk, strategy: Strategy) -> Cell:
    figures = Figures(desk.market, desk.replay(strategy))
    days = figures.neutral_days
    return Cell(strategy, figures.final_value, len(figures.replay.events), figures.harvest, days)


_desk: Desk | None = None
"""The desk of this worker process."""


def _take(desk: Desk) -> None:
    global _desk
    _desk = desk
    gc.disable()  # as in `undisturbed`, which does not reach a spawned process


def _work(strategy: Strategy) -> Cell:
    assert _desk is not None
    return cell_of(_desk, strategy)


def best_of(cells: Sequence[Cell]) -> Cell:
    """The cell with the highest score; among equals the one with fewer orders, then the first."""
    return max(cells, key=lambda cell: (cell.score, -cell.orders))


def flat_region(cells: Sequence[Cell]) -> list[Cell]:
    """The cells within a twentieth of the best."""
    best = best_of(cells).score
    return [cell for cell in cells if cell.score >= best - FLAT * abs(best)]
