"""What needs attention after a successful run: an order in doubt, or slots that wanted to trade but were blocked.

Such a run returns success, since there is nothing to retry. The alert uses `attention` in its `job.finished` line.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from common.domain.slots import missed, slot_named
from common.gcp.logs import event
from common.store.codec import Document
from common.store.documents import MALFORMED_DOCUMENT, shown

BLOCKED_SLOTS_ALARM = 3
"""This many blocked slots in a row are no coincidence."""
UNRESOLVED = "Unresolved order"


def wanted(plan: Mapping[str, Any]) -> bool:
    """Whether the mix was off by enough to trade, even if something prevented the order."""
    passed = {check["name"]: check["passed"] for check in plan.get("checks") or ()}
    return plan.get("action") in ("BUY", "SELL") or bool(passed.get("minimum_notional") and passed.get("threshold"))


def traded(order: Mapping[str, Any] | None) -> bool:
    """Whether the order filled, or still may: a resting order waits for its price on purpose."""
    return order is not None and (bool(order.get("filled_quantity")) or order.get("status") == "RESTING")


def blocked_slots(reports: Sequence[Mapping[str, Any]]) -> int:
    """How many of the newest reports (newest first) in a row wanted to trade and filled nothing.

    An unreadable report ends the row.
    """
    count = 0
    with suppress(*MALFORMED_DOCUMENT):
        for report in reports:
            if not wanted(report.get("rebalance") or {}) or traded(shown(report.get("order"))):
                break
            count += 1
    return count


def log_fields(plan: Document, order: Document | None, earlier: Sequence[Mapping[str, Any]], mode: str) -> Document:
    """The fields of job.finished; `earlier` are the reports before this run as stored, newest first.

    `attention` is None, `unresolved_order` or `wanted_in_vain`; only live runs count blocked slots.
    """
    count = blocked_slots([{"rebalance": plan, "order": order}, *earlier]) if mode == "live" else 0
    if str(plan.get("reason")).startswith(UNRESOLVED):
        return {"attention": "unresolved_order", "slots_in_vain": count}
    return {"attention": "wanted_in_vain" if count >= BLOCKED_SLOTS_ALARM else None, "slots_in_vain": count}


def say_missed(task: str, slot: datetime, earlier: Sequence[Mapping[str, Any]]) -> None:
    """Log `slots.missed` when more than one slot before this one has no report: it did not run, or it failed."""
    gone: Sequence[datetime] = ()
    with suppress(*MALFORMED_DOCUMENT, IndexError):
        _, gone = missed([slot_named(earlier[0]["rebalance"]["slot"]), slot], slot)
    if len(gone) > 1:
        fields = {"task": task, "count": len(gone), "first": gone[0], "last": gone[-1]}
        event("slots.missed", fields, logging.WARNING)
