"""`ops`: the operator's own door (contract.md §2.6). The state at a glance, the kill switch, verify, restore."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from common.domain.decision.guards import Pause
from common.errors import BadRequest
from common.jobs import balance, cost, fifteen_min_job, price, rebalance
from common.run import Job, Outcome, Run, View, age_seconds
from common.store.batch import Batch
from common.store.order_records import pause_document, pause_of
from common.store.store import Read

log = logging.getLogger(__name__)
TASK = "ops"
JOBS: Mapping[str, Job] = {job.JOB.name: job.JOB for job in (balance, price, cost, fifteen_min_job, rebalance)}


def state(view: View) -> Mapping[str, Any]:
    """What an operator wants to see first: runs and their age, money, plan, open intents, pause."""
    keys = view.keys
    reads: dict[str, Read] = {f"run {name}": ("GET", keys.report_last(name)) for name in JOBS}
    reads |= {
        "balances": ("GET", keys.account_balance),
        "price": ("GET", keys.price_latest),
        "cost": ("HGETALL", keys.cost),
        "plan": ("GET", keys.plan_last),
        "open_intents": ("HGETALL", keys.orders_open),
        "activity": ("GET", keys.activity),
        "pause": ("GET", keys.pause),
        "commands": ("LRANGE", keys.commands, "0", "9"),
    }
    found = view.store.read(reads, view.meter)
    pause = pause_of(found["pause"], keys.pause)
    return {
        "runs": {name: _run(found[f"run {name}"], view.now) for name in JOBS},
        "balances": _aged(found["balances"], view.now),
        "price": _aged(found["price"], view.now),
        "cost": found["cost"] or None,
        "plan": found["plan"],
        "open_intents": list((found["open_intents"] or {}).values()),
        "orders": found["activity"],
        "pause": pause_document(pause) | {"active": pause.active(view.now)} if pause else None,
        "commands": found["commands"],
    }


def _run(report: Any, now: datetime) -> Any:
    """The last run of a job: how it ended, and how long ago."""
    if report is None:
        return None
    told = {name: report.get(name) for name in ("status", "reason", "timestamp", "duration_ms", "error")}
    return told | {"age_seconds": age_seconds(report.get("timestamp"), now)}


def _aged(document: Any, now: datetime) -> Any:
    if document is None:
        return None
    return document | {"age_seconds": age_seconds(document.get("timestamp"), now)}


def pause(body: Mapping[str, Any], batch: Batch, who: str, now: datetime) -> Mapping[str, Any]:
    """Set the kill switch: honoured before every order, until it is lifted or `until` has come."""
    reason = body.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise BadRequest("pause: a reason must be given")
    until = _until(body.get("until"), now)
    switch = Pause(reason.strip()[:500], who, now, until)
    batch.document(batch.keys.pause, pause_document(switch))
    log.warning("trading is paused by %s: %s", who, switch.reason)
    return {"pause": pause_document(switch) | {"active": True}}


def _until(value: object, now: datetime) -> datetime | None:
    if value is None:
        return None
    try:
        until = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        until = None
    if until is None or until.tzinfo is None or until <= now:
        raise BadRequest("until: a time to come, ISO 8601 with an offset, or nothing")
    return until.astimezone(UTC)


def resume(body: Mapping[str, Any], batch: Batch, who: str, now: datetime) -> Mapping[str, Any]:
    """Lift the kill switch."""
    del body, now
    batch.delete(batch.keys.pause)
    log.warning("trading is resumed by %s", who)
    return {"pause": None}


Command = Callable[[Mapping[str, Any], Batch, str, datetime], Mapping[str, Any]]
COMMANDS: Mapping[str, Command] = {"pause": pause, "resume": resume}


def journalled(batch: Batch, command: str, body: Mapping[str, Any], who: str, now: datetime) -> None:
    """Queue the record of a command: what was ordered, by whom, when."""
    record = {"command": command, "by": who, "timestamp": now}
    record |= {name: body[name] for name in ("reason", "until", "source") if name in body}
    batch.push_document(batch.keys.commands, record)


def _no_run(_: Run) -> Outcome:
    raise BadRequest("ops is not a scheduled job")


JOB = Job(
    name="ops",
    task=TASK,
    scope="account",
    reads=lambda keys, cache: {},
    containers=lambda keys: {},
    run=_no_run,
    show=state,
)
