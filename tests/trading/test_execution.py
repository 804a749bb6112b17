"""Orders: each state in Redis before the act it describes, at most one a slot, and found again whatever is lost."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
import requests
from urllib3.connection import HTTPConnection
from urllib3.exceptions import MaxRetryError, NewConnectionError

from common.domain.instrument import Side
from common.domain.orders.journal import Activity
from common.domain.orders.order import client_order_id
from common.gcp.logs import JsonFormatter
from common.store.keys import CacheKeys, Keys
from common.store.state import PARTS, TRADING
from tests.builders import d, everything, exchange_answers, fill_payload, finished, told
from tests.conftest import Functions, Live, MakeBot
from tests.fakes import NOON, Call, Desk, FakeClock, Line, StubExchange

JOURNAL, OPEN = "bot:QRLUSDT:orders:journal", "bot:QRLUSDT:orders:open"
KNOWN, ACTIVITY, PAUSE = "bot:QRLUSDT:orders:known", "bot:QRLUSDT:orders:activity", "bot:QRLUSDT:pause"
RULES = "qrl:v1:rules:QRL/USDT:*"
DAY = 24 * 60


def order_of(answer: Any) -> Any:
    """The execution report of an answer."""
    assert answer["status"] == "success", answer
    assert answer["order"] is not None, answer["rebalance"]["reason"]
    return answer["order"]


def reason(answer: Any) -> str:
    """Why a run held, having sent nothing."""
    assert answer["status"] == "success", answer
    assert (answer["rebalance"]["action"], answer["order"]) == ("HOLD", None)
    return str(answer["rebalance"]["reason"])


def agrees(live: Live) -> bool:
    """Whether the ledger is what the exchange holds."""
    return live.ledger_quantity() == live.desk.market.total("QRL")


def lost_answer(live: Live) -> None:
    """Orders are accepted from now on, but the answer to the request never comes."""
    live.desk.on["POST order"] = lambda call: (live.desk.carry_out(call), requests.ReadTimeout())[1]


def redis_away_after_sending(live: Live, line: Line, instead: Any = None) -> None:
    """The order is accepted, and nothing can be stored any more; `instead` of its answer."""

    def send(call: Call) -> Any:
        answer = live.desk.carry_out(call)
        line.cut_after(0)
        return instead or answer

    live.desk.on["POST order"] = send


def not_there(call: Call) -> Any:
    """Asked by its client order id, the exchange does not know the order."""
    if "origClientOrderId" in call.params:
        return 400, {"msg": "Order does not exist.", "code": -2013, "_extend": None}
    return None


def nowhere(call: Call) -> Any:
    """Asked by either id, the exchange does not know the order."""
    return 400, {"msg": "Order does not exist.", "code": -2013, "_extend": None}


def forget(client: "redis.Redis", before: dict[str, Any]) -> None:
    """Redis fails over to a replica that has nothing newer than `before`."""
    client.flushall()
    for key, dump in before.items():
        client.restore(key, 0, dump)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


# An order that goes well


def test_an_accepted_order_is_followed_to_its_end_and_reported(live: Live) -> None:
    live.desk.latency = 0
    report = order_of(live.run())
    assert report == {
        "client_order_id": live.name(),
        "order_id": live.orders[0]["orderId"],
        "status": "FILLED",
        "reason": None,
        "side": "SELL",
        "type": "IMMEDIATE_OR_CANCEL",
        "quantity": 5000,
        "limit_price": d("0.01999"),
        "notional_usdt": d("99.95"),
        "filled_quantity": 5000,
        "filled_notional_usdt": d("99.95"),
        "sent_at": NOON.isoformat(),
        "average_fill_price": d("0.01999"),
        "fills": 1,
        "balances_agree": True,
    }


def test_what_is_sent_is_the_intent_and_carries_the_slots_own_id(live: Live) -> None:
    live.run()
    (call,) = live.desk.asked("POST order")
    sent = {
        name: value for name, value in call.params.items() if name not in ("timestamp", "signature", "recvWindow")
    }
    assert sent == {
        "symbol": "QRLUSDT",
        "side": "SELL",
        "type": "IMMEDIATE_OR_CANCEL",
        "quantity": "5000",
        "price": "0.019990",
        "newClientOrderId": client_order_id("QRLUSDT", NOON, Side.SELL),
    }


def test_journal_activity_ledger_balances_and_report_are_in_redis_afterwards(live: Live) -> None:
    live.desk.latency = 0
    answer = live.run()
    intent = live.intent()
    assert (intent["state"], intent["filled_quantity"], intent["filled_notional"]) == ("FILLED", "5000", "99.95")
    assert live.open_intents() == []
    assert live.client.hget(KNOWN, intent["order_id"]) == live.name()
    assert live.activity == Activity(orders=1, placements=1, last_order_at=NOON, last_slot=NOON)
    assert live.stored("orders:activity") == {"day": "2026-01-02", "pnl_at_start": "0"}
    assert d(intent["mid_price"]) == d("0.02")
    assert live.ledger_quantity() == live.desk.market.total("QRL") == 25000
    fills: Any = live.client.zrange("bot:QRLUSDT:ledger:fills", 0, -1)
    assert intent["order_id"] in {json.loads(fill)["order_id"] for fill in fills}
    assert live.client.hget("bot:QRLUSDT:position", "qrl_balance") == "25000"
    assert d(str(live.client.hget("bot:QRLUSDT:position", "usdt_balance"))) == live.desk.market.total("USDT")
    assert live.stored("report:fifteen_min_job:last")["order"]["status"] == "FILLED"
    assert answer["cost_update"]["qrl_balance"] == 30000


def test_cost_and_pnl_after_an_order_are_those_of_its_fills(live: Live) -> None:
    live.run()
    cost: Any = live.client.hgetall("bot:QRLUSDT:cost")
    fee = d("99.95") * d("0.0005")
    assert d(cost["realized_pnl"]) == d("99.95") - fee - 100
    assert (cost["avg_cost"], cost["qrl_balance"], d(cost["drift_quantity"])) == ("0.02", "25000", d(0))


def test_the_mix_is_inside_its_band_after_the_order_and_the_next_slot_holds(live: Live) -> None:
    live.run()
    assert reason(live.run(15)) == "Within threshold"
    assert live.sent == 1


def test_a_buy_goes_the_same_way(live: Live) -> None:
    live.start(MAX_PRICE_DEVIATION="0.5")
    live.desk.market.set_price("0.012")
    live.call("price")
    report = order_of(live.run())
    assert (report["side"], report["status"], report["quantity"]) == ("BUY", "FILLED", d("1666.6666"))
    assert agrees(live)
    spent = 400 - live.desk.market.total("USDT")
    assert spent == report["filled_notional_usdt"] * d("1.0005")


def test_the_rebalance_by_hand_orders_in_the_minute_it_is_called(live: Live) -> None:
    live.clock.move(7 * 60 + 30)
    report = order_of(live.by_hand())
    assert report["client_order_id"] == live.name(7)
    assert report["status"] == "FILLED"
    assert agrees(live)


def test_the_line_of_the_run_tells_of_the_order(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    live.run()
    live.run(15)
    runs = finished(caplog)
    told = [
        (run["rebalance_action"], run["order_status"], run["orders_today"]) for run in runs if "order_status" in run
    ]
    assert told == [("SELL", "FILLED", 1), ("HOLD", None, 1)]


def test_a_rebalance_larger_than_the_largest_order_is_sliced_over_slots(live: Live) -> None:
    live.start(MAX_NOTIONAL_USDT="40")
    quantities = [order_of(live.run(minutes))["filled_quantity"] for minutes in (0, 15, 30)]
    assert quantities[:2] == [2000, 2000]
    assert 990 < quantities[2] < 1010
    assert reason(live.run(45)) == "Within threshold"
    assert len({order["clientOrderId"] for order in live.orders}) == 3
    assert agrees(live)


# Each state is in Redis before the act


def test_the_intent_is_planned_before_the_last_looks_and_sent_before_the_request_leaves(live: Live) -> None:
    seen: list[tuple[str, Any, Any, bool]] = []

    def look(call: Call) -> None:
        acknowledged = live.intent()["order_id"] is not None
        seen.append((f"{call.method} {call.path}", live.intent()["state"], live.activity.orders, acknowledged))
        assert live.open_intents() == [live.name()]
        assert live.stored("rebalance:last")["action"] == "SELL"

    live.desk.on |= {"GET order": look, "POST order": look}
    order_of(live.run())
    assert seen == [
        ("GET order", "PLANNED", 0, False),
        ("GET order", "PLANNED", 0, False),
        ("POST order", "SENT", 1, False),
        ("GET order", "SENT", 1, True),
    ]


def test_orders_are_journalled_in_the_log_step_by_step(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    live.run()
    records = [record for record in caplog.records if record.getMessage() == "journal.intent"]
    lines = [json.loads(JsonFormatter().format(record)) for record in records]
    assert [(line["state"], line["client_order_id"]) for line in lines] == [
        ("PLANNED", live.name()),
        ("SENT", live.name()),
        ("SENT", live.name()),
        ("FILLED", live.name()),
    ]


# How an order may end


def test_a_partial_fill_whose_rest_is_cancelled_is_what_was_filled(live: Live) -> None:
    live.desk.market.sim("faults", kind="partial_fill", fraction="0.25")
    report = order_of(live.run())
    assert (report["status"], report["filled_quantity"]) == ("PARTIALLY_FILLED", 1250)
    assert live.intent()["state"] == "PARTIALLY_FILLED"
    assert agrees(live)


def test_an_order_that_found_nothing_is_cancelled_and_counts_as_a_placement_only(live: Live) -> None:
    live.desk.market.sim("faults", kind="partial_fill", fraction="0")
    report = order_of(live.run())
    assert (report["status"], report["filled_quantity"], report["average_fill_price"]) == ("CANCELED", 0, None)
    assert live.open_intents() == []
    assert (live.activity.orders, live.activity.placements) == (0, 1)
    assert live.desk.market.total("QRL") == 30000


def test_an_order_that_the_exchange_keeps_open_is_cancelled_and_asked_again(live: Live) -> None:
    shown = {"partial": True}

    def open_until_cancelled(call: Call) -> Any:
        status, body, headers = live.desk.carry_out(call)
        order = json.loads(body)
        if status == 200 and shown["partial"]:
            order |= {"status": "PARTIALLY_FILLED", "executedQty": "1000", "cummulativeQuoteQty": "19.99"}
        return status, order, headers

    def cancel(call: Call) -> Any:
        shown["partial"] = False
        return 400, {"code": -2011, "msg": "Unknown order sent."}

    live.desk.on |= {"GET order": open_until_cancelled, "DELETE order": cancel}
    assert order_of(live.run())["status"] == "FILLED"
    assert len(live.desk.asked("DELETE order")) == 1


def test_a_maker_order_rests_at_the_best_price_and_is_cancelled_after_its_time(live: Live) -> None:
    live.start(ORDER_STYLE="maker", ORDER_REST_SECONDS="12")
    report = order_of(live.run())
    assert (report["type"], report["limit_price"]) == ("LIMIT_MAKER", d("0.02001"))
    assert (report["status"], report["filled_quantity"]) == ("CANCELED", 0)
    (cancel,) = live.desk.asked("DELETE order")
    assert cancel.params["orderId"] == report["order_id"]
    assert 12 <= live.clock.monotonic() < 15
    assert live.orders[0]["status"] == "CANCELED"


def test_a_maker_order_that_is_taken_while_it_rests_pays_the_makers_fee(live: Live) -> None:
    live.start(ORDER_STYLE="maker", ORDER_REST_SECONDS="15")
    live.desk.on["GET order"] = lambda call: live.desk.market.set_price("0.0203") if live.orders else None
    report = order_of(live.run())
    assert (report["status"], report["average_fill_price"]) == ("FILLED", d("0.02001"))
    assert live.desk.asked("DELETE order") == []
    assert live.desk.market.total("USDT") == 400 + d("100.05")
    assert agrees(live)


def test_a_maker_order_filled_in_part_keeps_that_part(live: Live) -> None:
    live.start(ORDER_STYLE="maker", ORDER_REST_SECONDS="15")
    live.desk.market.sim("options", book={"notional_per_side": "60"})
    live.desk.on["GET order"] = lambda call: live.desk.market.set_price("0.0203") if live.orders else None
    report = order_of(live.run())
    assert report["status"] == "PARTIALLY_FILLED"
    assert 0 < report["filled_quantity"] < 5000
    assert live.orders[0]["status"] == "PARTIALLY_CANCELED"
    assert agrees(live)


@pytest.mark.parametrize(("crossing", "state"), [("cancel", "CANCELED"), ("refuse", "REJECTED")])
def test_a_maker_order_that_would_take_after_all_comes_to_nothing(live: Live, crossing: str, state: str) -> None:
    live.start(ORDER_STYLE="maker", ORDER_REST_SECONDS="15")
    live.desk.market.sim("options", options={"limit_maker_crossing": crossing})
    live.desk.on["POST order"] = lambda call: live.desk.market.set_price("0.0203")
    report = order_of(live.run())
    assert (report["status"], report["filled_quantity"]) == (state, 0)
    assert live.desk.market.total("QRL") == 30000


def test_a_cancel_whose_answer_is_lost_is_not_repeated_but_asked_about(live: Live) -> None:
    live.start(ORDER_STYLE="maker", ORDER_REST_SECONDS="15")
    live.desk.on["DELETE order"] = lambda call: (live.desk.carry_out(call), requests.ReadTimeout())[1]
    assert order_of(live.run())["status"] == "CANCELED"
    assert len(live.desk.asked("DELETE order")) == 1


def test_a_market_sale_goes_by_quantity_and_a_market_buy_by_what_it_may_spend(live: Live) -> None:
    live.start(ORDER_STYLE="market", ALLOW_MARKET_ORDERS="true")
    assert order_of(live.run())["filled_quantity"] == 5000
    live.desk.market.set_price("0.016")
    live.call("price")
    report = order_of(live.run(15))
    sale, buy = live.desk.asked("POST order")
    assert (sale.params["type"], sale.params["quantity"]) == ("MARKET", "5000")
    assert not {"price", "quoteOrderQty"} & sale.params.keys()
    assert not {"price", "quantity"} & buy.params.keys()
    assert d(buy.params["quoteOrderQty"]) == report["notional_usdt"]
    assert report["filled_notional_usdt"] <= report["notional_usdt"]
    assert agrees(live)


# After the order


def test_fills_that_lag_behind_the_order_are_waited_for(live: Live) -> None:
    live.desk.market.sim("faults", kind="hide_trades", seconds=3)
    report = order_of(live.run())
    assert (report["fills"], report["balances_agree"]) == (1, True)
    assert agrees(live)


def test_balances_that_lag_are_read_again(live: Live) -> None:
    live.desk.market.sim("faults", kind="lag_balances", seconds=1)
    assert order_of(live.run())["balances_agree"] is True
    assert live.client.hget("bot:QRLUSDT:position", "qrl_balance") == "25000"


def test_balances_that_do_not_show_the_order_in_time_are_told(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    live.desk.market.sim("faults", kind="lag_balances", seconds=60)
    assert order_of(live.run())["balances_agree"] is False
    assert "the account does not show the order's fills yet" in caplog.messages


@pytest.mark.parametrize("path", ["account", "myTrades"])
def test_a_read_that_fails_after_the_order_does_not_lose_its_outcome(
    live: Live, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    live.desk.on[f"GET {path}"] = lambda call: (503, "") if live.orders else None
    report = order_of(live.run())
    assert (report["status"], report["fills"], report["balances_agree"]) == ("FILLED", None, None)
    assert live.intent()["state"] == "FILLED"
    assert any("could not be read" in error for error in errors(caplog))
    del live.desk.on[f"GET {path}"]
    assert reason(live.run(15)) == "Within threshold"
    assert agrees(live)


# Whose answer never came


@pytest.mark.parametrize(
    "answer",
    [
        requests.ReadTimeout(),
        requests.ConnectionError("reset"),
        requests.exceptions.ChunkedEncodingError("cut off"),
        (503, {"code": 503, "msg": "Unknown error, please check your request or try again later."}),
        (500, ""),
        (504, "<html>Gateway Timeout</html>"),
        (403, "<html>Access Denied</html>"),
        (200, ""),
        (200, "{"),
        (200, {"symbol": "QRLUSDT"}),
        (200, {"code": 99999, "msg": "never heard of"}),
    ],
    ids=lambda answer: str(answer)[:24],
)
@pytest.mark.parametrize("accepted", [True, False])
def test_an_order_whose_answer_does_not_tell_is_looked_up_and_never_sent_again(
    live: Live, answer: Any, accepted: bool
) -> None:
    def send(call: Call) -> Any:
        if accepted:
            live.desk.carry_out(call)
        return answer

    live.desk.on["POST order"] = send
    report = order_of(live.run())
    assert live.sent == 1
    assert report["status"] == ("FILLED" if accepted else "UNKNOWN")
    assert len(live.orders) == accepted
    assert live.open_intents() == ([] if accepted else [live.name()])


def test_an_order_that_becomes_visible_only_after_seconds_is_waited_for(live: Live) -> None:
    live.desk.market.sim("faults", kind="hide_order", seconds=8)
    assert order_of(live.run())["status"] == "FILLED"
    assert 8 <= live.clock.monotonic() < 20
    assert (live.sent, len(live.orders)) == (1, 1)


def test_an_order_that_stays_invisible_is_unknown_and_nothing_is_sent_until_it_shows(
    live: Live, caplog: pytest.LogCaptureFixture
) -> None:
    live.desk.market.sim("faults", kind="hide_order", seconds=58, times=1)
    report = order_of(live.run())
    assert (report["status"], report["reason"]) == ("UNKNOWN", "not visible yet")
    assert live.clock.monotonic() < 45
    live.desk.market.set_price("0.022")
    told = f"acknowledged as {report['order_id']}, not visible"
    assert reason(live.by_hand()) == f"Unresolved order: {live.name()} ({told})"
    assert any("unresolved order" in error and live.name() in error for error in errors(caplog))
    assert live.open_intents() == [live.name()]
    assert live.sent == 1
    live.run(15)
    assert live.intent()["state"] == "FILLED"
    assert agrees(live)
    assert len(live.orders) == live.sent == 2


def test_an_order_that_left_no_trace_within_a_minute_was_never_accepted_and_trading_goes_on(live: Live) -> None:
    live.desk.on["POST order"] = lambda call: requests.ConnectionError("reset")
    assert order_of(live.run())["status"] == "UNKNOWN"
    del live.desk.on["POST order"]
    report = order_of(live.run(15))
    assert (report["status"], report["client_order_id"]) == ("FILLED", live.name(15))
    assert live.intent()["state"] == "CANCELED"
    assert live.intent()["reason"] == "never accepted: the exchange does not know it"
    assert [order["clientOrderId"] for order in live.orders] == [live.name(15)]


def test_an_order_unknown_by_its_id_is_found_among_the_open_ones_and_cancelled(live: Live) -> None:
    live.start(ORDER_STYLE="maker", ORDER_REST_SECONDS="15")
    lost_answer(live)
    live.desk.on["GET order"] = nowhere
    assert order_of(live.run())["status"] == "UNKNOWN"
    assert reason(live.by_hand()) == f"Unresolved order: {live.name()} (it is still NEW)"
    assert live.orders[0]["status"] == "CANCELED"
    live.desk.on.clear()
    live.by_hand()
    assert (live.intent()["state"], live.intent()["order_id"]) == ("CANCELED", live.orders[0]["orderId"])


def test_an_order_unknown_by_its_id_is_found_through_the_fills_it_left(live: Live) -> None:
    lost_answer(live)
    live.desk.on["GET order"] = not_there
    assert order_of(live.run())["status"] == "UNKNOWN"
    live.run(15)
    assert (live.intent()["state"], live.intent()["filled_quantity"]) == ("FILLED", "5000")
    assert live.sent == 1
    assert agrees(live)


def test_an_order_older_than_the_exchange_tells_is_known_by_its_fills(live: Live) -> None:
    lost_answer(live)
    live.desk.on["GET order"] = not_there
    live.run()
    live.desk.on.clear()
    live.run(9 * DAY)
    assert (live.intent()["state"], live.intent()["filled_quantity"]) == ("FILLED", "5000")
    assert agrees(live)


@pytest.mark.parametrize("answer", [(500, ""), requests.ReadTimeout(), (400, {"code": 700002, "msg": "signature"})])
def test_while_the_exchange_does_not_tell_nothing_is_sent(live: Live, answer: Any) -> None:
    live.desk.on["POST order"] = lambda call: requests.ConnectionError("reset")
    live.run()
    live.desk.on = {"GET order": lambda call: answer}
    assert reason(live.run(15)).startswith(f"Unresolved order: {live.name()} (the exchange did not say:")
    assert (live.sent, live.open_intents()) == (1, [live.name()])
    live.desk.on.clear()
    assert order_of(live.run(30))["status"] == "FILLED"


def test_an_exchange_that_does_not_tell_of_this_slot_gets_no_order(live: Live) -> None:
    live.desk.on["GET order"] = lambda call: (500, "")
    report = order_of(live.run())
    assert report["status"] == "CANCELED"
    assert report["reason"] == (
        "never sent: the exchange did not say whether this slot has an order (exchange_unavailable)"
    )
    assert (live.sent, live.open_intents()) == (0, [])


# A definite no


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"code": 30002, "msg": "The minimum transaction volume cannot be less than:0.5USDT"}),
        (400, {"code": 30005, "msg": "Oversold"}),
        (400, {"code": 30004, "msg": "Insufficient position"}),
        (400, {"code": 10007, "msg": "symbol not support api"}),
        (400, {"code": 400, "msg": " quantity scale is invalid"}),
        (400, {"code": 30087, "msg": "price out of range"}),
        (400, {"code": 30016, "msg": "trading disabled"}),
        (400, {"code": 30051, "msg": "API market order disabled"}),
        (400, {"code": 70011, "msg": "pair not allowed"}),
        (400, {"code": 700002, "msg": "Signature for this request is not valid."}),
        (400, {"code": 700006, "msg": "IP [1.2.3.4] not in the ip white list"}),
        (400, {"code": 10072, "msg": "Api key info invalid"}),
        (429, {"code": 429, "msg": "Too Many Requests"}),
        (418, ""),
        (200, {"code": 30005, "msg": "Oversold"}),
    ],
    ids=lambda value: str(value["code"]) if isinstance(value, dict) else None,
)
def test_a_definite_no_is_final_and_never_sent_again(live: Live, status: int, body: Any) -> None:
    live.desk.on["POST order"] = lambda call: (status, body)
    assert live.client.exists(RULES) == 0
    live.call("fifteen_min_job")
    report = live.stored("report:fifteen_min_job:last")["order"]
    assert report["status"] == "REJECTED"
    assert f"HTTP {status}" in report["reason"]
    assert (live.intent()["state"], live.open_intents()) == ("REJECTED", [])
    assert live.client.exists(RULES) == 0, "the pair's rules are read anew after a no"
    assert reason(live.run()).startswith("Order refused: an order was already sent for slot")
    assert live.sent == 1
    del live.desk.on["POST order"]
    assert order_of(live.run(15))["status"] == "FILLED"


def test_a_clock_that_was_refused_is_set_right_and_the_order_sent_again(live: Live) -> None:
    fault = {"kind": "clock_skew", "ms": -20_000, "method": "POST", "path": "/api/v3/order", "times": 1}
    live.desk.market.sim("faults", faults=[fault])
    assert order_of(live.run())["status"] == "FILLED"
    assert (live.sent, len(live.orders)) == (2, 1)


def unreachable() -> requests.ConnectionError:
    connection = HTTPConnection("exchange.test")
    return requests.ConnectionError(MaxRetryError(None, "/", NewConnectionError(connection, "refused")))  # type: ignore[arg-type]


@pytest.mark.parametrize("failure", [requests.ConnectTimeout(), unreachable()], ids=["time-out", "refused"])
def test_an_order_that_never_reached_the_exchange_is_rejected_and_not_open(live: Live, failure: Exception) -> None:
    live.desk.on["POST order"] = lambda call: failure
    report = order_of(live.run())
    assert report["status"] == "REJECTED"
    assert "cannot be reached" in report["reason"]
    assert live.open_intents() == []
    del live.desk.on["POST order"]
    assert order_of(live.run(15))["status"] == "FILLED"


# What may change between the plan and the order


def test_a_pause_set_after_the_plan_is_still_honoured(live: Live) -> None:
    pause = {"reason": "stop", "set_by": "ops@example.test", "set_at": NOON.isoformat(), "until": None}
    live.desk.on["GET order"] = lambda call: live.client.set(PAUSE, json.dumps(pause)) and None
    report = order_of(live.run())
    assert (report["status"], report["reason"]) == ("CANCELED", "never sent: paused by ops@example.test: stop")
    assert report["sent_at"] is None
    assert (live.sent, live.open_intents()) == (0, [])
    assert live.activity.orders == 0


@pytest.mark.parametrize(("step", "sold"), [("3000", "3000"), ("0.0000001", "5476.1904")])
def test_a_step_of_ours_counts_where_it_is_coarser_than_the_exchanges(live: Live, step: str, sold: str) -> None:
    live.start(QUANTITY_INCREMENT=step)
    live.desk.market.set_price("0.021")
    assert order_of(live.run())["quantity"] == d(sold)


def test_a_run_that_is_not_quite_late_sends(live: Live) -> None:
    live.desk.on["GET depth"] = lambda call: live.clock.move(29)
    assert order_of(live.run())["status"] == "FILLED"


def test_a_run_that_is_late_does_not_send(live: Live) -> None:
    live.desk.on["GET depth"] = lambda call: live.clock.move(31)
    report = order_of(live.run())
    assert (report["status"], report["reason"]) == ("CANCELED", "never sent: too little of the run's time is left")
    assert live.sent == 0


class Slow(Line):
    """Writing what contains `text` takes seconds."""

    def __init__(self, client: "redis.Redis", text: bytes, act: Callable[[], None]) -> None:
        super().__init__(client)
        self.text, self.act = text, act

    def _sending(self, packed: bytes) -> None:
        if self.text in packed:
            self.act()
        super()._sending(packed)


def test_an_order_whose_record_took_less_than_two_seconds_is_sent(live: Live) -> None:
    Slow(live.client, b'"state":"SENT"', lambda: live.clock.move(1.9))
    assert order_of(live.run())["status"] == "FILLED"


def test_an_order_whose_record_took_too_long_is_not_sent_for_its_guards_are_old(live: Live) -> None:
    Slow(live.client, b'"state":"SENT"', lambda: live.clock.move(2.1))
    report = order_of(live.run())
    assert (report["status"], report["reason"]) == ("CANCELED", "never sent: recording it took too long")
    assert (live.sent, live.open_intents()) == (0, [])


def test_a_lease_that_passed_to_another_run_stops_the_order(live: Live) -> None:
    live.desk.on["GET order"] = lambda call: live.client.set("bot:QRLUSDT:lease:account", "another") and None
    response = live.call("fifteen_min_job", NOON)
    assert (response.status_code, told(response)["error"]["code"]) == (503, "lease_lost")
    assert live.sent == 0
    assert live.intent()["state"] == "PLANNED"


# Redis is away, or forgets


@pytest.mark.parametrize("text", [b"lease:account", b'"state":"PLANNED"', b'"state":"SENT"'])
def test_without_redis_there_is_no_order(live: Live, text: bytes) -> None:
    line = Slow(live.client, text, lambda: line.cut_after(0))
    response = live.call("fifteen_min_job", NOON)
    assert (response.status_code, told(response)["error"]["code"]) == (503, "redis_unreachable")
    assert live.sent == 0
    line.mend()
    line.text = b"nothing of the kind"
    live.run(15)
    assert (live.sent, len(live.orders)) == (1, 1)
    assert live.open_intents() == []


def test_without_redis_before_the_last_look_there_is_no_order(live: Live) -> None:
    line = Line(live.client)
    live.desk.on["GET order"] = lambda call: line.cut_after(0)
    assert live.call("fifteen_min_job", NOON).status_code == 503
    line.mend()
    live.desk.on.clear()
    live.lease_ends()
    assert (live.sent, live.intent()["state"]) == (0, "PLANNED")
    assert reason(live.run()) == f"Unresolved order: {live.name()} (not visible yet)"
    assert order_of(live.run(15))["status"] == "FILLED"
    assert live.intent()["reason"] == "never sent, or never accepted: the exchange does not know it"
    assert len(live.orders) == 1


@pytest.mark.parametrize("process", ["same", "fresh"])
def test_an_order_whose_outcome_could_not_be_stored_is_found_by_its_client_order_id(
    live: Live, process: str
) -> None:
    line = Line(live.client)
    redis_away_after_sending(live, line)
    assert live.call("fifteen_min_job", NOON).status_code == 503
    line.mend()
    del live.desk.on["POST order"]
    assert live.intent()["state"] == "SENT"
    live.lease_ends()
    if process == "fresh":
        live.start()
    live.run()
    assert (live.intent()["state"], live.intent()["filled_quantity"]) == ("FILLED", "5000")
    live.run(15)
    assert live.sent == 1
    assert agrees(live)


@pytest.mark.parametrize("process", ["same", "fresh"])
def test_an_order_that_redis_forgot_altogether_is_found_again_and_counted(
    live: Live, process: str, caplog: pytest.LogCaptureFixture
) -> None:
    line, before = Line(live.client), everything(live.client)
    redis_away_after_sending(live, line)
    assert live.call("fifteen_min_job", NOON).status_code == 503
    line.mend()
    forget(live.client, before)
    live.desk.on.clear()
    live.start(ORDER_COOLDOWN_SECONDS="3600") if process == "fresh" else None
    assert live.intent() is None
    live.desk.market.set_price("0.021")
    live.call("price")
    live.run(15)
    assert (live.intent()["state"], live.intent()["filled_quantity"]) == ("FILLED", "5000")
    assert live.client.hget(KNOWN, live.orders[0]["orderId"]) == live.name()
    assert live.activity.orders == live.sent
    assert agrees(live)
    if process == "fresh":
        assert any(f"order {live.name()} was not in the journal" in error for error in errors(caplog))
        assert live.sent == 1, "the cooldown runs from the order that was found again"


def test_the_process_remembers_an_order_that_redis_forgot_and_nobody_can_see_yet(live: Live) -> None:
    line, before = Line(live.client), everything(live.client)
    live.desk.market.sim("faults", kind="hide_order", seconds=50)
    redis_away_after_sending(live, line)
    assert live.call("fifteen_min_job", NOON).status_code == 503
    line.mend()
    forget(live.client, before)
    live.desk.on.clear()
    live.lease_ends()
    assert reason(live.by_hand()).startswith("Unresolved order")
    assert (live.sent, live.open_intents()) == (1, [live.name()])


@pytest.mark.parametrize("process", ["same", "fresh"])
def test_an_order_that_redis_knows_only_as_planned_is_not_taken_for_never_sent(live: Live, process: str) -> None:
    live.desk.latency = 0
    planned: dict[str, Any] = {}

    def look(call: Call) -> None:
        if not live.sent:
            planned.update(everything(live.client))
            live.clock.move(1)

    live.desk.on["GET order"] = look
    line = Line(live.client)
    redis_away_after_sending(live, line)
    assert live.call("fifteen_min_job", NOON).status_code == 503
    line.mend()
    forget(live.client, planned)
    live.lease_ends()
    live.desk.on.clear()
    if process == "fresh":
        live.start()
    assert live.intent()["state"] == "PLANNED"
    live.run()
    sent_at = NOON + timedelta(seconds=2 if process == "same" else 0)
    assert (live.intent()["state"], live.intent()["sent_at"]) == ("FILLED", sent_at.isoformat())
    assert live.activity.orders == 1
    assert live.sent == 1


def test_fills_of_a_forgotten_order_that_the_cost_job_took_in_still_lead_to_it(live: Live) -> None:
    line, before = Line(live.client), everything(live.client)
    redis_away_after_sending(live, line)
    live.call("fifteen_min_job", NOON)
    line.mend()
    forget(live.client, before)
    live.desk.on.clear()
    live.start()
    live.clock.move(5 * 60)
    live.call("cost")
    live.run(15)
    assert live.intent()["state"] == "FILLED"


def test_an_empty_redis_with_coins_in_the_account_is_rebuilt_first(live: Live) -> None:
    live.client.flushall()
    live.call("price")
    assert reason(live.run()) == "Order refused: the ledger was empty: this run rebuilds it, no order"
    assert (live.sent, live.ledger_quantity()) == (0, d(30000))
    assert order_of(live.run(15))["status"] == "FILLED"


def test_an_empty_redis_with_an_order_of_this_slot_at_the_exchange_places_no_other(live: Live) -> None:
    order_of(live.run())
    live.client.flushall()
    live.start()
    live.desk.market.set_price("0.025")
    live.call("price")
    for minutes in (0, 0, 1):
        assert told(live.call("fifteen_min_job", NOON))["status"] == "success"
        live.clock.move(minutes * 60)
    assert live.sent == 1
    assert live.intent()["state"] == "FILLED"


def test_the_rebalance_by_hand_orders_nothing_on_an_empty_ledger(live: Live) -> None:
    live.client.flushall()
    live.call("price")
    assert reason(live.by_hand()).startswith("Order refused: the ledger was empty")
    assert live.sent == 0


@pytest.mark.parametrize("key", [OPEN, ACTIVITY, PAUSE])
def test_a_record_that_cannot_be_read_stops_orders(live: Live, key: str) -> None:
    if key == OPEN:
        live.client.hset(key, "rb", '{"state":"SENT"}')
    else:
        live.client.set(key, '{"day":"soon"}')
    response = live.call("fifteen_min_job", NOON)
    answer = told(response)
    leg = answer if answer["status"] == "error" else answer["rebalance"]
    assert leg["error"]["code"] == "redis_value_corrupt"
    assert key in leg["error"]["message"]
    assert live.sent == 0


# At most one a slot


@pytest.mark.parametrize("duplicates", ["accepted", "refused"])
def test_a_slot_delivered_again_and_again_has_one_order(live: Live, duplicates: str) -> None:
    if duplicates == "refused":
        live.desk.market.sim("faults", kind="refuse_duplicates")
    first = live.run()
    again = live.call("fifteen_min_job", NOON)
    assert again.headers["X-Duplicate-Delivery"] == "true"
    assert told(again)["order"] == first["order"]
    live.desk.market.set_price("0.03")
    live.call("price")
    assert reason(live.by_hand("fifteen_min_job")).startswith("Order refused: an order was already sent for slot")
    assert reason(live.by_hand()).startswith("Order refused: an order was already sent for slot")
    assert (live.sent, len(live.orders)) == (1, 1)


@pytest.mark.parametrize("duplicates", ["accepted", "refused"])
def test_a_run_that_failed_and_is_delivered_again_sends_nothing_twice(live: Live, duplicates: str) -> None:
    if duplicates == "refused":
        live.desk.market.sim("faults", kind="refuse_duplicates")
    line = Line(live.client)
    redis_away_after_sending(live, line, requests.ReadTimeout())
    assert live.call("fifteen_min_job", NOON).status_code == 503
    line.mend()
    live.lease_ends()
    live.desk.market.set_price("0.03")
    live.call("price")
    assert reason(live.run()).startswith("Order refused: an order was already sent for slot")
    assert (live.sent, len(live.orders)) == (1, 1)


def test_an_order_of_this_slot_that_the_journal_does_not_know_is_taken_over(live: Live) -> None:
    live.desk.market.sim("faults", kind="hide_trades", seconds=20, times=1)
    live.desk.market.order("SELL", "1000", "IMMEDIATE_OR_CANCEL", price="0.0199", newClientOrderId=live.name())
    report = order_of(live.run())
    assert (report["client_order_id"], report["status"], report["filled_quantity"]) == (live.name(), "FILLED", 1000)
    assert (live.sent, live.intent()["state"]) == (0, "FILLED")
    assert live.activity.orders == 1
    live.run(15)
    assert agrees(live)


def test_an_order_of_the_other_side_in_this_slot_is_reason_enough_to_send_none(live: Live) -> None:
    live.desk.market.sim("faults", kind="partial_fill", fraction="0", times=1)
    name = live.name(side="BUY")
    live.desk.market.order("BUY", "1000", "IMMEDIATE_OR_CANCEL", price="0.0201", newClientOrderId=name)
    report = order_of(live.run())
    assert (report["status"], report["reason"]) == (
        "CANCELED",
        f"never sent: the exchange already has {name} for this slot",
    )
    assert live.sent == 0
    assert live.intent(side="BUY")["state"] == "CANCELED"
    assert live.activity.placements == 1


def test_a_slot_that_comes_after_a_later_one_has_had_its_order_gets_none(live: Live) -> None:
    live.clock.move(20 * 60)
    order_of(live.by_hand())
    live.desk.market.set_price("0.03")
    live.call("price")
    late = told(live.call("fifteen_min_job", NOON + timedelta(minutes=15)))
    assert reason(late) == "Order refused: an order was already sent for slot 2026-01-02 12:20"
    assert live.sent == 1


def test_the_cooldown_and_the_daily_count_hold_between_slots(live: Live) -> None:
    live.desk.latency = 0
    live.start(ORDER_COOLDOWN_SECONDS="3600", MAX_ORDERS_PER_DAY="2", MAX_NOTIONAL_USDT="20")
    order_of(live.run())
    assert "the last order was sent 900 s ago" in reason(live.run(15))
    order_of(live.run(60))
    assert "2 orders were sent today (UTC), at most 2" in reason(live.run(120))
    assert live.sent == 2
    live.clock.move(12 * 3600)
    live.call("price")
    order_of(live.run(14 * 60 + 15))
    assert live.activity.orders == 1


# Orders that are there without the journal


def test_an_open_order_of_ours_that_the_journal_lost_is_taken_in_cancelled_and_then_trading_goes_on(
    live: Live, caplog: pytest.LogCaptureFixture
) -> None:
    orphan = live.name(-15)
    live.desk.market.order("SELL", "1000", "LIMIT", price="0.0205", newClientOrderId=orphan)
    assert "orders of the bot itself are open" in reason(live.run())
    assert any(f"order {orphan} was not in the journal" in error for error in errors(caplog))
    assert (live.open_intents(), live.sent) == ([orphan], 0)
    order_of(live.run(15))
    assert live.intent(-15)["state"] == "CANCELED"
    assert [order["status"] for order in live.orders] == ["CANCELED", "FILLED"]


def test_orders_and_fills_of_the_user_are_left_alone_and_do_not_stop_the_bot(live: Live) -> None:
    live.desk.market.order("SELL", "100", "LIMIT", price="0.0205", newClientOrderId="mine")
    live.desk.market.order("SELL", "2000")
    report = order_of(live.run())
    assert report["status"] == "FILLED"
    assert 2900 < report["filled_quantity"] < 3100
    live.run(15)
    assert live.desk.asked("DELETE order") == []
    mine = {order["clientOrderId"]: order["status"] for order in live.orders}
    assert mine["mine"] == "NEW"
    assert live.intent()["state"] == "FILLED"
    assert live.client.hlen(JOURNAL) == 1
    assert agrees(live)


def test_an_order_of_somebody_else_is_looked_up_once(live: Live) -> None:
    live.desk.market.order("SELL", "100")
    live.run()
    live.run(15)
    live.run(30)
    manual = live.orders[0]["orderId"]
    asked = [call for call in live.desk.asked("GET order") if call.params.get("orderId") == manual]
    assert len(asked) == 1


def test_a_fill_whose_order_cannot_be_looked_up_leaves_a_doubt(live: Live) -> None:
    live.desk.market.order("SELL", "100")
    live.desk.on["GET order"] = lambda call: (500, "") if "orderId" in call.params else None
    held = reason(live.run())
    assert held.startswith("Unresolved order:")
    assert held.endswith("could not be looked up (exchange_unavailable)")
    assert live.sent == 0


def test_an_order_that_was_just_resolved_is_not_told_as_lost(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    live.desk.latency = 0
    line = Line(live.client)
    redis_away_after_sending(live, line)
    live.clock.move(2.5)
    live.call("fifteen_min_job", NOON)
    line.mend()
    live.lease_ends()
    caplog.clear()
    live.run()
    assert live.intent()["state"] == "FILLED"
    assert live.intent()["sent_at"] == (NOON + timedelta(seconds=2.5)).isoformat()
    assert not any("not in the journal" in error for error in errors(caplog))


# plan and test place nothing


def everything_that_may_run(live: Live, *prices: str) -> None:
    """A slot, the same again, a run by hand, and the next slot, while the price moves."""
    for minutes, price in zip((30, 45, 60), prices, strict=True):
        live.desk.market.set_price(price)
        for job in ("price", "balance", "cost"):
            live.call(job)
        live.run(minutes)
        live.run(minutes)
        live.by_hand()


@pytest.mark.parametrize("style", ["ioc", "maker", "market"])
@pytest.mark.parametrize("mode", ["plan", "test"])
def test_in_plan_and_test_mode_no_request_reaches_the_order_endpoint(live: Live, mode: str, style: str) -> None:
    live.start(EXECUTION_MODE=mode, ORDER_STYLE=style, ALLOW_MARKET_ORDERS="true")
    everything_that_may_run(live, "0.02", "0.03", "0.01")
    assert live.desk.asked("POST order") == live.desk.asked("DELETE order") == []
    assert live.orders == []
    assert bool(live.desk.asked("POST order/test")) is (mode == "test")
    assert live.client.exists(JOURNAL, OPEN) == 0


@pytest.mark.parametrize("mode", ["plan", "test"])
def test_what_live_left_open_is_only_read_in_the_other_modes(live: Live, mode: str) -> None:
    live.start(ORDER_STYLE="maker", ORDER_REST_SECONDS="15")
    lost_answer(live)
    live.desk.on["GET order"] = nowhere
    live.run()
    live.desk.on.clear()
    assert live.open_intents() == [live.name()]
    live.start(EXECUTION_MODE=mode, ORDER_STYLE="maker")
    assert reason(live.run(15)) == f"Unresolved order: {live.name()} (it is still NEW)"
    everything_that_may_run(live, "0.02", "0.015", "0.01")
    assert live.sent == 1
    assert live.desk.asked("DELETE order") == []
    assert [order["status"] for order in live.orders] == ["NEW"]
    assert live.open_intents() == [live.name()]


def test_an_orphan_is_left_to_live_mode(live: Live) -> None:
    live.desk.market.order("SELL", "1000", "LIMIT", price="0.0205", newClientOrderId=live.name(-15))
    live.start(EXECUTION_MODE="plan")
    live.run()
    assert live.client.exists(JOURNAL) == 0
    assert live.desk.asked("DELETE order") == []


def test_plan_mode_records_what_it_would_order_and_what_stands_against_it(live: Live) -> None:
    live.start(EXECUTION_MODE="plan", MAX_ORDERS_PER_DAY="0")
    answer = live.run()
    plan = answer["rebalance"]
    assert (plan["action"], plan["quantity"], answer["order"]) == ("SELL", 5000, None)
    assert plan["refusals"] == ["0 orders were sent today (UTC), at most 0"]
    live.start(EXECUTION_MODE="plan")
    intended = live.run(15)["rebalance"]["intended_order"]
    assert (intended["side"], intended["quantity"], intended["limit_price"]) == ("SELL", 5000, d("0.01999"))


def test_test_mode_asks_the_exchanges_own_check_and_reports_it(live: Live) -> None:
    live.start(EXECUTION_MODE="test")
    report = order_of(live.run())
    assert (report["status"], report["reason"], report["quantity"]) == ("TEST_ACCEPTED", None, 5000)
    (call,) = live.desk.asked("POST order/test")
    assert (call.params["newClientOrderId"], call.params["price"]) == (live.name(), "0.019990")
    live.desk.on["POST order/test"] = lambda call: (400, {"code": 30002, "msg": "too small"})
    report = order_of(live.run(15))
    assert report["status"] == "TEST_REFUSED"
    assert "30002" in report["reason"]
    assert live.desk.market.total("QRL") == 30000


def test_in_test_mode_a_refusal_of_a_guard_holds(live: Live) -> None:
    live.start(EXECUTION_MODE="test", MAX_ORDERS_PER_DAY="0")
    assert reason(live.run()) == "Order refused: 0 orders were sent today (UTC), at most 0"
    assert live.desk.asked("POST order/test") == []


# The guards see the world as it is


@pytest.mark.parametrize(
    ("how", "refusal"),
    [
        ("status", "the exchange says status 2"),
        ("spot_flag", "the exchange says isSpotTradingAllowed=false"),
        ("buy_only", "the exchange does not allow SELL for this symbol now"),
        ("closed", "the exchange does not allow SELL for this symbol now"),
        ("key", "QRLUSDT is not in the symbols this key may trade (selfSymbols)"),
    ],
)
def test_a_symbol_that_is_closed_gets_no_order(live: Live, how: str, refusal: str) -> None:
    live.desk.market.sim("faults", kind="symbol_closed", how=how)
    assert reason(live.run()) == f"Order refused: {refusal}"
    assert live.sent == 0


def test_an_account_that_may_not_trade_gets_no_order(live: Live) -> None:
    live.desk.market.sim("account", can_trade=False)
    assert reason(live.run()) == "Order refused: the account may not trade (canTrade=false)"


def test_an_account_without_coins_makes_its_first_buy_within_a_daily_loss_limit(
    make_bot: MakeBot, desk: Desk, clock: FakeClock, bare_functions: Functions
) -> None:
    """No coins of known cost: the P&L is what was realized, a number, and today's loss is known."""
    make_bot(**Live.LIVE, **desk.env, MAX_DAILY_LOSS_USDT="5")
    desk.market.hold(USDT="500")
    for job in ("price", "balance", "cost"):
        bare_functions.post(job)
    orders = []
    for _ in range(2):
        clock.move(900)
        bare_functions.post("price")
        answer = told(bare_functions.post("fifteen_min_job", slot=clock.now().isoformat()))
        orders.append(answer["order"] or answer["rebalance"]["reason"])
    assert orders[0]["side"] == "BUY", orders


