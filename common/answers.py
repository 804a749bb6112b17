"""Responses: the envelope, errors with their status, and the one `job.finished` line.

May import ground, config, gcp and run.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from flask import Response

from common.clock import Clock
from common.config import KEY_LIFE_DAYS, KEY_WARNING_DAYS, Settings
from common.decimal_json import to_answer
from common.errors import BotError, CallerError
from common.gcp import logs
from common.gcp.callers import Caller
from common.meter import Meter
from common.run import Job

log = logging.getLogger(__name__)


@dataclass
class Call:
    """One request being handled: the data for its response and its log line."""

    job: Job
    clock: Clock
    started: float
    now: datetime
    meter: Meter = field(default_factory=Meter)
    stages: dict[str, int] = field(default_factory=dict)
    caller: Caller | None = None

    def since(self, start: float) -> int:
        """Whole milliseconds since a reading of the monotonic clock."""
        return round((self.clock.monotonic() - start) * 1000)

    @property
    def duration_ms(self) -> int:
        return self.since(self.started)

    @property
    def who(self) -> str:
        """The caller's e-mail, or the kind of credential."""
        return (self.caller.email or self.caller.auth) if self.caller else "unknown"


def envelope(call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of every response, plus `body` (with its `status`)."""
    return {
        "status": body["status"],
        "task": call.job.task,
        "auth": call.caller.auth if call.caller else None,
        "timestamp": call.now,
        "duration_ms": call.duration_ms,
        **body,
    }


def answer(call: Call, status: int, body: Mapping[str, Any]) -> Response:
    return json_response(to_answer(envelope(call, body)), status)


def json_response(text: str, status: int = 200) -> Response:
    """A response that no cache keeps: it holds balances and plans."""
    return Response(text, status, headers={"Cache-Control": "no-store"}, mimetype="application/json")


def failed(call: Call, error: BotError, settings: Settings) -> Response:
    """The response to an error, by what the caller does next; also logs the run's line."""
    if error.http_status == 200:
        finished(call, settings, "skipped", str(error), {"error_code": error.code})
        return answer(call, 200, {"status": "skipped", "reason": str(error), "data": None})
    refused = {"auth_failure": error.code} if isinstance(error, CallerError) else {}
    finished(call, settings, "error", str(error), {"error_code": error.code, **refused}, failed=True)
    response = answer(call, error.http_status, error_body(error.code, str(error)))
    if error.http_status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def error_body(code: str, message: str) -> dict[str, Any]:
    return {"status": "error", "error": {"code": code, "message": message}}


def bug(error: Exception) -> BotError:
    """An error for an unforeseen exception: it shows type and place, never the text."""
    trace, place = error.__traceback__, "unknown"
    while trace is not None:
        place = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
        trace = trace.tb_next
    log.critical("internal error: %s at %s", type(error).__name__, place)
    found = BotError("internal error")
    found.code = "internal"
    return found


def finished(
    call: Call,
    settings: Settings,
    status: str,
    reason: str | None,
    more: Mapping[str, Any],
    *,
    failed: bool = False,
) -> None:
    """Log the one line of a run from which metrics and alerts are made (contract.md §9)."""
    fields = {
        "task": call.job.task,
        "status": status,
        "reason": reason,
        "duration_ms": call.duration_ms,
        "stages": call.stages,
        "calls": dict(call.meter.counts),
        **_key_age(settings.mexc_key_created, call.now.date()),
        **more,
    }
    logs.event("job.finished", fields, logging.ERROR if failed else logging.INFO)


def _key_age(created: date | None, today: date) -> dict[str, int]:
    if created is None:
        return {}
    age = (today - created).days
    if age >= KEY_WARNING_DAYS:
        log.warning("the exchange key is %d days old: one without an IP dies at %d", age, KEY_LIFE_DAYS)
    return {"key_age_days": age}
