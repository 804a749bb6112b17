"""Against holding, kept with the ledger: every fill and flow once, whatever is late, lost, repeated or restored."""

import json
from datetime import timedelta
from typing import Any

import pytest

from common.domain.ledger.sequence import RULE
from common.domain.performance.attribution import SUMMANDS
from tests.builders import d, exchange_answers, fill_payload, told
from tests.conftest import Functions, Live
from tests.fakes import NOON, Call, FakeClock, StubExchange

B = "bot:QRLUSDT:"
NAMES = (
    *("value", "held_value", "difference", *SUMMANDS, "fees_in_other_assets", "fills_without_mid"),
    *("mark_price", "since"),
)
WORKED = fill_payload("BUY", "1000.5", "0.0200", at=NOON - timedelta(days=1))


def attribution(answer: Any) -> dict[str, Any]:
    """That of a cost answer; its lines sum to the difference, to the last digit."""
    found: dict[str, Any] = answer["attribution"]
    assert set(found) == set(NAMES)
    assert sum(found[name] for name in SUMMANDS) == found["difference"] == found["value"] - found["held_value"]
    return found


def seen(functions: Functions, exchange: StubExchange, qrl: str, *fills: Any, **more: str) -> dict[str, Any]:
    """The attribution of a cost run on fresh balances."""
    exchange.answers |= exchange_answers(qrl=qrl, fills=[WORKED, *fills], **more)
    assert functions.post("balance").status_code == 200
    return attribution(told(functions.post("cost"))["data"])


def traded(live: Live) -> None:
    """A sale at noon, a deposit of 50 USDT, another sale an hour later at a higher price."""
    assert live.run()["order"]["status"] == "FILLED"
    live.clock.move(60)
    live.desk.market.sim("deposit", asset="USDT", amount="50")
    live.clock.move(60)
    live.call("balance")
    live.call("cost")
    live.desk.market.set_price("0.0235")
    answer = live.run(60)
    assert answer["order"], answer["rebalance"]["reason"]


def cost(live: Live) -> Any:
    live.call("balance")
    return attribution(told(live.call("cost"))["data"])


def state(live: Live) -> Any:
    """The stored state but for what tells when it was last looked at."""
    document = live.stored("attribution")
    return {name: document[name] for name in ("attribution", "shares", "last_event", "unconfirmed")}


def test_the_cost_answer_has_every_line_under_its_name(functions: Functions, exchange: StubExchange) -> None:
    lines = seen(functions, exchange, "1000.5")
    assert (lines["difference"], lines["fills_without_mid"]) == (0, 0)
    assert (lines["mark_price"], lines["since"]) == (d("0.0205"), NOON.isoformat())


def test_a_bots_own_fill_is_measured_from_the_mid_of_its_decision(live: Live) -> None:
    assert live.run()["order"]["status"] == "FILLED"
    live.clock.move(60)
    lines = cost(live)
    assert lines["fills_without_mid"] == 0
    assert lines["slippage"] < 0
    assert lines["fees"] == -d("99.95") * d("0.0005")
    assert lines["operator_trades"] == 0


