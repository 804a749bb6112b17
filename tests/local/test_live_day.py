"""A played day with orders: what a person sees at its end, and that it adds up with the exchange."""

import json
from typing import Any

import pytest
import redis

from common.domain.instrument import Side
from common.domain.orders.order import OrderIntent, OrderStyle
from common.store.batch import Batch
from common.store.codec import to_document
from local.checks import of_orders
from tests.builders import KEYS, QRL, d, fill, unread_ledger
from tests.fakes import NOON

BUY = fill("BUY", "100", "0.02", number=1)
INTENT = OrderIntent("rb202601021200Babcdef01234567", NOON, Side.BUY, OrderStyle.IOC, d(100), d("0.02"), d(2))


def state(quantity: str = "100", *fill_ids: str) -> dict[str, Any]:
    """What the simulated exchange says it holds and has filled."""
    fills = [{"id": name, "symbol": "QRLUSDT"} for name in fill_ids or (BUY.fill_id,)]
    return {"balances": {"QRL": {"free": quantity, "locked": "0"}}, "fills": fills}


@pytest.fixture
def day(store_client: "redis.Redis") -> "redis.Redis":
    """The store after a day on which 100 QRL were bought."""
    batch = Batch(KEYS, "run", "15-min-job")
    ledger = unread_ledger().absorb([BUY], NOON, QRL).ledger
    batch.document(KEYS.ledger, to_document(ledger))
    batch.members(KEYS.ledger_fills, [(1, to_document(BUY))])
    batch.plan({"action": "HOLD", "reason": "Within threshold"})
    pipe = store_client.pipeline()
    for write in batch.writes:
        write(pipe)
    pipe.execute()
    return store_client


def test_all_checks_hold_when_bot_and_exchange_agree(day: "redis.Redis") -> None:
    assert set(of_orders(day, KEYS, state()).values()) == {True}


def test_a_balance_that_differs_in_the_last_digit_fails_its_check(day: "redis.Redis") -> None:
    checks = of_orders(day, KEYS, state("100.0001"))
    assert not checks["the ledger equals the exchange's balance"]


def test_a_fill_the_ledger_does_not_hold_fails_its_check(day: "redis.Redis") -> None:
    checks = of_orders(day, KEYS, state("100", BUY.fill_id, "2X1"))
    assert not checks["every fill of the exchange is in the ledger, and no other"]


def test_a_day_that_stored_no_plan_fails_a_check(day: "redis.Redis") -> None:
    day.delete(KEYS.plan_last)
    assert of_orders(day, KEYS, state()) == {"a ledger and a plan are stored": False}


def test_an_open_intent_fails_its_check(day: "redis.Redis") -> None:
    for document, held in (("{}", False), ('{"state":"SENT"}', False), ('{"state":"RESTING"}', True)):
        day.hset(KEYS.orders_open, "rb", document)
        assert of_orders(day, KEYS, state())["no intent is open, unless it rests"] is held


def test_a_mix_outside_its_band_is_well_only_with_a_guard_that_says_why_or_an_order_of_that_slot(
    day: "redis.Redis",
) -> None:
    inside, outside = "the mix is inside its band", "the mix is outside its band, and "
    for plan, order, name, held in (
        ({"action": "SELL", "reason": "QRL above target"}, None, inside, False),
        ({"action": "SELL", "reason": "QRL above target"}, "rb202601021145Babcdef01234567", inside, False),
        ({"action": "HOLD", "reason": "Daily loss"}, INTENT.client_order_id, inside, False),
        ({"action": "HOLD", "reason": "Order refused: paused"}, None, f"{outside}a guard says why (paused)", True),
        (
            {"action": "SELL", "reason": "QRL above target"},
            INTENT.client_order_id,
            f"{outside}the last slot's order works on it",
            True,
        ),
    ):
        day.set(KEYS.plan_last, json.dumps(plan | {"slot": f"{NOON:%Y%m%dT%H%MZ}"}))
        day.delete(KEYS.orders_journal)
        if order:
            day.hset(KEYS.orders_journal, order, "{}")
        assert of_orders(day, KEYS, state())[name] is held
