"""Every endpoint's answer has the keys and types of the recorded payload it imitates."""

import json
from decimal import Decimal
from typing import Any

import pytest

from local.exchange import Options, Response
from tests.conftest import PAYLOADS, payload_text
from tests.exchange_client import NOON, DirectClient, market

# ccxt's captures print ints as text: these are ints on the wire (SOURCES.md).
INTS = frozenset({"orderListId", "time", "updateTime", "transactTime", "T", "lastUpdateId", "timestamp"})
INTS |= {"openTime", "closeTime"}


def recorded(name: str) -> Any:
    return json.loads(payload_text(name))


def shape(value: Any, name: str = "", ints: frozenset[str] = INTS) -> Any:
    """Reduce a payload to its keys and types; of a list, its first entry counts. What `ints` names is an int."""
    if name in ints and value is not None:
        return "int"
    if isinstance(value, dict):
        return {key: shape(item, key, ints) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item, "", ints) for item in value[:1]]
    return "number" if isinstance(value, float | Decimal) else type(value).__name__


def typed(value: Any) -> Any:
    """The same without the allowance for ccxt's captures: our ints must be ints."""
    return shape(value, ints=frozenset())


def without(shape_: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: item for key, item in shape_.items() if key not in names}


def client_of(**config: Any) -> DirectClient:
    return market(NOON + 1_500, **config)[0]


def place(client: DirectClient, kind: str, price: str) -> Response:
    sizes = {"quantity": "100", "price": price, "newClientOrderId": "11"}
    return client.signed("POST", "order", symbol="QRLUSDT", side="SELL", type=kind, **sizes)


@pytest.mark.parametrize(
    ("path", "params", "fixture"),
    [
        ("ping", {}, "ping.official-docs"),
        ("time", {}, "time.official-docs"),
        ("defaultSymbols", {}, "defaultSymbols.mexc-net-live-2025"),
        ("depth", {"symbol": "QRLUSDT"}, "depth.ccxt"),
        ("trades", {"symbol": "QRLUSDT"}, "trades.mexc-net-live-2025"),
        ("klines", {"symbol": "QRLUSDT", "interval": "60m"}, "klines_60m.ccxt"),
        ("ticker/24hr", {"symbol": "QRLUSDT"}, "ticker_24hr_single.ccxt"),
        ("ticker/24hr", {}, "ticker_24hr_list.official-docs"),
        ("ticker/price", {"symbol": "QRLUSDT"}, "ticker_price_single.official-docs"),
        ("ticker/price", {}, "ticker_price_list.official-docs"),
        ("ticker/bookTicker", {"symbol": "QRLUSDT"}, "bookTicker_single.official-docs"),
        ("ticker/bookTicker", {}, "bookTicker_list.official-docs"),
    ],
)
def test_public_answers_have_the_shape_of_the_recorded_ones(path: str, params: Any, fixture: str) -> None:
    answer = client_of().public(path, **params).json()
    assert shape(answer) == shape(recorded(fixture))
    assert typed(answer) == shape(answer)


def test_every_column_of_a_kline_has_the_recorded_type() -> None:
    rows: Any = client_of().public("klines", symbol="QRLUSDT", interval="1d", limit=3).json()
    expected = [type(column) for column in recorded("klines.official-docs")[0]]
    assert all([type(column) for column in row] == expected for row in rows)


def test_exchange_info_has_the_shape_of_the_live_entry_of_2025_and_2026() -> None:
    answer: Any = client_of().public("exchangeInfo", symbol="QRLUSDT").json()
    newest = recorded("exchangeInfo.official-docs-2026")
    wanted: Any = shape(newest)
    wanted["symbols"][0]["conceptPlateIds"] = []
    assert shape(answer) == wanted
    older: Any = shape(recorded("exchangeInfo.mexc-net-live-2025"))["symbols"][0]
    ours = {key: shape(answer)["symbols"][0][key] for key in older}
    assert without(ours, "filters") == without(older, "filters")


def test_offline_symbols_have_the_recorded_shape() -> None:
    client = client_of()
    client.sim("POST", "faults", kind="symbol_closed", how="offline")
    answer = client.public("symbol/offline").json()
    assert shape(answer) == shape(recorded("symbol_offline.official-docs-2026"))


