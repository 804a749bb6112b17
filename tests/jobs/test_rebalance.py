"""`rebalance`: one snapshot, one plan, stored and answered (contract.md §2.5, §4)."""

import json
from datetime import timedelta
from typing import Any

import pytest
import redis

from common.store.keys import CacheKeys
from tests.builders import account_payload, d, depth_payload, exchange_answers, exchange_info_payload, stored, told
from tests.conftest import ENV, Functions, MakeBot
from tests.fakes import NOON, FakeClock, Line, StubExchange

LAST, HISTORY = "bot:QRLUSDT:rebalance:last", "bot:QRLUSDT:rebalance:history"
RULES = f"qrl:v1:{CacheKeys.of('qrl', '', ENV['MEXC_API_KEY']).rules('QRL/USDT')}"


def holding(exchange: StubExchange, qrl: str, usdt: str, price: str, *, locked: str = "0") -> None:
    exchange.answers |= exchange_answers(price=price)
    exchange.answers["account"] = account_payload(("QRL", qrl, locked), ("USDT", usdt, "0"))


def plan_of(response: Any) -> dict[str, Any]:
    answer = told(response)
    assert answer["status"] == "success", answer
    plan: dict[str, Any] = answer["rebalance"]
    return plan


def decision(plan: dict[str, Any]) -> tuple[str, Any, Any]:
    return plan["action"], plan["quantity"], plan["notional_usdt"]


def test_the_answer_is_the_plan_and_no_order_in_plan_mode(functions: Functions, exchange: StubExchange) -> None:
    holding(exchange, "100", "100", "2")
    answer = told(functions.post("rebalance"))
    assert (answer["status"], answer["task"], answer["order"]) == ("success", "rebalance", None)
    plan = answer["rebalance"]
    expected = {
        "timestamp": NOON.isoformat(),
        "price": 2,
        "qrl_balance": 100,
        "usdt_balance": 100,
        "qrl_value_usdt": 200,
        "usdt_value_usdt": 100,
        "total_value_usdt": 300,
        "target_value_usdt": 150,
        "target_ratio": d("0.5"),
        "action": "SELL",
        "reason": "QRL above target",
        "quantity": 25,
        "notional_usdt": 50,
    }
    assert {name: plan[name] for name in expected} == expected
    assert plan["deviation"] == d("0.166666666666666667")
    assert plan["settings"]["min_notional_usdt"] == 5
    assert plan["settings"]["threshold_pct"] == d("0.01")


def test_every_check_shows_its_value_its_limit_and_why_it_matters(
    functions: Functions, exchange: StubExchange
) -> None:
    holding(exchange, "100", "202", "2")
    plan = plan_of(functions.post("rebalance"))
    assert (plan["action"], plan["reason"]) == ("HOLD", "Within threshold")
    checks = {check["name"]: check for check in plan["checks"]}
    failed = [check for check in checks.values() if not check["passed"]]
    assert {(check["value"], check["limit"]) for check in failed} >= {(1, 5)}
    assert all(check["explanation"] for check in checks.values())


def test_a_hold_says_zero_and_tells_what_it_would_have_been_under_other_names(
    functions: Functions, exchange: StubExchange
) -> None:
    holding(exchange, "100", "202", "2")
    plan = plan_of(functions.post("rebalance"))
    assert decision(plan) == ("HOLD", 0, 0)
    assert (plan["wanted"]["side"], plan["wanted"]["quantity"]) == ("BUY", d("0.5"))


def test_the_next_triggers_are_prices_at_which_it_would_trade_these_quantities(
    functions: Functions, exchange: StubExchange
) -> None:
    holding(exchange, "100", "200", "2")
    triggers = plan_of(functions.post("rebalance"))["next_triggers"]
    assert triggers["buy_below"]["price"] < 2 < triggers["sell_above"]["price"]
    hair = d("0.00001")
    for name, beyond, action in (("buy_below", -hair, "BUY"), ("sell_above", hair, "SELL")):
        price = triggers[name]["price"]
        holding(exchange, "100", "200", f"{price + beyond:f}")
        plan = plan_of(functions.post("rebalance"))
        assert plan["action"] == action
        assert abs(plan["quantity"] - triggers[name]["quantity"]) < d("0.001")
        holding(exchange, "100", "200", f"{price - beyond:f}")
        assert plan_of(functions.post("rebalance"))["action"] == "HOLD"


