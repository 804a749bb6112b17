"""Who may call: real tokens, signed with a throw-away key, in the three modes of contract.md §7."""

import base64
import hashlib
import hmac
import json
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from threading import Barrier, Thread
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from common.config import Settings
from common.errors import BotError, CallerError, CertificatesUnavailable, ForbiddenCaller, MissingCredentials
from common.gcp.callers import Caller, CallerCheck
from common.mexc.http import new_session
from tests.builders import PROPERTY
from tests.fakes import Call, FakeClock, StubExchange

SCHEDULER = "scheduler@project.iam.gserviceaccount.com"
AUDIENCE = "https://balance-abc.run.app"
SECOND_AUDIENCE = "https://balance-123.asia-southeast1.run.app"
ISSUER = "https://accounts.google.com"
REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"
NOW = datetime.now(UTC).replace(microsecond=0)
"""google-auth looks at the real clock, so ours begins there too."""
ENV = {
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "OIDC_AUDIENCE": f"{AUDIENCE}, {SECOND_AUDIENCE}",
    "SCHEDULER_SERVICE_ACCOUNT": SCHEDULER,
    "OIDC_CERTS_URL": "https://certs.test/certs",
}
MODES: dict[str, dict[str, str]] = {
    "platform": {"AUTH_MODE": "platform", "K_SERVICE": "balance"},
    "oidc": {"AUTH_MODE": "oidc"},
    "header": {"AUTH_MODE": "header"},
}


# Keys and tokens


class Signer:
    """A key pair with its certificate, as the issuer publishes it."""

    def __init__(self, name: str) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(NOW - timedelta(days=1))
            .not_valid_after(NOW + timedelta(days=1))
            .sign(self.key, hashes.SHA256())
        )
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.public_key = (
            self.key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )

    def sign(self, text: bytes) -> bytes:
        return self.key.sign(text, padding.PKCS1v15(), hashes.SHA256())


@cache
def signer(name: str) -> Signer:
    """The signer of that name, made once for all tests."""
    return Signer(name)


def segment(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**more: Any) -> dict[str, Any]:
    """What the Scheduler's token says; a claim of None is left out."""
    told = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "email": SCHEDULER,
        "email_verified": True,
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 3_600,
        "sub": "1234567890",
        **more,
    }
    return {name: value for name, value in told.items() if value is not None}


def token(by: str = "google", kid: Any = "k1", header: Mapping[str, Any] | None = None, **more: Any) -> str:
    """A token signed with RS256; `more` are its claims where they differ."""
    head = segment({"alg": "RS256", "typ": "JWT", "kid": kid, **(header or {})})
    text = f"{head}.{segment(claims(**more))}"
    return f"{text}.{segment(signer(by).sign(text.encode()))}"


def removed(**more: Any) -> str:
    """A token as the platform hands it on, its signature checked and taken away."""
    return ".".join([*token(**more).split(".")[:2], REMOVED])


