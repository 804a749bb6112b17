"""A command as an operator gave it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from common.config import Settings
from common.meter import Meter
from common.store.batch import Batch
from common.store.store import Store


@dataclass(frozen=True, slots=True)
class Given:
    """A command as given: its JSON object, by whom and when; `batch` takes its writes."""

    body: Mapping[str, object]
    by: str
    now: datetime
    settings: Settings
    store: Store
    meter: Meter
    batch: Batch
    found: dict[str, Any] = field(default_factory=dict)
    """What the command found, for the audit log beside what was given."""
