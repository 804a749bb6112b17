"""The permanent store: what a run reads, and all that it writes in one MULTI, under its lease (SPEC §3).

A run holds the lease by a key with its own token and an expiry, and a connection that WATCHes that key:
should the lease pass to another, Redis itself refuses the run's write (the fence). Begin, watch, commit:
three round trips, whatever is stored.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import redis

from common.adapters.clock import Clock, milliseconds
from common.adapters.documents import from_hash, from_redis, to_hash, to_redis
from common.adapters.keys import HISTORY_LIMIT, PRICE_CACHE_SECONDS, RUN_MARK_SECONDS, Keys
from common.adapters.mexc_http import Meter, Reply
from common.errors import ConfigurationError, LeaseLost, StoreCorrupt, StoreError, StoreUnreachable

log = logging.getLogger(__name__)
Read = tuple[str, ...]
"""A read command with its arguments, such as ("GET", key) or ("HGETALL", key).

("CACHED", key) gets an entry of the market-data cache: one that cannot be read is a miss, no error (SPEC §3).
"""


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turn what redis-py raises into errors by what the caller does next; no text of it leaves."""
    try:
        yield
    except redis.WatchError as error:
        if "Error occurred while watching" in str(error):
            raise StoreUnreachable("the connection to Redis was lost during the run") from None
        raise LeaseLost("the lease passed to another run: nothing was stored") from None
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
        raise ConfigurationError("Redis refuses the password (REDIS_URL or REDIS_PASSWORD)") from None
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise StoreUnreachable(f"Redis cannot be reached ({type(error).__name__})") from None
    except redis.ResponseError as error:
        raise _refused(error) from None
    except UnicodeDecodeError:
        raise StoreCorrupt("a key in Redis holds bytes that are no UTF-8 text") from None


def _refused(error: redis.ResponseError) -> StoreError:
    text = str(error).rpartition("caused error: ")[2]
    if "WRONGTYPE" in text:
        return StoreCorrupt("a key in Redis holds a value of the wrong type")
    kind = text.split(" ", 1)[0] if type(error) is redis.ResponseError else type(error).__name__
    return StoreUnreachable(f"Redis refuses the command ({kind:.20})")


@dataclass(frozen=True, slots=True)
class Begun:
    """What the first trip found: `answer` is that of a finished run of the same slot.

    `expires` is when a lease that was acquired runs out, by the monotonic clock.
    """

    acquired: bool
    expires: float
    answer: str | None
    values: Mapping[str, Any]


class Batch:
    """Writes that are queued, to go to Redis together or not at all."""

    def __init__(self, keys: Keys, run_id: str, task: str) -> None:
        self.keys = keys
        self._run_id = run_id
        self._task = task
        self._count = 0
        self.writes: list[Callable[[Any], object]] = []

    def fork(self) -> "Batch":
        """An empty batch of the same run: a leg that fails is dropped with all it queued."""
        child = Batch(self.keys, f"{self._run_id}.{len(self.writes)}", self._task)
        return child

    def next(self) -> "Batch":
        """An empty batch that goes on where this one ends."""
        batch = Batch(self.keys, self._run_id, self._task)
        batch._count = self._count
        return batch

    def extend(self, other: "Batch") -> None:
        self.writes += other.writes

    def raw(self, reply: Reply) -> None:
        """The exchange's answer unaltered, as the latest and into the history."""
        self._count += 1
        stamp = milliseconds(reply.received_at)
        metadata = {"task": self._task, "source": "MEXC v3", "id": f"{self._run_id}.{self._count}"}
        document = (
            f'{{"response":{reply.text},"timestamp":{stamp},'
            f'"datetime":"{reply.received_at.isoformat()}","metadata":{to_redis(metadata)}}}'
        )
        self.set(self.keys.raw_latest(reply.endpoint), document)
        self.append(self.keys.raw_history(reply.endpoint), document, stamp)

    def document(self, key: str, document: Any) -> None:
        self.set(key, to_redis(document))

    def document_once(self, key: str, document: Any) -> None:
        """Stored only when the key is not there yet."""
        text = to_redis(document)
        self.writes.append(lambda pipe: pipe.set(key, text, nx=True))

    def hash(self, key: str, fields: Mapping[str, Any]) -> None:
        texts = to_hash(fields)
        self.writes.append(lambda pipe: pipe.hset(key, mapping=texts))

    def hash_delete(self, key: str, field: str) -> None:
        self.writes.append(lambda pipe: pipe.hdel(key, field))

    def price(self, price: Mapping[str, Any], at: datetime) -> None:
        """The latest price for good, the cached one for 30 s, and a point of the history."""
        text = to_redis(price)
        self.set(self.keys.price_latest, text)
        self.set(self.keys.price_cached, text, seconds=PRICE_CACHE_SECONDS)
        self.append(self.keys.price_history, text, milliseconds(at))

    def plan(self, plan: Mapping[str, Any]) -> None:
        self.document(self.keys.plan_last, plan)
        self.push_document(self.keys.plan_history, plan)

    def members(self, key: str, documents: Sequence[tuple[int, Any]]) -> None:
        """Into a sorted set that is never trimmed; the same member twice is one."""
        if documents:
            scores = {to_redis(document): score for score, document in documents}
            self.writes.append(lambda pipe: pipe.zadd(key, scores))

    def set(self, key: str, text: str, seconds: int | None = None) -> None:
        self.writes.append(lambda pipe: pipe.set(key, text, ex=seconds))

    def delete(self, key: str) -> None:
        self.writes.append(lambda pipe: pipe.delete(key))

    def append(self, key: str, text: str, score: int) -> None:
        """Into a trimmed history, a sorted set by milliseconds."""
        self.writes.append(lambda pipe: pipe.zadd(key, {text: score}))
        self.writes.append(lambda pipe: pipe.zremrangebyrank(key, 0, -HISTORY_LIMIT - 1))

    def push_document(self, key: str, document: Any) -> None:
        """Onto a trimmed history, a list, newest first."""
        text = to_redis(document)
        self.writes.append(lambda pipe: pipe.lpush(key, text))
        self.writes.append(lambda pipe: pipe.ltrim(key, 0, HISTORY_LIMIT - 1))

    def run_mark(self, job: str, slot: str, answer: str) -> None:
        self.set(self.keys.run_mark(job, slot), answer, seconds=RUN_MARK_SECONDS)


