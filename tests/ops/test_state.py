"""The operator's own door: who may come in, what is seen, and what a command does (contract.md §2.6)."""

import json
from typing import Any

import pytest
import redis
from flask import Flask

from common.runtime import serve_ops
from tests.builders import KEYS, bearer, fill_payload, finished, platform_token
from tests.conftest import SLOT, Functions, Live, MakeBot
from tests.fakes import NOON, FakeClock, Line, StubExchange


def test_the_state_of_an_empty_store_is_told_as_nothing_yet(functions: Functions) -> None:
    data = functions.get("ops").json["data"]
    assert set(data["runs"].values()) == {None}
    assert (data["balances"], data["price"], data["cost"], data["plan"], data["pause"]) == (None,) * 5
    assert data["open_intents"] == []


def test_the_state_tells_each_jobs_last_run_and_its_age(
    functions: Functions, clock: FakeClock, exchange: StubExchange
) -> None:
    exchange.answers["myTrades"] = [fill_payload("BUY", "1000.5", "0.02", at=NOON)]
    for job in ("balance", "price", "cost", "fifteen_min_job"):
        functions.post(job, slot=SLOT)
    clock.move(42)
    data = functions.get("ops").json["data"]
    assert {name: run and (run["status"], run["age_seconds"]) for name, run in data["runs"].items()} == {
        "balance": ("success", 42),
        "price": ("success", 42),
        "cost": ("success", 42),
        "fifteen_min_job": ("success", 42),
        "rebalance": None,
    }
    assert data["balances"]["balances"]["QRL"]["total"] == 1000.5
    assert data["price"]["price"] == 0.0205
    assert data["cost"]["unrealized_pnl"] == 0.50025
    assert data["plan"]["action"] == "BUY"


def test_a_failed_run_shows_with_its_error(functions: Functions, exchange: StubExchange) -> None:
    exchange.answers["account"] = (400, {"code": 700002, "msg": "Signature for this request is not valid."})
    functions.post("balance", slot=SLOT)
    run = functions.get("ops").json["data"]["runs"]["balance"]
    assert run["status"] == "error"
    assert run["error"]["code"] == "exchange_access_refused"


@pytest.mark.parametrize("job", ["balance", "price", "cost", "fifteen_min_job", "rebalance"])
def test_a_jobs_page_is_what_the_job_itself_shows(functions: Functions, job: str) -> None:
    for name in ("balance", "price", "cost", "fifteen_min_job", "rebalance"):
        functions.post(name, slot=SLOT)
    own, shown = functions.get(job).json, functions.get("ops", job).json
    assert {**own, "duration_ms": 0} == {**shown, "duration_ms": 0}