@pytest.mark.parametrize(
    ("path", "params", "fixture"),
    [
        ("account", {}, "account.live-zano-2025"),
        ("tradeFee", {"symbol": "QRLUSDT"}, "tradeFee.official-docs"),
        ("myTrades", {"symbol": "QRLUSDT"}, "myTrades_buy.live-fusd-2025"),
        ("order", {"symbol": "QRLUSDT", "origClientOrderId": "11"}, "order_query_filled.live-zano-2025"),
        ("allOrders", {"symbol": "QRLUSDT"}, "order_query_filled.live-zano-2025"),
        ("openOrders", {"symbol": "QRLUSDT"}, "order_query_filled.live-zano-2025"),
    ],
)
def test_signed_answers_have_the_shape_of_the_recorded_ones(path: str, params: Any, fixture: str) -> None:
    client = client_of()
    client.sim("POST", "rules", fees={"maker": "0.001"})
    place(client, "LIMIT", "0.0205")
    place(client, "IMMEDIATE_OR_CANCEL", "0.0199")
    wanted: Any = shape(recorded(fixture))
    if path in ("allOrders", "openOrders"):
        wanted = [wanted]
    if path == "myTrades":
        # Null there, for an order without one.
        wanted[0]["clientOrderId"] = "str"
    answer = client.signed("GET", path, **params).json()
    assert shape(answer) == wanted
    assert typed(answer) == shape(answer)


@pytest.mark.parametrize(
    ("style", "fixture"),
    [
        ("null", "account.official-docs-2026"),
        ("ints", "account.mexc-net-old"),
        ("absent", "account.official-docs-2025"),
    ],
)
def test_commissions_of_the_account_come_in_three_styles(style: Any, fixture: str) -> None:
    answer: Any = shape(client_of(options=Options(commission_fields=style)).signed("GET", "account").json())
    wanted: Any = shape(recorded(fixture))
    assert without(answer, "balances") == without(wanted, "balances")
    assert wanted["balances"][0].items() <= answer["balances"][0].items()


def test_symbol_lists_come_in_the_live_envelope_or_in_the_documented_one() -> None:
    documented = client_of(options=Options(envelope_code=200))
    for path, fixture in (("selfSymbols", "selfSymbols"), ("defaultSymbols", "defaultSymbols")):
        answer: Any = documented.signed("GET", path).json()
        assert shape(answer) == shape(recorded(f"{fixture}.official-docs"))
        assert answer["code"] == 200
        live: Any = client_of().signed("GET", path).json()
        assert (live["code"], live["msg"]) == (0, "success")


def test_acks_have_the_shapes_of_2025_2026_and_of_test_data_with_the_client_id() -> None:
    ack: Any = shape(place(client_of(), "IMMEDIATE_OR_CANCEL", "0.0199").json())
    assert ack == shape(recorded("order_new.official-docs-2026"))
    assert without(ack, "stpMode") == shape(recorded("order_new_ioc.ccxt-comment"))
    echoed: Any = place(client_of(options=Options(ack_client_id=True)), "IMMEDIATE_OR_CANCEL", "0.0199").json()
    assert without(shape(echoed), "clientOrderId") == ack
    assert echoed["clientOrderId"] == "11"


@pytest.mark.parametrize(("named", "client_id"), [(True, "11"), (False, None)])
def test_fills_carry_the_client_order_id_or_null(named: bool, client_id: str | None) -> None:
    client = client_of(options=Options(fill_client_id=named))
    place(client, "IMMEDIATE_OR_CANCEL", "0.0199")
    (fill,) = client.signed("GET", "myTrades", symbol="QRLUSDT").json()
    assert fill["clientOrderId"] == client_id


def test_cancels_have_the_recorded_shapes() -> None:
    client = client_of()
    place(client, "LIMIT", "0.0205")
    one: Any = shape(client.signed("DELETE", "order", symbol="QRLUSDT", origClientOrderId="11").json())
    documented = shape(recorded("order_cancel.official-docs"))
    # Live order objects carry null where the documents print GTC, and ids are text.
    assert one == documented | {"orderListId": "int", "timeInForce": "NoneType", "orderId": "str"}
    place(client, "LIMIT", "0.0205")
    several: Any = client.signed("DELETE", "openOrders", symbol="QRLUSDT").json()
    live = recorded("order_cancel_all.live-pls-2024")
    assert shape(several) == shape(live)
    assert several[0]["status"] == live[0]["status"] == "NEW"


