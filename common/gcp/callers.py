"""Who may call: checks the token of the Scheduler's (or an operator's) account (contract.md §7).

`platform`  IAM has checked the token and replaced its signature; the function checks the remaining claims.
`oidc`      the function checks signature and claims, against cached certificates.
`header`    the X-CloudScheduler header is enough, on loopback; a browser there may look without it.

With both a token and the header the token decides: a bad token is never rescued by the header. Of two tokens the
platform checks the one in X-Serverless-Authorization and passes the other on unchecked (platform.md §1.1): only the
checked one counts.
"""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping
from datetime import timedelta
from threading import Lock
from typing import Any, NamedTuple, Protocol

import requests

from common.clock import Clock
from common.config import Settings
from common.decimal_json import loads
from common.errors import CertificatesUnavailable, ForbiddenCaller, MissingCredentials

ISSUERS = ("https://accounts.google.com", "accounts.google.com")
REMOVED_SIGNATURE = "SIGNATURE_REMOVED_BY_GOOGLE"
LOOPBACK_ADDRESSES = ("127.0.0.1", "::1")
_OWN_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")
FAR_FUTURE = 10**11
"""Seconds since 1970, about the year 5100: a later expiry is not accepted."""
SKEW = timedelta(seconds=30)
CERTS_KEPT = timedelta(hours=1)
CERTS_RETRY = timedelta(seconds=60)


class Headers(Protocol):
    def get(self, name: str, /) -> str | None: ...


class Caller(NamedTuple):
    """`auth` is OIDC or X-CloudScheduler; `email` is None for a caller known by the header alone."""

    auth: str
    email: str | None


class CallerCheck:
    """One for a process; thread-safe."""

    def __init__(self, settings: Settings, clock: Clock, session: requests.Session) -> None:
        self._mode = settings.auth_mode
        self._audiences = settings.oidc_audience
        self._clock = clock
        self._certs = Certificates(settings.oidc_certs_url, session, clock)

    def check(self, headers: Headers, allowed: Collection[str], *, remote: str | None = None) -> Caller:
        """The caller. Raises MissingCredentials (401), ForbiddenCaller (403), CertificatesUnavailable (503)."""
        if self._mode == "header" and remote not in LOOPBACK_ADDRESSES:
            raise ForbiddenCaller("AUTH_MODE=header answers calls from this machine only")
        authorization = self._authorization(headers)
        if authorization is None:
            if self._mode == "header" and headers.get("X-CloudScheduler"):
                return Caller("X-CloudScheduler", None)
            without = ", and no header X-CloudScheduler: true" if self._mode == "header" else ""
            raise MissingCredentials(f"no token{without}")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise MissingCredentials("the Authorization header holds no bearer token")
        claims = self._claims(token.strip())
        self._check_claims(claims)
        email = claims.get("email")
        if not isinstance(email, str) or email not in allowed or claims.get("email_verified") is not True:
            raise ForbiddenCaller("the token belongs to an account that may not call this function")
        return Caller("OIDC", email)

    def browser(self, headers: Headers, remote: str | None) -> bool:
        """Whether this is a browser on the laptop itself: it needs no token, and runs nothing.

        The Host header must be local, so that another site whose name points here does not pass; a token that is
        present is still checked.
        """
        asked_here = _OWN_HOST.fullmatch(headers.get("Host") or "") is not None and remote in LOOPBACK_ADDRESSES
        html = "text/html" in (headers.get("Accept") or "")
        return self._mode == "header" and asked_here and html and self._authorization(headers) is None

    def _authorization(self, headers: Headers) -> str | None:
        checked, own = headers.get("X-Serverless-Authorization"), headers.get("Authorization")
        first, second = (checked, own) if self._mode == "platform" else (own, checked)
        return first if first is not None else second

    def _claims(self, token: str) -> Mapping[str, Any]:
        """The claims of a token whose signature is valid, or was checked and removed by the platform."""
        removed = token.rsplit(".", 1)[-1] == REMOVED_SIGNATURE
        if self._mode == "platform":
            if not removed:
                raise MissingCredentials("the platform has not checked this token")
            try:
                return _unverified(token)
            except (ValueError, RecursionError):
                raise MissingCredentials("the token cannot be read") from None
        if removed:
            raise MissingCredentials("a token without a signature proves nothing here")
        return self._verified(token)

    def _verified(self, token: str) -> Mapping[str, Any]:
        from google.auth import jwt  # imported here: with its cryptography it takes a twentieth of a second

        try:
            key_id = jwt.decode_header(token).get("kid")
        except (ValueError, RecursionError):
            raise MissingCredentials("the token cannot be read") from None
        if not isinstance(key_id, str):
            raise MissingCredentials("the token does not name its key")
        certificates = self._certs.for_key(key_id)
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token, certs=certificates, clock_skew_in_seconds=int(SKEW.total_seconds())
            )
        except (ValueError, TypeError, ArithmeticError, AttributeError):
            # google-auth does arithmetic on whatever the claims hold: a text, a list, 1e999.
            raise MissingCredentials("the token's signature or lifetime does not hold") from None
        return claims

    def _check_claims(self, claims: Mapping[str, Any]) -> None:
        if claims.get("iss") not in ISSUERS:
            raise MissingCredentials("the token comes from another issuer")
        if claims.get("aud") not in self._audiences:
            raise MissingCredentials("the token is for another audience")
        expires = claims.get("exp")
        if isinstance(expires, bool) or not isinstance(expires, int | float) or not 0 < expires < FAR_FUTURE:
            raise MissingCredentials("the token has no expiry")
        if expires + SKEW.total_seconds() < self._clock.now().timestamp():
            raise MissingCredentials("the token has expired")


