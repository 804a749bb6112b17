"""Orders in slices (contract.md §12), over HTTP and the simulated exchange."""

import json
from typing import Any

import pytest

from tests.builders import d
from tests.conftest import Functions, Live
from tests.fakes import Call

PROGRAM = "orders:program"
LIVE = {"SLICE_NOTIONAL_USDT": "30", "ORDER_COOLDOWN_SECONDS": "3600"}


@pytest.fixture
def sliced(live: Live) -> Live:
    live.start(**LIVE)
    return live


def sold(live: Live) -> list[Any]:
    return [d(order["executedQty"]) for order in live.orders]


def test_a_rebalance_is_worked_off_one_slice_a_slot_to_its_end(sliced: Live) -> None:
    answers = [sliced.run(minutes) for minutes in (0, 15, 30, 45, 60)]
    assert [answer["rebalance"]["action"] for answer in answers] == ["SELL"] * 4 + ["HOLD"]
    assert all(quantity * d("0.02") <= 30 for quantity in sold(sliced))
    assert abs(sum(sold(sliced)) - 5000) < 5  # replanned from what each slice brought
    assert answers[0]["rebalance"]["program"].endswith(": 3 slices left")
    assert answers[4]["rebalance"]["program"] == "ended: its destination is reached"
    assert sliced.stored(PROGRAM) is None
    assert sliced.ledger_quantity() == sliced.desk.market.total("QRL")


def test_its_state_is_stored_with_its_first_slice(sliced: Live) -> None:
    sliced.run()
    stored = sliced.stored(PROGRAM)
    assert (stored["side"], d(stored["destination"]), stored["slices_left"]) == ("SELL", d(0), 3)
    assert sliced.orders[0]["clientOrderId"] == sliced.name()


def test_a_pause_ends_it_and_resuming_begins_another_by_the_usual_rule(sliced: Live) -> None:
    sliced.run()
    pause = {"reason": "stop", "set_by": "ops", "set_at": "2026-01-02T12:01:00+00:00", "until": None}
    sliced.client.set("bot:QRLUSDT:pause", json.dumps(pause))
    assert sliced.run(15)["rebalance"]["program"] == "ended: trading is paused"
    assert sliced.stored(PROGRAM) is None
    sliced.client.delete("bot:QRLUSDT:pause")
    assert "cooldown" not in (sliced.run(30)["rebalance"].get("program") or "")
    assert sliced.sent == 1  # the cooldown of an hour
    assert sliced.run(75)["rebalance"]["program"].startswith("SELL to 0.00 % off")


@pytest.mark.parametrize("accepted", [True, False])
def test_a_run_that_dies_at_its_slice_neither_repeats_nor_loses_it(sliced: Live, accepted: bool) -> None:
    sliced.run()

    def die(call: Call) -> Any:
        if accepted:
            sliced.desk.carry_out(call)
        raise KeyboardInterrupt

    sliced.desk.on["POST order"] = die
    with pytest.raises(KeyboardInterrupt):
        sliced.run(15)
    del sliced.desk.on["POST order"]
    sliced.start(**LIVE)
    sliced.lease_ends()
    for minutes in (30, 45, 60, 75, 90):
        sliced.run(minutes)
    assert abs(sum(sold(sliced)) - 5000) < 5  # replanned from what each slice brought
    assert all(quantity <= 1500 for quantity in sold(sliced))
    assert sliced.stored(PROGRAM) is None


def test_without_the_setting_an_order_goes_whole_and_a_program_left_over_is_dropped(sliced: Live) -> None:
    sliced.run()
    sliced.start(ORDER_COOLDOWN_SECONDS="0")
    answer = sliced.run(15)
    assert "program" not in answer["rebalance"]
    assert sliced.stored(PROGRAM) is None
    assert abs(sum(sold(sliced)) - 5000) < 5


def test_a_program_begun_with_market_orders_places_none_once_they_are_not_allowed(live: Live) -> None:
    live.start(ORDER_STYLE="market", ALLOW_MARKET_ORDERS="true", **LIVE)
    live.run()
    live.start(**LIVE)
    assert live.run(15)["rebalance"]["program"] == "ended: the settings have changed"
    assert [order["type"] for order in live.orders] == ["MARKET"]
    assert live.run(75)["order"]["type"] == "IMMEDIATE_OR_CANCEL"


def test_a_pause_that_is_lifted_before_the_next_slot_has_ended_it(sliced: Live, bare_functions: Functions) -> None:
    sliced.run()
    for body in ({"command": "pause", "reason": "a look"}, {"command": "resume"}):
        bare_functions.client("ops").post("/", headers={"X-CloudScheduler": "true"}, json=body)
    assert sliced.stored(PROGRAM) is None
    sliced.run(15)
    assert sliced.sent == 1  # the cooldown of an hour


def test_every_plan_of_a_program_is_made_again_from_what_was_kept(sliced: Live) -> None:
    for minutes in (0, 15, 30, 45, 60):
        sliced.run(minutes)
    kept: Any = sliced.client.lrange("bot:QRLUSDT:rebalance:history", 0, -1)
    assert sum('"program"' in text for text in kept) == 5
