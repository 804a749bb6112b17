"""The pictures of the page, each with its legend, its description and the table of its numbers."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from common.decimals import ZERO
from common.domain.instrument import Side
from common.domain.performance.attribution import SUMMANDS
from common.domain.performance.equity import Point
from common.report import charts, series, svg
from common.report.html import Markup, figure, legend, table, tag
from common.report.returns import Compared
from common.report.scales import Linear, Percents
from common.report.values import Document, Values
from common.report.words import clock, counted, exactly, money, percent, price

LINES = {
    "start_mix": "Start mix",
    "direction": "Direction",
    "harvest_locked": "Harvest, locked in",
    "open_leg": "Open leg",
    "slippage": "Slippage",
    "fees": "Fees",
    "fee_coin_move": "Fee coin\u2019s move",
    "operator_trades": "Operator\u2019s own trades",
}
MEANINGS = {
    "start_mix": "what splitting the start at the target weight made",
    "direction": "what keeping the mix lost or won because the price ended elsewhere",
    "harvest_locked": "what trading back and forth has banked, up to the last fill",
    "open_leg": "what the price has done to the mix since the last fill",
    "slippage": "fills against the middle of the order book at the decision",
    "fees": "what the exchange took",
    "fee_coin_move": "what fees taken in the base asset have been worth since",
    "operator_trades": "what the operator bought and sold by hand",
}


def value(values: Values, points: Sequence[Point]) -> Markup:
    """Value against holding, all base and all quote, on a log scale, flows marked."""
    base, quote = series.all_base(points), series.all_quote(points)
    real, held = [point.value for point in points], [point.held_value for point in points]
    flows = [
        (flow.at, f"{money(flow.value, signed=True)} {values.quote}, {clock(flow.at)}")
        for flow in series.flows(points)
    ]
    last, ahead = points[-1], real[-1] - held[-1]
    description = (
        f"From {clock(points[0].at)} to {clock(last.at)}: the account went from {money(real[0])} to "
        f"{money(real[-1])} {values.quote}; holding would be worth {money(held[-1])}, "
        f"{money(abs(ahead))} {'less' if ahead >= 0 else 'more'}."
    )
    lines = {"quote": quote, "base": base, "held": held, "bot": real}
    picture = charts.value(_times(points), lines, description, values.quote, flows)
    names = {"bot": "the bot", "held": "holding", "base": f"all {values.base}", "quote": f"all {values.quote}"}
    marks = [("flow", "deposit or withdrawal")] if flows else []
    kept = series.sampled(list(zip(points, base, quote, strict=True)), charts.ROWS)
    rows = [
        [clock(p.at), price(p.mid), money(p.value), money(p.held_value), money(b), money(q)] for p, b, q in kept
    ]
    heads = ["Time", "Mid price", "The bot", "Holding", f"All {values.base}", f"All {values.quote}"]
    return figure(picture, table(f"Value over time, {values.quote}", heads, rows), legend(*names.items(), *marks))


def weights(values: Values, points: Sequence[Point]) -> Markup:
    """The base asset's share over time, the target, the levels in force, and the orders."""
    height = 200
    shares = [series.weight(point) for point in points]
    plan = values.plan or {}
    target = plan.get("target_ratio")
    levels = _levels(plan)
    edges = [target + side * trigger for trigger in levels for side in (1, -1)] if target is not None else []
    near = [edge for edge in edges if 0 < edge < 1]
    times = _times(points)
    across = charts.across(times)
    down = Linear.over([*shares, *([target] if target is not None else []), *near], height, charts.TOP)
    # By slot, as the points are: an order of the last one was sent a moment after it.
    filled = [
        (entry.intent.slot, entry)
        for entry in values.orders
        if entry.filled_quantity > 0 and points[0].at <= entry.intent.slot <= points[-1].at
    ]
    orders = sorted(filled, key=lambda pair: pair[0])
    marks = [
        svg.marker(
            across(at),
            down(_nearest(points, shares, at)),
            "up" if entry.intent.side is Side.BUY else "down",
            entry.intent.side.lower(),
            f"{entry.intent.side} {money(entry.filled_notional)} {values.quote}, {clock(at)}",
        )
        for at, entry in orders[-400:]
    ]
    rules = [svg.rule(down(edge), "level") for edge in near]
    if target is not None:
        rules.append(svg.rule(down(target), "target"))
    description = (
        f"The share of {values.base} lay between {percent(min(shares))} and {percent(max(shares))} and is "
        f"{percent(shares[-1])} now; {counted(len(orders), 'order')} filled in this time."
    )
    picture = svg.picture(
        "weight",
        f"Share of {values.base} in the value",
        description,
        height + svg.BELOW,
        svg.grid(Percents(down), 4),
        svg.axis(across, height),
        *rules,
        svg.canvas(height, svg.line(charts.joined(times, shares, down), "bot")),
        svg.heights(Percents(down), 4),
        *marks,
    )
    kept = series.sampled(list(zip(points, shares, strict=True)), charts.ROWS)
    rows = [[clock(point.at), percent(share, 2), price(point.mid)] for point, share in kept]
    keys = [("bot", f"share of {values.base}")]
    keys += [("target", f"target {percent(target)}")] if target is not None else []
    keys += [("level", "trade levels now")] if near else []
    if marks:
        keys += [("buy", "bought"), ("sell", "sold")]
    return figure(picture, table("Weight over time", ["Time", "Weight", "Mid price"], rows), legend(*keys))


