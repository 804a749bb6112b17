"""The audit log outside Redis as a restore reads it: every event folded into what it says by now."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from common.config import Settings
from common.domain.chain import Checked, Seen, check
from common.domain.instrument import Instrument
from common.domain.ledger.ledger import Ledger
from common.domain.ledger.quarantine import Ruling
from common.domain.orders.journal import JournalEntry
from common.domain.orders.order import Fill
from common.domain.performance.benchmark import Inception
from common.domain.performance.equity import Flow, Point
from common.errors import BadRequest
from common.gcp.journal import AuditLogSource, Bucket, Folder, events
from common.store.codec import from_document
from common.store.entries import entry_of
from common.store.records import fill_of, inception_of

log = logging.getLogger(__name__)


@dataclass
class AuditLog:
    """What the log lines hold: fills, flows, the last state of each intent, the daily points, and the inception."""

    name: str = "exchange"
    """Where it was read from; without an audit log everything comes from the exchange."""
    fills: list[Fill] = field(default_factory=list)
    flows: dict[datetime, Flow] = field(default_factory=dict)
    days: dict[datetime, Point] = field(default_factory=dict)
    entries: dict[str, JournalEntry] = field(default_factory=dict)
    ignored: dict[str, Ruling] = field(default_factory=dict)
    """The odd fills that an operator has left out, by id."""
    inception: Inception | None = None
    chain: Checked | None = None

    @classmethod
    def read(cls, source: AuditLogSource, instrument: Instrument) -> "AuditLog":
        audit_log = cls(source.name)
        seen: list[Seen] = []
        for name, fields in events(source, without=("journal.plan",), seen=seen):
            if name == "journal.fill":
                audit_log.fills.append(fill_of(fields, source.name))
            elif name == "journal.flow":
                flow = from_document(Flow, fields, source.name)
                audit_log.flows[flow.at] = flow
            elif name == "journal.equity":
                point = from_document(Point, fields, source.name)
                audit_log.days[point.at] = point
            elif name == "journal.intent":
                audit_log._note(entry_of(fields, source.name))
            elif name == "journal.inception":
                audit_log._begin(inception_of(fields.get("inception"), instrument, source.name))
            elif name == "journal.command" and fields.get("command") == "ignore-fill":
                audit_log.ignored[str(fields.get("id"))] = _ruling(fields, source.name)
        audit_log.chain = check(seen)
        if audit_log.chain.broken:
            log.error("the journal is not whole: %s", audit_log.chain.broken)
        return audit_log

    def _begin(self, inception: Inception) -> None:
        """Keep the earliest inception: there are several if Redis was lost before."""
        if self.inception is None or inception.at < self.inception.at:
            self.inception = inception

    def _note(self, entry: JournalEntry) -> None:
        """Keep the newest state of an intent: lines may come in any order."""
        name = entry.intent.client_order_id
        known = self.entries.get(name)
        if known is None or entry.updated_at >= known.updated_at:
            self.entries[name] = entry

    def goes_further_back(self, ledger: Ledger) -> bool:
        """Whether its inception is earlier than the beginning of that ledger."""
        return self.inception is not None and self.inception.at < ledger.opened_at


def _ruling(fields: Mapping[str, Any], key: str) -> Ruling:
    said = {"by": fields.get("by"), "at": fields.get("timestamp"), "fill": None, "applied": True}
    return from_document(Ruling, said, key)


def source_of(settings: Settings, wanted: object) -> AuditLogSource | None:
    """The configured audit log, or None to use the exchange alone. Raises BadRequest."""
    if wanted not in (None, "journal", "exchange"):
        raise BadRequest("source: journal or exchange")
    if wanted == "exchange":
        return None
    if settings.journal_folder:
        return Folder(settings.journal_folder)
    if settings.journal_bucket:
        return Bucket.of(settings.journal_bucket)
    if wanted == "journal":
        raise BadRequest("source: neither JOURNAL_BUCKET nor JOURNAL_FOLDER is set")
    return None
