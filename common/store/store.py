"""The permanent store: what a run reads, and what it writes in one MULTI under its lease (contract.md §3).

A run holds the lease through a key with its own token and an expiry, and a connection that WATCHes that key: if the
lease passes to another run, Redis itself refuses the write (the fence). Begin, watch, commit: three round trips,
whatever is stored.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import redis

from common.clock import Clock
from common.decimal_json import written
from common.errors import StoreCorrupt, StoreError, StoreUnreachable
from common.meter import Meter
from common.store.batch import Batch
from common.store.codec import document_of
from common.store.documents import shown, shown_hash
from common.store.errors import redis_errors, refused
from common.store.held import Held, pieces_of
from common.store.keys import Keys
from common.store.lease import Lease

log = logging.getLogger(__name__)
Read = tuple[str, ...]
"""A read command with its arguments, such as ("GET", key) or ("HGETALL", key).

A GET returns a document, a list or range returns documents, a hash its fields, or their names, as text.
("TEXT", key) gets a document unparsed, for callers that may not need it.
("CACHED", key) gets an entry of the market-data cache unparsed; one of another type is a miss (contract.md §3).
"""


class Begun(NamedTuple):
    """What the first trip found: `answer` is the response of a finished run of the same slot.

    `token` is that of the run that holds the lease. `expires` is when the lease ends, by the monotonic clock, if
    this run holds it; `left` is the seconds that Redis still gives it.
    """

    acquired: bool
    token: str
    expires: float
    left: float
    answer: str | None
    values: Mapping[str, Any]


class Store:
    """Reads, and the start of a run. One instance a process."""

    def __init__(self, client: "redis.Redis", keys: Keys, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self.keys = keys
        self._orphans: dict[str, str] = {}
        """By token, leases of this process's runs that ended while Redis was unreachable."""

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
        """One trip: is Redis there, has this slot been answered, is the lease free, and all that the run reads.

        `types` are the containers the run will write to: a wrong type is reported now, since in a MULTI all other
        writes would still go through. Raises StoreError, ConfigurationError.
        """
        lease = self.keys.lease(scope)
        for orphan, key in list(self._orphans.items()):
            self._release(key, orphan, meter)
        expires = self._clock.monotonic() + seconds

        def fill(pipe: Any) -> None:
            pipe.set(lease, token, nx=True, px=int(seconds * 1000))
            pipe.get(lease)
            pipe.pttl(lease)
            for key in types:
                pipe.type(key)
            for read in reads.values():
                pipe.execute_command(*_command(read))
            if mark:
                pipe.get(mark)

        try:
            results = self._trip(fill, meter, atomic=True)
        except StoreCorrupt:
            self._release(lease, token, meter)
            raise
        acquired = results[1] == token
        answer = results.pop() if mark else None
        found = results[3 : 3 + len(types)]
        try:
            self._raise_on_error(("GET", lease), results[1])
            self._raise_on_error(("GET", mark or ""), answer)
            answer = answer and text_of(answer, mark or "")
            for (key, expected), kind in zip(types.items(), found, strict=True):
                if kind not in (expected, "none"):
                    raise StoreCorrupt(f"{key} holds a {kind}, expected a {expected}")
            values = self._values(reads, results[3 + len(types) :])
        except StoreError:
            if acquired:
                self._release(lease, token, meter)
            raise
        if acquired and answer is not None:
            self._release(lease, token, meter)
        return Begun(acquired, results[1], expires, max(results[2], 0) / 1000, answer, values)

    def lease(self, scope: str, begun: Begun, meter: Meter) -> Lease:
        """Watch the lease that `begin` has just acquired."""
        key = self.keys.lease(scope)
        give_back = partial(self._release, key, begun.token, meter)
        return Lease(self._client, key, self._clock, begun.expires, meter, give_back)

    def read(self, reads: Mapping[str, Read], meter: Meter) -> Mapping[str, Any]:
        """Several reads in one trip, decoded: documents, hashes, lists."""

        def fill(pipe: Any) -> None:
            for read in reads.values():
                pipe.execute_command(*_command(read))

        return self._values(reads, self._trip(fill, meter))

    def read_one(self, read: Read, meter: Meter) -> Any:
        return self.read({"read": read}, meter)["read"]

    def survey(self, reads: Mapping[str, Read], meter: Meter) -> tuple[dict[str, Any], list[str]]:
        """The same reads as responses show them; an unreadable one is None, and its fault is listed."""
        values: dict[str, Any] = {}
        unreadable: list[str] = []
        for name, read in reads.items():
            try:
                value = self.read_one(read, meter)
                values[name] = shown_hash(value, read[1]) if read[0] == "HGETALL" else shown(value)
            except StoreCorrupt as error:
                values[name] = None
                unreadable.append(str(error))
        return values, unreadable

    def write(self, batch: Batch, meter: Meter) -> None:
        """Write a batch in one MULTI without a lease: for operator commands that share no state with a run."""
        meter.add("redis")
        with redis_errors():
            pipe = self._client.pipeline(transaction=True)
            for write in batch.writes:
                write(pipe)
            pipe.execute()

    def ttls(self, keys: Sequence[str], meter: Meter) -> dict[str, int]:
        """Seconds until each key expires: -1 never, -2 no such key."""
        results = self._trip(lambda pipe: [pipe.ttl(key) for key in keys], meter)
        return dict(zip(keys, results, strict=True))

    def raw_history(self, endpoint: str, start: int, end: int, limit: int, meter: Meter) -> list[str]:
        """Raw replies between two times (ms), newest first, as stored text."""
        read: Read = ("ZREVRANGEBYSCORE", self.keys.raw_history(endpoint), str(end), str(start))
        read += ("LIMIT", "0", str(limit))
        return self._texts(read, meter)

    def texts(self, key: str, limit: int, meter: Meter) -> list[str]:
        """The newest documents of a list, as stored text."""
        return self._texts(("LRANGE", key, "0", str(limit - 1)), meter)

    def _texts(self, read: Read, meter: Meter) -> list[str]:
        (found,) = self._trip(lambda pipe: pipe.execute_command(*read), meter)
        self._raise_on_error(read, found)
        return [text_of(item, read[1]) for item in found]

    def held(self, key: str, meter: Meter) -> Held:
        """The content of a key, whatever its type. Two trips."""
        (kind,) = self._trip(lambda pipe: pipe.type(key), meter)
        reads = {
            "string": lambda pipe: pipe.get(key),
            "hash": lambda pipe: pipe.hgetall(key),
            "list": lambda pipe: pipe.lrange(key, 0, -1),
            "zset": lambda pipe: pipe.zrange(key, 0, -1, withscores=True),
        }
        if kind not in reads:
            return Held(key, kind, ())
        (value,) = self._trip(reads[kind], meter)
        return Held(key, kind, tuple(pieces_of(kind, value)))

    def instance(self, meter: Meter) -> str | None:
        """The identity of this Redis, from INFO; it changes with a failover. None when INFO does not say."""
        info = self._info(meter)
        ids = [str(info[name]) for name in ("run_id", "master_replid") if name in info]
        return ":".join(ids) or None

    def memory(self, meter: Meter) -> dict[str, int]:
        """Bytes used now and at peak, and keys evicted, from INFO; what INFO does not say is left out."""
        info = self._info(meter)
        names = ("used_memory", "used_memory_peak", "maxmemory", "evicted_keys")
        return {name: info[name] for name in names if isinstance(info.get(name), int)}

    def _info(self, meter: Meter) -> Mapping[str, Any]:
        """INFO; empty where the server refuses it."""
        meter.add("redis")
        with redis_errors():
            try:
                info: Mapping[str, Any] = self._client.info()
            except redis.ResponseError:
                return {}
        return info

    def eviction_policy(self) -> str | None:
        """What Redis does when memory runs out; None when unknown."""
        try:
            memory: Any = self._client.info("memory")
        except redis.RedisError:
            return None
        policy: str | None = memory.get("maxmemory_policy")
        return policy

    def _trip(self, fill: Callable[[Any], object], meter: Meter, *, atomic: bool = False) -> list[Any]:
        """Send commands together; if an idle connection turns out to be dead, once more on a fresh one.

        Safe to repeat: all but the lease are reads, and the lease is ours if it carries our token. Plain reads go
        without a MULTI: a Redis that is out of memory refuses any MULTI.
        """
        for attempt in (1, 2):
            meter.add("redis")
            pipe = self._client.pipeline(transaction=atomic)
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
        """Compare and delete, once, so that only our own lease is given back. Three trips: WATCH, GET, MULTI."""
        for _ in range(3):
            meter.add("redis")
        try:
            pipe: Any = self._client.pipeline()
            with pipe:
                pipe.watch(lease)
                mine = pipe.get(lease) == token
                pipe.multi()
                if mine:
                    pipe.delete(lease)
                pipe.execute()
        except redis.RedisError as error:
            self._orphans[token] = lease
            log.warning("the lease could not be given back now (%s)", type(error).__name__)
        else:
            self._orphans.pop(token, None)

    def _values(self, reads: Mapping[str, Read], results: Sequence[Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for (name, read), result in zip(reads.items(), results, strict=True):
            if read[0] == "CACHED" and isinstance(result, redis.ResponseError):
                values[name] = None
                continue
            self._raise_on_error(read, result)
            values[name] = _decoded(read, result)
        return values

    @staticmethod
    def _raise_on_error(read: Read, result: Any) -> None:
        if isinstance(result, redis.ResponseError):
            if "WRONGTYPE" in str(result):
                raise StoreCorrupt(f"{read[1]} holds a value of the wrong type")
            raise refused(result)


def _command(read: Read) -> Read:
    return ("GET", *read[1:]) if read[0] in ("CACHED", "TEXT") else read


def _decoded(read: Read, result: Any) -> Any:
    """The result in the form that `Read` describes. Raises StoreCorrupt, naming the key, for a malformed one."""
    command, key = read[0], read[1]
    if result is None or command in ("TEXT", "CACHED", "HLEN"):
        return result
    if command == "GET":
        return document_of(result, key)
    if command == "HGETALL":
        fields = result if isinstance(result, dict) else dict(zip(result[::2], result[1::2], strict=True))
        return {text_of(name, key): text_of(value, f"{key}:{name}") for name, value in fields.items()}
    if command in ("HMGET", "HKEYS"):
        return [value and text_of(value, key) for value in result]
    return [document_of(item, key) for item in result]


def text_of(text: str, key: str) -> str:
    """The text. Raises StoreCorrupt, naming `key`, if it is not UTF-8 (the client reads that as surrogates)."""
    try:
        return written(text)
    except ValueError:
        raise StoreCorrupt(f"{key} holds bytes that are no UTF-8 text") from None
