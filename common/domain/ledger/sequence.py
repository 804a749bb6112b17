"""The sequence of fills: they carry whole seconds, and the exchange documents no order (exchange.md §5)."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from common.domain.instrument import Side
from common.domain.orders.order import Fill

RULE = 3
"""The version of the rule below. Rule 1 went by id as text, whatever the side; rule 2 let the id break ties."""
_PLACED_JUST_THEN = timedelta(seconds=1)
_DIGITS = re.compile(r"(\d+)", re.ASCII)


def in_order(fills: Iterable[Fill]) -> list[Fill]:
    """By second; where both sides meet in one, by the time of their orders, else buys before sales.

    Buys go first so that coins bought in a second can be sold in it: orders often carry whole seconds too. An
    order's time says when it was filled only if it was placed just then; if one had rested, buys also go first.
    """
    ordered: list[Fill] = []
    for _, same in groupby(sorted(fills, key=_second), key=_second):
        ordered += _within_a_second(list(same))
    return ordered


def in_doubt(fills: Iterable[Fill]) -> list[Fill]:
    """The fills that cannot be put in sequence because the time of their order is unknown."""
    doubtful: list[Fill] = []
    for _, same in groupby(sorted(fills, key=_second), key=_second):
        group = list(same)
        if _sides_meet(group):
            doubtful += [fill for fill in group if fill.ordered_at is None]
    return doubtful


def _second(fill: Fill) -> datetime:
    return fill.executed_at


def _sides_meet(group: Sequence[Fill]) -> bool:
    return len({fill.side for fill in group}) > 1


def _within_a_second(group: list[Fill]) -> list[Fill]:
    if len(group) == 1:
        return group
    group.sort(key=lambda fill: _natural(fill.fill_id))
    if _sides_meet(group):
        placed = {fill.fill_id: fill.ordered_at for fill in group if _placed_just_then(fill)}
        if len(placed) == len(group):
            group.sort(key=lambda fill: (placed[fill.fill_id] or fill.executed_at, fill.side is Side.SELL))
        else:
            group.sort(key=lambda fill: fill.side is Side.SELL)
    return group


def _placed_just_then(fill: Fill) -> bool:
    return fill.ordered_at is not None and abs(fill.ordered_at - fill.executed_at) <= _PLACED_JUST_THEN


def _natural(fill_id: str) -> list[tuple[int, str]]:
    """999X1 before 1000X1: runs of digits by their value."""
    parts = _DIGITS.split(fill_id)
    return [(int(part), "") if at % 2 else (-1, part) for at, part in enumerate(parts)]
