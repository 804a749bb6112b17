"""The bot as a service: turns a request into a run, and the run into an answer.

May import everything but runtime and the functions. The order of a run: caller, Redis, duplicate, lease,
gather, decide, apply, report (contract.md §2).
"""

import logging
import os
import random
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import redis
import requests
from flask import Request, Response

from common.clock import Clock, Deadline
from common.config import Settings
from common.decimal_json import to_answer
from common.domain.orders.order import JournalEntry
from common.domain.slots import Slot, slot_of
from common.errors import BadRequest, BotError, CallerError, LeaseHeld, StoreError
from common.gcp import logs
from common.gcp.callers import Caller, CallerCheck
from common.meter import Meter
from common.mexc.client import Mexc
from common.mexc.http import MexcHttp
from common.run import NOT_YET, Job, Outcome, Run, View
from common.store.batch import Batch
from common.store.cache import MarketCache
from common.store.keys import RAW_ENDPOINTS, Keys
from common.store.lease import Lease
from common.store.store import Begun, Store

log = logging.getLogger(__name__)
LEASE_MARGIN_SECONDS = 10
KEY_LIFE_DAYS, KEY_WARNING_DAYS = 90, 75


@dataclass
class Call:
    """One request on its way: what the answer and the log line are made from."""

    job: Job
    started: float
    now: datetime
    meter: Meter = field(default_factory=Meter)
    stages: dict[str, int] = field(default_factory=dict)
    caller: Caller | None = None


