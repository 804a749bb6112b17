"""LIVE_GATE=confirm: live orders only under the settings that an operator has confirmed."""

import json
from typing import Any

import pytest

from tests.builders import told
from tests.conftest import Functions, Live

GATE = {"LIVE_GATE": "confirm", "MAX_ORDERS_PER_DAY": "9"}


@pytest.fixture
def gated(live: Live) -> Live:
    live.start(**GATE)
    return live


def confirm(functions: Functions, **body: str) -> Any:
    return told(functions.command("confirm", **body))


def waits_for(answer: Any) -> str:
    """What the plan says is to be confirmed."""
    plan = answer["rebalance"]
    assert (plan["action"], plan["reason"]) == ("HOLD", "Settings changed: confirm them")
    (check,) = [check for check in plan["checks"] if check["name"] == "live_gate"]
    assert (check["passed"], answer["order"]) == (False, None)
    explanation: str = check["explanation"]
    return explanation


def test_nothing_is_ordered_until_an_operator_confirms(gated: Live, bare_functions: Functions) -> None:
    assert waits_for(gated.run()) == "no settings were confirmed yet"
    confirmed = confirm(bare_functions)["data"]["confirmed"]
    assert confirmed["changed"] == ["no settings were confirmed yet"]
    assert confirmed["settings"]["THRESHOLD_PCT"] == "0.01"
    assert gated.run(15)["order"]["status"] == "FILLED"


def test_a_changed_setting_holds_with_the_difference_and_the_same_again_does_not(
    gated: Live, bare_functions: Functions
) -> None:
    gated.run()
    confirm(bare_functions)
    gated.start(**GATE, THRESHOLD_PCT="0.02", MAX_NOTIONAL_USDT="50")
    assert waits_for(gated.run(15)) == "MAX_NOTIONAL_USDT: 1000 → 50; THRESHOLD_PCT: 0.01 → 0.02"
    assert gated.sent == 0
    gated.start(**GATE)
    assert gated.run(30)["order"]["status"] == "FILLED"


def test_what_shapes_no_order_needs_no_confirmation(gated: Live, bare_functions: Functions) -> None:
    gated.run()
    confirm(bare_functions)
    gated.start(**GATE, LOG_LEVEL="WARNING", RUN_DEADLINE_SECONDS="60", SHADOW_POLICIES="off")
    assert gated.run(15)["order"]["status"] == "FILLED"


def test_a_confirmation_is_of_what_the_last_live_run_had_and_may_name_its_hash(
    gated: Live, bare_functions: Functions
) -> None:
    assert "no live run" in confirm(bare_functions)["error"]["message"]
    gated.run()
    shape = gated.stored("settings:shape")
    assert shape["hash"] in confirm(bare_functions, hash="0" * 16)["error"]["message"]
    assert confirm(bare_functions, hash=shape["hash"])["data"]["confirmed"]["hash"] == shape["hash"]
    assert gated.stored("settings:confirmed")["shape"] == shape
    (record,) = (json.loads(text) for text in gated.client.lrange("bot:QRLUSDT:ops:commands", 0, -1))
    assert (record["command"], record["hash"]) == ("confirm", shape["hash"])
    assert record["changed"] == ["no settings were confirmed yet"]


def test_no_secret_is_hashed_or_listed(gated: Live) -> None:
    gated.run()
    settings = gated.stored("settings:shape")["settings"]
    assert not [name for name in settings if "KEY" in name or "SECRET" in name or "REDIS" in name]
    assert {"SYMBOL", "EXECUTION_MODE", "LEVELS", "MAX_NOTIONAL_USDT"} <= set(settings)


def test_without_the_gate_nothing_is_stored_and_nothing_waits(live: Live) -> None:
    assert live.run()["order"]["status"] == "FILLED"
    assert live.stored("settings:shape") is None
