"""What a document that was read back holds, piece by piece: of the right kind, or refused."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from common.decimals import plain
from common.errors import StoreCorrupt

T = TypeVar("T")


@contextmanager
def reading(key: str, what: str) -> Iterator[None]:
    """Raises StoreCorrupt, naming `key`, for a piece that is missing or of another kind."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise StoreCorrupt(f"{key} is not {what}: {type(error).__name__}") from None


def a(kind: type[T], value: Any) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} instead of {kind.__name__}")
    return value


def amount(value: Any) -> Decimal:
    """An amount; a whole one may come back as an int, from the cache, a log line or a number in Redis."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return a(Decimal, value)


def amounts(document: Any, names: Iterable[str]) -> dict[str, Decimal]:
    return {name: amount(document[name]) for name in names}


def amount_or_none(value: Any) -> Decimal | None:
    return None if value is None else amount(value)


def count(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError("no count")
    return a(int, value)


def moment(value: Any) -> datetime:
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return found


def moment_or_none(value: Any) -> datetime | None:
    return None if value is None else moment(value)


def text(value: Any) -> str:
    """A text; one that looks like a number (a reason such as "2") comes back as one."""
    return plain(value) if isinstance(value, Decimal) else a(str, value)


def text_or_none(value: Any) -> str | None:
    return None if value is None else text(value)