class Lease:
    """The right to write one scope of the state, from `begin` to `commit`; `expires` by the monotonic clock."""

    def __init__(self, client: "redis.Redis", key: str, clock: Clock, expires: float, meter: Meter) -> None:
        self._key = key
        self._clock = clock
        self._meter = meter
        self._expires = expires
        self._pipe = client.pipeline(transaction=True)
        self._held = False
        self._watch()

    def _watch(self) -> None:
        self._meter.add("redis")
        with redis_errors():
            self._pipe.watch(self._key)  # type: ignore[no-untyped-call]
        if self._clock.monotonic() >= self._expires:
            # What is watched now may already be the lease of another.
            self.close()
            raise LeaseLost("the lease had expired before it could be watched")
        self._held = True

    def commit(self, batch: Batch, *, release: bool = True) -> None:
        """Write the batch in one MULTI, and give the lease back with it. Raises LeaseLost, StoreError."""
        if not self._held:
            raise LeaseLost("the lease is not held any more: nothing was stored")
        self._held = False  # a MULTI without the WATCH before it would write unfenced
        self._meter.add("redis")
        with redis_errors():
            self._pipe.multi()
            for write in batch.writes:
                write(self._pipe)
            if release:
                self._pipe.delete(self._key)
            self._pipe.execute()
        if not release:
            self._watch()

    def close(self) -> None:
        """Give the connection back; the lease itself, if still held, runs out by its expiry."""
        self._held = False
        self._pipe.reset()


