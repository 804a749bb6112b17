"""The pictures of a back-test's page, each with its legend, its description and the table of its numbers."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import accumulate

from common.decimals import ONE, ZERO, quotient
from common.domain.decision.levels import Destination
from common.domain.instrument import Side
from common.report import charts, svg
from common.report.html import Markup, figure, join, legend, table
from common.report.scales import Linear, Log, Percents, grouped
from common.report.series import sampled
from common.report.words import clock, money, percent, price
from local.backtest.figures import Figures
from local.backtest.replay import Event, Replay
from local.backtest.strategies import named, way
from local.backtest.study import Search, Study
from local.backtest.sweep import Cell

MANY_DAYS = 60
"""From this many days on, lines are drawn through the ends of days."""
MARKS = 400
"""Most orders that are marked: more could not be distinguished."""


class Points:
    """The decisions that lines are drawn through."""

    def __init__(self, study: Study) -> None:
        self.market = study.setup.desk.market
        ends = self.market.day_ends
        self.numbers: Sequence[int] = ends if len(ends) >= MANY_DAYS else range(len(self.market))
        self.times = [self.market.decided_at(number) for number in self.numbers]
        self.prices = [_decimal(self.market.closes[number]) for number in self.numbers]
        self.across = charts.across(self.times)

    def values(self, figures: Figures) -> list[Decimal]:
        return [_decimal(figures.values[number]) for number in self.numbers]


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))


def value(study: Study, points: Points) -> Markup:
    """Value against holding, all base and all quote, on a log scale."""
    start = study.setup.desk.start
    ours = points.values(study.figures)
    lines = {
        "quote": [start.value for _ in points.prices],
        "base": [quotient(start.value * p, start.price) for p in points.prices],
        "held": [start.base * p + start.quote for p in points.prices],
        "bot": ours,
    }
    last = {kind: amounts[-1] for kind, amounts in lines.items()}
    description = (
        f"From {clock(points.times[0])} to {clock(points.times[-1])}: the policy went from {money(ours[0])} to "
        f"{money(ours[-1])}, holding to {money(last['held'])}."
    )
    picture = charts.value(points.times, lines, description)
    rows = sampled(list(zip(points.times, points.prices, *lines.values(), strict=True)), charts.ROWS)
    cells = [[clock(at), price(p), money(o), money(h), money(b), money(q)] for at, p, q, b, h, o in rows]
    heads = ["Time", "Price", "The policy", "Holding", "All base", "All quote"]
    keys = legend(("bot", "the policy"), ("held", "holding"), ("base", "all base"), ("quote", "all quote"))
    return figure(picture, table("Value over time", heads, cells), keys)


def weights(study: Study, points: Points) -> Markup:
    """The base asset's share over time, the target, the levels, and the orders."""
    height, figures = 200, study.figures
    quantities = _bases(figures, points)
    values = points.values(figures)
    shares = [
        quotient(base * p, total) if total > 0 else ZERO
        for base, p, total in zip(quantities, points.prices, values, strict=True)
    ]
    target = figures.replay.strategy.policy.target_weight
    edges = list(_edges(figures.replay, points))
    down = Linear.over([*shares, target, *(share for *_, share in edges)], height, charts.TOP)
    events = sampled(figures.replay.events, MARKS)
    marks = [_mark(event, points, down, target) for event in events]
    description = (
        f"The share of the base asset lay between {percent(min(shares))} and {percent(max(shares))}; "
        f"{len(figures.replay.events)} orders were filled."
    )
    picture = svg.picture(
        "weight",
        "Share of the base asset in the value",
        description,
        height + svg.BELOW,
        svg.grid(Percents(down), 4),
        svg.axis(points.across, height),
        svg.rule(down(target), "target"),
        svg.canvas(
            height,
            *(
                svg.line([(points.across(since), down(share)), (points.across(until), down(share))], "level")
                for since, until, share in edges
            ),
            svg.line(charts.joined(points.times, shares, down), "bot"),
        ),
        svg.heights(Percents(down), 4),
        *marks,
    )
    rows = sampled(list(zip(points.times, shares, points.prices, strict=True)), charts.ROWS)
    cells = [[clock(at), percent(share, 2), price(p)] for at, share, p in rows]
    aim = ("target", f"target {percent(target)}")
    keys = legend(("bot", "share"), aim, ("level", "levels in force"), ("buy", "bought"), ("sell", "sold"))
    numbers = [table("Weight over time", ["Time", "Weight", "Price"], cells)]
    if len(figures.replay.in_force) > 1:
        bands = [[clock(each.since), named(each.levels)] for each in figures.replay.in_force]
        numbers.append(table("The band, and since when", ["Since", "Band"], bands, texts=2))
    return figure(picture, join(numbers), keys)


