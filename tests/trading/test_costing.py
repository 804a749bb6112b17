"""The policy in force, over the rebalance job: what is measured, derived, filtered and told (contract.md §11)."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
import redis

from common.clock import milliseconds
from common.mexc.parse import read_klines
from common.trading import costing
from common.trading.costing import own_costs
from common.trading.snapshot import DecisionPrice, Snapshot
from tests.builders import (
    QRL,
    account_payload,
    book,
    d,
    depth_payload,
    exchange_answers,
    fill,
    holdings,
    rules,
    told,
)
from tests.conftest import Functions, Live, MakeBot
from tests.fakes import NOON, FakeClock, StubExchange

COST, POLICY = "bot:QRLUSDT:trading_cost", "bot:QRLUSDT:rebalance:policy"
DAY = timedelta(days=1)
AUTO = {"THRESHOLD_PCT": "auto", "REBALANCE_TO": "half"}


class Desk:
    """A bot of chosen settings, its plans, and what it stores."""

    def __init__(
        self,
        make_bot: MakeBot,
        functions: Functions,
        exchange: StubExchange,
        client: "redis.Redis",
        clock: FakeClock,
    ) -> None:
        self.make_bot, self.functions, self.exchange, self.client, self.clock = (
            make_bot, functions, exchange, client, clock
        )  # fmt: skip

    def holds(self, qrl: str, usdt: str, price: str = "2", book: Any = None) -> None:
        self.exchange.answers |= exchange_answers(price=price)
        self.exchange.answers["account"] = account_payload(("QRL", qrl, "0"), ("USDT", usdt, "0"))
        if book is not None:
            self.exchange.answers["depth"] = book

    def plan(self, **env: str) -> Any:
        self.make_bot(**env)
        answer = told(self.functions.post("rebalance"))
        assert answer["status"] == "success", answer
        return answer["rebalance"]

    def stored(self, key: str) -> Any:
        text: Any = self.client.get(key)
        return json.loads(text, parse_float=Decimal)


@pytest.fixture
def bench(
    make_bot: MakeBot,
    bare_functions: Functions,
    exchange: StubExchange,
    store_client: "redis.Redis",
    clock: FakeClock,
) -> Desk:
    desk = Desk(make_bot, bare_functions, exchange, store_client, clock)
    desk.holds("1000", "2000")
    return desk


def test_the_plan_tells_levels_with_their_prices_the_cost_with_its_parts_and_advice(bench: Desk) -> None:
    policy = bench.plan(LEVELS="0.01:half,0.03:target:maker")["policy"]
    assert list(policy) == ["levels", "decided_by", "decide_on", "mid_price", "last_price", "cost", "advice"]
    inner, outer = policy["levels"]
    assert (inner["trigger"], inner["destination"], inner["style"]) == (d("0.01"), d("0.005"), "ioc")
    assert (outer["trigger"], outer["destination"], outer["style"]) == (d("0.03"), 0, "maker")
    assert outer["buy_below"] < inner["buy_below"] < 2 < inner["sell_above"] < outer["sell_above"]
    assert (policy["decided_by"], policy["decide_on"], policy["mid_price"]) == (None, "last", 2)
    cost = policy["cost"]
    assert list(cost) == [
        "one_way", "fee", "half_spread", "impact", "at_notional", "books", "fills", "source"
    ]  # fmt: skip
    assert (cost["fee"], cost["half_spread"], cost["impact"]) == (d("0.0005"), d("0.001"), 0)
    assert (cost["one_way"], cost["books"], cost["source"]) == (d("0.0015"), 1, "order books")
    assert policy["advice"].startswith("1.0 points half-way costs about 0.63 % a year at c = 0.15 %; ")


def test_the_level_that_decided_is_named_as_an_owner_writes_it(bench: Desk) -> None:
    bench.holds("1070", "2000")
    plan = bench.plan(LEVELS="0.01:half,0.03:target:maker")
    assert (plan["action"], plan["policy"]["decided_by"]) == ("SELL", "0.01:half:ioc")
    assert (plan["quantity"], plan["intended_order"]) == (d("17.5"), None)  # no ledger yet


def test_without_a_setting_of_it_the_plan_is_as_ever_and_the_policy_is_kept_beside_it(bench: Desk) -> None:
    assert "policy" not in bench.plan()
    kept = bench.stored(POLICY)
    assert kept["advice"].startswith("1.0 points to the target costs about 0.94 % a year")
    assert told(bench.functions.get("rebalance"))["policy"]["advice"] == kept["advice"]


def test_a_derived_band_is_that_of_the_measured_cost(bench: Desk) -> None:
    level = bench.plan(**AUTO)["policy"]["levels"][0]
    assert round(level["trigger"] * 100, 2) == d("6.69")  # (12 · 0.0015 / 16 / (10/9))^⅓ · ⅔
    assert level["destination"] * 2 == level["trigger"]


def test_a_derived_band_stays_for_a_day_and_while_the_cost_changes_little(bench: Desk) -> None:
    first = bench.plan(**AUTO)["policy"]["levels"][0]["trigger"]
    dear = depth_payload("2") | {"bids": [["1.97", "99999"]], "asks": [["2.03", "99999"]]}
    for days, changed in ((0, False), (1, False), (8, True)):  # after eight days the first book is forgotten
        bench.clock.move((NOON + days * DAY - bench.clock.now()).total_seconds())
        bench.holds("1000", "2000", book=dear)
        trigger = bench.plan(**AUTO)["policy"]["levels"][0]["trigger"]
        assert (trigger != first) is changed or days == 1
    assert round(trigger * 100, 2) == d("14.58")


def test_the_first_run_measures_the_order_books_that_are_stored(bench: Desk) -> None:
    """Nine dear books of the last week and one from before; this run's own is the tenth that counts."""
    for hours in range(1, 10):
        stamp = milliseconds(NOON - timedelta(hours=hours))
        document = {"response": depth_payload("2") | {"bids": [["1.98", "999999"]]}, "timestamp": stamp}
        bench.client.zadd("mexc:raw:depth:history", {json.dumps(document): stamp})
    bench.client.zadd("mexc:raw:depth:history", {"{broken": milliseconds(NOON - DAY)})
    old = milliseconds(NOON - 8 * DAY)
    bench.client.zadd("mexc:raw:depth:history", {json.dumps({"response": {}, "timestamp": old}): old})
    cost = bench.plan(**AUTO)["policy"]["cost"]
    assert cost["books"] == 10
    assert round(cost["half_spread"], 4) == d("0.0055")  # 1.98 and 2.002 are half of 1.1 % from their mid