def _levels(plan: Document) -> list[Decimal]:
    """The triggers in force, as fractions of the value."""
    policy, settings = plan.get("policy"), plan.get("settings")
    if policy:
        return [level["trigger"] for level in policy["levels"]]
    return [settings["threshold_pct"]] if settings else []


def attribution(values: Values, lines: Document) -> Markup:
    """The difference to holding line by line, as bars that end in the sum."""
    shown = [name for name in SUMMANDS if name in lines]
    amounts = [(LINES[name], lines[name]) for name in shown if lines[name] or name != "operator_trades"]
    total, ends = ZERO, [ZERO]
    for _, amount in amounts:
        total += amount
        ends.append(total)
    scale = Linear.over(ends, 4, svg.WIDTH - 4, room=ZERO)
    drawn = svg.waterfall(
        amounts, "Against holding", scale, lambda amount: f"{money(amount, signed=True)} {values.quote}"
    )
    texts = "; ".join(f"{name} {money(amount, signed=True)}" for name, amount in amounts)
    picture = svg.picture(
        "attribution",
        "Where the difference comes from",
        f"{texts}; together {money(lines['difference'], signed=True)} {values.quote}.",
        svg.ROW * (len(amounts) + 1),
        drawn,
    )
    rows: list[list[str]] = [[LINES[name], MEANINGS[name], exactly(lines[name])] for name in shown]
    rows.append(["Against holding", "the sum, to the last digit", exactly(lines["difference"])])
    return figure(picture, table(f"Every line, {values.quote}", ["Line", "What it is", "Amount"], rows, texts=2))


def drawdown(points: Sequence[Point]) -> Markup:
    """How far the account was below its highest, without flows."""
    depths = series.drawdowns(points)
    now = f"; it stands {percent(-depths[-1])} below its highest now"
    return charts.drawdown(_times(points), depths, now)


def shadows(values: Values, found: Sequence[Compared]) -> Markup:
    """Each shadow\u2019s growth beyond the account\u2019s as a dot, its interval as a bar, and the table."""
    shown = [(each, *_bounds(each)) for each in found]
    ends = [bound for _, low, middle, high in shown for bound in (low, middle, high)]
    scale = Linear.over([ZERO, *ends], 6, svg.WIDTH - 6)
    zero, height = svg.across(scale(ZERO)), svg.ROW * len(shown)
    digits = 2 if max(map(abs, ends)) >= Decimal("0.005") else 4
    parts: list[Markup] = [tag("line", x1=zero, x2=zero, y1=0, y2=height, class_="zero")]
    texts = []
    for index, (each, low, middle, high) in enumerate(shown):
        top, words = svg.ROW * index, percent(middle, digits, signed=True)
        parts += [svg.words(each.name, "0", top + 14), svg.words(words, "100%", top + 14, "end")]
        if each.interval is not None:
            parts.append(svg.bar(scale(low), scale(high) - scale(low), top + 21, 7, "span"))
        parts.append(svg.marker(scale(middle), top + 24.5, "dot", "bot", f"{each.name}: {words}"))
        texts.append(f"{each.name} {words}{_between(each, digits)}")
    picture = svg.picture(
        "shadows",
        "Other policies against the bot",
        f"{'; '.join(texts)}.",
        height,
        tag("g", *parts, class_="names"),
    )
    rows = [
        [
            each.name,
            f"{percent(middle, digits, signed=True)}{_between(each, digits)}",
            f"{money(each.ahead, signed=True)}",
            str(each.orders),
            money(each.paid),
            str(each.days),
        ]
        for each, _, middle, _ in shown
    ]
    heads = [
        "Policy",
        "Growth beyond the bot\u2019s",
        f"Worth more with drift, {values.quote}",
        "Orders",
        "Costs",
        "Days",
    ]
    return figure(picture, table("Drift-neutral growth, and what each would be worth", heads, rows))


def _bounds(each: Compared) -> tuple[Decimal, Decimal, Decimal]:
    """Low, estimate, high; all equal without an interval."""
    if each.interval is None:
        return each.growth, each.growth, each.growth
    return Decimal(str(each.interval.low)), each.growth, Decimal(str(each.interval.high))


def _between(each: Compared, digits: int) -> str:
    low, _, high = _bounds(each)
    if each.interval is None:
        return ""
    return f" ({percent(low, digits, signed=True)} to {percent(high, digits, signed=True)})"


def _times(points: Sequence[Point]) -> list[datetime]:
    return [point.at for point in points]


def _nearest(points: Sequence[Point], shares: Sequence[Decimal], at: datetime) -> Decimal:
    """The weight at the last point no later than `at`."""
    low, high = 0, len(points) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if points[middle].at <= at else (low, middle - 1)
    return shares[low]
