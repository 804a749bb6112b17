"""The composition root: builds the bot once a process, and turns a request into a run and its answer.

Imports everything but the functions. The order of a run: caller, Redis, duplicate, lease, gather, decide,
apply, report (SPEC §2).
"""

import logging
import os
import random
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from threading import Lock
from typing import Any

import redis
import requests
from flask import Request, Response
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.adapters import logs
from common.adapters.cache import MarketCache
from common.adapters.caller import Caller, CallerCheck
from common.adapters.clock import Clock, Deadline, SystemClock
from common.adapters.documents import to_answer
from common.adapters.keys import RAW_ENDPOINTS, Keys
from common.adapters.mexc import Mexc
from common.adapters.mexc_http import Meter, MexcHttp, new_session
from common.adapters.store import Batch, Begun, Lease, Store
from common.config import Settings
from common.domain.slots import Slot, slot_of
from common.errors import BadRequest, BotError, CallerError, ConfigurationError, LeaseHeld, StoreError
from common.jobs.run import NOT_YET, Job, Outcome, Run, View

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
        self.pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="exchange")
        self._policy_checked = False

    def allowed(self) -> Collection[str]:
        """The accounts that may call the five jobs."""
        account = self.settings.scheduler_service_account
        return (account,) if account else ()

    def handle(self, job: Job, request: Request) -> Response:
        """Answer one request; every error becomes an answer, and every run one job.finished line."""
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
            call.caller = self.callers.check(request.headers, self.allowed())
            if request.method == "GET":
                return self._show(call, request)
            return self._run(call, slot_of(request.headers.get("X-CloudScheduler-ScheduleTime"), call.now))
        except BotError as error:
            return self._failed(call, error)
        except Exception as error:  # noqa: BLE001 - the edge: a bug is answered, and told without its text
            return self._failed(call, _bug(error))

    # Reading

    def _show(self, call: Call, request: Request) -> Response:
        if "raw" in request.args:
            return self._raw(call, request.args)
        limit = _whole(request.args, "limit", None, 1, 1000)
        shown = call.job.show(View(self.settings, self.store, call.meter, call.now, limit))
        if shown is None:
            return self._answer(call, 200, {"status": "skipped", "reason": NOT_YET, "data": None})
        return self._answer(call, 200, {"status": "success", **shown})

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
        deadline = Deadline(self.clock, settings.run_deadline_seconds)
        token = f"{job.name}:{slot.name}:{self.rng.getrandbits(64):016x}"
        lease_seconds = settings.run_deadline_seconds + LEASE_MARGIN_SECONDS
        begun = self._begin(call, slot, token, lease_seconds)
        if begun.answer is not None:
            return self._duplicate(call, begun.answer)
        if not begun.acquired:
            raise LeaseHeld("another run that shares this state is under way")
        batch = Batch(self.store.keys, token.rsplit(":", 1)[1], job.task)
        lease = self.store.lease(job.scope, lease_seconds, call.meter)
        try:
            exchange = Mexc(self.http, settings.instrument, deadline, call.meter, self.cache)
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
            )
            try:
                outcome = job.run(run)
            except BotError as error:
                self._record_failure(call, slot, lease, error)
                raise
            except Exception as error:
                self._record_failure(call, slot, lease, _bug(error))
                raise
            return self._apply(call, slot, batch, lease, outcome)
        finally:
            lease.close()

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

    def _apply(self, call: Call, slot: Slot, batch: Batch, lease: Lease, outcome: Outcome) -> Response:
        """Store all of the run in one MULTI, with the answer that a duplicate delivery will be given."""
        job, keys = call.job, self.store.keys
        document = self._envelope(call, {"status": outcome.status, **_reason(outcome.reason), **outcome.body})
        if job.keeps_reports:
            document["stages"] = dict(call.stages)
            batch.document(keys.report_last(job.name), document)
            batch.push_document(keys.report_history(job.name), document)
        else:
            batch.document(keys.report_last(job.name), self._summary(call, slot, outcome.status, outcome.reason))
        text = to_answer(document)
        if slot.scheduled and outcome.http_status == 200:
            batch.run_mark(job.name, slot.name, text)
        start = self.clock.monotonic()
        lease.commit(batch)
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
        self._finished(call, "duplicate", "already answered", {})
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
        """The one line of a run that metrics and alerts are made from (SPEC §9)."""
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
        """Once a process: permanent state is safe under `noeviction` only (SPEC §3)."""
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
    if not text.isdecimal() or not least <= int(text) <= most:
        raise BadRequest(f"{name}: a whole number from {least} to {most}")
    return int(text)


def redis_client(settings: Settings) -> "redis.Redis":
    """One client for a process. No retries: a write that timed out must not be sent again (gcp.md 4.5)."""
    options: dict[str, Any] = {
        "protocol": 2,
        "driver_info": None,
        "decode_responses": True,
        "socket_timeout": 2.0,
        "socket_connect_timeout": 2.0,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "max_connections": 20,
    }
    if settings.redis_ca:
        options |= {
            "ssl_ca_data": settings.redis_ca,
            "ssl_cert_reqs": "required",
            "ssl_check_hostname": False,
        }
    if settings.redis_url is not None:
        return redis.Redis.from_url(settings.redis_url.get_secret_value(), **options)
    password = settings.redis_password
    return redis.Redis(
        host=settings.redis_host or "",
        port=settings.redis_port,
        password=password.get_secret_value() if password else None,
        ssl=settings.redis_ca is not None,
        **options,
    )


def build(environ: Mapping[str, str], clock: Clock | None = None) -> Bot:
    """A bot from an environment. Raises ConfigurationError, naming every offender."""
    settings = Settings.from_env(environ)
    logs.set_up(settings)
    session = new_session(proxy=settings.https_proxy)
    return Bot(settings, clock or SystemClock(), redis_client(settings), session, random.SystemRandom())


_lock = Lock()
_bot: Bot | None = None


def install(bot: Bot | None) -> None:
    """Make `bot` the process's own: for a laptop run on a simulated clock, and for tests."""
    global _bot
    with _lock:
        _bot = bot


def process_bot() -> Bot:
    """The process's bot, built on first use. Raises ConfigurationError."""
    global _bot
    with _lock:
        if _bot is None:
            _bot = build(os.environ)
        return _bot


def serve(job: Job, request: Request) -> Response:
    """What each function's entry point does with a request."""
    try:
        bot = process_bot()
    except ConfigurationError as error:
        log.critical("configuration: %s", error)
        body = {"status": "error", "task": job.task, "error": {"code": error.code, "message": str(error)}}
        return Response(to_answer(body), 500, mimetype="application/json")
    return bot.handle(job, request)
