"""The wire to the exchange: what is signed is what is sent, reads are retried, writes go out once."""

import hashlib
import hmac
import json
import random
import socket
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from requests.adapters import BaseAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from common.clock import Deadline, milliseconds
from common.errors import (
    AccessRefused,
    ClockOff,
    ClockRefused,
    ConfigurationError,
    ExchangeError,
    ExchangeRefused,
    ExchangeUnavailable,
    InsufficientFunds,
    MarketOrdersClosed,
    OrderRefused,
    OutcomeUnknown,
    RateLimited,
    SymbolHalted,
    UnknownOrder,
    UnreadablePayload,
)
from common.meter import Meter, Reply
from common.mexc.http import MexcHttp, Params, encode, new_session, sign
from tests.builders import PROPERTY
from tests.conftest import VECTORS, needs_payloads
from tests.fakes import NOON, Call, FakeClock, Several, StubExchange, response_of

BASE = "https://exchange.test"
KEY, SECRET = "mx0test", "test-secret"
REFUSED_CLOCK = (400, {"code": 700003, "msg": "Timestamp for this request is outside of the recvWindow."})
NO_BACKOFF_JITTER = 7
ORDER = [("symbol", "QRLUSDT"), ("side", "BUY"), ("quantity", "25")]


class Recorder(StubExchange):
    """Also keeps each request as it was prepared, and the options it was sent with."""

    def __init__(self, answers: dict[str, Any] | None = None) -> None:
        super().__init__(answers)
        self.requests: list[requests.PreparedRequest] = []
        self.options: list[dict[str, Any]] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        self.requests.append(request)
        self.options.append(options)
        return super().send(request, *args, **options)


def http_to(
    base_url: str,
    session: requests.Session,
    clock: FakeClock,
    key: str | None = KEY,
    secret: str | None = SECRET,
    timeout: float = 8,
) -> MexcHttp:
    def hidden(text: str | None) -> SecretStr | None:
        return SecretStr(text) if text else None

    return MexcHttp(
        session, base_url, clock, hidden(key), hidden(secret), timeout, random.Random(NO_BACKOFF_JITTER)
    )


@dataclass
class Line:
    """A line to a stub exchange that gives `answers`, within a deadline of `seconds`."""

    answers: dict[str, Any]
    seconds: float = 45
    key: str | None = KEY
    secret: str | None = SECRET
    clock: FakeClock = field(default_factory=FakeClock)
    meter: Meter = field(default_factory=Meter)

    def __post_init__(self) -> None:
        self.exchange = Recorder(self.answers)
        self.session = new_session()
        self.session.mount("https://", self.exchange)
        self.http = http_to(BASE, self.session, self.clock, self.key, self.secret)
        self.deadline = Deadline(self.clock, self.seconds)

    def read(self, path: str, params: Params = (), *, signed: bool = False) -> Reply:
        return self.http.read(path, f"/api/v3/{path}", params, self.deadline, self.meter, signed=signed)

    def write(self, path: str = "order", params: Params = (), method: str = "POST") -> Reply:
        return self.http.write(method, path, f"/api/v3/{path}", params, self.deadline, self.meter)

    @property
    def sent(self) -> list[str]:
        return self.exchange.paths()

    @property
    def call(self) -> Call:
        """The only call that was made."""
        (call,) = self.exchange.calls
        return call


def signed_by_hand(secret: str, message: str) -> str:
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


# Signing


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_signatures_agree_with_the_vectors(vector: dict[str, Any]) -> None:
    assert sign(vector["secret"], vector["total_params"]) == vector["signature"]


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if v["published_signature"]], ids=lambda vector: vector["id"]
)
def test_a_published_signature_verifies_but_for_the_one_that_is_known_to_be_false(vector: dict[str, Any]) -> None:
    verifies = sign(vector["secret"], vector["total_params"]) == vector["published_signature"]
    assert verifies is vector["published_signature_is_correct"]


@needs_payloads
def test_exactly_one_published_signature_is_false() -> None:
    assert [v["id"] for v in VECTORS if v["published_signature_is_correct"] is False] == ["docs-1-WRONG"]


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["query"]], ids=lambda vector: vector["id"])
def test_the_parameters_of_every_vector_are_encoded_as_they_were_signed(vector: dict[str, Any]) -> None:
    assert encode(parse_qsl(vector["query"])) == vector["query"]


def test_an_order_goes_out_with_the_signature_that_the_documentation_publishes_for_it() -> None:
    """Example 2 of the official documentation, to the last byte of the URL."""
    line = Line({"order": {"orderId": "1"}}, key="mx0aBYs33eIilxBWC5", secret="45d0b3c26f2644f19bfb98b07741b2f5")
    line.clock.move((1644489390087 + 300 - milliseconds(NOON)) / 1000)
    line.write("order", [("symbol", "BTCUSDT"), ("side", "BUY"), ("type", "LIMIT"), ("quantity", 1), ("price", 11)])
    assert line.exchange.requests[0].url == (
        f"{BASE}/api/v3/order?symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=11"
        "&recvWindow=5000&timestamp=1644489390087"
        "&signature=fd3e4e8543c5188531eb7279d68ae7d26a573d0fc5ab0d18eb692451654d837a"
    )


