"""One policy over candles: when it decides, at what it fills, what rests, and that nothing sees the future."""

import gzip
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from common.decimals import EXACT
from common.domain.decision.levels import Destination, Level
from common.domain.decision.policy import CostGuard, Slicing
from common.domain.instrument import Side
from local.backtest.costs import Costs
from local.backtest.market import Market
from local.backtest.replay import Desk, Event, Start
from local.backtest.strategies import Strategy, TrendFilter, formula
from local.candles.files import read
from local.candles.series import Candles
from tests.builders import QRL, d, ds
from tests.conftest import SERIES
from tests.local.backtest.builders import FREE, OPEN, candles, desk, one_level


def told(events: tuple[Event, ...]) -> list[tuple[str, str, str]]:
    """(time, side, quantity) of each order."""
    return [(f"{e.time:%H:%M}", e.side.value, f"{e.quantity.normalize():f}") for e in events]


def test_the_price_there_and_back_trades_as_the_contract_works_it() -> None:
    """100 QRL + 100 USDT, 1 → 2 → 1: SELL 25, BUY 37.5, value 225 against 200 for holding."""
    found = desk(candles(["1", "2", "1", "1"])).replay(one_level())
    assert told(found.events) == [("00:30", "SELL", "25"), ("00:45", "BUY", "37.5")]
    assert found.base + found.quote == d(225)


def test_a_decision_fills_at_the_next_opening_with_spread_impact_and_fee() -> None:
    costs = Costs(fee=d("0.001"), half_spread=d("0.01"), impact=d("0.0001"), volume_share=d(1))
    series = candles(["1", "2", "2"], opens=["1", "1", "2.2"])
    event = desk(series, costs=costs).replay(one_level()).events[0]
    assert (event.decision_price, event.quantity) == ds(2, 25)
    assert event.fill_price == d("2.2") * (1 - d("0.01") - d("0.0001") * 25 * d("2.2"))
    assert event.fee == event.quantity * event.fill_price * d("0.001")


def test_what_a_bar_does_not_bear_rests_for_the_next_slot() -> None:
    costs = replace(FREE, volume_share=d("0.1"))
    series = candles(["1", "2", "2", "2", "2"], volume="123.45678")
    found = desk(series, costs=costs).replay(one_level()).events
    assert told(found) == [("00:30", "SELL", "12.3456"), ("00:45", "SELL", "12.3456")]
    assert told(desk(series, costs=replace(costs, volume_share=d("0.01"))).replay(one_level()).events) == []


def test_nothing_fills_in_a_missing_bar_and_no_decision_rests_on_an_old_price() -> None:
    series = candles(["1", "2", "2", "2"], gap_after=1)
    found = desk(series).replay(one_level())
    assert told(found.events) == [("01:00", "SELL", "25")]
    missing = desk(candles(["1", "1", "2", "2"], minutes=5, gap_after=1)).market
    assert [f"{missing.decided_at(n):%H:%M}" for n in range(len(missing))] == []


def test_slots_decide_on_the_bar_that_closes_with_them() -> None:
    def times(minutes: int, slots: int, count: int = 6) -> list[str]:
        market = Market(candles(["1"] * count, minutes=minutes), slots)
        return [f"{market.decided_at(n):%d %H:%M}" for n in range(len(market))]

    assert times(5, 15) == ["01 00:15", "01 00:30"]
    assert times(60, 15, 2) == ["01 01:00", "01 02:00"]
    assert times(10, 15) == ["01 00:20", "01 00:30", "01 00:50", "01 01:00"]
    assert times(1440, 15, 2) == ["02 00:00", "03 00:00"]


def test_cooldown_and_the_days_count_put_orders_off() -> None:
    """A cooldown of three slots counts from the sending, seconds after the slot: it refuses the third, as live."""
    prices = ["1", "2", "1", "2", "1", "2", "1", "2"]
    for seconds, second in ((45 * 60, "01:45"), (45 * 60 - 1, "01:15")):
        waiting = one_level(limits=replace(OPEN, cooldown=timedelta(seconds=seconds)))
        found, looked = (desk(candles(prices)).replay(waiting, every_bar=every) for every in (False, True))
        assert [time for time, *_ in told(found.events)] == ["00:30", second]
        assert looked.events == found.events
    few = replace(OPEN, max_orders_per_day=2)
    long = candles([prices[n % 2] for n in range(100)])
    days = [event.time.day for event in desk(long).replay(one_level(limits=few)).events]
    assert days == [1, 1, 2, 2]