def _unverified(token: str) -> Mapping[str, Any]:
    """The claims of a token whose signature the platform has checked. Raises ValueError."""
    parts = token.encode().split(b".")
    if len(parts) != 3:
        raise ValueError("a token has three parts")
    header, claims = (json.loads(urlsafe_b64decode(part + b"=" * (-len(part) % 4)).decode()) for part in parts[:2])
    if not isinstance(header, Mapping) or not isinstance(claims, Mapping):
        raise ValueError("a part of the token is no object")
    return claims


class Certificates:
    """The issuer's public certificates, kept for an hour and fetched again for an unknown key.

    A failed fetch is remembered for a minute: calls in between fail at once.
    """

    def __init__(self, url: str, session: requests.Session, clock: Clock) -> None:
        self._url = url
        self._session = session
        self._clock = clock
        self._lock = Lock()
        self._certificates: Mapping[str, str] = {}
        self._fetched_at: float | None = None
        self._failed_at: float | None = None

    def for_key(self, key_id: str) -> Mapping[str, str]:
        """All certificates, at most an hour old. Raises CertificatesUnavailable."""
        if self._known(key_id):
            return self._certificates  # without the lock: a good token does not wait for a bad one
        with self._lock:
            if not self._known(key_id) and not self._within(self._fetched_at, CERTS_RETRY):
                self._renew()
            return self._certificates

    def _known(self, key_id: str) -> bool:
        return key_id in self._certificates and self._within(self._fetched_at, CERTS_KEPT)

    def _within(self, moment: float | None, limit: timedelta) -> bool:
        return moment is not None and self._clock.monotonic() - moment < limit.total_seconds()

    def _renew(self) -> None:
        if self._within(self._failed_at, CERTS_RETRY):
            raise CertificatesUnavailable("no certificates (asked less than a minute ago)")
        try:
            self._certificates = self._fetch()
        except CertificatesUnavailable:
            self._failed_at = self._clock.monotonic()
            raise
        self._fetched_at = self._clock.monotonic()

    def _fetch(self) -> Mapping[str, str]:
        try:
            response = self._session.get(self._url, timeout=(3, 5), allow_redirects=False)
            certificates = loads(response.content) if response.status_code == 200 else None
        except (requests.RequestException, ValueError) as error:
            raise CertificatesUnavailable(f"no certificates ({type(error).__name__})") from None
        if not isinstance(certificates, dict) or not certificates:
            raise CertificatesUnavailable(f"no certificates (HTTP {response.status_code})")
        if not all(isinstance(text, str) and "-----BEGIN " in text for text in certificates.values()):
            raise CertificatesUnavailable("no certificates (what was sent is no PEM)")
        return certificates