AWKWARD = ["Solana(SOL)", "A,B", "a b", "a+b", "50%", "%2c", "a&b=c", "ü€", "~-._", "'\"", "#?/:@", "C02__593034"]


@pytest.mark.parametrize("verb", ["GET", "POST", "DELETE"])
def test_what_is_signed_is_to_the_byte_what_is_sent(verb: str) -> None:
    for value in AWKWARD:
        signed_as_sent(verb, value)


def signed_as_sent(verb: str, value: str) -> None:
    line = Line({"order": {}})
    if verb == "GET":
        line.read("order", [("orderId", value)], signed=True)
    else:
        line.write("order", [("orderId", value)], method=verb)
    message, _, signature = line.call.query.rpartition("&signature=")
    assert signature == signed_by_hand(SECRET, message)
    assert line.exchange.requests[0].url == f"{BASE}/api/v3/order?{message}&signature={signature}"
    assert line.call.params["orderId"] == value


@PROPERTY
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_sent_as_it_was_signed_and_read_back_as_it_was_meant(value: str) -> None:
    line = Line({"order": {}})
    line.write("order", [("newClientOrderId", value)])
    message, _, signature = line.call.query.rpartition("&signature=")
    assert signature == signed_by_hand(SECRET, message)
    assert parse_qsl(message, keep_blank_values=True)[0] == ("newClientOrderId", value)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [("Solana(SOL)", "Solana%28SOL%29"), ("A,B", "A%2CB"), ("a b", "a%20b"), ("a/b", "a%2Fb"), ("~-._", "~-._")],
)
def test_escapes_are_upper_case_and_a_space_is_no_plus(value: str, encoded: str) -> None:
    assert encode([("v", value)]) == f"v={encoded}"


def test_the_signature_comes_last() -> None:
    line = Line({"order": {}})
    line.write("order", ORDER)
    assert [name for name, _ in parse_qsl(line.call.query)] == [
        *("symbol", "side", "quantity"),
        *("recvWindow", "timestamp", "signature"),
    ]


def test_a_signed_call_without_parameters_begins_with_the_receive_window() -> None:
    line = Line({"account": {}})
    line.read("account", signed=True)
    assert line.call.query.startswith("recvWindow=10000&timestamp=")


def test_a_read_may_wait_longer_than_a_write() -> None:
    line = Line({"account": {}, "order": {}})
    line.read("account", signed=True)
    line.write("order")
    assert [call.params["recvWindow"] for call in line.exchange.calls] == ["10000", "5000"]


def test_signed_times_are_a_margin_in_the_past_so_that_a_fast_clock_is_not_refused() -> None:
    line = Line({"account": {}})
    line.read("account", signed=True)
    assert int(line.call.params["timestamp"]) == milliseconds(NOON) - 300


def test_a_public_read_carries_its_parameters_and_nothing_else() -> None:
    line = Line({"depth": {}})
    line.read("depth", [("symbol", "QRLUSDT"), ("limit", 20)])
    assert line.exchange.requests[0].url == f"{BASE}/api/v3/depth?symbol=QRLUSDT&limit=20"


def test_a_public_read_without_parameters_has_no_question_mark() -> None:
    line = Line({"time": {}})
    line.read("time")
    assert line.exchange.requests[0].url == f"{BASE}/api/v3/time"


# What goes with every request


@pytest.mark.parametrize("verb", ["GET", "POST", "DELETE"])
def test_every_verb_has_the_key_the_json_content_type_and_an_empty_body(verb: str) -> None:
    line = Line({"order": {}})
    line.read("order", ORDER, signed=True) if verb == "GET" else line.write("order", ORDER, method=verb)
    assert line.call.method == verb
    assert line.call.headers["X-MEXC-APIKEY"] == KEY
    assert line.call.headers["Content-Type"] == "application/json"
    assert line.call.body is None


@pytest.mark.parametrize("act", ["read", "write"])
def test_no_header_goes_out_that_nobody_asked_for(act: str) -> None:
    line = Line({"order": {}})
    line.read("order", ORDER, signed=True) if act == "read" else line.write("order", ORDER)
    assert set(line.call.headers) - {"Content-Length"} == {"X-MEXC-APIKEY", "Content-Type", "Accept"}


def test_without_keys_public_data_is_read_and_no_key_header_goes_out() -> None:
    line = Line({"time": {}}, key=None, secret=None)
    line.read("time")
    assert "X-MEXC-APIKEY" not in line.call.headers


@pytest.mark.parametrize("act", ["read", "write"])
def test_without_keys_nothing_that_needs_a_signature_is_sent(act: str) -> None:
    line = Line({"account": {}, "order": {}}, key=None, secret=None)
    with pytest.raises(ConfigurationError, match="MEXC_API_KEY"):
        line.read("account", signed=True) if act == "read" else line.write()
    assert line.sent == []


