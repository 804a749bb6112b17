"""The permanent store: keys and lifetimes, raw answers to the byte, trimmed histories, and what is refused."""

import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from unittest.mock import MagicMock

import pytest
import redis

from common.clock import milliseconds
from common.config import Settings
from common.decimal_json import loads, to_answer, to_redis
from common.errors import ConfigurationError, LeaseLost, StoreCorrupt, StoreUnreachable
from common.meter import Meter, Reply
from common.runtime import redis_client
from common.store.batch import Batch
from common.store.keys import HISTORY_LIMIT, Keys
from common.store.store import Begun, Read, Store
from tests.builders import KEYS, d, everything
from tests.fakes import NOON, FakeClock, embedded_redis

LEASE_KEY = "bot:QRLUSDT:lease:account"
NOON_MS = milliseconds(NOON)


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def store(any_redis: "redis.Redis", clock: FakeClock) -> Store:
    return Store(any_redis, KEYS, clock)


def begin(
    store: Store,
    token: str = "run-1",
    mark: str | None = None,
    reads: Mapping[str, Read] | None = None,
    types: Mapping[str, str] | None = None,
    meter: Meter | None = None,
) -> Begun:
    return store.begin("account", token, 55, mark, reads or {}, types or {}, meter or Meter())


def new_batch(run_id: str = "run-1", keys: Keys = KEYS) -> Batch:
    return Batch(keys, run_id, "sync-balance")


def stored(store: Store, batch: Batch) -> None:
    """Write the batch as a run does: begin, lease, commit."""
    begun = begin(store)
    assert begun.acquired
    store.lease("account", begun, Meter()).commit(batch)


def reply(text: str, at: datetime = NOON, endpoint: str = "account_info") -> Reply:
    return Reply(endpoint, loads(text), text, at)


def keys_in(client: "redis.Redis") -> list[str]:
    keys: Any = client.keys()
    return sorted(keys)


# Keys


def test_the_keys_that_users_and_dashboards_rely_on_are_kept_to_the_letter() -> None:
    assert KEYS.raw_latest("account_info") == "mexc:raw:account_info:latest"
    assert KEYS.raw_history("account_info") == "mexc:raw:account_info:history"
    assert KEYS.position == "bot:QRLUSDT:position"
    assert KEYS.account_balance == "account:balance"
    assert KEYS.price_latest == "bot:QRLUSDT:price:latest"
    assert KEYS.price_cached == "bot:QRLUSDT:price:cached"
    assert KEYS.price_history == "bot:QRLUSDT:price:history"
    assert KEYS.cost == "bot:QRLUSDT:cost"
    assert KEYS.plan_last == "bot:QRLUSDT:rebalance:last"
    assert KEYS.plan_history == "bot:QRLUSDT:rebalance:history"


def all_keys(keys: Keys) -> set[str]:
    """Every key that `Keys` can make."""
    made = set()
    for name in (name for name in dir(Keys) if not name.startswith("_") and name not in ("prefix", "symbol")):
        key = getattr(keys, name)
        arguments = {"run_mark": ("balance", "20260102T1200Z")}.get(name, ("x",))
        made.add(key(*arguments) if callable(key) else key)
    return made


def test_no_two_keys_are_the_same() -> None:
    names = [name for name in dir(Keys) if not name.startswith("_") and name not in ("prefix", "symbol")]
    assert len(all_keys(KEYS)) == len(names) > 20


def test_the_prefix_goes_before_every_key() -> None:
    assert {f"dev:{key}" for key in all_keys(KEYS)} == all_keys(Keys("dev:", "QRLUSDT"))


def test_keys_about_a_pair_carry_its_symbol() -> None:
    assert Keys("", "BTCUSDT").position == "bot:BTCUSDT:position"
    shared = all_keys(KEYS) & all_keys(Keys("", "BTCUSDT"))
    assert shared == {"account:balance", "mexc:raw:x:latest", "mexc:raw:x:history"}


# The gate for texts


def test_every_kind_of_write_goes_through_the_one_gate_for_texts() -> None:
    batch = Batch(KEYS, "run-1", "sync-balance", lambda text: text.replace("mx0secret", "***"))
    document = {"told": "mx0secret"}
    writes: dict[str, tuple[Any, ...]] = {
        "raw": (reply('{"told":"mx0secret"}'),),
        "document": ("k", document),
        "document_once": ("k", document),
        "hash": ("k", document),
        "price": (document, NOON),
        "plan": (document,),
        "report": ("cost", document),
        "members": ("k", [(1, document)]),
        "at_score": ("k", document, 1),
        "set": ("k", "mx0secret"),
        "append": ("k", "mx0secret", 1),
        "push_document": ("k", document),
        "run_mark": ("cost", "20260102T1200Z", "mx0secret"),
    }
    without_a_text = {"fork", "next", "extend", "hash_delete", "trimmed", "delete", "set_aside"}
    assert {name for name in vars(Batch) if not name.startswith("_")} == set(writes) | without_a_text
    passed = []
    for name, arguments in writes.items():
        before = len(batch.writes)
        getattr(batch, name)(*arguments)
        queued = MagicMock()
        for write in batch.writes[before:]:
            write(queued)
        if "mx0secret" in str(queued.mock_calls) or "***" not in str(queued.mock_calls):
            passed.append(name)
    assert passed == []


def test_a_document_of_a_time_takes_the_place_of_the_one_that_stood_there(
    store: Store, any_redis: "redis.Redis"
) -> None:
    for price, stamp in (("1", 5), ("2", 6), ("3", 6), ("4", 7)):
        batch = new_batch()
        batch.at_score(KEYS.equity_slots, {"mid": d(price)}, stamp)
        stored(store, batch)
    found: Any = any_redis.zrange(KEYS.equity_slots, 0, -1, withscores=True)
    assert found == [('{"mid":"1"}', 5), ('{"mid":"3"}', 6), ('{"mid":"4"}', 7)]


