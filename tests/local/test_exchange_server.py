"""The simulated exchange as a program: sockets, weights, control API, command line, imports."""

import ast
import http.client
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from local.exchange import ExchangeConfig, ExchangeServer, RateLimit, Response, SimulatedExchange
from local.exchange.__main__ import main
from local.exchange.access import sign
from tests.exchange_client import NOON, DirectClient, ManualClock, standing

MINUTE = 60_000
DAY = 86_400_000
ROOT = Path(__file__).parents[2]


@pytest.fixture
def server() -> Iterator[ExchangeServer]:
    with ExchangeServer(SimulatedExchange(clock=ManualClock(NOON).now_ms)) as handle:
        yield handle


def ask(connection: http.client.HTTPConnection, target: str, **headers: str) -> tuple[int, Any]:
    connection.request("GET", target, headers=headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_one_connection_carries_many_requests(server: ExchangeServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    assert ask(connection, "/api/v3/time") == (200, {"serverTime": NOON})
    sock = connection.sock
    assert sock is not None
    status, body = ask(connection, "/api/v3/ticker/price?symbol=QRLUSDT")
    assert (status, body["symbol"]) == (200, "QRLUSDT")
    assert connection.sock is sock
    connection.close()


def test_the_query_reaches_the_signature_check_byte_by_byte(server: ExchangeServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    headers = {"X-MEXC-APIKEY": "mx0simulated", "Content-Type": "application/json"}
    query = f"symbol=QRLUSDT%2CMXUSDT&timestamp={NOON}"
    signed = f"{query}&signature={sign('simulated-secret', query.encode())}"
    assert ask(connection, f"/api/v3/openOrders?{signed}", **headers) == (200, [])
    lowered = signed.replace("%2C", "%2c")
    assert ask(connection, f"/api/v3/openOrders?{lowered}", **headers)[1]["code"] == 700002
    connection.close()


def test_a_dropped_connection_is_reset_and_the_next_one_works(server: ExchangeServer) -> None:
    DirectClient(server.exchange).sim("POST", "faults", kind="drop", times=1)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    with pytest.raises(ConnectionError):
        ask(connection, "/api/v3/ping")
    connection.close()
    assert ask(connection, "/api/v3/ping") == (200, {})
    connection.close()


def test_bytes_that_are_no_request_are_answered_400_and_the_connection_ends(server: ExchangeServer) -> None:
    for sent in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nno colon here\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
            raw.sendall(sent)
            assert raw.recv(4096).startswith(b"HTTP/1.1 400")
            assert raw.recv(4096) == b""


def test_only_loopback_is_listened_on(server: ExchangeServer) -> None:
    assert server.url == f"http://127.0.0.1:{server.port}"


def test_requests_of_many_threads_are_all_counted(server: ExchangeServer) -> None:
    def run() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        for _ in range(20):
            ask(connection, "/api/v3/ping")
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.exchange.requests["GET /api/v3/ping"] == 100
    assert server.exchange.statuses["GET /api/v3/ping 200"] == 100


def test_closing_the_server_ends_connections_that_stay_open() -> None:
    handle = ExchangeServer(SimulatedExchange(clock=ManualClock(NOON).now_ms))
    connection = http.client.HTTPConnection("127.0.0.1", handle.port, timeout=5)
    ask(connection, "/api/v3/ping")
    handle.close()
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask(connection, "/api/v3/ping")
    connection.close()


def test_the_command_line_says_where_it_listens_and_starts_at_the_time_and_price_asked_for() -> None:
    arguments = ["--start", "2026-03-01T12:00", "--frozen", "--price", "0.5", "--balance", "QRL=7.5"]
    arguments += ["--spread", "0.01", "--depth", "90"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "local.exchange", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline().split()
        connection = http.client.HTTPConnection("127.0.0.1", int(said[-1].rpartition(":")[2]), timeout=5)
        time = ask(connection, "/api/v3/time")
        price = ask(connection, "/api/v3/ticker/price?symbol=QRLUSDT")
        state = ask(connection, "/sim/state")[1]
        _, depth = ask(connection, "/api/v3/depth?symbol=QRLUSDT")
        connection.close()
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert said[:2] == ["listening", "on"]
    assert time == (200, {"serverTime": NOON})
    assert price == (200, {"symbol": "QRLUSDT", "price": "0.500000"})
    assert state["balances"] == {"QRL": {"free": "7.5", "locked": "0"}}
    assert (depth["bids"][0][0], depth["asks"][0][0]) == ("0.497500", "0.502500")
    assert 54 < sum(Decimal(price) * Decimal(quantity) for price, quantity in depth["asks"]) < 126
    assert (process.returncode, rest) == (0, "")


def test_the_command_line_refuses_a_missing_candle_file_a_spread_of_all_and_a_state_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--candles", "/nowhere.csv.gz"]) == 2
    assert capsys.readouterr().err.startswith("cannot start:")
    with pytest.raises(SystemExit):
        main(["--spread", "1"])
    assert "argument --spread: '1' is no fraction below 1" in capsys.readouterr().err
    state = tmp_path / "state"
    for content in (b"", b"garbage", b"cno_module\nname\n.", pickle.dumps(None), pickle.dumps({"start_ms": 1})):
        state.write_bytes(content)
        assert main(["--state", str(state)]) == 2
        assert capsys.readouterr().err == f"cannot start: --state: {state} holds no state of an earlier run\n"
        assert state.read_bytes() == content


def spend(client: DirectClient, times: int) -> list[Response]:
    return [client.public("symbol/offline") for _ in range(times)]


def test_weight_beyond_the_window_is_answered_429_until_the_wait_is_over() -> None:
    client, clock = standing(NOON, rate_limit=RateLimit(weight=500, retry_after_s=10))
    assert {answer.status for answer in spend(client, 50)} == {200}
    refused = client.public("ping")
    assert (refused.status, refused.headers["Retry-After"], refused.json()) == (429, "10", {"code": 429})
    clock.advance(9_001)
    assert client.public("ping").headers["Retry-After"] == "1"
    clock.advance(999)
    assert client.public("ping").status == 200


def test_the_window_slides() -> None:
    client, clock = standing(NOON, rate_limit=RateLimit(weight=100))
    spend(client, 5)
    clock.advance(6_000)
    spend(client, 5)
    clock.advance(4_000)
    assert [answer.status for answer in spend(client, 6)] == [200] * 5 + [429]


def test_who_goes_on_after_429_is_banned_with_418() -> None:
    client, clock = standing(NOON, rate_limit=RateLimit(weight=10, patience=3, ban_s=120))
    statuses = [answer.status for answer in spend(client, 6)]
    assert statuses == [200, 429, 429, 429, 418, 418]
    assert client.public("ping").headers["Retry-After"] == "120"
    clock.advance(120_000)
    assert client.public("ping").status == 200


def test_the_limit_is_shared_by_all_endpoints_unless_it_is_said_to_be_their_own() -> None:
    for per_endpoint, status in ((False, 429), (True, 200)):
        client, _ = standing(NOON, rate_limit=RateLimit(weight=10, per_endpoint=per_endpoint))
        spend(client, 1)
        assert client.public("ping").status == status


def test_each_address_has_its_own_limit() -> None:
    client, _ = standing(NOON, rate_limit=RateLimit(weight=10))
    spend(client, 1)
    assert client.exchange.handle("GET", "/api/v3/ping", client="127.0.0.2").status == 200


def test_the_limit_can_be_switched_off() -> None:
    client, _ = standing(NOON, rate_limit=RateLimit(weight=None))
    assert {answer.status for answer in spend(client, 200)} == {200}


def test_all_tickers_weigh_more_than_one() -> None:
    for params, left in (({"symbol": "QRLUSDT"}, 200), ({}, 429)):
        client, _ = standing(NOON, rate_limit=RateLimit(weight=40))
        client.public("ticker/24hr", **params)
        assert client.public("time").status == left


def test_every_request_is_counted_by_endpoint_and_by_answer() -> None:
    client, _ = standing(NOON)
    client.public("ping")
    client.signed("GET", "account")
    client.signed("GET", "account", timestamp=NOON - DAY)
    state = client.sim("GET", "state")
    assert state["requests"] == {"GET /api/v3/ping": 1, "GET /api/v3/account": 2}
    assert state["statuses"] == {
        "GET /api/v3/ping 200": 1,
        "GET /api/v3/account 200": 1,
        "GET /api/v3/account 400": 1,
    }


def test_an_unknown_path_is_404_and_a_wrong_method_405() -> None:
    client, _ = standing(NOON)
    assert client.public("nothing").status == 404
    assert client.exchange.handle("PUT", "/api/v3/order").status == 405


def test_the_clock_can_be_set_frozen_moved_and_given_back() -> None:
    client, clock = standing(NOON)
    assert client.sim("POST", "clock", now_ms=NOON + DAY) == {"now_ms": NOON + DAY, "frozen": False}
    clock.advance(5)
    assert client.public("time").json() == {"serverTime": NOON + DAY + 5}
    client.sim("POST", "clock", now_ms=NOON - DAY, frozen=True)
    clock.advance(5)
    assert client.public("time").json() == {"serverTime": NOON - DAY}
    assert client.sim("POST", "clock", advance_ms=MINUTE) == {"now_ms": NOON - DAY + MINUTE, "frozen": True}
    assert client.sim("POST", "clock", now_ms=None) == {"now_ms": NOON + 10, "frozen": False}


def test_a_clock_set_back_lets_the_market_live_on_from_there() -> None:
    client, _ = standing(NOON)
    client.sim("POST", "price", price="0.02")
    sale = {"symbol": "QRLUSDT", "side": "SELL", "type": "LIMIT", "quantity": "100", "price": "0.0205"}
    client.sim("POST", "clock", now_ms=NOON - DAY)
    ticker: Any = client.public("ticker/price", symbol="QRLUSDT").json()
    assert ticker["price"] == "0.02"
    client.signed("POST", "order", **sale)
    client.sim("POST", "price", price="0.021")
    assert client.sim("GET", "state")["orders"][0]["status"] == "FILLED"


def test_deposits_and_withdrawals_change_free_balances() -> None:
    client, _ = standing(NOON)
    assert client.sim("POST", "deposit", asset="QRL", amount="0.5") == {
        "asset": "QRL",
        "free": "1000.5",
        "locked": "0",
    }
    client.sim("POST", "deposit", asset="USDT", amount="-500")
    account: Any = client.signed("GET", "account").json()
    assert [(row["asset"], row["free"]) for row in account["balances"]] == [("QRL", "1000.5")]
    with pytest.raises(ValueError, match="only 0 free"):
        client.sim("POST", "deposit", asset="USDT", amount="-1")


def test_balances_are_set_one_by_one_or_as_a_whole() -> None:
    client, _ = standing(NOON)
    client.sim("POST", "account", balances={"BTC": "0.1"})
    assert [row["asset"] for row in client.sim("POST", "account")["balances"]] == ["BTC", "QRL", "USDT"]
    rows = client.sim("POST", "account", balances={"BTC": "0.2"}, replace=True)["balances"]
    assert [(row["asset"], row["free"]) for row in rows] == [("BTC", "0.2")]


def test_exchange_info_can_show_what_is_not_enforced_and_what_makes_no_sense() -> None:
    client, _ = standing(NOON)
    client.sim("POST", "rules", shown={"tradeSideType": "1", "quotePrecision": None, "newField": [1]})
    info: Any = client.public("exchangeInfo", symbol="QRLUSDT").json()
    entry = info["symbols"][0]
    assert (entry["tradeSideType"], entry["quotePrecision"], entry["newField"]) == ("1", None, [1])
    client.sim("POST", "rules", shown=None)
    info = client.public("exchangeInfo", symbol="QRLUSDT").json()
    assert info["symbols"][0]["quotePrecision"] == 6


def test_rules_are_shown_as_they_are_enforced() -> None:
    client, _ = standing(NOON)
    band = {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "0.5", "askMultiplierDown": "0.5"}
    client.sim("POST", "rules", baseAssetPrecision=2, quoteAmountPrecision="5", filters=[band])
    info: Any = client.public("exchangeInfo", symbol="QRLUSDT").json()
    entry = info["symbols"][0]
    assert (entry["baseAssetPrecision"], entry["quoteAmountPrecision"], entry["filters"]) == (2, "5", [band])


def test_the_fees_an_account_pays_are_those_of_trade_fee_not_of_exchange_info() -> None:
    client, _ = standing(NOON)
    client.sim("POST", "rules", fees={"taker": "0.002", "asset": "MX"}, takerCommission="0.001")
    fee: Any = client.signed("GET", "tradeFee", symbol="QRLUSDT").json()
    info: Any = client.public("exchangeInfo", symbol="QRLUSDT").json()
    assert str(fee["data"]["takerCommission"]) == "0.002"
    assert info["symbols"][0]["takerCommission"] == "0.001"


@pytest.mark.parametrize(
    ("path", "spec"),
    [
        ("clock", {"now_ms": "noon"}),
        ("clock", {"frozen": 1}),
        ("clock", {"typo": 1}),
        ("price", {}),
        ("price", {"price": "-1"}),
        ("price", {"price": "1", "symbol": "NOPE"}),
        ("price", {"price": "1", "symbol": ["QRLUSDT"]}),
        ("account", {"balances": {"QRL": "-1"}}),
        ("account", {"balances": [1]}),
        ("deposit", {"asset": "QRL"}),
        ("deposit", {"amount": "1"}),
        ("fills", {}),
        ("rules", {"typo": 1}),
        ("rules", {"baseAssetPrecision": "2"}),
        ("rules", {"filters": [{}]}),
        ("rules", {"fees": {"asset": "BNB"}}),
        ("rules", {"baseAsset": "BTC"}),
        ("options", {"options": {"trades_order": "random"}}),
        ("options", {"book": {"levels": "3"}}),
        ("nothing", {}),
    ],
)
def test_what_the_control_api_does_not_know_is_refused_and_changes_nothing(path: str, spec: Any) -> None:
    client, _ = standing(NOON)
    before = client.sim("GET", "state")
    with pytest.raises(ValueError, match="error"):
        client.sim("POST", path, **spec)
    assert client.sim("GET", "state") == before


def test_switches_book_limit_and_key_can_be_changed_while_it_runs() -> None:
    client, _ = standing(NOON)
    answer = client.sim(
        "POST",
        "options",
        options={"commission_fields": "ints"},
        book={"notional_per_side": "50"},
        rate_limit={"weight": None},
        key_symbols=[],
    )
    assert (answer["options"]["commission_fields"], answer["book"]["notional_per_side"]) == ("ints", "50")
    account: Any = client.signed("GET", "account").json()
    assert account["takerCommission"] == 5
    assert client.signed("GET", "selfSymbols").json()["data"] == []


def test_with_the_same_seed_clock_and_requests_everything_is_the_same() -> None:
    states = []
    for _ in range(2):
        client, clock = standing(NOON, seed=9)
        for number in range(30):
            clock.advance(47_000)
            kind, price = ("MARKET", {}) if number % 3 else ("LIMIT", {"price": "0.0195"})
            side = {"side": "SELL", "quantity": "60", "newClientOrderId": f"n{number}"}
            client.signed("POST", "order", symbol="QRLUSDT", type=kind, **side, **price)
        states.append(client.sim("GET", "state"))
    assert states[0] == states[1]
    assert states[0]["fills"]


def test_another_symbol_can_be_traded_in_place_of_qrl() -> None:
    exchange = SimulatedExchange(ExchangeConfig(symbol="BTCUSDT"), clock=ManualClock(NOON).now_ms)
    info: Any = DirectClient(exchange).public("exchangeInfo", symbol="BTCUSDT").json()
    assert info["symbols"][0]["baseAsset"] == "BTC"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"symbol": "QRLBTC"}, "only pairs against USDT"),
        ({"symbol": "MXUSDT"}, "always there"),
        ({"start_price": Decimal(0)}, "must be positive"),
    ],
)
def test_a_configuration_that_contradicts_itself_is_refused(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ExchangeConfig(**config)


def test_the_simulated_exchange_imports_nothing_of_the_bot() -> None:
    others = ("local.exchange", "local.candles.", "pydantic")
    for file in (ROOT / "local/exchange").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top = name.partition(".")[0]
                assert top in sys.stdlib_module_names or name.startswith(others), (file.name, name)