def bearer(text: str, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"} | {name.replace("_", "-"): value for name, value in headers.items()}


class CertificateServer(StubExchange):
    """Also keeps the time-outs it was asked with."""

    def __init__(self, answer: Any) -> None:
        super().__init__({"/certs": answer})
        self.timeouts: list[Any] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        self.timeouts.append(options["timeout"])
        return super().send(request, *args, **options)


class Door:
    """A caller check in one mode, before a server of certificates."""

    def __init__(self, mode: str, certificates: Any = None, clock: FakeClock | None = None, **env: str) -> None:
        published = {"k1": signer("google").certificate}
        self.server = CertificateServer(published if certificates is None else certificates)
        self.clock = clock or FakeClock(NOW)
        session = new_session()
        session.mount("https://", self.server)
        settings = Settings.from_env({**ENV, **MODES[mode], **env})
        self._check = CallerCheck(settings, self.clock, session)

    def check(self, headers: Mapping[str, str] | Headers, allowed: tuple[str, ...] = (SCHEDULER,)) -> Caller:
        return self._check.check(headers, allowed, remote="127.0.0.1")

    @property
    def fetches(self) -> int:
        return len(self.server.calls)


def refusal(door: Door, headers: Mapping[str, str], allowed: tuple[str, ...] = (SCHEDULER,)) -> BotError:
    """The error that a call ends in; that it tells nothing of the token is checked on the way."""
    with pytest.raises(BotError) as raised:
        door.check(headers, allowed)
    text = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    for part in headers.get("Authorization", "").removeprefix("Bearer ").split("."):
        assert len(part) < 20 or part not in text
    assert SCHEDULER not in text
    assert "certs.test" not in text
    return raised.value


SCHEDULER_CALL = Caller("OIDC", SCHEDULER)
GOOD: dict[str, Callable[..., str]] = {"platform": removed, "oidc": token, "header": token}
"""How a good token of each mode is made."""


# What opens the door, in every mode that looks at tokens


@pytest.mark.parametrize("mode", GOOD)
def test_the_scheduler_may_call(mode: str) -> None:
    assert Door(mode).check(bearer(GOOD[mode]())) == SCHEDULER_CALL


@pytest.mark.parametrize("mode", GOOD)
@pytest.mark.parametrize("issuer", ["https://accounts.google.com", "accounts.google.com"])
def test_both_spellings_of_the_issuer_are_accepted(mode: str, issuer: str) -> None:
    assert Door(mode).check(bearer(GOOD[mode](iss=issuer))) == SCHEDULER_CALL


@pytest.mark.parametrize("mode", GOOD)
@pytest.mark.parametrize("audience", [AUDIENCE, SECOND_AUDIENCE])
def test_each_of_several_audiences_is_accepted(mode: str, audience: str) -> None:
    assert Door(mode).check(bearer(GOOD[mode](aud=audience))) == SCHEDULER_CALL


@pytest.mark.parametrize("mode", GOOD)
@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_header_is_found_in_any_case(mode: str, name: str, scheme: str) -> None:
    assert Door(mode).check(Headers({name: f"{scheme} {GOOD[mode]()}"})) == SCHEDULER_CALL


@pytest.mark.parametrize("mode", GOOD)
def test_any_account_that_is_allowed_may_call_and_is_named(mode: str) -> None:
    operator = "me@example.com"
    caller = Door(mode).check(bearer(GOOD[mode](email=operator)), (SCHEDULER, operator))
    assert caller == Caller("OIDC", operator)


# What does not: 401 for no valid credential, 403 for a valid token of somebody else

UNACCEPTABLE: dict[str, tuple[dict[str, Any], type[CallerError]]] = {
    "another issuer": ({"iss": "https://accounts.example.com"}, MissingCredentials),
    "an issuer that begins alike": ({"iss": "https://accounts.google.com.evil.test"}, MissingCredentials),
    "no issuer": ({"iss": None}, MissingCredentials),
    "another audience": ({"aud": "https://other.run.app"}, MissingCredentials),
    "an audience that begins alike": ({"aud": f"{AUDIENCE}.evil.test"}, MissingCredentials),
    "an audience with a slash too many": ({"aud": f"{AUDIENCE}/"}, MissingCredentials),
    "all audiences in one text": ({"aud": f"{AUDIENCE}, {SECOND_AUDIENCE}"}, MissingCredentials),
    "a list of audiences": ({"aud": [AUDIENCE]}, MissingCredentials),
    "no audience": ({"aud": None}, MissingCredentials),
    "an empty audience": ({"aud": ""}, MissingCredentials),
    "expired": ({"exp": int(NOW.timestamp()) - 120}, MissingCredentials),
    "no expiry": ({"exp": None}, MissingCredentials),
    "somebody else": ({"email": "else@project.iam.gserviceaccount.com"}, ForbiddenCaller),
    "the account in other letters": ({"email": SCHEDULER.upper()}, ForbiddenCaller),
    "no e-mail": ({"email": None}, ForbiddenCaller),
    "an empty e-mail": ({"email": ""}, ForbiddenCaller),
    "a list of e-mails": ({"email": [SCHEDULER]}, ForbiddenCaller),
    "an e-mail that is not verified": ({"email_verified": False}, ForbiddenCaller),
    "an e-mail of unknown standing": ({"email_verified": None}, ForbiddenCaller),
    "an e-mail verified by a word": ({"email_verified": "true"}, ForbiddenCaller),
    "an e-mail verified by a number": ({"email_verified": 1}, ForbiddenCaller),
}


@pytest.mark.parametrize("mode", GOOD)
@pytest.mark.parametrize(("differs", "error"), UNACCEPTABLE.values(), ids=UNACCEPTABLE)
def test_a_token_with_a_claim_that_does_not_fit_is_refused_and_never_rescued_by_the_header(
    mode: str, differs: dict[str, Any], error: type[CallerError]
) -> None:
    text = GOOD[mode](**differs)
    for headers in (bearer(text), bearer(text, X_CloudScheduler="true")):
        assert type(refusal(Door(mode), headers)) is error


@pytest.mark.parametrize("exp", ["soon", True, [], {}, float("nan"), "NaN", float("inf"), 10**30, -1, 10**11])
def test_an_expiry_that_is_no_time_is_none(exp: Any) -> None:
    assert type(refusal(Door("platform"), bearer(removed(exp=exp)))) is MissingCredentials


@pytest.mark.parametrize("mode", GOOD)
def test_nobody_may_call_where_nobody_is_allowed(mode: str) -> None:
    assert type(refusal(Door(mode), bearer(GOOD[mode]()), ())) is ForbiddenCaller


def test_no_credential_is_401_and_another_account_403() -> None:
    assert (MissingCredentials.http_status, ForbiddenCaller.http_status) == (401, 403)


NO_BEARER = ["", "Bearer", "Bearer ", "Bearer    ", "Basic dXNlcjpwYXNz", "Token abc", "abc"]


@pytest.mark.parametrize("mode", GOOD)
@pytest.mark.parametrize("header", NO_BEARER)
def test_an_authorization_without_a_bearer_token_is_none_and_not_rescued_by_the_header(
    mode: str, header: str
) -> None:
    for headers in ({"Authorization": header}, {"Authorization": header, "X-CloudScheduler": "true"}):
        assert type(refusal(Door(mode), headers)) is MissingCredentials


@pytest.mark.parametrize("mode", GOOD)
@pytest.mark.parametrize("scheme", ["Basic", "Token", "Bearer:", "JWT"])
def test_a_good_token_under_another_scheme_is_no_bearer_token(mode: str, scheme: str) -> None:
    assert type(refusal(Door(mode), {"Authorization": f"{scheme} {GOOD[mode]()}"})) is MissingCredentials


def head_and_body() -> tuple[str, str]:
    head, body, _ = token().split(".")
    return head, body


GARBLED = {
    "one part": "abc",
    "two parts": "a.b",
    "four parts": "a.b.c.d",
    "nothing between the dots": "..",
    "no base64": "!!!.???.***",
    "no JSON": f"{segment(b'abc')}.{segment(b'abc')}.{segment(b'abc')}",
    "a list for claims": f"{head_and_body()[0]}.{segment([1])}.{segment(b'x')}",
    "a text for claims": f"{head_and_body()[0]}.{segment('claims')}.{segment(b'x')}",
    "a list for a header": f"{segment([1])}.{head_and_body()[1]}.{segment(b'x')}",
    "beyond ASCII": "ü.ö.ä",
    "nested beyond reason": f"{segment(b'[' * 100_000)}.{segment(b'[' * 100_000)}.{segment(b'x')}",
}


@pytest.mark.parametrize("mode", GOOD)
@pytest.mark.parametrize("text", GARBLED.values(), ids=GARBLED)
def test_a_token_that_cannot_be_read_is_none(mode: str, text: str) -> None:
    if mode == "platform":
        text = ".".join([*text.split(".")[:-1], REMOVED])
    assert type(refusal(Door(mode), bearer(text))) is MissingCredentials


@PROPERTY
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.binary().map(segment), min_size=1, max_size=4)
)
def test_whatever_is_sent_as_a_token_is_refused_and_breaks_nothing(parts: list[str]) -> None:
    for mode, text in (("oidc", ".".join(parts)), ("platform", ".".join([*parts, REMOVED]))):
        with pytest.raises(CallerError):
            Door(mode).check(bearer(text))


