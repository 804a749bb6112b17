"""Who may call, how often, and when: weight, content type, key, signature, clock, permission.

The order in which the real exchange checks these is unknown; this one goes from cheap to expensive.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote_plus

from local.exchange.clock import SECOND_MS
from local.exchange.config import ExchangeConfig, RateLimit
from local.exchange.refusals import No, Refusal, TooManyRequests

DEFAULT_WINDOW_MS = 5_000
MAX_WINDOW_MS = 60_000
# A timestamp may be this far ahead of the server, whatever the window.
MAX_AHEAD_MS = 1_000


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived: `query` and `body` are the exact bytes, `headers` have lower-case names."""

    method: str
    path: str
    query: bytes
    headers: Mapping[str, str]
    body: bytes
    client: str

    def params(self) -> dict[str, str]:
        """The parameters; the first of a repeated name counts, and the query beats the body."""
        pairs = [parse_qsl(part.decode("latin-1"), keep_blank_values=True) for part in (self.query, self.body)]
        return dict(reversed(pairs[0] + pairs[1]))


def sign(secret: str, query: bytes, body: bytes = b"") -> str:
    """Sign the exact bytes: query and body joined with nothing between."""
    return hmac.new(secret.encode(), query + body, hashlib.sha256).hexdigest()


def check(
    config: ExchangeConfig, request: Request, params: Mapping[str, str], now_ms: int, *, permitted: bool
) -> None:
    """Check a signed request; `permitted` says whether the key has the permission for it. Raises Refusal."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise Refusal(No.BAD_CONTENT_TYPE)
    key = request.headers.get("x-mexc-apikey")
    if not key:
        raise Refusal(No.API_KEY_REQUIRED)
    signature = params.get("signature")
    if not signature:
        raise Refusal(No.MISSING, "signature")
    timestamp = _integer(params, "timestamp")
    if timestamp is None:
        raise Refusal(No.MISSING, "timestamp")
    asked = _integer(params, "recvWindow")
    window = DEFAULT_WINDOW_MS if asked is None else asked
    if key != config.api_key:
        raise Refusal(No.API_KEY_INVALID)
    if config.key_addresses is not None and request.client not in config.key_addresses:
        raise Refusal(No.ADDRESS_NOT_LISTED, request.client)
    if window > MAX_WINDOW_MS:
        raise Refusal(No.WINDOW_TOO_LONG)
    query, body = _without_signature(request.query), _without_signature(request.body)
    expected = sign(config.secret_key, query, body)
    # Compared as text: an upper-case signature is refused. Lower-case escapes and unescaped characters also give
    # 700002, as seen in the field: the server signs its own encoding.
    canonical = _is_canonical(query) and _is_canonical(body)
    if not (canonical and hmac.compare_digest(signature.encode(), expected.encode())):
        raise Refusal(No.BAD_SIGNATURE)
    if not (timestamp < now_ms + MAX_AHEAD_MS and now_ms - timestamp <= window):
        raise Refusal(No.OUTSIDE_WINDOW)
    if not permitted:
        raise Refusal(No.NO_PERMISSION)


def _integer(params: Mapping[str, str], name: str) -> int | None:
    text = params.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise Refusal(No.MISSING, name)
    return int(text)


def _without_signature(part: bytes) -> bytes:
    return b"&".join(item for item in part.split(b"&") if not item.startswith(b"signature="))


def _is_canonical(part: bytes) -> bool:
    values = (item.partition("=")[2] for item in part.decode("latin-1").split("&"))
    return all(quote(unquote_plus(value), safe="-_.~") == value for value in values)


@dataclass(slots=True)
class _Usage:
    spent: list[tuple[int, int]] = field(default_factory=list)  # when, and the weight
    blocked_until_ms: int = 0
    refused: int = 0


class RateLimiter:
    """Counts weight in a sliding window for each client (and endpoint, if so configured) on the exchange's clock.

    The real body and duration of a block were never observed; the documents promise only 429 with Retry-After. The
    weight of a refused request does not count.
    """

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._usage: dict[tuple[str, str], _Usage] = {}

    def reset(self) -> None:
        self._usage.clear()

    def spend(self, client: str, endpoint: str, weight: int, now_ms: int) -> None:
        """Count a request. Raises TooManyRequests: 429, or 418 once the client has gone on too long."""
        limit = self.limit
        if limit.weight is None:
            return
        usage = self._usage.setdefault((client, endpoint if limit.per_endpoint else ""), _Usage())
        if now_ms >= usage.blocked_until_ms:
            usage.refused = 0
            usage.spent = [(at_ms, spent) for at_ms, spent in usage.spent if at_ms > now_ms - limit.window_ms]
            if sum(spent for _, spent in usage.spent) + weight <= limit.weight:
                usage.spent.append((now_ms, weight))
                return
            usage.blocked_until_ms = now_ms + limit.retry_after_s * SECOND_MS
        usage.refused += 1
        if usage.refused == limit.patience + 1:
            usage.blocked_until_ms = now_ms + limit.ban_s * SECOND_MS
        seconds = -(-(usage.blocked_until_ms - now_ms) // SECOND_MS)
        raise TooManyRequests(seconds, banned=usage.refused > limit.patience)
