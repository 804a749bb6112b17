"""Redis for a laptop: the one of REDIS_URL, a redis-server found on the machine, or the embedded one."""

import socket
from urllib.parse import urlsplit

import pytest
import redis

from local.redis_server import free_port, redis_for_run


def works(url: str) -> bool:
    """What the bot needs: transactions, a watched key, sorted sets and hashes."""
    with redis.Redis.from_url(url, decode_responses=True, protocol=2) as client:
        pipe = client.pipeline(transaction=True)
        pipe.watch("lease")
        pipe.multi()
        pipe.set("lease", "mine", nx=True, px=1000)
        pipe.zadd("history", {"a": 1, "b": 2})
        pipe.hset("hash", mapping={"x": "1"})
        pipe.execute()
        held = (client.get("lease"), client.zrange("history", 0, -1), client.hgetall("hash"), client.ttl("hash"))
        with client.pipeline(transaction=True) as late:
            late.watch("lease")
            client.set("lease", "another's")
            late.multi()
            late.set("hash2", "x")
            with pytest.raises(redis.WatchError):
                late.execute()
    return held == ("mine", ["a", "b"], {"x": "1"}, -1)


def answers(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname or "", parts.port or 0)) == 0


def test_a_url_that_is_given_is_taken_and_nothing_is_started(redis_server: str) -> None:
    with redis_for_run(redis_server) as (url, told):
        assert url == redis_server
        assert "REDIS_URL" in told
    assert answers(redis_server), "what was not started is not ended"


def test_a_redis_server_on_the_machine_is_started_and_ended(redis_server: str) -> None:
    with redis_for_run(None) as (url, told):
        assert told.endswith("redis-server")
        assert url != redis_server
        assert url.startswith("redis://127.0.0.1:")
        assert works(url)
    assert not answers(url)


def test_without_one_an_embedded_redis_answers_on_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with redis_for_run(None) as (url, told):
        assert "embedded" in told
        assert url.startswith("redis://127.0.0.1:")
        assert works(url)
    assert not answers(url)


def test_two_runs_have_a_redis_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with redis_for_run(None) as (one, _), redis_for_run(None) as (other, _):
        assert one != other
        with redis.Redis.from_url(one) as client, redis.Redis.from_url(other) as second:
            client.set("key", "value")
            assert second.get("key") is None


def test_a_server_is_ended_when_the_run_fails(redis_server: str) -> None:
    with pytest.raises(KeyboardInterrupt), redis_for_run(None) as (url, _):
        raise KeyboardInterrupt
    assert not answers(url)


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port()))
        server.listen()
