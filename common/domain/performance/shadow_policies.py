"""The policies to follow on paper, as an owner writes them: SHADOW_POLICIES (contract.md §13).

Kept apart from their results (shadows.py), so that a mistake in the setting is reported at start.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from common.domain.decision.levels import Level
from common.domain.decision.notation import levels_in
from common.domain.orders.order import OrderStyle

MOST = 20


class Kind(StrEnum):
    """Policies without a list of levels: by the calendar, never, or the band of least cost."""

    MONTHLY = "monthly"
    HOLD = "hold"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Shadow:
    """A named policy: levels, or one of the kinds."""

    name: str
    kind: Kind | None = None
    levels: tuple[Level, ...] = ()


@cache
def shadows_in(text: str) -> tuple[Shadow, ...]:
    """`name=trigger:destination[:style],…`, `auto`, `monthly`, `hold`, separated by semicolons; `off` for none.

    Raises ValueError.
    """
    if text.strip() == "off":
        return ()
    found = tuple(_shadow(part.strip()) for part in text.split(";") if part.strip())
    names = [shadow.name for shadow in found]
    if len(set(names)) < len(names):
        raise ValueError("two shadows have the same name")
    if len(found) > MOST:
        raise ValueError(f"at most {MOST} shadows")
    return found


def _shadow(text: str) -> Shadow:
    name, equals, stated = (part.strip() for part in text.partition("="))
    kind = stated or name
    if kind in tuple(Kind) and name:
        return Shadow(name, Kind(kind))
    if not equals or not name or len(name) > 40:
        raise ValueError("each shadow must be `name=trigger:destination`, `auto`, `monthly` or `hold`")
    return Shadow(name, levels=tuple(level.level(OrderStyle.IOC) for level in levels_in(stated)))
