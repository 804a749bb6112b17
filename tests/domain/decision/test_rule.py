"""The constant-mix rule of contract.md §4, to the letter."""

from dataclasses import replace
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from common.domain.decision.levels import Level
from common.domain.decision.policy import (
    BELOW_MINIMUM,
    INSUFFICIENT,
    WITHIN_THRESHOLD,
    Check,
    Hold,
    Policy,
    Rebalance,
)
from common.domain.decision.rule import Decision, decide
from common.domain.decision.triggers import Grid, Trigger, next_triggers
from common.domain.instrument import Instrument, Side, TradingRules
from common.domain.portfolio import Balance, Holdings, Valuation
from common.errors import InvalidAmount
from tests.builders import POLICY, PROPERTY, QRL, amounts, d, ds, holdings, rules
from tests.fakes import NOON

HAIR = Decimal(1).scaleb(-18)
HIGHEST = Decimal(10) ** 12


def plan(
    qrl: str | int,
    usdt: str | int,
    price: str | int,
    *,
    venue: TradingRules | None = None,
    instrument: Instrument = QRL,
    qrl_locked: str | int = 0,
    usdt_locked: str | int = 0,
    **policy: Any,
) -> Decision:
    """The decision for balances at a price; `policy` replaces fields of the default one.

    `tolerance` is the trigger of its only level.
    """
    if (tolerance := policy.pop("tolerance", None)) is not None:
        policy["levels"] = (Level(tolerance),)
    held = holdings(qrl, usdt, qrl_locked, usdt_locked)
    return decide(held, d(price), replace(POLICY, **policy), venue or rules(), instrument)


def sell(quantity: str | int, notional: str | int) -> Rebalance:
    return Rebalance(Side.SELL, d(quantity), d(notional), "QRL above target")


def buy(quantity: str | int, notional: str | int) -> Rebalance:
    return Rebalance(Side.BUY, d(quantity), d(notional), "QRL below target")


def below(made: Decision) -> Trigger:
    lower = made.next_triggers(made.policy.levels[0])[0]
    assert lower is not None
    return lower


def above(made: Decision) -> Trigger:
    upper = made.next_triggers(made.policy.levels[0])[1]
    assert upper is not None
    return upper


def bare_triggers(valuation: Valuation, policy: Policy) -> tuple[Trigger | None, Trigger | None]:
    """Those of the first level before any rounding."""
    return next_triggers(valuation, policy, policy.levels[0], Grid.none(policy))


def check(made: Decision, name: str) -> Check:
    return next(each for each in made.checks if each.name == name)


# The table and the path


@pytest.mark.parametrize(
    ("q", "u", "p", "decision"),
    [
        (100, 100, 2, sell(25, 50)),
        (100, 100, "0.5", buy(50, 25)),
        (10, 10, 2, sell("2.5", 5)),
        ("103.5", 195, 2, sell(3, 6)),
        (100, 150, "2.5", sell(20, 50)),
        (10, 80, 2, buy(15, 30)),
        (50, 20, 2, sell(20, 40)),
        (100, 202, 2, Hold(WITHIN_THRESHOLD)),
        (0, 100, 2, buy(25, 50)),
        (12000, 100, "0.05", sell(5000, 250)),
    ],
)
def test_every_row_of_the_specification(
    q: str | int, u: str | int, p: str | int, decision: Rebalance | Hold
) -> None:
    assert plan(q, u, p).outcome == decision


def test_the_price_doubling_and_coming_back_leaves_an_eighth_more_than_holding() -> None:
    base, quote = d(100), d(100)
    traded = []
    for price in (1, 2, 1):
        decision = plan(str(base), str(quote), price).outcome
        if isinstance(decision, Rebalance):
            sign = 1 if decision.side is Side.BUY else -1
            base, quote = base + sign * decision.quantity, quote - sign * decision.notional
            traded.append((decision.side, decision.quantity))
    assert traded == [(Side.SELL, 25), (Side.BUY, d("37.5"))]
    assert base * 1 + quote == 225


def test_another_target_moves_the_whole_rule() -> None:
    made = plan(100, 100, 1, target_weight=d("0.25"))
    assert made.target_value == 50
    assert made.outcome == sell(50, 50)
    assert made.drift == d("0.25")


