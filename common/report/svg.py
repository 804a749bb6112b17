"""Pictures as SVG: frame, grid, lines, bands, markers, bars, cells; and min-max decimation. Pure.

A picture is as wide as the page allows and keeps its height: lines are drawn on a stretched canvas (0 to `WIDTH`
across, pixels down), words and markers are placed at percentages of the width and are never distorted.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from common.report.html import Child, Markup, tag
from common.report.scales import Scale

WIDTH = 1000.0
"""Units across: the end of every horizontal scale."""
BELOW = 24
"""Pixels under the plot, for the labels of the horizontal axis."""
HALF_LETTER = 12.0
"""Half the width of a label's letter on the narrowest phone, in units across."""
Point = tuple[float, float]


def picture(name: str, title: str, description: str, height: int, *marks: Markup) -> Markup:
    """The frame: `height` pixels including the axis; `name` is unique on the page."""
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", description, id=f"{name}-desc"),
        *marks,
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-desc",
        width="100%",
        height=height,
    )


def canvas(height: int, *shapes: Markup) -> Markup:
    """The area for lines and bands: stretched to the picture's width, clipped to the plot."""
    return tag(
        "svg",
        *shapes,
        class_="canvas",
        width="100%",
        height=height,
        viewBox=f"0 0 {_number(WIDTH)} {height}",
        preserveAspectRatio="none",
    )


def across(x: float) -> str:
    """A coordinate as a share of the width."""
    return f"{_number(x / WIDTH * 100, 2)}%"


def _number(value: float, digits: int = 1) -> str:
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"


def thinned(points: Sequence[Point], columns: int = 400) -> list[Point]:
    """At most four points a column: the first, lowest, highest and last, in order.

    The drawing is the same to the pixel as with all points, including peaks and troughs.
    """
    if len(points) <= 4 * columns:
        return list(points)
    first, last = points[0][0], points[-1][0]
    width = (last - first) / columns or 1
    kept: list[Point] = []
    bucket: list[Point] = []
    column = 0
    for point in points:
        here = min(int((point[0] - first) / width), columns - 1)
        if here != column:
            kept += _outline(bucket)
            bucket, column = [], here
        bucket.append(point)
    return kept + _outline(bucket)


def _outline(bucket: list[Point]) -> list[Point]:
    if len(bucket) <= 4:
        return bucket
    low = min(range(len(bucket)), key=lambda index: bucket[index][1])
    high = max(range(len(bucket)), key=lambda index: bucket[index][1])
    return [bucket[index] for index in sorted({0, low, high, len(bucket) - 1})]


def path(points: Iterable[Point]) -> str:
    """The data of an SVG path through all points: M0 12.5L1 13…"""
    return "L".join(f"{_number(x)} {_number(y)}" for x, y in points).join(("M", ""))


def line(points: Sequence[Point], kind: str) -> Markup:
    """A line through the points, for the canvas."""
    return tag("path", class_=f"line {kind}", d=path(thinned(points)))


def area(upper: Sequence[Point], lower: Sequence[Point], kind: str) -> Markup:
    """The band between two lines, for the canvas."""
    return tag("path", class_=f"area {kind}", d=f"{path([*thinned(upper), *reversed(thinned(lower))])}Z")


def grid(scale: Scale, most: int = 5) -> Markup:
    """Horizontal lines at the ticks, below everything else."""
    ys = [_number(tick.at) for tick in scale.ticks(most)]
    return tag("g", *(tag("line", x1="0", x2="100%", y1=y, y2=y) for y in ys), class_="grid")


def heights(scale: Scale, most: int = 5, unit: str = "") -> Markup:
    """The labels of the grid's lines, above them at the left; the topmost with its unit."""
    ticks = sorted(scale.ticks(most), key=lambda tick: tick.at)
    texts = [tick.label if index else f"{tick.label} {unit}".strip() for index, tick in enumerate(ticks)]
    placed = zip(ticks, texts, strict=True)
    return tag("g", *(tag("text", text, x="0", y=_number(tick.at - 4)) for tick, text in placed), class_="grid")


def axis(scale: Scale, height: int, most: int = 5) -> Markup:
    """The labels under a plot of `height` pixels, with small ticks; those at the ends stay inside."""
    parts: list[Child] = [tag("line", x1="0", x2="100%", y1=height, y2=height)]
    for tick in scale.ticks(most):
        x = across(tick.at)
        half = HALF_LETTER * len(tick.label)
        side = "start" if tick.at < half else "end" if tick.at > WIDTH - half else "middle"
        parts.append(tag("line", x1=x, x2=x, y1=height, y2=height + 5))
        parts.append(tag("text", tick.label, x=x, y=height + 18, text_anchor=side))
    return tag("g", *parts, class_="axis")


