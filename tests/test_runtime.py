"""The HTTP contract of every function (contract.md §1): methods, envelopes, errors, duplicates, leases."""

import logging
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
import redis
import requests

from common import runtime
from common.config import Settings
from local.redis_server import free_port
from tests.builders import (
    account_payload,
    bearer,
    everything,
    exchange_answers,
    fill_payload,
    finished,
    platform_token,
    ticker_payload,
    told,
)
from tests.conftest import ENV, TASKS, Functions, MakeBot
from tests.fakes import NOON, Call, FakeClock, Line, Several, StubExchange

JOBS = list(TASKS)
SIGNED = [job for job in JOBS if job != "price"]
SLOT = NOON.isoformat()
KEY, SECRET = "mx0vglAPIKEY", "s3cr3t-of-the-exchange"
PASSWORD = "hunter2-redis"

each_job = pytest.mark.parametrize("job", JOBS)


@pytest.fixture(autouse=True)
def _bought(exchange: StubExchange) -> None:
    """An account whose coins have a known cost, so that no job has a reason to skip."""
    fills = [fill_payload("BUY", "1000.5", "0.02", at=NOON - timedelta(days=1))]
    exchange.answers |= exchange_answers(fills=fills)


def succeed(functions: Functions, job: str) -> Any:
    """A run of `job`, with the balances that cost needs stored before it."""
    if job == "cost":
        assert functions.post("balance").status_code == 200
    response = functions.post(job)
    assert (response.status_code, told(response)["status"]) == (200, "success"), response.text
    return response


def error_of(response: Any) -> tuple[int, str]:
    answer = told(response)
    assert answer["status"] == "error", answer
    assert set(answer["error"]) == {"code", "message"}
    assert answer["error"]["message"]
    return response.status_code, answer["error"]["code"]


def reads_of(job: str) -> str:
    """The path that a run of `job` cannot do without."""
    return {"balance": "account", "price": "ticker/24hr"}.get(job, "ticker/price")


# Methods and envelope


@each_job
def test_post_runs_and_get_reads_at_any_path(job: str, functions: Functions, exchange: StubExchange) -> None:
    headers = {"X-CloudScheduler": "true"}
    functions.post("balance")
    for path in ("/", "/run", f"/{job}/now"):
        assert functions.client(job).post(path, headers=headers).status_code == 200
    calls = len(exchange.calls)
    for path in ("/", "/state", f"/{job}/last"):
        answer = told(functions.client(job).get(path, headers=headers))
        assert (answer["status"], answer["task"]) == ("success", TASKS[job])
    assert len(exchange.calls) == calls


@each_job
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/some/where"])
def test_any_other_method_is_refused_with_what_is_allowed(
    job: str, method: str, path: str, functions: Functions, exchange: StubExchange, line: Line
) -> None:
    response = functions.client(job).open(path, method=method, headers={"X-CloudScheduler": "true"})
    assert response.status_code == 405
    assert {part.strip() for part in response.headers["Allow"].split(",")} == {"GET", "POST"}
    if method != "HEAD":
        assert error_of(response)[0] == 405
    assert (exchange.calls, line.trips) == ([], [])


@each_job
def test_the_envelope_of_a_run(job: str, functions: Functions) -> None:
    response = succeed(functions, job)
    answer = told(response)
    assert (response.mimetype, response.headers["Cache-Control"]) == ("application/json", "no-store")
    assert (answer["status"], answer["task"], answer["auth"]) == ("success", TASKS[job], "X-CloudScheduler")
    stamp = datetime.fromisoformat(answer["timestamp"])
    assert (stamp, stamp.utcoffset()) == (NOON, timedelta(0))
    assert type(answer["duration_ms"]) is int
    body = {"fifteen_min_job": {"cost_update", "rebalance", "order"}, "rebalance": {"rebalance", "order"}}
    assert body.get(job, {"data"}) <= set(answer)


def test_the_duration_is_the_runs_own_time(functions: Functions, exchange: StubExchange, clock: FakeClock) -> None:
    account = exchange.answers["account"]

    def slow(_: Call) -> Any:
        clock.move(1.5)
        return account

    exchange.answers["account"] = slow
    assert told(functions.post("balance"))["duration_ms"] == 1500


