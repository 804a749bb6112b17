"""Faults of the simulated exchange: each does what it says, where, when and as often as it was told."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from local.exchange import ConnectionDropped
from local.exchange.faults import KINDS
from tests.exchange_client import NOON, DirectClient, market

ORDER = {"method": "POST", "path": "/api/v3/order"}
PRICE = {"method": "GET", "path": "/api/v3/ticker/price"}
MARKET_SALE = {"symbol": "QRLUSDT", "side": "SELL", "type": "MARKET", "quantity": "100"}
SALE = {"symbol": "QRLUSDT", "side": "SELL", "quantity": "100", "price": "0.0199"}


def sell(client: DirectClient, kind: str = "IMMEDIATE_OR_CANCEL", **more: str) -> Any:
    return client.signed("POST", "order", type=kind, **(SALE | {"newClientOrderId": "slot1"} | more))


def slot1(client: DirectClient) -> Any:
    return client.signed("GET", "order", symbol="QRLUSDT", origClientOrderId="slot1").json()


def orders(client: DirectClient) -> list[Any]:
    found: list[Any] = client.sim("GET", "state")["orders"]
    return found


def price(client: DirectClient) -> Any:
    return client.public("ticker/price", symbol="QRLUSDT")


def test_a_server_error_before_acceptance_leaves_no_order() -> None:
    client, _ = market()
    client.sim("POST", "faults", kind="server_error", status=504, **ORDER)
    response = sell(client)
    assert response.status == 504
    assert response.json()["code"] == -1003
    assert orders(client) == []


def test_a_server_error_after_acceptance_really_took_the_order() -> None:
    client, _ = market()
    client.sim("POST", "faults", kind="server_error", status=503, when="after", times=1, **ORDER)
    assert sell(client).status == 503
    assert slot1(client)["status"] == "FILLED"
    account: Any = client.signed("GET", "account").json()
    assert account["balances"][0] == {"asset": "QRL", "free": "900", "locked": "0", "available": "900"}


@pytest.mark.parametrize(("when", "taken"), [("before", 0), ("after", 1)])
def test_a_connection_reset_before_or_after_acceptance(when: str, taken: int) -> None:
    client, _ = market()
    client.sim("POST", "faults", kind="drop", when=when, times=1, **ORDER)
    with pytest.raises(ConnectionDropped):
        sell(client)
    assert len(orders(client)) == taken
    assert client.sim("GET", "state")["statuses"]["POST /api/v3/order dropped"] == 1


@pytest.mark.parametrize(("when", "code"), [("before", 700003), ("after", None)])
def test_a_slow_path_lets_the_request_arrive_late_or_the_answer(when: str, code: int | None) -> None:
    client, clock = market()
    client.sim("POST", "faults", kind="latency", ms=6_000, when=when, **ORDER)
    assert sell(client).json().get("code") == code
    assert clock.now_ms() == NOON + 6_000
    assert len(orders(client)) == (0 if code else 1)


def test_the_edge_answers_with_a_page_of_html() -> None:
    client, _ = market()
    client.sim("POST", "faults", kind="html_403", times=1)
    response = price(client)
    assert (response.status, response.headers["Content-Type"]) == (403, "text/html")
    assert b"<TITLE>Access Denied</TITLE>" in response.body
    assert price(client).status == 200


def test_a_rate_limit_answers_429_with_the_seconds_to_wait() -> None:
    client, _ = market()
    client.sim("POST", "faults", kind="rate_limited", retry_after=7, **PRICE)
    response = price(client)
    assert (response.status, response.headers["Retry-After"], response.json()) == (429, "7", {"code": 429})


def test_bodies_can_be_empty_malformed_or_cut() -> None:
    client, _ = market()
    for kind in ("empty_body", "malformed_json", "truncated_json"):
        client.sim("POST", "faults", kind=kind, times=1, **PRICE)
        response = price(client)
        assert response.status == 200
        assert (response.body == b"") == (kind == "empty_body")
        with pytest.raises(json.JSONDecodeError):
            json.loads(response.body)
    assert price(client).json()["price"] == "0.02"


def test_an_empty_body_can_come_with_an_error_status_after_the_order_was_taken() -> None:
    client, _ = market()
    client.sim("POST", "faults", kind="empty_body", status=502, **ORDER)
    assert (sell(client).status, len(orders(client))) == (502, 1)


def test_any_answer_at_all_can_be_given() -> None:
    client, _ = market()
    spec = {"status": 400, "body": {"code": 26, "data": "operation not allowed"}, "headers": {"X-Edge": "1"}}
    client.sim("POST", "faults", kind="answer", times=1, **spec, **ORDER)
    response = sell(client)
    assert (response.status, response.headers["X-Edge"]) == (400, "1")
    assert response.json() == {"code": 26, "data": "operation not allowed"}
    client.sim("POST", "faults", kind="answer", status=200, body="not json", when="after", **ORDER)
    assert sell(client).body == b"not json"
    assert len(orders(client)) == 1


def test_fields_become_null_vanish_or_take_any_value_at_any_depth() -> None:
    client, _ = market()
    account = {"method": "GET", "path": "/api/v3/account"}
    faults: list[dict[str, Any]] = [
        {"kind": "null_field", "field": "free"},
        {"kind": "remove_field", "field": "canTrade"},
        {"kind": "set_field", "field": "balances.1.locked", "value": "abc"},
        {"kind": "set_field", "field": "permissions.0", "value": 7},
    ]
    client.sim("POST", "faults", faults=[fault | account for fault in faults])
    answer: Any = client.signed("GET", "account").json()
    assert [row["free"] for row in answer["balances"]] == [None, None]
    assert [row["locked"] for row in answer["balances"]] == ["0", "abc"]
    assert "canTrade" not in answer
    assert answer["permissions"] == [7]


def test_a_field_of_a_bare_list_is_reached_by_its_position() -> None:
    client, _ = market()
    path = {"method": "GET", "path": "/api/v3/klines"}
    client.sim("POST", "faults", kind="set_field", field="0.4", value="-1", **path)
    client.sim("POST", "faults", kind="remove_field", field="0.7", **path)
    rows: Any = client.public("klines", symbol="QRLUSDT", interval="1m", limit=2).json()
    assert (rows[0][4], len(rows[0]), len(rows[1])) == ("-1", 7, 8)


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_come_as_bare_literals(literal: str) -> None:
    client, _ = market()
    client.sim("POST", "faults", kind="set_field", field="price", literal=literal, **PRICE)
    assert f'"price":{literal}'.encode() in price(client).body
    assert not math.isfinite(json.loads(price(client).body)["price"])


def test_a_new_order_can_stay_invisible_for_a_while() -> None:
    client, clock = market()
    client.sim("POST", "faults", kind="hide_order", seconds=8, times=1)
    sell(client)
    resting = {"newClientOrderId": "slot2", "price": "0.0205"}
    assert sell(client, "LIMIT", **resting).status == 200
    clock.advance(7_999)
    assert slot1(client)["code"] == -2013
    assert client.signed("GET", "myTrades", symbol="QRLUSDT").json() == []
    assert len(client.signed("GET", "allOrders", symbol="QRLUSDT").json()) == 1
    clock.advance(1)
    assert slot1(client)["status"] == "FILLED"
    assert len(client.signed("GET", "myTrades", symbol="QRLUSDT").json()) == 1


def test_an_invisible_resting_order_is_not_among_the_open_ones_and_cannot_be_cancelled() -> None:
    client, clock = market()
    client.sim("POST", "faults", kind="hide_order", seconds=5)
    ack = sell(client, "LIMIT", price="0.0205").json()
    assert client.signed("GET", "openOrders", symbol="QRLUSDT").json() == []
    cancel: Any = client.signed("DELETE", "order", symbol="QRLUSDT", orderId=ack["orderId"]).json()
    assert cancel["code"] == -2011
    clock.advance(5_000)
    assert len(client.signed("GET", "openOrders", symbol="QRLUSDT").json()) == 1


def test_trades_can_lag_behind_a_filled_order() -> None:
    client, clock = market()
    client.sim("POST", "faults", kind="hide_trades", seconds="1.5")
    sell(client)
    assert slot1(client)["status"] == "FILLED"
    assert client.signed("GET", "myTrades", symbol="QRLUSDT").json() == []
    clock.advance(1_500)
    assert len(client.signed("GET", "myTrades", symbol="QRLUSDT").json()) == 1


def test_balances_can_lag_behind_a_filled_order() -> None:
    client, clock = market()
    before: Any = client.signed("GET", "account").json()
    client.sim("POST", "faults", kind="lag_balances", seconds=3)
    sell(client)
    clock.advance(2_999)
    assert client.signed("GET", "account").json() == before
    clock.advance(1)
    after: Any = client.signed("GET", "account").json()
    assert after["balances"][0]["free"] == "900"


def test_a_partial_fill_of_an_ioc_cancels_the_rest() -> None:
    client, _ = market()
    client.sim("POST", "faults", kind="partial_fill", fraction="0.4")
    sell(client)
    row = slot1(client)
    assert (row["status"], row["executedQty"], row["origQty"]) == ("PARTIALLY_CANCELED", "40", "100")


def test_a_partial_fill_of_a_limit_order_leaves_the_rest_open_until_the_next_minute() -> None:
    client, clock = market()
    client.sim("POST", "faults", kind="partial_fill", fraction=0.25, times=1)
    sell(client, "LIMIT")
    assert slot1(client)["status"] == "PARTIALLY_FILLED"
    clock.advance(60_000)
    assert slot1(client)["status"] == "FILLED"


def test_market_orders_can_be_closed_while_limit_orders_go_on() -> None:
    client, _ = market()
    client.sim("POST", "faults", kind="market_closed")
    refused = client.signed("POST", "order", **MARKET_SALE)
    assert refused.json() == {"code": 30051, "msg": "api market order is disabled"}
    assert sell(client).status == 200


@pytest.mark.parametrize(
    ("how", "code", "shows"),
    [
        ("orders", 10007, {}),
        ("key", 70011, {"self": False, "default": False}),
        ("status", 30000, {"status": "2"}),
        ("offline", 30016, {"status": "3"}),
        ("spot_flag", 10007, {"isSpotTradingAllowed": False}),
        ("buy_only", 30001, {"tradeSideType": 2}),
        ("sell_only", None, {"tradeSideType": 3}),
        ("closed", 30016, {"tradeSideType": 4}),
    ],
)
def test_a_symbol_can_be_closed_in_each_way_the_exchange_knows(how: str, code: Any, shows: Any) -> None:
    client, _ = market()
    client.sim("POST", "faults", kind="symbol_closed", how=how)
    assert sell(client).json().get("code") == code
    info: Any = client.public("exchangeInfo", symbol="QRLUSDT").json()
    own: Any = client.signed("GET", "selfSymbols").json()
    default: Any = client.public("defaultSymbols").json()
    offline: Any = client.public("symbol/offline").json()
    seen = info["symbols"][0] | {"self": "QRLUSDT" in own["data"], "default": "QRLUSDT" in default["data"]}
    usual = {"self": True, "default": True, "status": "1", "isSpotTradingAllowed": True, "tradeSideType": 1}
    assert {name: seen[name] for name in usual} == usual | shows
    assert [row["symbol"] for row in offline["data"]] == (["QRLUSDT"] if how == "offline" else [])
    assert price(client).status == 200


def test_a_repeated_client_id_can_be_refused() -> None:
    client, _ = market()
    client.sim("POST", "faults", kind="refuse_duplicates")
    assert sell(client).status == 200
    assert sell(client).json() == {"code": 400, "msg": "duplicate client order id"}
    assert len(orders(client)) == 1


def test_a_fault_meets_so_many_requests_after_so_many_and_counts_them() -> None:
    client, _ = market()
    client.sim("POST", "faults", kind="server_error", times=2, skip=1, **PRICE)
    assert [price(client).status for _ in range(5)] == [200, 503, 503, 200, 200]
    (row,) = client.sim("GET", "faults")["faults"]
    assert (row["hits"], row["times"], row["skip"]) == (2, 0, 0)


def test_a_fault_with_a_probability_meets_the_same_requests_for_the_same_seed() -> None:
    runs = []
    for seed in (1, 1, 2):
        client, _ = market(seed=seed)
        client.sim("POST", "faults", kind="html_403", probability=0.3, **PRICE)
        runs.append([price(client).status for _ in range(40)])
    assert runs[0] == runs[1] != runs[2]
    assert 4 <= runs[0].count(403) <= 20


def test_a_fault_meets_its_endpoint_alone_or_everything() -> None:
    client, _ = market()
    client.sim("POST", "faults", kind="server_error", method="GET", path="/api/v3/account")
    assert (price(client).status, client.signed("GET", "account").status) == (200, 503)
    client.sim("POST", "faults", kind="html_403")
    assert (price(client).status, client.signed("GET", "selfSymbols").status) == (403, 403)


def test_faults_are_switched_off_one_by_one_or_all() -> None:
    client, _ = market()
    added = client.sim("POST", "faults", faults=[{"kind": "html_403"}, {"kind": "drop"}])["faults"]
    assert client.sim("DELETE", "faults", id=added[0]["id"]) == {"cleared": 1}
    with pytest.raises(ConnectionDropped):
        price(client)
    assert client.sim("DELETE", "faults") == {"cleared": 1}
    assert price(client).status == 200


@pytest.mark.parametrize(
    "spec",
    [
        {"kind": "nothing"},
        {"kind": "latency"},
        {"kind": "latency", "ms": -1},
        {"kind": "drop", "when": "never"},
        {"kind": "drop", "ms": 5},
        {"kind": "html_403", "times": -1},
        {"kind": "html_403", "probability": 2},
        {"kind": "partial_fill", "fraction": "1.1"},
        {"kind": "hide_order", "seconds": "NaN"},
        {"kind": "set_field", "field": "price"},
        {"kind": "set_field", "field": "price", "literal": "nan"},
        {"kind": "symbol_closed", "how": "somehow"},
        {"kind": "symbol_closed", "how": ["key"]},
        {"kind": "latency", "ms": 1, "path": 7},
    ],
)
def test_a_fault_that_is_not_documented_is_refused(spec: dict[str, Any]) -> None:
    client, _ = market()
    with pytest.raises(ValueError, match="error"):
        client.sim("POST", "faults", **spec)
    assert client.sim("GET", "faults") == {"faults": []}


def test_every_kind_of_fault_is_tried_by_a_test_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f'"{kind}"' not in text and kind != "clock_skew"] == []