# On the platform: what IAM has left of the token


def test_on_the_platform_a_token_that_iam_did_not_check_is_refused() -> None:
    assert type(refusal(Door("platform"), bearer(token()))) is MissingCredentials


@pytest.mark.parametrize("signature", ["", "x", REMOVED.lower(), f"{REMOVED}x", f"x{REMOVED}"])
def test_on_the_platform_only_the_platforms_own_mark_stands_for_a_signature(signature: str) -> None:
    head, body = head_and_body()
    assert type(refusal(Door("platform"), bearer(f"{head}.{body}.{signature}"))) is MissingCredentials


def test_on_the_platform_no_certificates_are_fetched() -> None:
    door = Door("platform")
    door.check(bearer(removed()))
    assert door.fetches == 0


@pytest.mark.parametrize(("late", "accepted"), [(0, True), (29, True), (30, True), (31, False), (3_600, False)])
def test_on_the_platform_a_token_is_good_until_its_expiry_and_a_little_skew(late: int, accepted: bool) -> None:
    door = Door("platform")
    door.clock.move(3_600 + late)
    if accepted:
        assert door.check(bearer(removed())) == SCHEDULER_CALL
    else:
        assert type(refusal(door, bearer(removed()))) is MissingCredentials


# Off the platform: the signature counts