def test_looking_asks_neither_the_exchange_nor_for_a_lease(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    functions.get("ops")
    functions.get("ops", "balance")
    assert exchange.calls == []
    assert store_client.keys("*") == []


def test_a_jobs_page_takes_the_same_query_as_the_job(functions: Functions) -> None:
    for _ in range(3):
        functions.post("rebalance")
        functions.post("fifteen_min_job")
        functions.post("balance")
    for job, query in (
        ("rebalance", "?limit=2"),
        ("fifteen_min_job", "?limit=2"),
        ("balance", "?raw=account_info&limit=1"),
    ):
        own, shown = functions.get(job, query).json, functions.get("ops", job + query).json
        assert {**own, "duration_ms": 0} == {**shown, "duration_ms": 0}
    assert len(functions.get("ops", "rebalance?limit=2").json["history"]) == 2
    assert functions.get("ops", "balance?raw=account_info&limit=1").json["data"]["count"] == 1
    assert functions.get("ops", "rebalance?limit=none").status_code == 400


@pytest.mark.parametrize("job", ["balance", "price", "cost", "fifteen_min_job", "rebalance"])
def test_a_jobs_page_says_when_nothing_is_stored_yet(functions: Functions, job: str) -> None:
    answer = functions.get("ops", job)
    assert answer.status_code == 200
    assert (answer.json["status"], answer.json["reason"]) == ("skipped", "Nothing stored yet")


def test_the_state_shows_orders_open_intents_and_what_was_commanded(live: Live, bare_functions: Functions) -> None:
    live.run()
    live.desk.market.set_price("0.022")
    live.call("price")
    live.desk.on["POST order"] = lambda call: (500, "")
    live.run(15)
    bare_functions.command("pause", reason="look into it")
    data = bare_functions.get("ops").json["data"]
    (intent,) = data["open_intents"]
    assert (intent["client_order_id"], intent["state"]) == (live.name(15), "UNKNOWN")
    assert (data["orders"]["day"], data["orders"]["orders"]) == ("2026-01-02", 2)
    assert data["plan"]["slot"] == "20260102T1215Z"
    assert [done["command"] for done in data["commands"]] == ["pause"]
    for name in ("balances", "price"):
        assert isinstance(data[name]["age_seconds"], int)


def test_a_pause_is_kept_with_who_why_and_until_when(functions: Functions, store_client: "redis.Redis") -> None:
    answer = functions.command("pause", reason=" holiday ", until="2026-01-03T00:00:00+02:00")
    assert answer.status_code == 200
    assert answer.json["data"]["pause"] == {
        "reason": "holiday",
        "set_by": "X-CloudScheduler",
        "set_at": "2026-01-02T12:00:00+00:00",
        "until": "2026-01-02T22:00:00+00:00",
        "active": True,
    }
    assert store_client.ttl(KEYS.pause) == -1
    assert functions.get("ops").json["data"]["pause"]["active"] is True


def test_a_pause_whose_time_has_come_is_shown_as_over(functions: Functions, clock: FakeClock) -> None:
    functions.command("pause", reason="lunch", until="2026-01-02T13:00:00+00:00")
    clock.move(3600)
    assert functions.get("ops").json["data"]["pause"]["active"] is False


def test_resuming_lifts_the_pause(functions: Functions, store_client: "redis.Redis") -> None:
    functions.command("pause", reason="holiday")
    assert functions.command("resume").json["data"] == {"pause": None}
    assert store_client.exists(KEYS.pause) == 0


def test_the_trading_jobs_refuse_an_order_while_paused(make_bot: MakeBot, bare_functions: Functions) -> None:
    make_bot(EXECUTION_MODE="test")
    bare_functions.command("pause", reason="holiday")
    for job in ("balance", "price", "cost"):
        bare_functions.post(job, slot=SLOT)
    plan = bare_functions.post("fifteen_min_job", slot=SLOT).json["rebalance"]
    assert plan["action"] == "HOLD"
    assert "paused by X-CloudScheduler: holiday" in plan["refusals"]


@pytest.mark.parametrize("job", ["fifteen_min_job", "rebalance"])
def test_while_paused_nothing_is_sent_and_after_it_trading_goes_on(
    live: Live, bare_functions: Functions, job: str
) -> None:
    bare_functions.command("pause", reason="holiday", until="2026-01-02T12:20:00+00:00")
    held = live.run(0, job)["rebalance"]
    reason = "paused by X-CloudScheduler until 2026-01-02 12:20 UTC: holiday"
    assert (held["action"], held["reason"]) == ("HOLD", f"Order refused: {reason}")
    assert live.run(15, job)["order"] is None
    assert live.sent == 0
    assert live.run(30, job)["order"]["status"] == "FILLED"


def test_resuming_lets_the_next_slot_trade(live: Live, bare_functions: Functions) -> None:
    bare_functions.command("pause", reason="holiday")
    assert live.run()["order"] is None
    bare_functions.command("resume")
    assert live.run(15)["order"]["status"] == "FILLED"


def test_a_second_pause_takes_the_place_of_the_first(functions: Functions) -> None:
    functions.command("pause", reason="lunch", until="2026-01-02T13:00:00+00:00")
    functions.command("pause", reason="for good")
    pause = functions.get("ops").json["data"]["pause"]
    assert (pause["reason"], pause["until"]) == ("for good", None)


def test_a_long_reason_is_cut(functions: Functions) -> None:
    functions.command("pause", reason="x" * 2000)
    assert functions.get("ops").json["data"]["pause"]["reason"] == "x" * 500


def test_a_pause_can_be_set_while_a_run_holds_the_lease_and_leaves_it_alone(
    functions: Functions, store_client: "redis.Redis"
) -> None:
    for scope in ("account", "price"):
        store_client.set(KEYS.lease(scope), "a run", px=55_000)
    assert functions.command("pause", reason="now").status_code == 200
    assert functions.command("resume").status_code == 200
    assert functions.get("ops").status_code == 200
    assert [store_client.get(KEYS.lease(scope)) for scope in ("account", "price")] == ["a run", "a run"]


def test_a_command_goes_to_redis_whole_or_not_at_all(functions: Functions, line: Line) -> None:
    functions.command("pause", reason="holiday")
    assert line.trips[-1][0] == "MULTI"
    assert {"SET", "LPUSH"} <= set(line.trips[-1])


def test_a_command_that_redis_did_not_take_is_told_as_failed(functions: Functions, line: Line) -> None:
    line.cut_after(0)
    for answer in (functions.command("pause", reason="now"), functions.get("ops")):
        assert (answer.status_code, answer.json["error"]["code"]) == (503, "redis_unreachable")


def test_the_line_of_a_command_tells_who_gave_it(functions: Functions, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    functions.command("pause", reason="holiday")
    (line,) = finished(caplog)
    assert (line["task"], line["command"], line["by"], line["status"]) == (
        "ops",
        "pause",
        "X-CloudScheduler",
        "success",
    )
    assert "trading is paused by X-CloudScheduler: holiday" in caplog.messages


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_served(functions: Functions, method: str) -> None:
    answer = functions.client("ops").open("/", method=method, headers={"X-CloudScheduler": "true"})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("path", ["secrets", "balance/more", "state", "restore"])
def test_a_path_nobody_knows_is_refused_with_those_there_are(functions: Functions, path: str) -> None:
    answer = functions.get("ops", path)
    assert answer.status_code == 400
    assert "/verify" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"command": "pause"}, "reason"),
        ({"command": "pause", "reason": "  "}, "reason"),
        ({"command": "pause", "reason": 7}, "reason"),
        ({"command": "pause", "reason": "x", "until": "2026-01-02T11:00:00+00:00"}, "until"),
        ({"command": "pause", "reason": "x", "until": "2027-01-01T00:00:00"}, "until"),
        ({"command": "pause", "reason": "x", "until": "soon"}, "until"),
        ({"command": "pause", "reason": "x", "until": 5}, "until"),
        ({"command": "sell everything"}, "command"),
        ({"command": ["pause"]}, "command"),
        ({}, "command"),
        ({"command": "restore", "source": "memory"}, "source"),
        ({"command": "restore", "source": "journal"}, "JOURNAL_"),
    ],
)
def test_a_command_that_cannot_be_read_changes_nothing_and_says_what_is_wrong(
    functions: Functions, store_client: "redis.Redis", body: dict[str, Any], word: str
) -> None:
    answer: Any = functions.client("ops").post("/", headers={"X-CloudScheduler": "true"}, json=body)
    assert answer.status_code == 400
    assert word in answer.json["error"]["message"]
    assert store_client.keys("*") == []


