"""The journal as a chain: each line carries the hash of the one before, so that none can go or change unseen.

A run that ends before it has stored where the chain stands leaves a short branch: its lines follow the same line
as those of the next run. A Redis that begins anew begins a chain anew. Both are told apart from a break: there a
line is not what its hash says, or the line before it is nowhere.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple

from common.decimals import plain, tidy

LINK = "link"
APART = {"severity", "message", "time", "logger", "task", "event", LINK}
"""What a log line holds beside the journal's own fields."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where a line stands: its number, the hash of all it says, and that of the line before (None: the first)."""

    number: int
    link_id: str
    previous_id: str | None

    @classmethod
    def after(cls, last: "Link | None", name: str, fields: Mapping[str, Any]) -> "Link":
        """The link of a new line; `fields` as they come from JSON."""
        number, previous = (last.number + 1, last.link_id) if last else (1, None)
        return cls(number, _hash(number, previous, name, fields), previous)

    def fits(self, name: str, fields: Mapping[str, Any]) -> bool:
        """Whether the line still says what it said when it was written."""
        return self.link_id == _hash(self.number, self.previous_id, name, fields)


class Seen(NamedTuple):
    """A line that was read back; `link` is None where it has none, `intact` where its text was not looked at."""

    name: str
    link: Link | None
    intact: bool | None


class Checked(NamedTuple):
    """What a look at the lines found: how many there are, how many have no link, and the first break, in words."""

    lines: int
    unlinked: int
    broken: str | None


def check(seen: Iterable[Seen], *, whole: bool) -> Checked:
    """Look for the first line that was altered or whose line before is missing, whatever order they come in.

    Without `whole` the lines are the newest ones: what the oldest of them follows need not be among them.
    """
    lines = list(seen)
    linked = [(line.link, line) for line in lines if line.link]
    known = {link.link_id for link, _ in linked}
    oldest = min((link.number for link, _ in linked), default=0)
    breaks = []
    for link, line in linked:
        at = f"line {link.number} ({line.name})"
        if line.intact is False:
            breaks.append((link.number, f"{at} was altered"))
        elif link.previous_id is not None and link.previous_id not in known and (whole or link.number != oldest):
            breaks.append((link.number, f"the line before {at} is missing"))
    return Checked(len(lines), len(lines) - len(linked), min(breaks)[1] if breaks else None)


def _hash(number: int, previous: str | None, name: str, fields: Mapping[str, Any]) -> str:
    own = {key: value for key, value in fields.items() if key not in APART and not key.startswith("logging.google")}
    text = json.dumps([number, previous, name, _canonical(own)], sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """The same whatever a log made of it on its way: keys in any order, 3 as 3.0."""
    match value:
        case bool() | None | str():
            return value
        case int() | Decimal():
            return plain(tidy(Decimal(value)))
        case Mapping():
            return {str(key): _canonical(item) for key, item in value.items()}
    return [_canonical(item) for item in value]