def test_the_answer_keeps_its_text_to_the_byte_beside_its_parsed_form() -> None:
    text = '{"b": "1.50",\n "a": 0.10, "n": 12345678901234567890.123456789 }'
    line = Line({"tradeFee": (200, text)})
    reply = line.read("tradeFee")
    assert reply.text == text
    assert reply.payload == {"b": "1.50", "a": Decimal("0.10"), "n": Decimal("12345678901234567890.123456789")}
    assert (reply.endpoint, reply.received_at) == ("tradeFee", NOON)


def test_an_answer_is_dated_when_it_came_in_not_when_it_was_asked_for() -> None:
    clock = FakeClock()

    def slow(_: Call) -> Any:
        clock.move(3)
        return {}

    assert Line({"time": slow}, clock=clock).read("time").received_at == NOON + timedelta(seconds=3)


# The clock


@pytest.mark.parametrize("code", [700003, 10073])
@pytest.mark.parametrize("act", ["read", "write"])
def test_a_refused_clock_is_set_anew_and_the_call_repeated_once(act: str, code: int) -> None:
    """Safe for a write too: the exchange refused it before doing anything."""
    answers = Several((400, {"code": code, "msg": "late"}), {"ok": True})
    line = Line({"order": answers, "time": {"serverTime": milliseconds(NOON) + 5_000}})
    reply = line.read("order", ORDER, signed=True) if act == "read" else line.write("order", ORDER)
    assert reply.payload == {"ok": True}
    assert line.sent == ["order", "time", "order"]
    first, _, second = line.exchange.calls
    assert int(first.params["timestamp"]) == milliseconds(NOON) - 300
    assert int(second.params["timestamp"]) == milliseconds(NOON) + 5_000 - 300
    assert {k: v for k, v in second.params.items() if k not in ("timestamp", "signature")} == {
        k: v for k, v in first.params.items() if k not in ("timestamp", "signature")
    }


@pytest.mark.parametrize("act", ["read", "write"])
def test_a_clock_that_is_refused_twice_is_an_error(act: str) -> None:
    line = Line({"order": REFUSED_CLOCK, "time": {"serverTime": milliseconds(NOON)}})
    with pytest.raises(ClockRefused) as raised:
        line.read("order", signed=True) if act == "read" else line.write()
    assert raised.value.exchange_code == 700003
    assert line.sent == ["order", "time", "order"]


def test_a_write_that_must_not_go_out_again_is_sent_once_and_the_clock_set_for_the_next() -> None:
    line = Line({"order": REFUSED_CLOCK, "time": {"serverTime": milliseconds(NOON) + 30_000}})
    with pytest.raises(ClockRefused):
        line.http.write("POST", "order", "/api/v3/order", ORDER, line.deadline, line.meter, again=False)
    assert line.sent == ["order", "time"]
    assert line.http.clock.now() == NOON + timedelta(seconds=30)


def test_the_offset_is_measured_against_the_middle_of_the_call() -> None:
    clock = FakeClock()

    def time(_: Call) -> Any:
        clock.move(2)
        return {"serverTime": milliseconds(NOON) + 61_000}

    line = Line({"order": Several(REFUSED_CLOCK, {}), "time": time}, clock=clock)
    line.write("order")
    assert int(line.exchange.calls[-1].params["timestamp"]) == milliseconds(NOON) + 2_000 + 60_000 - 300


def test_a_clock_that_was_set_stays_set_for_later_calls() -> None:
    line = Line({"account": Several(REFUSED_CLOCK, {}), "time": {"serverTime": milliseconds(NOON) - 40_000}})
    line.read("account", signed=True)
    line.clock.move(10)
    line.read("account", signed=True)
    assert line.sent == ["account", "time", "account", "account"]
    assert int(line.exchange.calls[-1].params["timestamp"]) == milliseconds(NOON) - 30_000 - 300


def test_what_a_run_stamps_is_the_exchanges_time_once_it_is_known() -> None:
    line = Line({"account": Several(REFUSED_CLOCK, {}), "time": {"serverTime": milliseconds(NOON) + 30_000}})
    assert line.http.clock.now() == NOON
    assert line.read("account", signed=True).received_at == line.http.clock.now() == NOON + timedelta(seconds=30)


@pytest.mark.parametrize(("seconds", "told"), [(-36_000, "36000 s ahead of"), (61, "61 s behind")])
def test_a_clock_more_than_a_minute_off_stops_with_a_reason(seconds: int, told: str) -> None:
    """And is not taken for the exchange's: a clock that jumps back goes on where it was."""
    time = {"serverTime": milliseconds(NOON) + seconds * 1000}
    line = Line({"account": Several(REFUSED_CLOCK, {}), "time": time})
    with pytest.raises(ClockOff, match=told):
        line.read("account", signed=True)
    assert line.http.clock.now() == NOON
    assert line.read("account", signed=True).payload == {}


def test_a_write_is_not_repeated_when_the_exchange_does_not_tell_its_time() -> None:
    line = Line({"order": REFUSED_CLOCK, "time": (503, "")})
    with pytest.raises(ExchangeUnavailable):
        line.write()
    assert line.sent == ["order", "time"]


