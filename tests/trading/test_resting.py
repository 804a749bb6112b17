"""Orders that rest (contract.md §12): left in the book on purpose, asked for first, final before anything else."""

import json
from datetime import timedelta
from typing import Any

import pytest
import requests

from common.domain.orders.journal import Activity
from common.trading.attention import traded
from tests.builders import d, told
from tests.conftest import Functions, Live
from tests.fakes import NOON, Call
from tests.trading.test_execution import nowhere
from tests.trading.test_resolution import settle

DAY = 24 * 60


@pytest.fixture
def resting(live: Live) -> Live:
    """An order of noon that rests: 5000 QRL at 0.02001."""
    live.start(ORDER_STYLE="maker", ORDER_COOLDOWN_SECONDS="3600")
    answer = live.run()
    assert answer["order"]["status"] == live.intent()["state"] == "RESTING"
    return live


def open_orders(live: Live) -> list[str]:
    return [order["clientOrderId"] for order in live.orders if order["status"] in ("NEW", "PARTIALLY_FILLED")]


def agrees(live: Live) -> bool:
    return live.ledger_quantity() == live.desk.market.total("QRL")


def test_a_run_ends_with_its_order_in_the_book(resting: Live) -> None:
    intent = resting.intent()
    assert (intent["order_id"], intent["filled_quantity"]) == (resting.orders[0]["orderId"], "0")
    assert d(intent["mid_price"]) == d("0.02")
    assert resting.open_intents() == open_orders(resting) == [resting.name()]
    assert resting.clock.monotonic() < 5
    assert resting.desk.asked("DELETE order") == []


def test_the_next_plan_cancels_what_remains_and_one_that_filled_nothing_is_a_placement_only(resting: Live) -> None:
    resting.desk.latency = 0
    answer = resting.run(15)
    assert resting.intent()["state"] == "CANCELED"
    assert answer["order"]["status"] == "RESTING"
    assert open_orders(resting) == [resting.name(15)]
    at = NOON + timedelta(minutes=15)
    assert resting.activity == Activity(orders=1, placements=2, last_order_at=at, last_slot=at)


def test_one_that_filled_while_nobody_looked_is_in_the_ledger_before_the_next_plan(resting: Live) -> None:
    resting.desk.market.set_price("0.0203")
    answer = resting.run(15)
    assert (resting.intent()["state"], resting.intent()["filled_quantity"]) == ("FILLED", "5000")
    assert answer["cost_update"]["qrl_balance"] == 25000
    assert answer["cost_update"]["drift_quantity"] == 0
    assert "3600" in answer["rebalance"]["reason"] or answer["rebalance"]["action"] == "HOLD"
    assert (resting.activity.orders, agrees(resting)) == (1, True)


def test_a_rebalance_by_hand_takes_its_fills_in_as_well(resting: Live) -> None:
    resting.desk.market.set_price("0.0203")
    resting.clock.move(60)
    resting.by_hand()
    assert resting.intent()["state"] == "FILLED"
    assert agrees(resting)


@pytest.mark.parametrize("job", ["balance", "cost"])
def test_a_job_that_plans_nothing_leaves_it_until_its_time_is_over(resting: Live, job: str) -> None:
    resting.clock.move(800)
    resting.call(job)
    assert open_orders(resting) == resting.open_intents() == [resting.name()]
    resting.clock.move(60)
    resting.call(job)
    assert (open_orders(resting), resting.open_intents()) == ([], [])
    assert resting.intent()["state"] == "CANCELED"


def test_what_has_filled_so_far_is_written_down_while_the_rest_goes_on_resting(resting: Live) -> None:
    resting.desk.market.sim("options", book={"notional_per_side": "60"})
    resting.desk.market.set_price("0.0203")
    resting.clock.move(61)
    resting.call("balance")
    intent = resting.intent()
    assert intent["state"] == "RESTING"
    assert 0 < d(intent["filled_quantity"]) < 5000
    assert open_orders(resting) == [resting.name()]
    resting.run(15)
    assert resting.intent()["state"] in ("PARTIALLY_FILLED", "FILLED")
    assert agrees(resting)


