"""`fifteen_min_job`: cost and P&L first, then the rebalance, on one snapshot of the exchange (contract.md §2.4)."""

import json
from collections.abc import Mapping
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import redis

from tests.builders import account_payload, d, exchange_answers, fill_payload, finished, price_payload, told
from tests.conftest import POOL, Functions, MakeBot
from tests.fakes import NOON, Call, FakeClock, Line, StubExchange

JOB = "fifteen_min_job"
COST, PLAN, PLANS = "bot:QRLUSDT:cost", "bot:QRLUSDT:rebalance:last", "bot:QRLUSDT:rebalance:history"
REPORT, REPORTS = f"bot:QRLUSDT:report:{JOB}:last", f"bot:QRLUSDT:report:{JOB}:history"
HEAD = "bot:QRLUSDT:journal:head"
LEDGER = ("bot:QRLUSDT:ledger", "bot:QRLUSDT:ledger:fills", "bot:QRLUSDT:ledger:lots", "bot:QRLUSDT:inception")
EQUITY = ("bot:QRLUSDT:attribution", "bot:QRLUSDT:equity:slots", "bot:QRLUSDT:equity:days")
BOUGHT = fill_payload("BUY", "100", "1", at=NOON - timedelta(days=1))
REFUSED: dict[str, Any] = {"code": 10072, "msg": "Api key info invalid"}


@pytest.fixture(autouse=True)
def _portfolio(exchange: StubExchange) -> None:
    """100 QRL bought at 1 and worth 2, beside 100 USDT: the mix asks for SELL 25."""
    exchange.answers |= exchange_answers(price="2", fills=[BOUGHT])
    exchange.answers["account"] = account_payload(("QRL", "100", "0"), ("USDT", "100", "0"))


def run(functions: Functions, status: str, http: int = 200) -> dict[str, Any]:
    response = functions.post(JOB)
    answer: dict[str, Any] = told(response)
    assert (answer["status"], response.status_code) == (status, http), answer
    return answer


def numbers(data: Mapping[str, Any], *names: str) -> list[Any]:
    return [data[name] for name in names]


# When all is well


def test_the_answer_has_both_legs_the_order_and_the_time_of_each_stage(functions: Functions) -> None:
    answer = run(functions, "success")
    assert answer["task"] == "15-min-job"
    cost, plan = answer["cost_update"], answer["rebalance"]
    assert cost["status"] == "success"
    assert numbers(cost, "qrl_balance", "avg_cost", "current_price", "total_invested", "unrealized_pnl") == [
        100,
        1,
        2,
        100,
        100,
    ]
    assert numbers(cost, "current_value", "realized_pnl", "total_pnl", "roi_percent") == [200, 0, 100, 100]
    assert numbers(plan, "action", "reason", "quantity", "notional_usdt") == ["SELL", "QRL above target", 25, 50]
    assert answer["order"] is None
    assert isinstance(cost["duration_ms"], int)
    assert {"gather", "cost_update", "rebalance"} <= set(answer["stages"])
    assert all(isinstance(ms, int) for ms in answer["stages"].values())


def test_the_cost_leg_is_the_cost_job(functions: Functions, store_client: "redis.Redis") -> None:
    leg = run(functions, "success")["cost_update"]
    mine: Any = store_client.hgetall(COST)
    store_client.flushall()
    functions.post("balance")
    assert told(functions.post("cost"))["data"].items() <= leg.items()
    assert store_client.hgetall(COST) == mine


def test_cost_and_plan_lie_under_separate_keys_for_good(
    make_bot: MakeBot, bare_functions: Functions, clock: FakeClock, any_redis: "redis.Redis"
) -> None:
    make_bot(any_redis)
    run(bare_functions, "success")
    clock.move(31)
    assert any_redis.hmget(COST, "avg_cost", "total_pnl") == ["1", "100"]
    plan: Any = any_redis.get(PLAN)
    assert (json.loads(plan)["action"], json.loads(plan)["quantity"]) == ("SELL", "25")
    permanent = (
        COST,
        PLAN,
        PLANS,
        REPORT,
        REPORTS,
        *LEDGER,
        "mexc:raw:depth:latest",
        "mexc:raw:account_info:history",
    )
    assert {key: any_redis.ttl(key) for key in permanent} == dict.fromkeys(permanent, -1)