def _edges(replay: Replay, points: Points) -> Iterator[tuple[datetime, datetime, Decimal]]:
    """The shares at which it trades, each with the times between which it held."""
    target = replay.strategy.policy.target_weight
    ends = [*(each.since for each in replay.in_force[1:]), points.times[-1]]
    for each, until in zip(replay.in_force, ends, strict=False):  # a policy that never trades has no levels
        for level in each.levels:
            for share in (target - level.trigger, target + level.trigger):
                if 0 < share < 1:
                    yield each.since, until, share


def _bases(figures: Figures, points: Points) -> list[Decimal]:
    found, stretches = [], iter(figures.stretches)
    stretch = next(stretches)
    for number in points.numbers:
        while number >= stretch.stop:
            stretch = next(stretches)
        found.append(stretch.base)
    return found


def _mark(event: Event, points: Points, down: Linear, target: Decimal) -> Markup:
    """A marker on the side of the target from which the order came."""
    sold = event.side is Side.SELL
    spread = (down.high - down.low) / 25
    tooltip = f"{event.side} {money(event.notional)} at {price(event.fill_price)}, {clock(event.time)}"
    at = down(target + (spread if sold else -spread))
    return svg.marker(points.across(event.time), at, "down" if sold else "up", event.side.lower(), tooltip)


def drawdown(study: Study, points: Points) -> Markup:
    """How far the value was below its highest."""
    values = points.values(study.figures)
    depths = [quotient(amount, peak) - ONE for amount, peak in zip(values, accumulate(values, max), strict=True)]
    return charts.drawdown(points.times, depths)


def heat_map(search: Search) -> Markup:
    """Drift-neutral growth of every cell; marks those within 5 % of the best, and the formula's neighbour."""
    triggers = sorted({cell.strategy.policy.levels[0].trigger for cell in search.cells})
    destinations = list(dict.fromkeys(cell.strategy.policy.levels[0].destination for cell in search.cells))
    by_place = {_place(cell): cell for cell in search.cells}
    rows = [[by_place.get((trigger, to)) for trigger in triggers] for to in destinations]
    nearest, height, above = _nearest(search), 50, 20

    def marked(down: int, right: int) -> str | None:
        cell = rows[down][right]
        kinds = ["best"] if cell is search.best else []
        kinds += ["flat"] if cell in search.region else []
        kinds += ["chosen"] if cell is nearest else []
        return " ".join(kinds) or None

    def tooltip(down: int, right: int) -> str:
        cell = rows[down][right]
        return _tooltip(cell) if cell else ""

    scores = [[_decimal(round(cell.score, 9)) if cell else None for cell in row] for row in rows]
    wide = svg.WIDTH / len(triggers)
    heads = [
        svg.words(f"{grouped(trigger * 100, 1)}", svg.across((i + 0.5) * wide), height * len(rows) + 18, "middle")
        for i, trigger in enumerate(triggers)
    ]
    picture = svg.picture(
        "grid",
        "Every try: trigger across, destination down",
        f"The best is {search.best.strategy.name}; {len(search.region)} of {search.tries} lie within 5 % of it.",
        height * len(rows) + svg.BELOW,
        svg.cells(scores, height, marked, tooltip, above),
        *(svg.words(way(to), "0", height * i + above - 5) for i, to in enumerate(destinations)),
        *heads,
    )
    cells = [
        [
            cell.strategy.name,
            _hundredths(cell.score),
            money(cell.final_value),
            str(cell.orders),
            _notes(cell, search),
        ]
        for cell in sorted(search.cells, key=lambda cell: -cell.score)
    ]
    keys = legend(
        ("bot", "fuller is better; triggers in points below"),
        ("held", "framed: the best; thinly framed: within 5 % of it"),
        ("level", "dashed: next to the formula's own"),
    )
    columns = ["Policy", "Drift-neutral, log-%", "Value", "Orders", ""]
    return figure(picture, table("All tries, the best first", columns, cells), keys)