def test_order_test_answers_an_empty_object() -> None:
    params = {"side": "BUY", "type": "LIMIT", "quantity": "100", "price": "0.02"}
    answer = client_of().signed("POST", "order/test", symbol="QRLUSDT", **params).json()
    assert answer == recorded("order_test.official-docs")


def refusals() -> list[tuple[str, Response]]:
    """Provoke each refusal of which a body is recorded."""
    client = client_of()
    order = {"symbol": "QRLUSDT", "side": "BUY", "type": "LIMIT", "quantity": "100", "price": "0.02"}

    def refused(**change: str) -> Response:
        return client.signed("POST", "order", **(order | change))

    market_buy = {"symbol": "QRLUSDT", "side": "BUY", "type": "MARKET"}
    query = f"timestamp={client.exchange.clock.now_ms()}".encode()
    headers = {"Content-Type": "application/json", "X-MEXC-APIKEY": client.api_key}

    def raw(query: bytes, headers: dict[str, str]) -> Response:
        return client.exchange.handle("GET", "/api/v3/account", query, headers)

    found = [
        ("10007_bad_symbol", refused(symbol="NOPEUSDT")),
        ("30004_insufficient", refused(quantity="30000")),
        ("30005_oversold", refused(side="SELL", quantity="1001")),
        ("400_quantity_scale", refused(quantity="1.23456")),
        ("400_amount_scale", client.signed("POST", "order", **market_buy, quoteOrderQty="5.1234567")),
        ("400_api_key_required", raw(query, {"Content-Type": "application/json"})),
        ("700002_signature", raw(query + b"&signature=00", headers)),
        ("700003_timestamp", client.signed("GET", "account", timestamp=NOON - 60_000)),
        ("700004_no_signature", raw(query, headers)),
        ("700013_content_type", raw(query, {"X-MEXC-APIKEY": client.api_key})),
        ("minus1121_interval", client.public("klines", symbol="QRLUSDT", interval="1h")),
        ("minus1121_symbol", client.public("depth", symbol="NOPEUSDT")),
        ("minus1128_params", client.signed("GET", "allOrders", symbol="QRLUSDT", startTime=1, endTime=NOON)),
        ("minus2011_unknown_order", client.signed("DELETE", "order", symbol="QRLUSDT", orderId="C02__1")),
        ("minus2013_not_found", client.signed("GET", "order", symbol="QRLUSDT", orderId="C02__1")),
    ]
    client.sim("POST", "rules", quoteAmountPrecision="0.5")
    found.append(("30002_min_notional", refused(quantity="20")))
    client.sim("POST", "account", can_trade=False)
    found.append(("30018_account", refused()))
    client.sim("POST", "account", can_trade=True)
    client.sim("POST", "faults", kind="server_error", times=1)
    found.append(("503_unknown", client.public("ping")))
    client.sim("POST", "faults", kind="rate_limited", times=1)
    found.append(("429_rate", client.public("ping")))
    client.sim("POST", "faults", kind="market_closed", times=1)
    found.append(("30051_market_disabled", client.signed("POST", "order", **market_buy, quoteOrderQty="5")))
    client.sim("POST", "rules", apiOpen=False)
    found.append(("10007_symbol", refused()))
    client.sim("POST", "options", key_permissions=[])
    found.append(("700007_permission", client.signed("GET", "account")))
    return found


def test_refusals_equal_the_recorded_ones_to_the_letter() -> None:
    provoked = refusals()
    for name, response in provoked:
        expected = recorded(f"error_{name}")
        assert (response.status, response.json()) == (expected["http_status"], expected["body"]), name
    # The history range is an answer of wallet endpoints, which are not simulated.
    all_names = {file.stem.removeprefix("error_") for file in PAYLOADS.glob("error_*.json")}
    assert all_names - {name for name, _ in provoked} == {"400_history_range"}