@pytest.mark.parametrize("body", [{}, [], {"serverTime": "noon"}, {"serverTime": None}])
def test_a_time_that_cannot_be_read_is_not_taken_for_one(body: Any) -> None:
    line = Line({"order": REFUSED_CLOCK, "time": body})
    with pytest.raises(UnreadablePayload, match="time"):
        line.write()
    assert line.sent == ["order", "time"]


def test_a_repeated_write_whose_answer_never_comes_has_an_unknown_outcome() -> None:
    line = Line(
        {"order": Several(REFUSED_CLOCK, requests.ReadTimeout()), "time": {"serverTime": milliseconds(NOON)}}
    )
    with pytest.raises(OutcomeUnknown):
        line.write()
    assert line.sent == ["order", "time", "order"]


# Time-outs


def time_outs(line: Line) -> list[tuple[float, float]]:
    """Of every call: seconds to connect, and in all."""
    timeouts = [options["timeout"] for options in line.exchange.options]
    return [(timeout.connect_timeout, timeout.total) for timeout in timeouts]


@pytest.mark.parametrize(("left", "connect", "total"), [(45, 5, 8), (6, 5, 6), (3, 3, 3)])
def test_every_call_has_time_outs_within_what_the_run_has_left(left: float, connect: float, total: float) -> None:
    line = Line({"time": {}, "order": {}}, seconds=left)
    line.read("time")
    line.write("order")
    assert time_outs(line) == [(connect, total)] * 2


def test_the_calls_of_a_resync_have_time_outs_too() -> None:
    line = Line({"order": Several(REFUSED_CLOCK, {}), "time": {"serverTime": milliseconds(NOON)}}, seconds=2)
    line.write("order")
    assert time_outs(line) == [(2, 2)] * 3


class Dripping(BaseAdapter):
    """An answer that comes byte by byte, a second each, and does not end; `size` bytes at a time."""

    def __init__(self, clock: FakeClock, size: int, seconds: float) -> None:
        super().__init__()
        self._clock, self._size, self._seconds = clock, size, seconds
        self.reads = 0

    def read1(self, *_: Any, **__: Any) -> bytes:
        self.reads += 1
        self._clock.move(self._seconds)
        return b" " * self._size

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        response = response_of(request, 200, b"", {})
        response.raw = self
        return response

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(("size", "seconds", "reads"), [(1, 1.0, 9), (1024 * 1024, 0.0, 17)])
@pytest.mark.parametrize("act", ["read", "write"])
def test_an_answer_that_does_not_end_is_bounded_in_time_and_size(
    act: str, size: int, seconds: float, reads: int
) -> None:
    clock = FakeClock()
    dripping = Dripping(clock, size, seconds)
    session = new_session()
    session.mount("https://", dripping)
    http = MexcHttp(session, BASE, clock, SecretStr(KEY), SecretStr(SECRET), 8, random.Random(1))
    deadline, meter = Deadline(clock, 8.5), Meter()
    if act == "write":
        with pytest.raises(OutcomeUnknown):
            http.write("POST", "order", "/api/v3/order", ORDER, deadline, meter)
    else:
        with pytest.raises(ExchangeUnavailable):
            http.read("depth", "/api/v3/depth", [], deadline, meter)
    assert dripping.reads == (3 * reads if act == "read" and not seconds else reads)


@pytest.mark.parametrize("act", ["read", "write"])
def test_nothing_is_sent_after_the_deadline(act: str) -> None:
    line = Line({"time": {}, "order": {}}, seconds=10)
    line.clock.move(10)
    with pytest.raises(ExchangeUnavailable, match="deadline"):
        line.read("time") if act == "read" else line.write()
    assert line.sent == []
    assert not line.meter.counts


# Reads are tried again

PASSING = [
    (500, ""),
    (502, "<html>Bad Gateway</html>"),
    (503, {"code": -1003, "msg": "Unknown error"}),
    (504, ""),
    (400, {"code": 20002, "msg": "internal"}),
    requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError(104))),
    requests.ReadTimeout(),
    requests.ConnectTimeout(),
    requests.exceptions.ChunkedEncodingError(),
]


@pytest.mark.parametrize("failure", PASSING, ids=str)
def test_a_read_is_tried_again_on_what_may_pass(failure: Any) -> None:
    line = Line({"depth": Several(failure, failure, {"bids": []})})
    assert line.read("depth").payload == {"bids": []}
    assert line.sent == ["depth"] * 3


@pytest.mark.parametrize("failure", PASSING, ids=str)
def test_a_read_that_fails_three_times_is_given_up(failure: Any) -> None:
    line = Line({"depth": failure})
    with pytest.raises(ExchangeUnavailable):
        line.read("depth")
    assert line.sent == ["depth"] * 3


def test_the_pauses_between_tries_grow_and_are_never_the_same_for_everybody() -> None:
    line = Line({"depth": (503, "")})
    with pytest.raises(ExchangeUnavailable):
        line.read("depth")
    jitter = random.Random(NO_BACKOFF_JITTER)
    assert line.clock.slept == [0.2 * (1 + jitter.random()), 0.4 * (1 + jitter.random())]