def _nearest(search: Search) -> Cell:
    """The cell whose trigger, and then whose destination, is next to the formula's own choice."""
    own = search.formula.strategy.policy.levels[0]

    def distance(cell: Cell) -> tuple[Decimal, Decimal]:
        level = cell.strategy.policy.levels[0]
        return abs(level.trigger - own.trigger), abs(level.points - own.points)

    return min(search.cells, key=distance)


def _place(cell: Cell) -> tuple[Decimal, Decimal | Destination]:
    level = cell.strategy.policy.levels[0]
    return level.trigger, level.destination


def _tooltip(cell: Cell) -> str:
    return f"{cell.strategy.name}: {_hundredths(cell.score)} log-%, {cell.orders} orders"


def _notes(cell: Cell, search: Search) -> str:
    if cell is search.best:
        return "the best"
    return "within 5 % of it" if cell in search.region else ""


def _hundredths(score: float) -> str:
    return grouped(Decimal(score * 100), 2, signed=True)


def by_cost(study: Study) -> Markup:
    """The final value of each policy if trading had cost more or less."""
    height, kinds = 200, ("bot", "held", "base", "quote")
    costs = [cost for cost, _ in study.by_cost]
    names = [cell.strategy.name for cell in study.by_cost[0][1]]
    columns = [[cells[i].final_value for _, cells in study.by_cost] for i in range(len(names))]
    down = Log.over([amount for column in columns for amount in column], height, charts.TOP)
    along = (
        Linear(min(costs), max(costs), 0, svg.WIDTH) if len(set(costs)) > 1 else Linear.over(costs, 0, svg.WIDTH)
    )
    lines = [
        svg.line([(along(cost), down(amount)) for cost, amount in zip(costs, column, strict=True)], kind)
        for column, kind in zip(columns, kinds, strict=False)
    ]
    cheap, dear = (", ".join(f"{n} {money(c[i])}" for n, c in zip(names, columns, strict=True)) for i in (0, -1))
    picture = svg.picture(
        "costs",
        "Value at the end by one-way cost",
        f"At {percent(costs[0], 2)}: {cheap}. At {percent(costs[-1], 2)}: {dear}.",
        height + svg.BELOW,
        svg.grid(down),
        svg.axis(Percents(along), height),
        svg.canvas(height, *lines),
        svg.heights(down),
    )
    cells = [
        [percent(cost, 2), *(f"{money(cell.final_value)} ({cell.orders})" for cell in row)]
        for cost, row in study.by_cost
    ]
    numbers = table("Value at the end, orders in brackets", ["One-way cost", *names], cells)
    return figure(picture, numbers, legend(*zip(kinds, names, strict=False)))


def orders(events: Sequence[Event]) -> Markup:
    """The orders, at most the newest hundred."""
    rows = [
        [
            clock(event.time),
            event.side,
            f"{event.quantity:f}",
            price(event.decision_price),
            price(event.fill_price),
            money(event.notional),
            money(event.fee),
        ]
        for event in reversed(events[-100:])
    ]
    heads = ["Time", "Side", "Quantity", "Decided at", "Filled at", "Notional", "Fee"]
    return table(f"The last {len(rows)} of {len(events)} orders", heads, rows, texts=2)