BODIES = {
    "deep": '{"command":' + "[" * 100_000,
    "not a number": '{"command":"pause","reason":"x","until":NaN}',
    "beyond reason": '{"command":1e999999999999999999999}',
    "the year 9999": '{"command":"pause","reason":"x","until":"9999-12-31T23:59:59-23:59"}',
    "a name twice": '{"command":"resume","command":"pause","reason":"x"}',
    "too large": '{"command":"pause","reason":"' + "x" * 70_000 + '"}',
    "no UTF-8": b'{"command":"pause","reason":"\xff"}',
    "empty": "",
    "no JSON": "pause",
    "no object": "[]",
    "a reason that is none": '{"command":"pause","reason":{"a":1}}',
}


def test_odd_bodies_are_the_callers_error_and_change_nothing(
    functions: Functions, store_client: "redis.Redis"
) -> None:
    client = functions.client("ops")
    found = {
        name: client.post("/", headers={"X-CloudScheduler": "true"}, data=body).status_code
        for name, body in BODIES.items()
    }
    assert found == dict.fromkeys(BODIES, 400)
    assert store_client.keys("*") == []


def test_a_command_needs_no_content_type(functions: Functions) -> None:
    body = '{"command":"pause","reason":"by curl"}'
    answer: Any = functions.client("ops").post("/", headers={"X-CloudScheduler": "true"}, data=body)
    assert answer.json["data"]["pause"]["reason"] == "by curl"


