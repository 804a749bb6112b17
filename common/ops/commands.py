"""The operator's commands, in one table; the audit log records who gave each of them (contract.md §2.6).

A command either queues its writes and returns what it did, or returns a job that then runs under the account's
lease (`restore`).
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from common.domain.decision.live_gate import Confirmation, Shape, differences
from common.domain.decision.pause import Pause
from common.errors import BadRequest, StoreCorrupt
from common.gcp.journal import follow, note
from common.ops import quarantine, repair, restore, settle
from common.ops.audit_log import source_of
from common.ops.given import Given
from common.run import Job
from common.store.codec import Unreadable, from_document, moment, to_document

log = logging.getLogger(__name__)
TEXT_LIMIT = 500
"""Most characters of a reason that are kept."""


class Command(NamedTuple):
    """`act` raises BadRequest before it queues anything; `recorded` are the fields that the audit log keeps."""

    act: Callable[[Given], Mapping[str, Any] | Job]
    recorded: tuple[str, ...] = ()


def pause(given: Given) -> Mapping[str, Any]:
    """Set the kill switch: checked before every order, until it is lifted or `until` has passed."""
    reason = given.body.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise BadRequest("pause: a reason must be given")
    switch = Pause(reason.strip()[:TEXT_LIMIT], given.by, given.now, _until(given.body.get("until"), given.now))
    given.batch.document(given.batch.keys.pause, to_document(switch))
    log.warning("trading is paused by %s: %s", given.by, switch.reason)
    return {"pause": to_document(switch) | {"active": True}}


def _until(value: object, now: datetime) -> datetime | None:
    if value is None:
        return None
    try:
        until = moment(value).astimezone(UTC)
    except (Unreadable, OverflowError):
        until = None
    if until is None or until <= now:
        raise BadRequest("until: a time to come, ISO 8601 with an offset, or nothing")
    return until


def resume(given: Given) -> Mapping[str, Any]:
    """Lift the kill switch; a program of slices has ended with the pause, even if no slot came in between."""
    given.batch.delete(given.batch.keys.pause)
    given.batch.delete(given.batch.keys.program)
    log.warning("trading is resumed by %s", given.by)
    return {"pause": None}


def restored(given: Given) -> Job:
    """Rebuild the ledger after a loss of Redis, as a run of its own."""
    return restore.job(
        given.settings, source_of(given.settings, given.body.get("source")), given.body.get("confirm")
    )


def repaired(given: Given) -> Mapping[str, Any] | Job:
    """Show the unreadable content of a key; once confirmed, move it to another key, as a run of its own."""
    return repair.asked(given.body, given.store, given.meter)


def settle_intent(given: Given) -> Job:
    """Record the outcome of an open intent that the exchange no longer lists, as a run of its own."""
    return settle.job(given.body, given.by)


def confirmed(given: Given) -> Mapping[str, Any]:
    """Confirm the settings that the last live run had; with `hash`, only if they match it.

    This confirms what that run stored, not this function's own settings: the two may differ.
    """
    keys, wanted = given.batch.keys, given.body.get("hash")
    found = given.store.read({"shape": ("GET", keys.shape), "before": ("GET", keys.confirmation)}, given.meter)
    if found["shape"] is None:
        raise BadRequest("confirm: no live run under LIVE_GATE=confirm has recorded its settings yet")
    shape = from_document(Shape, found["shape"], keys.shape)
    if wanted is not None and wanted != shape.hash:
        raise BadRequest(f"hash: the settings of the last live run have {shape.hash}")
    before = None
    if found["before"] is not None:
        before = from_document(Confirmation, found["before"], keys.confirmation).shape
    changed = list(differences(shape, before))
    given.batch.document(keys.confirmation, to_document(Confirmation(shape, given.by, given.now)))
    given.found.update(hash=shape.hash, changed=changed)
    log.warning("settings %s are confirmed by %s: %s", shape.hash, given.by, "; ".join(changed) or "no change")
    return {"confirmed": {"hash": shape.hash, "changed": changed, "settings": dict(shape.settings)}}


COMMANDS: Mapping[str, Command] = {
    "pause": Command(pause, ("reason", "until")),
    "resume": Command(resume),
    "confirm": Command(confirmed, ("hash",)),
    "restore": Command(restored, ("source", "confirm")),
    "repair": Command(repaired, ("key", "confirm")),
    "settle-intent": Command(settle_intent, settle.INTENT_FIELDS),
    "ignore-order": Command(settle.ignore_order, ("id", "reason")),
    "book-fill": Command(quarantine.book, quarantine.FILL_FIELDS),
    "ignore-fill": Command(quarantine.ignore, quarantine.FILL_FIELDS),
}


def write_audit_log(given: Given, command: Command) -> Mapping[str, Any]:
    """Queue the record of a command, and log it; an unreadable list must not stop the kill switch.

    Returns `warnings` for the response: empty, or that the command is recorded only in the log.
    """
    record: dict[str, Any] = {"command": given.body["command"], "by": given.by, "timestamp": given.now}
    for name in command.recorded:
        if name in given.body:
            value = given.body[name]
            record[name] = value[:TEXT_LIMIT] if isinstance(value, str) else value
    record |= given.found
    key, head = given.batch.keys.commands, given.batch.keys.audit_log_head
    try:
        chain = follow(given.store.read_one(("TEXT", head), given.meter))
    except StoreCorrupt:
        chain = follow(None)
    note("command", record)
    given.batch.document(head, chain.document())
    try:
        given.store.read_one(("LRANGE", key, "0", "0"), given.meter)
    except StoreCorrupt as error:
        log.error("the command is recorded in the log alone: %s", error)
        return {"warnings": [f"{error}: the command is recorded in the log alone"]}
    given.batch.push_document(key, record)
    return {}
