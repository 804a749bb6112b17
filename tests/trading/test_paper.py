"""The shadows of real runs: stored, one slot on with each, and never in the way of anything."""

import json
from typing import Any

import pytest

from common.decimal_json import loads
from common.domain.performance.shadows import Day, Shadows
from common.store.codec import from_document
from tests.builders import KEYS, d
from tests.conftest import Live


def shadows(live: Live) -> Shadows:
    return from_document(Shadows, loads(live.client.get(KEYS.shadows) or ""), "shadows")


def slots(live: Live, *prices: str, first: int = 0, every: int = 15) -> None:
    for number, price in enumerate(prices):
        live.desk.market.set_price(price)
        live.call("price")
        assert live.run(first + every * number)["status"] == "success"


def test_the_default_shadows_go_one_slot_on_with_every_run(live: Live) -> None:
    slots(live, "0.0200", "0.0222", "0.0250")
    found = shadows(live)
    assert set(found.papers) == {"1 point to target", "5 points half-way", "auto", "monthly", "hold"}
    assert found.papers["hold"].pair == found.held
    assert found.papers["1 point to target"].orders >= 2
    assert found.real.pair != found.held


def test_a_shadow_of_the_real_policy_trades_as_the_bot_does(live: Live) -> None:
    live.start(SHADOW_POLICIES="same=0.01:target")
    slots(live, "0.0200", "0.0222", "0.0200", "0.0222")
    found = shadows(live)
    real, same = found.real, found.papers["same"]
    assert same.orders == 4
    assert abs(real.growth - same.growth) < d("0.00001")


def test_a_run_by_hand_and_a_slot_delivered_twice_leave_them_as_they_are(live: Live) -> None:
    slots(live, "0.0200", "0.0222")
    before = live.client.get(KEYS.shadows)
    live.by_hand("fifteen_min_job")
    live.run(15)
    assert live.client.get(KEYS.shadows) == before


def test_a_day_that_is_over_is_kept_for_good(live: Live) -> None:
    slots(live, "0.0200", "0.0222", "0.0210", every=720)
    texts: Any = live.client.zrange(KEYS.shadow_days, 0, -1)
    (day,) = [from_document(Day, loads(text), "day") for text in texts]
    assert day.day.isoformat() == "2026-01-02"
    assert set(day.papers) == set(shadows(live).papers)
    assert live.client.ttl(KEYS.shadow_days) == -1


def test_what_cannot_be_read_begins_anew_and_stops_nothing(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    slots(live, "0.0200")
    live.client.set(KEYS.shadows, json.dumps({"at": "soon"}))
    slots(live, "0.0222", first=15)
    assert "start again" in caplog.text
    live.client.delete(KEYS.shadows)
    live.client.lpush(KEYS.shadows, "a list")
    slots(live, "0.0210", first=30)
    assert shadows(live).papers["hold"].orders == 0


def test_without_shadows_nothing_is_kept(live: Live) -> None:
    live.start(SHADOW_POLICIES="off")
    slots(live, "0.0200")
    assert live.client.exists(KEYS.shadows) == 0
