"""The results in sentences: what a person reads first, and what the data cannot show."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from common.report.scales import grouped
from common.report.statistics import Interval
from common.report.words import clock, money, percent
from local.backtest.figures import Figures
from local.backtest.replay import Replay
from local.backtest.strategies import named
from local.backtest.study import LEAST_DAYS, Holdout, Search, Study

INDISTINGUISHABLE = "these cannot be told apart on this data"


def lines(study: Study, name: str) -> list[str]:
    """Five lines of results, and one or two more where a grid was searched."""
    found = [_series(study, name), _orders(study), _holding(study), _rule(study)]
    found.append(_afterwards(study.holdout) if study.holdout else "No holdout was kept.")
    return [*found, *(_found(study.search) if study.search else [])]


def _series(study: Study, name: str) -> str:
    market = study.setup.desk.market
    candles = market.candles
    gaps = "no gap"
    if candles.gaps:
        gaps = f"{_counted(candles.gaps, 'gap')} ({_counted(candles.missing, 'bar')} missing)"
    return (
        f"{name}: {_count(len(candles))} bars of {_width(candles.width_ms)}, {clock(candles.start)} to "
        f"{clock(candles.end)}, {gaps}; {_count(len(market))} decisions."
    )


def _orders(study: Study) -> str:
    figures, count = study.figures, len(study.figures.replay.events)
    name = f"{figures.name}{_band(figures.replay)}"
    head = f"{name}: {money(figures.replay.start.value)} became {money(figures.final_value)}"
    if not count:
        why = f", for {figures.replay.held}" if figures.replay.held else ""
        return f"{head}, without an order{why}."
    costs = (
        f"fees {money(figures.fees)}, fills {money(abs(figures.slippage))} "
        f"{'better' if figures.slippage < 0 else 'worse'} than decided on"
    )
    fall = percent(figures.max_drawdown)
    return f"{head} with {_counted(count, 'order')}; {costs}; deepest fall {fall}."


def _band(replay: Replay) -> str:
    """The derived band, the last one if it moved."""
    if replay.strategy.auto is None or not replay.in_force:
        return ""
    count = len(replay.in_force)
    return f" ({f'the last of {count} bands: ' if count > 1 else ''}{named(replay.levels)})"


def _holding(study: Study) -> str:
    figures = study.figures
    ours, held = figures.final_value, figures.held_value
    if ours == held:
        return f"Holding would have given the same, {money(held)}."
    by = money(abs(ours - held))
    if ours < held:
        return f"Holding won: {money(held)}, {by} more."
    return f"Ahead of holding by {by}: held, it would be {money(held)}."


def _rule(study: Study) -> str:
    rule = study.setup.default_rule.name
    if study.figures.name == rule:
        return "It is the default rule itself: there is nothing to tell apart."
    return f"Against {rule}, drift-neutral: {difference(study.against_rule[study.figures.name])}."


def difference(interval: Interval | None) -> str:
    """An estimate with its interval, and whether it is significant."""
    if interval is None:
        return f"fewer than {LEAST_DAYS} days are no basis for a comparison"
    text = f"{log_percent(interval)} log-%, {interval.level:.0%} interval"
    if not interval.excludes_zero:
        return f"{text}; {INDISTINGUISHABLE}"
    return f"{text}; {'better' if interval.low > 0 else 'worse'} beyond what chance explains"


def log_percent(interval: Interval) -> str:
    """+0.97 [+0.42, +2.43]: in hundredths of a logarithm."""
    numbers = (grouped(Decimal(value * 100), 2, signed=True) for value in (interval.low, interval.high))
    return f"{grouped(Decimal(interval.estimate * 100), 2, signed=True)} [{', '.join(numbers)}]"


def _afterwards(holdout: Holdout) -> str:
    figures = holdout.figures
    ours, held = figures.final_value, figures.held_value
    verdict = "holding won" if held > ours else "ahead of holding" if ours > held else "as holding"
    return (
        f"The last {percent(holdout.share, 0)}, from {clock(holdout.begins)}, from scratch: {money(ours)} against "
        f"{money(held)} held ({verdict}), {_counted(len(figures.replay.events), 'order')}."
    )


def _found(search: Search) -> Iterator[str]:
    best, own = search.best.strategy.name, search.formula.strategy.name
    yield (
        f"Of {search.tries} tries on all but the holdout the best is {best}; {len(search.region)} lie within 5 % "
        f"of it. Against the formula's {own}: {difference(search.against_formula)}."
    )
    later = f"in the holdout {difference(search.afterwards)}"
    verdict = f"The grid refutes the formula: {later}" if search.refuted else f"The formula stands: {later}"
    luck = ""
    if search.overfitting is not None:
        luck = (
            f" The best of one half of the time is below the middle in the other in {search.overfitting:.0%} of "
            f"all splits (PBO); that it is more than luck has a chance of {search.deflated:.0%} (deflated Sharpe)."
        )
    yield f"{verdict}.{luck}"


def row(figures: Figures, study: Study) -> list[str]:
    """One line of the table of policies."""
    interval = study.against_rule.get(figures.name)
    return [
        figures.name,
        _count(len(figures.replay.events)),
        money(figures.final_value),
        money(figures.final_value - figures.held_value, signed=True),
        money(figures.fees + figures.slippage),
        percent(figures.max_drawdown),
        log_percent(interval) if interval and figures.name != study.setup.default_rule.name else "",
    ]


def benchmark_rows(study: Study) -> list[list[str]]:
    """The whole value in one asset from start to end."""
    held = study.figures.held_value
    return [
        [name, "", money(value), money(value - held, signed=True), "", "", ""]
        for name, value in (("all base", study.all_base), ("all quote", study.all_quote))
    ]


HEADS = ("policy", "orders", "value", "− held", "costs", "fall", "log-% to the default [95 %]")
"""Heads of the table: costs are fees and slippage, the fall is the deepest, the last column is drift-neutral."""


def _count(number: int) -> str:
    return grouped(Decimal(number), 0)


def _counted(number: int, noun: str) -> str:
    return f"{_count(number)} {noun}{'' if number == 1 else 's'}"


def _width(width_ms: int) -> str:
    width = timedelta(milliseconds=width_ms)
    for unit, size in (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1))):
        if width % size == timedelta():
            return f"{width // size} {unit}"
    return f"{width.total_seconds():g} s"
