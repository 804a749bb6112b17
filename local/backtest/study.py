"""A whole back-test: the policy, what it is compared with, the result of a search, and what remains uncertain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from random import Random

from common.decimals import ZERO
from common.domain.decision.levels import Destination
from common.report.statistics import BLOCK_DAYS, Interval, stationary_bootstrap
from local.backtest.figures import Figures
from local.backtest.market import Market
from local.backtest.overfitting import deflated_sharpe, probability_of_overfitting, sharpe
from local.backtest.replay import Desk, Start
from local.backtest.strategies import Strategy, formula, level_strategy
from local.backtest.sweep import Cell, best_of, cell_of, flat_region, sweep

SEED = 20
"""Seed of the bootstrap: the same file and options give the same interval."""
LEAST_DAYS = 10
"""Fewer days than this are no basis for an interval."""
TRIGGERS = tuple(Decimal(points) / 100 for points in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15))
DESTINATIONS = (Destination.TARGET, Destination.HALF, Destination.EDGE)
COSTS = tuple(Decimal(text) for text in ("0.001", "0.002", "0.003", "0.005", "0.0075", "0.01"))


@dataclass(frozen=True, slots=True)
class Setup:
    """What to run: the first of `strategies` is the one in question, the others are compared with it.

    `holdout` is the last share of the candles; `every_bar` decides on every slot, `jobs` counts processes.
    """

    desk: Desk
    strategies: tuple[Strategy, ...]
    default_rule: Strategy
    monthly: Strategy
    hold: Strategy
    holdout: Decimal = Decimal("0.3")
    every_bar: bool = False
    jobs: int = 1

    def part(self, start: int, stop: int) -> Market:
        market = self.desk.market
        return Market(market.candles.part(start, stop), market.slot_minutes)


@dataclass(frozen=True, slots=True)
class Grid:
    """What to search: one-level policies, each at each cost."""

    triggers: tuple[Decimal, ...] = TRIGGERS
    destinations: tuple[Decimal | Destination, ...] = DESTINATIONS
    costs: tuple[Decimal, ...] = ()

    @property
    def cells(self) -> list[tuple[Decimal, Decimal | Destination]]:
        """Trigger and destination of each cell, without destinations in points that are not below the trigger."""
        return [
            (trigger, to)
            for trigger in self.triggers
            for to in self.destinations
            if isinstance(to, Destination) or to < trigger
        ]


@dataclass(frozen=True, slots=True)
class Holdout:
    """The policy's result on the last part of the series, started again with half in each asset."""

    share: Decimal
    begins: datetime
    figures: Figures
    rule: Figures
    against_rule: Interval | None


@dataclass(frozen=True, slots=True)
class Search:
    """What a grid found on all but the holdout.

    `against_formula` compares the best with the formula's own choice on the searched part, `afterwards` on the
    holdout; the formula is refuted only if both intervals are above zero.
    """

    cells: tuple[Cell, ...]
    best: Cell
    formula: Cell
    region: tuple[Cell, ...]
    against_formula: Interval | None
    afterwards: Interval | None
    overfitting: float | None
    deflated: float

    @property
    def tries(self) -> int:
        return len(self.cells)

    @property
    def refuted(self) -> bool:
        first, later = self.against_formula, self.afterwards
        return first is not None and later is not None and first.low > 0 and later.low > 0


@dataclass(frozen=True, slots=True)
class Study:
    """The results; `figures` are those of the first policy, `others` of the rest and of the benchmarks."""

    setup: Setup
    figures: Figures
    others: tuple[Figures, ...]
    against_rule: dict[str, Interval | None]
    holdout: Holdout | None
    search: Search | None
    by_cost: tuple[tuple[Decimal, tuple[Cell, ...]], ...]

    @property
    def all_base(self) -> Decimal:
        start = self.setup.desk.start
        return start.value / start.price * self.figures.last_price

    @property
    def all_quote(self) -> Decimal:
        return self.setup.desk.start.value


def compared(ours: Sequence[float], theirs: Sequence[float]) -> Interval | None:
    """Growth of one policy less another's, paired by day; None for too few days."""
    steps = [one - other for one, other in zip(ours, theirs, strict=True)]
    if len(steps) < LEAST_DAYS:
        return None
    return stationary_bootstrap(steps, Random(SEED), block=min(BLOCK_DAYS, max(1.0, len(steps) / 5)))


