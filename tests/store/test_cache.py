"""The market-data cache: what contract.md §3 says of it, on the embedded Redis and on a real one."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.config import Settings
from common.errors import ExchangeUnavailable
from common.store.cache import MarketCache
from common.store.keys import CacheKeys
from tests.builders import PROPERTY, d
from tests.fakes import embedded_redis

TTLS = {"default": 60, "ticker": 5, "ohlcv": 86_400, "deals": 10, "orderbook": 5, "rules": 21_600}
ENV = {"REDIS_URL": "redis://127.0.0.1:1/0", "AUTH_MODE": "header"}


def cache_in(client: "redis.Redis", namespace: str = "qrl", version: str = "v1") -> MarketCache:
    return MarketCache(client, CacheKeys(namespace, version), TTLS)


@pytest.fixture
def cache(any_redis: "redis.Redis") -> MarketCache:
    return cache_in(any_redis)


@pytest.fixture
def bytes_in(any_redis: "redis.Redis") -> "redis.Redis":
    """The same Redis, seen without decoding."""
    options = {**any_redis.connection_pool.connection_kwargs, "decode_responses": False}
    kind = type(any_redis.connection_pool)
    return type(any_redis)(connection_pool=kind(any_redis.connection_pool.connection_class, **options))


# Keys


def test_keys_are_namespace_version_and_a_readable_name(cache: MarketCache, any_redis: "redis.Redis") -> None:
    keys = [
        CacheKeys.ticker("QRL/USDT"),
        CacheKeys.ohlcv("QRL/USDT", "1d", 120),
        CacheKeys.deals("QRL/USDT", 20),
        CacheKeys.orderbook("QRL/USDT", 20),
    ]
    for key in keys:
        cache.set(key, 1)
    assert set(any_redis.keys()) == {
        "qrl:v1:ticker:QRL/USDT",
        "qrl:v1:ohlcv:QRL/USDT:1d:120",
        "qrl:v1:deals:QRL/USDT:20",
        "qrl:v1:orderbook:QRL/USDT:20",
    }


def test_namespace_and_lifetimes_come_from_the_environment(any_redis: "redis.Redis") -> None:
    plain = MarketCache.from_settings(any_redis, Settings.from_env(ENV))
    assert plain.full_key("x") == "qrl:v1:x"
    assert {kind: plain.ttl(kind) for kind in TTLS} == TTLS
    other = {
        **{"REDIS_NAMESPACE": "staging", "REDIS_CACHE_TTL": "1", "REDIS_CACHE_TTL_TICKER": "2"},
        **{"REDIS_CACHE_TTL_OHLCV": "3", "REDIS_CACHE_TTL_DEALS": "4", "REDIS_CACHE_TTL_ORDERBOOK": "6"},
    }
    ours = MarketCache.from_settings(any_redis, Settings.from_env({**ENV, **other}))
    assert ours.full_key("x") == "staging:v1:x"
    assert [ours.ttl(kind) for kind in ("default", "ticker", "ohlcv", "deals", "orderbook")] == [1, 2, 3, 4, 6]


def test_two_namespaces_do_not_see_each_other(any_redis: "redis.Redis") -> None:
    cache_in(any_redis, "qrl").set("ticker", 1)
    assert cache_in(any_redis, "qrl2").get("ticker") is None
    assert cache_in(any_redis, "qrl", "v2").get("ticker") is None


# Lifetimes


def test_an_entry_lives_for_the_default_time(cache: MarketCache, any_redis: "redis.Redis") -> None:
    assert cache.set("x", 1)
    assert any_redis.ttl("qrl:v1:x") == 60


def test_an_entry_lives_as_long_as_it_is_told(cache: MarketCache, any_redis: "redis.Redis") -> None:
    assert cache.set("x", 1, 5)
    assert any_redis.ttl("qrl:v1:x") == 5


def test_setting_again_begins_a_new_life(cache: MarketCache, any_redis: "redis.Redis") -> None:
    cache.set("x", 1, 5)
    cache.set("x", 2, 50)
    assert cache.get("x") == 2
    assert any_redis.ttl("qrl:v1:x") == 50


@pytest.mark.parametrize("seconds", [0, -1])
def test_an_entry_that_would_not_live_is_not_set_and_no_cause_for_a_warning(
    cache: MarketCache, any_redis: "redis.Redis", seconds: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert cache.set("x", 1, seconds) is False
    assert any_redis.exists("qrl:v1:x") == 0
    assert caplog.records == []


@pytest.mark.parametrize(("kind", "seconds"), [*TTLS.items(), ("something else", 60)])
def test_every_kind_has_its_lifetime_and_an_unknown_one_the_default(
    cache: MarketCache, kind: str, seconds: int
) -> None:
    assert cache.ttl(kind) == seconds


def test_an_expired_entry_is_a_miss(cache: MarketCache, any_redis: "redis.Redis") -> None:
    cache.set("x", 1, 60)
    any_redis.pexpire("qrl:v1:x", -1)
    assert cache.get("x") is None


# Values

AT = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
ENCODED: dict[str, tuple[Any, str, Any]] = {
    "text": ("abc", '"abc"', "abc"),
    "text beyond ASCII": ("Zürich 账号 🚀", '"Zürich 账号 🚀"', "Zürich 账号 🚀"),
    "text to be escaped": ('"\\\n\x00', '"\\"\\\\\\n\\u0000"', '"\\\n\x00'),
    "an int": (12345678901234567890, "12345678901234567890", 12345678901234567890),
    "a float": (0.1, "0.1", d("0.1")),
    "a Decimal as a number": (d("0.10"), "0.10", d("0.10")),
    "a small Decimal without an exponent": (d("1E-10"), "0.0000000001", d("0.0000000001")),
    "a long Decimal to the last digit": (
        d("12345678901234567890.123456789012345678"),
        "12345678901234567890.123456789012345678",
        d("12345678901234567890.123456789012345678"),
    ),
    "a datetime as ISO": (AT, '"2026-01-02T12:00:00+00:00"', "2026-01-02T12:00:00+00:00"),
    "bytes as UTF-8": ("Zürich".encode(), '"Zürich"', "Zürich"),
    "a list": ([1, "a", None, True], '[1,"a",null,true]', [1, "a", None, True]),
    "a tuple": ((1, 2), "[1,2]", [1, 2]),
    "nested": (
        {"bids": [[d("0.02"), b"5"]], "at": AT},
        '{"bids":[[0.02,"5"]],"at":"2026-01-02T12:00:00+00:00"}',
        {"bids": [[d("0.02"), "5"]], "at": "2026-01-02T12:00:00+00:00"},
    ),
    "zero": (0, "0", 0),
    "no text": ("", '""', ""),
    "no bytes": (b"", '""', ""),
    "an empty list": ([], "[]", []),
    "an empty object": ({}, "{}", {}),
    "false": (False, "false", False),
    "a Decimal of zero": (d(0), "0", 0),
}


def test_values_are_stored_as_json_and_read_back_also_the_falsy_ones(
    cache: MarketCache, any_redis: "redis.Redis"
) -> None:
    wrong = []
    for name, (value, stored, read) in ENCODED.items():
        told, text, back = cache.set("x", value), any_redis.get("qrl:v1:x"), cache.get("x")
        if (told, text, back, type(back)) != (True, stored, read, type(read)):
            wrong.append((name, told, text, back))
    assert wrong == []


def endless() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return endless


NOT_ENCODABLE: dict[str, Any] = {
    "an object": object(),
    "a set": {1, 2},
    "a function": len,
    "a date": date(2026, 1, 2),
    "a complex number": 1j,
    "bytes that are no UTF-8": b"\xff\xfe",
    "text that is no UTF-8": "\ud800",
    "NaN": float("nan"),
    "infinity": float("inf"),
    "a Decimal that is NaN": Decimal("NaN"),
    "a Decimal that is infinite": Decimal("-Infinity"),
    "a key that is no text": {1: "a"},
    "a key that is bytes": {b"a": 1},
    "one bad item of many": {"good": 1, "bad": [1, {"worse": {2}}]},
    "a circle": endless(),
}


def test_what_cannot_be_encoded_is_not_set_and_leaves_what_was_there(
    cache: MarketCache, any_redis: "redis.Redis"
) -> None:
    cache.set("x", "before")
    taken = [name for name, value in NOT_ENCODABLE.items() if cache.set("x", value) or cache.set("y", value)]
    assert (taken, cache.get("x"), any_redis.exists("qrl:v1:y")) == ([], "before", 0)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False, places=8)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=10,
)


@settings(PROPERTY, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON)
def test_any_value_comes_back_as_it_was_put(store_client: "redis.Redis", value: Any) -> None:
    cache = cache_in(store_client)
    assert cache.set("x", value)
    assert cache.get("x") == value


def test_a_key_that_is_not_there_is_a_miss(cache: MarketCache) -> None:
    assert cache.get("x") is None


CORRUPT = {
    "cut off": b'{"price": 1',
    "words": b"nonsense",
    "empty": b"",
    "NaN": b"NaN",
    "an exponent beyond reason": b"1e99999999999999999999",
    "nested beyond reason": b"[" * 100_000,
    "no UTF-8": b'"\xff\xfe"',
}


@pytest.mark.parametrize("stored", CORRUPT.values(), ids=CORRUPT)
def test_a_corrupt_entry_is_deleted_and_counts_as_a_miss(
    cache: MarketCache,
    any_redis: "redis.Redis",
    bytes_in: "redis.Redis",
    stored: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bytes_in.set("qrl:v1:x", stored)
    with caplog.at_level(logging.WARNING):
        assert cache.get("x") is None
    assert any_redis.exists("qrl:v1:x") == 0
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "x is corrupt" in caplog.text


def test_a_corrupt_entry_read_elsewhere_is_deleted_too(cache: MarketCache, any_redis: "redis.Redis") -> None:
    any_redis.set("qrl:v1:x", "nonsense")
    assert cache.decode("x", "nonsense") is None
    assert any_redis.exists("qrl:v1:x") == 0


def test_an_entry_of_another_type_is_a_miss_and_a_warning(
    cache: MarketCache, any_redis: "redis.Redis", caplog: pytest.LogCaptureFixture
) -> None:
    any_redis.lpush("qrl:v1:x", "1")
    with caplog.at_level(logging.WARNING):
        assert cache.get("x") is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_an_entry_of_another_type_is_replaced_by_the_next_set(cache: MarketCache, any_redis: "redis.Redis") -> None:
    any_redis.lpush("qrl:v1:x", "1")
    assert cache.set("x", 1)
    assert cache.get("x") == 1


# Deleting


def test_an_entry_is_deleted_once(cache: MarketCache) -> None:
    cache.set("x", 1)
    assert cache.delete("x") is True
    assert cache.delete("x") is False
    assert cache.get("x") is None


def keys_of(client: "redis.Redis") -> set[str]:
    keys: Any = client.keys()
    return set(keys)


OTHERS = {
    "qrl:v2:ticker:QRL/USDT",
    "qrl:ticker:QRL/USDT",
    "qrl2:v1:ticker:QRL/USDT",
    "q:v1:ticker:QRL/USDT",
    "xqrl:v1:ticker:QRL/USDT",
    "bot:QRLUSDT:position",
    "ticker:QRL/USDT",
    "qrl:v1",
}
OURS = {
    "ticker:QRL/USDT",
    "ticker:BTC/USDT",
    "ohlcv:QRL/USDT:1d:120",
    "deals:QRL/USDT:20",
    "orderbook:AQRL/USDT:20",
}


@pytest.fixture
def filled(cache: MarketCache, any_redis: "redis.Redis") -> MarketCache:
    """A cache with five entries, among keys of others."""
    for key in OTHERS:
        any_redis.set(key, "1")
    for key in OURS:
        cache.set(key, 1)
    return cache


def left_of(client: "redis.Redis") -> set[str]:
    """What is left of our entries; that nothing else was touched is checked on the way."""
    keys = keys_of(client)
    assert keys >= OTHERS
    return {key.removeprefix("qrl:v1:") for key in keys - OTHERS}


def test_clearing_all_keeps_to_this_namespace_and_version(filled: MarketCache, any_redis: "redis.Redis") -> None:
    assert filled.clear_all() == 5
    assert left_of(any_redis) == set()


@pytest.mark.parametrize(
    ("pattern", "deleted"),
    [
        ("*", OURS),
        ("ticker:*", {"ticker:QRL/USDT", "ticker:BTC/USDT"}),
        ("ticker:QRL/USDT", {"ticker:QRL/USDT"}),
        ("*:QRL/USDT*", {"ticker:QRL/USDT", "ohlcv:QRL/USDT:1d:120", "deals:QRL/USDT:20"}),
        ("ticker:???/USDT", {"ticker:QRL/USDT", "ticker:BTC/USDT"}),
        ("ticker:[QB]*", {"ticker:QRL/USDT", "ticker:BTC/USDT"}),
        ("nothing", set()),
        ("", set()),
        ("*v1*", set()),
    ],
)
def test_a_pattern_deletes_what_matches_within_this_namespace_and_version(
    filled: MarketCache, any_redis: "redis.Redis", pattern: str, deleted: set[str]
) -> None:
    assert filled.delete_pattern(pattern) == len(deleted)
    assert left_of(any_redis) == OURS - deleted


def test_clearing_a_symbol_takes_all_of_it_and_nothing_that_only_looks_like_it(
    filled: MarketCache, any_redis: "redis.Redis"
) -> None:
    assert filled.clear_symbol("QRL/USDT") == 3
    assert left_of(any_redis) == {"ticker:BTC/USDT", "orderbook:AQRL/USDT:20"}


@pytest.mark.parametrize("symbol", ["*", "?RL/USDT", "[QB]RL/USDT", "QRL/*", "\\*"])
def test_a_symbol_is_no_pattern(filled: MarketCache, any_redis: "redis.Redis", symbol: str) -> None:
    assert filled.clear_symbol(symbol) == 0
    assert left_of(any_redis) == OURS


@pytest.mark.parametrize("namespace", ["*", "q?l", "q[rx]l", "q^l", "a\\b", "q*"])
def test_a_namespace_of_pattern_characters_is_taken_by_the_letter(any_redis: "redis.Redis", namespace: str) -> None:
    others = {"qrl:v1:x", "qxl:v1:x", "ab:v1:x", "q:v1:x", "anything:v1:x"}
    for key in others:
        any_redis.set(key, "1")
    cache = cache_in(any_redis, namespace)
    cache.set("x", 1)
    cache.set("y:QRL/USDT", 1)
    assert cache.clear_symbol("QRL/USDT") == 1
    assert cache.clear_all() == 1
    assert keys_of(any_redis) == others


def test_more_entries_than_one_scan_returns_are_all_deleted(any_redis: "redis.Redis") -> None:
    cache = cache_in(any_redis)
    any_redis.mset({cache.full_key(f"deals:{n}"): "1" for n in range(2_000)})
    any_redis.mset({f"other:{n}": "1" for n in range(2_000)})
    assert cache.clear_all() == 2_000
    assert any_redis.dbsize() == 2_000


def commands(client: "redis.Redis") -> set[str]:
    """The commands that a real Redis has executed since CONFIG RESETSTAT."""
    stats: Any = client.info("commandstats")
    return {name.removeprefix("cmdstat_") for name in stats}


def test_deleting_scans_and_never_lists_all_keys_or_flushes(redis_server: str) -> None:
    client = redis.Redis.from_url(redis_server, decode_responses=True, protocol=2)
    client.flushdb()
    cache = cache_in(client)
    for key in OURS:
        cache.set(key, 1)
    client.config_resetstat()
    cache.delete_pattern("ticker:*")
    cache.clear_symbol("QRL/USDT")
    cache.clear_all()
    cache.get_stats()
    cache.warm_cache([("x", lambda: 1, None)])
    executed = commands(client)
    client.close()
    assert "scan" in executed
    assert not executed & {"keys", "flushdb", "flushall"}
    assert not {name for name in executed if name.startswith("config|") and name != "config|resetstat"}


# Statistics


def test_statistics_count_all_keys_and_those_of_the_namespace(redis_server: str) -> None:
    client = redis.Redis.from_url(redis_server, decode_responses=True, protocol=2)
    client.flushdb()
    cache = cache_in(client)
    cache.set("x", 1)
    cache.set("y", 1)
    client.set("qrl:v2:x", "1")
    client.set("other", "1")
    memory: Any = client.info("memory")
    stats = cache.get_stats()
    client.close()
    assert (stats["total_keys"], stats["namespace_keys"]) == (4, 2)
    assert (stats["eviction_policy"], stats["evicted_keys"]) == ("noeviction", 0)
    assert stats["memory_used_bytes"] > 0
    assert stats["memory_peak_bytes"] == pytest.approx(memory["used_memory_peak"], rel=0.5)


def test_the_eviction_policy_is_what_redis_says(redis_server: str) -> None:
    client = redis.Redis.from_url(redis_server, decode_responses=True, protocol=2)
    before: Any = client.config_get("maxmemory-policy")
    client.config_set("maxmemory-policy", "volatile-lru")
    try:
        assert cache_in(client).get_stats()["eviction_policy"] == "volatile-lru"
    finally:
        client.config_set("maxmemory-policy", before["maxmemory-policy"])
        client.close()


# Warming


def gives(value: Any) -> Callable[[], Any]:
    return lambda: value


def fails() -> Any:
    raise ExchangeUnavailable("down")


def test_warming_fetches_what_is_not_there_and_counts(cache: MarketCache, any_redis: "redis.Redis") -> None:
    cache.set("there", "old")
    counts = cache.warm_cache(
        [
            ("new", gives(1), 5),
            ("new with the default life", gives([]), None),
            ("there", gives("new"), 5),
            ("failing", fails, 5),
            ("no JSON", gives(object()), 5),
            ("without life", gives(1), 0),
        ]
    )
    assert counts == {"success": 2, "failed": 3, "skipped": 1}
    assert (cache.get("new"), cache.get("new with the default life"), cache.get("there")) == (1, [], "old")
    assert any_redis.ttl("qrl:v1:new") == 5
    assert any_redis.ttl("qrl:v1:new with the default life") == 60
    assert keys_of(any_redis) == {"qrl:v1:new", "qrl:v1:new with the default life", "qrl:v1:there"}


def test_warming_does_not_fetch_what_is_there_even_if_it_is_falsy(cache: MarketCache) -> None:
    cache.set("x", 0)

    def never() -> Any:
        raise AssertionError("it is there")

    assert cache.warm_cache([("x", never, 5)]) == {"success": 0, "failed": 0, "skipped": 1}


def test_warming_nothing_counts_nothing(cache: MarketCache) -> None:
    assert cache.warm_cache([]) == {"success": 0, "failed": 0, "skipped": 0}


def test_whatever_a_fetch_raises_counts_is_logged_and_keeps_nothing_else_cold(
    cache: MarketCache, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupted() -> Any:
        raise KeyboardInterrupt

    counts = cache.warm_cache(
        [("x", lambda: 1 // 0, 60), ("y", lambda: {"a": 1}["a secret"], 60), ("z", gives(1), 60)]
    )
    assert counts == {"success": 1, "failed": 2, "skipped": 0}
    assert caplog.messages == [
        "cache entry x was not warmed: ZeroDivisionError",
        "cache entry y was not warmed: KeyError",
    ]
    with pytest.raises(KeyboardInterrupt):
        cache.warm_cache([("w", interrupted, 60)])


# A Redis that is dead


def dead_fake() -> Any:
    return embedded_redis(connected=False)


def dead_port() -> Any:
    """A real client on a port where nobody listens."""
    no_retry = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    return redis.Redis(host="127.0.0.1", port=1, decode_responses=True, retry=no_retry)


@pytest.fixture(params=[dead_fake, dead_port])
def dead(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[MarketCache]:
    """A cache whose Redis is not there; that each use of it warns is checked at the end."""
    yield cache_in(request.param())
    records = caplog.get_records("call")
    assert {record.levelname for record in records} == {"WARNING"}
    assert not any("127.0.0.1" in record.getMessage() for record in records)


def test_a_dead_redis_is_a_miss(dead: MarketCache) -> None:
    assert dead.get("x") is None


def test_nothing_is_set_in_a_dead_redis(dead: MarketCache) -> None:
    assert dead.set("x", 1) is False


def test_nothing_is_deleted_from_a_dead_redis(dead: MarketCache) -> None:
    assert dead.delete("x") is False
    assert dead.delete_pattern("*") == 0
    assert dead.clear_symbol("QRL/USDT") == 0
    assert dead.clear_all() == 0


def test_a_dead_redis_has_no_statistics_but_those_of_the_process(dead: MarketCache) -> None:
    stats = dead.get_stats()
    assert (stats["errors"], stats["hits"], stats["circuit_open"]) == (0, 0, False)
    assert "total_keys" not in stats


def test_warming_a_dead_redis_fails_entry_by_entry(dead: MarketCache) -> None:
    assert dead.warm_cache([("x", gives(1), 5), ("y", fails, 5)]) == {"success": 0, "failed": 2, "skipped": 0}


def test_a_redis_that_runs_out_of_memory_is_a_cache_that_does_not_keep(redis_server: str) -> None:
    client = redis.Redis.from_url(redis_server, decode_responses=True, protocol=2)
    client.flushdb()
    cache = cache_in(client)
    client.config_set("maxmemory", "1mb")
    try:
        assert cache.set("x", 1) is False
        assert cache.get("x") is None
    finally:
        client.config_set("maxmemory", "0")
        client.close()
