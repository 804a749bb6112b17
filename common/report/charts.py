"""Charts that the bot's page and the back-test's share: lines over time, by their names."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from common.decimals import ZERO
from common.report import svg
from common.report.html import Markup, figure, table
from common.report.scales import Linear, Log, Percents, Time
from common.report.series import sampled
from common.report.words import clock, percent

ROWS = 30
"""Most rows of a picture's table: the last point of each of that many equal parts."""
TOP = 18.0
"""Where the greatest value is drawn, in pixels from the top: its label is above it."""


def across(times: Sequence[datetime]) -> Time:
    return Time(times[0], times[-1], 0, svg.WIDTH)


def joined(times: Sequence[datetime], amounts: Sequence[Decimal], down: Linear | Log) -> list[svg.Point]:
    """Coordinates of one line; values that a log scale cannot show (zero) are left out."""
    along, pairs = across(times), zip(times, amounts, strict=True)
    return [(along(at), down(amount)) for at, amount in pairs if amount > 0 or isinstance(down, Linear)]


def value(
    times: Sequence[datetime],
    lines: Mapping[str, Sequence[Decimal]],
    description: str,
    unit: str = "",
    flows: Iterable[tuple[datetime, str]] = (),
) -> Markup:
    """Lines by their kind on a log scale, the last one on top; `flows` are marked with their texts."""
    height, along = 260, across(times)
    down = Log.over([amount for amounts in lines.values() for amount in amounts], height, TOP)
    return svg.picture(
        "value",
        "Value against holding",
        description,
        height + svg.BELOW,
        svg.grid(down),
        svg.axis(along, height),
        *(svg.upright(along(at), height, "flow", words) for at, words in flows),
        svg.canvas(height, *(svg.line(joined(times, amounts, down), kind) for kind, amounts in lines.items())),
        svg.heights(down, unit=unit),
    )


def drawdown(times: Sequence[datetime], depths: Sequence[Decimal], more: str = "") -> Markup:
    """How far a value was below its highest, as fractions, and the table; `more` ends the description."""
    height = 130
    down = Linear(min([*depths, Decimal("-0.001")]), ZERO, height - 4.0, TOP)
    line = joined(times, depths, down)
    top = [(line[0][0], down(ZERO)), (line[-1][0], down(ZERO))]
    worst = min(range(len(depths)), key=depths.__getitem__)
    picture = svg.picture(
        "drawdown",
        "Drawdown",
        f"The deepest fall was {percent(-depths[worst])}, on {clock(times[worst])}{more}.",
        height + svg.BELOW,
        svg.grid(Percents(down), 3),
        svg.axis(across(times), height),
        svg.canvas(height, svg.area(top, line, "loss"), svg.line(line, "held")),
        svg.heights(Percents(down), 3),
    )
    rows = [[clock(at), percent(depth, 2)] for at, depth in sampled(list(zip(times, depths, strict=True)), ROWS)]
    return figure(picture, table("Below the highest so far", ["Time", "Drawdown"], rows))
