"""Who gets into the simulated exchange's signed endpoints: key, signature, clock, permissions."""

from typing import Any

import pytest

from local.exchange import Response
from local.exchange.access import sign
from tests.conftest import VECTORS, needs_payloads
from tests.exchange_client import NOON, DirectClient, standing

Headers = dict[str, str]
JSON = {"X-MEXC-APIKEY": "mx0simulated", "Content-Type": "application/json"}


def refusal(response: Response) -> tuple[int, Any]:
    body = response.json()
    assert isinstance(body, dict)
    return response.status, body["code"]


def send(client: DirectClient, query: str, headers: Headers | None = None, body: bytes = b"") -> Response:
    """Send a signed GET account or POST order with exactly these bytes."""
    method, path = ("POST", "order") if body else ("GET", "account")
    return client.exchange.handle(method, f"/api/v3/{path}", query.encode(), JSON | (headers or {}), body)


def signed(query: str, body: str = "", secret: str = "simulated-secret") -> str:
    return f"{query}&signature={sign(secret, query.encode(), body.encode())}"


@needs_payloads
def test_signatures_equal_every_published_vector() -> None:
    for vector in VECTORS:
        computed = sign(vector["secret"], vector["query"].encode(), vector["body"].encode())
        assert computed == vector["signature"], vector["id"]


@needs_payloads
def test_requests_signed_as_in_the_vectors_get_in_and_the_falsely_published_one_does_not() -> None:
    for vector in VECTORS:
        at_ms = int(vector["total_params"].partition("timestamp=")[2].partition("&")[0])
        client, _ = standing(at_ms, api_key=vector["api_key"], secret_key=vector["secret"])
        for shown in {vector["signature"], vector["published_signature"] or vector["signature"]}:
            query = "&".join(part for part in (vector["query"], f"signature={shown}") if part)
            headers = JSON | {"X-MEXC-APIKEY": vector["api_key"]}
            response = client.exchange.handle(
                "GET", "/api/v3/account", query.encode(), headers, vector["body"].encode()
            )
            expected = 200 if shown == vector["signature"] else 400
            assert response.status == expected, vector["id"]


def test_a_request_signed_over_its_exact_bytes_gets_in() -> None:
    client, _ = standing(NOON)
    assert send(client, signed(f"recvWindow=5000&timestamp={NOON}")).status == 200


def test_query_and_body_are_joined_with_nothing_between_and_the_query_wins() -> None:
    client, _ = standing(NOON)
    query, body = "symbol=QRLUSDT&side=SELL&type=LIMIT", f"side=BUY&quantity=100&price=0.02&timestamp={NOON}"
    response = send(client, signed(query, body), body=body.encode())
    assert response.status == 200
    row = response.json()
    assert isinstance(row, dict)
    assert row["side"] == "SELL"
    wrongly = f"{query}&signature={sign('simulated-secret', f'{query}&{body}'.encode())}"
    assert refusal(send(client, wrongly, body=body.encode())) == (400, 700002)


def test_a_signature_in_upper_case_is_refused() -> None:
    client, _ = standing(NOON)
    query, _, signature = signed(f"timestamp={NOON}").rpartition("=")
    assert refusal(send(client, f"{query}={signature.upper()}")) == (400, 700002)


@pytest.mark.parametrize("value", ["QRLUSDT%2cMXUSDT", "QRLUSDT,MXUSDT", "a+b", "Solana(SOL)"])
def test_values_not_escaped_as_the_exchange_does_it_break_the_signature(value: str) -> None:
    client, _ = standing(NOON)
    assert refusal(send(client, signed(f"x={value}&timestamp={NOON}"))) == (400, 700002)
    assert send(client, signed(f"x=QRLUSDT%2CMXUSDT&timestamp={NOON}")).status == 200


def test_a_signature_with_another_secret_is_refused() -> None:
    client, _ = standing(NOON)
    assert refusal(send(client, signed(f"timestamp={NOON}", secret="other"))) == (400, 700002)


def test_a_message_that_starts_with_an_ampersand_was_signed_wrongly() -> None:
    client, _ = standing(NOON)
    query = f"timestamp={NOON}"
    wrong = f"{query}&signature={sign('simulated-secret', f'&{query}'.encode())}"
    assert refusal(send(client, wrong)) == (400, 700002)


