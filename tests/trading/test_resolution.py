"""What becomes of orders that the exchange reports late, no longer, or under another name."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.clock import milliseconds
from common.decimal_json import to_redis
from common.domain.instrument import Side
from common.domain.orders.journal import IntentState, JournalEntry
from common.domain.orders.order import OrderIntent, OrderStyle, client_order_id
from common.store.entries import entry_document
from tests.builders import d, order_payload, told
from tests.conftest import Functions, Live
from tests.fakes import NOON, Call
from tests.trading.test_execution import agrees, lost_answer, not_there, nowhere, order_of, reason

DAY = 24 * 60


def invisible(live: Live) -> None:
    """From now on look-ups find nothing, by either id and among the open ones."""
    live.desk.on |= {"GET order": nowhere, "GET openOrders": lambda call: (200, [])}


def test_an_acknowledged_order_is_never_taken_for_never_accepted(live: Live) -> None:
    invisible(live)
    live.desk.market.sim("faults", kind="hide_trades", seconds=4000)
    report = order_of(live.run())
    assert (report["status"], report["order_id"]) == ("UNKNOWN", live.orders[0]["orderId"])
    for minutes in (15, 30):
        assert reason(live.run(minutes)).startswith(f"Unresolved order: {live.name()} (acknowledged as C02__")
    assert live.sent == 1
    live.desk.on.clear()
    live.run(75)
    assert live.intent()["state"] == "FILLED"
    assert agrees(live)


def test_an_order_of_which_only_the_acknowledged_id_is_known_is_found_by_it(live: Live) -> None:
    live.desk.on["GET order"] = lambda call: nowhere(call) if "origClientOrderId" in call.params else None
    assert order_of(live.run())["status"] == "FILLED"


def test_before_a_request_is_repeated_after_a_refused_clock_the_exchange_is_asked(live: Live) -> None:
    def refused_yet_accepted(call: Call) -> Any:
        if len(live.desk.asked("POST order")) == 1:
            live.desk.carry_out(call)
            return 400, {"code": 700003, "msg": "Timestamp for this request is outside of the recvWindow."}
        return None

    live.desk.on["POST order"] = refused_yet_accepted
    assert order_of(live.run())["status"] == "FILLED"
    assert (live.sent, len(live.orders)) == (1, 1)


@pytest.fixture
def outlived(live: Live) -> Live:
    """An order whose answer was lost and which nobody saw until the exchange no longer lists its time."""
    lost_answer(live)
    invisible(live)
    assert order_of(live.run())["status"] == "UNKNOWN"
    live.desk.on.pop("POST order")
    return live


def test_an_intent_older_than_the_exchanges_memory_is_settled_by_fills_that_match(outlived: Live) -> None:
    for fill in outlived.desk.market.exchange.engine.fills:
        object.__setattr__(fill, "client_order_id", None)
    outlived.run(8 * DAY)
    intent = outlived.intent()
    assert (intent["state"], intent["filled_quantity"]) == ("FILLED", "5000")
    assert intent["reason"] == "known by its fills: the exchange no longer lists it"


@pytest.fixture
def nobody_knows(outlived: Live) -> Live:
    outlived.desk.on["GET myTrades"] = lambda call: (200, [])
    held = reason(outlived.run(8 * DAY))
    assert "no longer lists orders of that time, and no fill belongs to it: use `settle-intent`" in held
    return outlived


def settle(functions: Functions, **body: Any) -> Any:
    return functions.command("settle-intent", **body)


def test_one_that_nobody_knows_holds_until_an_operator_says_what_became_of_it(
    nobody_knows: Live, bare_functions: Functions
) -> None:
    live = nobody_knows
    answer = settle(
        bare_functions, client_order_id=live.name(), filled_quantity="0", reason="not among my orders on the site"
    )
    assert (answer.status_code, told(answer)["data"]["state"]) == (200, "CANCELED")
    assert live.open_intents() == []
    assert "settled by" in live.intent()["reason"]
    commands: Any = live.client.lrange("bot:QRLUSDT:ops:commands", 0, -1)
    assert json.loads(commands[0])["command"] == "settle-intent"
    live.desk.on.clear()
    live.desk.market.set_price("0.024")
    assert live.run(8 * DAY + 15)["rebalance"]["reason"] != "Unresolved order"
    assert live.open_intents() == []


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"client_order_id": "rb1"}, "no open intent"),
        ({"filled_quantity": "5000.1"}, "at most 5000"),
        ({"filled_quantity": "many"}, "filled_quantity"),
        ({"filled_quantity": "-1"}, "filled_quantity"),
        ({"filled_quantity": None}, "filled_quantity"),
        ({"reason": " "}, "reason"),
        ({"client_order_id": 5}, "client_order_id"),
    ],
)
def test_what_an_operator_cannot_mean_is_refused_and_changes_nothing(
    live: Live, bare_functions: Functions, changes: dict[str, Any], wrong: str
) -> None:
    lost_answer(live)
    invisible(live)
    live.run()
    body = {"client_order_id": live.name(), "filled_quantity": "0", "reason": "seen on the site"} | changes
    answer = settle(bare_functions, **body)
    assert (answer.status_code, wrong in told(answer)["error"]["message"]) == (400, True)
    assert live.open_intents() == [live.name()]


def test_a_fill_that_names_somebody_elses_order_needs_no_look_up(live: Live) -> None:
    live.desk.market.order("SELL", "100", newClientOrderId="web1")
    live.desk.on["GET order"] = lambda call: (500, "") if "orderId" in call.params else None
    assert not live.run()["rebalance"]["reason"].startswith("Unresolved")


def test_a_nameless_fill_whose_order_is_not_told_is_doubt_for_a_minute_only(live: Live) -> None:
    live.desk.market.order("SELL", "100")
    live.desk.on["GET order"] = lambda call: nowhere(call) if "orderId" in call.params else None
    assert reason(live.run()).startswith("Unresolved order: an order could not be looked up")
    assert not live.run(15)["rebalance"]["reason"].startswith("Unresolved")


def test_an_unreadable_order_of_a_nameless_fill_is_named_and_an_operator_says_what_it_was(
    live: Live, bare_functions: Functions
) -> None:
    live.desk.market.order("SELL", "100")
    order_id = live.orders[0]["orderId"]
    live.desk.on["GET order"] = lambda call: {} if call.params.get("orderId") == order_id else None
    held = f"Unresolved order: {order_id} (symbol: Field required (and 6 more)) cannot be read: "
    for minutes in (0, 15):
        assert reason(live.run(minutes)) == held + "`settle-intent`, or `ignore-order`"
    assert bare_functions.command("ignore-order", id=order_id, reason="mine").status_code == 200
    assert order_of(live.run(30))["status"] == "FILLED"


def test_an_order_of_ours_that_only_its_fills_still_tell_is_taken_back_into_the_journal(live: Live) -> None:
    order_of(live.run())
    for key in ("journal", "recent", "open", "known"):
        live.client.delete(f"bot:QRLUSDT:orders:{key}")
    live.start()
    live.desk.on["GET order"] = nowhere
    live.run(15)
    assert (live.intent()["state"], live.intent()["filled_quantity"]) == ("FILLED", "5000")
    assert live.activity.orders >= 1


@pytest.mark.parametrize("name", ["rb209913990000B00000000000000", "rb202602300000S00000000000000"])
def test_a_foreign_order_named_almost_like_ours_ends_no_run(live: Live, name: str) -> None:
    live.desk.market.order("SELL", "100", "LIMIT", price="0.03", newClientOrderId=name)
    assert order_of(live.run())["status"] == "FILLED"


def test_more_executed_than_was_ordered_is_not_believed(live: Live) -> None:
    def boastful(call: Call) -> Any:
        status, body, headers = live.desk.carry_out(call)
        return status, json.loads(body) | ({"executedQty": "5001"} if status == 200 else {}), headers

    live.desk.on["GET order"] = boastful
    report = order_of(live.run())
    assert report["status"] == "UNKNOWN"
    assert "executedQty 5001 is more than was ordered" in report["reason"]


def test_a_twin_among_the_open_orders_is_no_reason_to_send_another(live: Live) -> None:
    lost_answer(live)
    live.start(ORDER_STYLE="maker", ORDER_REST_SECONDS="15")
    live.desk.on |= {"GET order": nowhere}
    strange = lambda call: (  # noqa: E731 - the row as another program would have placed it
        200,
        [row | {"clientOrderId": None, "orderId": "C02__1"} for row in json.loads(live.desk.carry_out(call)[1])],
    )
    live.desk.on["GET openOrders"] = strange
    live.run()
    assert "has its side, quantity and price" in reason(live.run(15))
    assert live.sent == 1


def test_the_answers_about_an_order_are_kept_as_they_came(live: Live) -> None:
    live.run()
    kept: Any = live.client.zrange("mexc:raw:order:history", 0, -1)
    assert any(json.loads(text)["response"]["status"] == "FILLED" for text in kept)
    assert live.client.zcard("mexc:raw:account_info:history") == len(live.desk.asked("GET account")), "after it too"


def test_an_order_planned_before_midnight_and_sent_after_it_counts_for_the_new_day(live: Live) -> None:
    live.start(MAX_ORDERS_PER_DAY="1")
    midnight = 12 * 60
    live.clock.move(midnight * 60 - 10)
    live.call("price")
    live.desk.on["GET depth"] = lambda call: live.clock.move(12)
    order_of(told(live.call("rebalance")))
    live.desk.on.clear()
    live.desk.market.set_price("0.024")
    answer = live.run(midnight + 15)
    assert answer["rebalance"]["reason"] == "Order refused: 1 orders were sent today (UTC), at most 1"


def test_what_an_older_version_left_is_counted_from_its_whole_journal(live: Live) -> None:
    live.start(MAX_ORDERS_PER_DAY="1")
    order_of(live.run())
    live.client.delete("bot:QRLUSDT:orders:recent")
    older = {"day": "2026-01-02", "orders": 1, "pnl_at_start": "0", "last_order_at": None, "last_slot": None}
    live.client.set("bot:QRLUSDT:orders:activity", json.dumps(older))
    live.start(MAX_ORDERS_PER_DAY="1")
    live.desk.market.set_price("0.024")
    assert reason(live.run(15)) == "Order refused: 1 orders were sent today (UTC), at most 1"
    assert live.activity.orders == 1
    assert live.stored("orders:activity") == {"day": "2026-01-02", "pnl_at_start": "0"}


def test_intents_of_two_days_ago_are_counted_no_more_and_leave_the_record(live: Live) -> None:
    order_of(live.run())
    live.desk.market.set_price("0.024")
    live.clock.move(3 * DAY * 60)
    live.call("price")
    order_of(told(live.call("rebalance")))
    live.clock.move(600)
    live.by_hand()
    names: Any = live.client.hkeys("bot:QRLUSDT:orders:recent")
    assert (len(names), live.name() in names) == (1, False)
    assert live.intent()["state"] == "FILLED"


# A row of the exchange's list of orders that cannot be read, once Redis is another


def unreadable_row(live: Live, monkeypatch: pytest.MonkeyPatch, **changed: Any) -> None:
    """Redis is another than before, and allOrders has a row of three hours ago that is no order."""
    row = order_payload(orderId="C02__777", origQty="25", executedQty="25", time=milliseconds(NINE)) | changed
    live.desk.on["GET allOrders"] = lambda call: [*json.loads(live.desk.carry_out(call)[1]), row]
    monkeypatch.setattr(live.client, "info", lambda *section: {"run_id": "another"})
    assert "this Redis was first seen at" in reason(live.run(15))


NINE = NOON - timedelta(hours=3)
OWN = client_order_id("QRLUSDT", NINE, Side.SELL)
INTENT = OrderIntent(OWN, NINE, Side.SELL, OrderStyle.IOC, d("25"), d("0.02"), d("0.5"))
ENDED = JournalEntry.planned(INTENT, NINE).ended(IntentState.CANCELED, "never accepted", NINE)


@pytest.mark.parametrize(
    ("changed", "told", "name", "said"),
    [
        (
            {"clientOrderId": OWN, "status": None},
            f"C02__777, {OWN} (status: Input should be a valid string)",
            "settle-intent",
            {"client_order_id": OWN, "order_id": "C02__777", "filled_quantity": "0"},
        ),
        (
            {"clientOrderId": None, "side": None},
            "C02__777 (side: Input should be 'BUY' or 'SELL')",
            "ignore-order",
            {"id": "C02__777"},
        ),
    ],
)
def test_it_is_named_and_holds_until_an_operator_says_what_it_was(
    live: Live,
    bare_functions: Functions,
    monkeypatch: pytest.MonkeyPatch,
    changed: Any,
    told: str,
    name: str,
    said: dict[str, Any],
) -> None:
    unreadable_row(live, monkeypatch, **changed)
    for minutes in (30, 2 * DAY):
        held = reason(live.run(minutes))
        assert held == f"Unresolved order: {told} cannot be read: `settle-intent`, or `ignore-order`"
    answer = bare_functions.command(name, **said, reason="seen on the site")
    assert answer.status_code == 200
    assert live.client.hexists("bot:QRLUSDT:orders:known", "C02__777")
    live.call("price")
    order_of(live.run(2 * DAY + 15))


def test_one_that_is_readable_by_itself_is_taken_back(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    live.desk.market.order("SELL", "100", newClientOrderId=OWN)
    row = {"orderId": live.orders[0]["orderId"], "clientOrderId": OWN}
    live.desk.on["GET allOrders"] = lambda call: [row]
    live.desk.on["GET myTrades"] = lambda call: (200, [])
    monkeypatch.setattr(live.client, "info", lambda *section: {"run_id": "another"})
    for minutes in (15, 30):
        live.run(minutes)
    intent = live.intent(-180)
    assert (intent["state"], intent["order_id"]) == ("FILLED", row["orderId"])
    assert live.stored("orders:continuity")["searched"] is True


@pytest.mark.parametrize("recorded", ["orders:known", "orders:journal"])
def test_one_that_is_recorded_holds_nothing(live: Live, monkeypatch: pytest.MonkeyPatch, recorded: str) -> None:
    unreadable_row(live, monkeypatch, clientOrderId=OWN, price="market")
    name, text = ("C02__777", OWN) if recorded == "orders:known" else (OWN, to_redis(entry_document(ENDED)))
    live.client.hset(f"bot:QRLUSDT:{recorded}", name, text)
    order_of(live.run(30))


@pytest.mark.parametrize(
    ("name", "said", "wrong"),
    [
        ("ignore-order", {"id": " "}, "id: the order's"),
        ("ignore-order", {"id": "C02__1", "reason": ""}, "reason"),
        ("ignore-order", {"id": "C02__5"}, "the bot's own rb1"),
        ("settle-intent", {"client_order_id": OWN, "filled_quantity": "0"}, "order_id: no record has"),
        (
            "settle-intent",
            {"client_order_id": OWN, "filled_quantity": "5", "order_id": "C02__7"},
            "filled_notional: no record",
        ),
        (
            "settle-intent",
            {
                "client_order_id": OWN[:-1] + "x",
                "filled_quantity": "0",
                "order_id": "C02__7",
            },
            "no open intent",
        ),
        (
            "settle-intent",
            {"client_order_id": OWN, "filled_quantity": "0", "order_id": 7},
            "order_id: the",
        ),
    ],
)
def test_what_says_too_little_of_it_is_refused(
    live: Live, bare_functions: Functions, name: str, said: dict[str, Any], wrong: str
) -> None:
    live.client.hset("bot:QRLUSDT:orders:known", "C02__5", "rb1")
    answer = bare_functions.command(name, **{"reason": "seen on the site"} | said)
    assert (answer.status_code, wrong in told(answer)["error"]["message"]) == (400, True), told(answer)
    assert live.client.hgetall("bot:QRLUSDT:orders:journal") == {}


# How far back, and for how long: each line is one that a run may stand on either side of


@pytest.mark.parametrize(("minutes", "known"), [(6 * DAY - 15, True), (6 * DAY + 15, False)])
def test_not_being_told_means_never_accepted_for_six_days_and_nothing_after_them(
    outlived: Live, minutes: int, known: bool
) -> None:
    outlived.desk.on["GET myTrades"] = lambda call: (200, [])
    outlived.run(minutes)
    assert (outlived.intent()["state"], "never accepted" in outlived.intent()["reason"]) == (
        "CANCELED" if known else "UNKNOWN",
        known,
    )


@pytest.mark.parametrize(("hours", "filled"), [(23, "5000"), (25, "0")])
def test_an_old_intent_is_settled_by_fills_of_its_first_day_only(outlived: Live, hours: int, filled: str) -> None:
    for fill in outlived.desk.market.exchange.engine.fills:
        object.__setattr__(fill, "client_order_id", None)
        if not fill.is_buyer:
            object.__setattr__(fill, "time_ms", fill.time_ms + hours * 3_600_000)
    outlived.run(8 * DAY)
    assert outlived.intent()["filled_quantity"] == filled


@pytest.mark.parametrize(("hours", "found"), [(23, True), (25, False)])
def test_the_order_of_a_fill_is_looked_for_while_the_fill_is_less_than_a_day_old(
    live: Live, hours: int, found: bool
) -> None:
    live.desk.market.order("SELL", "100", newClientOrderId=live.name())
    live.run(hours * 60)
    assert (live.intent() is not None) is found


@pytest.mark.parametrize(("minutes", "found"), [(6 * DAY - 15, True), (6 * DAY + 15, False)])
def test_once_redis_is_another_the_orders_of_six_days_are_taken_back(
    live: Live, monkeypatch: pytest.MonkeyPatch, minutes: int, found: bool
) -> None:
    live.desk.market.order("SELL", "100", newClientOrderId=live.name())
    live.run(15)
    for key in ("journal", "recent", "open", "known"):
        live.client.delete(f"bot:QRLUSDT:orders:{key}")
    monkeypatch.setattr(live.client, "info", lambda *section: {"run_id": "another"})
    assert "this Redis was first seen at" in reason(live.run(minutes - 15))
    live.run(minutes)
    assert (live.intent() is not None) is found
    asked = live.desk.asked("GET allOrders")
    assert int(asked[-1].params["endTime"]) > live.desk.market.now_ms() + 10_000, "our clock may be behind"
    live.run(minutes + 15)
    assert len(live.desk.asked("GET allOrders")) == len(asked), "asked once"


@pytest.mark.parametrize(("seconds", "state"), [(58, "UNKNOWN"), (62, "CANCELED")])
def test_an_order_that_is_not_seen_for_a_minute_was_never_accepted(live: Live, seconds: int, state: str) -> None:
    live.desk.latency = 0
    lost_answer(live)
    invisible(live)
    live.desk.on["GET myTrades"] = lambda call: (200, [])
    live.run()
    sent_at = datetime.fromisoformat(live.intent()["sent_at"])
    live.clock.move((sent_at + timedelta(seconds=seconds) - live.clock.now()).total_seconds())
    live.lease_ends()
    live.by_hand()
    assert live.intent()["state"] == state


@pytest.mark.parametrize(("before", "state"), [(None, "CANCELED"), ("one", "CANCELED"), ("another", "UNKNOWN")])
def test_an_order_nobody_sees_is_not_given_up_while_redis_may_have_forgotten_when_it_was_sent(
    live: Live, monkeypatch: pytest.MonkeyPatch, before: str | None, state: str
) -> None:
    lost_answer(live)
    invisible(live)
    live.desk.on["GET myTrades"] = lambda call: (200, [])
    live.run()
    if before:
        known = {"instance_id": before, "since": (NOON - timedelta(days=1)).isoformat(), "searched": True}
        live.client.set("bot:QRLUSDT:orders:continuity", json.dumps(known))
    monkeypatch.setattr(live.client, "info", lambda *section: {"run_id": "one"})
    live.run(15)
    assert live.intent()["state"] == state


def without_client_id(live: Live) -> None:
    for fill in live.desk.market.exchange.engine.fills:
        object.__setattr__(fill, "client_order_id", None)


def test_an_order_found_by_its_fills_alone_is_what_the_exchange_tells_of_it(live: Live) -> None:
    lost_answer(live)
    live.desk.on |= {"GET order": not_there, "GET openOrders": lambda call: (200, [])}
    live.desk.market.sim("faults", kind="hide_trades", seconds=120)
    assert order_of(live.run())["status"] == "UNKNOWN"
    without_client_id(live)
    live.desk.on.pop("POST order")
    live.run(15)
    assert (live.intent()["state"], live.intent()["reason"]) == ("FILLED", None)


def test_fills_that_match_an_intent_and_name_nobody_are_reason_enough_to_hold(outlived: Live) -> None:
    without_client_id(outlived)
    for minutes in (15, 30, 45):
        assert "match it, and the exchange does not say whose" in reason(outlived.run(minutes))
    assert outlived.intent()["state"] == "UNKNOWN"
    assert outlived.sent == 1


@pytest.mark.parametrize(
    "other", [{"quantity": Decimal(4999)}, {"price": Decimal("0.0199")}, {"is_buyer": True}], ids=str
)
def test_fills_of_another_quantity_price_or_side_are_not_taken_for_an_old_intent(
    outlived: Live, other: dict[str, Any]
) -> None:
    without_client_id(outlived)
    own = outlived.desk.market.exchange.engine.fills[-1]
    for name, value in other.items():
        object.__setattr__(own, name, value)
    assert "use `settle-intent`" in reason(outlived.run(8 * DAY))


def test_every_answer_that_an_open_intent_is_resolved_by_is_kept_as_it_came(live: Live) -> None:
    lost_answer(live)
    invisible(live)
    live.desk.on["GET myTrades"] = lambda call: (200, [])
    for minutes in (0, 15):
        live.run(minutes)
    assert live.intent()["state"] == "CANCELED"
    for name, path in (("open_orders", "openOrders"), ("my_trades", "myTrades")):
        assert live.client.zcard(f"mexc:raw:{name}:history") == len(live.desk.asked(f"GET {path}")), name