def test_without_the_keys_own_list_the_public_one_is_asked(live: Live) -> None:
    live.desk.on["GET selfSymbols"] = lambda call: (400, {"code": 700007, "msg": "no permission"})
    assert order_of(live.run())["status"] == "FILLED"
    live.client.delete(*live.client.scan_iter(RULES))
    live.desk.market.set_price("0.022")
    live.desk.on["GET defaultSymbols"] = lambda call: (200, {"data": [], "code": 0, "msg": "success"})
    assert reason(live.run(15)) == (
        "Order refused: QRLUSDT is not in the symbols the API may trade (defaultSymbols)"
    )


@pytest.mark.parametrize(("path", "told"), [("depth", "the order book"), ("openOrders", "the open orders")])
def test_what_cannot_be_read_stops_the_order_not_the_plan(live: Live, path: str, told: str) -> None:
    live.desk.on[f"GET {path}"] = lambda call: (500, "")
    assert reason(live.run()) == f"Order refused: {told} could not be read"
    assert live.sent == 0


def test_a_price_that_jumped_is_held_against_the_last_known_one(live: Live) -> None:
    live.desk.market.set_price("0.0241")
    assert reason(live.run()) == (
        "Order refused: the price 0.0241 is 20.50 % off the last known one, 0.02; at most 20.00 %"
    )
    live.call("price")
    assert order_of(live.run(15))["status"] == "FILLED"


