"""Log lines: one JSON object a line on the platform, plain text in a terminal, never a traceback."""

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError
from google.cloud.logging import Client, Resource
from google.cloud.logging.handlers.transports import Transport

from common.config import Settings
from common.errors import ConfigurationError
from common.gcp import logs
from common.gcp.journal import note
from tests.builders import d
from tests.conftest import ROOT
from tests.fakes import NOON

LAPTOP = {"REDIS_URL": "redis://127.0.0.1:1/0", "AUTH_MODE": "header"}
SCHEDULER = "scheduler@project.iam.gserviceaccount.com"
AUDIENCE = "https://balance.run.app"
PLATFORM = {
    **{"REDIS_URL": "redis://127.0.0.1:1/0", "K_SERVICE": "balance", "AUTH_MODE": "platform"},
    **{"OIDC_AUDIENCE": AUDIENCE, "SCHEDULER_SERVICE_ACCOUNT": SCHEDULER},
}
NAMES = ("", "urllib3", "google", "werkzeug", "test")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Whatever a test does to the loggers is undone."""
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)
    logs.set_context({})


def set_up(env: Mapping[str, str] = PLATFORM, **more: str) -> logging.Logger:
    logs.set_up(Settings.from_env({**env, **more}))
    return logging.getLogger("test")


def lines(act: Callable[[], object]) -> list[Any]:
    """What an act writes to stdout, every line parsed as JSON."""
    with redirect_stdout(io.StringIO()) as out:
        act()
    return [json.loads(line, parse_float=str) for line in out.getvalue().splitlines()]


# On the platform


def test_a_line_is_one_json_object_with_severity_message_and_time() -> None:
    log = set_up()
    (line,) = lines(lambda: log.info("Price: %s", d("0.0205")))
    assert (line["severity"], line["message"], line["logger"]) == ("INFO", "Price: 0.0205", "test")
    written = datetime.fromisoformat(line["time"])
    assert written.utcoffset() == timedelta(0)
    assert abs(written - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("severity", ["INFO", "WARNING", "ERROR", "CRITICAL"])
def test_the_severity_is_the_level(severity: str) -> None:
    log = set_up()
    (line,) = lines(lambda: log.log(logging.getLevelName(severity), "x"))
    assert line["severity"] == severity


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("DEBUG", ["DEBUG", "INFO", "WARNING", "ERROR"]),
        ("INFO", ["INFO", "WARNING", "ERROR"]),
        ("WARNING", ["WARNING", "ERROR"]),
        ("ERROR", ["ERROR"]),
    ],
)
def test_lines_below_the_level_are_not_written(level: str, shown: list[str]) -> None:
    log = set_up(LOG_LEVEL=level)

    def one_of_each() -> None:
        for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            log.log(number, "x")

    assert [line["severity"] for line in lines(one_of_each)] == shown


@pytest.mark.parametrize("level", ["WARNING", "ERROR"])
def test_no_level_silences_what_metrics_and_the_journal_are_made_from(level: str) -> None:
    log = set_up(LOG_LEVEL=level)

    def act() -> None:
        log.info("chatter")
        logs.event("job.finished", {"task": "15-min-job"})
        note("fill", {"quantity": d("1.5")})

    assert [line["message"] for line in lines(act)] == ["job.finished", "journal.fill"]


@pytest.mark.parametrize(
    "text", ["two\nlines", "carriage\rreturn", '{"json": "inside"}', "账号 🚀", "\u2028\u0085"]
)
def test_a_message_of_any_text_stays_on_one_line(text: str) -> None:
    log = set_up()
    with redirect_stdout(io.StringIO()) as out:
        log.info("%s", text)
    assert out.getvalue().count("\n") == 1
    assert json.loads(out.getvalue())["message"] == text


def test_an_event_carries_its_name_and_its_fields() -> None:
    set_up()
    fields = {
        **{"task": "update-price", "reason": None, "price": d("0.0205000"), "at": NOON, "ok": True},
        **{"stages": {"gather": 12}, "calls": {"depth": 1}},
    }
    (line,) = lines(lambda: logs.event("job.finished", fields))
    assert (line["event"], line["message"], line["severity"]) == ("job.finished", "job.finished", "INFO")
    assert (line["task"], line["reason"], line["ok"]) == ("update-price", None, True)
    assert line["price"] == "0.0205000", "an amount is a JSON number, to the last digit"
    assert line["at"] == "2026-01-02T12:00:00+00:00"
    assert (line["stages"], line["calls"]) == ({"gather": 12}, {"depth": 1})


def test_an_event_of_a_failure_has_its_own_severity() -> None:
    set_up()
    (line,) = lines(lambda: logs.event("job.finished", {}, logging.ERROR))
    assert line["severity"] == "ERROR"


def test_every_line_of_a_request_carries_its_context() -> None:
    log = set_up()
    trace = {"logging.googleapis.com/trace": "projects/p/traces/abc"}

    def request() -> None:
        logs.set_context({**trace, "task": "sync-balance"})
        log.info("one")
        logs.event("job.finished", {"status": "success"})

    for line in lines(request):
        assert line["logging.googleapis.com/trace"] == "projects/p/traces/abc"
        assert line["task"] == "sync-balance"


def test_the_next_request_does_not_inherit_the_context() -> None:
    log = set_up()
    logs.set_context({"task": "sync-balance", "logging.googleapis.com/trace": "x"})
    logs.set_context({"task": "update-price"})
    (line,) = lines(lambda: log.info("x"))
    assert line["task"] == "update-price"
    assert "logging.googleapis.com/trace" not in line


def test_requests_of_several_threads_keep_their_contexts_apart() -> None:
    log = set_up()
    barrier = Barrier(4)

    def request(number: int) -> None:
        logs.set_context({"task": f"task-{number}"})
        barrier.wait()
        log.info("message-%d", number)

    def all_at_once() -> None:
        threads = [Thread(target=copy_context().run, args=(request, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    told = {(line["task"], line["message"]) for line in lines(all_at_once)}
    assert told == {(f"task-{number}", f"message-{number}") for number in range(4)}


# Where lines go


def test_a_line_goes_to_whatever_stdout_is_at_that_moment() -> None:
    log = set_up()
    assert [line["message"] for line in lines(lambda: log.info("first"))] == ["first"]
    assert [line["message"] for line in lines(lambda: log.info("second"))] == ["second"]


def test_a_line_goes_to_stdout_and_not_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    set_up().warning("x")
    captured = capsys.readouterr()
    assert json.loads(captured.out)["message"] == "x"
    assert captured.err == ""


def test_a_handler_that_the_framework_installed_is_replaced() -> None:
    logging.getLogger().handlers[:] = [logging.StreamHandler(sys.stderr)]
    logging.getLogger().setLevel(logging.WARNING)
    log = set_up()
    assert len(lines(lambda: log.info("once"))) == 1
    assert [type(handler) for handler in logging.getLogger().handlers] == [logs.StdoutHandler]


def test_setting_up_twice_does_not_write_lines_twice() -> None:
    set_up()
    log = set_up()
    assert len(lines(lambda: log.info("once"))) == 1


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "google.auth", "werkzeug"])
def test_talkative_libraries_are_quiet_even_when_debugging(name: str) -> None:
    """Among what urllib3 tells at DEBUG is the signed URL."""
    set_up(LOG_LEVEL="DEBUG")
    library = logging.getLogger(name)

    def chatter() -> None:
        library.debug("GET /api/v3/order?signature=abc")
        library.info("x")
        library.warning("y")

    told = lines(chatter)
    assert [line["message"] for line in told] == ["y"]


# No traceback, whoever logs an exception


def fail() -> None:
    raise ValueError("https://api.mexc.com/api/v3/account?signature=abc")


@pytest.mark.parametrize("env", [PLATFORM, LAPTOP], ids=["platform", "laptop"])
def test_an_exception_is_told_by_kind_and_place_never_by_text_or_traceback(env: dict[str, str]) -> None:
    log = set_up(env)
    with redirect_stdout(io.StringIO()) as out:
        try:
            fail()
        except ValueError:
            log.exception("it failed")
    assert out.getvalue().count("\n") == 1
    assert "it failed" in out.getvalue()
    assert "ValueError at test_logs.py:" in out.getvalue()
    for secret in ("Traceback", "signature=abc", "api.mexc.com"):
        assert secret not in out.getvalue()


# In a terminal


def test_in_a_terminal_a_line_is_plain_text() -> None:
    log = set_up(LAPTOP)
    with redirect_stdout(io.StringIO()) as out:
        log.info("[Cloud Task] Price updated - Price: %s", "0.020500")
    time, level, message = out.getvalue().rstrip("\n").split(" ", 2)
    assert datetime.strptime(time, "%H:%M:%S")  # noqa: DTZ007 - a time of day
    assert (level, message) == ("INFO", "[Cloud Task] Price updated - Price: 0.020500")


@pytest.mark.parametrize("env", [LAPTOP, PLATFORM])
def test_a_line_of_any_text_can_be_written(env: dict[str, str]) -> None:
    log = set_up(env)
    with redirect_stdout(io.StringIO()) as out:
        log.warning("the balance of %s is left out", "\ud800")
        logs.event("odd", {"asset": "\udfff"})
    assert "\\ud800" in out.getvalue().encode().decode()


def test_in_a_terminal_an_event_shows_its_short_fields_behind_it() -> None:
    set_up(LAPTOP)
    with redirect_stdout(io.StringIO()) as out:
        logs.event("job.finished", {"task": "update-price", "price": d("0.02"), "reason": None})
    assert out.getvalue().rstrip("\n").endswith('INFO job.finished task="update-price" price=0.02')


# The trace


@pytest.mark.parametrize(
    ("header", "traceparent", "project", "trace"),
    [
        ("105445aa7843bc8bf206b12000100000/1;o=1", None, "p", "projects/p/traces/105445aa7843bc8bf206b12000100000"),
        ("abc", None, "p", "projects/p/traces/abc"),
        (None, "00-4bf92f3577b34da6-00f067aa0ba902b7-01", "p", "projects/p/traces/4bf92f3577b34da6"),
        ("abc/1", "00-4bf92f3577b34da6-00f067aa0ba902b7-01", "p", "projects/p/traces/abc"),
        (None, None, "p", None),
        ("abc/1", None, None, None),
        ("", "", "p", None),
        (None, "garbled", "p", None),
        ("../../other/traces/x", None, "p", None),
        ('abc","severity":"ERROR/1', None, "p", None),
    ],
)
def test_the_trace_of_a_request_is_named_as_cloud_logging_joins_lines(
    header: str | None, traceparent: str | None, project: str | None, trace: str | None
) -> None:
    expected = {"logging.googleapis.com/trace": trace} if trace else {}
    assert logs.trace_fields(header, traceparent, project) == expected


# As a process of its own


def run(script: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the project on its path and nothing else of our environment."""
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **env}
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]
    done = subprocess.run(command, env=clean, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done


ONE_POST = """
import base64, json, os, sys, time
from functions_framework import create_app

def segment(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

claims = {
    "iss": "https://accounts.google.com",
    "aud": os.environ["OIDC_AUDIENCE"],
    "email": os.environ["SCHEDULER_SERVICE_ACCOUNT"],
    "email_verified": True,
    "exp": time.time() + 600,
}
token = segment({"alg": "RS256"}) + "." + segment(claims) + ".SIGNATURE_REMOVED_BY_GOOGLE"
client = create_app(target="balance", source="functions/balance/main.py").test_client()
answer = client.post("/", headers={
    "Authorization": "Bearer " + token,
    "Function-Execution-Id": "execution-1",
    "X-Cloud-Trace-Context": "abc123/42;o=1",
})
print(answer.status_code, file=sys.stderr)
"""


@pytest.mark.parametrize("execution_id", [{"LOG_EXECUTION_ID": "true"}, {}], ids=["as on the platform", "without"])
def test_under_the_framework_info_lines_come_out_with_severity_trace_and_execution_id(
    redis_server: str, execution_id: dict[str, str]
) -> None:
    """A real function on a real Redis, as the platform runs it; without keys the run is skipped, at INFO."""
    done = run(ONE_POST, **{**PLATFORM, "REDIS_URL": redis_server, "GOOGLE_CLOUD_PROJECT": "p"}, **execution_id)
    assert done.stderr.split() == ["200"]
    told = [json.loads(line) for line in done.stdout.splitlines()]
    (finished,) = [line for line in told if line.get("event") == "job.finished"]
    assert (finished["severity"], finished["status"], finished["task"]) == ("INFO", "skipped", "sync-balance")
    assert finished["logging.googleapis.com/trace"] == "projects/p/traces/abc123"
    labels = finished.get("logging.googleapis.com/labels", {})
    assert labels == ({"execution_id": "execution-1"} if execution_id else {})
    assert all("severity" in line for line in told)


def test_a_configuration_that_is_wrong_is_told_as_a_json_line_too() -> None:
    """The first line of a function that cannot start, and the one that matters most."""
    env = {**PLATFORM, "LOG_EXECUTION_ID": "true", "REDIS_URL": "http://:geheim@host", "MEXC_API_KEY": "mx0geheim"}
    done = run(ONE_POST, **env)
    assert done.stderr.split() == ["500"]
    (line,) = [json.loads(text) for text in done.stdout.splitlines()]
    assert line["severity"] == "CRITICAL"
    assert "REDIS_URL" in line["message"]
    assert "MEXC_SECRET_KEY" in line["message"]
    assert "geheim" not in done.stdout


ORDERS = ("common.trading.execution", "common.trading.recording", "common.trading.planning")
PLANS = ("common.domain.decision.policy", "common.domain.decision.guards", "common.domain.orders.program")
BOOKS = (
    "common.domain.ledger",
    "common.domain.performance",
    "common.domain.orders.journal",
    "common.store.records",
)
NOT_NEEDED = {
    "common.jobs.price": (*ORDERS, *PLANS, *BOOKS, "common.mexc.fills", "common.books.", "common.trading."),
    "common.jobs.balance": (*ORDERS, *PLANS, *BOOKS, "common.mexc.fills"),
    "common.jobs.cost": (*ORDERS, *PLANS, "common.domain.orders.journal"),
    "common.jobs.fifteen_min_job": ("common.domain.decision.trend", "common.domain.decision.live_gate"),
    "common.ops.state": ("common.jobs.", "common.books.", "common.trading.", "common.report.page", *PLANS),
}


@pytest.mark.parametrize("module", NOT_NEEDED)
def test_a_function_imports_nothing_at_its_start_that_it_does_without(module: str) -> None:
    """google-cloud-logging alone costs half a second and 40 MB of a cold start (platform.md §7.3)."""
    modules = run(f"import {module}, common.runtime, sys; print(*sys.modules)").stdout.split()
    assert {module, "common.runtime"} <= set(modules)
    others = ("common.report", "common.ops") if module.startswith("common.jobs") else ()
    unneeded = (*NOT_NEEDED[module], *others, "google.cloud.", "google.auth", "grpc")
    assert [name for name in modules if name.startswith(unneeded)] == []


# Shipped by the client, off the platform


class Recording(Transport):  # type: ignore[misc]
    """A transport that keeps what it is to send."""

    def __init__(self, client: object, name: str, **_: object) -> None:
        self.sent: list[tuple[int, Any]] = []

    def send(self, record: logging.LogRecord, message: Any, **_: object) -> None:
        self.sent.append((record.levelno, message))


def test_off_the_platform_lines_are_shipped_where_a_project_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def client(project: str) -> Client:
        asked.append(project)
        return Client(project=project, credentials=AnonymousCredentials(), _use_grpc=False)

    monkeypatch.setattr("google.cloud.logging.Client", client)
    set_up(PLATFORM, LOG_SHIP_PROJECT="my-project")
    assert asked == []
    set_up(LAPTOP, LOG_SHIP_PROJECT="my-project")
    assert asked == ["my-project"]


def test_without_credentials_to_ship_with_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def client(project: str) -> Client:
        raise DefaultCredentialsError("none")

    monkeypatch.setattr("google.cloud.logging.Client", client)
    with pytest.raises(ConfigurationError, match="LOG_SHIP_PROJECT"):
        set_up(LAPTOP, LOG_SHIP_PROJECT="my-project")


def test_shipped_lines_are_structured_and_keep_an_exceptions_text_to_themselves() -> None:
    client = Client(project="project", credentials=AnonymousCredentials(), _use_grpc=False)
    handler: Any = logs.shipping(client, transport=Recording, resource=Resource(type="global", labels={}))
    logger = logging.getLogger("test")
    logger.handlers[:] = [handler]
    logs.set_context({"job": "balance"})
    try:
        raise ValueError("a secret")
    except ValueError:
        logger.exception("it broke", extra={"fields": {"event": "job.failed", "notional_usdt": d("0.10")}})
    [(level, payload)] = handler.transport.sent
    assert level == logging.ERROR
    assert (payload["event"], payload["job"], payload["notional_usdt"]) == ("job.failed", "balance", 0.1)
    assert payload["message"].startswith("it broke: ValueError at test_logs.py:")
    assert "secret" not in str(payload)
