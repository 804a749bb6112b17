"""HTTP to the exchange: signing, time-outs, retries of reads, errors. It knows no endpoint.

Reads are retried within the run's deadline. A write is sent once, and a reply that leaves its outcome open is
OutcomeUnknown. Every parameter goes into the query string (exchange.md §2).
"""

import hashlib
import hmac
import random
import re
from collections.abc import Iterable
from datetime import timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import requests
from pydantic import SecretStr
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util import Timeout

from common.clock import Clock, Deadline, milliseconds
from common.decimal_json import loads, spelt_out
from common.errors import (
    BotError,
    ClockRefused,
    ConfigurationError,
    ExchangeUnavailable,
    OutcomeUnknown,
    RateLimited,
    UnreadablePayload,
)
from common.meter import Meter, Reply
from common.mexc.errors import error_for, is_error
from common.mexc.exchange_clock import ExchangeClock

ATTEMPTS = 3
CLOCK_MARGIN_MS = 300
"""Signed times are this far in the past: a clock 1 s fast is refused whatever recvWindow says."""
READ_AT_ONCE = 64 * 1024
BODY_LIMIT = 16 * 1024 * 1024
"""Bytes: an account with a thousand assets is 150 kB, a thousand orders 400 kB."""
READ_WINDOW_MS = 10_000
WRITE_WINDOW_MS = 5_000
_SIGNED = re.compile(r"\S*signature=\S*", re.IGNORECASE)
Params = Iterable[tuple[str, str | int]]


def encode(params: Params) -> str:
    """The query string as signed and sent: upper-case escapes, %20 for a space, reserved characters escaped."""
    return urlencode(list(params), quote_via=quote, safe="")