def test_a_measurement_that_cannot_be_read_is_made_anew_and_stops_nothing(
    bench: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    unreadable = ("NaN 0.1 1", "0.1 0.1", "0.1 0.1 1e9")
    lines = [json.dumps({"books": [f"{milliseconds(NOON)} {parts}"]}) for parts in unreadable]
    for text in ("{broken", '{"books": 5}', "[]", *lines):
        bench.client.set(COST, text)
        assert bench.plan(**AUTO)["policy"]["cost"]["books"] >= 1
        assert "measured again" in caplog.text
        assert bench.stored(COST)["books"]
        caplog.clear()


def test_without_a_book_the_last_measurement_stays_and_without_any_the_fallback(bench: Desk) -> None:
    bench.holds("1000", "2000", book=(503, ""))
    cost = bench.plan(**AUTO, COST_FALLBACK="0.003")["policy"]["cost"]
    assert (cost["one_way"], cost["source"], cost["books"]) == (d("0.003"), "COST_FALLBACK", 0)
    assert bench.stored(COST)["band"] is None
    bench.holds("1000", "2000")
    measured = bench.plan(**AUTO)["policy"]["cost"]
    bench.holds("1000", "2000", book=(503, ""))
    assert bench.plan(**AUTO)["policy"]["cost"] == measured


def test_an_inner_tier_rests_and_an_outer_one_takes(bench: Desk) -> None:
    inner, outer = bench.plan(**AUTO, ORDER_STYLE="tiered")["policy"]["levels"]
    assert (inner["style"], outer["style"]) == ("maker", "ioc")
    assert round(outer["trigger"] * 100, 2) == d("6.69")
    assert round(inner["trigger"] * 100, 2) == d("3.91")  # a fifth of 0.15 %, until own fills tell


# The price to decide on


def test_a_plan_on_the_mid_has_both_prices(bench: Desk) -> None:
    bench.holds("1000", "2000", "2.1", depth_payload("2"))
    on_last, on_mid = bench.plan(), bench.plan(DECIDE_ON="mid")
    assert (on_last["action"], on_last["price"]) == ("SELL", d("2.1"))
    assert (on_mid["action"], on_mid["price"]) == ("HOLD", 2)
    policy = on_mid["policy"]
    assert (policy["decide_on"], policy["mid_price"], policy["last_price"]) == ("mid", 2, d("2.1"))


def test_the_age_limit_holds_for_both_prices() -> None:
    """The older of last price and book counts where both are decided on."""
    old, deep = NOON - timedelta(seconds=61), book([("1.9", "9")], [("2.1", "9")])
    seen = Snapshot(holdings("1000", "2000"), True, d("2.05"), NOON, rules(), deep, (), old)
    assert seen.decision_price(mid=True) == DecisionPrice(d(2), d("2.05"), old)
    assert seen.decision_price(mid=False) == DecisionPrice(d("2.05"), None, NOON)
    assert seen._replace(price_as_of=old, book_as_of=NOON).decision_price(mid=True).as_of == old


def test_where_no_mid_can_be_read_the_last_price_decides(bench: Desk) -> None:
    bench.holds("1000", "2000", "2.1", depth_payload("2") | {"bids": []})
    plan = bench.plan(DECIDE_ON="mid")
    assert (plan["price"], plan["policy"]["decide_on"], plan["policy"]["mid_price"]) == (d("2.1"), "last", None)


def test_the_twenty_per_cent_guard_holds_for_both_prices(bench: Desk) -> None:
    bench.plan()
    bench.holds("1100", "2000", "2.9", depth_payload("2"))
    refusals = bench.plan(DECIDE_ON="mid")["refusals"]
    assert any("the price 2.9 is" in refusal for refusal in refusals)


# The trend


def candles(*closes: str, open_one: str) -> list[list[Any]]:
    """Daily candles that ended with the day of `NOON`, and today's, still open."""
    midnight = NOON.replace(hour=0)
    rows = []
    for ago, close in zip(range(len(closes), -1, -1), (*closes, open_one), strict=True):
        start = midnight - ago * DAY
        rows.append([milliseconds(start), close, close, close, close, "1", milliseconds(start + DAY), "1"])
    return rows


TREND = {"TREND_FILTER": "ma", "TREND_FAST": "2", "TREND_SLOW": "4"}


def test_in_a_rising_trend_sales_wait_and_buys_do_not(bench: Desk) -> None:
    plain = bench.plan(REBALANCE_TO="half")["policy"]["levels"][0]
    bench.exchange.answers["klines"] = candles("1.6", "1.7", "1.8", "1.9", open_one="2")
    policy = bench.plan(**TREND, REBALANCE_TO="half")["policy"]
    level = policy["levels"][0]
    assert policy["trend"] == (
        "rising, sales wait for 1.5 times the trigger: price 2, mean of 2 days 1.85, of 4 days 1.75"
    )
    assert level["buy_below"] == plain["buy_below"]
    assert round(level["sell_above"], 3) == d("2.124")  # 2 · 0.515 / 0.485
    bench.holds("1045", "2000")
    assert bench.plan(**TREND)["action"] == "HOLD"
    assert bench.plan()["action"] == "SELL"


def test_a_candle_that_is_still_open_never_counts(bench: Desk) -> None:
    """With today's 9 the fast mean would be above the price."""
    bench.exchange.answers["klines"] = candles("1.6", "1.7", "1.8", "1.9", open_one="9")
    assert bench.plan(**TREND)["policy"]["trend"].startswith("rising")


def test_an_open_candle_that_counted_would_be_noticed(bench: Desk) -> None:
    """Planted: every candle passes for closed."""

    def closed(payload: Any) -> list[Any]:
        return [candle._replace(closes_at=min(candle.closes_at, NOON)) for candle in read_klines(payload)]

    with patch.object(costing, "read_klines", closed), pytest.raises(AssertionError):
        test_a_candle_that_is_still_open_never_counts(bench)


def test_candles_come_through_the_cache_and_end_with_the_day(bench: Desk) -> None:
    bench.exchange.answers["klines"] = candles("1.6", "1.7", "1.8", "1.9", open_one="2")
    for _ in range(3):
        bench.plan(**TREND)
    assert bench.exchange.paths().count("klines") == 1
    assert bench.client.zcard("mexc:raw:klines:history") == 1
    assert bench.client.ttl("qrl:v1:ohlcv:QRL/USDT:1d:5") == 12 * 3600


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((503, ""), "left out: "),
        ([["x"]], "left out: "),
        (candles("1.8", "1.9", open_one="2"), "left out: 2 days have closed, 4 are needed"),
        ([], "left out: the newest daily candle is too old"),
        (candles("1.6", "1.7", "1.8", "1.9", open_one="2")[:-3], "left out: the newest daily candle is too old"),
    ],
)
def test_candles_that_cannot_be_used_leave_the_filter_out_and_say_so(
    answer: Any, why: str, bench: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    bench.exchange.answers["klines"] = answer
    bench.holds("1045", "2000")
    plan = bench.plan(**TREND)
    assert plan["action"] == "SELL"
    assert plan["policy"]["trend"].startswith(why)
    assert "the trend filter is left out" in caplog.text


def test_candles_that_come_a_day_late_still_count(bench: Desk) -> None:
    bench.exchange.answers["klines"] = candles("1.6", "1.7", "1.8", "1.9", "9", open_one="9")[:-2]
    assert bench.plan(**TREND)["policy"]["trend"].startswith("rising")


def test_without_the_filter_no_candle_is_asked_for(bench: Desk) -> None:
    bench.plan(**AUTO)
    assert "klines" not in bench.exchange.paths()


# Own fills


def test_what_an_own_fill_cost_joins_the_books_and_is_counted_once(live: Live) -> None:
    order = live.run()["order"]
    assert order["status"] == "FILLED"
    for minutes in (15, 30):
        live.run(minutes)
    cost = live.stored("trading_cost")
    (fill,) = cost["fills"]
    mid, paid = d(live.intent()["mid_price"]), order["average_fill_price"]
    assert round(d(fill["cost"]), 6) == round(1 - paid / mid + d("0.0005"), 6)
    assert (live.stored("rebalance:policy")["cost"]["fills"], fill["resting"]) == (1, False)


def test_a_resting_fill_costs_what_the_price_did_in_the_quarter_of_an_hour_after_it() -> None:
    """Sold at 2.02 when the mid was 2.01; a quarter of an hour later the mid is 2.1."""
    sold = fill("SELL", 10, "2.02", fee="0.0101", is_maker=True, mid_price=d("2.01"))
    later = book([("2.09", "9")], [("2.11", "9")])
    seen = Snapshot(holdings("1000", "2000"), True, d(2), NOON, rules(), later, ())
    for minutes, costs in ((10, []), (20, [d("0.0385952381")]), (40, [])):
        found = own_costs([sold], seen, QRL, NOON + timedelta(minutes=minutes))
        assert [each.cost for each in found] == costs
        assert all(each.resting for each in found)


def test_the_fee_of_a_fill_counts_in_whatever_asset_it_was_taken() -> None:
    seen = Snapshot(holdings("1000", "2000"), True, d(2), NOON, rules(fee="0.0005"), None, ())
    taken = [
        fill("BUY", 10, 2, fee="0.02", mid_price=d(2)),
        fill("BUY", 10, 2, number=2, fee="0.01", fee_asset="QRL", mid_price=d(2)),
        fill("BUY", 10, 2, number=3, fee="7", fee_asset="MX", fee_value=d("0.02"), mid_price=d(2)),
        fill("BUY", 10, 2, number=4, fee="7", fee_asset="MX", mid_price=d(2)),
        fill("BUY", 10, 9, number=5),  # somebody else's: no mid
    ]
    costs = [each.cost for each in own_costs(taken, seen, QRL, NOON)]
    assert costs == [d("0.001"), d("0.001"), d("0.001"), d("0.0005")]