def test_a_retried_read_is_signed_anew_with_the_time_of_its_own_sending() -> None:
    line = Line({"account": Several((503, ""), {})})
    line.read("account", signed=True)
    first, second = (int(call.params["timestamp"]) for call in line.exchange.calls)
    assert second - first == pytest.approx(line.clock.slept[0] * 1000, abs=1)


def test_a_read_is_not_tried_again_when_the_pause_would_pass_the_deadline() -> None:
    line = Line({"depth": (503, "")}, seconds=0.15)
    with pytest.raises(ExchangeUnavailable):
        line.read("depth")
    assert line.sent == ["depth"]
    assert line.clock.slept == []


def test_the_tries_of_a_read_stop_at_the_deadline() -> None:
    clock = FakeClock()

    def slow(_: Call) -> Any:
        clock.move(8)
        return requests.ReadTimeout()

    line = Line({"depth": slow}, seconds=10, clock=clock)
    with pytest.raises(ExchangeUnavailable):
        line.read("depth")
    assert line.sent == ["depth"] * 2
    assert time_outs(line)[1][1] < 2


@pytest.mark.parametrize("status", [429, 418])
def test_a_read_waits_as_long_as_the_exchange_says(status: int) -> None:
    line = Line({"depth": Several((status, {"code": 429}, {"Retry-After": "7"}), {})})
    line.read("depth")
    assert line.clock.slept == [7]
    assert line.sent == ["depth"] * 2


@pytest.mark.parametrize("seconds", ["45", "600"])
def test_a_read_does_not_wait_beyond_the_deadline(seconds: str) -> None:
    line = Line({"depth": (429, {"code": 429}, {"Retry-After": seconds})}, seconds=45)
    with pytest.raises(RateLimited) as raised:
        line.read("depth")
    assert raised.value.retry_after == float(seconds)
    assert line.clock.slept == []
    assert line.sent == ["depth"]


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, {"Retry-After": "-1"}])
def test_a_read_that_came_too_fast_is_not_repeated_at_once_when_nobody_says_when(headers: dict[str, str]) -> None:
    line = Line({"depth": (429, {"code": 429}, headers)})
    with pytest.raises(RateLimited) as raised:
        line.read("depth")
    assert raised.value.retry_after is None
    assert line.sent == ["depth"]


def test_a_read_that_is_blocked_at_the_edge_is_not_repeated_at_once() -> None:
    line = Line({"depth": (403, "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD></HTML>")})
    with pytest.raises(RateLimited, match="edge"):
        line.read("depth")
    assert line.sent == ["depth"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, {"code": 10072, "msg": "Api key info invalid"}), AccessRefused),
        ((400, {"code": -1121, "msg": "Invalid symbol."}), OrderRefused),
        ((400, {"code": -2013, "msg": "Order does not exist."}), UnknownOrder),
        ((404, {"message": "no such thing"}), ExchangeRefused),
        ((200, {"code": 10007, "msg": "bad symbol"}), SymbolHalted),
    ],
)
def test_a_read_that_is_refused_is_not_repeated(answer: Any, error: type[ExchangeError]) -> None:
    line = Line({"order": answer})
    with pytest.raises(error):
        line.read("order", signed=True)
    assert line.sent == ["order"]


GARBLED = {
    "empty": "",
    "blank": " \n",
    "HTML": "<!DOCTYPE html><html></html>",
    "cut off": '{"orderId": "C02__1',
    "words": "OK",
    "NaN": '{"price": NaN}',
    "Infinity": '{"price": -Infinity}',
    "an exponent beyond reason": '{"price": 1e99999999999999999999}',
    "nested beyond reason": "[" * 200_000,
    "two objects": "{}{}",
}


@pytest.mark.parametrize("body", GARBLED.values(), ids=GARBLED)
def test_an_answer_that_is_no_json_is_unreadable_and_not_asked_for_again(body: str) -> None:
    line = Line({"ticker/price": (200, body)})
    with pytest.raises(UnreadablePayload, match=r"^ticker/price: the answer is "):
        line.read("ticker/price")
    assert line.sent == ["ticker/price"]


@pytest.mark.parametrize(
    ("body", "kind"), [("", "is empty"), ("<html>", "is HTML"), ('{"price": NaN}', "is not JSON")]
)
def test_an_unreadable_answer_is_told_by_its_kind_and_never_quoted(body: str, kind: str) -> None:
    with pytest.raises(UnreadablePayload) as raised:
        Line({"time": (200, body)}).read("time")
    assert str(raised.value) == f"time: the answer {kind}"


# Writes go out once

