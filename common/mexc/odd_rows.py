"""A row of a list that cannot be read: its text, and a name to speak of it by."""

import hashlib
from typing import Any

from common.decimal_json import spelt_out, to_answer


def text_of(row: Any) -> str:
    """The row's JSON."""
    try:
        return to_answer(row)
    except (TypeError, ValueError):  # no JSON has such a value; a text it gets all the same
        return repr(row)


def id_in(row: Any, field: str) -> str | None:
    """An id as the row has it; None where there is none that can be written again."""
    value = row.get(field) if isinstance(row, dict) else None
    name = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return name if name and name == spelt_out(name) else None


def name_of(row: Any, field: str) -> str:
    """The row's id, or a name made of its text: the same for the same row."""
    digest = hashlib.sha256(text_of(row).encode(errors="replace")).hexdigest()
    return (id_in(row, field) or f"row-{digest[:16]}")[:80]