def test_a_token_whose_signature_was_removed_proves_nothing_off_the_platform() -> None:
    for mode in ("oidc", "header"):
        door = Door(mode)
        assert type(refusal(door, bearer(removed()))) is MissingCredentials
        assert door.fetches == 0, "there is nothing to verify"


def unsigned(alg: str, signature: str = "") -> str:
    head = segment({"alg": alg, "typ": "JWT", "kid": "k1"})
    return f"{head}.{segment(claims())}.{signature}"


def signed_with_the_public(text: str) -> str:
    """HS256 with what is public as the secret: the classic confusion of algorithms."""
    unsigned_part = f"{segment({'alg': 'HS256', 'typ': 'JWT', 'kid': 'k1'})}.{segment(claims())}"
    signature = hmac.new(text.encode(), unsigned_part.encode(), hashlib.sha256).digest()
    return f"{unsigned_part}.{segment(signature)}"


def with_other_claims() -> str:
    """The header and signature of a good token of somebody else, around the Scheduler's claims."""
    head, _, signature = token(email="else@example.com").split(".")
    return f"{head}.{segment(claims())}.{signature}"


def with_a_changed_signature() -> str:
    head, body, signature = token().split(".")
    return f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


FORGED: dict[str, Callable[[], str]] = {
    "signed by another key under the same name": lambda: token(by="mallory"),
    "signed by a key nobody knows": lambda: token(by="mallory", kid="k2"),
    "another's claims": with_other_claims,
    "a changed signature": with_a_changed_signature,
    "no signature": lambda: unsigned("RS256"),
    "alg none": lambda: unsigned("none"),
    "alg None": lambda: unsigned("None"),
    "alg none with a signature": lambda: unsigned("none", segment(b"x")),
    "HS256 with the certificate": lambda: signed_with_the_public(signer("google").certificate),
    "HS256 with the public key": lambda: signed_with_the_public(signer("google").public_key),
    "an algorithm that is no text": lambda: token(header={"alg": ["RS256"]}),
    "another algorithm than it is signed with": lambda: token(header={"alg": "ES256"}),
    "a key id that is a list": lambda: token(kid=["k1"]),
    "a key id that is an object": lambda: token(kid={"k1": 1}),
    "a key id that is a number": lambda: token(kid=1),
    "no key id": lambda: token(kid=None),
    "a certificate of its own": lambda: token(by="mallory", header={"x5c": [signer("mallory").certificate]}),
}


@pytest.mark.parametrize("mode", ["oidc", "header"])
@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_forged_token_is_refused(mode: str, forge: Callable[[], str]) -> None:
    assert type(refusal(Door(mode), bearer(forge()))) is MissingCredentials


@pytest.mark.parametrize(
    ("issued", "expires", "accepted"),
    [
        (-600, -10, True),
        (-600, -120, False),
        (20, 3_600, True),
        (120, 3_600, False),
        (None, 3_600, False),
    ],
)
def test_a_token_is_good_within_its_lifetime_and_a_little_skew(
    issued: int | None, expires: int, accepted: bool
) -> None:
    """Seconds from now: the skew allowed is thirty."""
    now = datetime.now(UTC)
    start = int(now.timestamp())
    sent = bearer(token(iat=None if issued is None else start + issued, exp=start + expires))
    door = Door("oidc", clock=FakeClock(now))
    if accepted:
        assert door.check(sent) == SCHEDULER_CALL
    else:
        assert type(refusal(door, sent)) is MissingCredentials


# Certificates


def test_certificates_are_fetched_once_for_many_calls() -> None:
    door = Door("oidc")
    for _ in range(20):
        door.check(bearer(token()))
    assert door.fetches == 1