def test_the_state_opens_whatever_is_corrupt_and_names_each_key(
    functions: Functions, store_client: "redis.Redis"
) -> None:
    functions.post("price")
    corrupt = (KEYS.pause, KEYS.orders_open, KEYS.account_balance, KEYS.report_last("cost"), KEYS.commands)
    for key in corrupt:
        store_client.set(key, "{")
    data = functions.get("ops").json["data"]
    assert data["price"]["price"] == 0.0205
    assert [key for key in corrupt if not any(key in told for told in data["unreadable"])] == []


def test_the_kill_switch_works_with_a_list_of_commands_that_cannot_be_read(
    functions: Functions, store_client: "redis.Redis"
) -> None:
    store_client.set(KEYS.commands, "{")
    answer = functions.command("pause", reason="now")
    assert answer.json["data"]["pause"]["active"] is True
    assert KEYS.commands in answer.json["warnings"][0]
    assert functions.get("ops").json["data"]["pause"]["reason"] == "now"


def test_every_command_is_journalled_with_who_gave_it_and_when(
    functions: Functions, store_client: "redis.Redis", clock: FakeClock
) -> None:
    functions.command("pause", reason="holiday")
    clock.move(60)
    functions.command("resume")
    records = [json.loads(text) for text in store_client.lrange(KEYS.commands, 0, -1)]
    assert records == [
        {"command": "resume", "by": "X-CloudScheduler", "timestamp": "2026-01-02T12:01:00+00:00"},
        {
            "command": "pause",
            "by": "X-CloudScheduler",
            "timestamp": "2026-01-02T12:00:00+00:00",
            "reason": "holiday",
        },
    ]


def test_the_exchange_key_is_not_needed_to_look_or_to_pause(make_bot: MakeBot, bare_functions: Functions) -> None:
    make_bot(MEXC_API_KEY="", MEXC_SECRET_KEY="")
    assert bare_functions.get("ops").status_code == 200
    assert bare_functions.command("pause", reason="holiday").status_code == 200


PLATFORM = {
    "AUTH_MODE": "platform",
    "K_SERVICE": "ops",
    "OIDC_AUDIENCE": "https://bot.run.app",
    "SCHEDULER_SERVICE_ACCOUNT": "scheduler@project.iam.gserviceaccount.com",
    "OPERATOR_ACCOUNTS": "ann@example.org, bob@example.org",
}


@pytest.mark.parametrize(
    ("email", "status"),
    [
        ("ann@example.org", 200),
        ("bob@example.org", 200),
        ("eve@example.org", 403),
        ("scheduler@project.iam.gserviceaccount.com", 403),
    ],
)
def test_only_operators_come_in(make_bot: MakeBot, email: str, status: int) -> None:
    make_bot(**PLATFORM)
    headers = bearer(platform_token(email))
    with Flask("ops").test_request_context("/", headers=headers) as context:
        assert serve_ops(context.request).status_code == status