# The order of reasons


@pytest.mark.parametrize(("q", "u", "p"), [(100, 100, 0), (0, 0, 2), (0, 0, 0), (0, 100, 0)])
def test_without_a_price_or_a_value_nothing_is_decided(q: int, u: int, p: int) -> None:
    made = plan(q, u, p)
    assert made.outcome == Hold("Insufficient price or balance") == Hold(INSUFFICIENT)
    assert (made.wanted_side, made.wanted_quantity, made.wanted_notional) == (None, d(0), d(0))
    assert (made.drift, made.next_triggers(POLICY.levels[0])) == (None, (None, None))
    assert [(each.name, each.passed) for each in made.checks] == [("price_and_value_positive", False)]
    assert made.checks[0].value == 0


def test_a_small_deviation_holds_within_the_threshold_before_balances_are_looked_at() -> None:
    made = plan(0, 200, 2, qrl_locked=101)
    assert made.outcome == Hold("Within threshold")
    assert [each.name for each in made.checks] == ["price_and_value_positive", "minimum_notional", "threshold"]


def test_a_mix_exactly_on_target_holds_and_wants_no_side() -> None:
    made = plan(100, 100, 1)
    assert (made.outcome, made.wanted_side, made.drift) == (Hold(WITHIN_THRESHOLD), None, d(0))


def test_a_mix_exactly_on_target_holds_even_without_any_threshold() -> None:
    venue = rules(min_notional="0")
    assert plan(100, 100, 1, venue=venue, min_notional=d(0), tolerance=d(0)).outcome == Hold(BELOW_MINIMUM)


# Equality trades, less does not


def test_a_deviation_of_exactly_the_minimum_trades() -> None:
    assert plan(10, 10, 2).outcome == sell("2.5", 5)
    assert plan(10, "0.00001", 1).wanted_notional < 5
    assert plan(10, 0, 1).outcome == sell(5, 5)


def test_a_deviation_just_below_the_minimum_does_not_trade() -> None:
    made = plan(10, "10.000000000000000001", 2)
    assert made.outcome == Hold(WITHIN_THRESHOLD)
    assert not check(made, "minimum_notional").passed
    assert check(made, "threshold").passed


def test_a_deviation_of_exactly_the_threshold_trades() -> None:
    assert plan(510, 490, 1).outcome == sell(10, 10)
    assert plan(490, 510, 1).outcome == buy(10, 10)


def test_a_deviation_just_below_the_threshold_does_not_trade() -> None:
    for qrl, usdt in ((510, "490.000000000000000001"), ("490.000000000000000001", 510)):
        made = plan(qrl, usdt, 1)
        assert made.outcome == Hold(WITHIN_THRESHOLD)
        assert not check(made, "threshold").passed
        assert check(made, "minimum_notional").passed


def test_equality_is_judged_on_the_exact_number_and_not_on_a_rounded_share() -> None:
    """10 of 999.999… is above one percent by less than any share could show."""
    made = plan("509.9999999999999999999", "489.9999999999999999999", 1)
    assert isinstance(made.outcome, Rebalance)
    assert check(made, "threshold").value == d("0.01")


# Clamps


def test_a_sale_is_cut_to_the_free_coins() -> None:
    made = plan(10, 100, 2, qrl_locked=90)
    assert made.outcome == sell(10, 20)
    assert (made.wanted_quantity, made.wanted_notional) == ds(25, 50)
    assert not check(made, "available_balance").passed


def test_free_coins_that_are_just_enough_are_no_shortage() -> None:
    made = plan(25, 100, 2, qrl_locked=75)
    assert made.outcome == sell(25, 50)
    assert check(made, "available_balance").passed
    coarse = plan(25, 100, 2, qrl_locked=75, venue=rules(step="30"))
    assert coarse.outcome == Hold(BELOW_MINIMUM)


def test_with_all_coins_locked_nothing_can_be_sold() -> None:
    assert plan(0, 100, 2, qrl_locked=100).outcome == Hold("Insufficient QRL")