def test_somebody_elses_trade_is_the_operators(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    seen(functions, exchange, "1000.5")
    clock.move(300)
    bought = fill_payload("BUY", "100", "0.02", number=2, at=NOON + timedelta(seconds=60))
    lines = seen(functions, exchange, "1100.5", bought, usdt="498.25")
    assert lines["operator_trades"] == lines["difference"] == d("0.05")


@pytest.mark.parametrize("seen_by", ["the next slot", "cost before it"])
def test_a_nameless_fill_of_an_order_whose_answer_was_never_read_is_the_bots_own(live: Live, seen_by: str) -> None:
    """The exchange need not name its fills: whose they are is found out in the run that looks the order up."""

    def ends(call: Call) -> Any:
        live.desk.carry_out(call)
        raise KeyboardInterrupt

    def nameless(call: Call) -> Any:
        status, body, headers = live.desk.carry_out(call)
        return status, json.dumps([row | {"clientOrderId": None} for row in json.loads(body)]), headers

    live.desk.on |= {"POST order": ends, "GET myTrades": nameless}
    with pytest.raises(KeyboardInterrupt):
        live.run()
    del live.desk.on["POST order"]
    live.start()
    live.lease_ends()
    if seen_by == "cost before it":
        live.clock.move(120)
        live.call("balance")
        live.call("cost")
    live.run(15)
    lines = cost(live)
    assert (lines["operator_trades"], lines["fills_without_mid"]) == (0, 0)
    assert (lines["slippage"], lines["fees"]) == (d("-0.05"), d("-0.049975"))


def test_a_deposit_makes_no_difference(functions: Functions, exchange: StubExchange, clock: FakeClock) -> None:
    seen(functions, exchange, "1000.5")
    for minute in (1, 2, 3):
        clock.move(60 * minute)
        lines = seen(functions, exchange, "1100.5", usdt="550.25")
        assert (lines["difference"], lines["held_value"]) == (0, d("1100.5") * d("0.0205") + d("560.25"))


def test_a_deposit_is_recorded_once_with_the_price_it_was_seen_at(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: Any
) -> None:
    seen(functions, exchange, "1000.5")
    for minute in (1, 2, 3, 4):
        clock.move(60 * minute)
        seen(functions, exchange, "1000.5", usdt="550.25", price=f"0.02{minute}")
    (flow,) = map(json.loads, store_client.zrange(f"{B}attribution:flows", 0, -1))
    assert flow == {"at": (NOON + timedelta(minutes=1)).isoformat(), "base": "0", "quote": "50.00", "mid": "0.021"}


def test_a_fill_that_shows_later_than_its_coins_is_no_flow(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: Any
) -> None:
    late = fill_payload("BUY", "100", "0.02", number=2, at=NOON + timedelta(seconds=30))
    seen(functions, exchange, "1000.5")
    clock.move(60)
    assert seen(functions, exchange, "1100.5", usdt="498.25")["difference"] == 0
    clock.move(60)
    assert seen(functions, exchange, "1100.5", late, usdt="498.25")["operator_trades"] == d("0.05")
    assert store_client.exists(f"{B}attribution:flows") == 0


def test_a_fill_that_shows_days_late_gives_what_it_would_have_given_in_time(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: Any
) -> None:
    """Its coins were a flow for good by then; the look back of the next day finds it."""
    late = fill_payload("BUY", "100", "0.02", number=2, at=NOON + timedelta(seconds=30))
    seen(functions, exchange, "1000.5")
    for _ in range(4):
        clock.move(3600 * 3)
        seen(functions, exchange, "1100.5", usdt="498.25")
    assert store_client.zcard(f"{B}attribution:flows") == 1
    clock.move(3600 * 3)
    lines = seen(functions, exchange, "1100.5", late, usdt="498.25")
    assert (lines["operator_trades"], lines["held_value"]) == (d("0.05"), d("1000.5") * d("0.0205") + d("510.25"))
    assert store_client.exists(f"{B}attribution:flows") == 0


def test_runs_that_are_repeated_and_slots_delivered_twice_change_nothing(live: Live) -> None:
    traded(live)
    cost(live)
    before = state(live)
    live.call("fifteen_min_job", NOON + timedelta(hours=1))
    for _ in range(2):
        live.call("cost")
    live.clock.move(200)
    cost(live)
    assert state(live) == before


@pytest.mark.parametrize("lost", ["ledger", "attribution", "ledger:lots"])
def test_a_key_that_is_lost_is_folded_anew_to_the_same_state(lost: str, live: Live) -> None:
    traded(live)
    cost(live)
    live.clock.move(200)
    cost(live)
    before = state(live)
    live.client.delete(f"{B}{lost}")
    live.clock.move(200)
    cost(live)
    if lost == "attribution":  # what it alone knew: the realized variance of the slots
        before["shares"] |= {"variance": "0", "mid": "0.02"}
    assert state(live) == before


def as_once_written(fill: dict[str, Any]) -> dict[str, Any]:
    return {name: fill[name] for name in fill if name not in ("mid_price", "fee_pending", "ordered_at", "remarks")}


def test_a_deployment_with_history_is_taken_over_and_says_of_how_many_fills_it_knows_no_mid(live: Live) -> None:
    traded(live)
    cost(live)
    fills: Any = live.client.zrange(f"{B}ledger:fills", 0, -1, withscores=True)
    live.client.delete(f"{B}ledger:fills", f"{B}attribution", f"{B}attribution:flows")
    for text, score in fills:
        live.client.zadd(f"{B}ledger:fills", {json.dumps(as_once_written(json.loads(text))): score})
    ledger = live.stored("ledger") | {"tail": [as_once_written(each) for each in live.stored("ledger")["tail"]]}
    for new in ("exchange", "looked_back_on", "order_rule"):
        del ledger[new]
    live.client.set(f"{B}ledger", json.dumps(ledger))
    live.clock.move(200)
    lines = cost(live)
    assert (lines["fills_without_mid"], lines["slippage"]) == (2, 0)
    assert lines["value"] == live.desk.market.total("QRL") * d("0.0235") + live.desk.market.total("USDT")
    live.clock.move(200)
    assert cost(live) == lines
    assert live.stored("ledger")["order_rule"] == RULE


# Points


def points(live: Live, key: str) -> list[Any]:
    texts: Any = live.client.zrange(f"{B}equity:{key}", 0, -1)
    return [json.loads(text) for text in texts]


def test_every_slot_leaves_a_point_and_the_first_of_a_day_a_daily_one(live: Live) -> None:
    for hour in (0, 6, 12, 18):
        live.run(hour * 60)
    live.run(18 * 60)  # delivered twice
    slots, days = points(live, "slots"), points(live, "days")
    assert [point["at"] for point in slots] == [(NOON + timedelta(hours=h)).isoformat() for h in (0, 6, 12, 18)]
    assert [point["at"] for point in days] == [slots[0]["at"], slots[2]["at"]]
    last = slots[-1]
    real = last["attribution"]["real"]
    assert d(last["value"]) == d(real["base"]) * d(last["mid"]) + d(real["quote"])
    assert d(real["base"]) == live.desk.market.total("QRL")


def test_a_slot_of_yesterday_that_is_tried_again_after_midnight_begins_no_day(live: Live) -> None:
    for minutes in (11 * 60 + 30, 12 * 60):
        live.run(minutes)
    live.clock.move(120)
    live.lease_ends()
    live.call("fifteen_min_job", NOON + timedelta(minutes=11 * 60 + 45))
    live.run(12 * 60 + 15)
    begun = [NOON + timedelta(minutes=minutes) for minutes in (11 * 60 + 30, 12 * 60)]
    assert [point["at"] for point in points(live, "days")] == [at.isoformat() for at in begun]


def test_the_realized_variance_goes_from_slot_to_slot(live: Live) -> None:
    live.start(EXECUTION_MODE="plan")
    live.run()
    live.desk.market.set_price("0.0235")
    live.run(15)
    live.call("cost")
    first, second = points(live, "slots")
    step = (d(second["mid"]) / d(first["mid"])).ln()
    assert abs(d(second["shares"]["variance"]) - d(first["shares"]["variance"]) - step * step) < d("1e-17")


def test_points_are_bounded_and_a_year_of_days_is_less_than_half_a_megabyte(live: Live) -> None:
    traded(live)
    for key in ("slots", "days"):
        text: Any = live.client.zrange(f"{B}equity:{key}", 0, 0)[0]
        live.client.zadd(f"{B}equity:{key}", {text.replace("}", f',"n":{n}}}', 1): n for n in range(1200)})
    assert 365 * len(text) < 500_000
    live.run(75)
    assert live.client.zcard(f"{B}equity:slots") == 1000
    assert live.client.zcard(f"{B}equity:days") > 1200


def test_a_run_by_hand_leaves_no_point(live: Live) -> None:
    live.by_hand("fifteen_min_job")
    assert points(live, "slots") == []