@pytest.mark.parametrize(
    ("qrl", "usdt", "price", "plan"),
    [
        ("100", "100", "0", "Insufficient price or balance"),
        ("0", "0", "2", "Insufficient price or balance"),
        ("103", "200", "2", "Within threshold"),
    ],
)
def test_the_reasons_to_hold_are_the_contracts_words(
    qrl: str, usdt: str, price: str, plan: str, functions: Functions, exchange: StubExchange
) -> None:
    holding(exchange, qrl, usdt, price)
    answer = plan_of(functions.post("rebalance"))
    assert (answer["action"], answer["reason"]) == ("HOLD", plan)
    assert decision(answer)[1:] == (0, 0)


def test_at_most_the_free_coins_are_sold(functions: Functions, exchange: StubExchange) -> None:
    holding(exchange, "10", "100", "2", locked="90")
    plan = plan_of(functions.post("rebalance"))
    assert decision(plan) == ("SELL", 10, 20)


def test_a_buy_leaves_enough_for_its_fee_and_none_without_free_money(
    functions: Functions, exchange: StubExchange
) -> None:
    exchange.answers |= exchange_answers(price="2")
    exchange.answers["tradeFee"] = {"data": {"makerCommission": 0, "takerCommission": 0.05}, "code": 0}
    exchange.answers["account"] = account_payload(("QRL", "0", "0"), ("USDT", "10.5", "89.5"))
    assert decision(plan_of(functions.post("rebalance"))) == ("BUY", 5, 10)
    exchange.answers["account"] = account_payload(("QRL", "0", "0"), ("USDT", "0", "100"))
    plan = plan_of(functions.post("rebalance"))
    assert (plan["action"], plan["reason"], plan["quantity"]) == ("HOLD", "Insufficient USDT", 0)


def test_the_quantity_is_floored_to_the_exchanges_step(functions: Functions, exchange: StubExchange) -> None:
    exchange.answers |= exchange_answers(qrl="100", usdt="0", price="3")
    exchange.answers["account"] = account_payload(("QRL", "100", "0"), ("USDT", "100", "0"))
    exchange.answers["exchangeInfo"] = exchange_info_payload(baseAssetPrecision=1, baseSizePrecision="0.1")
    plan = plan_of(functions.post("rebalance"))
    assert decision(plan) == ("SELL", d("33.3"), d("99.9"))


def test_the_settings_of_the_plan_are_the_environments(
    make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange
) -> None:
    make_bot(TARGET_RATIO="0.25", MIN_NOTIONAL_USDT="1", THRESHOLD_PCT="0.002")
    holding(exchange, "100", "100", "2")
    plan = plan_of(bare_functions.post("rebalance"))
    assert (decision(plan), plan["target_value_usdt"]) == (("SELL", d("62.5"), 125), 75)
    settings = {"target_ratio": d("0.25"), "min_notional_usdt": 1, "threshold_pct": d("0.002")}
    assert settings.items() <= plan["settings"].items()


# What is stored


def test_the_plan_is_stored_for_good_as_the_last_and_into_the_history(
    make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange, clock: FakeClock, any_redis: "redis.Redis"
) -> None:
    make_bot(any_redis)
    holding(exchange, "100", "100", "2")
    bare_functions.post("rebalance")
    clock.move(3600)
    holding(exchange, "100", "200", "2")
    bare_functions.post("rebalance")
    assert stored(any_redis, LAST)["action"] == "HOLD"
    history: Any = any_redis.lrange(HISTORY, 0, -1)
    assert [json.loads(plan)["action"] for plan in history] == ["HOLD", "SELL"]
    amounts = {name: json.loads(history[1])[name] for name in ("price", "quantity", "notional_usdt")}
    assert amounts == {"price": "2", "quantity": "25", "notional_usdt": "50"}
    assert (any_redis.ttl(LAST), any_redis.ttl(HISTORY)) == (-1, -1)
    assert (any_redis.type(LAST), any_redis.type(HISTORY)) == ("string", "list")