def test_a_sale_cut_below_the_minimum_is_not_made() -> None:
    assert plan("2.5", 100, 2, qrl_locked="97.5").outcome == sell("2.5", 5)
    assert plan("2.4999", 100, 2, qrl_locked="97.5001").outcome == Hold("Insufficient QRL")


def test_a_buy_is_cut_to_what_the_free_quote_asset_pays_for_with_its_fees() -> None:
    made = plan(0, 50, 2, usdt_locked=150, venue=rules(fee="0.25"))
    assert made.wanted_quantity == 50
    assert made.outcome == buy(20, 40)  # 40 and a fee of 10 make 50


def test_a_buy_that_leaves_room_for_its_fee_is_not_cut() -> None:
    assert plan(0, 100, 2, venue=rules(fee="0.25")).outcome == buy(25, 50)


@pytest.mark.parametrize(("free", "locked"), [(0, 100), ("4.99", "95.01")])
def test_without_free_quote_asset_for_the_minimum_nothing_is_bought(free: str | int, locked: str | int) -> None:
    assert plan(0, free, 2, usdt_locked=locked).outcome == Hold("Insufficient USDT")


def test_free_quote_asset_for_exactly_the_minimum_still_buys() -> None:
    assert plan(0, 5, 2, usdt_locked=95).outcome == buy("2.5", 5)


def test_a_hairs_breadth_too_little_is_not_rounded_up_to_enough() -> None:
    assert plan(0, "4.999999999999999999", 2, usdt_locked=95).outcome == Hold("Insufficient USDT")
    assert plan(100, "160.000000000000000002", 2, venue=rules(step="1")).outcome == sell(9, 18)


def test_a_fee_can_make_the_free_quote_asset_too_little() -> None:
    assert plan(0, 5, 2, usdt_locked=95, venue=rules(fee="0.0005")).outcome == Hold("Insufficient USDT")


def test_the_quantity_goes_down_to_the_venues_step() -> None:
    assert plan("103.5", 195, 2, venue=rules(step="2")).outcome == Hold(BELOW_MINIMUM)
    assert plan("103.5", 195, 2, venue=rules(step="2"), min_notional=d(4)).outcome == sell(2, 4)
    assert plan(100, 100, 3, venue=rules(step="0.0001")).outcome == sell("33.3333", "99.9999")


def test_a_quantity_floored_below_the_minimum_is_not_traded() -> None:
    """5.0001 are wanted at 3: 1.6667 QRL, but 1.6666 are a multiple of the step, worth less than 5."""
    made = plan("3.3334", 0, 3, venue=rules(step="0.0002"))
    assert made.wanted_notional == d("5.0001")
    assert made.outcome == Hold("Below minimum after rounding")
    assert check(made, "minimum_after_rounding").value == d("4.9998")


def test_a_step_larger_than_the_whole_order_holds() -> None:
    assert plan(100, 100, 2, venue=rules(step="1000")).outcome == Hold(BELOW_MINIMUM)


def test_the_venues_own_minimum_counts_as_well() -> None:
    assert plan(100, 100, 2, venue=rules(min_notional="50")).outcome == sell(25, 50)
    assert plan(100, 100, 2, venue=rules(min_notional="50.0001")).outcome == Hold(BELOW_MINIMUM)


def test_the_venues_smallest_quantity_is_a_step_of_its_own() -> None:
    coarse = replace(rules(step="0.0001"), min_quantity=d(10))
    assert plan(100, 100, 2, venue=coarse).outcome == sell(20, 40)
    assert plan(100, 100, 2, venue=replace(coarse, min_quantity=d(25))).outcome == sell(25, 50)


def test_the_core_holding_is_never_sold() -> None:
    assert plan(100, 100, 2, core_holding=d(90)).outcome == sell(10, 20)
    assert plan(10, 100, 2, qrl_locked=90, core_holding=d(95)).outcome == sell(5, 10)
    assert plan(100, 100, 2, core_holding=d(100)).outcome == Hold("Insufficient QRL")
    assert plan(100, 100, 2, core_holding=d(200)).outcome == Hold("Insufficient QRL")


def test_the_reserve_is_never_spent() -> None:
    assert plan(0, 100, 2, quote_reserve=d(80)).outcome == buy(10, 20)
    assert plan(0, 100, 2, quote_reserve=d(100)).outcome == Hold("Insufficient USDT")


