"""Stored plans made again from the stored raw answers: to the byte, or it is said which are not."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from common.errors import StoreCorrupt
from common.meter import Meter
from common.trading import replay
from common.trading.replay import Replayed
from tests.builders import KEYS
from tests.conftest import Functions, Live, MakeBot
from tests.fakes import NOON, FakeClock

FULL = {
    "LEVELS": "0.01:half,0.03:target",
    "DECIDE_ON": "mid",
    "MIN_SELL_MARGIN": "0.01",
    "MAX_DAILY_LOSS_USDT": "50",
}


def again(live: Live) -> Replayed:
    return replay.replay(live.make_bot(live.client, **{**live.LIVE, **live.desk.env}).store, Meter())


def traded(live: Live, slots: int = 5) -> None:
    """A few slots at changing prices, some with an order."""
    for number, price in zip(range(slots), ("0.0200", "0.0222", "0.0223", "0.0190", "0.0191"), strict=False):
        live.desk.market.set_price(price)
        live.call("price")
        live.run(15 * number)


SETTINGS: list[dict[str, str]] = [
    {},
    FULL,
    {"THRESHOLD_PCT": "auto", "ORDER_STYLE": "tiered"},
    {"EXECUTION_MODE": "plan", "TREND_FILTER": "ma"},
    {"SLICE_NOTIONAL_USDT": "20"},
    {"ORDER_STYLE": "maker"},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_plan_is_made_again_to_the_byte(live: Live, settings: dict[str, str]) -> None:
    live.start(**settings)
    traded(live)
    live.by_hand()
    assert again(live) == Replayed(6, 6, 0, ())


def test_plans_that_held_for_a_pause_a_book_or_an_order_in_doubt_are_made_again(live: Live) -> None:
    live.run()
    live.desk.on["GET depth"] = lambda call: (500, "")
    live.desk.market.set_price("0.0222")
    live.call("price")
    live.run(15)
    live.desk.on = {"POST order": lambda call: (500, "")}
    live.run(30)
    live.run(45)
    told = {plan["action"] for plan in map(json.loads, live.client.lrange(KEYS.plan_history, 0, -1))}
    assert again(live) == Replayed(4, 4, 0, ())
    assert "HOLD" in told


def altered(live: Live, key: str, change: Callable[[Any], None], index: int = 1) -> None:
    document = json.loads(live.client.lindex(key, index) or "")
    change(document)
    live.client.lset(key, index, json.dumps(document, separators=(",", ":"), ensure_ascii=False))


def test_a_changed_rule_is_noticed(live: Live) -> None:
    traded(live)
    altered(live, KEYS.plan_inputs, lambda document: document["policy"]["levels"][0].update(trigger="0.04"))
    replayed = again(live)
    assert (replayed.compared, replayed.reproduced, replayed.different) == (5, 4, ("20260102T1245Z",))
    assert replayed.summary == "4 of 5 plans reproduced; another now: 20260102T1245Z"


def test_a_changed_plan_or_a_changed_answer_is_noticed(live: Live) -> None:
    traded(live)
    altered(live, KEYS.plan_history, lambda document: document.update(quantity="1"))
    prices = KEYS.raw_history("ticker_price")
    newest: Any = live.client.zrange(prices, -1, -1, withscores=True)
    ((text, score),) = newest
    live.client.zrem(prices, text)
    live.client.zadd(prices, {text.replace("0.0191", "0.0181"): score})
    assert again(live).different == ("20260102T1300Z", "20260102T1245Z")


def test_plans_whose_answers_are_gone_are_counted_apart(live: Live) -> None:
    traded(live)
    accounts = KEYS.raw_history("account_info")
    live.client.zremrangebyscore(accounts, 0, NOON.timestamp() * 1000 + 1)
    live.client.ltrim(KEYS.plan_inputs, 0, 2)
    replayed = again(live)
    assert replayed == Replayed(3, 3, 2, ())
    assert replayed.summary == "3 of 3 plans reproduced; 2 are older than the answers that are kept"


def test_verify_tells_how_many_were_reproduced(
    live: Live, bare_functions: Functions, make_bot: MakeBot, clock: FakeClock
) -> None:
    traded(live)
    answer: Any = bare_functions.get("ops", "verify").json
    (finding,) = (found for found in answer["data"]["findings"] if found["name"] == "plans_reproduced")
    assert (finding["ok"], finding["explanation"]) == (True, "5 of 5 plans reproduced")


def test_inputs_that_no_plan_can_be_made_of_are_named(live: Live) -> None:
    traded(live)
    changes: list[dict[str, Any]] = [{"levels": []}, {"target_weight": "1" * 40}]
    for index, change in enumerate(changes):
        altered(live, KEYS.plan_inputs, partial(_with_policy, change), index)
        with pytest.raises(StoreCorrupt, match=f"^{KEYS.plan_inputs} holds inputs that no plan can be made of$"):
            again(live)
        live.client.lpop(KEYS.plan_inputs, index + 1)


def test_a_raw_reply_that_cannot_be_read_is_named_and_closes_no_view(live: Live, bare_functions: Functions) -> None:
    traded(live)
    newest: Any = live.client.zrange(KEYS.raw_history("depth"), -1, -1, withscores=True)
    ((text, score),) = newest
    live.client.zrem(KEYS.raw_history("depth"), text)
    live.client.zadd(KEYS.raw_history("depth"), {str(text).replace('"bids"', '"lost"'): score})
    with pytest.raises(StoreCorrupt, match=r"^a raw reply of run \w+ cannot be read: depth: bids: Field required$"):
        again(live)
    assert bare_functions.get("ops", "report").status_code == 200
    answer: Any = bare_functions.get("ops", "verify").json
    assert any("a raw reply of run" in found["explanation"] for found in answer["data"]["findings"])


def _with_policy(change: dict[str, Any], document: Any) -> None:
    document["policy"].update(change)