def test_one_that_the_exchange_cancelled_is_over(resting: Live) -> None:
    engine = resting.desk.market.exchange.engine
    engine.cancel(engine.open_orders()[0], resting.desk.market.now_ms())
    resting.clock.move(60)
    resting.call("balance")
    assert (resting.intent()["state"], resting.open_intents()) == ("CANCELED", [])


def test_a_cancel_whose_answer_is_lost_is_asked_about(resting: Live) -> None:
    resting.desk.on["DELETE order"] = lambda call: (resting.desk.carry_out(call), requests.ReadTimeout())[1]
    answer = resting.run(15)
    assert resting.intent()["state"] == "CANCELED"
    assert answer["order"]["status"] == "RESTING"
    assert open_orders(resting) == [resting.name(15)]


def test_while_it_cannot_be_cancelled_nothing_else_is_sent(resting: Live) -> None:
    resting.desk.on["DELETE order"] = lambda call: (400, {"code": -2011, "msg": "Unknown order sent."})
    answer = resting.run(15)
    assert answer["rebalance"]["reason"] == f"Unresolved order: {resting.name()} (it is still NEW)"
    assert (resting.sent, open_orders(resting)) == (1, [resting.name()])


def test_a_process_that_was_away_for_a_day_finds_it_still_there(resting: Live) -> None:
    resting.start(ORDER_STYLE="maker")
    resting.run(DAY)
    assert resting.intent()["state"] == "CANCELED"
    assert len(open_orders(resting)) <= 1


def test_without_live_mode_it_is_only_looked_at(resting: Live) -> None:
    resting.start(ORDER_STYLE="maker", EXECUTION_MODE="plan")
    resting.clock.move(900)
    resting.call("balance")
    assert open_orders(resting) == resting.open_intents() == [resting.name()]
    assert resting.desk.asked("DELETE order") == []


@pytest.mark.parametrize("answer", [(500, ""), (400, {"msg": "Order does not exist.", "code": -2013})])
def test_what_the_exchange_does_not_tell_is_left_to_the_next_run(resting: Live, answer: Any) -> None:
    resting.desk.on["GET order"] = lambda call: answer
    resting.clock.move(900)
    assert resting.call("balance").status_code == 200
    assert resting.intent()["state"] == "RESTING"


@pytest.mark.parametrize("key", ["orders:open", "orders:recent"])
def test_balances_and_cost_are_told_while_a_record_of_orders_cannot_be_read(resting: Live, key: str) -> None:
    resting.client.hset(f"bot:QRLUSDT:{key}", "rb202601010000Sdddddddddddddd", "{torn")
    resting.desk.market.set_price("0.0203")
    resting.clock.move(180)
    assert [told(resting.call(job))["status"] for job in ("balance", "cost")] == ["success"] * 2
    assert f"{key}:rb202601010000Sdddddddddddddd" in resting.run(15)["error"]["message"]


def test_one_that_rests_is_a_known_state_and_alarms_nobody(resting: Live, bare_functions: Functions) -> None:
    findings = told(bare_functions.get("ops", "verify"))["data"]["findings"]
    (finding,) = (each for each in findings if each["name"] == "open_intents")
    assert (finding["ok"], "it rests in the order book" in finding["explanation"]) == (True, True)
    assert traded({"status": "RESTING", "filled_quantity": 0})
    assert not traded({"status": "CANCELED", "filled_quantity": 0})


def filled_in_part(live: Live) -> None:
    """118.6965 of the order fill, and the price is back."""
    live.desk.market.sim("options", book={"notional_per_side": "10"})
    live.desk.market.set_price("0.02002")
    live.clock.move(5)
    live.desk.market.set_price("0.02")
    live.desk.market.sim("options", book={"notional_per_side": "2000"})
    assert live.orders[0]["executedQty"] == "118.6965"


def shown_nowhere(live: Live) -> None:
    """The order of noon is in no look-up and in no list; its fills are."""
    name = live.name()

    def looked_up(call: Call) -> Any:
        return nowhere(call) if name in live.desk.carry_out(call)[1] else None

    def listed(call: Call) -> Any:
        return [row for row in json.loads(live.desk.carry_out(call)[1]) if row["clientOrderId"] != name]

    live.desk.on |= {"GET order": looked_up, "GET openOrders": listed}


