"""The market-data cache: what is cheap to ask again, beside the permanent store (contract.md §3).

A cache that fails is a miss and a warning; it never fails a job.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import redis

from common.config import Settings
from common.decimal_json import loads, to_answer
from common.errors import BotError
from common.store.keys import CacheKeys

log = logging.getLogger(__name__)
Warming = Iterable[tuple[str, Callable[[], Any], int | None]]


class MarketCache:
    """Keys are given without namespace and version; `ttls` holds seconds by kind, `default` among them."""

    def __init__(self, client: "redis.Redis", keys: CacheKeys, ttls: Mapping[str, int]) -> None:
        self._client = client
        self.keys = keys
        self._ttls = ttls

    @classmethod
    def from_settings(cls, client: "redis.Redis", settings: Settings) -> "MarketCache":
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
        )

    def ttl(self, kind: str) -> int:
        """Seconds that an entry of this kind lives."""
        return self._ttls.get(kind, self._ttls["default"])

    def full_key(self, key: str) -> str:
        return self.keys.full(key)

    def get(self, key: str) -> Any:
        """The cached value, or None on a miss; 0, "" and [] are hits. A corrupt entry is deleted: a miss."""
        try:
            text = self._try(lambda: self._client.get(self.keys.full(key)), "get")
        except UnicodeDecodeError:
            return self._forget(key)
        return self.decode(key, text) if text is not None else None

    def decode(self, key: str, text: Any) -> Any:
        """The value of an entry that was read elsewhere; a corrupt one is deleted and None."""
        try:
            return loads(text)
        except (ValueError, TypeError):
            return self._forget(key)

    def _forget(self, key: str) -> None:
        log.warning("cache entry %s is corrupt: deleted", key)
        self.delete(key)

    def encode(self, value: Any) -> str | None:
        """JSON text (decimals as numbers, datetimes ISO, bytes UTF-8), None for what has no JSON form."""
        try:
            text = to_answer(_encodable(value))
            text.encode()
        except (TypeError, ValueError, RecursionError):
            return None
        return text

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
        """Remove all that is cached about a pair, given as QRL/USDT."""
        return sum(self.delete_pattern(pattern) for pattern in CacheKeys.of_symbol(_literal(symbol)))

    def clear_all(self) -> int:
        """Remove every entry of this namespace and version, and nothing else."""
        return self.delete_pattern("*")

    def get_stats(self) -> dict[str, Any]:
        """Keys, memory and eviction. The policy comes from INFO: CONFIG is blocked on Memorystore."""
        return self._try(self._stats, "get_stats") or {}

    def warm_cache(self, entries: Warming) -> dict[str, int]:
        """Fetch and store what is not there yet. Returns the counts `success`, `failed`, `skipped`."""
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
        try:
            return call()
        except redis.RedisError as error:
            log.warning("market-data cache: %s failed (%s)", what, type(error).__name__)
            return None


def _literal(text: str) -> str:
    """`text` with the signs that a Redis pattern would read as its own escaped."""
    return "".join(f"\\{sign}" if sign in "*?[]^\\" else sign for sign in text)


def _encodable(value: Any) -> Any:
    """The value with bytes as text; raises for what JSON cannot hold (NaN, sets, objects, odd keys)."""
    match value:
        case bytes():
            return value.decode()
        case Decimal() if not value.is_finite():
            raise ValueError("no finite number")
        case Mapping():
            if not all(isinstance(key, str) for key in value):
                raise TypeError("a key is no text")
            return {key: _encodable(item) for key, item in value.items()}
        case list() | tuple():
            return [_encodable(item) for item in value]
        case None | bool() | str() | int() | float() | Decimal() | datetime():
            return value
    json.dumps(value)
    return value
