"""`balance`: the account into Redis and into the answer, every three minutes (contract.md §2.1, §3)."""

import json
from datetime import timedelta
from typing import Any

import pytest
import redis

from tests.builders import account_payload, d, exchange_answers, finished, stored, told
from tests.conftest import Functions, MakeBot
from tests.fakes import NOON, FakeClock, Line, StubExchange

SENTENCE = (
    "[Cloud Task] Balance synced - QRL: 1000.5000 (locked: 0.0), USDT: 500.25 (locked: 10.0), Total assets: 3, "
    "Account type: SPOT, canTrade: True, Maker/Taker: 10/10, Permissions: ['SPOT'], Update time: 1703750000000"
)
SPEC_ACCOUNT = account_payload(
    ("QRL", "1000.5", "0"),
    ("USDT", "500.25", "10"),
    ("MX", "0", "3"),
    makerCommission=10,
    takerCommission=10,
    updateTime=1703750000000,
)
PERMANENT = (
    "mexc:raw:account_info:latest",
    "mexc:raw:account_info:history",
    "bot:QRLUSDT:position",
    "account:balance",
)


def test_the_log_lines_are_the_ones_dashboards_read(
    functions: Functions, exchange: StubExchange, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    exchange.answers["account"] = SPEC_ACCOUNT
    functions.post("balance")
    told_lines = [message for message in caplog.messages if message.startswith("[Cloud Task]")]
    assert told_lines == ["[Cloud Task] Stored raw account_info response", SENTENCE]


def test_the_answer_tells_the_free_and_locked_amounts(functions: Functions, exchange: StubExchange) -> None:
    exchange.answers["account"] = SPEC_ACCOUNT
    answer = told(functions.post("balance"))
    assert (answer["status"], answer["task"]) == ("success", "sync-balance")
    assert answer["data"] == {
        "qrl_balance": d("1000.5"),
        "usdt_balance": d("500.25"),
        "qrl_locked": 0,
        "usdt_locked": 10,
        "total_assets": 3,
        "account_type": "SPOT",
    }


def test_the_account_document_has_every_non_zero_asset_and_keeps_nulls(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    exchange.answers["account"] = account_payload(("QRL", "1.5", "0.25"), ("BTC", "0", "0"), ("MX", "0", "3"))
    functions.post("balance")
    assert stored(store_client, "account:balance") == {
        "success": True,
        "balances": {
            "QRL": {"free": "1.5", "locked": "0.25", "total": "1.75"},
            "MX": {"free": "0", "locked": "3", "total": "3"},
        },
        "makerCommission": None,
        "takerCommission": None,
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "updateTime": None,
        "accountType": "SPOT",
        "permissions": ["SPOT"],
        "timestamp": NOON.isoformat(),
        "cached": False,
    }


def test_the_position_hash_has_the_fields_of_the_contract_as_text(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    exchange.answers["account"] = SPEC_ACCOUNT | {"canWithdraw": False}
    functions.post("balance")
    fields: Any = store_client.hgetall("bot:QRLUSDT:position")
    assert json.loads(fields.pop("all_balances"))["USDT"] == {"free": "500.25", "locked": "10", "total": "510.25"}
    assert fields == {
        "qrl_balance": "1000.5",
        "usdt_balance": "500.25",
        "qrl_locked": "0",
        "usdt_locked": "10",
        "account_type": "SPOT",
        "can_trade": "True",
        "can_withdraw": "False",
        "can_deposit": "True",
        "update_time": "1703750000000",
        "permissions": '["SPOT"]',
        "maker_commission": "10",
        "taker_commission": "10",
        "updated_at": NOON.isoformat(),
    }


def test_an_asset_the_exchange_does_not_list_is_zero(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    exchange.answers["account"] = account_payload(("MX", "1", "0"))
    answer = told(functions.post("balance"))
    assert (answer["data"]["qrl_balance"], answer["data"]["usdt_locked"]) == (0, 0)
    assert answer["data"]["total_assets"] == 1
    assert store_client.hget("bot:QRLUSDT:position", "qrl_balance") == "0"


def test_commissions_that_are_absent_or_null_are_empty_and_not_zero(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    exchange.answers["account"] = {
        name: value for name, value in account_payload(("QRL", "1", "0")).items() if name != "makerCommission"
    }
    functions.post("balance")
    assert store_client.hmget("bot:QRLUSDT:position", "maker_commission", "taker_commission") == ["", ""]
    assert stored(store_client, "account:balance")["makerCommission"] is None


@pytest.mark.parametrize(
    "amount",
    ["0.000000674123456789", "123456789012.000000000000000001", "0.1", "1000000000000000000000", "0.00000001"],
)
def test_amounts_are_kept_to_the_last_digit(
    amount: str, functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    exchange.answers["account"] = account_payload(("QRL", amount, "0"), ("USDT", "0", amount))
    answer = functions.post("balance").get_data(as_text=True)
    assert f'"qrl_balance":{amount},' in answer
    assert f'"usdt_locked":{amount},' in answer
    assert store_client.hget("bot:QRLUSDT:position", "qrl_balance") == amount
    assert stored(store_client, "account:balance")["balances"]["QRL"]["total"] == amount
    assert f'"total":{amount}' in functions.get("balance").get_data(as_text=True)


def test_zero_padded_amounts_are_the_same_number(functions: Functions, exchange: StubExchange) -> None:
    exchange.answers["account"] = account_payload(("QRL", "0001.50000", "0E-8"), ("USDT", "0", "0.00010000"))
    data = told(functions.post("balance"))["data"]
    assert (data["qrl_balance"], data["qrl_locked"], data["usdt_locked"]) == (d("1.5"), 0, d("0.0001"))


def test_the_raw_answer_is_kept_unaltered_with_its_time_and_source(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    text = json.dumps(account_payload(("QRL", "1", "0"), ufo={"new": [1.10, None]}), indent=1)
    exchange.answers["account"] = (200, text)
    functions.post("balance")
    latest: Any = store_client.get("mexc:raw:account_info:latest")
    assert text in latest
    stored = json.loads(latest)
    assert stored["timestamp"] == int(NOON.timestamp() * 1000)
    assert stored["datetime"] == NOON.isoformat()
    assert stored["metadata"]["task"] == "sync-balance"
    assert stored["metadata"]["source"]
    assert store_client.zrange("mexc:raw:account_info:history", 0, -1, withscores=True) == [
        (latest, stored["timestamp"])
    ]


def test_equal_answers_of_one_millisecond_are_both_kept(functions: Functions, store_client: "redis.Redis") -> None:
    functions.post("balance")
    functions.post("balance")
    assert store_client.zcard("mexc:raw:account_info:history") == 2


def test_the_raw_history_ends_at_the_newest_thousand(
    functions: Functions, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    old = {f'{{"response":{n},"timestamp":{n}}}': n for n in range(1000)}
    store_client.zadd("mexc:raw:account_info:history", old)
    functions.post("balance")
    assert store_client.zcard("mexc:raw:account_info:history") == 1000
    assert store_client.zrange("mexc:raw:account_info:history", 0, 0) == ['{"response":1,"timestamp":1}']


def test_what_is_permanent_has_no_expiry_and_outlives_half_a_minute(
    make_bot: MakeBot, bare_functions: Functions, clock: FakeClock, any_redis: "redis.Redis"
) -> None:
    make_bot(any_redis)
    bare_functions.post("balance")
    clock.move(31)
    assert [any_redis.ttl(key) for key in PERMANENT] == [-1] * 4
    assert [any_redis.type(key) for key in PERMANENT] == ["string", "zset", "hash", "string"]
    answer = told(bare_functions.get("balance"))
    assert answer["data"]["balances"]["QRL"]["free"] == d("1000.5")


def test_get_tells_the_stored_account_as_cached_and_with_its_age(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    exchange.answers["account"] = SPEC_ACCOUNT
    functions.post("balance")
    clock.move(200)
    answer = told(functions.get("balance"))
    assert answer["status"] == "success"
    assert answer["data"] == {
        "success": True,
        "balances": {
            "QRL": {"free": d("1000.5"), "locked": 0, "total": d("1000.5")},
            "USDT": {"free": d("500.25"), "locked": 10, "total": d("510.25")},
            "MX": {"free": 0, "locked": 3, "total": 3},
        },
        "makerCommission": 10,
        "takerCommission": 10,
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "updateTime": 1703750000000,
        "accountType": "SPOT",
        "permissions": ["SPOT"],
        "timestamp": NOON.isoformat(),
        "cached": True,
        "age_seconds": 200,
    }


def test_a_newer_account_takes_the_place_of_the_older(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    functions.post("balance")
    clock.move(180)
    exchange.answers["account"] = account_payload(("QRL", "7", "0"))
    functions.post("balance")
    assert store_client.hmget("bot:QRLUSDT:position", "qrl_balance", "usdt_balance") == ["7", "0"]
    assert stored(store_client, "account:balance")["timestamp"] == (NOON + timedelta(seconds=180)).isoformat()
    assert store_client.zcard("mexc:raw:account_info:history") == 2


def test_another_symbol_has_keys_and_fields_of_its_own(
    make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    make_bot(SYMBOL="BTCUSDC")
    exchange.answers["account"] = account_payload(("BTC", "0.5", "0.1"), ("USDC", "7", "0"), ("QRL", "3", "0"))
    data = told(bare_functions.post("balance"))["data"]
    assert data == {
        "btc_balance": d("0.5"),
        "usdc_balance": 7,
        "btc_locked": d("0.1"),
        "usdc_locked": 0,
        "total_assets": 3,
        "account_type": "SPOT",
    }
    assert store_client.hmget("bot:BTCUSDC:position", "btc_balance", "usdc_balance") == ["0.5", "7"]
    assert not store_client.exists("bot:QRLUSDT:position")


def test_a_key_prefix_goes_before_every_key_so_that_two_bots_share_a_redis(
    make_bot: MakeBot, bare_functions: Functions, store_client: "redis.Redis"
) -> None:
    make_bot(REDIS_KEY_PREFIX="dev:")
    bare_functions.post("balance", slot=NOON.isoformat())
    keys: Any = store_client.keys("*")
    assert {f"dev:{key}" for key in PERMANENT} <= set(keys)
    assert all(key.startswith("dev:") for key in keys)
    make_bot(REDIS_KEY_PREFIX="prod:")
    assert told(bare_functions.get("balance"))["data"] is None
    assert "X-Duplicate-Delivery" not in bare_functions.post("balance", slot=NOON.isoformat()).headers


@pytest.mark.parametrize("filled", [False, True])
def test_a_run_makes_one_call_to_the_exchange_and_three_round_trips_to_redis(
    filled: bool, functions: Functions, exchange: StubExchange, line: Line, store_client: "redis.Redis"
) -> None:
    if filled:
        store_client.zadd("mexc:raw:account_info:history", {f'{{"response":{n}}}': n for n in range(1000)})
    functions.post("balance")
    del line.trips[:], exchange.calls[:]
    functions.post("balance", slot=NOON.isoformat())
    assert exchange.paths() == ["account"]
    assert len(line.trips) <= 3, line.trips


def test_the_round_trips_are_as_many_on_a_real_redis(
    make_bot: MakeBot, bare_functions: Functions, redis_server: str
) -> None:
    client = redis.Redis.from_url(redis_server, decode_responses=True, protocol=2, driver_info=None)
    client.flushdb()
    line = Line(client)
    make_bot(client)
    bare_functions.post("balance", slot=NOON.isoformat())
    first = line.trips[:]
    del line.trips[:]
    bare_functions.post("balance")
    assert len(line.trips) <= 3, line.trips
    assert [trip for trip in first if trip != ["INFO"]] == first[:3], (
        "only the eviction check of a new process is extra"
    )
    client.close()


def test_an_account_without_either_asset_is_a_success_that_job_finished_marks(
    functions: Functions, exchange: StubExchange, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    exchange.answers["account"] = account_payload(("MX", "1", "0"))
    assert functions.post("balance").status_code == 200
    exchange.answers["account"] = exchange_answers()["account"]
    functions.post("balance")
    fields = finished(caplog)
    assert [field["zero_balance"] for field in fields] == [True, False]
