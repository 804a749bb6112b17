"""Requests to the bot: method, caller, then a run (POST) or stored state (GET); every error becomes a response.

May import everything but runtime and the functions.
"""

import random
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from dataclasses import replace

import redis
import requests
from flask import Request, Response

from common.answers import Call, answer, bug, envelope, error_body, failed, finished, json_response
from common.clock import Clock
from common.config import Settings
from common.decimal_json import loads, to_answer
from common.domain.slots import slot_of
from common.errors import BadRequest, BotError, MissingCredentials
from common.gcp import logs
from common.gcp.callers import Caller, CallerCheck
from common.mexc.http import MexcHttp
from common.redact import redactor
from common.run import NOT_YET, Job, View
from common.runner import Runner
from common.store.cache import MarketCache
from common.store.keys import RAW_ENDPOINTS, Keys
from common.store.store import Store

BODY_LIMIT = 64 * 1024
"""Most bytes of a command: it holds a reason and some amounts."""


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
        self.callers = CallerCheck(settings, clock, session)
        self.store = Store(client, Keys(settings.redis_key_prefix, settings.symbol), clock)
        http = MexcHttp(
            session,
            settings.mexc_base_url,
            clock,
            settings.mexc_api_key,
            settings.mexc_secret_key,
            settings.exchange_timeout_seconds,
            rng,
        )
        cache = MarketCache.from_settings(client, settings, clock)
        self.redact = redactor(settings.secrets)
        self.runner = Runner(settings, clock, http, self.store, cache, pool, rng, self.redact)

    def handle(self, job: Job, request: Request) -> Response:
        """Handle one request to a scheduled job: POST runs it, GET shows what is stored."""
        account = self.settings.scheduler_service_account

        def work(call: Call) -> Response:
            if request.method == "GET":
                return self._show(call, request.args)
            slot = slot_of(request.headers.get("X-CloudScheduler-ScheduleTime"), call.now)
            return self.runner.run(call, slot)

        return self._respond(job, request, (account,) if account else (), work)

    def handle_ops(self, request: Request) -> Response:
        """Handle one request to the operator endpoint (contract.md §2.6): a view, a job's own GET, or a command."""
        from common.ops import state, views  # imported here: no other function needs them

        def work(call: Call) -> Response:
            if request.method == "POST":
                return self._command(call, request)
            name = request.path.strip("/")
            if (job := views.job(name)) is not None:
                return self._show(replace(call, job=job), request.args)
            shown = views.view(name, request.accept_mimetypes)
            if shown is None:
                raise BadRequest(f"path: one of {', '.join(f'/{path}' for path in (*views.VIEWS, *state.JOBS))}")
            content = shown(self._view(call, None), self.runner.exchange(call, self.runner.deadline()))
            if isinstance(content, views.Page):
                return Response(content.text, 200, headers=content.headers, mimetype=content.media_type)
            return answer(call, 200, {"status": "success", "data": content})

        return self._respond(views.JOB, request, self.settings.operator_accounts, work)

    def _respond(
        self, job: Job, request: Request, allowed: Collection[str], work: Callable[[Call], Response]
    ) -> Response:
        """Check method and caller first; every error becomes a response, and every run one job.finished line."""
        call = Call(job, self.clock, self.clock.monotonic(), self.clock.now())
        trace = logs.trace_fields(
            request.headers.get("X-Cloud-Trace-Context"),
            request.headers.get("traceparent"),
            self.settings.google_cloud_project,
        )
        logs.set_context(trace | {"task": job.task})
        response = self._handled(call, request, allowed, work)
        text = response.get_data(as_text=True)
        if (shown := self.redact(text)) is not text:
            response.set_data(shown)
        return response

    def _handled(
        self, call: Call, request: Request, allowed: Collection[str], work: Callable[[Call], Response]
    ) -> Response:
        if request.method not in ("GET", "POST"):
            response = answer(call, 405, error_body("method_not_allowed", f"{request.method} is not served"))
            response.headers["Allow"] = "GET, POST"
            return response
        try:
            call.caller = self._caller(request, allowed)
            return work(call)
        except BotError as error:
            return failed(call, error, self.settings)
        except Exception as error:  # noqa: BLE001 - the edge: a bug is reported without its text
            return failed(call, bug(error), self.settings)

    def _caller(self, request: Request, allowed: Collection[str]) -> Caller:
        try:
            return self.callers.check(request.headers, allowed, remote=request.remote_addr)
        except MissingCredentials:
            if request.method == "GET" and self.callers.browser(request.headers, request.remote_addr):
                return Caller("browser", None)
            raise

    def _command(self, call: Call, request: Request) -> Response:
        """Run one of the operator's commands; the audit log records who gave it."""
        from common.ops import commands
        from common.ops.given import Given

        body = _body(request)
        given = Given(
            body=body,
            by=call.who,
            now=call.now,
            settings=self.settings,
            store=self.store,
            meter=call.meter,
            batch=self.runner.batch(call, self.runner.run_id()),
        )
        name = body.get("command")
        command = commands.COMMANDS.get(name) if isinstance(name, str) else None
        if command is None:
            raise BadRequest(f"command: one of {', '.join(commands.COMMANDS)}")
        done = command.act(given)
        warnings = commands.write_audit_log(given, command)
        self.store.write(given.batch, call.meter)
        if isinstance(done, Job):
            return self.runner.run(replace(call, job=done), slot_of(None, call.now))
        finished(call, self.settings, "success", None, {"command": name, "by": call.who})
        return answer(call, 200, {"status": "success", "data": done, **warnings})

    # Reading

    def _show(self, call: Call, query: Mapping[str, str]) -> Response:
        if "raw" in query:
            return self._raw(call, query)
        limit = _whole(query, "limit", 1, 1, 1000) if "limit" in query else None
        shown = call.job.show(self._view(call, limit))
        if shown is None:
            return answer(call, 200, {"status": "skipped", "reason": NOT_YET, "data": None})
        return answer(call, 200, {"status": "success", **shown})

    def _view(self, call: Call, limit: int | None) -> View:
        return View(self.settings, self.clock, self.store, call.meter, call.now, limit)

    def _raw(self, call: Call, query: Mapping[str, str]) -> Response:
        """Stored raw replies, put into the response unaltered to the last character."""
        endpoint = query["raw"]
        if endpoint not in RAW_ENDPOINTS:
            raise BadRequest(f"raw: one of {', '.join(RAW_ENDPOINTS)}")
        start = _whole(query, "start", 0, 0, 10**15)
        end = _whole(query, "end", 10**15, 0, 10**15)
        limit = _whole(query, "limit", 100, 1, 1000)
        items = self.store.raw_history(endpoint, start, end, limit, call.meter)
        head = to_answer(envelope(call, {"status": "success"}))
        data = f'{{"endpoint":{to_answer(endpoint)},"count":{len(items)},"items":[{",".join(items)}]}}'
        return json_response(f'{head[:-1]},"data":{data}}}')


def _body(request: Request) -> Mapping[str, object]:
    """A command's JSON object, whatever its content type. Raises BadRequest."""
    text = request.get_data()  # the framework reads all of it anyway
    if len(text) > BODY_LIMIT:
        raise BadRequest(f"the body is larger than {BODY_LIMIT} bytes")
    try:
        body = loads(text, unique_keys=True)
    except ValueError as error:
        raise BadRequest(f"the body must be a JSON object with a command ({type(error).__name__})") from None
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object with a command")
    return body


def _whole(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number from the query. Raises BadRequest outside its range."""
    text = query.get(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 16 or not least <= int(text) <= most:
        raise BadRequest(f"{name}: a whole number from {least} to {most}")
    return int(text)