def test_get_tells_the_report_of_the_last_run_and_with_a_limit_the_last_so_many(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    first = run(functions, "success")
    clock.move(900)
    exchange.answers["ticker/price"] = price_payload("1")
    second = run(functions, "success")
    assert told(functions.get(JOB))["data"].items() >= second.items()
    history = told(functions.get(JOB, "?limit=5"))["history"]
    assert [report["rebalance"]["price"] for report in history] == [1, 2]
    assert history[1].items() >= first.items()


def test_the_reports_end_at_the_newest_thousand(functions: Functions, store_client: "redis.Redis") -> None:
    store_client.rpush(REPORTS, *(json.dumps({"n": n}) for n in range(1000)))
    run(functions, "success")
    assert (store_client.llen(REPORTS), store_client.lindex(REPORTS, -1)) == (1000, '{"n": 998}')


def test_without_cost_data_the_plan_is_made_all_the_same(functions: Functions, exchange: StubExchange) -> None:
    exchange.answers["myTrades"] = []
    answer = run(functions, "success")
    assert numbers(answer["cost_update"], "status", "reason") == ["skipped", "No position or cost data"]
    assert answer["rebalance"]["action"] == "SELL"


def test_without_keys_the_run_is_skipped(
    make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange
) -> None:
    make_bot(MEXC_API_KEY="", MEXC_SECRET_KEY="")
    assert run(bare_functions, "skipped")["reason"] == "API keys not configured"
    assert exchange.calls == []


# When a leg fails


COST_FAILS = [
    ("myTrades", (400, REFUSED), "exchange_access_refused"),
    ("myTrades", (503, ""), "exchange_unavailable"),
    ("myTrades", (200, "<html>"), "exchange_payload_unreadable"),
]


@pytest.mark.parametrize(("path", "answer", "code"), COST_FAILS)
def test_a_failed_cost_leg_is_told_in_its_place_and_the_plan_holds(
    path: str, answer: Any, code: str, functions: Functions, exchange: StubExchange, caplog: Any
) -> None:
    exchange.answers[path] = answer
    report = run(functions, "partial")
    assert numbers(report["cost_update"], "status") == ["error"]
    assert report["cost_update"]["error"]["code"] == code
    assert report["cost_update"]["error"]["message"]
    plan = report["rebalance"]
    assert numbers(plan, "action", "quantity", "notional_usdt") == ["HOLD", 0, 0]
    assert "cost update" in plan["reason"]
    assert plan["wanted"]["quantity"] == 25
    assert any(record.levelname == "ERROR" and "cost" in record.message for record in caplog.records)


def test_nothing_of_a_failed_cost_leg_is_stored_and_all_of_the_other(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    exchange.answers["myTrades"] = (503, "")
    run(functions, "partial")
    assert not store_client.exists(COST, *LEDGER)
    assert store_client.exists(PLAN, PLANS, REPORT, REPORTS) == 4
    assert store_client.exists("mexc:raw:account_info:latest", "mexc:raw:ticker_price:latest") == 2


def test_a_cost_leg_that_fails_later_leaves_the_ledger_as_it_was(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    run(functions, "success")
    before = [store_client.hgetall(COST), *(store_client.dump(key) for key in LEDGER)]
    clock.move(900)
    exchange.answers["myTrades"] = (200, "[{")
    run(functions, "partial")
    assert [store_client.hgetall(COST), *(store_client.dump(key) for key in LEDGER)] == before


def test_a_cost_leg_that_fails_half_way_leaves_nothing_of_its_first_half(
    functions: Functions, store_client: "redis.Redis"
) -> None:
    store_client.set("bot:QRLUSDT:inception", "{}")
    report = run(functions, "partial")
    assert report["cost_update"]["error"]["code"] == "redis_value_corrupt"
    assert "bot:QRLUSDT:inception" in report["cost_update"]["error"]["message"]
    assert not store_client.exists(COST, *LEDGER[:3])
    assert store_client.exists(PLAN, PLANS) == 2


def test_a_rebalance_leg_that_fails_half_way_leaves_nothing_of_its_first_half(
    functions: Functions, store_client: "redis.Redis"
) -> None:
    store_client.set("bot:QRLUSDT:price:latest", "{}")
    before = set(store_client.scan_iter())
    report = run(functions, "partial")
    assert report["rebalance"]["error"]["code"] == "redis_value_corrupt"
    assert store_client.hget(COST, "total_pnl") == "100"
    left = set(store_client.scan_iter()) - before - {COST, REPORT, REPORTS, *LEDGER, *EQUITY, HEAD}
    assert {key for key in left if not key.startswith("mexc:raw:")} == set()


PLAN_FAILS = [
    ("exchangeInfo", {"symbols": []}, "exchange_payload_unreadable"),
    ("exchangeInfo", (503, ""), "exchange_unavailable"),
    ("account", (400, REFUSED), "exchange_access_refused"),
]


@pytest.mark.parametrize(("path", "answer", "code"), PLAN_FAILS)
def test_a_failed_rebalance_leg_is_told_in_its_place_and_the_cost_goes_on(
    path: str, answer: Any, code: str, functions: Functions, exchange: StubExchange, store_client: Any, caplog: Any
) -> None:
    functions.post("balance")
    exchange.answers[path] = answer
    report = run(functions, "partial")
    assert report["rebalance"]["status"] == "error"
    assert report["rebalance"]["error"]["code"] == code
    assert report["order"] is None
    assert numbers(report["cost_update"], "status", "total_pnl") == ["success", 100]
    assert any(record.levelname == "ERROR" and "rebalance" in record.message for record in caplog.records)
    assert store_client.hget(COST, "total_pnl") == "100"
    assert not store_client.exists(PLAN, PLANS)


@pytest.mark.parametrize(
    ("answer", "http", "code"),
    [
        ((503, ""), 503, "exchange_unavailable"),
        ((200, "<html>busy</html>"), 502, "exchange_payload_unreadable"),
        ({"symbol": "QRLUSDT", "price": "-1"}, 502, "exchange_payload_unreadable"),
    ],
)
def test_when_both_legs_fail_the_run_is_an_error_and_only_the_report_stays(
    answer: Any, http: int, code: str, functions: Functions, exchange: StubExchange, store_client: Any
) -> None:
    exchange.answers["ticker/price"] = answer
    report = run(functions, "error", http)
    assert report["error"]["code"] == code
    assert report["cost_update"]["error"]["code"] == report["rebalance"]["error"]["code"] == code
    assert not store_client.exists(COST, PLAN, PLANS, *LEDGER)
    assert told(functions.get(JOB))["data"]["status"] == "error"


def test_after_a_failed_leg_the_next_run_is_whole_again(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    exchange.answers["myTrades"] = (503, "")
    run(functions, "partial")
    clock.move(900)
    exchange.answers["myTrades"] = [BOUGHT]
    report = run(functions, "success")
    assert (report["cost_update"]["total_pnl"], report["rebalance"]["action"]) == (100, "SELL")


def test_an_order_book_that_cannot_be_read_does_not_stop_the_plan(
    functions: Functions, exchange: StubExchange
) -> None:
    exchange.answers["depth"] = (503, "")
    report = run(functions, "success")
    assert report["rebalance"]["wanted"]["quantity"] == 25


def test_the_line_of_the_run_tells_status_legs_and_plan(
    functions: Functions, exchange: StubExchange, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    run(functions, "success")
    exchange.answers["myTrades"] = (400, REFUSED)
    run(functions, "partial")
    lines = finished(caplog)
    assert [line["status"] for line in lines] == ["success", "partial"]
    assert numbers(lines[0], "task", "rebalance_action", "rebalance_notional_usdt") == ["15-min-job", "SELL", d(50)]
    assert {"gather", "cost_update", "rebalance", "commit"} <= set(lines[0]["stages"])
    assert lines[0]["calls"]["depth"] == 1
    assert (lines[1]["error_code"], lines[1]["rebalance_action"]) == ("exchange_access_refused", "HOLD")


# Speed


def all_at_once(exchange: StubExchange, count: int) -> None:
    """No call is answered before `count` of them are on their way."""
    barrier = Barrier(count, timeout=10)

    def held(answer: Any) -> Any:
        def respond(_: Call) -> Any:
            barrier.wait()
            return answer

        return respond

    exchange.answers = {path: held(answer) for path, answer in exchange.answers.items()}


@pytest.mark.parametrize("job", ["cost", "rebalance", JOB])
@pytest.mark.parametrize("known", [False, True], ids=["first run", "later run"])
def test_no_call_to_the_exchange_waits_for_another(
    job: str,
    known: bool,
    make_bot: MakeBot,
    bare_functions: Functions,
    exchange: StubExchange,
    clock: FakeClock,
    store_client: "redis.Redis",
) -> None:
    make_bot(pool=POOL)
    functions = bare_functions
    functions.post("balance")
    functions.post(job)
    clock.move(1)
    if known:
        del exchange.calls[:]
        functions.post(job)
        clock.move(1)
    count = len([path for path in exchange.paths() if path != "account" or job != "cost"])
    if not known:
        count -= job != "cost"  # the account that balance read
        store_client.flushall()
        functions.post("balance")
    all_at_once(exchange, count)
    response = functions.post(job)
    assert response.status_code == 200, response.text


def test_the_wave_of_a_run_is_account_price_fills_and_order_book(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    run(functions, "success")
    clock.move(900)
    del exchange.calls[:]
    run(functions, "success")
    calls = exchange.paths()
    assert sorted(path for path in calls if path != "openOrders") == [
        "account",
        "depth",
        "myTrades",
        "ticker/price",
    ]


HISTORIES = ("account_info", "ticker_price", "my_trades", "depth", "open_orders")


@pytest.mark.parametrize("case", ["empty", "known", "full", "new fill", "late fill"])
def test_it_makes_at_most_five_round_trips_to_redis_whatever_is_stored(
    case: str,
    functions: Functions,
    exchange: StubExchange,
    clock: FakeClock,
    line: Line,
    store_client: "redis.Redis",
) -> None:
    functions.post("price")
    clock.move(1)
    if case != "empty":
        run(functions, "success")
        clock.move(900)
    if case == "full":
        for name in HISTORIES:
            key = f"mexc:raw:{name}:history"
            store_client.zadd(key, {f'{{"response":{n},"timestamp":{n}}}': n for n in range(1000)})
        for key in (PLANS, REPORTS):
            store_client.rpush(key, *(json.dumps({"n": n}) for n in range(1000)))
    if case in ("new fill", "late fill"):
        at = NOON + timedelta(seconds=60) if case == "new fill" else NOON - timedelta(days=2)
        exchange.answers["myTrades"] = [fill_payload("BUY", "1", "1", number=9, at=at)]
        exchange.answers["account"] = account_payload(("QRL", "101", "0"), ("USDT", "100", "0"))
    del line.trips[:]
    report = run(functions, "success")
    assert report["cost_update"]["fill_count"] == (2 if "fill" in case else 1)
    assert len(line.trips) <= 5, line.trips


def test_the_round_trips_are_as_many_on_a_real_redis(
    make_bot: MakeBot, bare_functions: Functions, redis_server: str, clock: FakeClock
) -> None:
    client = redis.Redis.from_url(redis_server, decode_responses=True, protocol=2, driver_info=None)
    client.flushdb()
    line = Line(client)
    make_bot(client)
    for _ in range(3):
        del line.trips[:]
        assert bare_functions.post(JOB, slot=clock.now().isoformat()).status_code == 200
        assert len(line.trips) <= 5, line.trips
        clock.move(900)
    client.close()