def test_how_old_balance_and_price_are_is_a_check_of_the_plan(live: Live) -> None:
    live.desk.latency = 0
    checks = {check["name"]: check for check in live.run()["rebalance"]["checks"]}
    for name in ("balance_age", "price_age"):
        assert (checks[name]["passed"], checks[name]["value"], checks[name]["limit"]) == (True, 0, 60)


@pytest.mark.parametrize(
    ("setting", "what"), [("MAX_BALANCE_AGE_SECONDS", "balance"), ("MAX_PRICE_AGE_SECONDS", "price")]
)
def test_what_was_read_too_long_ago_is_a_reason_to_hold(live: Live, setting: str, what: str) -> None:
    live.start(**{setting: "5"})
    live.desk.on["GET selfSymbols"] = lambda call: (400, {"code": 700007, "msg": "no permission"})
    live.desk.on["GET defaultSymbols"] = lambda call: live.clock.move(6)
    answer = live.run()
    assert reason(answer) == f"Stale data: {what} is 6 s old, at most 5 s"
    failed = [check["name"] for check in answer["rebalance"]["checks"] if not check["passed"]]
    assert failed == [f"{what}_age"]
    assert live.sent == 0


def test_the_daily_loss_stops_trading_until_the_next_day(live: Live) -> None:
    live.start(MAX_DAILY_LOSS_USDT="50")
    live.run()
    live.desk.market.set_price("0.017")
    live.call("price")
    assert "today's loss is 75" in reason(live.run(15))
    live.clock.move(12 * 3600)
    live.call("price")
    assert order_of(live.run(13 * 60))["side"] == "BUY"