def test_certificates_are_fetched_once_for_many_threads() -> None:
    door, barrier = Door("oidc"), Barrier(8)
    callers: list[Caller] = []

    def call() -> None:
        barrier.wait()
        callers.append(door.check(bearer(token())))

    threads = [Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert callers == [SCHEDULER_CALL] * 8
    assert door.fetches == 1


def test_certificates_are_fetched_anew_after_an_hour() -> None:
    door = Door("oidc")
    long_lived = bearer(token(exp=int(NOW.timestamp()) + 7_200))
    door.check(long_lived)
    door.clock.move(3_599)
    door.check(long_lived)
    assert door.fetches == 1
    door.clock.move(1)
    door.check(long_lived)
    assert door.fetches == 2


def test_an_unknown_key_makes_the_certificates_be_fetched_anew_once_a_minute_at_most() -> None:
    door, unknown = Door("oidc"), bearer(token(by="new", kid="k2"))
    refusal(door, unknown)
    assert door.fetches == 1
    for _ in range(10):
        refusal(door, unknown)
    door.clock.move(59)
    refusal(door, unknown)
    assert door.fetches == 1
    door.clock.move(1)
    refusal(door, unknown)
    refusal(door, unknown)
    assert door.fetches == 2


def test_a_new_key_of_the_issuer_is_known_after_a_minute() -> None:
    door, new = Door("oidc"), bearer(token(by="new", kid="k2"))
    door.check(bearer(token()))
    door.server.answers["/certs"] = {"k1": signer("google").certificate, "k2": signer("new").certificate}
    door.clock.move(60)
    assert door.check(new) == SCHEDULER_CALL
    assert door.check(bearer(token())) == SCHEDULER_CALL
    assert door.fetches == 2


def test_a_key_the_issuer_has_withdrawn_is_good_for_an_hour_at_most() -> None:
    door, old = Door("oidc"), bearer(token(exp=int(NOW.timestamp()) + 7_200))
    door.check(old)
    door.server.answers["/certs"] = {"k2": signer("new").certificate}
    door.clock.move(3_600)
    assert type(refusal(door, old)) is MissingCredentials


NO_CERTIFICATES: dict[str, Any] = {
    "HTTP 500": (500, ""),
    "HTTP 404": (404, {"error": "not found"}),
    "a redirect": (302, "", {"Location": "https://certs.test/elsewhere"}),
    "no answer": requests.ConnectionError("https://certs.test/certs"),
    "too slow an answer": requests.ReadTimeout("https://certs.test/certs"),
    "HTML": "<html></html>",
    "nothing": "",
    "no certificates": {},
    "a list": [1],
    "no PEM": {"k1": "not a certificate"},
    "no text": {"k1": 5},
}


@pytest.mark.parametrize("answer", NO_CERTIFICATES.values(), ids=NO_CERTIFICATES)
def test_without_certificates_nobody_is_admitted_and_a_retry_may_help(answer: Any) -> None:
    door = Door("oidc", certificates=answer)
    door.server.answers["/elsewhere"] = {"k1": signer("google").certificate}
    error = refusal(door, bearer(token()))
    assert type(error) is CertificatesUnavailable
    assert error.http_status == 503
    assert [call.path for call in door.server.calls] == ["/certs"]


def test_a_server_of_certificates_that_came_back_is_asked_again() -> None:
    door = Door("oidc", certificates=(503, ""))
    refusal(door, bearer(token()))
    door.server.answers["/certs"] = {"k1": signer("google").certificate}
    refusal(door, bearer(token()))
    assert door.fetches == 1, "a failed fetch is remembered for a minute"
    door.clock.move(60)
    assert door.check(bearer(token())) == SCHEDULER_CALL


def test_many_bad_tokens_while_the_issuer_is_down_cost_one_fetch_and_no_good_caller_anything() -> None:
    door = Door("oidc")
    door.check(bearer(token()))
    door.server.answers["/certs"] = (503, "")
    door.clock.move(600)
    for number in range(60):
        refusal(door, bearer(token(kid=f"unknown-{number}")))
        assert door.check(bearer(token())) == SCHEDULER_CALL
    assert door.fetches == 2


def test_a_server_of_certificates_that_is_down_does_not_matter_while_they_are_fresh() -> None:
    door = Door("oidc")
    door.check(bearer(token()))
    door.server.answers["/certs"] = (503, "")
    door.clock.move(1_800)
    assert door.check(bearer(token())) == SCHEDULER_CALL
    door.clock.move(1_800)
    assert type(refusal(door, bearer(token(exp=int(NOW.timestamp()) + 7_200)))) is CertificatesUnavailable


def test_the_server_of_certificates_is_not_waited_for_long() -> None:
    door = Door("oidc")
    door.check(bearer(token()))
    ((connect, read),) = door.server.timeouts
    assert 0 < connect <= 3
    assert 0 < read <= 5


def test_nothing_of_the_caller_goes_to_the_server_of_certificates() -> None:
    door = Door("oidc")
    door.check(bearer(token()))
    call: Call = door.server.calls[0]
    assert (call.method, call.query, call.body) == ("GET", "", None)
    assert "Authorization" not in call.headers
    assert "X-MEXC-APIKEY" not in call.headers


# The header


def test_on_a_laptop_the_header_is_enough() -> None:
    assert Door("header").check({"X-CloudScheduler": "true"}) == Caller("X-CloudScheduler", None)


@pytest.mark.parametrize("headers", [{}, {"X-CloudScheduler": ""}, {"X-CloudScheduler-JobName": "balance"}])
@pytest.mark.parametrize("mode", GOOD)
def test_no_token_and_no_header_is_no_credential(mode: str, headers: dict[str, str]) -> None:
    assert type(refusal(Door(mode), headers)) is MissingCredentials


@pytest.mark.parametrize("mode", ["platform", "oidc"])
def test_the_header_alone_opens_nothing_but_a_laptop(mode: str) -> None:
    assert type(refusal(Door(mode), {"X-CloudScheduler": "true"})) is MissingCredentials


@pytest.mark.parametrize("mode", GOOD)
def test_with_both_the_token_says_who_it_is(mode: str) -> None:
    assert Door(mode).check(bearer(GOOD[mode](), X_CloudScheduler="true")) == SCHEDULER_CALL


# Two tokens


STRANGER = "stranger@project.iam.gserviceaccount.com"


def two(checked: str, own: str) -> dict[str, str]:
    return {"X-Serverless-Authorization": f"Bearer {checked}", "Authorization": f"Bearer {own}"}


def test_on_the_platform_the_token_that_iam_checked_is_the_one_believed() -> None:
    door = Door("platform")
    assert door.check({"X-Serverless-Authorization": f"Bearer {removed()}"}) == SCHEDULER_CALL
    assert door.check(two(removed(), removed(email=STRANGER))) == SCHEDULER_CALL
    assert type(refusal(door, two(removed(email=STRANGER), removed()))) is ForbiddenCaller
    assert type(refusal(door, two(token(), removed()))) is MissingCredentials


def test_where_the_function_checks_the_signature_itself_its_own_header_is_read() -> None:
    door = Door("oidc")
    assert door.check(two(removed(email=STRANGER), token())) == SCHEDULER_CALL
    assert type(refusal(door, two(token(), token(by="a stranger")))) is MissingCredentials
    assert door.check({"X-Serverless-Authorization": f"Bearer {token()}"}) == SCHEDULER_CALL


@pytest.mark.parametrize("remote", ["10.0.0.7", "203.0.113.9", None, ""])
def test_a_laptop_that_is_called_from_elsewhere_lets_nobody_in(remote: str | None) -> None:
    check = CallerCheck(Settings.from_env({**ENV, **MODES["header"]}), FakeClock(NOW), new_session())
    with pytest.raises(ForbiddenCaller):
        check.check({"X-CloudScheduler": "true"}, (), remote=remote)
    assert not check.browser(BROWSER, remote)


BROWSER = {"Accept": "text/html", "Host": "localhost:8080"}


def test_a_browser_looks_without_a_token_at_the_laptops_own_address_only() -> None:
    check = CallerCheck(Settings.from_env({**ENV, **MODES["header"]}), FakeClock(NOW), new_session())
    for host in ("localhost", "127.0.0.1:8080", "[::1]:8080"):
        assert check.browser(BROWSER | {"Host": host}, "127.0.0.1")
    for host in ("rebound.example", "localhost.example:8080", ""):
        assert not check.browser(BROWSER | {"Host": host}, "127.0.0.1")
    assert not check.browser(BROWSER | {"Authorization": "Bearer bad"}, "127.0.0.1")
