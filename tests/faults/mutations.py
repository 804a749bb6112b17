"""What can befall one field of a JSON document, and where its fields are."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

Path = tuple[str | int, ...]
MISSING = object()


def _empty(value: Any) -> Any:
    return type(value)() if isinstance(value, (dict, list, str)) else ""


def _another_type(value: Any) -> Any:
    return "x" if isinstance(value, (dict, list)) else {"x": 1}


def _number(value: Any) -> Any:
    return 5.5 if isinstance(value, str) else MISSING


def _duplicated(value: Any) -> Any:
    return [value[0], *value] if isinstance(value, list) and value else MISSING


def _reordered(value: Any) -> Any:
    if isinstance(value, dict) and len(value) > 1:
        return dict(reversed(value.items()))
    return value[::-1] if isinstance(value, list) and len(value) > 1 else MISSING


MUTATIONS: dict[str, Callable[[Any], Any]] = {
    "null": lambda _: None,
    "missing": lambda _: MISSING,
    "empty": _empty,
    "zero": lambda _: "0",
    "negative": lambda _: "-1",
    "exponent": lambda _: "1E+30",
    "forty digits": lambda _: "1" * 40,
    "a number for a text": _number,
    "lone surrogate": lambda _: "\ud800",
    "another type": _another_type,
    "duplicated": _duplicated,
    "reordered": _reordered,
}
"""By name: the value that takes the place of one. MISSING: the field goes; for the last three, not applicable."""
NEVER_BELIEVED = ("null", "missing", "empty", "negative", "lone surrogate", "another type")
"""After these an order is the one that would have been sent without them, or there is none."""


def paths(value: Any, path: Path = (), rows: int | None = 2) -> Iterator[Path]:
    """Where every field is; of a list the first rows (None: all), and the list itself."""
    if isinstance(value, dict):
        inner: list[tuple[str | int, Any]] = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value[:rows]))
    else:
        inner = []
    for name, item in inner:
        yield (*path, name)
        yield from paths(item, (*path, name), rows)


def mutated(document: Any, path: Path, mutation: str) -> Any:
    """A copy with that done to the field at `path`; MISSING when it cannot be done there."""
    copy = holder = deepcopy(document)
    for name in path[:-1]:
        holder = holder[name]
    new = MUTATIONS[mutation](holder[path[-1]])
    if new is not MISSING:
        holder[path[-1]] = new
    elif mutation == "missing":
        del holder[path[-1]]
    else:
        return MISSING
    return copy