def test_the_history_ends_at_the_newest_thousand(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    store_client.rpush(HISTORY, *(json.dumps({"n": n}) for n in range(1000)))
    functions.post("rebalance")
    assert store_client.llen(HISTORY) == 1000
    assert store_client.lindex(HISTORY, -1) == '{"n": 998}'


def test_get_tells_the_last_plan_and_with_a_limit_the_last_so_many(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    for usdt in ("100", "150", "200"):
        holding(exchange, "100", usdt, "2")
        functions.post("rebalance")
        clock.move(60)
    answer = told(functions.get("rebalance"))
    assert (answer["status"], answer["rebalance"]["usdt_balance"]) == ("success", 200)
    history = told(functions.get("rebalance", "?limit=2"))["history"]
    assert [plan["usdt_balance"] for plan in history] == [200, 150]
    assert history[0] == answer["rebalance"]


def test_another_symbol_names_the_assets_in_its_fields(
    make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    make_bot(SYMBOL="BTCUSDC")
    symbol = exchange_info_payload(symbol="BTCUSDC", baseAsset="BTC", quoteAsset="USDC")
    exchange.answers |= {
        "account": account_payload(("BTC", "1", "0"), ("USDC", "10000", "0")),
        "ticker/price": {"symbol": "BTCUSDC", "price": "20000"},
        "depth": depth_payload("20000"),
        "exchangeInfo": symbol,
        "selfSymbols": {"code": 0, "data": ["BTCUSDC"], "msg": ""},
    }
    plan = plan_of(bare_functions.post("rebalance"))
    assert (plan["action"], plan["reason"], plan["quantity"]) == ("SELL", "BTC above target", d("0.25"))
    assert (plan["btc_balance"], plan["usdc_value_usdc"], plan["notional_usdc"]) == (1, 10000, 5000)
    assert stored(store_client, "bot:BTCUSDC:rebalance:last")["btc_balance"] == "1"


# What it rests on


def test_account_price_and_book_are_asked_at_the_same_time(functions: Functions, exchange: StubExchange) -> None:
    functions.post("rebalance")
    assert {"account", "ticker/price", "depth"} <= set(exchange.paths())


def test_the_pairs_rules_are_asked_once_and_then_come_from_the_cache(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    first = plan_of(functions.post("rebalance"))
    assert 0 < int(str(store_client.ttl(RULES))) <= 21600
    del exchange.calls[:]
    again = plan_of(functions.post("rebalance"))
    assert not {"exchangeInfo", "tradeFee", "selfSymbols"} & set(exchange.paths())
    assert decision(again) == decision(first)
    store_client.delete(RULES)
    functions.post("rebalance")
    assert "exchangeInfo" in exchange.paths()


def test_how_long_the_rules_are_kept_is_a_setting(
    make_bot: MakeBot, bare_functions: Functions, store_client: "redis.Redis"
) -> None:
    make_bot(REDIS_CACHE_TTL_RULES="60")
    bare_functions.post("rebalance")
    assert 0 < int(str(store_client.ttl(RULES))) <= 60


@pytest.mark.parametrize("text", ["{broken", '{"fee": 1}', "[]", "null", '"text"'])
def test_a_corrupt_cache_entry_is_a_miss_and_never_fails_a_plan(
    text: str, functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    store_client.set(RULES, text)
    plan_of(functions.post("rebalance"))
    assert "exchangeInfo" in exchange.paths()
    assert stored(store_client, RULES) != text


def test_a_cache_entry_of_the_wrong_type_is_a_miss_too(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    store_client.lpush(RULES, "x")
    plan_of(functions.post("rebalance"))
    assert store_client.type(RULES) == "string"


def test_fees_that_cannot_be_read_leave_the_published_ones(
    functions: Functions, exchange: StubExchange, caplog: pytest.LogCaptureFixture
) -> None:
    exchange.answers["tradeFee"] = (400, {"code": 700007, "msg": "No permission"})
    plan_of(functions.post("rebalance"))
    assert any("fees cannot be read" in message for message in caplog.messages)


def test_when_the_keys_own_symbols_cannot_be_read_the_public_list_is_asked(
    functions: Functions, exchange: StubExchange
) -> None:
    exchange.answers["selfSymbols"] = (503, "")
    plan_of(functions.post("rebalance"))
    assert "defaultSymbols" in exchange.paths()


@pytest.mark.parametrize(
    ("seconds", "action", "reason"),
    [(59, "SELL", "QRL above target"), (61, "HOLD", "Stale data: balance is 61 s old, at most 60 s")],
)
def test_a_snapshot_that_has_grown_old_holds(
    seconds: int,
    action: str,
    reason: str,
    make_bot: MakeBot,
    functions: Functions,
    exchange: StubExchange,
    clock: FakeClock,
) -> None:
    make_bot(RUN_DEADLINE_SECONDS="90")
    holding(exchange, "100", "100", "2")
    listed = exchange.answers["defaultSymbols"]

    def late(_: Any) -> Any:
        clock.move(seconds)
        return listed

    exchange.answers["selfSymbols"] = (400, {"code": 700007, "msg": "No permission"})
    exchange.answers["defaultSymbols"] = late  # asked after the wave
    plan = plan_of(functions.post("rebalance"))
    assert (plan["action"], plan["reason"]) == (action, reason)
    assert bool(plan["quantity"]) == (action == "SELL")


@pytest.mark.parametrize(
    ("path", "answer", "status", "code"),
    [
        ("ticker/price", (200, '{"symbol":"QRLUSDT","price":NaN}'), 502, "exchange_payload_unreadable"),
        ("ticker/price", {"symbol": "QRLUSDT", "price": "Infinity"}, 502, "exchange_payload_unreadable"),
        ("ticker/price", {"symbol": "QRLUSDT", "price": "-2"}, 502, "exchange_payload_unreadable"),
        ("account", account_payload(("QRL", "-1", "0")), 502, "exchange_payload_unreadable"),
        ("account", account_payload(("QRL", "much", "0")), 502, "exchange_payload_unreadable"),
        ("account", account_payload(("QRL", "NaN", "0")), 502, "exchange_payload_unreadable"),
        ("exchangeInfo", {"symbols": []}, 502, "exchange_payload_unreadable"),
        ("account", (400, {"code": 10072, "msg": "Api key info invalid"}), 502, "exchange_access_refused"),
        ("ticker/price", (503, ""), 503, "exchange_unavailable"),
    ],
)
def test_what_cannot_be_read_is_an_error_and_never_a_zero(
    path: str, answer: Any, status: int, code: str, functions: Functions, exchange: StubExchange, store_client: Any
) -> None:
    exchange.answers[path] = answer
    response = functions.post("rebalance")
    assert (response.status_code, told(response)["error"]["code"]) == (status, code)
    assert not store_client.exists(LAST)
    assert not store_client.exists(HISTORY)


@pytest.mark.parametrize("filled", [False, True])
def test_it_needs_at_most_five_round_trips_whatever_is_stored(
    filled: bool, functions: Functions, line: Line, store_client: "redis.Redis"
) -> None:
    if filled:
        store_client.rpush(HISTORY, *(json.dumps({"n": n}) for n in range(1000)))
    functions.post("price")
    functions.post("rebalance")
    del line.trips[:]
    functions.post("rebalance", slot=(NOON - timedelta(minutes=1)).isoformat())
    assert len(line.trips) <= 5, line.trips