# Lifetimes


def a_bit_of_everything(run_id: str = "run-1", keys: Keys = KEYS) -> Batch:
    batch = new_batch(run_id, keys)
    batch.raw(reply("{}"))
    batch.hash(keys.position, {"qrl_balance": d("1.5")})
    batch.document(keys.account_balance, {"success": True})
    batch.document_once(keys.inception, {"at": NOON})
    batch.price({"price": d("0.02"), "volume": d(5), "timestamp": NOON}, NOON)
    batch.plan({"action": "HOLD", "timestamp": NOON})
    batch.members(keys.ledger_fills, [(1, {"id": "a"})])
    batch.push_document(keys.report_history("balance"), {"status": "success"})
    return batch


@pytest.mark.parametrize("prefix", ["", "dev:"])
def test_permanent_keys_never_expire_and_the_cached_price_does(
    any_redis: "redis.Redis", clock: FakeClock, prefix: str
) -> None:
    keys = Keys(prefix, "QRLUSDT")
    batch = a_bit_of_everything(keys=keys)
    batch.run_mark("balance", "20260102T1200Z", "{}")
    store = Store(any_redis, keys, clock)
    stored(store, batch)
    lifetimes = store.ttls(keys_in(any_redis), Meter())
    assert all(key.startswith(prefix) for key in lifetimes)
    assert len(lifetimes) == 13
    assert {key: ttl for key, ttl in lifetimes.items() if ttl != -1} == {
        f"{prefix}bot:QRLUSDT:price:cached": 30,
        f"{prefix}bot:QRLUSDT:run:balance:20260102T1200Z": 172_800,
    }


def test_writing_again_leaves_permanent_keys_permanent(store: Store, any_redis: "redis.Redis") -> None:
    stored(store, a_bit_of_everything("run-1"))
    stored(store, a_bit_of_everything("run-2"))
    lifetimes = store.ttls(keys_in(any_redis), Meter())
    assert [key for key, ttl in lifetimes.items() if ttl != -1] == ["bot:QRLUSDT:price:cached"]


def test_a_key_that_is_not_there_has_no_lifetime(store: Store) -> None:
    assert store.ttls(["nowhere"], Meter()) == {"nowhere": -2}


# Raw answers

AWKWARD = [
    "{}",
    "[]",
    '{"price": 0.10, "b":1.50}',
    '{"n":12345678901234567890.1234567890123456789}',
    '\n\t{ "a" :\r\n [ 1 , 2 ] }  \n',
    '{"msg":"账号 \\u8d26 \\"quoted\\" \\\\ \\/"}',
    '{"a":1,"a":2}',
    '{"big":1E+400,"tiny":1e-400,"zero":-0.0}',
]


@pytest.mark.parametrize("text", AWKWARD)
def test_the_answer_of_the_exchange_is_kept_to_the_byte(store: Store, any_redis: "redis.Redis", text: str) -> None:
    batch = new_batch()
    batch.raw(reply(text))
    stored(store, batch)
    latest: Any = any_redis.get("mexc:raw:account_info:latest")
    assert latest.startswith(f'{{"response":{text},"timestamp":{NOON_MS},')
    assert store.raw_history("account_info", 0, 10**15, 10, Meter()) == [latest]
    assert json.loads(latest)["response"] == json.loads(text)


def test_a_raw_answer_says_when_and_for_which_task_it_was_got(store: Store, any_redis: "redis.Redis") -> None:
    batch = new_batch()
    batch.raw(reply('{"a":1}', at=NOON + timedelta(microseconds=123_456)))
    stored(store, batch)
    latest: Any = any_redis.get("mexc:raw:account_info:latest")
    document = json.loads(latest)
    assert document["timestamp"] == NOON_MS + 123
    assert document["datetime"] == "2026-01-02T12:00:00.123456+00:00"
    assert document["metadata"]["task"] == "sync-balance"
    assert document["metadata"]["source"]


def raw_texts(store: Store, **query: int) -> list[Any]:
    """The answers in the raw history, parsed."""
    bounds = {"start": 0, "end": 10**15, "limit": 1000} | query
    found = store.raw_history("account_info", bounds["start"], bounds["end"], bounds["limit"], Meter())
    return [json.loads(item)["response"] for item in found]


def test_equal_answers_at_different_times_are_both_kept(store: Store) -> None:
    batch = new_batch()
    batch.raw(reply('{"a":1}', NOON))
    batch.raw(reply('{"a":1}', NOON + timedelta(milliseconds=1)))
    stored(store, batch)
    assert raw_texts(store) == [{"a": 1}, {"a": 1}]


def test_different_answers_within_one_millisecond_are_both_kept(store: Store) -> None:
    batch = new_batch()
    batch.raw(reply('{"a":1}'))
    batch.raw(reply('{"a":2}'))
    stored(store, batch)
    assert sorted(answer["a"] for answer in raw_texts(store)) == [1, 2]


def same_batch() -> list[Batch]:
    batch = new_batch()
    batch.raw(reply('{"a":1}'))
    batch.raw(reply('{"a":1}'))
    return [batch]


def two_runs() -> list[Batch]:
    batches = [new_batch("run-1"), new_batch("run-2")]
    for batch in batches:
        batch.raw(reply('{"a":1}'))
    return batches


def one_after_a_checkpoint() -> list[Batch]:
    first = new_batch()
    first.raw(reply('{"a":1}'))
    then = first.next()
    then.raw(reply('{"a":1}'))
    return [first, then]


