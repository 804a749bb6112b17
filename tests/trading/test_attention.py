"""What a run that ended well still wants looked at, in the one line that alerts are made from."""

import logging
from typing import Any

import pytest
import requests

from common.trading.attention import blocked_slots, wanted
from tests.builders import d, finished
from tests.conftest import Live


def plan(action: str, *failed: str) -> dict[str, Any]:
    names = ("price_and_value_positive", "minimum_notional", "threshold")
    return {"action": action, "checks": [{"name": name, "passed": name not in failed} for name in names]}


def test_a_plan_wanted_to_trade_when_the_mix_was_off_by_enough_whatever_stood_in_the_way() -> None:
    assert wanted(plan("SELL"))
    assert wanted(plan("HOLD"))
    assert not wanted(plan("HOLD", "threshold"))
    assert not wanted({"status": "error"})


def test_slots_in_vain_are_counted_back_to_the_last_that_traded_or_did_not_want_to() -> None:
    held = {"rebalance": plan("HOLD"), "order": None}
    none_filled = {"rebalance": plan("SELL"), "order": {"filled_quantity": d(0)}}
    stored = {"rebalance": plan("SELL"), "order": {"filled_quantity": "0", "status": "CANCELED"}}
    filled = {"rebalance": plan("SELL"), "order": {"filled_quantity": d(3)}}
    content = {"rebalance": plan("HOLD", "threshold"), "order": None}
    assert blocked_slots([held, none_filled, stored, filled, held]) == 3
    assert blocked_slots([content, held]) == 0
    assert blocked_slots([]) == 0
    for odd in ({"rebalance": "x"}, {"rebalance": {"checks": 5}}, 5):
        assert blocked_slots([held, odd, held]) == 1  # type: ignore[list-item]


def attention_of(caplog: pytest.LogCaptureFixture) -> list[tuple[str, Any, Any]]:
    lines = [line for line in finished(caplog) if line["task"] == "15-min-job"]
    return [(line["status"], line["attention"], line["slots_in_vain"]) for line in lines]


def test_the_third_slot_in_vain_is_no_plain_success(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    live.start(MAX_ORDERS_PER_DAY="0")
    caplog.set_level(logging.INFO)
    caplog.clear()
    for minutes in (0, 15, 30):
        live.run(minutes)
    assert attention_of(caplog) == [("success", None, 1), ("success", None, 2), ("success", "wanted_in_vain", 3)]


def test_a_run_that_holds_for_an_order_in_doubt_is_no_plain_success(
    live: Live, caplog: pytest.LogCaptureFixture
) -> None:
    live.desk.on["POST order"] = lambda call: requests.ConnectionError("reset")
    live.run()
    live.desk.on = {"GET order": lambda call: (500, "")}
    caplog.set_level(logging.INFO)
    caplog.clear()
    live.run(15)
    assert [(status, why) for status, why, _ in attention_of(caplog)] == [("success", "unresolved_order")]