@each_job
def test_a_run_writes_one_line_that_metrics_are_made_from(
    job: str, functions: Functions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    functions.post("balance")
    caplog.clear()
    functions.post(job)
    [line] = finished(caplog)
    assert (line["task"], line["status"], line["reason"]) == (TASKS[job], "success", None)
    assert type(line["duration_ms"]) is int
    assert {"begin", "gather", "commit"} <= set(line["stages"])
    assert line["calls"]["redis"] >= 3
    assert sum(line["calls"].values()) > line["calls"]["redis"]


# Callers


PLATFORM = {
    "AUTH_MODE": "platform",
    "K_SERVICE": "balance",
    "OIDC_AUDIENCE": "https://bot.run.app",
    "SCHEDULER_SERVICE_ACCOUNT": "scheduler@project.iam",
}


@each_job
def test_the_answer_says_by_what_the_caller_was_known(
    job: str, make_bot: MakeBot, bare_functions: Functions
) -> None:
    make_bot(**PLATFORM)
    token = bearer(platform_token())
    assert told(bare_functions.client(job).post("/", headers=token))["auth"] == "OIDC"
    assert told(bare_functions.client(job).get("/", headers=token))["auth"] == "OIDC"


@each_job
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_reading_and_running_both_ask_for_a_caller(
    job: str, method: str, functions: Functions, exchange: StubExchange, line: Line
) -> None:
    response = functions.client(job).open("/", method=method)
    assert error_of(response) == (401, "missing_credentials")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert told(response)["task"] == TASKS[job]
    assert (exchange.calls, line.trips) == ([], [])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (bearer(platform_token()), 200),
        (bearer(platform_token("somebody@else.iam")), 403),
        (bearer(platform_token(aud="https://other.run.app")), 401),
        ({"X-CloudScheduler": "true"}, 401),
        ({}, 401),
    ],
)
def test_only_the_schedulers_account_may_call(
    headers: dict[str, str], status: int, make_bot: MakeBot, bare_functions: Functions, caplog: Any
) -> None:
    caplog.set_level("INFO")
    make_bot(**PLATFORM)
    assert bare_functions.client("price").post("/", headers=headers).status_code == status
    if status != 200:
        assert [line["auth_failure"] for line in finished(caplog)]


# Configuration


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Set the process's own environment, for a process that has not built its bot yet."""

    def set_all(**env: str) -> None:
        runtime.install(None)
        for name in Settings.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)
        for name, value in env.items():
            monkeypatch.setenv(name, value)

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield set_all
    root.handlers[:] = handlers
    root.setLevel(level)
    runtime.install(None)


@each_job
def test_every_offending_setting_is_named_in_one_error_and_none_of_their_values(
    job: str, environment: Callable[..., None], bare_functions: Functions, caplog: pytest.LogCaptureFixture
) -> None:
    environment(
        AUTH_MODE="header",
        REDIS_URL=f"redis://:{PASSWORD}@127.0.0.1:1/0",
        TARGET_RATIO="1.5",
        MIN_NOTIONAL_USDT="NaN",
        THRESHOLD_PCT="-0.01",
        REDIS_CACHE_TTL_TICKER="0",
        SYMBOL="qrl usdt",
        MEXC_BASE_URL=f"http://user:{SECRET}@example.com",
    )
    response = bare_functions.post(job)
    assert error_of(response) == (500, "configuration")
    assert told(response)["task"] == TASKS[job]
    offenders = ("TARGET_RATIO", "MIN_NOTIONAL_USDT", "THRESHOLD_PCT", "REDIS_CACHE_TTL_TICKER", "SYMBOL")
    for name in (*offenders, "MEXC_BASE_URL"):
        assert name in told(response)["error"]["message"]
    for value in (PASSWORD, SECRET, "1.5", "qrl usdt"):
        assert value not in response.text + caplog.text


def test_the_header_alone_is_refused_at_start_on_the_platform(
    environment: Callable[..., None], bare_functions: Functions
) -> None:
    environment(K_SERVICE="price", AUTH_MODE="header", REDIS_URL="redis://127.0.0.1:1/0")
    response = bare_functions.post("price")
    assert error_of(response) == (500, "configuration")
    assert "AUTH_MODE" in told(response)["error"]["message"]


def test_the_platform_mode_is_refused_off_the_platform(
    environment: Callable[..., None], bare_functions: Functions
) -> None:
    environment(**{name: value for name, value in PLATFORM.items() if name != "K_SERVICE"}, REDIS_HOST="localhost")
    assert error_of(bare_functions.post("price")) == (500, "configuration")


def test_a_misspelt_setting_is_warned_of_at_start_without_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    runtime.build(ENV | {"MAX_NOTIONAL_USD": "57"})
    told = capsys.readouterr().out
    assert "WARNING MAX_NOTIONAL_USD is no setting and changes nothing: did you mean MAX_NOTIONAL_USDT?" in told
    assert "57" not in told.split("WARNING")[1]


@pytest.mark.parametrize(
    ("more", "mode"),
    [
        ({}, "plan"),
        ({"MEXC_BASE_URL": "http://127.0.0.1:1"}, "live"),
        ({**PLATFORM, "AUTH_MODE": "platform"}, "live"),
    ],
)
def test_off_the_platform_a_function_by_itself_plans_only(
    more: dict[str, str], mode: str, environment: Callable[..., None]
) -> None:
    environment(**{**ENV, "MEXC_BASE_URL": "https://api.mexc.com", "EXECUTION_MODE": "live", **more})
    assert runtime.process_bot().settings.execution_mode == mode


def test_a_process_whose_settings_are_put_right_needs_no_new_start(
    environment: Callable[..., None], bare_functions: Functions
) -> None:
    environment(AUTH_MODE="header", REDIS_URL="redis://127.0.0.1:1/0", TARGET_RATIO="half")
    assert bare_functions.get("price").status_code == 500
    environment(AUTH_MODE="header", REDIS_URL="redis://127.0.0.1:1/0")
    assert error_of(bare_functions.get("price")) == (503, "redis_unreachable")


# Without keys


