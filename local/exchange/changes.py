"""Changing frozen values by what a client of the control API asked for, each checked against its type."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import asdict, fields, replace
from decimal import Decimal
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from local.exchange.amounts import from_control, plain

Values = TypeVar("Values", bound=Any)


def changed(values: Values, changes: object) -> Values:
    """Give a copy of a dataclass with these fields changed.

    Raises:
        ValueError: an unknown name, or a value of another type.
    """
    if not isinstance(changes, Mapping):
        raise ValueError("an object is wanted")
    only(changes, {field.name for field in fields(values)})
    hints = get_type_hints(type(values))
    return replace(values, **{name: typed(hints[name], value, name) for name, value in changes.items()})


def only(spec: Mapping[str, Any], names: Set[str]) -> None:
    """Refuse names that are not known: a misspelt one must not pass for a default."""
    unknown = spec.keys() - names
    if unknown:
        raise ValueError(f"unknown {', '.join(sorted(unknown))}")


def integer(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name}: a whole number")
    return value


def typed(kind: Any, value: Any, name: str) -> Any:
    """Bring a JSON value into the type of a field; amounts are Decimals and never negative."""
    if isinstance(kind, UnionType):
        if value is None:
            return None
        kind = next(part for part in get_args(kind) if part is not type(None))
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ValueError(f"{name}: one of {', '.join(map(str, get_args(kind)))}")
        return value
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise ValueError(f"{name}: a list of texts")
        return tuple(value)
    if kind is Decimal:
        number = from_control(value, name)
        if number < 0:
            raise ValueError(f"{name}: cannot be negative")
        return number
    if kind is int:
        return integer(value, name)
    if not isinstance(value, kind):
        raise ValueError(f"{name}: a {kind.__name__}")
    return value


def snake(name: str) -> str:
    """Turn a wire name (baseAssetPrecision) into a field's (base_asset_precision)."""
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda found: "_" + found.group(), name).lower()


def written(values: object) -> dict[str, object]:
    """Write a dataclass for JSON, amounts as text."""
    rows: dict[str, Any] = asdict(values)  # type: ignore[call-overload]
    return {name: plain(value) if isinstance(value, Decimal) else value for name, value in rows.items()}