OPEN = {
    "HTTP 500": (500, {"code": 500, "msg": "internal"}),
    "HTTP 500 without a body": (500, ""),
    "HTTP 502 in HTML": (502, "<html>Bad Gateway</html>"),
    "HTTP 503 unknown": (503, {"code": -1003, "msg": "Unknown error, please check your request"}),
    "HTTP 504": (504, ""),
    "busy": (400, {"code": 501, "msg": "busy"}),
    "a code nobody knows": (400, {"code": 987654, "msg": "?"}),
    "HTTP 400 without a code": (400, {"msg": "?"}),
    "HTTP 400 in HTML": (400, "<html></html>"),
    "blocked at the edge": (403, "<HTML>Access Denied</HTML>"),
    "a redirect": (302, "", {"Location": "https://exchange.test/api/v3/elsewhere"}),
    "a permanent redirect": (308, "", {"Location": "https://exchange.test/api/v3/elsewhere"}),
    "a reset": requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError(104))),
    "the line closed": requests.ConnectionError(ProtocolError("Remote end closed connection without response")),
    "no answer in time": requests.ReadTimeout(),
    "an answer cut off": requests.exceptions.ChunkedEncodingError(),
    "an answer that cannot be unpacked": requests.exceptions.ContentDecodingError(),
    "a broken TLS line": requests.exceptions.SSLError(),
    **{f"a body that is {kind}": (200, body) for kind, body in GARBLED.items()},
}


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_write_whose_fate_is_open_is_sent_once_and_its_outcome_unknown(method: str) -> None:
    wrong = []
    for name, answer in OPEN.items():
        line, ended = Line({"order": answer}), None
        try:
            line.write("order", ORDER, method=method)
        except ExchangeError as error:
            ended = type(error)
        if (ended, line.sent, line.clock.slept) != (OutcomeUnknown, ["order"], []):
            wrong.append((name, ended, line.sent, line.clock.slept))
    assert wrong == []


def never_connected() -> requests.ConnectionError:
    """What requests raises when no connection could be made, made as urllib3 and requests make it."""
    refused = NewConnectionError(HTTPConnection("exchange.test"), "Connection refused")
    return requests.ConnectionError(MaxRetryError(HTTPConnectionPool("exchange.test"), "/api/v3/order", refused))


@pytest.mark.parametrize("failure", [never_connected(), requests.ConnectTimeout()], ids=["refused", "timed out"])
def test_a_write_that_never_left_is_no_unknown_outcome_and_still_sent_once(failure: Exception) -> None:
    line = Line({"order": failure})
    with pytest.raises(ExchangeUnavailable):
        line.write()
    assert line.sent == ["order"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, {"code": 30005, "msg": "Oversold"}), InsufficientFunds),
        ((400, {"code": 10007, "msg": "symbol not support api"}), SymbolHalted),
        ((400, {"code": 30051, "msg": "api market order is disabled"}), MarketOrdersClosed),
        ((400, {"code": 700002, "msg": "Signature for this request is not valid."}), AccessRefused),
        ((400, {"code": 400, "msg": " amount scale is invalid"}), OrderRefused),
        ((200, {"code": "30021", "msg": "invalid symbol"}), OrderRefused),
        ((400, {"code": -2011, "msg": "Unknown order sent."}), UnknownOrder),
        ((429, {"code": 429}, {"Retry-After": "2"}), RateLimited),
    ],
)
def test_a_write_that_is_definitely_refused_says_so_and_is_sent_once(
    answer: Any, error: type[ExchangeError]
) -> None:
    line = Line({"order": answer})
    with pytest.raises(error):
        line.write()
    assert line.sent == ["order"]
    assert line.clock.slept == []