def test_when_the_cost_leg_fails_there_is_no_order(live: Live) -> None:
    live.desk.on["GET myTrades"] = lambda call: (500, "")
    answer = live.run()
    assert (answer["status"], answer["order"]) == ("partial", None)
    assert answer["rebalance"]["reason"] == "Stale data: the cost update of this run failed"
    assert live.sent == 0


def test_without_keys_nothing_is_asked_or_ordered(
    make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange
) -> None:
    make_bot(EXECUTION_MODE="live", MEXC_API_KEY="", MEXC_SECRET_KEY="")
    answer = told(bare_functions.post("rebalance"))
    assert (answer["status"], answer["reason"]) == ("skipped", "API keys not configured")
    assert exchange.calls == []


def test_reserves_are_kept_over_many_slots_and_prices(live: Live) -> None:
    live.start(CORE_HOLDING="26000", USDT_RESERVE="390", MAX_ORDERS_PER_DAY="1000", MAX_PRICE_DEVIATION="0.9")
    for step, price in enumerate(("0.02", "0.023", "0.026", "0.022", "0.018", "0.015", "0.012")):
        live.desk.market.set_price(price)
        live.call("price")
        live.run(15 * step)
        assert live.desk.market.total("QRL") >= 26000
        assert live.desk.market.total("USDT") >= 390
    assert live.sent > 2
    assert agrees(live)
    assert live.desk.market.total("USDT") < 392