def test_an_operator_is_journalled_by_name_and_may_not_run_a_job(
    make_bot: MakeBot, store_client: "redis.Redis", bare_functions: Functions
) -> None:
    make_bot(**PLATFORM)
    headers = bearer(platform_token("ann@example.org"))
    body = {"command": "pause", "reason": "holiday"}
    with Flask("ops").test_request_context("/", method="POST", headers=headers, json=body) as context:
        assert serve_ops(context.request).status_code == 200
    record = json.loads(store_client.lindex(KEYS.commands, 0))  # type: ignore[arg-type]
    assert record["by"] == "ann@example.org"
    assert bare_functions.post("balance", headers=headers).status_code == 403


def test_without_a_token_nobody_comes_in(make_bot: MakeBot) -> None:
    make_bot(**PLATFORM)
    with Flask("ops").test_request_context("/", headers={"X-CloudScheduler": "true"}) as context:
        assert serve_ops(context.request).status_code == 401


def test_the_report_is_a_page_and_a_browser_that_asks_for_the_state_gets_it(functions: Functions) -> None:
    functions.post("fifteen_min_job", slot=SLOT)
    asked = {"X-CloudScheduler": "true", "Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page, browsed = functions.get("ops", "report"), functions.client("ops").get("/", headers=asked)
    assert page.mimetype == browsed.mimetype == "text/html"
    assert page.get_data() == browsed.get_data()
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert page.headers["Cache-Control"] == "no-store"
    assert '<meta http-equiv="refresh" content="60">' in page.get_data(as_text=True)
    assert functions.get("ops").mimetype == "application/json"


ACCEPTED = {
    "text/html": "page",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": "page",
    "application/json;q=0.5, text/html": "page",
    "application/json, text/html": "page",
    "application/json, text/html;q=0.5": "state",
    "text/html;q=0.5, application/*": "state",
    "text/html;q=0.5, */*": "state",
    "text/html;q=0": "state",
    "application/json, text/plain, */*": "state",
    "*/*": "state",
    "": "state",
    "nonsense;;q=x": "state",
}


def test_the_state_is_a_page_for_whoever_would_rather_have_html_and_json_for_everybody_else(
    functions: Functions,
) -> None:
    functions.post("fifteen_min_job", slot=SLOT)
    told = {}
    for accept in ACCEPTED:
        headers = {"X-CloudScheduler": "true", "Accept": accept}
        told[accept] = functions.client("ops").get("/", headers=headers).mimetype
    assert told == {
        accept: "text/html" if shown == "page" else "application/json" for accept, shown in ACCEPTED.items()
    }


def test_the_status_is_ten_lines_of_text(functions: Functions) -> None:
    functions.post("fifteen_min_job", slot=SLOT)
    told = functions.get("ops", "status")
    assert told.mimetype == "text/plain"
    lines = told.get_data(as_text=True).splitlines()
    assert 8 <= len(lines) <= 11
    assert lines[0] == "runs       balance has never run; price has never run"
    assert lines[2].startswith("trading    off: EXECUTION_MODE=plan")
    assert "fifteen_min_job success, 0 s ago" in "\n".join(lines)


def test_the_mode_is_that_of_the_trading_jobs_which_ops_is_not_told(
    make_bot: MakeBot, bare_functions: Functions
) -> None:
    make_bot(EXECUTION_MODE="test")
    bare_functions.post("fifteen_min_job", slot=SLOT)
    make_bot(EXECUTION_MODE="plan")
    assert "off: EXECUTION_MODE=plan" not in bare_functions.get("ops", "status").get_data(as_text=True)


def test_the_state_counts_missed_slots(functions: Functions, clock: FakeClock) -> None:
    assert functions.get("ops").json["data"]["missed_slots"] == {"expected": 0, "missed": []}
    functions.post("fifteen_min_job", slot=SLOT)
    clock.move(31 * 60)
    told = functions.get("ops").json["data"]["missed_slots"]
    assert told == {"expected": 2, "missed": ["2026-01-02T12:15:00+00:00"]}
