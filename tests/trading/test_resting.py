"""Orders that rest (contract.md §12): left in the book on purpose, asked for first, final before anything else."""

from datetime import timedelta
from typing import Any

import pytest
import requests

from common.domain.orders.journal import Activity
from common.trading.attention import traded
from tests.builders import d, told
from tests.conftest import Functions, Live
from tests.fakes import NOON

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