@pytest.mark.parametrize("job", SIGNED)
def test_without_keys_a_run_that_needs_them_is_skipped(
    job: str, make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange
) -> None:
    make_bot(MEXC_API_KEY="", MEXC_SECRET_KEY="")
    response = bare_functions.post(job)
    answer = told(response)
    assert (response.status_code, answer["status"], answer["reason"]) == (200, "skipped", "API keys not configured")
    assert exchange.calls == []


# Reading


@each_job
def test_get_before_anything_is_stored_tells_so(job: str, functions: Functions, exchange: StubExchange) -> None:
    response = functions.get(job)
    answer = told(response)
    assert (response.status_code, answer["status"], answer["task"]) == (200, "skipped", TASKS[job])
    assert answer["reason"]
    assert answer["data"] is None
    assert exchange.calls == []


@each_job
def test_get_neither_asks_the_exchange_nor_writes_nor_waits_for_a_lease(
    job: str,
    functions: Functions,
    exchange: StubExchange,
    line: Line,
    store_client: "redis.Redis",
    clock: FakeClock,
) -> None:
    succeed(functions, job)
    store_client.set("bot:QRLUSDT:lease:account", "somebody else")
    store_client.set("bot:QRLUSDT:lease:price", "somebody else")
    before = everything(store_client)
    del exchange.calls[:], line.trips[:]
    for query in ("", "?limit=3", "?raw=account_info"):
        assert told(functions.get(job, query))["status"] == "success"
    assert exchange.calls == []
    assert not {"SET", "WATCH", "DEL", "HSET", "ZADD"} & {name for trip in line.trips for name in trip}
    assert everything(store_client) == before
    assert clock.slept == []


@pytest.mark.parametrize(
    "query",
    [
        "?raw=passwords",
        "?raw=",
        "?raw=account_info&start=yesterday",
        "?raw=account_info&end=1.5",
        "?raw=account_info&start=-1",
        "?raw=account_info&limit=0",
        "?raw=account_info&limit=1001",
        "?raw=account_info&limit=",
        "?raw=account_info&limit=" + "9" * 5000,
        "?limit=many",
        "?limit=0",
        "?limit=1001",
    ],
)
def test_a_query_that_cannot_be_read_is_the_callers_error(query: str, functions: Functions) -> None:
    assert error_of(functions.get("rebalance", query)) == (400, "bad_request")


def raw(functions: Functions, query: str) -> list[int]:
    answer = told(functions.get("balance", f"?raw=account_info{query}"))
    assert answer["status"] == "success"
    return [item["response"]["n"] for item in answer["data"]["items"]]


def test_raw_history_is_read_by_time_newest_first(
    functions: Functions, store_client: "redis.Redis", exchange: StubExchange
) -> None:
    rows = {f'{{"response":{{"n":{n}}},"timestamp":{n * 10}}}': n * 10 for n in range(1000)}
    store_client.zadd("mexc:raw:account_info:history", rows)
    assert raw(functions, "") == list(range(999, 899, -1))
    assert raw(functions, "&limit=1000") == list(range(999, -1, -1))
    assert raw(functions, "&start=100&end=130") == [13, 12, 11, 10]
    assert raw(functions, "&start=101&end=129") == [12, 11]
    assert raw(functions, "&end=30") == [3, 2, 1, 0]
    assert raw(functions, "&start=9980") == [999, 998]
    assert raw(functions, "&start=130&end=100") == []
    assert raw(functions, "&end=0") == [0]
    assert raw(functions, "&limit=2") == [999, 998]
    assert exchange.calls == []


def test_raw_answers_come_back_as_the_exchange_wrote_them(functions: Functions, exchange: StubExchange) -> None:
    text = '{"symbol" : "QRLUSDT","price":"0.0205000" , "extra": [1.10, 1E-7]}'
    functions.post("balance")
    exchange.answers["ticker/price"] = (200, text)
    functions.post("cost")
    response = functions.get("cost", "?raw=ticker_price")
    assert f'"response":{text}' in response.text
    [item] = told(response)["data"]["items"]
    assert (item["timestamp"], item["datetime"]) == (int(NOON.timestamp() * 1000), NOON.isoformat())
    assert item["metadata"].items() >= {"task": "update-cost"}.items()


# Errors of the exchange


BAD_ANSWERS: list[tuple[Any, int, str]] = [
    ((200, "<html>Access Denied</html>"), 502, "exchange_payload_unreadable"),
    ((200, ""), 502, "exchange_payload_unreadable"),
    (
        (200, '{"symbol": "QRLUSDT", "lastPrice": NaN, "price": NaN, "balances": NaN}'),
        502,
        "exchange_payload_unreadable",
    ),
    ((200, '{"price": 1E+99999999999999999999}'), 502, "exchange_payload_unreadable"),
    ((200, "[" * 100_000), 502, "exchange_payload_unreadable"),
    ([], 502, "exchange_payload_unreadable"),
    ({}, 502, "exchange_payload_unreadable"),
    (None, 502, "exchange_payload_unreadable"),
    ((400, {"code": 10072, "msg": "Api key info invalid"}), 502, "exchange_access_refused"),
    ({"code": 700002, "msg": "Signature for this request is not valid."}, 502, "exchange_access_refused"),
    ((503, ""), 503, "exchange_unavailable"),
    ((500, "<html>"), 503, "exchange_unavailable"),
    ((429, {"code": 429, "msg": "Too Many Requests"}), 503, "exchange_rate_limited"),
    ((403, "<html>Access Denied</html>"), 503, "exchange_rate_limited"),
    (requests.ConnectionError("refused"), 503, "exchange_unavailable"),
    (requests.ReadTimeout("slow"), 503, "exchange_unavailable"),
]


