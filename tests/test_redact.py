"""What may never leave the process is taken out of every text, however it is written, and nothing else is."""

import json
import logging
from base64 import b64encode
from collections.abc import Iterator
from functools import partial

import pytest
import redis
import requests
from urllib3.exceptions import HeaderParsingError

from common.config import Settings
from common.gcp import logs
from common.redact import redactor
from tests.conftest import ENV, Functions, MakeBot
from tests.fakes import Call, StubExchange

KEY, SECRET, PASSWORD = "mx0vgl-the-key", 'se"cret/with\\signs', "redis-pass-word"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJlbWFpbCI6ImEifQ.c2lnbmF0dXJl"
ENVIRONMENT = {
    **ENV,
    "MEXC_API_KEY": KEY,
    "MEXC_SECRET_KEY": SECRET,
    "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:1/0",
    "LOG_LEVEL": "DEBUG",
}
LEAKS = (
    KEY,
    SECRET,
    json.dumps(SECRET),
    PASSWORD,
    f"redis://user:{PASSWORD}@host/0",
    f"Authorization: Bearer {TOKEN}",
    "https://exchange.test/api/v3/order?symbol=QRLUSDT&signature=0123456789abcdef0123456789abcdef",
)
TRACES = (KEY, 'se"cret', 'se\\"cret', PASSWORD, TOKEN, "0123456789abcdef")


def test_every_spelling_of_a_secret_and_whatever_signs_is_hidden() -> None:
    redact = redactor(Settings.from_env(ENVIRONMENT).secrets)
    for leak in LEAKS:
        assert [trace for trace in TRACES if trace in redact(f"before {leak} after")] == [], leak
        assert redact(f"before {leak} after").startswith("before ")
        assert redact(f"before {leak} after").endswith(" after")


@pytest.mark.parametrize(
    "text", ["", "a signature", "signatures of 3 keys", "Bearer of news", "redis://host:6379/0", "price 0.0205"]
)
def test_an_innocent_text_stays_the_very_same(text: str) -> None:
    assert redactor(Settings.from_env(ENVIRONMENT).secrets)(text) is text


def test_a_secret_that_is_too_short_to_be_one_takes_no_innocent_text_apart() -> None:
    assert redactor(["x", "", None])("exchange") == "exchange"


@pytest.fixture
def printing() -> Iterator[None]:
    """The bot's own handler on the root logger."""
    root, events = logging.getLogger(), logs.log
    handlers, level, events_level = root.handlers[:], root.level, events.level
    logs.set_up(Settings.from_env(ENVIRONMENT))
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    events.setLevel(events_level)


@pytest.mark.parametrize("name", ["urllib3.connection", "google.auth", "werkzeug", "redis", "some.library"])
@pytest.mark.usefixtures("printing")
def test_a_librarys_own_line_goes_through_the_same_gate(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for leak in LEAKS:
        logging.getLogger(name).warning("Failed to parse headers (url=%s): x", leak)
    printed = capsys.readouterr().out
    assert printed.count("Failed to parse headers") == len(LEAKS)
    assert [trace for trace in TRACES if trace in printed] == []


def errors(call: Call) -> list[object]:
    """Every way in which an exchange, or the line to it, may tell back what it was sent."""
    told = f"{call.query} {call.headers.get('X-MEXC-APIKEY')} " + " ".join(LEAKS)
    return [
        (400, {"code": 700002, "msg": told}),
        (400, {"code": 10072, "msg": told, "data": {"echo": [told]}}),
        (403, f"<html>{told}</html>"),
        (500, told),
        (200, told),
        {"balances": told, "symbol": told, "price": told},
        {"balances": [{"asset": told, "free": "1", "locked": "0"}], "canTrade": True, "accountType": told},
        [{"price": told, "id": told}],
        requests.ConnectionError(told),
        requests.exceptions.InvalidHeader(told),
        HeaderParsingError([], told),
        RuntimeError(told),
        ValueError(told),
    ]


def error(number: int, call: Call) -> object:
    return errors(call)[number]


@pytest.mark.parametrize("job", ["balance", "price", "fifteen_min_job"])
@pytest.mark.usefixtures("printing")
def test_no_secret_reaches_an_answer_a_line_or_redis_by_any_error(
    job: str,
    make_bot: MakeBot,
    bare_functions: Functions,
    exchange: StubExchange,
    store_client: "redis.Redis",
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_bot(**ENVIRONMENT)
    answers = []
    for number in range(len(errors(Call(requests.Request("GET", "https://exchange.test/x").prepare())))):
        for path in list(exchange.answers):
            exchange.answers[path] = partial(error, number)
        answers += [bare_functions.post(job).text, bare_functions.get(job).text]
        answers.append(bare_functions.client("ops").get("/", headers={"X-CloudScheduler": "1"}).text)
    stored = [store_client.dump(key) or b"" for key in store_client.scan_iter()]
    texts = [*answers, capsys.readouterr().out, *(dump.decode("latin-1") for dump in stored)]
    assert len(texts) > 40
    assert [trace for trace in TRACES for text in texts if trace in text] == []


def test_a_password_in_a_url_is_hidden_as_it_stands_as_it_is_sent_and_as_a_proxy_is_sent_it() -> None:
    proxy = {"HTTPS_PROXY": "http://me:proxy%40pass@proxy.test:3128"}
    urls = {"REDIS_URL": "redis://127.0.0.1:1/0?password=in-the-query"}
    redact = redactor(Settings.from_env(ENVIRONMENT | proxy | urls).secrets)
    for leak in ("proxy%40pass", "proxy@pass", "in-the-query", b64encode(b"me:proxy@pass").decode()):
        assert redact(f"before {leak} after") == "before *** after"