def sign(secret: str, message: str) -> str:
    """Lower-case hex HMAC-SHA256 over the exact text that is sent (exchange.md §2)."""
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def new_session(connections: int = 8, proxy: str | None = None) -> requests.Session:
    """A session for one process: no retries of its own, no cookies, nothing read from the environment."""
    session = requests.Session()
    session.trust_env = False
    session.headers.clear()
    session.headers.update({"Content-Type": "application/json", "Accept": "application/json"})
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = HTTPAdapter(pool_connections=2, pool_maxsize=connections, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    if proxy:
        session.proxies = {"https": proxy}
    return session


class _Call(NamedTuple):
    """What the exchange is asked, by when, and who counts it."""

    method: str
    endpoint: str
    path: str
    deadline: Deadline
    meter: Meter

    @property
    def writes(self) -> bool:
        return self.method != "GET"


class MexcHttp:
    """One for a process; thread-safe. `timeout` is what one call may take, in seconds."""

    def __init__(
        self,
        session: requests.Session,
        base_url: str,
        clock: Clock,
        api_key: SecretStr | None,
        secret_key: SecretStr | None,
        timeout: float,
        rng: random.Random,
    ) -> None:
        self._session = session
        self.base_url = base_url
        self.clock = ExchangeClock(clock)
        self._own_clock = clock
        self._api_key = api_key
        self._secret_key = secret_key
        self._timeout = timeout
        self._rng = rng

    def read(
        self,
        endpoint: str,
        path: str,
        params: Params,
        deadline: Deadline,
        meter: Meter,
        *,
        signed: bool = False,
    ) -> Reply:
        """GET, with retries of transient errors. Raises ExchangeUnavailable, UnreadablePayload, ExchangeRefused."""
        call, pairs = _Call("GET", endpoint, path, deadline, meter), list(params)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._once(call, pairs, signed=signed)
            except ExchangeUnavailable as error:
                pause = self._pause(error, attempt)
                if attempt == ATTEMPTS or pause is None or pause >= deadline.remaining:
                    raise
                self.clock.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def write(
        self,
        method: str,
        endpoint: str,
        path: str,
        params: Params,
        deadline: Deadline,
        meter: Meter,
        *,
        again: bool = True,
    ) -> Reply:
        """Send once, signed. Raises OutcomeUnknown when it may have been executed.

        Without `again`, a refused clock is corrected and ClockRefused is raised, instead of sending once more.
        """
        return self._once(_Call(method, endpoint, path, deadline, meter), list(params), signed=True, again=again)

    def _pause(self, error: ExchangeUnavailable, attempt: int) -> float | None:
        """Seconds to wait before the next try; None when a retry would do harm."""
        if isinstance(error, RateLimited):
            return error.retry_after
        return 0.2 * (1 << attempt - 1) * (1 + self._rng.random())

    def _once(self, call: _Call, pairs: list[tuple[str, str | int]], *, signed: bool, again: bool = True) -> Reply:
        """One call, and one more after a resync when the exchange refused our clock, and so did nothing."""
        if not signed:
            return self._send(call, encode(pairs))
        try:
            return self._send(call, self._signed(call, pairs))
        except ClockRefused:
            self._resync(call)
            if not again:
                raise
            return self._send(call, self._signed(call, pairs))

    def _signed(self, call: _Call, pairs: list[tuple[str, str | int]]) -> str:
        if self._secret_key is None:
            raise ConfigurationError("MEXC_API_KEY and MEXC_SECRET_KEY are not set")
        stamp = milliseconds(self.clock.now()) - CLOCK_MARGIN_MS
        window_ms = WRITE_WINDOW_MS if call.writes else READ_WINDOW_MS
        message = encode([*pairs, ("recvWindow", window_ms), ("timestamp", stamp)])
        return f"{message}&signature={sign(self._secret_key.get_secret_value(), message)}"

    def _resync(self, call: _Call) -> None:
        """Measure the exchange's clock against ours: server − (t0 + t1) / 2. Raises ClockOff beyond a minute."""
        before = milliseconds(self._own_clock.now())
        asked = call._replace(method="GET", endpoint="time", path="/api/v3/time")
        payload = self._send(asked, "").payload
        after = milliseconds(self._own_clock.now())
        server = payload.get("serverTime") if isinstance(payload, dict) else None
        if not isinstance(server, int):
            raise UnreadablePayload("time: serverTime is missing")
        self.clock.measured(timedelta(milliseconds=server - (before + after) // 2))

    def _send(self, call: _Call, query: str) -> Reply:
        url = f"{self.base_url}{call.path}" + (f"?{query}" if query else "")
        key = {"X-MEXC-APIKEY": self._api_key.get_secret_value()} if self._api_key else {}
        seconds = call.deadline.timeout(self._timeout)
        timeout = Timeout(connect=min(seconds, 5.0), total=seconds)
        call.meter.add(call.endpoint)
        try:
            # Prepared here: the session would merge settings (there are none), which takes a fifth of a call.
            request = requests.PreparedRequest()
            request.prepare(call.method, url, {**self._session.headers, **key})
            options: dict[str, Any] = {"timeout": timeout, "allow_redirects": False, "stream": True}
            response = self._session.send(request, **options)
            body = self._body(response, self.clock.monotonic() + seconds)
        except (requests.RequestException, HTTPError) as error:
            # The text of a requests exception carries the signed URL: only its type may be passed on.
            kind = type(error).__name__
            if call.writes and not _never_sent(error):
                raise OutcomeUnknown(
                    f"{call.endpoint}: no answer ({kind}); the order may have been accepted"
                ) from None
            raise ExchangeUnavailable(f"{call.endpoint}: the exchange cannot be reached ({kind})") from None
        payload, problem = _parse(body)
        if problem or is_error(response.status_code, payload):
            raise self._error(call, response, payload, problem)
        return Reply(call.endpoint, payload, body.decode(), self.clock.now())

    def _body(self, response: requests.Response, until: float) -> bytes:
        """The whole body. A time-out bounds only each read of the socket: a slow or endless body is cut off here.

        Raises ReadTimeout, ContentDecodingError, urllib3's HTTPError.
        """
        parts: list[bytes] = []
        size = 0
        while part := response.raw.read1(READ_AT_ONCE, decode_content=True):
            parts.append(part)
            size += len(part)
            if size > BODY_LIMIT or self.clock.monotonic() > until:
                response.close()
                raise requests.ReadTimeout("the answer does not end")
        return b"".join(parts)

    def _error(self, call: _Call, response: requests.Response, payload: Any, problem: str | None) -> BotError:
        if problem and response.status_code < 300:
            if call.writes:
                return OutcomeUnknown(f"{call.endpoint}: {problem}; the order may have been accepted")
            return UnreadablePayload(f"{call.endpoint}: {problem}")
        if isinstance(payload, dict):
            payload = {name: self._scrubbed(value) for name, value in payload.items()}
        wait = response.headers.get("Retry-After", "")
        retry_after = float(wait) if wait.isdecimal() else None
        return error_for(
            response.status_code, payload, write=call.writes, retry_after=retry_after, where=call.endpoint
        )

    def _scrubbed(self, value: Any) -> Any:
        """A field of an error without our key, secret and signed URL, in case the exchange repeats them."""
        if not isinstance(value, str):
            return value
        value = spelt_out(value)
        for secret in filter(None, (self._api_key, self._secret_key)):
            value = value.replace(secret.get_secret_value(), "***")
        return _SIGNED.sub("***", value)


def _parse(body: bytes) -> tuple[Any, str | None]:
    """The parsed body, or what is wrong with it. A lone surrogate is left to the reader of its field."""
    try:
        return loads(body.decode(), raw=True), None
    except ValueError:
        kind = "is empty" if not body.strip() else "is HTML" if body.lstrip()[:1] == b"<" else "is not JSON"
        return None, f"the answer {kind}"


def _never_sent(error: Exception) -> bool:
    """Whether the connection was never made, so that nothing can have been executed."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)
