"""Who may call a signed endpoint, and when: content type, key, signature, clock, permission.

The order in which the real exchange checks these is unknown; this one goes from the cheap to the dear.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote, unquote_plus

from local.exchange import refusals
from local.exchange.config import ExchangeConfig

DEFAULT_WINDOW_MS = 5_000
MAX_WINDOW_MS = 60_000
# A timestamp may be this far ahead of the server, whatever the window.
MAX_AHEAD_MS = 1_000


def sign(secret: str, query: bytes, body: bytes = b"") -> str:
    """Sign the exact bytes: query and body joined with nothing between."""
    return hmac.new(secret.encode(), query + body, hashlib.sha256).hexdigest()


def read_params(query: bytes, body: bytes) -> dict[str, str]:
    """Read the parameters; the first of a repeated name counts, and the query beats the body."""
    params: dict[str, str] = {}
    for part in (query, body):
        for name, value in _pairs(part):
            params.setdefault(unquote_plus(name), unquote_plus(value))
    return params


def check(
    config: ExchangeConfig,
    granted: frozenset[str],
    permission: str,
    *,
    query: bytes,
    body: bytes,
    headers: Mapping[str, str],
    params: Mapping[str, str],
    client: str,
    now_ms: int,
) -> None:
    """Check a signed request; `headers` have lower-case names, `granted` are the key's permissions.

    Raises:
        Refusal: 700013, 400 (no key), 700004, 10072, 700006, 700005, 700002, 700003 or 700007.
    """
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise refusals.bad_content_type()
    key = headers.get("x-mexc-apikey")
    if not key:
        raise refusals.api_key_required()
    signature = params.get("signature")
    if not signature:
        raise refusals.missing("signature")
    timestamp = _integer(params, "timestamp")
    if timestamp is None:
        raise refusals.missing("timestamp")
    window = _integer(params, "recvWindow")
    if window is None:
        window = DEFAULT_WINDOW_MS
    if key != config.api_key:
        raise refusals.api_key_invalid()
    if config.key_addresses is not None and client not in config.key_addresses:
        raise refusals.ip_not_listed(client)
    if window > MAX_WINDOW_MS:
        raise refusals.window_too_long()
    unsigned_query, unsigned_body = _without_signature(query), _without_signature(body)
    expected = sign(config.secret_key, unsigned_query, unsigned_body)
    # Compared as text: an upper-case signature is refused. Escapes in lower case and characters that should
    # have been escaped give 700002 too, as seen in the field: the server signs its own encoding.
    canonical = _is_canonical(unsigned_query) and _is_canonical(unsigned_body)
    if not (canonical and hmac.compare_digest(signature.encode(), expected.encode())):
        raise refusals.bad_signature()
    if not (timestamp < now_ms + MAX_AHEAD_MS and now_ms - timestamp <= window):
        raise refusals.outside_window()
    if permission not in granted:
        raise refusals.no_permission()


def _integer(params: Mapping[str, str], name: str) -> int | None:
    text = params.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise refusals.missing(name)
    return int(text)


def _pairs(part: bytes) -> list[tuple[str, str]]:
    pairs = []
    for item in part.decode("latin-1").split("&"):
        name, _, value = item.partition("=")
        if name:
            pairs.append((name, value))
    return pairs


def _without_signature(part: bytes) -> bytes:
    if b"signature=" not in part:
        return part
    return b"&".join(item for item in part.split(b"&") if not item.startswith(b"signature="))


def _is_canonical(part: bytes) -> bool:
    return all(quote(unquote_plus(value), safe="-_.~") == value for _, value in _pairs(part))