@each_job
@pytest.mark.parametrize(("bad", "status", "code"), BAD_ANSWERS)
def test_an_exchange_that_refuses_or_is_unreadable_is_502_and_one_that_is_away_503(
    job: str, bad: Any, status: int, code: str, functions: Functions, exchange: StubExchange, store_client: Any
) -> None:
    if job == "cost":
        functions.post("balance")
    before = set(store_client.scan_iter())
    exchange.answers[reads_of(job)] = bad
    assert error_of(functions.post(job)) == (status, code)
    stored = set(store_client.scan_iter()) - before
    assert all(":report:" in key or ":raw:" in key for key in stored), stored
    assert not [key for key in stored if ":raw:" in key and job in ("balance", "price")]


def test_the_run_after_a_failed_one_is_as_if_nothing_had_been(functions: Functions, exchange: StubExchange) -> None:
    exchange.answers["account"] = Several((400, {"code": 10072, "msg": "x"}), exchange.answers["account"])
    assert functions.post("balance").status_code == 502
    assert functions.post("balance").status_code == 200


@each_job
def test_a_bug_is_an_internal_error_without_its_text(
    job: str, functions: Functions, exchange: StubExchange, caplog: pytest.LogCaptureFixture
) -> None:
    if job == "cost":
        functions.post("balance")
    exchange.answers[reads_of(job)] = ZeroDivisionError(f"division by {SECRET}")
    response = functions.post(job)
    assert error_of(response) == (500, "internal")
    for text in (SECRET, "ZeroDivisionError", "Traceback"):
        assert text not in response.text
    assert SECRET not in caplog.text
    assert "ZeroDivisionError" in caplog.text, "its kind and place are told in the log"
    assert functions.post("price" if job != "price" else "balance").status_code == 200


# Secrets


def echo(call: Call) -> Any:
    """An exchange that tells everything back."""
    return 400, {"code": 700002, "msg": f"bad: {call.query} {call.headers.get('X-MEXC-APIKEY')} {SECRET}"}


def echo_html(call: Call) -> Any:
    return 403, f"<html>{call.query} {call.headers.get('X-MEXC-APIKEY')}</html>"


def echo_raised(call: Call) -> Any:
    return requests.ConnectionError(f"https://exchange.test/api?{call.query} {KEY} {SECRET}")


def echo_bug(call: Call) -> Any:
    return RuntimeError(f"https://exchange.test/api?{call.query} {KEY} {SECRET}")


def echo_field(call: Call) -> Any:
    """A payload that is wrong in a field which carries the secrets."""
    text = f"{call.query}&secret={SECRET}"
    return [{"price": text, "id": text}] if call.path == "myTrades" else {"symbol": text, "price": text}


def assert_no_secret(*texts: str) -> None:
    for text in texts:
        for secret in (KEY, SECRET, PASSWORD, "Traceback"):
            assert secret not in text
        assert not re.search(r"signature=[0-9a-f]{8}", text)


@each_job
@pytest.mark.parametrize("bad", [echo, echo_html, echo_raised, echo_bug, echo_field])
def test_no_secret_reaches_an_answer_a_log_line_or_redis(
    job: str,
    bad: Any,
    make_bot: MakeBot,
    bare_functions: Functions,
    exchange: StubExchange,
    store_client: Any,
    caplog: Any,
) -> None:
    caplog.set_level("DEBUG")
    make_bot(MEXC_API_KEY=KEY, MEXC_SECRET_KEY=SECRET)
    bare_functions.post("balance")
    exchange.answers = dict.fromkeys(exchange.answers, bad)
    response = bare_functions.post(job)
    assert response.status_code >= 500
    again = bare_functions.get(job)
    kept = [str(dump) for key, dump in everything(store_client).items() if ":raw:" not in key]
    assert_no_secret(response.text, again.text, caplog.text, *kept)