def rule(y: float, kind: str) -> Markup:
    """A horizontal line at one value; the legend names it, for a label would lie on a curve."""
    at = _number(y)
    return tag("g", tag("line", x1="0", x2="100%", y1=at, y2=at), class_=f"rule {kind}")


def upright(x: float, height: int, kind: str, words: str) -> Markup:
    """A vertical line at one time, with a tooltip."""
    at = across(x)
    return tag("g", tag("line", x1=at, x2=at, y1=0, y2=height), tag("title", words), class_=f"rule {kind}")


SHAPES = {
    "up": "M-4.5 4L0-5L4.5 4Z",
    "down": "M-4.5-4L0 5L4.5-4Z",
    "dot": "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0Z",
}


def marker(x: float, y: float, shape: str, kind: str, words: str) -> Markup:
    """A small shape at one point, with a tooltip; `shape` is a name of SHAPES."""
    drawn = tag("path", tag("title", words), d=SHAPES[shape])
    return tag("svg", drawn, x=across(x), y=_number(y), overflow="visible", class_=f"mark {kind}")


def bar(x: float, width: float, y: float, height: float, kind: str) -> Markup:
    """A horizontal bar from `x`, in units across; always wide enough to be visible."""
    return tag(
        "rect",
        x=across(x),
        width=across(max(width, 2.0)),
        y=_number(y),
        height=_number(height),
        class_=f"bar {kind}",
    )


def words(text: str, x: str, y: float, anchor: str = "start", kind: str | None = None) -> Markup:
    return tag("text", text, x=x, y=_number(y), text_anchor=anchor, class_=kind)


ROW = 38
"""Pixels of one row of a waterfall: words, and a bar under them."""


def waterfall(
    lines: Sequence[tuple[str, Decimal]],
    total: str,
    scale: Callable[[Decimal], float],
    shown: Callable[[Decimal], str],
) -> Markup:
    """Signed amounts one below the other, each starting where the last ended, and their sum at the bottom."""
    whole = sum((amount for _, amount in lines), Decimal(0))
    zero, begun = scale(Decimal(0)), Decimal(0)
    parts = [tag("line", x1=across(zero), x2=across(zero), y1=0, y2=ROW * (len(lines) + 1), class_="zero")]
    for index, (name, amount) in enumerate(lines):
        parts.append(_fall(index, name, shown(amount), scale(begun), scale(begun + amount), _sign(amount)))
        begun += amount
    parts.append(_fall(len(lines), total, shown(whole), zero, scale(whole), f"total {_sign(whole)}"))
    return tag("g", *parts, class_="waterfall")


def _sign(amount: Decimal) -> str:
    return "loss" if amount < 0 else "gain"


def _fall(index: int, name: str, amount: str, begins: float, ends: float, kind: str) -> Markup:
    top = ROW * index
    return tag(
        "g",
        words(name, "0", top + 14),
        words(amount, "100%", top + 14, "end"),
        bar(min(begins, ends), abs(ends - begins), top + 20, 9, kind),
        class_=kind,
    )


def cells(
    values: Sequence[Sequence[Decimal | None]],
    heights: int,
    marked: Callable[[int, int], str | None],
    label: Callable[[int, int], str],
    above: int = 0,
) -> Markup:
    """A heat map: rows of cells from the top, larger values in fuller colour; None is left empty.

    A row takes `heights` pixels, of which `above` are left free for its name.
    `marked` gives a cell another class (the best, the chosen), `label` its tooltip.
    """
    found = [value for row in values for value in row if value is not None]
    low, high = (min(found), max(found)) if found else (Decimal(0), Decimal(1))
    parts: list[Child] = []
    for down, row in enumerate(values):
        wide = WIDTH / len(row)
        for right, value in enumerate(row):
            if value is None:
                continue
            share = float(value - low) / float(high - low) if high > low else 1.0
            parts.append(
                tag(
                    "rect",
                    tag("title", label(down, right)),
                    x=across(right * wide),
                    width=across(wide - 2),
                    y=down * heights + above,
                    height=heights - above - 2,
                    fill_opacity=_number(0.06 + 0.94 * share, 2),
                    class_=f"cell {marked(down, right) or ''}".strip(),
                )
            )
    return tag("g", *parts, class_="cells")