def test_the_largest_order_the_price_guard_and_the_slippage_limit_are_the_bots_own() -> None:
    series = candles(["1", "2", "2"])
    small = replace(OPEN, max_notional=d(20))
    event = desk(series).replay(one_level(limits=small)).events[0]
    assert event.quantity * event.decision_price <= 20
    jump = desk(candles(["1", "2", "1"]))
    calm = jump.replay(one_level(limits=replace(OPEN, max_price_deviation=d("0.2"))))
    assert calm.events == ()
    assert "100.00 % off the last known one" in str(calm.held)
    dear = desk(candles(["1", "2", "2", "2"]), costs=replace(FREE, half_spread=d("0.01")))
    refused = dear.replay(one_level(limits=replace(OPEN, max_slippage=d("0.005"))))
    assert refused.events == ()
    assert refused.held is not None


def test_a_month_is_looked_at_once_and_holding_never() -> None:
    series = candles(["1"] * 20 + ["2"] * 30, minutes=1440)
    monthly = replace(one_level("0"), monthly=True)
    assert [f"{e.time:%m-%d}" for e in desk(series).replay(monthly).events] == ["02-01"]
    assert desk(series).replay(replace(one_level(), never=True)).events == ()


def test_a_sale_below_cost_waits_as_the_guard_says() -> None:
    rule = one_level("0.05")
    guarded = replace(rule, policy=replace(rule.policy, cost_guard=CostGuard(d("0.1"), d("0.9"))))
    series = candles(["1", "0.5", "0.7", "0.7", "1.3", "1.3"])
    plain, careful = (desk(series).replay(each) for each in (rule, guarded))
    assert [e.side for e in plain.events] == [Side.BUY, Side.SELL, Side.SELL]
    assert [e.side for e in careful.events] == [Side.BUY, Side.SELL]


