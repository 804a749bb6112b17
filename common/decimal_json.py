"""JSON in both directions with exact decimals.

In Redis an amount is a decimal string, in an HTTP response a JSON number; both come from the same value.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import datetime
from decimal import Decimal
from json.encoder import encode_basestring as quote_text
from typing import Any

from common.decimals import plain
from common.errors import StoreCorrupt

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""The escape of one half of a surrogate pair."""


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name appears twice")
    return found


def loads(text: str | bytes, *, unique_keys: bool = False, raw: bool = False) -> Any:
    """Parse JSON; fractions become Decimal. Raises ValueError, also for NaN, Infinity and absurd sizes.

    A lone surrogate is refused too: it is not text. With `raw`, for a reply of the exchange, it is accepted, and
    only the reader of that field refuses it. With `unique_keys` a name that occurs twice in an object is refused.
    """
    hook = _refuse_duplicates if unique_keys else None
    try:
        text = text.decode() if isinstance(text, bytes) else written(text)
        value = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=hook)
        if not raw and _SURROGATE.search(text):
            written(json.dumps(value, ensure_ascii=False, default=str))
    except (ArithmeticError, RecursionError):
        raise ValueError("an exponent or a nesting beyond reason") from None
    return value


def written(text: str) -> str:
    """Return the text. Raises ValueError if it cannot be written as UTF-8 because of a lone surrogate."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("a lone surrogate is no text") from None
    return text


def spelt_out(text: str) -> str:
    """The text with lone surrogates spelt out (\\ud800): JSON text stays the same JSON."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def to_answer(value: Any) -> str:
    """JSON text with amounts as numbers, to the last digit (json.dumps would need a binary float).

    It can always be written: a lone surrogate stays an escape.
    """
    return spelt_out(_answer(value))


def _answer(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return quote_text(value)
        case int():
            return int.__repr__(value)
        case Decimal():
            return _plain_text(value)
        case float():
            return json.dumps(value, allow_nan=False)
        case datetime():
            return quote_text(value.isoformat())
        case dict() | Mapping():
            return "{" + ",".join(f"{quote_text(str(k))}:{_answer(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_answer, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _plain_text(value: Any) -> str:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is no JSON number")
        return plain(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def to_redis(value: Any) -> str:
    """JSON text with amounts as decimal strings, as the permanent store keeps them."""
    if is_dataclass(value):
        raise TypeError("a domain value is turned into a document by its own function")
    text = json.dumps(value, default=_plain_text, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return written(text)


def from_redis(text: str, key: str, *, raw: bool = False) -> Any:
    """Read such text back; amounts stay text until a typed reader parses them (store/codec.py).

    `raw` is for a reply of the exchange. Raises StoreCorrupt, naming `key`, when the text is not JSON.
    """
    try:
        return loads(text, raw=raw)
    except ValueError:
        raise StoreCorrupt(f"{key} does not hold valid JSON") from None


def to_hash(fields: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a Redis hash: text; None is empty, flags are True and False, the rest JSON."""
    return {name: _field(value) for name, value in fields.items()}


def _field(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return written(str(value))
        case bool() | int():
            return str(value)
        case Decimal() | datetime():
            return _plain_text(value)
    return to_redis(value)
