"""The results for programs: one JSON object, or the orders as CSV (contract.md §15)."""

import csv
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from common.decimal_json import to_answer
from common.decimals import plain, tidy
from common.domain.decision.levels import Level
from common.report.statistics import Interval
from local.backtest.figures import Figures
from local.backtest.replay import Event
from local.backtest.strategies import Strategy
from local.backtest.study import Holdout, Search, Study

COLUMNS = ("time", "side", "quantity", "decision_price", "fill_price", "fee")


def as_json(study: Study) -> str:
    """The first policy's results; amounts are JSON numbers to the last digit."""
    figures, market = study.figures, study.setup.desk.market
    return to_answer(
        {
            "bars": len(market.candles),
            "gaps": market.candles.gaps,
            "slots": len(market),
            "from": market.candles.start,
            "to": market.candles.end,
            "policy": {
                **_policy(figures.replay.strategy, figures.replay.levels),
                "in_force": [
                    {"since": each.since, "levels": _levels(each.levels)} for each in figures.replay.in_force
                ],
            },
            **_totals(figures),
            "holdout": _holdout(study.holdout, study.search) if study.holdout else {},
            "events": [_event(event) for event in figures.replay.events],
        }
    )


def as_csv(study: Study) -> str:
    """The orders of the first policy."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for event in study.figures.replay.events:
        writer.writerow([_text(value) for value in _event(event).values()])
    return text.getvalue()


def _text(value: Any) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)


def _totals(figures: Figures) -> dict[str, Any]:
    return {
        "trades": len(figures.replay.events),
        "final_value": tidy(figures.final_value),
        "held_value": tidy(figures.held_value),
        "fees": tidy(figures.fees),
        "slippage": tidy(figures.slippage),
        "turnover": tidy(figures.turnover),
        "max_drawdown": tidy(figures.max_drawdown),
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "time": event.time.isoformat(),
        "side": event.side.value,
        "quantity": tidy(event.quantity),
        "decision_price": event.decision_price,
        "fill_price": tidy(event.fill_price),
        "fee": tidy(event.fee),
    }


def _policy(strategy: Strategy, levels: Sequence[Level]) -> dict[str, Any]:
    return {"name": strategy.name, "target_ratio": strategy.policy.target_weight, "levels": _levels(levels)}


def _levels(levels: Sequence[Level]) -> list[dict[str, Any]]:
    return [_level(level) for level in levels]


def _level(level: Level) -> dict[str, Any]:
    to = level.destination
    return {
        "trigger": level.trigger,
        "destination": to if isinstance(to, Decimal) else str(to),
        "style": str(level.style),
    }


def _holdout(holdout: Holdout, search: Search | None) -> Mapping[str, Any]:
    return {
        "share": holdout.share,
        "from": holdout.begins,
        **_totals(holdout.figures),
        "rule_value": tidy(holdout.rule.final_value),
        "against_rule": _interval(holdout.against_rule),
        "search": _search(search) if search else None,
    }


def _search(search: Search) -> Mapping[str, Any]:
    return {
        "tries": search.tries,
        "best": _policy(search.best.strategy, search.best.strategy.policy.levels),
        "formula": _policy(search.formula.strategy, search.formula.strategy.policy.levels),
        "within_5_percent": len(search.region),
        "best_against_formula": _interval(search.against_formula),
        "afterwards": _interval(search.afterwards),
        "formula_refuted": search.refuted,
        "probability_of_overfitting": search.overfitting,
        "deflated_sharpe": search.deflated,
    }


def _interval(interval: Interval | None) -> Mapping[str, float] | None:
    """Drift-neutral growth of one less the other's, in logarithms."""
    if interval is None:
        return None
    return {"difference": interval.estimate, "low": interval.low, "high": interval.high, "level": interval.level}
