"""The audit log as a chain: each line carries the hash of the one before, so none can vanish or change unnoticed.

A run that ends before it has stored the chain's last link leaves a short branch: its lines follow the same line
as those of the next run. An empty Redis starts a new chain. Neither counts as a break: a break is a line that does
not match its hash, or whose predecessor is missing.
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
"""What a log line holds beside the audit log's own fields."""


@dataclass(frozen=True, slots=True)
class Link:
    """A line's position: its number, the hash of its content, and the hash of the line before (None: the first)."""

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
    """A line that was read back; `link` is None where it has none, `intact` where its text was not checked."""

    name: str
    link: Link | None
    intact: bool | None


class Checked(NamedTuple):
    """The result of a check: how many lines there are, how many have no link, and the first break, in words."""

    lines: int
    unlinked: int
    broken: str | None


def check(seen: Iterable[Seen], before: Iterable[Seen] = ()) -> Checked:
    """Find the first line that was altered or whose predecessor is missing, whatever order they come in.

    `before` are the lines just before them where not all are read: what they follow need not be among them.
    """
    lines = list(seen)
    linked = [(line.link, line) for line in lines if line.link]
    edge = [line.link for line in before if line.link]
    known = {link.link_id for link, _ in linked} | {link.link_id for link in edge}
    known |= {link.previous_id for link in edge if link.previous_id is not None}
    breaks = []
    for link, line in linked:
        at = f"line {link.number} ({line.name})"
        if line.intact is False:
            breaks.append((link.number, f"{at} was altered"))
        elif link.previous_id is not None and link.previous_id not in known:
            breaks.append((link.number, f"the line before {at} is missing"))
    return Checked(len(lines), len(lines) - len(linked), min(breaks)[1] if breaks else None)


def _hash(number: int, previous: str | None, name: str, fields: Mapping[str, Any]) -> str:
    own = {key: value for key, value in fields.items() if key not in APART and not key.startswith("logging.google")}
    text = json.dumps([number, previous, name, _canonical(own)], sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """A form that survives whatever the log does to a value: keys in any order, 3 as 3.0."""
    match value:
        case bool() | None | str():
            return value
        case int() | Decimal():
            return plain(tidy(Decimal(value)))
        case Mapping():
            return {str(key): _canonical(item) for key, item in value.items()}
    return [_canonical(item) for item in value]
