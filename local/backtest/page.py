"""The back-test as one page: the conclusions first, then the pictures, the tries, and the method."""

from decimal import Decimal

from common.report.html import NOTHING, Child, Markup, document, join, table, tag
from common.report.style import SCRIPT, STYLE
from common.report.words import percent
from local.backtest import pictures, words
from local.backtest.study import Study

EXTRA = """
.cell.flat{stroke:var(--ink);stroke-width:1;stroke-opacity:.45}
.line.level{stroke-width:1;stroke-dasharray:2 3}
"""


def render(study: Study, name: str) -> str:
    """The whole page as text; it loads nothing from elsewhere."""
    lines = words.lines(study, name)
    head = tag(
        "header",
        tag("p", tag("b", study.figures.name), f" on {name}", class_="eyebrow"),
        tag("h1", lines[2]),
        tag("p", lines[1], class_="lead"),
        *(tag("p", line) for line in (lines[0], *lines[3:])),
    )
    return document(f"{name}: {lines[2]}", join([head, tag("main", *_sections(study))]), STYLE + EXTRA, SCRIPT)


def _sections(study: Study) -> list[Markup]:
    points = pictures.Points(study) if len(study.setup.desk.market) > 1 else None
    drawn = []
    if points:
        drawn = [
            _section("Value against holding", pictures.value(study, points)),
            _section("The mix, and when it traded", pictures.weights(study, points)),
        ]
    return [
        *drawn,
        _section("Against others", _policies(study)),
        *([_section("Drawdown", pictures.drawdown(study, points))] if points else []),
        *([_section("Every try", pictures.heat_map(study.search))] if study.search else []),
        *([_section("If trading cost more, or less", *_by_cost(study))] if study.by_cost else []),
        *(
            [_section("Orders", pictures.orders(study.figures.replay.events))]
            if study.figures.replay.events
            else []
        ),
        _section("How this was made", _method(study)),
    ]


def _section(title: str, *children: Child) -> Markup:
    return tag("section", tag("h2", title), *children)


def _policies(study: Study) -> Markup:
    rows = [words.row(figures, study) for figures in (study.figures, *study.others)]
    return table("On the same candles and costs", words.HEADS, [*rows, *words.benchmark_rows(study)])


def _by_cost(study: Study) -> list[Markup]:
    """The picture; with a derived band the reason why dearer trading may end higher."""
    derived = any(cell.strategy.auto for cell in study.by_cost[0][1])
    words = (
        "Where trading is dearer, auto derives a wider band and orders less often. Each cost so has a band of its "
        "own, and on one past the wider one may end higher."
    )
    note = [tag("p", words, class_="note")] if derived else []
    return [*note, pictures.by_cost(study)]


def _method(study: Study) -> Markup:
    desk = study.setup.desk
    costs = desk.costs
    impact = f", impact {costs.impact:f} for each unit of quote" if costs.impact else ""
    notes = [
        "Each slot is decided on the close of its bar and filled at the opening of the next one, away from it by "
        f"half the spread ({percent(costs.half_spread, 2)}){impact}; the fee is {percent(costs.fee, 3)}, an order "
        f"at most {percent(Decimal(costs.volume_share), 0)} of the bar's volume. Nothing fills in a missing bar.",
        "Drift-neutral growth leaves out what being off target won or lost; its interval is a paired stationary "
        "bootstrap of days in blocks of about 20 days (Politis and Romano 1994).",
        "The past of one coin is one sample: it can refute a policy, it cannot promise one.",
    ]
    return join([NOTHING, *(tag("p", note, class_="note") for note in notes)])