def walk(seed: int, count: int, minutes: int = 15) -> Candles:
    rng, price, closes = Random(seed), 1.0, []
    for _ in range(count):
        price *= 1 + rng.gauss(0, 0.03)
        closes.append(f"{price:.5f}")
    opens = [closes[0], *(f"{float(close) * (1 + rng.gauss(0, 0.001)):.5f}" for close in closes[:-1])]
    return candles(closes, minutes=minutes, opens=opens, volume="200000", gap_after=count // 2)


def test_the_future_changes_nothing_before_it() -> None:
    whole = walk(3, 400)
    costs = Costs(d("0.001"), d("0.002"), d("0.00001"), d("0.01"))
    seen = desk(whole, "10000", "10000", costs).replay(one_level("0.02", Destination.HALF)).events
    assert len(seen) > 15
    for cut in (100, 201, 202, 333):
        part = desk(whole.part(0, cut), "10000", "10000", costs).replay(one_level("0.02", Destination.HALF)).events
        assert part == tuple(event for event in seen if event.number + 1 < cut)


def test_the_default_rule_is_what_a_few_lines_of_arithmetic_say() -> None:
    """The rule written out once more, for one policy, without guards: |off| ≥ 2 % of the value goes back."""
    series, costs = walk(5, 300), Costs(d("0.001"), d("0.002"), d(0), d(1))
    base, quote, orders = d(10000), d(10000), []
    market = desk(series).market
    for number in range(len(market)):
        price, after = market.close(number), market.next_bar(number)
        value = base * price + quote
        off = base * price - value / 2
        if after is None or abs(off) < value * d("0.02") or abs(off) < 5:
            continue
        quantity = EXACT.divide(abs(off), price).quantize(d("0.0001"), "ROUND_FLOOR")
        if quantity * price < 5:
            continue
        sign = -1 if off > 0 else 1
        paid = quantity * series.open[after] * (1 + sign * d("0.002"))
        base, quote = base + sign * quantity, quote - sign * paid - paid * d("0.001")
        orders.append((number, sign * quantity))
    found = desk(series, "10000", "10000", costs).replay(one_level("0.02"))
    assert [(e.number, e.signed) for e in found.events] == orders
    assert found.base == base
    assert found.quote == quote
    assert len(orders) > 10


def test_sales_wait_longer_while_the_trend_rises() -> None:
    """Five days of rises, then a day at a level that sells only without the filter."""
    prices = ["1", "1.02", "1.04", "1.06", "1.08", "1.1", "1.12"]
    rule = one_level("0.02")
    careful = replace(rule, trend=TrendFilter(2, 4, d(3)))
    table = desk(candles(prices, minutes=1440), "1000", "1000")
    plain, waiting = (table.replay(each) for each in (rule, careful))
    assert [f"{event.time:%d}" for event in plain.events] == ["07"]
    assert waiting.events == ()
    unknown = replace(rule, trend=TrendFilter(2, 8, d(3)))
    assert table.replay(unknown).events == plain.events


def test_a_large_order_is_worked_off_one_slice_a_slot() -> None:
    rule = replace(one_level("0.05"), slicing=Slicing(d(20), timedelta(hours=6)))
    series = candles(["1", "2", "2", "2", "2", "2", "2"])
    found = desk(series).replay(rule).events
    assert [(time, quantity) for time, _, quantity in told(found)] == [
        ("00:30", "10"),
        ("00:45", "10"),
        ("01:00", "5"),
    ]
    waiting = replace(rule, limits=replace(OPEN, cooldown=timedelta(days=1)))
    assert desk(series).replay(waiting).events == found


def test_the_derived_band_follows_the_value_where_the_least_order_binds() -> None:
    """A least order of a tenth of the value, later of a hundredth: the band of the contract at each."""
    rule = replace(one_level("0.01", least="20"), auto=Destination.HALF)
    costs = Costs(d("0.0005"), d("0.0025"), d(0), d(1))
    rising = [str(each) for each in (1, 1, 10, 100, 100, 120, 150, 190)]
    found = desk(candles(rising, minutes=1440), costs=costs).replay(rule).events
    assert [event.side for event in found[:2]] == [Side.SELL, Side.SELL]
    value = found[0].decision_price * 100 + 100
    assert formula(rule.policy, d(200), costs, Destination.HALF).size == d("0.1")
    assert formula(rule.policy, value, costs, Destination.HALF).size < d("0.05")


def test_what_was_in_force_is_the_band_that_was_traded_and_since_when() -> None:
    """The least order is a tenth of the value at first, a fifteenth at a price of 2: the band moves with it."""
    rule = replace(one_level("0.01", least="20"), auto=Destination.HALF)
    costs = Costs(d("0.0005"), d("0.0025"), d(0), d(1))
    found = desk(candles(["1", "1", "2", "2"], minutes=1440), costs=costs).replay(rule)
    bands = [formula(rule.policy, d(value), costs, Destination.HALF) for value in (200, 300)]
    levels = [(Level(band.trigger, band.destination),) for band in bands]
    assert [(f"{each.since:%d}", each.levels) for each in found.in_force] == [("02", levels[0]), ("04", levels[1])]
    assert found.levels == levels[1] != levels[0]
    assert [f"{event.time:%d}" for event in found.events] == ["04"]
    assert desk(candles(["1", "2"])).replay(replace(rule, never=True)).levels == ()


def twenty() -> list[Strategy]:
    """One level each, several levels, the cost guard, a derived band, a month, a daily loss."""
    usual = replace(
        OPEN,
        max_orders_per_day=5,
        cooldown=timedelta(hours=1),
        max_notional=d(1000),
        max_slippage=d("0.005"),
        max_price_deviation=d("0.2"),
    )
    places = (Destination.TARGET, Destination.HALF, Destination.EDGE, d("0.004"))
    found = [one_level(trigger, to, usual) for trigger in ("0.005", "0.03") for to in places[1:]]
    rule = one_level("0.01", limits=usual)
    levels = (Level(d("0.01"), Destination.HALF), Level(d("0.03")), Level(d("0.05"), d("0.01")))
    return [
        *found,
        rule,
        replace(rule, policy=replace(rule.policy, levels=levels)),
        replace(rule, policy=replace(rule.policy, cost_guard=CostGuard(d("0.02"), d("0.65")))),
        replace(rule, policy=replace(rule.policy, levels=levels, cost_guard=CostGuard(d(0), d("0.55")))),
        replace(rule, trend=TrendFilter(2, 5, d("1.5"))),
        replace(rule, trend=TrendFilter(1, 3, d(3)), policy=replace(rule.policy, levels=levels)),
        replace(rule, slicing=Slicing(d(8), timedelta(hours=6))),
        replace(one_level("0.03", Destination.HALF, usual), slicing=Slicing(d(10), timedelta(hours=2))),
        replace(rule, auto=Destination.HALF),
        replace(rule, auto=Destination.TARGET, policy=replace(rule.policy, min_notional=d(40))),
        replace(rule, policy=replace(rule.policy, core_holding=d(1), quote_reserve=d(450))),
        replace(rule, limits=replace(usual, max_daily_loss=d(8))),
        replace(one_level("0", limits=usual), monthly=True),
    ]


@pytest.mark.parametrize(
    ("name", "slots", "bars"),
    [
        ("a walk", 15, 160),
        ("adabtc-5m-2018-01", 60, 1200),
        ("btcusd-1m-2022-01", 360, 45031),
        ("dogeusd-1d-2017-2021", 15, 100),
    ],
)
def test_jumping_to_triggers_gives_what_deciding_on_every_slot_gives(name: str, slots: int, bars: int) -> None:
    """To the last digit, for twenty policies; `python -m bench backtests` holds the whole files against it."""
    if name != "a walk" and not SERIES.is_dir():
        pytest.skip(f"no price series at {SERIES}")
    series = walk(3, bars, 60) if name == "a walk" else read(SERIES / f"{name}.csv.gz").part(0, bars)
    start = Start.halves(d(1000), series.open[0])
    for costs in (Costs(), Costs(d("0.001"), d("0.001"), d("0.00001"), d("0.02"))):
        table = Desk(Market(series, slots), costs, start, QRL, d("0.000001"))
        different = []
        for each in twenty()[:: 1 if costs.impact == 0 else 5]:
            jumped, looked = table.replay(each), table.replay(each, every_bar=True)
            if (jumped.events, jumped.base, jumped.quote) != (looked.events, looked.base, looked.quote):
                different.append(each)
        assert different == []


def test_all_of_one_asset_is_a_start_like_any_other() -> None:
    series = candles(["1", "2", "2", "2"])
    for base, quote, first in (("0", "100", "BUY"), ("100", "0", "SELL")):
        table = desk(series, base, quote)
        jumped, looked = (table.replay(one_level("0.1"), every_bar=way) for way in (False, True))
        assert jumped.events == looked.events
        assert told(jumped.events)[0][:2] == ("00:15", first)


def test_coins_alone_are_jumped_to_where_their_weight_is_exactly_a_trigger_off() -> None:
    """Target and trigger are 1 together: at a weight of 1 equality trades."""
    rule = one_level("0.01")
    rule = replace(rule, policy=replace(rule.policy, target_weight=d("0.99")))
    table = desk(candles(["1", "1", "1", "1"]), "10000", "0")
    jumped, looked = (table.replay(rule, every_bar=way) for way in (False, True))
    assert told(jumped.events) == told(looked.events)
    assert told(jumped.events)[0][:2] == ("00:15", "SELL")


def test_jumping_decides_at_triggers_only() -> None:
    table = desk(walk(7, 2000), "10000", "10000")
    found = table.replay(one_level("0.05"))
    assert 0 < found.decided <= len(found.events) + 2
    assert table.replay(one_level("0.05"), every_bar=True).decided == len(table.market)


def test_digits_are_kept_to_the_last() -> None:
    table = desk(
        candles(["1.23456789", "2.46913578", "2.46913578"]), costs=Costs(d("0.0007"), d("0.0013"), d(0), d(1))
    )
    found = table.replay(one_level("0.1"))
    (event,) = found.events
    proceeds = event.quantity * event.fill_price
    assert found.quote == 100 + proceeds - event.fee
    assert isinstance(found.quote, Decimal)
    assert found.base == 100 - event.quantity


def test_an_archive_of_the_project_is_read_as_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "two.csv.gz"
    path.write_bytes(gzip.compress(b"open_time_ms,open,high,low,close,volume\n0,1,1,1,1,9\n900000,1,2,1,2,9\n"))
    assert len(Market(read(path))) == 2