def test_one_that_shows_only_in_fills_of_a_part_is_cancelled_and_over_once_there_is_nothing_to_cancel(
    resting: Live,
) -> None:
    filled_in_part(resting)
    shown_nowhere(resting)
    assert "the rest of it may still be open" in resting.run(15)["rebalance"]["reason"]
    assert (resting.intent()["state"], resting.orders[0]["status"]) == ("UNKNOWN", "PARTIALLY_CANCELED")
    assert resting.sent == 1
    resting.run(30)
    assert (resting.intent()["state"], resting.intent()["filled_quantity"]) == ("PARTIALLY_FILLED", "118.6965")
    assert agrees(resting)


def test_one_that_the_journal_lost_and_that_shows_only_in_its_fills_is_cancelled_before_anything_is_sent(
    resting: Live,
) -> None:
    filled_in_part(resting)
    resting.run(1, "cost")
    resting.start(ORDER_STYLE="maker", ORDER_COOLDOWN_SECONDS="3600")
    for kept in ("journal", "recent", "open", "known"):
        resting.client.delete(f"bot:QRLUSDT:orders:{kept}")
    shown_nowhere(resting)
    assert "could not be looked up (unknown_order)" in resting.run(15)["rebalance"]["reason"]
    assert (resting.sent, resting.orders[0]["status"]) == (1, "PARTIALLY_CANCELED")
    resting.run(30)
    assert resting.intent()["filled_quantity"] == "118.6965"


def test_fills_that_come_with_this_run_count_once_for_an_order_that_only_they_show(resting: Live) -> None:
    filled_in_part(resting)
    engine = resting.desk.market.exchange.engine
    engine.cancel(engine.open_orders()[0], resting.desk.market.exchange.clock.now_ms())
    resting.start(ORDER_STYLE="maker", ORDER_COOLDOWN_SECONDS="3600")
    for kept in ("journal", "recent", "open", "known"):
        resting.client.delete(f"bot:QRLUSDT:orders:{kept}")
    shown_nowhere(resting)
    resting.run(15)
    assert resting.intent()["filled_quantity"] == "118.6965"


def test_fills_that_show_after_the_order_ended_without_them_count_against_the_day(resting: Live) -> None:
    """A cancel may be final before its fills are in it (exchange.md §4.5)."""
    limits = {"ORDER_STYLE": "maker", "MAX_ORDERS_PER_DAY": "1"}
    resting.start(**limits)
    filled_in_part(resting)

    def without_fills(call: Call) -> Any:
        status, body, headers = resting.desk.carry_out(call)
        lean = {"executedQty": "0", "cummulativeQuoteQty": "0"}
        state = "CANCELED" if "CANCEL" in body else "NEW"
        return status, json.dumps({**json.loads(body), **lean, "status": state}), headers

    resting.desk.on["GET order"] = without_fills
    resting.run(15)
    assert (resting.intent()["state"], resting.intent()["filled_quantity"]) == ("PARTIALLY_FILLED", "118.6965")
    assert resting.activity.orders == resting.sent == 1


def test_a_pause_takes_it_out_of_the_book_at_the_next_balance(resting: Live) -> None:
    pause = {"reason": "stop", "set_by": "ops", "set_at": "2026-01-02T12:01:00+00:00", "until": None}
    resting.client.set("bot:QRLUSDT:pause", json.dumps(pause))
    resting.run(3, "balance")
    assert (open_orders(resting), resting.intent()["state"]) == ([], "CANCELED")


def test_an_operator_cannot_settle_what_the_exchange_still_shows(resting: Live, bare_functions: Functions) -> None:
    body = {"client_order_id": resting.name(), "filled_quantity": "0", "reason": "gone"}
    refused = settle(bare_functions, **body)
    assert (refused.status_code, "shows it as NEW" in refused.text) == (400, True)
    assert resting.intent()["state"] == "RESTING"
    resting.desk.on["GET order"] = lambda call: (500, "")
    assert settle(bare_functions, **body).status_code == 200
