"""The report on what a bot has really stored, day by day on the simulated exchange."""

from typing import Any

from common import runtime
from common.meter import Meter
from common.report.values import gather
from common.run import View
from tests.builders import KEYS, d, told
from tests.conftest import Functions, Live
from tests.report.values import values

FUNCTIONS = Functions()
OF_PLAN = " (from the plan of 2 Jan 2026, 12:00 UTC, before any order)"


def lines(live: Live) -> dict[str, str]:
    """`status` by the names of its lines."""
    text = FUNCTIONS.get("ops", "status").get_data(as_text=True)
    return {line[:10].strip(): line[11:] for line in text.splitlines()}


def test_the_orders_of_the_day_are_counted_as_the_guards_count_them(live: Live) -> None:
    counts = []
    for minutes in (0, 15, 30, 12 * 60):  # the last slot is of the next day
        live.desk.market.set_price("0.024" if minutes == 15 else "0.02")
        live.call("price")
        live.run(minutes)
        counts.append((live.activity.orders, lines(live)["today"].split(";")[0]))
    assert counts == [(1, "1 of 5 orders"), (2, "2 of 5 orders"), (3, "3 of 5 orders"), (0, "0 of 5 orders")]


def test_after_a_clock_was_set_back_no_time_is_negative(live: Live) -> None:
    live.run()
    live.clock.move(-30 * 3600)
    told = lines(live)
    assert "against holding since a time in the future (a clock was set back)" in told["worth"]
    assert told["plan"].endswith("a time in the future (a clock was set back)")
    assert "-" not in told["worth"] + told["plan"] + told["runs"]


def test_after_an_order_the_report_tells_the_mix_of_now_and_not_that_of_the_plan(live: Live) -> None:
    """30000 QRL and 400 USDT at 0.02: 5000 are sold, and the mix is one half; the plan still says three fifths."""
    answer = live.run()
    assert answer["order"]["filled_quantity"] == 5000
    held, money = live.desk.market.total("QRL"), live.desk.market.total("USDT")
    sell, buy = (r / (1 - r) * money / held for r in (d("0.51"), d("0.49")))
    told_lines, data = lines(live), told(FUNCTIONS.get("ops"))["data"]
    assert told_lines["mix"].startswith("50.0")
    assert f"at or below {buy:.5f}" in told_lines["next"]
    assert f"at or above {sell:.5f}" in told_lines["next"]
    assert "of 10.00 USDT: 4.9" in FUNCTIONS.get("ops", "report").get_data(as_text=True)
    (level,) = data["policy"]["levels"]
    for prices in (level, {name: each["price"] for name, each in data["mix"]["next_triggers"].items()}):
        assert abs(prices["buy_below"] - buy) < d("1e-9")
        assert abs(prices["sell_above"] - sell) < d("1e-9")
    stored = told(FUNCTIONS.get("rebalance"))
    assert stored["rebalance"]["next_triggers"] == answer["rebalance"]["next_triggers"]
    assert stored["policy"]["levels"][0]["buy_below"] != level["buy_below"]


def test_the_picture_of_the_mix_has_the_order_of_the_last_slot(live: Live) -> None:
    live.start(EXECUTION_MODE="plan")
    live.run()
    live.start()
    assert live.run(15)["order"]["filled_quantity"] == 5000
    page = FUNCTIONS.get("ops", "report").get_data(as_text=True)
    assert "is 50.0\u202f% now; 1 order filled in this time." in page
    assert "SELL 99.9" in page


def test_a_deposit_and_a_new_price_move_the_mix_before_the_next_plan(live: Live) -> None:
    live.start(EXECUTION_MODE="plan")
    live.run()
    live.desk.market.hold(QRL="30000", USDT="1000")
    live.desk.market.set_price("0.025")
    live.clock.move(240)
    for job in ("balance", "price"):
        live.call(job)
    assert (
        lines(live)["mix"]
        == "42.9\u202f% QRL (target 50.0\u202f%), 1\u202f750.00 USDT at 0.02500 of 2 Jan 2026, 12:04 UTC"
    )