# What the plan tells


def test_a_hold_still_tells_what_it_would_have_been() -> None:
    made = plan(100, 202, 2)
    assert (made.wanted_side, made.wanted_quantity, made.wanted_notional) == (Side.BUY, d("0.5"), d(1))
    assert made.target_value == 201
    assert made.drift == d("-0.002487562189054726")


def test_each_check_says_its_value_and_its_limit_in_plain_words() -> None:
    made = plan(100, 202, 2)
    minimum, threshold = check(made, "minimum_notional"), check(made, "threshold")
    assert (minimum.value, minimum.limit, minimum.passed) == (d(1), d(5), False)
    assert minimum.explanation == "the mix is off by 1.0000 USDT; less than 5 is not traded"
    assert (threshold.value, threshold.limit, threshold.passed) == (d("0.002487562189054726"), d("0.01"), False)
    assert threshold.explanation == "the mix is off by 0.25 % of the value; less than 1.00 % is not traded"


def test_another_symbol_brings_its_own_names() -> None:
    btc = Instrument("BTC", "USDC")
    above, below = plan(1, 10000, 60000, instrument=btc), plan("0.1", 60000, 60000, instrument=btc)
    assert above.outcome == Rebalance(Side.SELL, d("0.4166"), d(24996), "BTC above target")
    assert isinstance(below.outcome, Rebalance)
    assert below.outcome.reason == "BTC below target"
    assert plan(0, 0, 60000, qrl_locked=1, instrument=btc).outcome == Hold("Insufficient BTC")
    assert plan(0, 0, 60000, usdt_locked=1000, instrument=btc).outcome == Hold("Insufficient USDC")
    told = " ".join(each.explanation for each in (*above.checks, *below.checks))
    assert "QRL" not in told
    assert "USDT" not in told


@pytest.mark.parametrize("bad", ["NaN", "sNaN", "Infinity", "-Infinity", "-0.01"])
@pytest.mark.parametrize("place", ["base", "quote", "price"])
def test_a_number_that_is_none_is_an_error_and_never_a_zero(place: str, bad: str) -> None:
    base, quote, price = (d(bad) if place == name else d(100) for name in ("base", "quote", "price"))
    with pytest.raises(InvalidAmount):
        decide(Holdings(Balance(base), Balance(quote), NOON), price, POLICY, rules(), QRL)


def test_no_digit_of_a_plan_depends_on_the_threads_context() -> None:
    def made() -> Decision:
        return plan("123456.7891", "2345.67890123", "0.020513", venue=rules(fee="0.0005"))

    at_ease = made()
    with localcontext(Context(prec=4)):
        assert made() == at_ease


# Next-trigger prices


@pytest.mark.parametrize(
    ("tolerance", "buy_below", "sell_above"), [("0.01", "0.9608", "1.0408"), ("0.05", "0.8182", "1.2222")]
)
def test_the_trigger_prices_of_the_reference(tolerance: str, buy_below: str, sell_above: str) -> None:
    made = plan(100, 100, 1, tolerance=d(tolerance), min_notional=d(0))
    assert round(below(made).price, 4) == d(buy_below)
    assert round(above(made).price, 4) == d(sell_above)


def test_a_trigger_tells_the_quantity_that_would_trade() -> None:
    made = plan(100, 100, 1, tolerance=d("0.25"))
    assert (above(made).price, above(made).quantity) == ds(3, "33.333333333333333333")
    assert (round(below(made).price, 15), round(below(made).quantity, 12)) == ds("0.333333333333333", 100)


def test_the_minimum_moves_the_triggers_of_a_small_portfolio_out() -> None:
    made = plan(10, 20, 2)
    assert (above(made).price, above(made).quantity) == ds(3, "1.666666666666666667")
    assert (below(made).price, below(made).quantity) == ds(1, 5)


def test_less_than_one_coin_has_triggers_as_well() -> None:
    made = plan("0.5", 30000, 60000)
    assert below(made).price < 60000 < above(made).price


