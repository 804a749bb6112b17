"""The market-data cache, beside the permanent store: data that is cheap to ask for again (contract.md §3).

A failing cache is a miss and a warning; it never fails a job. After five failures in a row it is not used for half
a minute. The permanent store has no such breaker: without it there is no run.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from datetime import datetime
from decimal import Decimal
from threading import Lock
from typing import Any

import redis

from common.clock import Clock, SystemClock
from common.config import Settings
from common.decimal_json import loads, to_answer, written
from common.errors import BotError
from common.store.circuit import Circuit
from common.store.counts import Counts
from common.store.keys import CacheKeys
from common.store.seal import Seal, UnknownKey

log = logging.getLogger(__name__)
Warming = Iterable[tuple[str, Callable[[], Any], int | None]]


class MarketCache:
    """Keys are given without namespace and version; `ttls` holds seconds by kind, `default` among them."""

    def __init__(
        self,
        client: "redis.Redis",
        keys: CacheKeys,
        ttls: Mapping[str, int],
        *,
        clock: Clock | None = None,
        seal: Seal | None = None,
    ) -> None:
        self._client = client
        self.keys = keys
        self._ttls = ttls
        self._clock = clock or SystemClock()
        self._seal = seal or Seal()
        self._circuit = Circuit(self._clock)
        self.counts = Counts()
        self._fetching: dict[str, Future[Any]] = {}
        self._lock = Lock()

    @classmethod
    def from_settings(cls, client: "redis.Redis", settings: Settings, clock: Clock | None = None) -> "MarketCache":
        return cls(
            client,
            CacheKeys.of(
                settings.redis_namespace,
                settings.redis_key_prefix,
                settings.mexc_api_key.get_secret_value() if settings.mexc_api_key else None,
            ),
            {
                "default": settings.redis_cache_ttl,
                "ticker": settings.redis_cache_ttl_ticker,
                "ohlcv": settings.redis_cache_ttl_ohlcv,
                "deals": settings.redis_cache_ttl_deals,
                "orderbook": settings.redis_cache_ttl_orderbook,
                "rules": settings.redis_cache_ttl_rules,
            },
            clock=clock,
            seal=Seal(settings.redis_cache_compress_above, settings.cache_keys),
        )

    def ttl(self, kind: str) -> int:
        """Lifetime of an entry of this kind, in seconds."""
        return self._ttls.get(kind, self._ttls["default"])

    def full_key(self, key: str) -> str:
        return self.keys.full(key)

    def get(self, key: str) -> Any:
        """The cached value, or None on a miss; 0, "" and [] are hits. A corrupt entry is deleted: a miss."""
        return self.decode(key, self._try(lambda: self._client.get(self.keys.full(key)), "get"))

    def decode(self, key: str, text: str | None) -> Any:
        """The value of an entry's text, read here or elsewhere; a corrupt one is deleted and gives None."""
        value = None
        try:
            value = loads(self._seal.open(text)) if text is not None else None
        except UnknownKey:
            pass
        except ValueError:
            log.warning("cache entry %s is corrupt: deleted", key)
            self.delete(key)
        hit = value is not None
        self.counts.add(hits=int(hit), misses=int(not hit), bytes_read=len(text) if hit and text else 0)
        return value

    def encode(self, value: Any) -> str | None:
        """The entry's text (decimals as numbers, datetimes ISO, bytes UTF-8), None for what JSON cannot hold."""
        try:
            text = to_answer(_encodable(value))
        except (TypeError, ValueError, RecursionError):
            return None
        return self.sealed(text)

    def sealed(self, text: str) -> str:
        """JSON text in the form in which an entry holds it, for a write elsewhere."""
        stored = self._seal.close(text)
        self.counts.add(bytes_written=len(stored))
        return stored

    def get_or_fetch(self, key: str, fetch: Callable[[], Any], ttl: int | Callable[[], int] | None = None) -> Any:
        """Read-through: the cached value, else what `fetch` returns, kept for `ttl` seconds.

        A callable `ttl` is called after the fetch. Threads that miss together fetch once; an error is raised in all
        of them, and nothing is kept.
        """
        value = self.get(key)
        if value is not None:
            return value
        with self._lock:
            pending, mine = self._fetching.get(key), Future[Any]()
            if pending is None:
                self._fetching[key] = mine
        if pending is not None:
            return pending.result()
        try:
            value = fetch()
            self.set(key, value, ttl() if callable(ttl) else ttl)
            mine.set_result(value)
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._fetching[key]
        return value

    def put_through(self, key: str, value: Any, ttl: int | None, write: Callable[[], object]) -> bool:
        """Write-through: `write` first, and only when it has succeeded the entry; whether that was kept.

        A run has no need of it: its entries go with the permanent writes in one MULTI.
        """
        write()
        return self.set(key, value, ttl)

    def set(self, key: str, value: Any, ttl: int | None = None) -> bool:
        """Store for `ttl` seconds (the default when None); False when it cannot be encoded or stored."""
        text = self.encode(value)
        seconds = self.ttl("default") if ttl is None else ttl
        if text is None or seconds <= 0:
            return False
        return bool(self._try(lambda: self._client.set(self.keys.full(key), text, ex=seconds), "set"))

    def delete(self, key: str) -> bool:
        return bool(self._try(lambda: self._client.delete(self.keys.full(key)), "delete"))

    def delete_pattern(self, pattern: str) -> int:
        """Remove the entries whose key matches, within this namespace and version; by SCAN, never KEYS."""
        return int(self._try(lambda: self._delete_matching(pattern), "delete_pattern") or 0)

    def clear_symbol(self, symbol: str) -> int:
        """Remove everything cached about a pair, given as QRL/USDT."""
        return sum(self.delete_pattern(pattern) for pattern in CacheKeys.of_symbol(_literal(symbol)))

    def clear_all(self) -> int:
        """Remove every entry of this namespace and version, and nothing else."""
        return self.delete_pattern("*")

    def get_stats(self) -> dict[str, Any]:
        """Keys, memory and eviction as far as Redis reports them, and this process's own counts.

        The policy comes from INFO: CONFIG is blocked on Memorystore.
        """
        own = {**self.counts.totals(), "circuit_open": self._circuit.open}
        return {**(self._try(self._stats, "get_stats") or {}), **own}

    def warm_cache(self, entries: Warming) -> dict[str, int]:
        """Fetch and store missing entries. Returns the counts `success`, `failed`, `skipped`.

        Whatever a fetch raises counts as failed, and the next one is tried. It is logged; a bug without its text.
        """
        counts = {"success": 0, "failed": 0, "skipped": 0}
        for key, fetch, ttl in entries:
            if self._try(lambda key=key: self._client.exists(self.keys.full(key)), "exists"):  # type: ignore[misc]
                counts["skipped"] += 1
                continue
            try:
                stored = self.set(key, fetch(), ttl)
            except BotError as error:
                log.warning("cache entry %s was not warmed: %s", key, error)
                stored = False
            except Exception as error:  # noqa: BLE001 - the edge: a fetch is anybody's code, the rest is warmed
                log.error("cache entry %s was not warmed: %s", key, type(error).__name__)
                stored = False
            counts["success" if stored else "failed"] += 1
        return counts

    def _delete_matching(self, pattern: str) -> int:
        own = _literal(self.keys.full("")) + pattern
        keys = list(self._client.scan_iter(match=own, count=500))
        return int(self._client.unlink(*keys)) if keys else 0

    def _stats(self) -> dict[str, Any]:
        memory: Any = self._client.info("memory")
        stats: Any = self._client.info("stats")
        own = self._client.scan_iter(match=_literal(self.keys.full("")) + "*", count=500)
        return {
            "total_keys": self._client.dbsize(),
            "namespace_keys": sum(1 for _ in own),
            "memory_used_bytes": memory.get("used_memory"),
            "memory_peak_bytes": memory.get("used_memory_peak"),
            "eviction_policy": memory.get("maxmemory_policy"),
            "evicted_keys": stats.get("evicted_keys"),
        }

    def _try(self, call: Callable[[], Any], what: str) -> Any:
        """The call's result; None when Redis fails, or while the circuit is open."""
        if not self._circuit.allows():
            self.counts.add(skipped=1)
            return None
        start = self._clock.monotonic()
        try:
            answer = call()
        except redis.RedisError as error:
            self.counts.add(errors=1)
            log.warning("market-data cache: %s failed (%s)", what, type(error).__name__)
            if self._circuit.failed():
                log.warning("market-data cache: left alone for a while, it failed again and again")
            return None
        self._circuit.succeeded()
        self.counts.add(calls=1, microseconds=round((self._clock.monotonic() - start) * 1e6))
        return answer


def _literal(text: str) -> str:
    """`text` with the special characters of Redis patterns escaped."""
    return "".join(f"\\{sign}" if sign in "*?[]^\\" else sign for sign in text)


def _encodable(value: Any) -> Any:
    """The value with bytes as text. Raises for what JSON cannot hold (NaN, sets, objects, odd keys and texts)."""
    match value:
        case bytes():
            return value.decode()
        case Decimal() if not value.is_finite():
            raise ValueError("no finite number")
        case Mapping():
            if not all(isinstance(key, str) for key in value):
                raise TypeError("a key is no text")
            return {written(key): _encodable(item) for key, item in value.items()}
        case list() | tuple():
            return [_encodable(item) for item in value]
        case str():
            return written(value)
        case None | bool() | int() | float() | Decimal() | datetime():
            return value
    json.dumps(value)
    return value