@pytest.mark.parametrize("act", ["read", "write"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_never_followed(status: int, act: str) -> None:
    elsewhere = {"Location": f"{BASE}/api/v3/elsewhere"}
    line = Line({"order": (status, "", elsewhere), "elsewhere": {"orderId": "1"}})
    with pytest.raises((ExchangeUnavailable, OutcomeUnknown)):
        line.read("order") if act == "read" else line.write()
    assert "elsewhere" not in line.sent


# What may be said


def told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


@pytest.mark.parametrize("act", ["read", "write"])
@pytest.mark.parametrize(
    "kind",
    [
        requests.ConnectionError,
        requests.ReadTimeout,
        requests.ConnectTimeout,
        requests.exceptions.SSLError,
        requests.exceptions.ProxyError,
        requests.exceptions.InvalidURL,
        requests.TooManyRedirects,
    ],
)
def test_an_exception_that_carries_the_signed_url_loses_it(act: str, kind: type[Exception]) -> None:
    def fail(call: Call) -> Any:
        return kind(f"Max retries exceeded with url: {BASE}/api/v3/{call.path}?{call.query} ({KEY}, {SECRET})")

    line = Line({"order": fail})
    with pytest.raises(ExchangeError) as raised:
        line.read("order", ORDER, signed=True) if act == "read" else line.write("order", ORDER)
    text = told(raised.value)
    signatures = [call.params["signature"] for call in line.exchange.calls]
    for secret in (KEY, SECRET, "exchange.test", "recvWindow=", *signatures):
        assert secret not in text
    assert kind.__name__ in str(raised.value)


@pytest.mark.parametrize("act", ["read", "write"])
def test_no_error_tells_key_secret_signature_or_url(act: str) -> None:
    wrong = []
    for name, answer in {**OPEN, "refused": (400, {"code": 700002, "msg": "no"})}.items():
        line = Line({"order": answer})
        with pytest.raises(ExchangeError) as raised:
            line.read("order", ORDER, signed=True) if act == "read" else line.write("order", ORDER)
        text = told(raised.value)
        signatures = [call.params["signature"] for call in line.exchange.calls]
        secrets = (KEY, SECRET, "exchange.test", "recvWindow=", *signatures)
        wrong += [(name, secret) for secret in secrets if secret in text]
    assert wrong == []


@pytest.mark.parametrize("act", ["read", "write"])
@pytest.mark.parametrize("field", ["msg", "message", "data"])
@pytest.mark.parametrize("status", [200, 400, 503])
def test_an_exchange_that_tells_our_secrets_back_is_not_quoted(status: int, field: str, act: str) -> None:
    def echo(call: Call) -> Any:
        words = f"key {KEY} with secret {SECRET}: {BASE}/api/v3/{call.path}?{call.query} is wrong"
        return status, {"code": 700002, field: words}

    line = Line({"order": echo})
    with pytest.raises(ExchangeError) as raised:
        line.read("order", ORDER, signed=True) if act == "read" else line.write("order", ORDER)
    text = told(raised.value)
    signatures = [call.params["signature"] for call in line.exchange.calls]
    for secret in (KEY, SECRET, "recvWindow=", *signatures):
        assert secret not in text
    assert "is wrong" in str(raised.value)


def test_neither_key_nor_secret_shows_in_the_line_itself() -> None:
    line = Line({})
    assert SECRET not in repr(vars(line.http))
    assert KEY not in repr(vars(line.http))


# What is not taken from the environment


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://proxy.test:3128")
    line = Line({"time": {}})
    line.read("time")
    assert not line.exchange.options[0]["proxies"]


def test_passwords_of_a_netrc_file_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine exchange.test login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert requests.utils.get_netrc_auth(BASE), "the file would be found"
    line = Line({"time": {}})
    line.read("time")
    assert "Authorization" not in line.call.headers


def test_certificates_are_verified_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    monkeypatch.setenv("CURL_CA_BUNDLE", "/nowhere.pem")
    line = Line({"time": {}})
    line.read("time")
    assert line.exchange.options[0]["verify"] is True


def test_a_proxy_that_is_configured_is_used() -> None:
    line = Line({"time": {}})
    line.session = new_session(proxy="http://10.0.0.1:3128")
    line.session.mount("https://", line.exchange)
    http_to(BASE, line.session, line.clock).read("time", "/api/v3/time", [], line.deadline, line.meter)
    assert line.exchange.options[0]["proxies"] == {"https": "http://10.0.0.1:3128"}


# The meter


def test_the_meter_counts_every_request_that_went_out_by_its_endpoint() -> None:
    line = Line(
        {
            "depth": Several((503, ""), {}),
            "order": Several(REFUSED_CLOCK, {}),
            "time": {"serverTime": milliseconds(NOON)},
        }
    )
    line.read("depth")
    line.write("order")
    assert line.meter.counts == {"depth": 2, "order": 2, "time": 1}
    assert line.meter.counts.total() == len(line.exchange.calls)


class Yielding(Counter[str]):
    """A counter that lets other threads in between reading and writing."""

    def __getitem__(self, name: str) -> int:
        value = super().__getitem__(name)
        time.sleep(0)
        return value


def test_the_meter_loses_no_count_between_threads() -> None:
    meter, threads, each = Meter(Yielding()), 8, 200
    barrier = Barrier(threads)

    def count() -> None:
        barrier.wait()
        for _ in range(each):
            meter.add("depth")

    workers = [Thread(target=count) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert meter.counts == {"depth": threads * each}


# Over a real line: what requests and urllib3 really raise

Behaviour = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def server(behave: Behaviour) -> Iterator[tuple[str, list[BaseHTTPRequestHandler]]]:
    """An HTTP server on loopback; gives its URL and the requests it has seen."""
    seen: list[BaseHTTPRequestHandler] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            seen.append(self)
            behave(self)

        do_GET = do_POST = do_DELETE = handle_any

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Silent: the client went away."""

    running = Server(("127.0.0.1", 0), Handler)
    thread = Thread(target=partial(running.serve_forever, poll_interval=0.01))
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", seen
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def answer(handler: BaseHTTPRequestHandler, body: bytes = b"{}", **headers: str) -> None:
    handler.send_response(200)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the line without a word, after the request was read."""
    handler.close_connection = True


def half_an_answer(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b'{"orderId":')
    handler.close_connection = True


def silence(handler: BaseHTTPRequestHandler) -> None:
    """Say nothing until the client gives up."""
    handler.rfile.read(1)


BROKEN = [hang_up, half_an_answer, silence]


def over(url: str, timeout: float = 0.1) -> tuple[MexcHttp, Deadline, Meter]:
    clock = FakeClock()
    return http_to(url, new_session(), clock, timeout=timeout), Deadline(clock, 45), Meter()


@pytest.mark.parametrize("behave", BROKEN)
def test_a_write_that_reached_the_exchange_is_unknown_and_reached_it_once(behave: Behaviour) -> None:
    with server(behave) as (url, seen):
        http, deadline, meter = over(url)
        with pytest.raises(OutcomeUnknown):
            http.write("POST", "order", "/api/v3/order", ORDER, deadline, meter)
    assert len(seen) == 1


@pytest.mark.parametrize("behave", BROKEN)
def test_a_read_over_a_broken_line_is_tried_three_times(behave: Behaviour) -> None:
    with server(behave) as (url, seen):
        http, deadline, meter = over(url)
        with pytest.raises(ExchangeUnavailable):
            http.read("depth", "/api/v3/depth", [], deadline, meter)
    assert len(seen) == 3


def test_a_write_to_a_closed_port_was_never_sent() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    http, deadline, meter = over(url)
    with pytest.raises(ExchangeUnavailable):
        http.write("POST", "order", "/api/v3/order", ORDER, deadline, meter)


def test_a_write_to_a_name_that_does_not_resolve_was_never_sent() -> None:
    http, deadline, meter = over("http://exchange.invalid")
    with pytest.raises(ExchangeUnavailable):
        http.write("POST", "order", "/api/v3/order", ORDER, deadline, meter)


def test_the_request_line_that_arrives_is_what_was_signed() -> None:
    with server(answer) as (url, seen):
        http, deadline, meter = over(url, timeout=5)
        http.write("POST", "order", "/api/v3/order", [("network", "Solana(SOL)"), ("a", "b c")], deadline, meter)
    message, _, signature = seen[0].path.removeprefix("/api/v3/order?").rpartition("&signature=")
    assert message.startswith("network=Solana%28SOL%29&a=b%20c&recvWindow=5000&timestamp=")
    assert signature == signed_by_hand(SECRET, message)
    assert seen[0].headers["Content-Type"] == "application/json"
    assert seen[0].headers.get("Content-Length", "0") == "0"


def test_cookies_of_the_exchange_are_not_kept() -> None:
    with server(partial(answer, Set_Cookie="session=1; Path=/")) as (url, seen):
        http, deadline, meter = over(url, timeout=5)
        http.read("time", "/api/v3/time", [], deadline, meter)
        http.read("time", "/api/v3/time", [], deadline, meter)
    assert len(seen) == 2
    assert "Cookie" not in seen[1].headers


def test_an_answer_that_is_no_utf_8_is_unreadable() -> None:
    with server(partial(answer, body=b'{"symbol":"\xff\xfe"}')) as (url, _):
        http, deadline, meter = over(url, timeout=5)
        with pytest.raises(UnreadablePayload, match="is not JSON"):
            http.read("time", "/api/v3/time", [], deadline, meter)
        with pytest.raises(OutcomeUnknown):
            http.write("POST", "order", "/api/v3/order", ORDER, deadline, meter)


def test_a_lone_surrogate_is_read_and_its_text_kept_unaltered() -> None:
    body = '{"code":0,"symbol":"\\ud800"}'
    with server(partial(answer, body=body.encode())) as (url, _):
        http, deadline, meter = over(url, timeout=5)
        reply = http.read("time", "/api/v3/time", [], deadline, meter)
    assert (reply.payload["symbol"], reply.text) == ("\ud800", body)


def test_the_words_of_a_refusal_can_always_be_written() -> None:
    with server(partial(answer, body=b'{"code":10007,"msg":"bad \\ud800 symbol"}')) as (url, _):
        http, deadline, meter = over(url, timeout=5)
        with pytest.raises(SymbolHalted, match=r"bad \\ud800 symbol") as refused:
            http.read("time", "/api/v3/time", [], deadline, meter)
    str(refused.value).encode()


def test_calls_of_many_threads_share_one_line_without_mixing_their_answers() -> None:
    def echo(handler: BaseHTTPRequestHandler) -> None:
        answer(handler, json.dumps({"asked": handler.path}).encode())

    with server(echo) as (url, _):
        http, deadline, meter = over(url, timeout=5)
        paths = [f"/api/v3/{n}" for n in range(40)]
        answers: dict[str, Any] = {}

        def ask(path: str) -> None:
            answers[path] = http.read("any", path, [], deadline, meter).payload

        threads = [Thread(target=ask, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == {path: {"asked": path} for path in paths}
    assert meter.counts == {"any": 40}


def test_every_call_of_a_wave_keeps_its_connection_for_the_next_wave() -> None:
    """A new connection costs a TLS handshake: as many are kept as the session was made for."""
    width = 12
    together = Barrier(width, timeout=5)

    def meet(handler: BaseHTTPRequestHandler) -> None:
        together.wait()
        answer(handler)

    with server(meet) as (url, seen):
        clock = FakeClock()
        http = http_to(url, new_session(width), clock)
        for _ in range(2):
            calls = [
                Thread(target=http.read, args=("time", "/api/v3/time", [], Deadline(clock, 45), Meter()))
                for _ in range(width)
            ]
            for call in calls:
                call.start()
            for call in calls:
                call.join()
    assert len(seen) == 2 * width
    assert len({id(connection) for connection in seen}) == width


def test_the_session_keeps_its_promises_for_http_and_https_alike() -> None:
    session = new_session()
    assert session.get_adapter("https://exchange.test") is session.get_adapter("http://exchange.test")