def test_where_no_price_can_trigger_none_is_told() -> None:
    assert bare_triggers(Valuation.of(holdings(0, 100), d(2)), POLICY) == (None, None)
    assert bare_triggers(Valuation.of(holdings(100, 0), d(2)), POLICY)[0] is None
    small_buy, small_sell = bare_triggers(Valuation.of(holdings(5, 10), d(2)), POLICY)
    assert small_buy is None  # all of the 10 USDT are 5 off at a price of zero, and never more
    assert small_sell is not None
    wide = replace(POLICY, levels=(Level(d("0.5")),))
    assert bare_triggers(Valuation.of(holdings(100, 100), d(1)), wide) == (None, None)


@pytest.mark.parametrize(
    ("weight", "trigger", "least", "price"),
    [
        ("0.99", "0.01", "5", "5"),  # at a weight of 1 the drift is the trigger: equality trades
        ("0.5", "0.5", "5", "0.1"),
        ("0.5", "0.01", "5", "0.1"),
        ("0.5", "0.01", "0", "0.000000000000000001"),
        ("0.99", "0.010001", "5", None),
    ],
)
def test_coins_alone_are_sold_wherever_the_least_order_is_reached(
    weight: str, trigger: str, least: str, price: str | None
) -> None:
    policy = Policy(d(weight), d(least), (Level(d(trigger)),))
    below, above = bare_triggers(Valuation.of(holdings(100, 0), d(1)), policy)
    assert (below, above.price if above else None) == (None, d(price) if price else None)


WEIGHTS = amounts(2, 1, 99)
TOLERANCES = amounts(4, 0, 3000)
POLICIES = WEIGHTS.flatmap(
    lambda weight: st.builds(
        lambda trigger, least: Policy(weight, least, (Level(trigger),)),
        TOLERANCES | st.sampled_from([weight, 1 - weight]),
        amounts(1, 0, 200),
    )
)


@PROPERTY
@given(
    amounts(4),
    amounts(6, 0) | st.just(d(0)),
    POLICIES.filter(lambda policy: policy.levels[0].trigger or policy.min_notional),
)
def test_at_a_trigger_price_the_rule_is_met_and_a_hair_inside_it_is_not(
    base: Decimal, quote: Decimal, policy: Policy
) -> None:
    held = Holdings(Balance(base), Balance(quote), NOON)

    def asked(price: Decimal) -> Side | None:
        made = decide(held, price, policy, rules(), QRL)
        return None if made.outcome == Hold(WITHIN_THRESHOLD) else made.wanted_side

    lower, upper = bare_triggers(Valuation.of(held, d(1)), policy)
    if upper is not None:
        assert asked(upper.price) is Side.SELL
    assert asked(upper.price - HAIR if upper else HIGHEST) is not Side.SELL
    if lower is not None:
        assert asked(lower.price) is Side.BUY
    assert asked(lower.price + HAIR if lower else HAIR) is not Side.BUY


@PROPERTY
@given(amounts(2, 10**4, 10**8), amounts(2, 10**4, 10**8), WEIGHTS, amounts(4, 50, 3000))
def test_with_a_fine_step_the_trigger_price_trades_the_quantity_it_tells(
    base: Decimal, quote: Decimal, weight: Decimal, tolerance: Decimal
) -> None:
    policy = Policy(weight, d(0), (Level(tolerance),))
    held = Holdings(Balance(base), Balance(quote), NOON)
    venue = rules(step="0.000000000001", min_notional="0")
    lower, upper = bare_triggers(Valuation.of(held, d(1)), policy)
    for trigger, side in ((lower, Side.BUY), (upper, Side.SELL)):
        if trigger is None:
            continue
        decision = decide(held, trigger.price, policy, venue, QRL).outcome
        assert isinstance(decision, Rebalance)
        assert decision.side is side
        assert 0 <= trigger.quantity - decision.quantity <= venue.quantity_step


# Whatever the numbers


STEPS = st.sampled_from(["0.00000001", "0.0001", "0.01", "0.5", "1", "30"])