def test_the_other_jobs_only_read_even_in_live_mode(
    make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange
) -> None:
    make_bot(EXECUTION_MODE="live")
    exchange.answers |= exchange_answers(fills=[fill_payload("BUY", "1000.5", "0.02")])
    for job in ("balance", "price", "cost"):
        assert bare_functions.post(job).status_code == 200
    assert {call.method for call in exchange.calls} == {"GET"}


def test_no_order_is_placed_by_a_run_that_could_not_keep_its_books_afterwards(live: Live) -> None:
    """Whatever key that the run needs cannot be understood: it is named before anything is sent."""
    keys, cache = Keys("", "QRLUSDT"), CacheKeys("qrl")
    spoilt = [part for name, part in PARTS.items() if name in TRADING and part.command in ("GET", "HGETALL")]
    wrong = []
    for job in ("rebalance", "fifteen_min_job"):
        for part in spoilt:
            key = part.key(keys, cache)
            kept: Any = live.client.dump(key)
            live.client.delete(key)
            if part.command == "GET":
                live.client.set(key, "[]")
            else:
                live.client.hset(key, "x", "[]")
            answer = told(live.call(job))
            if live.sent or key not in json.dumps(answer, default=str):
                wrong.append((job, key, answer))
            live.client.delete(key)
            if kept is not None:
                live.client.restore(key, 0, kept)
    assert wrong == []
    assert live.by_hand()["order"]["status"] == "FILLED"


def test_an_order_is_followed_until_six_seconds_before_the_run_must_end(live: Live) -> None:
    live.desk.latency = 0
    lost_answer(live)
    looks: list[float] = []

    def hidden(call: Call) -> Any:
        looks.append((live.clock.now() - NOON).total_seconds())
        return nowhere(call)

    live.desk.on["GET order"] = hidden
    live.run()
    assert looks[3:] == [0.25, 0.75, 1.75, 3.75, 7.75, *(11.75 + 4 * n for n in range(7)), 45 - 6]
