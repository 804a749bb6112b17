"""`repair` over HTTP: what cannot be read is shown, moved aside once confirmed, and the bot goes on."""

import json
from typing import Any

import redis

from tests.builders import KEYS, fill_payload, told
from tests.conftest import Functions
from tests.fakes import NOON, StubExchange


def repair(functions: Functions, key: object, **more: Any) -> Any:
    return functions.command("repair", key=key, **more)


def mended(functions: Functions, key: str) -> str:
    """Look, confirm; the key that it was moved to."""
    shown = told(repair(functions, key))["data"]
    moved = told(repair(functions, key, confirm=shown["confirm"]))
    assert moved["status"] == "success", moved
    return str(moved["data"]["moved_to"])


def test_a_corrupt_document_is_shown_then_moved_and_the_job_runs_again(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    exchange.answers["myTrades"] = [fill_payload("BUY", "1000.5", "0.02", at=NOON)]
    for job in ("balance", "cost"):
        assert functions.post(job).status_code == 200
    store_client.set(KEYS.inception, b'{"timestamp":"\xff"}')
    refused = told(functions.post("cost"))["error"]
    assert (refused["code"], KEYS.inception in refused["message"]) == ("redis_value_corrupt", True)
    shown = told(repair(functions, KEYS.inception))["data"]
    assert shown["moves"] == "the whole key"
    assert shown["holds"][0]["text"] == '{"timestamp":"\\udcff"}'
    assert store_client.exists(KEYS.inception), "looking moves nothing"
    aside = mended(functions, KEYS.inception)
    assert not store_client.exists(KEYS.inception)
    assert store_client.exists(aside)
    assert store_client.ttl(aside) == -1
    assert told(functions.post("cost"))["status"] == "success"
    commands = [json.loads(str(text)) for text in store_client.lrange(KEYS.commands, 0, -1)]
    assert [(each["command"], "confirm" in each) for each in commands] == [("repair", True)] + [
        ("repair", False)
    ] * 2


def test_of_a_hash_list_and_sorted_set_only_what_is_unreadable_moves(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    exchange.answers["myTrades"] = [fill_payload("BUY", "1000.5", "0.02", at=NOON)]
    for job in ("balance", "cost", "fifteen_min_job"):
        functions.post(job)
    store_client.hset(KEYS.orders_open, "rb1", "{broken")
    store_client.lpush(KEYS.plan_history, "[]")
    store_client.zadd(KEYS.ledger_fills, {"{}": 5})
    plans, fills = store_client.llen(KEYS.plan_history), store_client.zcard(KEYS.ledger_fills)
    for key, name in ((KEYS.orders_open, "rb1"), (KEYS.plan_history, "0"), (KEYS.ledger_fills, "0")):
        shown = told(repair(functions, key))["data"]
        assert ([each["name"] for each in shown["holds"]], shown["unreadable"]) == ([name], 1)
        mended(functions, key)
    assert not store_client.exists(KEYS.orders_open)
    assert (store_client.llen(KEYS.plan_history), store_client.zcard(KEYS.ledger_fills)) == (plans - 1, fills - 1)
    assert store_client.zscore(f"{KEYS.ledger_fills}:aside:20260102T120000Z", "{}") == 5


def test_a_key_of_another_type_moves_whole(functions: Functions, store_client: "redis.Redis") -> None:
    store_client.set(KEYS.ledger_fills, "what is this")
    store_client.lpush(KEYS.pause, "what is this")
    for key, fault in ((KEYS.ledger_fills, "a string, expected a zset"), (KEYS.pause, "a list, expected a string")):
        shown = told(repair(functions, key))["data"]
        assert shown["holds"][0]["fault"] == fault
        mended(functions, key)
        assert not store_client.exists(key)


def test_nothing_moves_that_is_sound_changed_since_or_not_the_bots_own(
    functions: Functions, store_client: "redis.Redis"
) -> None:
    functions.post("balance")
    store_client.set("other", "{")
    store_client.set("bot:BTCUSDT:pause", "{")
    store_client.set(KEYS.lease("account"), "token", px=1)
    names = ("other", "bot:BTCUSDT:pause", KEYS.lease("account"), f"{KEYS.pause}:aside:x", "", None, 5)
    assert [repair(functions, name).status_code for name in names] == [400] * len(names)
    assert [repair(functions, key).status_code for key in (KEYS.account_balance, KEYS.position, KEYS.pause)] == [
        400
    ] * 3
    store_client.set(KEYS.pause, "{")
    proof = told(repair(functions, KEYS.pause))["data"]["confirm"]
    store_client.set(KEYS.pause, "{{")
    assert repair(functions, KEYS.pause, confirm=5).status_code == 400
    answer = repair(functions, KEYS.pause, confirm=proof)
    assert (answer.status_code, "something else by now" in told(answer)["error"]["message"]) == (400, True)
    assert store_client.get(KEYS.pause) == "{{"
    assert not store_client.exists(KEYS.lease("account"))
