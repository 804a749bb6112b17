"""Replies of the exchange that may be some seconds old, through a cache that is passed in.

The cache is any object with these methods: this package knows nothing of Redis.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol


class CacheKeys(Protocol):
    """The cache's names for data of a pair (`QRL/USDT`)."""

    def ticker(self, pair: str, /) -> str: ...
    def ohlcv(self, pair: str, interval: str, limit: int, /) -> str: ...
    def deals(self, pair: str, limit: int, /) -> str: ...
    def orderbook(self, pair: str, limit: int, /) -> str: ...


class Cache(Protocol):
    """Lifetimes in seconds. A miss is None; a cache that fails is a miss."""

    @property
    def keys(self) -> CacheKeys: ...
    def ttl(self, kind: str) -> int: ...
    def get_or_fetch(self, key: str, fetch: Callable[[], Any], ttl: Callable[[], int]) -> Any: ...
    def clear_symbol(self, symbol: str) -> int: ...
    def clear_all(self) -> int: ...


def cached(cache: Cache, kind: str, key: str, fetch: Callable[[], Any], now: datetime | None = None) -> Any:
    """The payload under `key`; on a miss it is fetched and kept.

    With `now` the values are candles: the entry expires when the open candle closes.
    """
    ttl = cache.ttl(kind)

    def payload() -> Any:
        nonlocal ttl
        answer = fetch()
        if now is not None and answer.value:
            left = answer.value[-1].closes_at - max(now, answer.reply.received_at)
            ttl = min(ttl, max(left // timedelta(seconds=1), 0))
        return answer.reply.payload

    return cache.get_or_fetch(key, payload, lambda: ttl)
