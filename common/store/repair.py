"""Find the unreadable pieces of a key and move them to another key: nothing is ever deleted.

A string is one piece, a hash has one for each field, a list or sorted set one for each member; sound pieces stay.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

from common.decimal_json import from_redis, spelt_out
from common.errors import StoreCorrupt
from common.store.batch import Batch, aside
from common.store.codec import document_of
from common.store.held import Held, Piece
from common.store.keys import CacheKeys, Keys
from common.store.records import fill_of
from common.store.state import PARTS, every_container
from common.store.store import text_of

SHOWN = 20
"""At most this many pieces are shown, and of each this many hundred characters."""


class Damage(NamedTuple):
    """What cannot be read: single pieces, each with its fault, or the `whole` key for that reason."""

    held: Held
    whole: str | None
    pieces: tuple[tuple[Piece, str], ...]

    @property
    def proof(self) -> str:
        """A hash of what was shown: if the content has changed since, nothing is moved."""
        text = "\0".join([self.held.kind, *(f"{piece.name}\0{piece.text}" for piece in self.held.pieces)])
        return sha256(text.encode(errors="surrogateescape")).hexdigest()[:12]

    def document(self) -> dict[str, Any]:
        pieces = [(piece, self.whole) for piece in self.held.pieces] if self.whole else list(self.pieces)
        return {
            "key": self.held.key,
            "type": self.held.kind,
            "pieces": len(self.held.pieces),
            "unreadable": len(pieces),
            "moves": "the whole key" if self.whole else "what is unreadable, the rest stays",
            "holds": [
                {"name": spelt_out(piece.name), "fault": fault, "text": spelt_out(piece.text[: SHOWN * 100])}
                for piece, fault in pieces[:SHOWN]
            ],
        }

    def move(self, batch: Batch, at: datetime) -> str:
        """Queue the move, and return the key that it goes to."""
        key = self.held.key
        if self.whole:
            return batch.set_aside(key, at)
        moved = aside(key, at)
        for piece, _ in self.pieces:
            batch.writes += _moves(self.held.kind, key, moved, piece)
        return moved


def _moves(kind: str, key: str, aside: str, piece: Piece) -> list[Callable[[Any], object]]:
    if kind == "hash":
        return [lambda pipe: pipe.hset(aside, piece.name, piece.text), lambda pipe: pipe.hdel(key, piece.name)]
    if kind == "zset":
        return [lambda pipe: pipe.zadd(aside, {piece.text: piece.score}), lambda pipe: pipe.zrem(key, piece.text)]
    return [lambda pipe: pipe.rpush(aside, piece.text), lambda pipe: pipe.lrem(key, 0, piece.text)]


def damage(held: Held, keys: Keys) -> Damage | None:
    """The unreadable part of a key; None when everything can be read, or the key is empty."""
    if held.kind == "none":
        return None
    expected = every_container(keys).get(held.key, "string")
    if held.kind != expected:
        return Damage(held, f"a {held.kind}, expected a {expected}", ())
    part = next((part for part in PARTS.values() if part.key(keys, CacheKeys("")) == held.key), None)
    if held.kind == "string" or held.key == keys.position:
        value = {piece.name: piece.text for piece in held.pieces}
        fault = _fault(lambda: _understood(part, value if held.kind == "hash" else value["0"], held, keys))
        return Damage(held, fault, ()) if fault else None
    faults = [(piece, _fault(partial(_read, part, piece, held, keys))) for piece in held.pieces]
    faulty = tuple((piece, fault) for piece, fault in faults if fault)
    return Damage(held, None, faulty) if faulty else None


def _understood(part: Any, value: Any, held: Held, keys: Keys) -> None:
    if part is not None and part.command == "HGETALL":
        part.understand(value, keys)
        return
    document = document_of(value, held.key, raw=_raw(held.key, keys))
    if part is not None and part.command == "GET":
        part.understand(document, keys)


def _read(part: Any, piece: Piece, held: Held, keys: Keys) -> None:
    """Read one field or member as the bot does."""
    text = piece.text
    if held.key == keys.orders_known:
        text_of(text, held.key)
    elif held.kind == "hash" and part is not None and part.command == "HGETALL":
        part.understand({piece.name: text}, keys)
    elif held.kind == "hash":
        text_of(text, held.key)
        if text[:1] in ("{", "["):
            from_redis(text, f"{held.key}:{piece.name}")
    else:
        document = document_of(text, held.key, raw=_raw(held.key, keys))
        if held.key == keys.ledger_fills:
            fill_of(document, held.key)


def _raw(key: str, keys: Keys) -> bool:
    """Whether the key holds raw replies of the exchange."""
    return key.startswith(keys.raw_latest("").partition(":latest")[0])


def _fault(read: Callable[[], object]) -> str | None:
    try:
        read()
    except StoreCorrupt as error:
        return str(error)
    return None
