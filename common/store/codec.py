"""The bot's own state as documents and back, by the annotations of its frozen dataclasses.

    to_document(Pause("maintenance", "ops", now))            -> {"reason": "maintenance", "set_by": "ops", ...}
    from_document(Pause, document, "bot:QRLUSDT:pause")      -> Pause(...)

A field may be Decimal, int, bool, str, datetime (aware), date, timedelta (whole seconds), an Enum, another
dataclass, `X | None`, `X | Y` (the first that fits), `tuple[X, ...]`, `tuple[X, Y]`, `Mapping[str, X]` or
`Annotated[X, check]`, where `check` says whether a value is possible. A missing field takes its default, so that
documents of older versions still load; an unknown field is ignored, so that an older version can read documents of
a newer one. Everything else is refused with the key's name.
"""

import re
import types
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from common.decimal_json import from_redis
from common.errors import StoreCorrupt

T = TypeVar("T")
Document = dict[str, Any]
Reader = Callable[[Any], Any]
AMOUNT = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?", re.ASCII)
"""The form of an amount."""
_MOST_DIGITS = 200
"""A larger exponent in a JSON number is refused: the amount would be written out with that many zeros."""


class Unreadable(ValueError):
    """A piece of a document is missing or of another type; the message names the piece, never its content."""


def to_document(value: Any, without: Collection[str] = ()) -> Document:
    """A dataclass as JSON values, plus Decimal and datetime, which both writers know (decimal_json)."""
    kind: Any = type(value)
    return {name: _form(getattr(value, name)) for name in _names(kind) if name not in without}


_LEAVES = frozenset((str, int, bool, type(None), Decimal, datetime))


def _form(value: Any) -> Any:
    if type(value) in _LEAVES:
        return value
    if is_dataclass(value):
        return to_document(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _form(item) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_form(item) for item in value]
    return value


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def from_document(kind: type[T], document: Any, key: str) -> T:
    """The value in a stored document. Raises StoreCorrupt, naming `key` and the faulty piece."""
    wanted: Any = kind
    try:
        value: T = reader(wanted)(document)
    except Unreadable as error:
        raise StoreCorrupt(f"{key} cannot be read: {error}") from None
    return value


def whole(document: Any, names: Iterable[str], key: str) -> Document:
    """The document, if it has these fields. Raises StoreCorrupt, naming `key`, also if it is not a document."""
    if not isinstance(document, dict):
        raise StoreCorrupt(f"{key} cannot be read: no document")
    for name in names:
        if name not in document:
            raise StoreCorrupt(f"{key} cannot be read: {name} is missing")
    return document


def document_of(text: str, key: str, *names: str, raw: bool = False) -> Document:
    """Parse a document that must have these fields; `raw` as in `from_redis`. Raises StoreCorrupt."""
    return whole(from_redis(text, key, raw=raw), names, key)


@cache
def reader(kind: Any) -> Reader:
    """The reader of a type. Raises TypeError for a type that has no form in a document."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        inner = [reader(each) for each in arguments if each is not type(None)]
        read = inner[0] if len(inner) == 1 else _either(inner)
        return _optional(read) if type(None) in arguments else read
    if origin is Annotated:
        return _checked(reader(arguments[0]), arguments[1])
    if origin is tuple:
        return _items(reader(arguments[0])) if arguments[1:] == (...,) else _row([*map(reader, arguments)])
    if origin in (Mapping, dict):
        return _mapping(reader(arguments[1]))
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum(kind)
    if is_dataclass(kind):
        return _dataclass(kind)
    raise TypeError(f"{kind} has no form in a document")


def _kind_of(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", bool: "a flag", type(None): "null"}.get(
        type(value), "a number"
    )


def _amount(value: Any) -> Decimal:
    """A decimal string, or a number as in log lines and cache entries."""
    if isinstance(value, str) and AMOUNT.fullmatch(value):
        return Decimal(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= _MOST_DIGITS:
        return value
    raise Unreadable(f"{_kind_of(value)} where an amount should be")


def _exactly(kind: type[Any], name: str) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise Unreadable(f"{_kind_of(value)} where {name} should be")
        return value

    return read


def moment(value: Any) -> datetime:
    """An aware datetime from a document. Raises Unreadable."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Unreadable(f"{_kind_of(value)} where a moment should be") from None
    if found.tzinfo is None:
        raise Unreadable("a moment without an offset")
    return found


def moment_or_none(value: Any) -> datetime | None:
    return None if value is None else moment(value)


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise Unreadable(f"{_kind_of(value)} where a day should be") from None


_COUNT = _exactly(int, "a whole number")
_SIMPLE: Mapping[Any, Reader] = {
    Decimal: _amount,
    int: _COUNT,
    bool: _exactly(bool, "a flag"),
    str: _exactly(str, "a text"),
    datetime: moment,
    date: _day,
    timedelta: lambda value: timedelta(seconds=_COUNT(value)),
}


def _enum(kind: type[Enum]) -> Reader:
    def read(value: Any) -> Any:
        try:
            return kind(value)
        except ValueError:
            raise Unreadable(f"no {kind.__name__} known") from None

    return read


def _checked(inner: Reader, check: Callable[[Any], bool]) -> Reader:
    def read(value: Any) -> Any:
        found = inner(value)
        if not check(found):
            raise Unreadable(f"an amount that is not {check.__name__.replace('_', ' ')}")
        return found

    return read


def _optional(inner: Reader) -> Reader:
    return lambda value: None if value is None else inner(value)


def _either(inners: list[Reader]) -> Reader:
    """The first of several types that fits."""

    def read(value: Any) -> Any:
        for inner in inners[:-1]:
            try:
                return inner(value)
            except Unreadable:
                continue
        return inners[-1](value)

    return read


def _piece(inner: Reader, value: Any, name: object) -> Any:
    try:
        return inner(value)
    except Unreadable as error:
        raise Unreadable(f"{name}: {error}") from None


_LIST, _OBJECT = _exactly(list, "a list"), _exactly(dict, "an object")


def _items(inner: Reader) -> Reader:
    def read(value: Any) -> Any:
        found: list[Any] = []
        items = _LIST(value)
        try:
            found.extend(map(inner, items))
        except Unreadable as error:
            raise Unreadable(f"{len(found)}: {error}") from None
        return tuple(found)

    return read


def _row(inners: list[Reader]) -> Reader:
    def read(value: Any) -> Any:
        if len(_LIST(value)) != len(inners):
            raise Unreadable(f"a list of {len(value)} where {len(inners)} should be")
        return tuple(
            _piece(inner, item, index) for index, (inner, item) in enumerate(zip(inners, value, strict=True))
        )

    return read


def _mapping(inner: Reader) -> Reader:
    return lambda value: {name: _piece(inner, item, f"{name:.40}") for name, item in _OBJECT(value).items()}


def _dataclass(kind: Any) -> Reader:
    types_of = get_type_hints(kind, include_extras=True)
    known = [
        (field.name, reader(types_of[field.name]), field.default is MISSING and field.default_factory is MISSING)
        for field in fields(kind)
        if field.init
    ]

    def read(value: Any) -> Any:
        document = _OBJECT(value)
        found = {}
        for name, inner, needed in known:
            if name in document:
                found[name] = _piece(inner, document[name], name)
            elif needed:
                raise Unreadable(f"{name} is missing")
        return kind(**found)

    return read