@each_job
def test_a_redis_that_is_away_is_503_and_tells_no_url(
    job: str, make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    url = f"redis://default:{PASSWORD}@127.0.0.1:{free_port()}/0"
    settings = Settings.from_env({**ENV, "REDIS_URL": url})
    make_bot(runtime.redis_client(settings), REDIS_URL=url)
    for response in (bare_functions.post(job), bare_functions.get(job), bare_functions.get(job, "?raw=depth")):
        assert error_of(response) == (503, "redis_unreachable")
        assert_no_secret(response.text)
        assert "redis://" not in response.text
    assert_no_secret(caplog.text)
    assert exchange.calls == [], "Redis is asked before the exchange"


def test_a_password_that_redis_refuses_is_a_configuration_error(
    make_bot: MakeBot, bare_functions: Functions, redis_server: str, caplog: pytest.LogCaptureFixture
) -> None:
    admin = redis.Redis.from_url(redis_server)
    admin.config_set("requirepass", "the-right-one")
    try:
        url = redis_server.replace("redis://", f"redis://:{PASSWORD}@")
        settings = Settings.from_env({**ENV, "REDIS_URL": url})
        make_bot(runtime.redis_client(settings), REDIS_URL=url)
        response = bare_functions.post("price")
        assert error_of(response) == (500, "configuration")
        assert_no_secret(response.text, caplog.text)
    finally:
        admin.config_set("requirepass", "")
        admin.close()


# Duplicates


@each_job
def test_a_slot_delivered_twice_is_one_run_and_one_answer(
    job: str, functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    functions.post("balance")
    first = functions.post(job, slot=SLOT)
    clock.move(7)
    before = everything(store_client)
    del exchange.calls[:]
    again = functions.post(job, slot=SLOT)
    assert (again.status_code, again.data) == (200, first.data)
    assert exchange.calls == []
    assert everything(store_client) == before


@each_job
def test_a_forced_run_is_no_duplicate_and_does_not_swallow_the_next_slot(
    job: str, functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    functions.post("balance")
    coming = (NOON + timedelta(minutes=15)).isoformat()
    for slot in (None, None, coming, coming):
        del exchange.calls[:]
        assert told(functions.post(job, slot=slot))["status"] == "success"
        assert exchange.calls
        clock.move(30)
    clock.move(15 * 60)
    del exchange.calls[:]
    assert told(functions.post(job, slot=coming))["status"] == "success"
    assert exchange.calls, "the slot itself runs"
    del exchange.calls[:]
    functions.post(job, slot=coming)
    assert exchange.calls == []


@pytest.mark.parametrize("slot", ["soon", "", "2026-13-01T00:00:00Z", "2026-01-02T12:00:00", "1767355200"])
def test_a_schedule_time_that_cannot_be_read_is_a_run_by_hand(
    slot: str, functions: Functions, exchange: StubExchange
) -> None:
    for _ in range(2):
        del exchange.calls[:]
        response = functions.post("price", headers={"X-CloudScheduler-ScheduleTime": slot})
        assert told(response)["status"] == "success"
        assert exchange.calls


def test_a_slot_of_another_day_is_not_believed(functions: Functions, exchange: StubExchange) -> None:
    old = (NOON - timedelta(days=3)).isoformat()
    for _ in range(2):
        del exchange.calls[:]
        functions.post("price", slot=old)
        assert exchange.calls


def test_the_same_slot_of_another_job_or_another_slot_is_no_duplicate(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    functions.post("balance", slot=SLOT)
    del exchange.calls[:]
    functions.post("price", slot=SLOT)
    clock.move(60)
    functions.post("balance", slot=(NOON + timedelta(minutes=1)).isoformat())
    assert sorted(exchange.paths()) == ["account", "ticker/24hr"]


@each_job
def test_a_slot_that_failed_is_run_again_by_its_retry(
    job: str, functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    functions.post("balance")
    path = reads_of(job)
    well = exchange.answers[path]
    exchange.answers[path] = (503, "")
    assert functions.post(job, slot=SLOT).status_code == 503
    clock.move(5)
    exchange.answers[path] = well
    retry = functions.post(job, slot=SLOT)
    assert (retry.status_code, told(retry)["status"]) == (200, "success")
    clock.move(5)
    assert functions.post(job, slot=SLOT).data == retry.data


def test_a_duplicate_of_a_skipped_slot_gets_the_same_answer(functions: Functions, clock: FakeClock) -> None:
    first = functions.post("cost", slot=SLOT)
    clock.move(9)
    assert told(first)["status"] == "skipped"
    assert functions.post("cost", slot=SLOT).data == first.data


# Leases


@each_job
def test_a_run_that_finds_the_lease_taken_waits_and_is_then_skipped(
    job: str,
    functions: Functions,
    exchange: StubExchange,
    store_client: "redis.Redis",
    clock: FakeClock,
    caplog: Any,
) -> None:
    scope = "price" if job == "price" else "account"
    store_client.set(f"bot:QRLUSDT:lease:{scope}", "somebody else", px=55_000)
    response = functions.post(job, slot=SLOT)
    answer = told(response)
    assert (response.status_code, answer["status"], answer["task"]) == (200, "skipped", TASKS[job])
    assert answer["reason"]
    waits = 22.5 if job == "fifteen_min_job" else 10
    assert waits <= sum(clock.slept) <= waits + 2
    assert [record.fields["slot"] for record in caplog.records if record.message == "slot.dropped"]
    assert exchange.calls == []
    assert store_client.get(f"bot:QRLUSDT:lease:{scope}") == "somebody else"
    store_client.delete(f"bot:QRLUSDT:lease:{scope}")
    assert told(functions.post(job, slot=SLOT))["reason" if job == "cost" else "status"] != answer["reason"]
    assert exchange.calls or job == "cost", "the slot that was skipped for the lease still runs"


@each_job
def test_the_lease_is_given_back_whatever_becomes_of_the_run(
    job: str, functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    functions.post("balance")
    for bad in (None, (503, ""), ValueError("bug")):
        if bad is not None:
            exchange.answers[reads_of(job)] = bad
        functions.post(job)
        assert store_client.keys("*lease*") == []
    functions.post(job, slot=SLOT)
    functions.post(job, slot=SLOT)
    assert store_client.keys("*lease*") == []


def test_a_run_that_outlived_its_lease_stores_nothing(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    account = exchange.answers["account"]

    def stolen(_: Call) -> Any:
        store_client.set("bot:QRLUSDT:lease:account", "the next run")
        return account

    exchange.answers["account"] = stolen
    assert error_of(functions.post("balance", slot=SLOT)) == (503, "lease_lost")
    assert store_client.keys("*") == ["bot:QRLUSDT:lease:account"]
    assert store_client.get("bot:QRLUSDT:lease:account") == "the next run"


class Patience(FakeClock):
    """Waiting for a lease ends when the run that holds it does."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting, self.done = Event(), Event()

    def sleep(self, seconds: float) -> None:
        self.waiting.set()
        assert self.done.wait(10)


@pytest.mark.parametrize("second", ["balance", "cost", "rebalance", "fifteen_min_job"])
def test_two_runs_that_share_state_do_not_interleave(
    second: str, make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange, any_redis: "redis.Redis"
) -> None:
    bot = make_bot(any_redis)
    clock = Patience()
    bot.runner.clock = clock
    order: list[str] = []
    account = exchange.answers["account"]

    def first_waits(_: Call) -> Any:
        exchange.answers["account"] = account
        order.append("first asks")
        assert clock.waiting.wait(10), "the second run did not wait"
        order.append("first is answered")
        return account

    exchange.answers["account"] = first_waits
    answers: dict[str, Any] = {}

    def deliver(name: str, job: str) -> None:
        answers[name] = bare_functions.post(job)
        order.append(f"{name} ends")
        clock.done.set()

    threads = [Thread(target=deliver, args=("first", "balance"))]
    threads[0].start()
    while not order:
        threads[0].join(0.001)
    threads.append(Thread(target=deliver, args=("second", second)))
    threads[1].start()
    for thread in threads:
        thread.join(20)
    assert order == ["first asks", "first is answered", "first ends", "second ends"]
    assert [told(answer)["status"] for answer in answers.values()] == ["success", "success"]
    assert any_redis.keys("*lease*") == []


def test_two_deliveries_of_a_slot_at_once_are_one_run(
    make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange, any_redis: "redis.Redis"
) -> None:
    bot = make_bot(any_redis)
    clock = Patience()
    bot.runner.clock = clock
    account = exchange.answers["account"]
    asked = Event()

    def held(_: Call) -> Any:
        asked.set()
        assert clock.waiting.wait(10)
        return account

    exchange.answers["account"] = held
    answers: list[Any] = []

    def deliver() -> None:
        answers.append(bare_functions.post("balance", slot=SLOT))
        clock.done.set()

    threads = [Thread(target=deliver)]
    threads[0].start()
    assert asked.wait(10)
    threads.append(Thread(target=deliver))
    threads[1].start()
    for thread in threads:
        thread.join(20)
    assert exchange.paths() == ["account"]
    assert answers[0].data == answers[1].data


def test_price_runs_beside_a_run_on_the_account(functions: Functions, store_client: "redis.Redis") -> None:
    store_client.set("bot:QRLUSDT:lease:account", "a long run")
    assert told(functions.post("price"))["status"] == "success"


# Redis that comes and goes


class Server:
    """A redis-server that is stopped and started on one port, and keeps what it has."""

    def __init__(self, folder: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.client = redis.Redis(port=self.port, decode_responses=True)

    def start(self) -> None:
        program = shutil.which("redis-server")
        assert program
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", self._folder, "--appendonly", "yes"]
        self._process = subprocess.Popen([program, *arguments, "--appendfsync", "always"], stdout=subprocess.PIPE)
        assert self._process.stdout
        for line in self._process.stdout:
            if b"Ready to accept" in line:
                return
        raise AssertionError("redis-server ended")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout
            self._process.stdout.close()
            self._process = None


@pytest.fixture
def server(tmp_path: Any, redis_server: str) -> Iterator[Server]:
    del redis_server  # skips where there is none
    server = Server(str(tmp_path))
    yield server
    server.stop()
    server.client.close()


def bot_on(server: Server, make_bot: MakeBot) -> None:
    url = f"redis://127.0.0.1:{server.port}/0"
    make_bot(runtime.redis_client(Settings.from_env({**ENV, "REDIS_URL": url})), REDIS_URL=url)


@each_job
def test_a_process_recovers_when_redis_comes_back(
    job: str, make_bot: MakeBot, bare_functions: Functions, server: Server
) -> None:
    bot_on(server, make_bot)
    assert error_of(bare_functions.post(job, slot=SLOT)) == (503, "redis_unreachable")
    assert error_of(bare_functions.get(job)) == (503, "redis_unreachable")
    server.start()
    succeed(bare_functions, job)
    server.stop()
    assert error_of(bare_functions.post(job)) == (503, "redis_unreachable")
    server.start()
    assert told(bare_functions.get(job))["status"] == "success"
    succeed(bare_functions, job)


@each_job
def test_a_redis_lost_in_the_middle_is_503_and_nothing_is_half_stored(
    job: str, make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange, server: Server
) -> None:
    server.start()
    bot_on(server, make_bot)
    bare_functions.post("balance")
    before = set(server.client.scan_iter())
    path = reads_of(job)
    well = exchange.answers[path]

    def gone(_: Call) -> Any:
        server.stop()
        return well

    exchange.answers[path] = gone
    response = bare_functions.post(job, slot=SLOT)
    assert error_of(response) == (503, "redis_unreachable")
    server.start()
    scope = "price" if job == "price" else "account"
    assert set(server.client.scan_iter()) - before <= {f"bot:QRLUSDT:lease:{scope}"}
    server.client.delete(f"bot:QRLUSDT:lease:{scope}")  # as its expiry would
    exchange.answers[path] = well
    retry = bare_functions.post(job, slot=SLOT)
    assert (retry.status_code, told(retry)["status"]) == (200, "success")


@each_job
@pytest.mark.parametrize("trips", [0, 1, 2])
def test_a_line_cut_between_any_two_round_trips_is_503_and_stores_nothing(
    job: str, trips: int, functions: Functions, line: Line, store_client: "redis.Redis"
) -> None:
    functions.post("balance")
    before = everything(store_client)
    line.cut_after(trips)
    assert error_of(functions.post(job, slot=SLOT)) == (503, "redis_unreachable")
    line.mend()
    store_client.delete("bot:QRLUSDT:lease:account", "bot:QRLUSDT:lease:price")
    assert everything(store_client) == before
    assert told(functions.post(job, slot=SLOT))["status"] == "success"


@each_job
def test_when_the_answer_of_the_commit_is_lost_the_retry_finds_the_run_done(
    job: str, functions: Functions, line: Line, exchange: StubExchange, clock: FakeClock
) -> None:
    succeed(functions, job)
    clock.move(900)
    slot = clock.now().isoformat()
    functions.post("balance")
    exchange.answers["myTrades"] = []
    line.lose_answer(3)
    assert error_of(functions.post(job, slot=slot)) == (503, "redis_unreachable")
    del exchange.calls[:]
    retry = functions.post(job, slot=slot)
    assert (retry.status_code, told(retry)["status"]) == (200, "success")
    assert exchange.calls == []


def test_an_idle_connection_that_has_died_costs_a_try_and_no_error(functions: Functions, line: Line) -> None:
    functions.post("price")
    line.lose_answer(1)
    assert told(functions.post("price"))["status"] == "success"
    line.lose_answer(1)
    assert told(functions.get("price"))["status"] == "success"


# Values in Redis that are not what they should be


B = "bot:QRLUSDT:"
RAW = "mexc:raw:"
CONTAINERS = {
    "balance": [f"{B}position", f"{RAW}account_info:history"],
    "price": [f"{B}price:history", f"{RAW}ticker_24hr:history"],
    "cost": [f"{B}cost", f"{B}ledger:fills", f"{RAW}ticker_price:history", f"{RAW}my_trades:history"],
    "rebalance": [f"{B}rebalance:history", f"{RAW}depth:history", f"{RAW}account_info:history"],
    "fifteen_min_job": [f"{B}cost", f"{B}rebalance:history", f"{B}report:fifteen_min_job:history"],
}
READS = {
    "cost": [f"{B}position", f"{B}ledger", f"{B}inception"],
    "fifteen_min_job": [f"{B}ledger", f"{B}inception", f"{B}price:latest", f"{B}orders:activity"],
    "rebalance": [f"{B}ledger", f"{B}price:latest", f"{B}rebalance:last", f"{B}orders:activity", f"{B}pause"],
}
WRONG_TYPE = [(job, key) for table in (CONTAINERS, READS) for job, keys in table.items() for key in keys]
BROKEN = [(job, key) for job, keys in READS.items() for key in keys if not key.endswith("position")]


def state(client: "redis.Redis") -> dict[str, Any]:
    return {key: dump for key, dump in everything(client).items() if ":report:" not in key and ":raw:" not in key}


def assert_refused(job: str, key: str, functions: Functions, client: "redis.Redis") -> None:
    """The run says which key is at fault, and leaves everything as it is."""
    before = state(client)
    response = functions.post(job, slot=SLOT)
    answer = told(response)
    if answer["status"] == "partial":
        error = (answer["cost_update"] if "error" in answer["cost_update"] else answer["rebalance"])["error"]
    else:
        assert error_of(response) == (500, "redis_value_corrupt")
        error = answer["error"]
        assert state(client) == before
    assert error["code"] == "redis_value_corrupt"
    assert key in error["message"]
    assert client.dump(key) == before.get(key, client.dump(key))
    assert client.keys("*lease*") == []


@pytest.mark.parametrize(("job", "key"), WRONG_TYPE)
def test_a_key_of_the_wrong_type_is_named_and_nothing_is_stored(
    job: str, key: str, functions: Functions, store_client: "redis.Redis"
) -> None:
    functions.post("balance")
    store_client.delete(key)
    store_client.sadd(key, "x")
    assert_refused(job, key, functions, store_client)
    store_client.delete(key)
    functions.post("balance")
    assert told(functions.post(job, slot=SLOT))["status"] == "success"


@pytest.mark.parametrize(("job", "key"), BROKEN)
@pytest.mark.parametrize("text", ["{broken", '"words"', "{}", "[]", "NaN", ""])
def test_a_document_that_cannot_be_read_is_named_and_nothing_is_stored(
    job: str, key: str, text: str, functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    if "rebalance" in job or "fifteen" in job:
        exchange.answers["ticker/price"] = {"symbol": "QRLUSDT", "price": "2"}
        exchange.answers["account"] = account_payload(("QRL", "1000.5", "0"), ("USDT", "500", "0"))
    if not key.endswith("rebalance:last"):  # the last plan's price counts when there is no other
        functions.post("price")
    functions.post("balance")
    store_client.set(key, text)
    assert_refused(job, key, functions, store_client)


@pytest.mark.parametrize(
    ("field", "value"),
    [("qrl_balance", "many"), ("usdt_locked", ""), ("updated_at", "NaN")],
)
def test_a_position_that_cannot_be_read_is_named_and_no_cost_is_made_of_it(
    field: str, value: str, functions: Functions, store_client: "redis.Redis"
) -> None:
    functions.post("balance")
    store_client.hset(f"{B}position", field, value)
    assert_refused("cost", f"{B}position", functions, store_client)


@pytest.mark.parametrize(
    ("job", "key"),
    [
        ("balance", "account:balance"),
        ("price", f"{B}price:cached"),
        ("price", f"{B}price:latest"),
        ("rebalance", f"{B}rebalance:last"),
        ("fifteen_min_job", f"{B}report:fifteen_min_job:last"),
    ],
)
@pytest.mark.parametrize("how", ["type", "json"])
def test_get_names_the_key_that_it_cannot_read(
    job: str, key: str, how: str, functions: Functions, store_client: "redis.Redis"
) -> None:
    functions.post(job)
    store_client.delete(key)
    if how == "type":
        store_client.sadd(key, "x")
    else:
        store_client.set(key, "{broken")
    response = functions.get(job)
    assert error_of(response) == (500, "redis_value_corrupt")
    assert key in told(response)["error"]["message"]


@pytest.mark.parametrize(("key", "field"), [(f"{B}cost", "fees")])
def test_get_names_the_field_that_it_cannot_read(
    key: str, field: str, functions: Functions, store_client: "redis.Redis"
) -> None:
    succeed(functions, "cost")
    store_client.hset(key, field, "{broken")
    response = functions.get("cost")
    assert error_of(response) == (500, "redis_value_corrupt")
    assert key in told(response)["error"]["message"]


@pytest.mark.parametrize("name", ["run mark", "lease"])
def test_a_mark_or_lease_of_the_wrong_type_is_an_error_and_no_answer(
    name: str, functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    functions.post("price", slot=SLOT)
    [mark] = store_client.keys("*:run:*")
    key = mark if name == "run mark" else f"{B}lease:price"
    store_client.delete(key)
    store_client.sadd(key, "x")
    del exchange.calls[:]
    response = functions.post("price", slot=SLOT)
    assert error_of(response) == (500, "redis_value_corrupt")
    assert key in told(response)["error"]["message"]
    assert exchange.calls == []


def test_a_broken_raw_history_is_named(functions: Functions, store_client: "redis.Redis") -> None:
    store_client.set(f"{RAW}depth:history", "x")
    response = functions.get("rebalance", "?raw=depth")
    assert error_of(response) == (500, "redis_value_corrupt")
    assert f"{RAW}depth:history" in told(response)["error"]["message"]


def test_an_asset_named_in_another_script_is_stored_and_told(functions: Functions, exchange: StubExchange) -> None:
    exchange.answers["account"] = account_payload(("币安人生", "1", "0"))
    assert functions.post("balance").status_code == 200
    assert "币安人生" in told(functions.get("balance"))["data"]["balances"]


def test_a_price_from_the_exchange_wins_over_one_that_cannot_be_read(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    store_client.set(f"{B}price:latest", "{broken")
    exchange.answers["ticker/24hr"] = ticker_payload("0.03")
    assert functions.post("price").status_code == 200
    assert told(functions.get("price"))["data"]["price"] == told(functions.post("price"))["data"]["price"]


def test_the_lease_of_a_run_that_died_is_told_as_such_and_a_retry_is_asked_for(
    functions: Functions, store_client: "redis.Redis"
) -> None:
    lease = f"{B}lease:account"
    store_client.set(lease, "cost:20260102T1155Z:1f", px=7_000)
    response = functions.post("balance")
    assert response.status_code == 503
    error = told(response)["error"]
    assert error["code"] == "lease_abandoned"
    assert "cost:20260102T1155Z died" in error["message"]
    store_client.set(lease, "cost:20260102T1155Z:1f", px=40_000)
    assert told(functions.post("balance"))["reason"] == "another run that shares this state is under way"


@pytest.mark.parametrize("lost", ["before", "after"])
def test_a_connection_lost_at_the_commit_is_a_503_and_its_retry_finds_the_lease_free(
    functions: Functions, line: Line, lost: str
) -> None:
    """Otherwise the retry is told that a run is under way, and Scheduler takes the lost slot for a success."""
    if lost == "before":
        line.cut_after(2)  # begin and watch
    else:
        line.lose_answer(3)
    response = functions.post("balance", slot=SLOT)
    assert (response.status_code, told(response)["error"]["code"]) == (503, "redis_unreachable")
    line.mend()
    again = functions.post("balance", slot=SLOT)
    assert (again.status_code, told(again)["status"]) == (200, "success")
    assert again.headers.get("X-Duplicate-Delivery") == (None if lost == "before" else "true")
