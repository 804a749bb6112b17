"""A plan as a document: the contract's names, the decision, and what stands in its place."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given

from common.decimal_json import from_redis, to_redis
from common.domain.decision.plan import Plan
from common.domain.decision.plan import plan as plan_on
from common.domain.decision.policy import Cause, CostGuard, Hold
from common.domain.instrument import Instrument
from common.store.documents import last_plan_of, shown
from common.store.plans import plan_document
from tests.builders import FACTS, LIMITS, POLICY, PROPERTY, QRL, amounts, d, holdings
from tests.fakes import NOON

BTC = Instrument("BTC", "USDC")


def plan(qrl: str | int, usdt: str | int, price: str | int, instrument: Instrument = QRL, **facts: Any) -> Plan:
    seen = replace(FACTS, holdings=holdings(qrl, usdt), mark_price=d(price), instrument=instrument, book=None)
    return plan_on(replace(seen, **facts), POLICY, replace(LIMITS, binding=False))


def document_of(made: Plan) -> dict[str, Any]:
    return plan_document(made, "20260102T1200Z", "plan")


def test_a_plan_is_told_under_the_specifications_names() -> None:
    document = document_of(plan(100, 100, 2))
    expected = {
        "timestamp": NOON,
        "price": d(2),
        "qrl_balance": d(100),
        "usdt_balance": d(100),
        "qrl_value_usdt": d(200),
        "usdt_value_usdt": d(100),
        "total_value_usdt": d(300),
        "target_value_usdt": d(150),
        "target_ratio": d("0.5"),
        "action": "SELL",
        "reason": "QRL above target",
        "quantity": d(25),
        "notional_usdt": d(50),
        "deviation": d("0.166666666666666667"),
    }
    assert {name: document[name] for name in expected} == expected


def test_a_hold_has_quantity_and_notional_zero_and_tells_what_would_have_been_apart() -> None:
    document = document_of(plan(100, 202, 2))
    assert (document["action"], document["reason"]) == ("HOLD", "Within threshold")
    assert (document["quantity"], document["notional_usdt"]) == (0, 0)
    assert document["wanted"] == {"side": "BUY", "quantity": d("0.5"), "notional_usdt": d(1)}


def test_a_plan_tells_the_settings_it_was_made_with() -> None:
    assert document_of(plan(100, 100, 2))["settings"] == {
        "target_ratio": d("0.5"),
        "min_notional_usdt": d(5),
        "threshold_pct": d("0.01"),
        "execution_mode": "plan",
    }


def test_a_plan_tells_every_check_with_its_value_and_limit() -> None:
    made = plan(100, 202, 2)
    checks = document_of(made)["checks"]
    assert [each["name"] for each in checks] == [each.name for each in made.checks]
    assert checks[1] == {
        "name": "minimum_notional",
        "value": d(1),
        "limit": d(5),
        "passed": False,
        "explanation": "the mix is off by 1.0000 USDT; less than 5 is not traded",
    }


def test_a_plan_tells_the_prices_that_would_trigger_the_next_and_null_where_there_is_none() -> None:
    triggers = document_of(plan(10, 20, 2))["next_triggers"]
    assert triggers["buy_below"] == {"price": d(1), "quantity": d(5)}
    assert triggers["sell_above"]["price"] == 3
    assert document_of(plan(0, 100, 2))["next_triggers"] == {"buy_below": None, "sell_above": None}


def test_a_plan_without_a_value_has_no_deviation_and_wants_nothing() -> None:
    document = document_of(plan(0, 0, 2))
    assert (document["action"], document["deviation"]) == ("HOLD", None)
    assert document["wanted"] == {"side": None, "quantity": 0, "notional_usdt": 0}


def test_another_symbol_names_its_own_assets_in_the_plan() -> None:
    document = document_of(plan(1, 10000, 60000, BTC))
    for name in ("btc_balance", "usdc_balance", "btc_value_usdc", "usdc_value_usdc", "total_value_usdc"):
        assert name in document
    assert (document["target_value_usdc"], document["notional_usdc"]) == (35000, 24996)
    assert (document["reason"], document["wanted"]["notional_usdc"]) == ("BTC above target", 25000)
    assert not [name for name in document if "qrl" in name or "usdt" in name]


def test_a_plan_that_is_held_keeps_its_wish() -> None:
    held = document_of(plan(100, 100, 2, doubt=Hold("Unresolved order: rb1", Cause.UNRESOLVED)))
    assert (held["action"], held["reason"]) == ("HOLD", "Unresolved order: rb1")
    assert (held["quantity"], held["notional_usdt"]) == (0, 0)
    assert held["wanted"] == {"side": "SELL", "quantity": 25, "notional_usdt": 50}


def test_a_sale_below_cost_shows_what_it_replaces() -> None:
    guarded = replace(POLICY, cost_guard=CostGuard(d(0), d("0.7")))
    seen = replace(FACTS, holdings=holdings(100, 100), mark_price=d(2), average_cost=d(3))
    held = document_of(plan_on(seen, guarded, LIMITS))
    assert (held["action"], held["reason"], held["quantity"]) == ("HOLD", "Price below cost basis", 0)
    assert held["replaced"] == {
        "action": "SELL",
        "reason": "QRL above target",
        "quantity": d(25),
        "notional_usdt": d(50),
    }
    assert "replaced" not in document_of(plan(100, 100, 2))


@PROPERTY
@given(amounts(4, 0), amounts(8, 0), amounts(6, 0))
def test_every_plan_can_be_stored_and_read_back(base: Decimal, quote: Decimal, price: Decimal) -> None:
    document = document_of(plan(str(base), str(quote), str(price)))
    again = shown(from_redis(to_redis(document), "key"))
    assert again == document | {"timestamp": NOON.isoformat()}
    seen = last_plan_of(again, QRL, "key")
    assert (seen.timestamp, seen.price, seen.base, seen.quote) == (NOON, price, base, quote)
