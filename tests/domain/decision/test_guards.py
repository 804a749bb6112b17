"""Every guard of contract.md §6 alone, every cut, and what no intent may ever exceed."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Context, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.decimals import ONE
from common.domain.decision.facts import Expected, Reference
from common.domain.decision.guards import Review, ages, jump, review
from common.domain.decision.pause import Pause
from common.domain.decision.policy import Check, Limits, Policy, Rebalance
from common.domain.instrument import Side, TradingRules
from common.domain.order_book import Level, OrderBook
from common.domain.orders.journal import Activity
from common.domain.orders.order import OrderIntent, OrderStyle, client_order_id
from common.domain.portfolio import Balance, Holdings
from tests.builders import FACTS, LIMITS, POLICY, PROPERTY, amounts, book, d, ds, holdings, rules
from tests.fakes import NOON

EARLIER = NOON - timedelta(minutes=15)


def reviewed(
    side: str = "SELL",
    quantity: str | int = 100,
    *,
    style: OrderStyle = OrderStyle.IOC,
    limits: Limits = LIMITS,
    policy: Policy = POLICY,
    **facts: Any,
) -> Review:
    """The review of a rebalance at the price 1; `facts` replaces what the guards see."""
    if "reference_price" in facts:
        price = facts.pop("reference_price")
        facts["references"] = () if price is None else (Reference("the last known one", price),)
    decision = Rebalance(Side(side), d(quantity), d(quantity), "QRL above target", style)
    return review(decision, replace(FACTS, **facts), limits, policy)


def ordered(review: Review) -> OrderIntent:
    assert review.intent is not None, review.refusals
    return review.intent


def check(review: Review, name: str) -> Check:
    return next(each for each in review.checks if each.name == name)


def activity(**fields: Any) -> Activity:
    return replace(FACTS.activity, **fields)


def pause(until: datetime | None = None) -> Pause:
    return Pause("exchange maintenance", "ops@example.test", EARLIER, until)


# Nothing against it


def test_when_no_guard_speaks_the_whole_quantity_becomes_an_order_of_this_slot() -> None:
    result = reviewed()
    assert result.refusals == ()
    intent = ordered(result)
    assert intent == OrderIntent(
        client_order_id("QRLUSDT", NOON, Side.SELL), NOON, Side.SELL, OrderStyle.IOC, *ds(100, "0.999", "99.9", 1)
    )


def test_every_check_says_in_words_what_it_means() -> None:
    checks = reviewed().checks
    names = [each.name for each in checks]
    assert len(names) == len(set(names))
    assert all(each.passed and each.explanation for each in checks)


# Each guard refuses alone: name, value, limit and the refusal in words


@pytest.mark.parametrize(
    ("facts", "name", "value", "limit", "refusal"),
    [
        ({"pause": pause()}, "kill_switch", "on", "off", "paused by ops@example.test: exchange maintenance"),
        (
            {"pause": pause(until=NOON + timedelta(hours=1))},
            "kill_switch",
            "on",
            "off",
            "paused by ops@example.test until 2026-01-02 13:00 UTC: exchange maintenance",
        ),
        (
            {"ledger_known": False},
            "ledger",
            "1000 QRL",
            None,
            "the ledger was empty: this run rebuilds it, no order",
        ),
        (
            {"rules": rules(closed=("the exchange says status 2",))},
            "tradable",
            "closed",
            "open",
            "the exchange says status 2",
        ),
        (
            {"can_trade": False},
            "tradable",
            "closed",
            "open",
            "the account may not trade (canTrade=false)",
        ),
        (
            {"rules": rules(sides=(Side.BUY,))},
            "tradable",
            "closed",
            "open",
            "the exchange does not allow SELL for this symbol now",
        ),
        (
            {"rules": rules(fee="0.0101")},
            "fee",
            d("0.0101"),
            d("0.01"),
            "the taker fee is 1.01 %, at most 1.00 %",
        ),
        ({"open_orders": None}, "open_orders", None, 0, "the open orders could not be read"),
        ({"open_orders": 2}, "open_orders", 2, 0, "2 orders of the bot itself are open"),
        (
            {"activity": activity(last_slot=NOON)},
            "one_order_a_slot",
            "2026-01-02 12:00",
            "2026-01-02 12:00",
            "an order was already sent for slot 2026-01-02 12:00",
        ),
        (
            {"activity": activity(last_slot=NOON), "slot": EARLIER},
            "one_order_a_slot",
            "2026-01-02 11:45",
            "2026-01-02 12:00",
            "an order was already sent for slot 2026-01-02 12:00",
        ),
        ({"activity": activity(orders=5)}, "orders_a_day", 5, 5, "5 orders were sent today (UTC), at most 5"),
        (
            {"activity": activity(last_order_at=NOON - timedelta(seconds=3599))},
            "cooldown",
            3599,
            3600,
            "the last order was sent 3599 s ago, at least 3600 s lie between two",
        ),
        (
            {"reference_price": None},
            "abnormal_price",
            None,
            d("0.2"),
            "there is no earlier price to hold this one against",
        ),
        (
            {"reference_price": d(0)},
            "abnormal_price",
            None,
            d("0.2"),
            "there is no earlier price to hold this one against",
        ),
        (
            {"reference_price": d("0.8")},
            "abnormal_price",
            d("0.25"),
            d("0.2"),
            "the price 1 is 25.00 % off the last known one, 0.8; at most 20.00 %",
        ),
        (
            {"reference_price": d("1.6")},
            "abnormal_price",
            d("0.375"),
            d("0.2"),
            "the price 1 is 37.50 % off the last known one, 1.6; at most 20.00 %",
        ),
        (
            {"book": None},
            "order_book",
            "the order book could not be read",
            None,
            "the order book could not be read",
        ),
        (
            {"book": book([], [("1.001", "1000")])},
            "order_book",
            "the order book has an empty side",
            None,
            "the order book has an empty side",
        ),
        (
            {"book": book([("1.002", "1000")], [("1.001", "1000")])},
            "order_book",
            "the order book is crossed",
            None,
            "the order book is crossed",
        ),
        (
            {"rules": rules(price_band_down=d("0.0005"))},
            "price_band",
            d("0.999"),
            d("0.9995"),
            "the limit price 0.999 against the exchange's band around the last price",
        ),
    ],
)
def test_each_guard_alone_refuses_the_order_and_says_why(
    facts: dict[str, Any], name: str, value: object, limit: object, refusal: str
) -> None:
    result = reviewed(**facts)
    assert result.intent is None
    assert result.refusals == (refusal,)
    failed = [each for each in result.checks if not each.passed]
    assert [(each.name, each.value, each.limit, each.explanation) for each in failed] == [
        (name, value, limit, refusal)
    ]


def test_several_guards_are_all_told() -> None:
    result = reviewed(pause=pause(), can_trade=False, open_orders=1, activity=activity(orders=5))
    assert len(result.refusals) == 4
    assert result.intent is None


# What just passes


def test_a_pause_whose_end_has_come_does_not_count_any_more() -> None:
    for until, active in ((NOON + timedelta(seconds=1), True), (NOON, False), (EARLIER, False)):
        result = reviewed(pause=pause(until))
        assert check(result, "kill_switch").passed is not active
        assert (result.intent is None) is active


def test_a_fee_at_its_ceiling_passes() -> None:
    assert check(reviewed(rules=rules(fee="0.01")), "fee").passed


def test_a_later_slot_is_free_and_the_first_one_too() -> None:
    assert check(reviewed(activity=activity(last_slot=EARLIER)), "one_order_a_slot").passed
    assert check(reviewed(), "one_order_a_slot").limit is None


def test_the_last_order_of_the_day_is_still_allowed() -> None:
    assert check(reviewed(activity=activity(orders=4)), "orders_a_day").passed


def test_no_order_at_all_is_allowed_with_a_daily_count_of_zero() -> None:
    result = reviewed(limits=replace(LIMITS, max_orders_per_day=0))
    assert result.refusals == ("0 orders were sent today (UTC), at most 0",)


def test_an_order_may_follow_when_the_cooldown_is_over_to_the_second() -> None:
    assert check(reviewed(activity=activity(last_order_at=NOON - timedelta(hours=1))), "cooldown").passed


def test_without_a_cooldown_the_next_slot_may_order_at_once() -> None:
    limits = replace(LIMITS, cooldown=timedelta())
    assert reviewed(limits=limits, activity=activity(last_order_at=NOON)).intent


def test_a_last_order_in_the_future_is_no_reason_to_order() -> None:
    result = reviewed(activity=activity(last_order_at=NOON + timedelta(seconds=5)))
    assert not check(result, "cooldown").passed


@pytest.mark.parametrize("reference", ["1.25", "0.833334"])
def test_a_price_up_to_a_fifth_off_is_normal(reference: str) -> None:
    assert check(reviewed(reference_price=d(reference)), "abnormal_price").passed


def test_a_market_order_needs_the_exchange_to_list_them() -> None:
    closed = rules(market_orders=False)
    result = reviewed(style=OrderStyle.MARKET, rules=closed)
    assert result.refusals == ("the exchange does not list MARKET orders for this symbol",)
    assert reviewed(style=OrderStyle.IOC, rules=closed).intent


def test_everything_that_closes_the_symbol_is_told_at_once() -> None:
    result = reviewed(can_trade=False, rules=rules(closed=("the exchange says status 3",), sides=()))
    assert result.refusals == (
        "the exchange says status 3; the account may not trade (canTrade=false); "
        "the exchange does not allow SELL for this symbol now",
    )


@pytest.mark.parametrize(
    ("age", "value", "passed"), [(0.25, "0.25", True), (60.0, "60", True), (60.001, "60.001", False)]
)
def test_what_was_read_is_fresh_up_to_its_limit(age: float, value: str, passed: bool) -> None:
    old = replace(FACTS, holdings=replace(FACTS.holdings, as_of=NOON - timedelta(seconds=age)))
    seen, price = ages(old, LIMITS)
    assert (price.name, price.passed) == ("price_age", True)
    assert (seen.name, seen.value, seen.limit, seen.passed) == ("balance_age", d(value), d(60), passed)
    assert seen.explanation == f"balance is {age:.0f} s old, at most 60 s"


# The day: orders and loss


def test_placements_have_a_limit_of_their_own_which_is_told_when_it_is_reached() -> None:
    busy, quiet = activity(placements=100), activity(placements=99)
    assert "placements_a_day" not in {each.name for each in reviewed(activity=quiet).checks}
    refused = reviewed(activity=busy)
    assert refused.refusals == ("100 orders were placed today (UTC), filled or not, at most 100",)
    assert refused.intent is None


@pytest.mark.parametrize(
    ("start", "now", "loss", "passed"),
    [("10", "5.01", "4.99", True), ("10", "5", "5", False), ("10", "-2", "12", False), ("10", "30", "0", True)],
)
def test_the_daily_loss_is_held_against_its_limit(start: str, now: str, loss: str, passed: bool) -> None:
    limits = replace(LIMITS, max_daily_loss=d(5))
    result = reviewed(limits=limits, activity=activity(pnl_at_start=d(start)), total_pnl=d(now))
    seen = check(result, "daily_loss")
    assert (seen.value, seen.limit, seen.passed) == (d(loss), d(5), passed)
    assert (result.intent is not None) is passed
    if not passed:
        assert result.refusals == (f"today's loss is {d(loss):.2f} USDT, the limit 5",)


@pytest.mark.parametrize(("start", "now"), [(None, d(1)), (d(1), None)])
def test_a_loss_that_is_not_known_refuses_only_when_there_is_a_limit(
    start: Decimal | None, now: Decimal | None
) -> None:
    began = activity(pnl_at_start=start)
    assert reviewed(activity=began, total_pnl=now).intent
    result = reviewed(limits=replace(LIMITS, max_daily_loss=d(5)), activity=began, total_pnl=now)
    assert result.refusals == ("today's loss is not known",)


# Cuts: the order becomes smaller, and the check says by what


def test_a_sale_is_cut_to_the_largest_notional() -> None:
    result = reviewed(quantity=900, limits=replace(LIMITS, max_notional=d(50)))
    assert ordered(result).quantity == 50
    cut = check(result, "largest_notional")
    assert (cut.passed, cut.value, cut.limit) == (False, d(900), d(50))
    assert cut.explanation == "900 QRL are wanted, 50.0000 QRL let through"


def test_a_buy_is_cut_to_the_largest_notional_at_the_dearest_price_it_may_pay() -> None:
    result = reviewed("BUY", 900, limits=replace(LIMITS, max_notional=d(50)))
    intent = ordered(result)
    assert intent.quantity == d("49.7512")
    assert intent.quantity * d("1.005") <= 50


def test_the_exchanges_own_largest_notional_counts_where_ours_is_larger_or_not_set() -> None:
    for ours in (d(1000), None):
        result = reviewed(
            quantity=900, rules=replace(rules(), max_notional=d(20)), limits=replace(LIMITS, max_notional=ours)
        )
        assert ordered(result).quantity == 20


def test_at_most_four_fifths_of_three_levels_are_taken() -> None:
    levels = [("0.999", "100"), ("0.998", "50"), ("0.997", "30"), ("0.996", "5000")]
    result = reviewed(quantity=900, book=book(levels, [("1.001", "1")]))
    assert ordered(result).quantity == d("0.8") * 180
    assert check(result, "depth").limit == 144


def test_only_what_stands_within_the_slippage_limit_is_taken() -> None:
    levels = [("0.999", "100"), ("0.995", "40"), ("0.994999", "5000")]
    result = reviewed(quantity=900, book=book(levels, [("1.001", "1")]))
    intent = ordered(result)
    assert (intent.quantity, intent.limit_price) == (d(140), d("0.995"))
    assert check(result, "within_slippage").limit == 140


@pytest.mark.parametrize(("quantity", "limit"), [("100", "1"), ("100.0001", "1.001"), ("100.5", "1.001")])
def test_the_limit_price_is_that_of_the_deepest_level_that_is_needed(quantity: str, limit: str) -> None:
    deep = book([("0.999", "1000")], [("1", "100"), ("1.001", "1000"), ("1.002", "1000")])
    assert ordered(reviewed("BUY", quantity, book=deep)).limit_price == d(limit)


def test_a_book_beyond_the_slippage_limit_leaves_nothing_to_order() -> None:
    result = reviewed(book=book([("0.994", "1000")], [("1.001", "1000")]))
    assert result.intent is None
    assert any(refusal.startswith("0 QRL are left after all cuts") for refusal in result.refusals)


def test_the_core_holding_is_never_sold() -> None:
    result = reviewed(quantity=900, policy=replace(POLICY, core_holding=d(960)))
    assert ordered(result).quantity == 40
    assert check(result, "reserves").limit == 40


def test_the_core_holding_may_lie_in_an_open_order() -> None:
    locked = holdings(300, 1000, qrl_locked=700)
    assert (
        ordered(reviewed(quantity=900, policy=replace(POLICY, core_holding=d(500)), holdings=locked)).quantity
        == 300
    )
    assert (
        ordered(reviewed(quantity=900, policy=replace(POLICY, core_holding=d(900)), holdings=locked)).quantity
        == 100
    )


def test_with_less_than_the_core_holding_nothing_is_sold() -> None:
    result = reviewed(policy=replace(POLICY, core_holding=d(2000)))
    assert result.intent is None
    assert result.refusals == ("0 QRL are left after all cuts, worth 0.0000 USDT; the least is 5",)


def test_the_reserve_is_never_spent_and_fees_are_paid_out_of_the_rest() -> None:
    result = reviewed("BUY", 900, policy=replace(POLICY, quote_reserve=d(899)), rules=rules(fee="0.01"))
    intent = ordered(result)
    assert intent.limit_price == d("1.001")
    assert intent.quantity == d("99.9000")
    assert (
        intent.quantity * d("1.001") * d("1.01") <= 101 < (intent.quantity + d("0.0001")) * d("1.001") * d("1.01")
    )


def test_usdt_that_is_locked_cannot_be_spent() -> None:
    intent = ordered(reviewed("BUY", 900, holdings=holdings(1000, 100, usdt_locked=900)))
    assert d("99.8") < intent.quantity < d("99.91")


def test_the_quantity_is_floored_to_the_coarser_of_the_exchanges_two_scales() -> None:
    assert ordered(reviewed(quantity="100.98765")).quantity == d("100.9876")
    coarse = replace(rules(), min_quantity=d("0.5"))
    assert ordered(reviewed(quantity="100.98765", rules=coarse)).quantity == d("100.5")


def test_what_is_left_after_the_cuts_must_still_be_worth_our_minimum() -> None:
    thin = book([("0.999", "6.24")], [("1.001", "1000")])
    result = reviewed(book=thin)
    size = check(result, "size")
    assert (size.passed, size.value, size.limit) == (False, d("4.992"), d(5))
    assert result.refusals == ("4.992 QRL are left after all cuts, worth 4.9920 USDT; the least is 5",)


def test_the_exchanges_minimum_holds_at_the_price_that_is_sent() -> None:
    dear = rules(min_notional="99.95")
    assert not check(reviewed(quantity=100, rules=dear), "size").passed
    assert check(reviewed("BUY", quantity=100, rules=dear), "size").passed


def test_the_exchanges_least_quantity_is_kept() -> None:
    result = reviewed(quantity=20, rules=replace(rules(), min_quantity=d(25)))
    assert not check(result, "size").passed
    assert result.intent is None


# The price


@pytest.mark.parametrize(("side", "price"), [("SELL", "0.998"), ("BUY", "1.002")])
def test_the_limit_price_is_that_of_the_deepest_level_it_needs(side: str, price: str) -> None:
    assert ordered(reviewed(side, 900, holdings=holdings(5000, 5000), limits=LIMITS)).limit_price in (
        d("0.999"),
        d("1.001"),
    )
    roomy = replace(LIMITS, max_notional=d(5000))
    intent = ordered(reviewed(side, 1500, holdings=holdings(5000, 5000), limits=roomy))
    assert intent.limit_price == d(price)


def test_the_limit_price_lies_on_the_tick_down_for_buys_and_up_for_sells() -> None:
    odd = book([("0.9987", "1000")], [("1.0013", "1000")])
    coarse = replace(rules(), price_increment=d("0.001"))
    sale = reviewed("SELL", book=odd, rules=coarse, limits=replace(LIMITS, max_slippage=d("0.01")))
    assert ordered(sale).limit_price == d("0.999")
    buy = reviewed("BUY", book=odd, rules=coarse, limits=replace(LIMITS, max_slippage=d("0.01")))
    assert ordered(buy).limit_price == d("1.001")


def test_a_resting_order_joins_its_own_side_of_the_book() -> None:
    assert ordered(reviewed("SELL", style=OrderStyle.MAKER)).limit_price == d("1.001")
    assert ordered(reviewed("BUY", style=OrderStyle.MAKER)).limit_price == d("0.999")


def test_a_resting_order_takes_nothing_so_neither_depth_nor_slippage_cut_it() -> None:
    thin = book([("0.999", "1")], [("1.001", "1")])
    result = reviewed(quantity=100, book=thin, style=OrderStyle.MAKER)
    assert ordered(result).quantity == 100
    assert check(result, "slippage").value == 0
    assert not {"depth", "within_slippage"} & {each.name for each in result.checks}


def test_a_resting_order_never_pays_more_than_the_slippage_limit_either() -> None:
    above = book([("1.05", "1000")], [("1.06", "1000")])
    assert ordered(reviewed("BUY", book=above, style=OrderStyle.MAKER)).limit_price == d("1.005")
    below = book([("0.94", "1000")], [("0.95", "1000")])
    assert ordered(reviewed("SELL", book=below, style=OrderStyle.MAKER)).limit_price == d("0.995")


def test_a_price_below_the_exchanges_tick_refuses_instead_of_failing() -> None:
    coarse = replace(rules(), price_increment=d("0.1"))
    result = reviewed("BUY", 900, mark_price=d("0.04"), reference_price=d("0.04"), rules=coarse)
    assert result.intent is None
    assert not check(result, "size").passed


def test_a_market_order_has_no_limit_price_and_room_for_the_dearest() -> None:
    sale = ordered(reviewed("SELL", style=OrderStyle.MARKET))
    assert (sale.limit_price, sale.quantity) == (None, d(100))
    poor = holdings(1000, "100.5")
    buy = ordered(reviewed("BUY", 900, style=OrderStyle.MARKET, holdings=poor))
    assert buy.limit_price is None
    assert buy.quantity == 100
    assert buy.notional == d("100.1")


def test_market_orders_keep_the_exchanges_own_bounds_for_them() -> None:
    bounded = replace(rules(), market_min_notional=d(5), market_max_notional=d(20))
    assert ordered(reviewed("SELL", style=OrderStyle.MARKET, rules=bounded)).quantity == 20
    assert ordered(reviewed("SELL", style=OrderStyle.IOC, rules=bounded)).quantity == 100
    small = reviewed("SELL", 4, style=OrderStyle.MARKET, rules=bounded)
    assert small.intent is None
    assert not check(small, "size").passed


def test_the_slippage_the_book_would_cost_is_shown() -> None:
    seen = check(reviewed(quantity=100), "slippage")
    assert (seen.value, seen.limit, seen.passed) == (d("0.001"), d("0.005"), True)
    assert seen.explanation == "the book would fill it 0.10 % off the price; at most 0.50 %"


def test_the_exchanges_band_holds_for_buys_as_well() -> None:
    result = reviewed("BUY", rules=rules(price_band_up=d("0.0005")))
    band = check(result, "price_band")
    assert (band.value, band.limit, band.passed) == (d("1.001"), d("1.0005"), False)
    assert check(reviewed("BUY", rules=rules(price_band_up=d("0.001"))), "price_band").passed
    assert check(reviewed("SELL", rules=rules(price_band_down=d("0.001"))), "price_band").passed


def test_the_review_is_exact_whatever_the_threads_own_context() -> None:
    with localcontext(Context(prec=4)):
        intent = ordered(reviewed(quantity="123.4567"))
    assert (intent.quantity, intent.notional) == (d("123.4567"), d("123.333243"))


# Whatever the book, the balances and the limits


def levels(side: int) -> st.SearchStrategy[list[Level]]:
    """One to six levels on the tick, on their side of 1 or a little across it (the price may have moved)."""
    ticks = st.integers(500, 6_000) | st.integers(-2_000, 60_000)
    sizes = amounts(4, 10**5, 10**7)
    return st.lists(
        st.builds(lambda tick, size: Level(ONE + side * Decimal(tick).scaleb(-6), size), ticks, sizes),
        min_size=1,
        max_size=6,
    )


PART = st.sampled_from(["0", "0.3", "0.9", "1", "1.5"]).map(Decimal)


@PROPERTY
@given(
    side=st.sampled_from(Side),
    wanted=amounts(5, 10**6, 10**8),
    style=st.sampled_from(OrderStyle),
    bids=levels(-1),
    asks=levels(1),
    balance=st.tuples(amounts(6, 10**7, 10**9), amounts(6, 0, 10**8)),
    reserved=PART,
    fee=amounts(5, 0, 1100),
    slippage=amounts(4, 10, 500),
    share=amounts(2, 1, 99),
    largest=amounts(2, 1000, 10**5),
    venue_largest=amounts(2, 1000, 10**5),
    step=st.sampled_from(["0.0001", "0.01", "1"]),
    tick=st.sampled_from(["0.000001", "0.0001"]),
)
@example(  # the best bid far above the price: the sale brings more than the price says
    side=Side.SELL,
    wanted=d(1000),
    style=OrderStyle.IOC,
    bids=[Level(d("1.05"), d(9000))],
    asks=[Level(d("1.06"), d(9000))],
    balance=(d(5000), d(0)),
    reserved=d(0),
    fee=d(0),
    slippage=d("0.005"),
    share=d("0.8"),
    largest=d(100),
    venue_largest=d(10000),
    step="0.0001",
    tick="0.000001",
)
def test_no_intent_ever_exceeds_a_limit(
    side: Side,
    wanted: Decimal,
    style: OrderStyle,
    bids: list[Level],
    asks: list[Level],
    balance: tuple[Decimal, Decimal],
    reserved: Decimal,
    fee: Decimal,
    slippage: Decimal,
    share: Decimal,
    largest: Decimal,
    venue_largest: Decimal,
    step: str,
    tick: str,
) -> None:
    held = Holdings(Balance(*balance), Balance(*balance), NOON)
    kept = reserved * held.base.total
    venue: TradingRules = replace(
        rules(step, fee=str(fee)), max_notional=venue_largest, price_increment=d(tick), min_quantity=d(step)
    )
    limits = replace(LIMITS, max_slippage=slippage, max_depth_share=share, max_notional=largest)
    policy = replace(POLICY, core_holding=kept, quote_reserve=kept)
    seen = OrderBook.of(bids, asks)
    facts = replace(FACTS, holdings=held, rules=venue, book=seen)
    result = review(Rebalance(side, wanted, wanted, "", style), facts, limits, policy)
    intent = result.intent
    assert (intent is None) == bool(result.refusals)
    if intent is None:
        return
    price = intent.limit_price if intent.limit_price is not None else facts.mark_price * (1 + slippage)
    assert seen.problem is None
    assert fee <= limits.max_fee
    assert 0 < intent.quantity <= wanted
    assert intent.quantity % d(step) == 0
    assert intent.quantity * facts.mark_price >= policy.min_notional
    assert intent.notional >= venue.min_notional
    assert intent.notional <= min(largest, venue_largest)
    if intent.limit_price is not None:
        assert price % d(tick) == 0
        assert intent.quantity * price <= min(largest, venue_largest)
        assert price <= 1 + slippage if side is Side.BUY else price >= 1 - slippage
    if style is not OrderStyle.MAKER:
        assert intent.quantity <= share * seen.depth(side, 3)
        worst = seen.slippage(side, intent.quantity, facts.mark_price)
        assert worst is not None
        assert worst <= slippage
    if side is Side.SELL:
        assert intent.quantity <= held.base.free
        assert held.base.total - intent.quantity >= kept
    else:
        spent = intent.quantity * price * (1 + fee)
        assert spent <= held.quote.free
        assert held.quote.total - spent >= kept


@pytest.mark.parametrize(
    ("quantity", "ours", "venue", "placed"),
    [
        ("25", "0", replace(rules(min_notional="0"), min_quantity=d(25)), True),
        ("24", "0", replace(rules(min_notional="0"), min_quantity=d(25)), False),
        ("20", "20", rules(min_notional="0"), True),
        ("19.9999", "20", rules(min_notional="0"), False),
        ("100", "0", rules(min_notional="99.9"), True),
        ("100", "0", rules(min_notional="99.91"), False),
        ("0", "0", rules(min_notional="0"), False),
    ],
)
def test_the_least_quantity_our_least_and_the_venues_are_still_placed(
    quantity: str, ours: str, venue: TradingRules, placed: bool
) -> None:
    result = reviewed(quantity=quantity, policy=replace(POLICY, min_notional=d(ours)), rules=venue)
    assert check(result, "size").passed is placed


# Balances and prices against what was seen before


def test_the_price_is_held_against_every_reference_and_the_first_that_is_too_far_is_told() -> None:
    near, plan = Reference("the last known one", d("0.95")), Reference("the last plan's", d("0.7"))
    day = Reference("the middle of the last 24 hours", d("0.9"))
    assert check(reviewed(references=(near, day)), "abnormal_price").explanation == (
        "the price 1 is 5.26 % off the last known one, 0.95; at most 20.00 %"
    )
    refused = reviewed(references=(near, plan, day))
    assert refused.refusals == ("the price 1 is 42.86 % off the last plan's, 0.7; at most 20.00 %",)
    assert reviewed(references=(near,), last_price=d("1.3")).refusals == (
        "the price 1.3 is 36.84 % off the last known one, 0.95; at most 20.00 %",
    )


@pytest.mark.parametrize(
    ("expected", "share"),
    [(None, None), ((1000, 1000), None), ((1500, 1000), None), ((1500, 500), "0.5"), ((0, 1000), "0.5")],
)
def test_balances_that_changed_without_a_fill_by_more_than_a_fifth_are_told(
    expected: tuple[int, int] | None, share: str | None
) -> None:
    facts = replace(FACTS, expected=None if expected is None else Expected(d(expected[0]), d(expected[1])))
    seen = jump(facts, LIMITS)
    assert seen is None or not seen.passed
    assert (None if seen is None else seen.value) == (None if share is None else d(share))