@st.composite
def situations(draw: st.DrawFn) -> tuple[Holdings, Decimal, Policy, TradingRules]:
    base = Balance(draw(amounts(4, 0)), draw(amounts(4, 0)))
    quote = Balance(draw(amounts(8, 0, 10**13)), draw(amounts(8, 0, 10**13)))
    policy = replace(draw(POLICIES), core_holding=draw(amounts(4, 0)), quote_reserve=draw(amounts(8, 0, 10**12)))
    venue = rules(draw(STEPS), str(draw(st.integers(0, 10))), str(draw(amounts(5, 0, 1000))))
    return Holdings(base, quote, NOON), draw(amounts(6, 1, 10**8)), policy, venue


def rebalance(situation: tuple[Holdings, Decimal, Policy, TradingRules]) -> Rebalance:
    decision = decide(*situation, QRL).outcome
    assume(isinstance(decision, Rebalance))
    assert isinstance(decision, Rebalance)
    return decision


@PROPERTY
@given(situations())
def test_a_plan_never_sells_or_spends_more_than_is_free_beyond_what_must_stay(
    situation: tuple[Holdings, Decimal, Policy, TradingRules],
) -> None:
    held, price, policy, venue = situation
    decision = rebalance(situation)
    if decision.side is Side.SELL:
        assert decision.quantity <= held.base.free
        assert held.base.total - decision.quantity >= policy.core_holding
    else:
        spent = Fraction(decision.quantity) * Fraction(price) * (1 + Fraction(venue.taker_fee))
        assert spent <= Fraction(held.quote.free)
        assert Fraction(held.quote.total) - spent >= Fraction(policy.quote_reserve)


@PROPERTY
@given(situations())
def test_a_quantity_is_always_a_multiple_of_the_step_and_never_below_a_minimum(
    situation: tuple[Holdings, Decimal, Policy, TradingRules],
) -> None:
    _, price, policy, venue = situation
    decision = rebalance(situation)
    assert decision.quantity > 0
    assert Fraction(decision.quantity) % Fraction(venue.quantity_step) == 0
    assert Fraction(decision.notional) == Fraction(decision.quantity) * Fraction(price)
    assert decision.notional >= max(policy.min_notional, venue.min_notional)


@PROPERTY
@given(situations())
def test_executing_a_plan_without_fees_brings_the_mix_closer_to_its_target_and_not_beyond(
    situation: tuple[Holdings, Decimal, Policy, TradingRules],
) -> None:
    held, price, policy, _ = situation
    decision = rebalance(situation)
    total = Fraction(held.base.total) * Fraction(price) + Fraction(held.quote.total)
    target = total * Fraction(policy.target_weight)
    before = Fraction(held.base.total) * Fraction(price) - target
    moved = Fraction(decision.notional) * (1 if decision.side is Side.BUY else -1)
    assert abs(before + moved) < abs(before)
    assert (before + moved) * before >= 0


@PROPERTY
@given(situations())
def test_a_plan_holds_exactly_when_one_of_its_limits_does_and_says_which(
    situation: tuple[Holdings, Decimal, Policy, TradingRules],
) -> None:
    made = decide(*situation, QRL)
    failed = {each.name for each in made.checks if not each.passed} - {"available_balance"}
    assert bool(failed) == isinstance(made.outcome, Hold)
    if isinstance(made.outcome, Hold):
        reasons = {INSUFFICIENT, WITHIN_THRESHOLD, BELOW_MINIMUM, "Insufficient QRL", "Insufficient USDT"}
        assert made.outcome.reason in reasons
        assert (made.outcome.reason == WITHIN_THRESHOLD) == bool(failed & {"minimum_notional", "threshold"})


@PROPERTY
@given(situations())
def test_the_decision_follows_the_side_of_the_deviation(
    situation: tuple[Holdings, Decimal, Policy, TradingRules],
) -> None:
    held, price, policy, _ = situation
    made = decide(*situation, QRL)
    delta = held.base.total * price - (held.base.total * price + held.quote.total) * policy.target_weight
    assert made.wanted_side is (None if delta == 0 or made.drift is None else Side.SELL if delta > 0 else Side.BUY)
    if isinstance(made.outcome, Rebalance):
        assert made.outcome.side is made.wanted_side
        assert made.outcome.quantity <= made.wanted_quantity
        assert made.outcome.notional <= made.wanted_notional
