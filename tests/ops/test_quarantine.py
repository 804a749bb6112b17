"""A row that cannot be booked holds trading until one command of an operator, and costs nothing else."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.ops.repair import SOUND
from tests.builders import d, fill_payload, order_payload, told
from tests.conftest import Functions, Live
from tests.fakes import NOON, Call

ODD = fill_payload("BUY", "1000", "0.02", number=77, at=NOON) | {"isBuyer": None}
HOLD = "Fill in quarantine: 77X1 (isBuyer: Input should be a valid boolean)"
KEY = "bot:QRLUSDT:ledger:quarantine"


@pytest.fixture
def odd(live: Live) -> Live:
    """The exchange lists a purchase of 1000 among its fills, and not which side it was."""
    return telling(live, ODD)


def telling(live: Live, odd_row: dict[str, Any]) -> Live:
    def tells(call: Call) -> Any:
        answer = live.desk.carry_out(call)
        rows = told_rows(answer[1])
        within = int(call.params["startTime"]) <= odd_row["time"] <= int(call.params["endTime"])
        return [*rows, odd_row] if within and "orderId" not in call.params else rows

    live.desk.on["GET myTrades"] = tells
    live.clock.move(60)
    return live


def told_rows(body: str) -> list[Any]:
    rows: list[Any] = json.loads(body)
    return rows


def test_trading_holds_and_everything_else_goes_on(odd: Live, bare_functions: Functions) -> None:
    answer = odd.run(15)
    assert (answer["rebalance"]["reason"], answer["order"], odd.sent) == (HOLD, None, 0)
    assert answer["cost_update"]["status"] == "success"
    assert [row["id"] for row in answer["cost_update"]["quarantine"]] == ["77X1"]
    assert odd.by_hand()["rebalance"]["reason"] == HOLD
    state = told(bare_functions.get("ops"))["data"]
    assert [row["odd"]["fill_id"] for row in state["quarantine"]] == ["77X1"]
    assert '"isBuyer":null' in state["quarantine"][0]["odd"]["row"]


def test_it_trades_again_after_one_command_that_says_what_the_fill_was(
    odd: Live, bare_functions: Functions
) -> None:
    assert odd.run(15)["order"] is None
    before = odd.ledger_quantity()
    response = bare_functions.command("book-fill", id="77X1", side="BUY", reason="seen in the app")
    assert (response.status_code, told(response)["data"]["fill"]["side"]) == (200, "BUY")
    answer = odd.run(30)
    assert answer["order"]["status"] == "FILLED"
    assert answer["cost_update"]["before_order"]["quarantine"] == []
    assert odd.ledger_quantity() == before + 1000 - d(answer["order"]["filled_quantity"])
    later = odd.run(45)
    assert later["cost_update"]["fill_count"] == answer["cost_update"]["after_order"]["fill_count"]
    assert [given["by"] for given in state_commands(bare_functions)] == ["X-CloudScheduler"]


def state_commands(functions: Functions) -> Any:
    return told(functions.get("ops"))["data"]["commands"]


def test_it_trades_again_after_a_row_was_ignored_and_never_books_it(odd: Live, bare_functions: Functions) -> None:
    odd.run(15)
    before = odd.ledger_quantity()
    assert bare_functions.command("ignore-fill", id="77X1", reason="not ours").status_code == 200
    answer = odd.run(30)
    assert answer["order"]["status"] == "FILLED"
    assert odd.ledger_quantity() == before - d(answer["order"]["filled_quantity"])
    assert odd.run(45)["rebalance"]["reason"] != HOLD


def test_a_row_that_can_be_read_again_is_booked_without_a_word(odd: Live) -> None:
    odd.run(15)
    before = odd.ledger_quantity()
    ODD_NOW = ODD | {"isBuyer": True}
    odd.desk.on["GET myTrades"] = lambda call: [*told_rows(odd.desk.carry_out(call)[1]), ODD_NOW]
    odd.call("cost")
    assert odd.ledger_quantity() == before + 1000
    assert odd.client.exists(KEY) == 0


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"id": "78X1", "side": "BUY"}, "id: one of those in quarantine (77X1)"),
        ({"side": "BUY"}, "id: one of those in quarantine (77X1)"),
        ({"id": "77X1"}, "give what the row does not say (isBuyer"),
        ({"id": "77X1", "side": "HOLD"}, "side: BUY or SELL"),
        ({"id": "77X1", "side": "BUY", "price": "NaN"}, "give what the row does not say (price"),
        ({"id": "77X1", "side": "BUY", "quantity": "0"}, "quantity: is 0"),
        ({"id": "77X1", "side": "BUY", "time": "noon"}, "time: ISO 8601 with an offset"),
    ],
)
def test_a_command_that_leaves_something_open_changes_nothing(
    body: dict[str, Any], why: str, odd: Live, bare_functions: Functions
) -> None:
    odd.run(15)
    before = odd.client.hgetall(KEY)
    response = bare_functions.command("book-fill", **body)
    assert response.status_code == 400
    assert why in told(response)["error"]["message"]
    assert odd.client.hgetall(KEY) == before


def test_a_fill_of_the_years_to_come_is_booked_at_the_time_an_operator_gives(
    live: Live, bare_functions: Functions
) -> None:
    """As it came it would never be sealed, and hold every order for good."""
    ahead = fill_payload("BUY", "1000", "0.02", number=78, at=NOON + timedelta(days=3650))
    live.desk.on["GET myTrades"] = lambda call: [*told_rows(live.desk.carry_out(call)[1]), ahead]
    live.desk.market.hold(QRL="31000", USDT="380")
    assert "78X1 (time: 2035-12-31T12:00:00+00:00 is still to come)" in live.run(15)["rebalance"]["reason"]
    said = bare_functions.command("book-fill", id="78X1", time=(NOON + timedelta(minutes=1)).isoformat())
    assert said.status_code == 200
    answer = live.run(30)
    assert (answer["order"]["status"], answer["cost_update"]["drift_quantity"]) == ("FILLED", 0)
    assert live.ledger_quantity() == live.desk.market.total("QRL")


def test_what_was_said_stands(odd: Live, bare_functions: Functions) -> None:
    odd.run(15)
    assert bare_functions.command("ignore-fill", id="77X1").status_code == 200
    again = bare_functions.command("book-fill", id="77X1", side="BUY")
    assert "spoken of by X-CloudScheduler before" in told(again)["error"]["message"]


def test_what_an_operator_says_of_a_fill_takes_the_place_of_what_the_row_told(
    odd: Live, bare_functions: Functions
) -> None:
    odd.run(15)
    said = {"side": "SELL", "price": "0.03", "quantity": 500, "fee": "0.5", "fee_asset": "QRL"}
    fill = told(bare_functions.command("book-fill", id="77X1", **said))["data"]["fill"]
    assert [Decimal(fill[name]) for name in ("price", "quantity", "notional", "fee")] == [
        d("0.03"),
        d(500),
        d(15),
        d("0.5"),
    ]
    assert (fill["side"], fill["fee_asset"]) == ("SELL", "QRL")


@pytest.mark.parametrize("field", ["id", "orderId", "commissionAsset", "clientOrderId"])
def test_a_row_whose_text_is_none_lies_aside_and_its_bytes_are_kept_read_and_shown(
    field: str, live: Live, bare_functions: Functions
) -> None:
    """JSON can spell half of a surrogate pair, UTF-8 cannot: Redis, log and answers carry its escape."""
    odd = telling(live, fill_payload("BUY", "1000", "0.02", number=77, at=NOON) | {field: "x\ud800"})
    answer = odd.run(15)
    assert answer["rebalance"]["reason"].startswith("Fill in quarantine: ")
    (waiting,) = answer["cost_update"]["quarantine"]
    assert (waiting["reason"].split(":")[0], answer["cost_update"]["status"], odd.sent) == (field, "success", 0)
    assert waiting["id"].startswith("row-") if field == "id" else waiting["id"] == "77X1"
    state = told(bare_functions.get("ops"))["data"]
    assert '"x\\ud800"' in state["quarantine"][0]["odd"]["row"]
    shown = bare_functions.get("cost", "?raw=my_trades")
    assert "x\\ud800" in shown.get_data(as_text=True)
    said = {"side": "BUY", "fee": 0, "fee_asset": "USDT", "order_id": "1", "reason": "seen in the app"}
    before = odd.ledger_quantity()
    booked = bare_functions.command("book-fill", id=waiting["id"], **said)
    assert booked.status_code == 200, told(booked)
    answer = odd.run(30)
    assert answer["order"]["status"] == "FILLED"
    assert odd.ledger_quantity() == before + 1000 - d(answer["order"]["filled_quantity"])


def test_a_balance_or_an_order_whose_text_is_none_is_left_out_and_plans_are_made_again_all_the_same(
    live: Live, bare_functions: Functions
) -> None:
    def with_row(name: str, where: str | None, row: dict[str, Any]) -> None:
        def tells(call: Call) -> Any:
            payload = json.loads(live.desk.carry_out(call)[1])
            (payload if where is None else payload[where]).append(row)
            return payload

        live.desk.on[f"GET {name}"] = tells

    with_row("account", "balances", {"asset": "\ud800", "free": "1", "locked": "0"})
    with_row("openOrders", None, order_payload(clientOrderId="\udfff", side="SELL"))
    answer = live.run(15)
    assert answer["status"] == "success", answer
    assert answer["order"]["status"] == "FILLED"
    findings = told(bare_functions.get("ops", "verify"))["data"]["findings"]
    (replayed,) = [finding for finding in findings if finding["name"] == "plans_reproduced"]
    assert (replayed["ok"], replayed["explanation"]) == (True, "1 of 1 plans reproduced")
    sound = bare_functions.command("repair", key="mexc:raw:account_info:latest")
    assert (sound.status_code, told(sound)["error"]["message"]) == (400, SOUND)