def one_in_a_fork() -> list[Batch]:
    batch = new_batch()
    batch.raw(reply('{"a":1}'))
    leg = batch.fork()
    leg.raw(reply('{"a":1}'))
    batch.extend(leg)
    return [batch]


@pytest.mark.parametrize("twice", [same_batch, two_runs, one_after_a_checkpoint, one_in_a_fork])
def test_equal_answers_within_one_millisecond_are_both_kept(store: Store, twice: Callable[[], list[Batch]]) -> None:
    for batch in twice():
        stored(store, batch)
    assert raw_texts(store) == [{"a": 1}, {"a": 1}]


def test_the_history_keeps_the_newest_thousand_answers(store: Store, any_redis: "redis.Redis") -> None:
    batch = new_batch()
    for number in range(HISTORY_LIMIT + 3):
        batch.raw(reply(f'{{"n":{number}}}', NOON + timedelta(seconds=number)))
    stored(store, batch)
    assert HISTORY_LIMIT == 1000
    assert any_redis.zcard("mexc:raw:account_info:history") == 1000
    numbers = [answer["n"] for answer in raw_texts(store)]
    assert (numbers[0], numbers[-1]) == (1002, 3)


def test_the_latest_answer_is_the_last_one_that_was_stored(store: Store, any_redis: "redis.Redis") -> None:
    for number in (1, 2):
        batch = new_batch(f"run-{number}")
        batch.raw(reply(f'{{"n":{number}}}', NOON + timedelta(seconds=number)))
        stored(store, batch)
    latest: Any = any_redis.get("mexc:raw:account_info:latest")
    assert json.loads(latest)["response"] == {"n": 2}


@pytest.fixture
def ten_answers(store: Store) -> Store:
    """One a second from `NOON`, numbered from 0."""
    batch = new_batch()
    for number in range(10):
        batch.raw(reply(str(number), NOON + timedelta(seconds=number)))
    stored(store, batch)
    return store


