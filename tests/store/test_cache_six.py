"""What the market-data cache can beyond keeping: shorten, hide, count, leave alone, read and write through."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
import redis
from cryptography.fernet import Fernet

from common.config import Settings
from common.errors import ConfigurationError, ExchangeUnavailable
from common.store.cache import MarketCache
from common.store.circuit import Circuit
from common.store.keys import CacheKeys
from common.store.seal import Seal
from tests.builders import d
from tests.conftest import ENV
from tests.fakes import FakeClock, Line, embedded_redis

TTLS = {"default": 60}
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
CANDLES = [[1767312000000 + day * 86_400_000, "0.0205", "0.0210", "0.0195"] for day in range(26)]


def cache(client: "redis.Redis", clock: FakeClock | None = None, seal: Seal | None = None) -> MarketCache:
    return MarketCache(client, CacheKeys("qrl"), TTLS, clock=clock or FakeClock(), seal=seal)


def stored(client: "redis.Redis", key: str = "x") -> str:
    text: Any = client.get(f"qrl:v1:{key}")
    return str(text)


# Compression


def test_an_entry_above_the_size_is_stored_shorter_and_one_below_it_as_it_is(store_client: "redis.Redis") -> None:
    shortening = cache(store_client, seal=Seal(above=200))
    shortening.set("long", CANDLES)
    shortening.set("x", [1])
    assert stored(store_client).startswith("[1")
    assert len(stored(store_client, "long")) < len(cache(store_client).encode(CANDLES) or "") / 2
    assert (shortening.get("long"), shortening.get("x")) == (CANDLES, [1])
    assert cache(store_client).get("long") == CANDLES, "read without the setting too"


def test_an_entry_that_is_damaged_or_unpacks_beyond_reason_is_a_miss(store_client: "redis.Redis") -> None:
    good = Seal(above=1).close("[" + "1," * 99 + "1]")
    bomb = Seal(above=1).close("1" * (17 * 1024 * 1024))
    for damaged in ("z:", "z:!", "z:AAAA", good[:-8], good[:20] + "A" + good[21:], bomb):
        store_client.set("qrl:v1:x", damaged)
        assert cache(store_client).get("x") is None, damaged[:40]
        assert not store_client.exists("qrl:v1:x")


# Encryption


@pytest.mark.parametrize("above", [0, 1])
def test_an_encrypted_entry_is_read_by_who_has_the_key_and_keys_rotate(
    store_client: "redis.Redis", above: int
) -> None:
    cache(store_client, seal=Seal(above, [OLD])).set("x", {"fee": d("0.0005")})
    assert "fee" not in stored(store_client)
    assert cache(store_client, seal=Seal(0, [NEW, OLD])).get("x") == {"fee": d("0.0005")}
    cache(store_client, seal=Seal(0, [NEW, OLD])).set("x", 1)
    assert cache(store_client, seal=Seal(0, [NEW])).get("x") == 1


def test_what_is_under_another_key_or_none_is_a_miss_and_stays(
    store_client: "redis.Redis", caplog: pytest.LogCaptureFixture
) -> None:
    cache(store_client, seal=Seal(0, [OLD])).set("x", 1)
    cache(store_client).set("y", 1)
    for reader, key in ((Seal(0, [NEW]), "x"), (Seal(), "x"), (Seal(0, [NEW]), "y")):
        assert cache(store_client, seal=reader).get(key) is None
    assert store_client.exists("qrl:v1:x", "qrl:v1:y") == 2
    assert caplog.records == []


def test_the_keys_are_settings_that_are_checked_and_never_told() -> None:
    made = Settings.from_env({**ENV, "REDIS_CACHE_KEY": f"{NEW}, {OLD}", "REDIS_CACHE_COMPRESS_ABOVE": "512"})
    assert made.cache_keys == (NEW, OLD)
    assert {NEW, OLD} <= set(made.secrets)
    assert NEW not in repr(made)
    with pytest.raises(ConfigurationError, match="REDIS_CACHE_KEY: must be Fernet keys") as refused:
        Settings.from_env({**ENV, "REDIS_CACHE_KEY": f"{NEW},geheim"})
    assert "geheim" not in str(refused.value)


# Circuit breaker


def test_after_five_failures_the_cache_is_left_alone_for_half_a_minute_and_one_probe_closes_it(
    store_client: "redis.Redis", line: Line, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    guarded = cache(store_client, clock)
    guarded.set("x", 1)
    line.cut_after(0)
    assert [guarded.get("x") for _ in range(5)] == [None] * 5
    assert guarded.get_stats()["circuit_open"]
    line.mend()
    before = len(line.trips)
    assert guarded.get("x") is None
    clock.move(29.9)
    assert guarded.get("x") is None
    assert len(line.trips) == before
    clock.move(0.1)
    assert guarded.get("x") == 1
    assert not guarded.get_stats()["circuit_open"]
    assert "left alone for a while" in caplog.text


def test_a_probe_that_fails_leaves_it_open_and_only_one_caller_probes(clock: FakeClock) -> None:
    circuit = Circuit(clock)
    assert [circuit.failed() for _ in range(5)] == [False, False, False, False, True]
    clock.move(30)
    assert (circuit.allows(), circuit.allows()) == (True, False)
    assert not circuit.failed()
    clock.move(29)
    assert not circuit.allows()
    clock.move(1)
    assert circuit.allows()
    circuit.succeeded()
    assert (circuit.open, circuit.allows()) == (False, True)


def test_failures_that_are_not_in_a_row_open_nothing(clock: FakeClock) -> None:
    circuit = Circuit(clock)
    for _ in range(4):
        assert not circuit.failed()
    circuit.succeeded()
    assert not circuit.failed()
    assert circuit.allows()


# Counts


def test_what_the_cache_does_is_counted_and_taken_once(store_client: "redis.Redis", line: Line) -> None:
    counted = cache(store_client)
    counted.set("x", [1, 2])
    counted.get("x")
    counted.get("y")
    line.cut_after(0)
    counted.get("x")
    taken = counted.counts.take()
    assert taken == {"hits": 1, "misses": 2, "errors": 1, "bytes_read": 5, "bytes_written": 5, "calls": 3}
    assert counted.counts.take() == {}
    line.mend()
    assert counted.get_stats().items() >= {"hits": 1, "misses": 2, "errors": 1, "circuit_open": False}.items()


# Read-through and write-through


def test_threads_that_miss_together_fetch_once(store_client: "redis.Redis") -> None:
    through, fetched, together, go = cache(store_client), list[int](), Barrier(5), Event()

    def fetch() -> Any:
        fetched.append(1)
        go.wait(10)
        return {"n": 1}

    def ask() -> Any:
        together.wait(10)
        return through.get_or_fetch("x", fetch, 30)

    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(ask) for _ in range(5)]
        while not fetched:
            pass
        go.set()
        assert [answer.result(10) for answer in answers] == [{"n": 1}] * 5
    assert through.get_or_fetch("x", lambda: pytest.fail("it is there"), 30) == {"n": 1}
    assert 0 < int(str(store_client.ttl("qrl:v1:x"))) <= 30


def test_a_fetch_that_fails_is_raised_and_nothing_is_kept_and_the_next_may_succeed(
    store_client: "redis.Redis",
) -> None:
    def fails() -> Any:
        raise ExchangeUnavailable("down")

    through = cache(store_client)
    with pytest.raises(ExchangeUnavailable):
        through.get_or_fetch("x", fails)
    assert not store_client.exists("qrl:v1:x")
    assert through.get_or_fetch("x", lambda: 5, lambda: 0) == 5
    assert not store_client.exists("qrl:v1:x"), "no life, no entry"


def test_a_cache_that_is_dead_still_fetches() -> None:
    dead = cache(embedded_redis(connected=False))
    assert dead.get_or_fetch("x", lambda: 7) == 7


def test_writing_through_keeps_an_entry_only_after_the_permanent_write(store_client: "redis.Redis") -> None:
    through, done = cache(store_client), list[bool]()
    assert through.put_through("x", 1, 30, lambda: done.append(bool(store_client.exists("qrl:v1:x"))))
    assert (done, through.get("x")) == ([False], 1)

    def fails() -> None:
        raise ExchangeUnavailable("down")

    with pytest.raises(ExchangeUnavailable):
        through.put_through("y", 1, 30, fails)
    assert not store_client.exists("qrl:v1:y")