class Store:
    """Reads, and the beginning of a run. One for a process."""

    def __init__(self, client: "redis.Redis", keys: Keys, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self.keys = keys

    def begin(
        self,
        scope: str,
        token: str,
        seconds: float,
        mark: str | None,
        reads: Mapping[str, Read],
        types: Mapping[str, str],
        meter: Meter,
    ) -> Begun:
        """One trip: is Redis there, has this slot been answered, may we have the lease, and what we need.

        `types` are the containers the run will write to: one that holds another type is reported now,
        since in a MULTI all other writes would go through. Raises StoreError, ConfigurationError.
        """
        lease = self.keys.lease(scope)
        expires = self._clock.monotonic() + seconds

        def fill(pipe: Any) -> None:
            pipe.set(lease, token, nx=True, px=int(seconds * 1000))
            pipe.get(lease)
            for key in types:
                pipe.type(key)
            for read in reads.values():
                pipe.execute_command(*_command(read))
            if mark:
                pipe.get(mark)

        try:
            results = self._transaction(fill, meter)
        except StoreCorrupt:
            self._release(lease, token, meter)
            raise
        acquired = results[1] == token
        answer = results.pop() if mark else None
        found = results[2 : 2 + len(types)]
        try:
            self._raise_on_error(("GET", lease), results[1])
            self._raise_on_error(("GET", mark or ""), answer)
            for (key, expected), kind in zip(types.items(), found, strict=True):
                if kind not in (expected, "none"):
                    raise StoreCorrupt(f"{key} holds a {kind}, expected a {expected}")
            values = self._values(reads, results[2 + len(types) :])
        except StoreError:
            if acquired:
                self._release(lease, token, meter)
            raise
        if acquired and answer is not None:
            self._release(lease, token, meter)
        return Begun(acquired, expires, answer, values)

    def lease(self, scope: str, expires: float, meter: Meter) -> Lease:
        """Watch the lease that `begin` has just acquired."""
        return Lease(self._client, self.keys.lease(scope), self._clock, expires, meter)

    def read(self, reads: Mapping[str, Read], meter: Meter) -> Mapping[str, Any]:
        """Several reads in one trip, decoded: documents, hashes, lists."""

        def fill(pipe: Any) -> None:
            for read in reads.values():
                pipe.execute_command(*_command(read))

        return self._values(reads, self._transaction(fill, meter))

    def write(self, batch: Batch, meter: Meter) -> None:
        """Write a batch in one MULTI without a lease: for an operator's commands, which share no run's state."""
        meter.add("redis")
        with redis_errors():
            pipe = self._client.pipeline(transaction=True)
            for write in batch.writes:
                write(pipe)
            pipe.execute()

    def ttls(self, keys: Sequence[str], meter: Meter) -> dict[str, int]:
        """Seconds each key has left: -1 for good, -2 not there."""
        results = self._transaction(lambda pipe: [pipe.ttl(key) for key in keys], meter)
        return dict(zip(keys, results, strict=True))

    def raw_history(self, endpoint: str, start: int, end: int, limit: int, meter: Meter) -> list[str]:
        """Raw answers between two times (ms), newest first, as the text that was stored."""
        read: Read = ("ZREVRANGEBYSCORE", self.keys.raw_history(endpoint), str(end), str(start))
        read += ("LIMIT", "0", str(limit))
        results = self._transaction(lambda pipe: pipe.execute_command(*read), meter)
        self._raise_on_error(read, results[0])
        return list(results[0])

    def eviction_policy(self) -> str | None:
        """What Redis does when memory runs out; None when it does not say."""
        try:
            memory: Any = self._client.info("memory")
        except redis.RedisError:
            return None
        policy: str | None = memory.get("maxmemory_policy")
        return policy

    def _transaction(self, fill: Callable[[Any], object], meter: Meter) -> list[Any]:
        """Run a MULTI; once more on a fresh connection when an idle one turns out to be dead.

        Safe to repeat: all but the lease are reads, and the lease is ours if it carries our token.
        """
        for attempt in (1, 2):
            meter.add("redis")
            pipe = self._client.pipeline(transaction=True)
            fill(pipe)
            try:
                with redis_errors():
                    results: list[Any] = pipe.execute(raise_on_error=False)
                return results
            except StoreUnreachable:
                if attempt == 2:
                    raise
                self._client.connection_pool.disconnect(inuse_connections=False)
        raise AssertionError("the second attempt returns or raises")

    def _release(self, lease: str, token: str, meter: Meter) -> None:
        """Compare and delete: only our own lease is given back. Three trips: WATCH, GET, MULTI."""

        def delete(pipe: Any) -> None:
            mine = pipe.get(lease) == token
            pipe.multi()
            if mine:
                pipe.delete(lease)

        for _ in range(3):
            meter.add("redis")
        try:
            self._client.transaction(delete, lease)
        except redis.RedisError as error:
            log.warning("the lease was not given back and runs out by itself (%s)", type(error).__name__)

    def _values(self, reads: Mapping[str, Read], results: Sequence[Any]) -> dict[str, Any]:
        values = {}
        for (name, read), result in zip(reads.items(), results, strict=True):
            if read[0] == "CACHED":
                values[name] = _cached(read[1], result)
                continue
            self._raise_on_error(read, result)
            values[name] = _decoded(read, result)
        return values

    @staticmethod
    def _raise_on_error(read: Read, result: Any) -> None:
        if isinstance(result, redis.ResponseError):
            if "WRONGTYPE" in str(result):
                raise StoreCorrupt(f"{read[1]} holds a value of the wrong type")
            raise _refused(result)


def _command(read: Read) -> Read:
    return ("GET", *read[1:]) if read[0] == "CACHED" else read


def _cached(key: str, result: Any) -> Any:
    """An entry of the cache; a corrupt one is a miss and a warning, and is overwritten by the next."""
    try:
        return None if result is None else from_redis(result, key)
    except (StoreCorrupt, TypeError):
        log.warning("cache entry %s is corrupt: a miss", key)
        return None


def _decoded(read: Read, result: Any) -> Any:
    """A string is a document, a hash its fields, a list or range documents; HMGET answers plain text."""
    command, key = read[0], read[1]
    if result is None:
        return None
    if command == "GET":
        return from_redis(result, key)
    if command == "HGETALL":
        pairs = result if isinstance(result, dict) else dict(zip(result[::2], result[1::2], strict=True))
        return from_hash(pairs, key)
    if command == "HMGET":
        return list(result)
    return [from_redis(item, key) for item in result]