def test_raw_answers_between_two_times_come_newest_first(ten_answers: Store) -> None:
    queries: list[tuple[dict[str, int], list[int]]] = [
        ({}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ({"limit": 3}, [9, 8, 7]),
        ({"start": NOON_MS + 7_000}, [9, 8, 7]),
        ({"start": NOON_MS + 7_001}, [9, 8]),
        ({"end": NOON_MS + 2_000}, [2, 1, 0]),
        ({"end": NOON_MS + 1_999}, [1, 0]),
        ({"start": NOON_MS + 3_000, "end": NOON_MS + 5_000}, [5, 4, 3]),
        ({"start": NOON_MS + 3_000, "end": NOON_MS + 5_000, "limit": 1}, [5]),
        ({"start": NOON_MS + 5_000, "end": NOON_MS + 3_000}, []),
        ({"start": NOON_MS + 60_000}, []),
    ]
    assert [(query, raw_texts(ten_answers, **query)) for query, _ in queries] == queries


def test_an_endpoint_that_was_never_asked_has_no_history(store: Store) -> None:
    assert store.raw_history("depth", 0, 10**15, 10, Meter()) == []


# Prices, plans, members


def price_at(second: int, price: str = "0.02") -> tuple[dict[str, Any], datetime]:
    at = NOON + timedelta(seconds=second)
    return {"price": d(price), "volume": d("1500000"), "timestamp": at}, at


def test_a_price_is_kept_for_good_cached_and_put_into_the_history(store: Store, any_redis: "redis.Redis") -> None:
    batch = new_batch()
    batch.price(*price_at(0))
    stored(store, batch)
    expected = '{"price":"0.02","volume":"1500000","timestamp":"2026-01-02T12:00:00+00:00"}'
    assert any_redis.get("bot:QRLUSDT:price:latest") == expected
    assert any_redis.get("bot:QRLUSDT:price:cached") == expected
    assert any_redis.zrange("bot:QRLUSDT:price:history", 0, -1, withscores=True) == [(expected, NOON_MS)]


def test_equal_prices_at_different_times_are_different_points(store: Store, any_redis: "redis.Redis") -> None:
    for second in (0, 60):
        batch = new_batch()
        batch.price(*price_at(second))
        stored(store, batch)
    assert any_redis.zcard("bot:QRLUSDT:price:history") == 2


def test_the_newest_thousand_prices_are_kept(store: Store, any_redis: "redis.Redis") -> None:
    batch = new_batch()
    for second in range(1_002):
        batch.price(*price_at(second))
    stored(store, batch)
    points: Any = any_redis.zrange("bot:QRLUSDT:price:history", 0, -1, withscores=True)
    assert len(points) == 1000
    assert points[0][1] == NOON_MS + 2_000


def test_the_newest_thousand_plans_are_kept_newest_first(store: Store, any_redis: "redis.Redis") -> None:
    batch = new_batch()
    for number in range(1_002):
        batch.plan({"number": number})
    stored(store, batch)
    reads: dict[str, Read] = {
        "last": ("GET", KEYS.plan_last),
        "two": ("LRANGE", KEYS.plan_history, "0", "1"),
        "oldest": ("LRANGE", KEYS.plan_history, "-1", "-1"),
    }
    found = store.read(reads, Meter())
    assert found["last"] == {"number": 1001}
    assert found["two"] == [{"number": 1001}, {"number": 1000}]
    assert found["oldest"] == [{"number": 2}]
    assert any_redis.llen("bot:QRLUSDT:rebalance:history") == 1000


def test_members_are_never_trimmed_and_the_same_member_twice_is_one(store: Store, any_redis: "redis.Redis") -> None:
    batch = new_batch()
    batch.members(KEYS.ledger_fills, [(number, {"id": f"{number}X1"}) for number in range(1_100)])
    batch.members(KEYS.ledger_fills, [(5, {"id": "5X1"}), (5, {"id": "5X2"})])
    batch.members(KEYS.ledger_fills, [])
    stored(store, batch)
    assert any_redis.zcard(KEYS.ledger_fills) == 1_101


def test_what_is_stored_once_is_not_overwritten(store: Store) -> None:
    for number in (1, 2):
        batch = new_batch()
        batch.document_once(KEYS.inception, {"number": number})
        stored(store, batch)
    assert store.read_one(("GET", KEYS.inception), Meter()) == {"number": 1}


def test_the_field_of_a_hash_is_set_and_deleted_alone(store: Store) -> None:
    batch = new_batch()
    batch.hash("h", {"a": 1, "b": 2})
    batch.hash("h", {"b": 3})
    batch.hash_delete("h", "a")
    stored(store, batch)
    assert store.read_one(("HGETALL", "h"), Meter()) == {"b": "3"}


def test_a_leg_that_is_dropped_leaves_nothing_and_one_that_is_taken_in_keeps_its_order(store: Store) -> None:
    batch = new_batch()
    batch.document("x", {"n": 1})
    dropped, taken = batch.fork(), batch.fork()
    dropped.document("dropped", {"n": 1})
    taken.document("x", {"n": 2})
    batch.extend(taken)
    batch.document("y", {"n": 3})
    stored(store, batch)
    reads: dict[str, Read] = {name: ("GET", name) for name in ("x", "y", "dropped")}
    assert store.read(reads, Meter()) == {"x": {"n": 2}, "y": {"n": 3}, "dropped": None}


def test_a_batch_is_not_written_before_its_commit(store: Store, any_redis: "redis.Redis") -> None:
    a_bit_of_everything()
    assert keys_in(any_redis) == []


def test_an_operators_command_is_written_without_a_lease(store: Store, any_redis: "redis.Redis") -> None:
    begin(store)
    batch = new_batch()
    batch.document(KEYS.pause, {"reason": "holiday"})
    store.write(batch, Meter())
    assert store.read_one(("GET", KEYS.pause), Meter()) == {"reason": "holiday"}
    assert any_redis.get(LEASE_KEY) == "run-1"


# Text in both directions


def test_the_fields_of_a_hash_go_through_redis_as_the_text_that_they_are(
    store: Store, any_redis: "redis.Redis"
) -> None:
    fields: dict[str, tuple[Any, str]] = {
        "none": (None, ""),
        "yes": (True, "True"),
        "text": ("SPOT", "SPOT"),
        "amount": (d("1000.5000"), "1000.5000"),
        "tiny": (d("1E-7"), "0.0000001"),
        "count": (1703750000000, "1703750000000"),
        "at": (NOON, "2026-01-02T12:00:00+00:00"),
        "list": (["SPOT"], '["SPOT"]'),
        "object": ({"QRL": {"free": d("1.50")}}, '{"QRL":{"free":"1.50"}}'),
    }
    batch = new_batch()
    batch.hash("h", {name: value for name, (value, _) in fields.items()})
    stored(store, batch)
    texts = {name: text for name, (_, text) in fields.items()}
    assert any_redis.hgetall("h") == texts
    assert store.read_one(("HGETALL", "h"), Meter()) == texts


def test_amounts_are_decimal_strings_in_redis_and_numbers_in_an_answer() -> None:
    document = {"price": d("0.02050"), "tiny": d("1E-7"), "count": 3, "at": NOON, "none": None, "yes": True}
    assert to_redis(document) == (
        '{"price":"0.02050","tiny":"0.0000001","count":3,"at":"2026-01-02T12:00:00+00:00","none":null,"yes":true}'
    )
    assert to_answer(document) == (
        '{"price":0.02050,"tiny":0.0000001,"count":3,"at":"2026-01-02T12:00:00+00:00","none":null,"yes":true}'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_what_has_no_place_in_redis_is_refused_before_anything_is_written(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        new_batch().document("x", {"value": value})


# Keys that hold what they must not

WRONG: dict[str, tuple[Read, Callable[[Any], object]]] = {
    "a hash for a document": (("GET", "k"), lambda r: r.hset("k", "a", "1")),
    "a list for a document": (("GET", "k"), lambda r: r.lpush("k", "1")),
    "a text for a hash": (("HGETALL", "k"), lambda r: r.set("k", "1")),
    "a text for fields of a hash": (("HMGET", "k", "a"), lambda r: r.set("k", "1")),
    "a text for a list": (("LRANGE", "k", "0", "-1"), lambda r: r.set("k", "1")),
    "a list for a sorted set": (("ZREVRANGE", "k", "0", "-1"), lambda r: r.lpush("k", "1")),
    "broken JSON": (("GET", "k"), lambda r: r.set("k", '{"a":')),
    "no JSON": (("GET", "k"), lambda r: r.set("k", "words")),
    "no text": (("GET", "k"), lambda r: r.set("k", "")),
    "NaN": (("GET", "k"), lambda r: r.set("k", '{"a":NaN}')),
    "an exponent beyond reason": (("GET", "k"), lambda r: r.set("k", "1e99999999999999999999")),
    "nested beyond reason": (("GET", "k"), lambda r: r.set("k", "[" * 100_000)),
    "a list where a document should be": (("GET", "k"), lambda r: r.set("k", "[]")),
    "an amount where a document should be": (("GET", "k"), lambda r: r.set("k", "5")),
    "broken JSON in a list": (("LRANGE", "k", "0", "-1"), lambda r: r.rpush("k", "{}", "words")),
    "broken JSON in a sorted set": (("ZREVRANGE", "k", "0", "-1"), lambda r: r.zadd("k", {"words": 1})),
}


def test_a_key_that_holds_what_it_must_not_is_named_and_the_lease_given_back_with_nothing_written(
    store: Store, any_redis: "redis.Redis"
) -> None:
    wrong: list[tuple[str, object]] = []
    for name, (read, spoil) in WRONG.items():
        any_redis.flushdb()
        spoil(any_redis)
        before, reads = everything(any_redis), {"fine": ("GET", "other"), "spoilt": read}
        for act in (lambda reads=reads: store.read(reads, Meter()), lambda reads=reads: begin(store, reads=reads)):
            try:
                wrong.append((name, act()))
            except StoreCorrupt as error:
                if not re.search(r"\bk\b", str(error)):
                    wrong.append((name, error))
        if everything(any_redis) != before:
            wrong.append((name, "something was written"))
    assert wrong == []


def spoilt(kind: str, client: "redis.Redis") -> None:
    """Make `k` a container of some kind."""
    makers: dict[str, Callable[[], object]] = {
        "string": lambda: client.set("k", "1"),
        "hash": lambda: client.hset("k", "a", "1"),
        "list": lambda: client.lpush("k", "1"),
        "zset": lambda: client.zadd("k", {"a": 1}),
        "set": lambda: client.sadd("k", "a"),
        "stream": lambda: client.xadd("k", {"a": "1"}),
    }
    makers[kind]()


def test_a_container_of_the_wrong_type_is_found_before_anything_is_written(
    store: Store, any_redis: "redis.Redis"
) -> None:
    """In a MULTI only the one write would fail, and all others go through."""
    for kind in ("string", "hash", "list", "zset", "set", "stream"):
        any_redis.flushdb()
        spoilt(kind, any_redis)
        before = everything(any_redis)
        for expected in {"hash", "list", "zset"} - {kind}:
            with pytest.raises(StoreCorrupt, match=f"^k holds a {kind}, expected a {expected}$"):
                begin(store, types={"k": expected, "other": "hash"})
            assert everything(any_redis) == before
        if kind in ("hash", "list", "zset"):
            assert begin(store, types={"k": kind}).acquired


def test_a_container_that_is_not_there_yet_is_of_no_wrong_type(store: Store) -> None:
    assert begin(store, types={"k": "hash"}).acquired


def test_a_history_of_the_wrong_type_is_named(store: Store, any_redis: "redis.Redis") -> None:
    any_redis.set("mexc:raw:depth:history", "1")
    with pytest.raises(StoreCorrupt, match="mexc:raw:depth:history"):
        store.raw_history("depth", 0, 10**15, 10, Meter())


def test_bytes_that_are_no_text_are_corrupt_and_leave_no_lease(store: Store, any_redis: "redis.Redis") -> None:
    any_redis.set("k", b'"\xff\xfe"')
    any_redis.hset("h", "a", b"\xff")
    any_redis.set("mark", b"\xff")
    any_redis.zadd("mexc:raw:depth:history", {b"\xff": 1})
    with pytest.raises(StoreCorrupt, match=r"^k does not hold valid JSON"):
        begin(store, reads={"k": ("GET", "k")})
    assert any_redis.exists(LEASE_KEY) == 0
    with pytest.raises(StoreCorrupt, match=r"^h:a holds bytes that are no UTF-8 text"):
        begin(store, reads={"h": ("HGETALL", "h")})
    with pytest.raises(StoreCorrupt, match=r"^mark holds bytes that are no UTF-8 text"):
        begin(store, mark="mark")
    with pytest.raises(StoreCorrupt, match=r"^mexc:raw:depth:history holds bytes that are no UTF-8 text"):
        store.raw_history("depth", 0, 10, 10, Meter())
    assert any_redis.exists(LEASE_KEY) == 0


def test_a_container_that_was_spoilt_during_a_run_is_told_as_corrupt(
    store: Store, any_redis: "redis.Redis"
) -> None:
    lease = store.lease("account", begin(store, types={KEYS.cost: "hash"}), Meter())
    any_redis.set(KEYS.cost, "what is this")
    batch = new_batch()
    batch.hash(KEYS.cost, {"avg_cost": d("0.02")})
    with pytest.raises(StoreCorrupt):
        lease.commit(batch)


def test_what_is_not_there_is_none_or_empty(store: Store) -> None:
    reads: dict[str, Read] = {
        "document": ("GET", "k"),
        "hash": ("HGETALL", "k"),
        "fields": ("HMGET", "k", "a", "b"),
        "list": ("LRANGE", "k", "0", "-1"),
        "set": ("ZREVRANGE", "k", "0", "-1"),
        "cached": ("CACHED", "k"),
    }
    expected: dict[str, Any] = {
        "document": None,
        "hash": {},
        "fields": [None, None],
        "list": [],
        "set": [],
        "cached": None,
    }
    assert store.read(reads, Meter()) == expected
    assert begin(store, reads=reads).values == expected


def test_fields_of_a_hash_come_as_plain_text(store: Store, any_redis: "redis.Redis") -> None:
    any_redis.hset("k", mapping={"a": "1", "b": "{broken"})
    assert store.read_one(("HMGET", "k", "b", "a", "c"), Meter()) == ["{broken", "1", None]


def test_an_entry_of_the_cache_is_read_as_it_stands_and_one_of_another_type_is_a_miss(
    store: Store, any_redis: "redis.Redis"
) -> None:
    any_redis.set("entry", "{broken")
    any_redis.lpush("list", "1")
    begun = begin(store, reads={"entry": ("CACHED", "entry"), "list": ("CACHED", "list")})
    assert begun.acquired
    assert begun.values == {"entry": "{broken", "list": None}


# Redis that does not answer, or refuses

PASSWORD = "geheim-7f3a"


def client_of(url: str) -> "redis.Redis":
    """The client as the bot builds it."""
    return redis_client(Settings.from_env({"REDIS_URL": url, "AUTH_MODE": "header"}))


def attempts(store: Store) -> dict[str, Callable[[], object]]:
    batch = new_batch()
    batch.document("x", 1)
    return {
        "begin": lambda: begin(store),
        "read": lambda: store.read({"x": ("GET", "x")}, Meter()),
        "history": lambda: store.raw_history("depth", 0, 1, 1, Meter()),
        "lifetimes": lambda: store.ttls(["x"], Meter()),
        "write": lambda: store.write(batch, Meter()),
    }


ATTEMPTS = ["begin", "read", "history", "lifetimes", "write"]


@pytest.mark.parametrize("what", ATTEMPTS)
def test_a_redis_that_is_not_there_is_unreachable_and_its_address_not_told(what: str, clock: FakeClock) -> None:
    store = Store(client_of(f"redis://:{PASSWORD}@127.0.0.1:1/0"), KEYS, clock)
    with pytest.raises(StoreUnreachable) as raised:
        attempts(store)[what]()
    assert PASSWORD not in str(raised.value)
    assert "127.0.0.1" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_the_embedded_redis_can_be_away_too(clock: FakeClock) -> None:
    store = Store(embedded_redis(connected=False), KEYS, clock)
    with pytest.raises(StoreUnreachable):
        begin(store)


@contextmanager
def configured(url: str, **settings: str) -> Iterator["redis.Redis"]:
    """The real Redis under other settings; what was set before comes back at the end."""
    with redis.Redis.from_url(url, decode_responses=True, protocol=2, single_connection_client=True) as admin:
        admin.flushdb()
        names = [name.replace("_", "-") for name in settings]
        before: Any = admin.config_get(*names)
        for name, value in zip(names, settings.values(), strict=True):
            admin.config_set(name, value)
        try:
            yield admin
        finally:
            for name, value in before.items():
                admin.config_set(name, value)


@pytest.mark.parametrize("what", ATTEMPTS)
@pytest.mark.parametrize("given", ["", "false-1b2c"], ids=["no password", "a wrong password"])
def test_a_password_that_is_refused_is_for_a_human_to_set_right(
    redis_server: str, clock: FakeClock, given: str, what: str
) -> None:
    with configured(redis_server, requirepass=PASSWORD):
        store = Store(client_of(redis_server.replace("//", f"//:{given}@" if given else "//")), KEYS, clock)
        with pytest.raises(ConfigurationError, match="REDIS_PASSWORD") as raised:
            attempts(store)[what]()
        assert (given or "geheim") not in str(raised.value)


def test_the_right_password_opens(redis_server: str, clock: FakeClock) -> None:
    with configured(redis_server, requirepass=PASSWORD):
        store = Store(client_of(redis_server.replace("//", f"//:{PASSWORD}@")), KEYS, clock)
        stored(store, a_bit_of_everything())


def test_a_redis_without_memory_refuses_a_run_at_its_beginning(redis_server: str, clock: FakeClock) -> None:
    store = Store(client_of(redis_server), KEYS, clock)
    with configured(redis_server, maxmemory="1mb", maxmemory_policy="noeviction") as admin:
        with pytest.raises(StoreUnreachable, match="OutOfMemory"):
            begin(store)
        assert admin.dbsize() == 0


@pytest.mark.parametrize("release", [True, False])
def test_a_redis_that_runs_out_of_memory_during_a_run_stores_nothing_by_halves(
    redis_server: str, clock: FakeClock, release: bool
) -> None:
    store = Store(client_of(redis_server), KEYS, clock)
    with configured(redis_server, maxmemory_policy="noeviction", maxmemory="0") as admin:
        begun = begin(store)
        lease = store.lease("account", begun, Meter())
        admin.config_set("maxmemory", "1mb")
        with pytest.raises(StoreUnreachable, match="OutOfMemory"):
            lease.commit(a_bit_of_everything(), release=release)
        assert keys_in(admin) == [LEASE_KEY]


def test_a_redis_that_is_out_of_memory_is_still_read(redis_server: str, clock: FakeClock) -> None:
    store = Store(client_of(redis_server), KEYS, clock)
    with configured(redis_server, maxmemory_policy="noeviction", maxmemory="0") as admin:
        admin.set("k", '{"a":"1"}')
        admin.config_set("maxmemory", "1mb")
        with pytest.raises(StoreUnreachable, match="OutOfMemory"):
            begin(store)
        assert store.read({"x": ("GET", "k")}, Meter()) == {"x": {"a": "1"}}
        assert store.raw_history("depth", 0, 1, 1, Meter()) == []


def test_the_eviction_policy_is_what_redis_says(redis_server: str, clock: FakeClock) -> None:
    store = Store(client_of(redis_server), KEYS, clock)
    with configured(redis_server, maxmemory_policy="allkeys-lru"):
        assert store.eviction_policy() == "allkeys-lru"
    assert store.eviction_policy() == "noeviction"


def test_an_eviction_policy_that_nobody_tells_is_unknown(clock: FakeClock) -> None:
    assert Store(client_of("redis://127.0.0.1:1/0"), KEYS, clock).eviction_policy() is None


# Connections that break, and trips that are counted


def keys_at(url: str) -> list[str]:
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return keys_in(client)


class Counted(redis.Connection):
    """A connection that keeps what it sends; `break_sending`, `dead` and `on_answer` disturb it."""

    sent: ClassVar[list[bytes]] = []
    break_sending = 0
    dead: ClassVar[set[redis.Connection]] = set()
    """Connections whose other end is gone without a word, until they are made anew."""
    on_answer: ClassVar[Callable[[bytes], object]] = len
    """Happens with every answer, before it is handed on; it is given what was sent last."""

    def send_packed_command(self, command: Any, *args: Any, **kwargs: Any) -> Any:
        Counted.sent.append(command if isinstance(command, bytes) else b"".join(command))
        if Counted.break_sending:
            Counted.break_sending -= 1
            raise redis.ConnectionError("broken")
        if self in Counted.dead:
            raise redis.ConnectionError("dead")
        return super().send_packed_command(command, *args, **kwargs)  # type: ignore[no-untyped-call]

    def disconnect(self, *args: Any, **kwargs: Any) -> None:
        Counted.dead.discard(self)
        super().disconnect(*args, **kwargs)  # type: ignore[no-untyped-call]

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().read_response(*args, **kwargs)
        try:
            Counted.on_answer(Counted.sent[-1])
        except redis.ConnectionError:
            self.disconnect()
            raise
        return response


def breaks_at_the_answer_to(command: bytes) -> Callable[[bytes], None]:
    """The connection breaks once, when the answer to a command comes in."""

    def happen(sent: bytes) -> None:
        if command in sent:
            Counted.on_answer = len
            raise redis.ConnectionError("broken")

    return happen


@pytest.fixture
def pool(redis_server: str) -> Iterator[redis.ConnectionPool]:
    """Counted connections, otherwise as the bot builds them, to an empty database."""
    ours = client_of(redis_server)
    ours.flushdb()
    pool = redis.ConnectionPool(connection_class=Counted, **ours.connection_pool.connection_kwargs)
    Counted.sent.clear()
    Counted.dead.clear()
    Counted.break_sending, Counted.on_answer = 0, len
    yield pool
    Counted.on_answer = len
    pool.disconnect()
    ours.close()


@pytest.fixture
def counted(pool: redis.ConnectionPool, clock: FakeClock) -> Store:
    return Store(redis.Redis(connection_pool=pool), KEYS, clock)


def test_a_whole_run_is_three_trips_whatever_it_reads_and_stores(counted: Store) -> None:
    meter = Meter()
    reads: dict[str, Read] = {f"{n}": ("GET", f"k{n}") for n in range(20)}
    begun = begin(counted, mark="mark", reads=reads, types={f"k{n}": "hash" for n in range(20)}, meter=meter)
    lease = counted.lease("account", begun, meter)
    lease.commit(a_bit_of_everything())
    lease.close()
    assert len(Counted.sent) == meter.counts["redis"] == 3


def test_every_trip_that_is_made_is_counted(counted: Store) -> None:
    meter = Meter()

    def made(act: Callable[[], object]) -> tuple[int, int]:
        trips, told = len(Counted.sent), meter.counts["redis"]
        act()
        return len(Counted.sent) - trips, meter.counts["redis"] - told

    batch = new_batch()
    batch.run_mark("balance", "slot", "{}")
    mark = KEYS.run_mark("balance", "slot")
    assert made(lambda: counted.read({"x": ("GET", "x"), "y": ("HGETALL", "y")}, meter)) == (1, 1)
    assert made(lambda: counted.raw_history("depth", 0, 1, 1, meter)) == (1, 1)
    assert made(lambda: counted.ttls(["a", "b"], meter)) == (1, 1)
    assert made(lambda: counted.write(batch, meter)) == (1, 1)
    assert made(lambda: begin(counted, mark=mark, meter=meter)) == (4, 4), "a duplicate gives its lease back"


def test_a_checkpoint_costs_two_trips_more(counted: Store) -> None:
    meter = Meter()
    lease = counted.lease("account", begin(counted, meter=meter), meter)
    lease.commit(new_batch(), release=False)
    lease.commit(new_batch())
    assert len(Counted.sent) == meter.counts["redis"] == 5


def test_a_run_begins_although_its_connection_breaks_under_it(counted: Store) -> None:
    meter = Meter()
    Counted.break_sending = 1
    assert begin(counted, meter=meter).acquired
    assert len(Counted.sent) == meter.counts["redis"] == 2


def test_a_run_begins_although_all_its_idle_connections_are_dead(
    counted: Store, pool: redis.ConnectionPool
) -> None:
    """The platform may have frozen the process for long enough that none of them is alive."""
    connections: list[Any] = [pool.get_connection() for _ in range(3)]
    for connection in connections:
        pool.release(connection)
    Counted.dead.update(connections)
    assert begin(counted).acquired
    assert len(Counted.sent) == 2


def test_a_lease_whose_answer_got_lost_is_still_ours(counted: Store) -> None:
    """The first try took it; the second finds our own token there."""
    Counted.on_answer = breaks_at_the_answer_to(b"EXEC")
    assert begin(counted).acquired
    assert len(Counted.sent) == 2


def test_a_connection_that_breaks_twice_is_no_redis(counted: Store) -> None:
    Counted.break_sending = 2
    with pytest.raises(StoreUnreachable):
        begin(counted)
    assert len(Counted.sent) == 2


def test_a_write_is_never_sent_twice(counted: Store) -> None:
    """An answer that got lost may stand for a write that went through."""
    batch = new_batch()
    batch.document("x", 1)
    lease = counted.lease("account", begin(counted), Meter())
    Counted.on_answer = breaks_at_the_answer_to(b"EXEC")
    with pytest.raises(StoreUnreachable):
        lease.commit(batch)
    assert sum(b"EXEC" in text for text in Counted.sent) == 2, "that of begin, and one of commit"


def test_a_run_whose_watch_is_never_answered_does_not_begin_and_gives_the_lease_back(
    counted: Store, redis_server: str
) -> None:
    begun = begin(counted)
    Counted.on_answer = breaks_at_the_answer_to(b"WATCH")
    with pytest.raises(StoreUnreachable):
        counted.lease("account", begun, Meter())
    assert keys_at(redis_server) == []


@pytest.mark.parametrize("release", [True, False])
@pytest.mark.parametrize("lost", ["the request", "the answer"])
def test_a_connection_lost_at_the_commit_stores_all_or_nothing_and_gives_the_lease_back(
    counted: Store, redis_server: str, release: bool, lost: str
) -> None:
    """Otherwise every retry would find a run under way, and Scheduler take that for a success."""
    lease = counted.lease("account", begin(counted), Meter())
    if lost == "the request":
        Counted.break_sending = 1
    else:
        Counted.on_answer = breaks_at_the_answer_to(b"EXEC")
    batch = new_batch()
    batch.document("x", {})
    with pytest.raises(StoreUnreachable):
        lease.commit(batch, release=release)
    lease.close()
    assert keys_at(redis_server) == ([] if lost == "the request" else ["x"])
    assert begin(counted).acquired


def test_a_lease_that_could_not_be_given_back_is_by_the_next_run_of_the_process(counted: Store) -> None:
    lease = counted.lease("account", begin(counted), Meter())
    Counted.break_sending = 9
    with pytest.raises(StoreUnreachable):
        lease.commit(new_batch())
    lease.close()
    Counted.break_sending = 0
    meter = Meter()
    assert begin(counted, token="run-2", meter=meter).acquired
    assert meter.counts["redis"] == 4, "three to give it back, and one to begin"
    meter.counts.clear()
    assert not begin(counted, token="run-3", meter=meter).acquired
    assert meter.counts["redis"] == 1, "no more is made of it"


def test_a_checkpoint_is_over_only_when_the_lease_is_certain_again(counted: Store, redis_server: str) -> None:
    """What follows it, such as an order, must not happen on a lease that nobody watches."""
    lease = counted.lease("account", begin(counted), Meter())
    batch = new_batch()
    batch.document("x", 1)
    batch.writes.append(lambda _: setattr(Counted, "on_answer", breaks_at_the_answer_to(b"WATCH")))
    with pytest.raises(StoreUnreachable):
        lease.commit(batch, release=False)
    with pytest.raises(LeaseLost):
        lease.commit(a_bit_of_everything())
    assert keys_at(redis_server) == ["x"]


def test_a_watch_that_was_answered_too_late_guards_nothing(
    counted: Store, redis_server: str, clock: FakeClock
) -> None:
    """The lease passes to another after a checkpoint, and it is the other's lease that is watched."""
    other = client_of(redis_server)

    def slow(sent: bytes) -> None:
        if b"EXEC" in sent:
            other.set(LEASE_KEY, "run-2")
        else:
            clock.move(55)

    lease = counted.lease("account", begin(counted), Meter())
    batch = new_batch()
    batch.document("x", 1)
    batch.writes.append(lambda _: setattr(Counted, "on_answer", slow))
    with pytest.raises(LeaseLost):
        lease.commit(batch, release=False)
    Counted.on_answer = len
    with pytest.raises(LeaseLost):
        lease.commit(a_bit_of_everything())
    assert keys_in(other) == [LEASE_KEY, "x"]
    assert other.get(LEASE_KEY) == "run-2"
    other.close()


def killed(url: str) -> None:
    """Cut every connection but the one that cuts."""
    with redis.Redis.from_url(url, decode_responses=True) as admin:
        admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def test_a_run_begins_although_its_idle_connection_was_cut(redis_server: str, clock: FakeClock) -> None:
    client = client_of(redis_server)
    client.flushdb()
    store = Store(client, KEYS, clock)
    store.read({"x": ("GET", "x")}, Meter())
    killed(redis_server)
    stored(store, a_bit_of_everything())
    client.close()


def test_a_connection_cut_between_begin_and_commit_stores_nothing(redis_server: str, clock: FakeClock) -> None:
    client = client_of(redis_server)
    client.flushdb()
    store = Store(client, KEYS, clock)
    lease = store.lease("account", begin(store), Meter())
    killed(redis_server)
    with pytest.raises(StoreUnreachable, match="connection"):
        lease.commit(a_bit_of_everything())
    assert keys_in(client) == [LEASE_KEY]
    client.close()


def test_a_redis_that_does_not_answer_in_time_is_unreachable(clock: FakeClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ours = client_of(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        assert ours.connection_pool.connection_kwargs["socket_timeout"] == 2
        options = {**ours.connection_pool.connection_kwargs, "socket_timeout": 0.05}
        client = redis.Redis(connection_pool=redis.ConnectionPool(**options))
        with pytest.raises(StoreUnreachable, match="Timeout"):
            begin(Store(client, KEYS, clock))
        client.close()


def test_the_bots_own_client_sends_nothing_but_what_it_is_told(redis_server: str) -> None:
    """No CLIENT SETINFO, no HELLO, and no retries of its own (platform.md §4.5)."""
    client = client_of(redis_server)
    client.config_resetstat()
    client.close()
    again = client_of(redis_server)
    again.ping()
    stats: Any = again.info("commandstats")
    again.close()
    assert set(stats) == {"cmdstat_config|resetstat", "cmdstat_ping"}
    assert again.connection_pool.connection_kwargs["retry"].get_retries() == 0


def test_times_are_stored_aware() -> None:
    assert datetime.fromisoformat(json.loads(to_redis({"at": NOON}))["at"]).tzinfo == UTC