def study(setup: Setup, grid: Grid | None, seen: Callable[[], None] = lambda: None) -> Study:
    """Run the whole study; `seen` is called after each of `replays(setup, grid)`."""
    desk = setup.desk
    found = [_figures(setup, desk, each, seen) for each in setup.strategies]
    plain = (setup.default_rule, setup.monthly, setup.hold)
    benchmarks = [_figures(setup, desk, each, seen) for each in plain]
    rule = benchmarks[0]
    named = {each.name for each in found}
    others = (*found[1:], *(each for each in benchmarks if each.name not in named))
    against = {each.name: compared(each.neutral_days, rule.neutral_days) for each in (found[0], *others)}
    split = round(len(desk.market.candles) * (1 - setup.holdout))
    later = _later(setup, split)
    holdout = _holdout(setup, later, seen) if later else None
    search = _search(setup, grid, split, later, seen) if grid and later else None
    costs = grid.costs if grid and grid.costs else COSTS
    by_cost = _by_cost(setup, found[0].replay.strategy, search, costs, seen) if grid else ()
    return Study(setup, found[0], others, against, holdout, search, by_cost)


def replays(setup: Setup, grid: Grid | None) -> int:
    """About how many replays a study makes, for the progress bar."""
    alone = len(setup.strategies) + 3 + 2
    if grid is None:
        return alone
    return alone + len(grid.cells) + len(grid.costs or COSTS)


def _figures(setup: Setup, desk: Desk, strategy: Strategy, seen: Callable[[], None]) -> Figures:
    figures = Figures(desk.market, desk.replay(strategy, every_bar=setup.every_bar))
    seen()
    return figures


def _later(setup: Setup, split: int) -> Desk | None:
    """The desk of the holdout: started with half of the initial value in each asset, at its own first price."""
    count = len(setup.desk.market.candles)
    if not 0 < split < count:
        return None
    market = setup.part(split, count)
    if not len(market):
        return None
    start = Start.halves(setup.desk.start.value, market.candles.open[0])
    return replace(setup.desk, market=market, start=start)


def _holdout(setup: Setup, desk: Desk, seen: Callable[[], None]) -> Holdout:
    ours, rule = (_figures(setup, desk, each, seen) for each in (setup.strategies[0], setup.default_rule))
    interval = compared(ours.neutral_days, rule.neutral_days)
    return Holdout(setup.holdout, desk.market.candles.start, ours, rule, interval)


def _search(setup: Setup, grid: Grid, split: int, later: Desk, seen: Callable[[], None]) -> Search:
    like, desk = setup.strategies[0], replace(setup.desk, market=setup.part(0, split))
    tries = [level_strategy(trigger, to, like) for trigger, to in grid.cells]
    cells = sweep(desk, tries, setup.jobs, seen)
    band = formula(like.policy, desk.start.value, desk.costs, Destination.HALF)
    own = cell_of(desk, level_strategy(band.trigger, band.destination, like))
    best = best_of(cells)
    chosen, formulas = (Figures(later.market, later.replay(each.strategy)) for each in (best, own))
    days = [cell.days for cell in cells]
    edges = [[one - other for one, other in zip(each, own.days, strict=True)] for each in days]
    return Search(
        tuple(cells),
        best,
        own,
        tuple(flat_region(cells)),
        compared(best.days, own.days),
        compared(chosen.neutral_days, formulas.neutral_days),
        probability_of_overfitting(days),
        deflated_sharpe(edges[cells.index(best)], [sharpe(edge) for edge in edges]),
    )


def _by_cost(
    setup: Setup, own: Strategy, search: Search | None, costs: Sequence[Decimal], seen: Callable[[], None]
) -> tuple[tuple[Decimal, tuple[Cell, ...]], ...]:
    """The policy, the default rule, the formula and the best find, at several one-way costs, over all candles."""
    wanted = [own, setup.default_rule]
    if search:
        wanted += [search.formula.strategy, search.best.strategy]
    rows = []
    for cost in costs:
        fee = min(setup.desk.costs.fee, cost)
        desk = replace(setup.desk, costs=replace(setup.desk.costs, fee=fee, half_spread=cost - fee, impact=ZERO))
        rows.append((cost, tuple(cell_of(desk, _tolerant(each, cost)) for each in wanted)))
        seen()
    return tuple(rows)


def _tolerant(strategy: Strategy, cost: Decimal) -> Strategy:
    """The strategy with a slippage limit that allows this cost: the question is the cost, not a refusal."""
    limits = strategy.limits
    return replace(strategy, limits=replace(limits, max_slippage=max(limits.max_slippage, cost)))
