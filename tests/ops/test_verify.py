"""The check after a deployment: healthy when all is well, and each thing that can silently be wrong."""

import json
from datetime import timedelta
from typing import Any

import pytest
import redis

from common.clock import milliseconds
from common.decimal_json import to_redis
from common.domain.orders.journal import Continuity
from common.report.content import CANNOT_BE_SHOWN
from common.store.codec import to_document
from tests.builders import KEYS, account_payload, everything, exchange_info_payload, fill_payload
from tests.conftest import SLOT, Functions, Live, MakeBot
from tests.fakes import NOON, FakeClock, StubExchange


@pytest.fixture
def deployed(functions: Functions, exchange: StubExchange) -> Functions:
    """Every job has run once."""
    exchange.answers["myTrades"] = [fill_payload("BUY", "1000.5", "0.02", at=NOON)]
    for job in ("balance", "price", "cost", "fifteen_min_job"):
        assert functions.post(job, slot=SLOT).status_code == 200
    return functions


def report(functions: Functions) -> Any:
    answer = functions.get("ops", "verify")
    assert answer.status_code == 200
    body: Any = answer.json
    return body["data"]


def bad(functions: Functions) -> dict[str, str]:
    """The findings that are wrong, with their explanations."""
    told = report(functions)
    wrong = {f["name"]: f["explanation"] for f in told["findings"] if f["ok"] is False}
    assert told["healthy"] is not bool(wrong)
    return wrong


def test_a_bot_that_works_is_healthy(deployed: Functions) -> None:
    assert bad(deployed) == {}


def test_what_only_a_person_can_tell_is_left_open(deployed: Functions) -> None:
    open_ones = {f["name"] for f in report(deployed)["findings"] if f["ok"] is None}
    assert "key_without_withdrawal" in open_ones


def test_the_limits_in_force_are_told(make_bot: MakeBot, bare_functions: Functions) -> None:
    make_bot(MAX_NOTIONAL_USDT="50", MAX_NOTIONAL_USD="20", CORE_HOLDING="100")
    (limits,) = (f["explanation"] for f in report(bare_functions)["findings"] if f["name"] == "limits_in_force")
    assert {"MAX_NOTIONAL_USDT 50", "CORE_HOLDING 100", "MAX_DAILY_LOSS_USDT off"} <= set(limits.split(", "))


def test_before_any_run_keys_and_runs_are_missing(functions: Functions) -> None:
    wrong = bad(functions)
    assert KEYS.position in wrong["keys_present"]
    assert wrong["last_run_price"] == "it has never run"
    assert "position_fields" in wrong


