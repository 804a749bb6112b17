"""The unparsed content of a key, piece by piece, whatever its type."""

from collections.abc import Iterator
from typing import Any, NamedTuple


class Piece(NamedTuple):
    """`name` is the field of a hash, else a number; `score` a sorted set's."""

    name: str
    text: str
    score: float | None = None


class Held(NamedTuple):
    """The content of a key: its Redis type, and its pieces."""

    key: str
    kind: str
    pieces: tuple[Piece, ...]


def pieces_of(kind: str, value: Any) -> Iterator[Piece]:
    """The pieces of a value that Redis returned for a key of that type."""
    if kind == "hash":
        yield from (Piece(name, text) for name, text in value.items())
    elif kind == "zset":
        yield from (Piece(str(number), text, score) for number, (text, score) in enumerate(value))
    elif kind == "list":
        yield from (Piece(str(number), text) for number, text in enumerate(value))
    elif kind == "string":
        yield Piece("0", value)