def test_without_the_inputs_of_the_plan_its_own_figures_are_told_as_such(live: Live) -> None:
    """As an earlier version leaves them."""
    live.run()
    live.client.delete("bot:QRLUSDT:rebalance:inputs")
    assert lines(live)["mix"] == f"60.0\u202f% QRL (target 50.0\u202f%), 1\u202f000.00 USDT at 0.02000{OF_PLAN}"
    assert lines(live)["next"].endswith(OF_PLAN)
    assert told(FUNCTIONS.get("ops"))["data"]["mix"]["planned_at"] == "2026-01-02T12:00:00+00:00"


def test_while_the_balances_after_an_order_are_not_known_the_figures_are_told_as_the_plans(live: Live) -> None:
    answers = iter([None])
    live.desk.on["GET account"] = lambda _: next(answers, (400, {"code": 700002, "msg": "Signature is not valid."}))
    assert live.run()["order"]["filled_quantity"] == 5000
    assert lines(live)["mix"].startswith("60.0")
    assert lines(live)["mix"].endswith(OF_PLAN)
    live.desk.on.clear()
    live.call("balance")
    assert lines(live)["mix"].startswith("50.0")
    assert OF_PLAN not in lines(live)["mix"] + lines(live)["next"]


def test_an_account_of_quote_asset_alone_buys_at_any_price(live: Live) -> None:
    live.start(EXECUTION_MODE="plan")
    live.desk.market.hold(USDT="1000")
    live.run()
    assert lines(live)["next"] == "buys at any price"
    live.start(EXECUTION_MODE="plan", TARGET_RATIO="0.5", THRESHOLD_PCT="0.6")
    live.run(15)
    assert lines(live)["next"] == "no price is known at which it would trade"


def test_of_the_orders_of_years_only_those_of_the_last_days_and_of_what_is_drawn_are_read(live: Live) -> None:
    for minutes in (0, 15):
        live.run(minutes)
    name = live.name()
    for old in ("rb202001010000B00000000000000", name[:-1] + "x"):
        live.client.hset(KEYS.orders_journal, old, "{broken")
    bot = runtime.process_bot()
    view = View(bot.settings, bot.clock, bot.store, Meter(), bot.clock.now(), None)
    assert [entry.intent.client_order_id for entry in gather(view).orders] == [name]
    assert gather(view).unreadable == []
    live.client.delete(KEYS.orders_recent)
    assert list(gather(view).orders) == []
    drawn = gather(view, curves=True)
    assert [entry.intent.client_order_id for entry in drawn.orders] == [name]
    assert len(drawn.unreadable) == 1, drawn.unreadable
    assert KEYS.orders_journal in drawn.unreadable[0]


def test_the_documents_of_the_tests_have_no_field_that_no_bot_stores(live: Live) -> None:
    """A test that feeds a shape of its own proves nothing about the report."""
    for minutes in (0, 15):
        for job in ("price", "balance", "cost"):
            live.call(job)
        live.run(minutes)
    bot = runtime.process_bot()
    stored = gather(View(bot.settings, bot.clock, bot.store, Meter(), bot.clock.now(), None))
    ours = values(days=3, slots=3)
    for name in ("plan", "policy", "balances", "price", "cost", "runs", "reports"):
        assert unknown(getattr(ours, name), getattr(stored, name)) == [], name


def unknown(ours: Any, stored: Any, path: str = "") -> list[str]:
    """Fields of a document that a stored one lacks, or that are of another kind there; null goes with all."""
    if isinstance(ours, dict):
        if not isinstance(stored, dict):
            return [path] if stored is not None else []
        if path == ".balances":
            return []
        return [
            found
            for name, value in ours.items()
            for found in (unknown(value, stored[name], f"{path}.{name}") if name in stored else [f"{path}.{name}"])
        ]
    if isinstance(ours, (list, tuple)):
        return [found for value in ours[:1] for found in unknown(value, (stored or [None])[0], f"{path}[]")]
    return [] if ours is None or stored is None or type(ours) is type(stored) else [path]