def test_a_missing_signature_or_timestamp_is_a_missing_parameter() -> None:
    client, _ = standing(NOON)
    response = send(client, f"timestamp={NOON}")
    assert refusal(response) == (400, 700004)
    assert b"'signature' was not sent, was empty/null, or malformed." in response.body
    assert refusal(send(client, signed("recvWindow=5000"))) == (400, 700004)
    assert refusal(send(client, signed("timestamp=noon"))) == (400, 700004)


def test_the_content_type_must_be_json_on_get_too() -> None:
    client, _ = standing(NOON)
    for wrong in ("application/x-www-form-urlencoded", "", "text/plain"):
        response = send(client, signed(f"timestamp={NOON}"), {"Content-Type": wrong})
        assert refusal(response) == (400, 700013)
    with_charset = {"Content-Type": "application/json; charset=utf-8"}
    assert send(client, signed(f"timestamp={NOON}"), with_charset).status == 200


def test_header_names_are_not_case_sensitive() -> None:
    client, _ = standing(NOON)
    headers = {"x-mexc-apikey": "mx0simulated", "content-type": "application/json"}
    query = signed(f"timestamp={NOON}").encode()
    assert client.exchange.handle("GET", "/api/v3/account", query, headers).status == 200


def test_a_missing_key_and_an_unknown_key_are_told_apart() -> None:
    client, _ = standing(NOON)
    query = signed(f"timestamp={NOON}")
    nothing = client.exchange.handle(
        "GET", "/api/v3/account", query.encode(), {"Content-Type": "application/json", "X-MBX-APIKEY": "k"}
    )
    assert nothing.json() == {"code": 400, "msg": "api key required"}
    assert refusal(send(client, query, {"X-MEXC-APIKEY": "mx0expired"})) == (400, 10072)


@pytest.mark.parametrize(
    ("offset_ms", "window", "code"),
    [
        (999, 5_000, None),
        (1_000, 5_000, 700003),
        (1_000, 60_000, 700003),
        (-5_000, 5_000, None),
        (-5_001, 5_000, 700003),
        (-60_000, 60_000, None),
        (-5_001, None, 700003),
        (-5_000, None, None),
        (0, 60_001, 700005),
        (0, 0, None),
        (-1, 0, 700003),
    ],
)
def test_the_clock_may_be_a_second_fast_and_the_window_slow(
    offset_ms: int, window: int | None, code: int | None
) -> None:
    client, _ = standing(NOON)
    query = f"timestamp={NOON + offset_ms}" + ("" if window is None else f"&recvWindow={window}")
    response = send(client, signed(query))
    assert (None if response.status == 200 else refusal(response)[1]) == code


def test_a_server_clock_that_is_off_refuses_a_right_timestamp_and_says_its_own_time() -> None:
    client, _ = standing(NOON)
    client.sim("POST", "faults", kind="clock_skew", ms=-1_500)
    assert refusal(client.signed("GET", "account")) == (400, 700003)
    assert client.public("time").json() == {"serverTime": NOON - 1_500}
    assert client.signed("GET", "account", timestamp=NOON - 1_500).status == 200


def test_a_key_without_the_permission_may_read_but_not_trade() -> None:
    client, _ = standing(NOON, key_permissions=frozenset({"SPOT_ACCOUNT_READ"}))
    assert client.signed("GET", "account").status == 200
    assert refusal(client.signed("GET", "openOrders", symbol="QRLUSDT")) == (400, 700007)
    assert refusal(client.signed("POST", "order", symbol="QRLUSDT")) == (400, 700007)


def test_a_key_bound_to_an_address_names_the_address_it_refuses() -> None:
    client, _ = standing(NOON, key_addresses=frozenset({"203.0.113.7"}))
    response = client.signed("GET", "account")
    assert response.json() == {"code": 700006, "msg": "IP [127.0.0.1] not in the ip white list"}


def test_public_endpoints_ask_for_nothing() -> None:
    client, _ = standing(NOON)
    assert client.exchange.handle("GET", "/api/v3/ping").json() == {}