def test_a_bot_whose_jobs_have_not_all_run_yet_is_new_and_not_damaged(
    functions: Functions, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    assert functions.post("price", slot=SLOT).status_code == 200
    clock.move(60)
    found = {f["name"]: f for f in report(functions)["findings"]}
    assert set(bad(functions)) == {"clock"}  # ours alone has moved
    assert found["keys_present"]["ok"] is None
    assert found["keys_present"]["explanation"].startswith("new: balance, cost, fifteen_min_job have not run yet")
    assert found["last_run_cost"]["explanation"] == "new: it has not run yet; it runs every 5 minutes"
    store_client.delete(KEYS.price_latest)
    assert bad(functions)["keys_present"] == f"missing: {KEYS.price_latest}"
    clock.move(3 * 180 + 1)  # of the balance; the others may still come
    wrong = bad(functions)
    assert wrong["last_run_balance"] == "it has never run"
    assert KEYS.position in wrong["keys_present"]
    assert "last_run_cost" not in wrong


def test_a_permanent_key_with_a_ttl_is_named(deployed: Functions, store_client: "redis.Redis") -> None:
    store_client.expire(KEYS.position, 30)
    assert KEYS.position in bad(deployed)["permanent_without_ttl"]


def test_a_lost_position_field_is_named(deployed: Functions, store_client: "redis.Redis") -> None:
    store_client.hdel(KEYS.position, "permissions")
    assert "permissions" in bad(deployed)["position_fields"]


@pytest.mark.parametrize(
    ("job", "seconds"), [("price", 60), ("balance", 180), ("cost", 300), ("fifteen_min_job", 900)]
)
def test_a_job_may_miss_three_of_its_slots_and_a_minute_but_no_more(
    deployed: Functions, clock: FakeClock, job: str, seconds: int
) -> None:
    clock.move(3 * seconds + 60)
    assert f"last_run_{job}" not in bad(deployed)
    clock.move(1)
    assert f"last_run_{job}" in bad(deployed)


def test_a_run_that_was_skipped_ended_well(make_bot: MakeBot, bare_functions: Functions) -> None:
    make_bot(MEXC_API_KEY="", MEXC_SECRET_KEY="")
    bare_functions.post("cost", slot=SLOT)
    assert "last_run_cost" not in bad(bare_functions)


@pytest.mark.parametrize(
    ("status", "well"), [("success", True), ("skipped", True), ("partial", False), ("error", False)]
)
def test_verify_and_metrics_agree_on_what_ended_well(
    deployed: Functions, store_client: "redis.Redis", status: str, well: bool
) -> None:
    text: Any = store_client.get(KEYS.report_last("fifteen_min_job"))
    store_client.set(KEYS.report_last("fifteen_min_job"), json.dumps(json.loads(text) | {"status": status}))
    assert ("last_run_fifteen_min_job" not in bad(deployed)) is well
    metrics = deployed.get("ops", "metrics").text
    assert f'rebalancer_run_ended_well{{job="fifteen_min_job"}} {int(well)}\n' in metrics


def test_verifying_leaves_redis_as_it_was_and_trades_nothing(
    deployed: Functions, store_client: "redis.Redis", exchange: StubExchange
) -> None:
    before = everything(store_client)
    asked = len(exchange.calls)
    report(deployed)
    assert everything(store_client) == before
    assert {call.method for call in exchange.calls[asked:]} == {"GET"}


@pytest.mark.parametrize(
    ("policy", "healthy"), [("noeviction", True), ("allkeys-lru", False), ("volatile-ttl", False)]
)
def test_only_a_store_that_never_evicts_is_safe(
    make_bot: MakeBot, bare_functions: Functions, redis_server: str, policy: str, healthy: bool
) -> None:
    client = redis.Redis.from_url(redis_server, decode_responses=True, protocol=2)
    client.flushdb()
    client.config_set("maxmemory-policy", policy)
    try:
        make_bot(client)
        findings = {f["name"]: f for f in report(bare_functions)["findings"]}
    finally:
        client.config_set("maxmemory-policy", "noeviction")
        client.close()
    assert findings["eviction_policy"]["ok"] is healthy
    assert policy in findings["eviction_policy"]["explanation"]


def test_a_job_that_has_been_silent_for_three_intervals_is_named(deployed: Functions, clock: FakeClock) -> None:
    clock.move(3 * 60 + 61)
    assert set(bad(deployed)) >= {"last_run_price"}


def test_a_job_whose_last_run_failed_is_named(deployed: Functions, exchange: StubExchange) -> None:
    exchange.answers["account"] = (503, "")
    deployed.post("balance")
    exchange.answers["account"] = account_payload(("QRL", "1", "0"))
    assert bad(deployed)["last_run_balance"].startswith("error")


def test_a_pause_and_an_open_intent_are_named(deployed: Functions, store_client: "redis.Redis") -> None:
    deployed.command("pause", reason="holiday")
    store_client.hset(KEYS.orders_open, "rb", "{}")
    assert set(bad(deployed)) == {"kill_switch", "open_intents", "readable"}


def test_a_pause_that_is_over_is_no_finding(deployed: Functions, clock: FakeClock) -> None:
    deployed.command("pause", reason="lunch", until="2026-01-02T12:00:30+00:00")
    assert set(bad(deployed)) == {"kill_switch"}
    clock.move(30)
    assert "kill_switch" not in bad(deployed)


@pytest.mark.parametrize(
    ("path", "answer", "finding", "told"),
    [
        ("account", account_payload(("QRL", "1", "0"), canTrade=False), "key_reads_account", "canTrade is False"),
        ("account", (400, {"code": 10072, "msg": "Api key info invalid"}), "key_reads_account", "10072"),
        ("selfSymbols", (400, {"code": 700007, "msg": "No permission"}), "key_may_trade_symbol", "700007"),
        ("exchangeInfo", (200, "<html>"), "symbol_tradable", "HTML"),
        ("exchangeInfo", exchange_info_payload(tradeSideType=4), "symbol_tradable", "no side"),
    ],
)
def test_what_the_key_may_not_do_is_named(
    deployed: Functions, exchange: StubExchange, path: str, answer: Any, finding: str, told: str
) -> None:
    exchange.answers[path] = answer
    assert told in bad(deployed)[finding]


@pytest.mark.parametrize(("off", "passed"), [(800, True), (-800, True), (801, False), (-801, False)])
def test_a_clock_may_be_off_by_what_signed_calls_bear(
    deployed: Functions, exchange: StubExchange, off: int, passed: bool
) -> None:
    exchange.answers["time"] = {"serverTime": milliseconds(NOON) + off}
    assert ("clock" in bad(deployed)) is not passed


def test_a_key_is_young_for_seventy_four_days(make_bot: MakeBot, bare_functions: Functions) -> None:
    make_bot(MEXC_KEY_CREATED="2025-10-20")
    assert "key_age" not in bad(bare_functions)
    make_bot(MEXC_KEY_CREATED="2025-10-19")
    assert "75 days" in bad(bare_functions)["key_age"]


def test_a_clock_that_is_off_is_named_with_how_much(deployed: Functions, exchange: StubExchange) -> None:
    exchange.answers["time"] = {"serverTime": milliseconds(NOON) - 1500}
    assert "-1500 ms" in bad(deployed)["clock"]


def test_a_symbol_that_is_closed_to_the_api_is_named(deployed: Functions, exchange: StubExchange) -> None:
    exchange.answers["exchangeInfo"] = exchange_info_payload(status="2")
    assert "status 2" in bad(deployed)["symbol_tradable"]


def test_a_key_without_the_pair_is_named(deployed: Functions, exchange: StubExchange) -> None:
    exchange.answers["selfSymbols"] = {"code": 200, "data": ["BTCUSDT"], "msg": None}
    assert "not in the key's pair list" in bad(deployed)["key_may_trade_symbol"]


def test_an_exchange_that_does_not_answer_is_a_finding_not_a_failure(
    deployed: Functions, exchange: StubExchange
) -> None:
    exchange.answers["time"] = (400, {"code": 700006, "msg": "IP [1.2.3.4] not in the ip white list"})
    assert "1.2.3.4" in bad(deployed)["clock"]


def test_an_old_key_is_named(make_bot: MakeBot, bare_functions: Functions) -> None:
    make_bot(MEXC_KEY_CREATED="2025-10-15")
    assert "79 days" in bad(bare_functions)["key_age"]


def test_without_a_key_what_it_may_do_is_left_open(make_bot: MakeBot, bare_functions: Functions) -> None:
    make_bot(MEXC_API_KEY="", MEXC_SECRET_KEY="")
    findings = {f["name"]: f["ok"] for f in report(bare_functions)["findings"]}
    assert findings["key"] is None
    assert "key_reads_account" not in findings


def test_each_open_intent_is_named_with_what_will_resolve_it(live: Live, bare_functions: Functions) -> None:
    live.run()
    live.desk.market.set_price("0.022")
    live.call("price")
    live.desk.on["POST order"] = lambda call: (500, "")
    live.run(15)
    told = bad(bare_functions)["open_intents"]
    assert live.name(15) in told
    assert "the next run" in told


def test_slots_that_wanted_to_trade_in_vain_are_told_after_three(live: Live, bare_functions: Functions) -> None:
    live.start(MAX_ORDERS_PER_DAY="0")
    for minutes in (0, 15):
        live.run(minutes)
    assert "wanted_to_trade" not in bad(bare_functions)
    live.run(30)
    told = bad(bare_functions)["wanted_to_trade"]
    assert told.startswith(
        "the last 3 slots wanted to trade and filled nothing: HOLD: Order refused: 0 orders were sent"
    )


def test_coins_that_no_fill_explains_are_told_with_their_share(deployed: Functions, exchange: StubExchange) -> None:
    exchange.answers["account"] = account_payload(("QRL", "1075.5", "0"), ("USDT", "500.25", "10"))
    deployed.post("balance")
    deployed.post("cost")
    told = bad(deployed)["ledger_drift"]
    assert told.startswith("the account holds 75.0000 QRL that the ledger does not explain (6.97\u202f% of them)")
    assert told.endswith("\u2192 restore")


def test_coins_that_came_more_than_a_day_ago_are_a_matter_for_a_person(
    deployed: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    exchange.answers["account"] = account_payload(("QRL", "1075.5", "0"), ("USDT", "500.25", "10"))
    for hours in (0, 1, 30):  # seen, confirmed, and long ago
        clock.move(3600 * hours)
        for job in ("price", "balance", "cost", "fifteen_min_job"):
            deployed.post(job)
    (finding,) = (f for f in report(deployed)["findings"] if f["name"] == "ledger_drift")
    assert finding["ok"] is None
    assert "75.0000 QRL that the ledger does not explain" in finding["explanation"]


def test_a_lost_ledger_is_told_with_the_way_back(deployed: Functions, store_client: "redis.Redis") -> None:
    store_client.delete(KEYS.ledger)
    assert bad(deployed)["keys_present"].endswith("\u2192 restore")


def test_two_slots_in_a_row_without_a_report_are_told_and_logged(
    functions: Functions, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    def told() -> tuple[bool, str]:
        (finding,) = (f for f in report(functions)["findings"] if f["name"] == "missed_slots")
        return finding["ok"], finding["explanation"]

    for minutes in (0, 15, 45, 90):
        clock.move((NOON + timedelta(minutes=minutes) - clock.now()).total_seconds())
        functions.post("fifteen_min_job", slot=clock.now().isoformat())
        if minutes == 45:
            assert told() == (True, "1 of 4 slots of the last day have no report: 12:30")
    assert told() == (False, "3 of 7 slots of the last day have no report: 12:30, 13:00, 13:15")
    (line,) = [r.__dict__["fields"] for r in caplog.records if r.getMessage() == "slots.missed"]
    assert (line["count"], f"{line['first']:%H:%M}") == (2, "13:00")


def test_a_redis_that_is_new_says_until_when_it_is_waited_for(live: Live, bare_functions: Functions) -> None:
    live.run()
    known = Continuity("another", live.clock.now(), searched=False)
    live.client.set(KEYS.continuity, to_redis(to_document(known)))
    (finding,) = (f for f in report(bare_functions)["findings"] if f["name"] == "redis_continuity")
    assert finding["ok"] is None
    until = live.clock.now() + timedelta(seconds=60)
    assert f"no order leaves before {until:%H:%M:%S}" in finding["explanation"]


def test_a_key_that_cannot_be_read_is_a_finding_that_names_it_and_the_rest_is_still_told(
    deployed: Functions, store_client: "redis.Redis"
) -> None:
    names = [each["name"] for each in report(deployed)["findings"]]
    kept = {
        KEYS.position: "position_fields",
        KEYS.report_last("balance"): "last_run_balance",
        KEYS.pause: "kill_switch",
        KEYS.continuity: "redis_continuity",
    }
    for key in kept:
        store_client.set(key, "[]")
    for key in (KEYS.plan_history, KEYS.plan_inputs, KEYS.raw_history("account_info")):
        wrong = bad(deployed)
        for other, finding in kept.items():
            assert other in wrong[finding]
        assert "plans_reproduced" not in wrong
        if key == KEYS.raw_history("account_info"):
            store_client.zadd(key, {"[]": milliseconds(NOON)})
        else:
            store_client.lpush(key, "[]")
        assert key in bad(deployed)["plans_reproduced"]
        page = deployed.get("ops", "report")
        assert page.status_code == 200
        assert key in page.text
        store_client.zrem(key, "[]") if key.startswith("mexc") else store_client.lpop(key)
    assert [each["name"] for each in report(deployed)["findings"]] == names


def test_a_document_of_another_version_is_a_finding_and_the_rest_is_still_told(
    deployed: Functions, store_client: "redis.Redis"
) -> None:
    names = [each["name"] for each in report(deployed)["findings"]]
    store_client.hset(KEYS.cost, "drift_quantity", '"many"')
    store_client.lpush(KEYS.report_history("fifteen_min_job"), "{}", '{"timestamp": 5, "rebalance": "x"}')
    assert bad(deployed) == {"ledger_drift": CANNOT_BE_SHOWN}
    assert [each["name"] for each in report(deployed)["findings"]] == names
    for view in ("", "status", "report", "metrics"):
        assert deployed.get("ops", view).status_code == 200, view
