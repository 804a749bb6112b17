"""The rate limit: weight in a sliding window, 429 with Retry-After, 418 for going on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from local.exchange import refusals
from local.exchange.clock import SECOND_MS
from local.exchange.config import RateLimit


@dataclass(slots=True)
class _Usage:
    spent: deque[tuple[int, int]] = field(default_factory=deque)
    weight: int = 0
    blocked_until_ms: int = 0
    refused: int = 0
    banned: bool = False


class RateLimiter:
    """Counts weight for each client address (and endpoint, if so configured) on the exchange's own clock.

    The real body and length of a block were never seen; the documents promise 429 with Retry-After only. The
    weight of a refused request is not counted.
    """

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._usage: dict[tuple[str, str], _Usage] = {}

    def reset(self) -> None:
        self._usage.clear()

    def spend(self, client: str, endpoint: str, weight: int, now_ms: int) -> None:
        """Count a request.

        Raises:
            Refusal: 429, or 418 once the client has gone on too long.
        """
        limit = self.limit
        if limit.weight is None:
            return
        key = (client, endpoint if limit.per_endpoint else "")
        usage = self._usage.setdefault(key, _Usage())
        if now_ms < usage.blocked_until_ms:
            self._insist(usage, now_ms)
        if usage.banned or usage.refused:
            usage.banned, usage.refused = False, 0
        while usage.spent and usage.spent[0][0] <= now_ms - limit.window_ms:
            usage.weight -= usage.spent.popleft()[1]
        if usage.weight + weight > limit.weight:
            usage.blocked_until_ms = now_ms + limit.retry_after_s * SECOND_MS
            usage.refused = 1
            raise refusals.too_many_requests(limit.retry_after_s, banned=False)
        usage.spent.append((now_ms, weight))
        usage.weight += weight

    def _insist(self, usage: _Usage, now_ms: int) -> None:
        usage.refused += 1
        if not usage.banned and usage.refused > self.limit.patience:
            usage.banned = True
            usage.blocked_until_ms = now_ms + self.limit.ban_s * SECOND_MS
        seconds = -(-(usage.blocked_until_ms - now_ms) // SECOND_MS)
        raise refusals.too_many_requests(seconds, banned=usage.banned)