class Bot:
    """Everything that lives as long as the process; thread-safe (the framework serves in threads)."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        client: "redis.Redis",
        session: requests.Session,
        rng: random.Random,
        pool: Executor,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.rng = rng
        self.http = MexcHttp(
            session,
            settings.mexc_base_url,
            clock,
            settings.mexc_api_key,
            settings.mexc_secret_key,
            settings.exchange_timeout_seconds,
            rng,
        )
        self.store = Store(client, Keys(settings.redis_key_prefix, settings.symbol), clock)
        self.cache = MarketCache.from_settings(client, settings)
        self.callers = CallerCheck(settings, clock, session)
        self.pool = pool
        self.unsettled: dict[str, JournalEntry] = {}
        self._policy_checked = False

    def handle(self, job: Job, request: Request) -> Response:
        """Answer one request to a scheduled job: POST runs it, GET shows what is stored."""
        account = self.settings.scheduler_service_account

        def work(call: Call) -> Response:
            if request.method == "GET":
                return self._show(call, request)
            return self._run(call, slot_of(request.headers.get("X-CloudScheduler-ScheduleTime"), call.now))

        return self._answered(job, request, (account,) if account else (), work)

    def handle_ops(self, request: Request) -> Response:
        """Answer one request to the operator's door (contract.md §2.6)."""
        from common.ops import state as ops  # here only: they bring in every job, which no other function needs
        from common.ops import verify

        def work(call: Call) -> Response:
            if request.method == "POST":
                return self._command(call, request)
            name = request.path.strip("/")
            if name in ops.JOBS:
                return self._show(replace(call, job=ops.JOBS[name]), request)
            if name == "":
                return self._answer(call, 200, {"status": "success", "data": ops.state(self._view(call, None))})
            if name == "verify":
                report = verify.verify(self._view(call, None), self._exchange(call, self._deadline()))
                return self._answer(call, 200, {"status": "success", "data": report})
            raise BadRequest(f"path: /, /verify or one of {', '.join(f'/{job}' for job in ops.JOBS)}")

        return self._answered(ops.JOB, request, self.settings.operator_accounts, work)

    def _answered(
        self, job: Job, request: Request, allowed: Collection[str], work: Callable[["Call"], Response]
    ) -> Response:
        """Method and caller first; every error becomes an answer, and every run one job.finished line."""
        call = Call(job, self.clock.monotonic(), self.clock.now())
        trace = logs.trace_fields(
            request.headers.get("X-Cloud-Trace-Context"),
            request.headers.get("traceparent"),
            self.settings.google_cloud_project,
        )
        logs.set_context(trace | {"task": job.task})
        if request.method not in ("GET", "POST"):
            response = self._answer(call, 405, _error("method_not_allowed", f"{request.method} is not served"))
            response.headers["Allow"] = "GET, POST"
            return response
        try:
            call.caller = self.callers.check(request.headers, allowed)
            return work(call)
        except BotError as error:
            return self._failed(call, error)
        except Exception as error:  # noqa: BLE001 - the edge: a bug is answered, and told without its text
            return self._failed(call, _bug(error))

    # Commands

    def _command(self, call: Call, request: Request) -> Response:
        """pause, resume or restore; each is journalled with who gave it."""
        from common.ops import restore
        from common.ops import state as ops

        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            raise BadRequest("the body must be a JSON object with a command")
        name = body.get("command")
        who = call.caller.email or call.caller.auth if call.caller else "unknown"
        batch = Batch(self.store.keys, f"{self.rng.getrandbits(64):016x}", call.job.task)
        if name == "restore":
            restored = restore.job(restore.source_of(self.settings, body.get("source")))
            ops.journalled(batch, "restore", body, who, call.now)
            self.store.write(batch, call.meter)
            return self._run(replace(call, job=restored), slot_of(None, call.now))
        if not isinstance(name, str) or name not in ops.COMMANDS:
            raise BadRequest(f"command: one of {', '.join((*ops.COMMANDS, 'restore'))}")
        data = ops.COMMANDS[name](body, batch, who, call.now)
        ops.journalled(batch, name, body, who, call.now)
        self.store.write(batch, call.meter)
        self._finished(call, "success", None, {"command": name, "by": who})
        return self._answer(call, 200, {"status": "success", "data": data})

    # Reading

    def _show(self, call: Call, request: Request) -> Response:
        if "raw" in request.args:
            return self._raw(call, request.args)
        limit = _whole(request.args, "limit", None, 1, 1000)
        shown = call.job.show(self._view(call, limit))
        if shown is None:
            return self._answer(call, 200, {"status": "skipped", "reason": NOT_YET, "data": None})
        return self._answer(call, 200, {"status": "success", **shown})

    def _view(self, call: Call, limit: int | None) -> View:
        return View(self.settings, self.clock, self.store, call.meter, call.now, limit)

    def _raw(self, call: Call, query: Mapping[str, str]) -> Response:
        """Raw answers as they were stored, put into the answer unaltered to the last character."""
        endpoint = query["raw"]
        if endpoint not in RAW_ENDPOINTS:
            raise BadRequest(f"raw: one of {', '.join(RAW_ENDPOINTS)}")
        start = _whole(query, "start", 0, 0, 10**15) or 0
        end = _whole(query, "end", 10**15, 0, 10**15)
        limit = _whole(query, "limit", 100, 1, 1000) or 100
        items = self.store.raw_history(endpoint, start, 10**15 if end is None else end, limit, call.meter)
        envelope = to_answer(self._envelope(call, {"status": "success"}))
        data = f'{{"endpoint":{to_answer(endpoint)},"count":{len(items)},"items":[{",".join(items)}]}}'
        return Response(f'{envelope[:-1]},"data":{data}}}', 200, mimetype="application/json")

    # Running

    def _run(self, call: Call, slot: Slot) -> Response:
        settings, job = self.settings, call.job
        deadline = self._deadline()
        token = f"{job.name}:{slot.name}:{self.rng.getrandbits(64):016x}"
        lease_seconds = settings.run_deadline_seconds + LEASE_MARGIN_SECONDS
        begun = self._begin(call, slot, token, lease_seconds)
        if begun.answer is not None:
            return self._duplicate(call, begun.answer)
        if not begun.acquired:
            raise LeaseHeld("another run that shares this state is under way")
        batch = Batch(self.store.keys, token.rsplit(":", 1)[1], job.task)
        lease = self.store.lease(job.scope, begun.expires, call.meter)
        try:
            exchange = self._exchange(call, deadline)
            run = Run(
                settings,
                self.clock,
                slot,
                self.clock.now(),
                exchange,
                self.store,
                self.cache,
                self.pool,
                deadline,
                call.meter,
                batch,
                lease,
                begun.values,
                call.stages,
                self.unsettled,
            )
            try:
                outcome = job.run(run)
            except BotError as error:
                self._record_failure(call, slot, lease, error)
                raise
            except Exception as error:
                self._record_failure(call, slot, lease, _bug(error))
                raise
            return self._apply(call, slot, run, outcome)
        finally:
            lease.close()

    def _deadline(self) -> Deadline:
        return Deadline(self.clock, self.settings.run_deadline_seconds)

    def _exchange(self, call: Call, deadline: Deadline) -> Mexc:
        live = self.settings.execution_mode == "live"
        return Mexc(self.http, self.settings.instrument, deadline, call.meter, self.cache, may_trade=live)

    def _begin(self, call: Call, slot: Slot, token: str, lease_seconds: float) -> Begun:
        """Take the lease, waiting a little for another run that shares the state."""
        job, keys = call.job, self.store.keys
        mark = keys.run_mark(job.name, slot.name) if slot.scheduled else None
        reads, types = job.reads(keys, self.cache.keys), job.containers(keys)
        patience = Deadline(self.clock, self.settings.lease_wait_seconds)
        start = self.clock.monotonic()
        while True:
            begun = self.store.begin(job.scope, token, lease_seconds, mark, reads, types, call.meter)
            if begun.acquired or begun.answer is not None or not patience.remaining:
                call.stages["begin"] = self._since(start)
                return begun
            self.clock.sleep(0.05 + 0.1 * self.rng.random())

    def _apply(self, call: Call, slot: Slot, run: Run, outcome: Outcome) -> Response:
        """Store all of the run in one MULTI, with the answer that a duplicate delivery will be given."""
        job, keys, batch = call.job, self.store.keys, run.batch
        document = self._envelope(call, {"status": outcome.status, **_reason(outcome.reason), **outcome.body})
        if job.keeps_reports:
            document["stages"] = dict(call.stages)
            batch.report(job.name, document)
        else:
            batch.document(keys.report_last(job.name), self._summary(call, slot, outcome.status, outcome.reason))
        text = to_answer(document)
        if slot.scheduled and outcome.http_status == 200:
            batch.run_mark(job.name, slot.name, text)
        start = self.clock.monotonic()
        run.lease.commit(batch)
        for name in run.settled:
            self.unsettled.pop(name, None)
        call.stages["commit"] = self._since(start)
        self._warn_of_eviction()
        self._finished(call, outcome.status, outcome.reason, outcome.logged, failed=outcome.http_status != 200)
        return Response(text, outcome.http_status, mimetype="application/json")

    def _record_failure(self, call: Call, slot: Slot, lease: Lease, error: BotError) -> None:
        """Give the lease back, and leave word of the failure for whoever looks; nothing else is stored."""
        batch = Batch(self.store.keys, "failed", call.job.task)
        summary = self._summary(call, slot, "error", str(error)) | {"error": {"code": error.code}}
        batch.document(self.store.keys.report_last(call.job.name), summary)
        try:
            lease.commit(batch)
        except StoreError as lost:
            log.warning("the failure could not be recorded: %s", lost)

    def _duplicate(self, call: Call, answer: str) -> Response:
        self._finished(call, "skipped", "duplicate delivery", {})
        response = Response(answer, 200, mimetype="application/json")
        response.headers["X-Duplicate-Delivery"] = "true"
        return response

    # Answering

    def _failed(self, call: Call, error: BotError) -> Response:
        refused = {"auth_failure": error.code} if isinstance(error, CallerError) else {}
        if error.http_status == 200:
            self._finished(call, "skipped", str(error), {"error_code": error.code})
            return self._answer(call, 200, {"status": "skipped", "reason": str(error), "data": None})
        self._finished(call, "error", str(error), {"error_code": error.code, **refused}, failed=True)
        response = self._answer(call, error.http_status, _error(error.code, str(error)))
        if error.http_status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    def _envelope(self, call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "status": body["status"],
            "task": call.job.task,
            "auth": call.caller.auth if call.caller else None,
            "timestamp": call.now,
            "duration_ms": self._since(call.started),
            **body,
        }

    def _answer(self, call: Call, status: int, body: Mapping[str, Any]) -> Response:
        document = self._envelope(call, body)
        return Response(to_answer(document), status, mimetype="application/json")

    def _summary(self, call: Call, slot: Slot, status: str, reason: str | None) -> dict[str, Any]:
        return {
            "task": call.job.task,
            "status": status,
            "reason": reason,
            "timestamp": call.now,
            "slot": slot.name,
            "duration_ms": self._since(call.started),
        }

    def _finished(
        self, call: Call, status: str, reason: str | None, more: Mapping[str, Any], *, failed: bool = False
    ) -> None:
        """The one line of a run that metrics and alerts are made from (contract.md §9)."""
        fields = {
            "task": call.job.task,
            "status": status,
            "reason": reason,
            "duration_ms": self._since(call.started),
            "stages": call.stages,
            "calls": dict(call.meter.counts),
            **self._key_age(call.now.date()),
            **more,
        }
        logs.event("job.finished", fields, logging.ERROR if failed else logging.INFO)

    def _key_age(self, today: date) -> dict[str, int]:
        created = self.settings.mexc_key_created
        if created is None:
            return {}
        age = (today - created).days
        if age >= KEY_WARNING_DAYS:
            log.warning("the exchange key is %d days old: one without an IP dies at %d", age, KEY_LIFE_DAYS)
        return {"key_age_days": age}

    def _warn_of_eviction(self) -> None:
        """Once a process: permanent state is safe under `noeviction` only (contract.md §3)."""
        if self._policy_checked:
            return
        self._policy_checked = True
        policy = self.store.eviction_policy()
        if policy not in (None, "noeviction"):
            log.error("Redis runs the eviction policy %s: state may be lost, set noeviction", policy)

    def _since(self, start: float) -> int:
        return round((self.clock.monotonic() - start) * 1000)


def _bug(error: Exception) -> BotError:
    """What an unforeseen error may say: its kind and place, never its text."""
    trace, place = error.__traceback__, "unknown"
    while trace is not None:
        place = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
        trace = trace.tb_next
    log.critical("internal error: %s at %s", type(error).__name__, place)
    bug = BotError("internal error")
    bug.code = "internal"
    return bug


def _error(code: str, message: str) -> dict[str, Any]:
    return {"status": "error", "error": {"code": code, "message": message}}


def _reason(reason: str | None) -> dict[str, str]:
    return {"reason": reason} if reason else {}


def _whole(query: Mapping[str, str], name: str, default: int | None, least: int, most: int) -> int | None:
    """A whole number of the query. Raises BadRequest outside its range."""
    text = query.get(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 16 or not least <= int(text) <= most:
        raise BadRequest(f"{name}: a whole number from {least} to {most}")
    return int(text)
