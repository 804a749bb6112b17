"""The state at a glance: what an operator wants to see first (contract.md §2.6). Corrupt keys do not break it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from common.domain.decision.pause import Pause
from common.domain.orders.journal import Journal
from common.errors import StoreCorrupt
from common.report.missed import missed_slots
from common.run import View, age_seconds
from common.store.codec import from_document, to_document
from common.store.entries import activity_document, entry_of
from common.store.store import Read

TASK = "ops"
JOBS = ("balance", "price", "cost", "fifteen_min_job", "rebalance")


def state(view: View) -> Mapping[str, Any]:
    """Runs and their ages, money, plan, open intents, pause; `unreadable` names each key that cannot be shown."""
    from common.report import mix as mixes  # here only: every function knows of this view, and only `ops` decides

    keys, instrument = view.keys, view.settings.instrument
    reads: dict[str, Read] = {f"run {name}": ("GET", keys.report_last(name)) for name in JOBS}
    reads |= {
        **mixes.reads(keys),
        "cost": ("HGETALL", keys.cost),
        "open_intents": ("HGETALL", keys.orders_open),
        "quarantine": ("HGETALL", keys.quarantine),
        "activity": ("GET", keys.day_start),
        "recent_intents": ("HGETALL", keys.orders_recent),
        "pause": ("GET", keys.pause),
        "commands": ("LRANGE", keys.commands, "0", "9"),
        "reports": ("LRANGE", keys.report_history("fifteen_min_job"), "0", "95"),
    }
    found, unreadable = view.store.survey(reads, view.meter)
    pause = None
    try:
        pause = from_document(Pause, found["pause"], keys.pause) if found["pause"] is not None else None
    except StoreCorrupt as error:
        unreadable.append(str(error))
    recent, orders = [], found["activity"]
    for document in (found["recent_intents"] or {}).values():
        try:
            recent.append(entry_of(document, keys.orders_recent))
        except StoreCorrupt as error:
            unreadable.append(str(error))
    if recent or orders:
        orders = activity_document(Journal.of(recent), orders, view.now)
    mix = mixes.mix_of(found, instrument, keys, unreadable)
    return {
        "runs": {name: _run(found[f"run {name}"], view.now) for name in JOBS},
        "balances": _aged(found["balances"], view.now),
        "price": _aged(found["price"], view.now),
        "cost": found["cost"] or None,
        "plan": found["plan"],
        "mix": mix.document(instrument) if mix else None,
        "policy": mix.in_policy(found["policy"]) if mix and found["policy"] else found["policy"],
        "open_intents": list((found["open_intents"] or {}).values()),
        "quarantine": list((found["quarantine"] or {}).values()),
        "orders": orders,
        "pause": to_document(pause) | {"active": pause.active(view.now)} if pause else None,
        "commands": found["commands"],
        "missed_slots": _missed(found["reports"], view.now),
        **({"unreadable": unreadable} if unreadable else {}),
    }


def _missed(reports: Any, now: datetime) -> Mapping[str, Any]:
    """Slots of the 15-minute job in the last day: how many were due, and those without a report."""
    expected, missed = missed_slots(reports or (), now)
    return {"expected": expected, "missed": missed}


def _run(report: Any, now: datetime) -> Any:
    """The last run of a job: how it ended, and how long ago."""
    if not isinstance(report, dict):
        return None
    shown = {name: report.get(name) for name in ("status", "reason", "timestamp", "duration_ms", "error")}
    return shown | {"age_seconds": age_seconds(report.get("timestamp"), now)}


def _aged(document: Any, now: datetime) -> Any:
    if not isinstance(document, dict):
        return None
    return document | {"age_seconds": age_seconds(document.get("timestamp"), now)}
