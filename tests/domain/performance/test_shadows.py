"""Policies on paper beside the real one: they decide by the bot's own rule, pay, get flows, and are compared."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from time import process_time

import pytest

from common.domain.decision.band import best_band
from common.domain.decision.levels import Level
from common.domain.decision.policy import Policy, Rebalance
from common.domain.decision.rule import decide
from common.domain.instrument import Side
from common.domain.performance.attribution import Pair
from common.domain.performance.shadow_policies import shadows_in
from common.domain.performance.shadows import Day, Seen, Shadows, advance
from common.domain.portfolio import Balance, Holdings
from common.trading_settings import DEFAULT_SHADOWS
from tests.builders import QRL, d, rules
from tests.fakes import NOON

COST = d("0.003")
POLICY = Policy(d("0.5"), d(5), (Level(d("0.05")),))
START = Pair(d(25000), d(500))
PRICES = [d(text) for text in ("0.0200", "0.0230", "0.0190", "0.0300", "0.0205", "0.0120", "0.0222", "0.0160")]


def seen(mid: Decimal, at: int, real: Pair = START, held: Pair = START) -> Seen:
    """A slot so many quarters of an hour after noon."""
    return Seen(NOON + timedelta(minutes=15 * at), mid, real, held, COST, POLICY, rules(fee="0.0005"), QRL)


def played(text: str, prices: list[Decimal], every: int = 1) -> Iterator[tuple[Shadows, Day | None]]:
    state = None
    for index, mid in enumerate(prices):
        state, day = advance(state, shadows_in(text), seen(mid, index * every))
        yield state, day


def last(text: str, prices: list[Decimal] = PRICES, every: int = 1) -> Shadows:
    return [state for state, _ in played(text, prices, every)][-1]


def traded(pair: Pair, mid: Decimal, policy: Policy) -> Pair:
    """What the bot's own rule makes of holdings, carried out at the mid with the cost taken in quote."""
    holdings = Holdings(Balance(pair.base), Balance(pair.quote), NOON)
    outcome = decide(holdings, mid, policy, rules(fee=str(COST)), QRL).outcome
    if not isinstance(outcome, Rebalance):
        return pair
    signed = outcome.quantity if outcome.side is Side.BUY else -outcome.quantity
    return pair.plus(signed, -signed * mid - outcome.notional * COST)


def test_a_shadow_holds_what_the_bots_own_rule_makes_of_its_paper() -> None:
    pair, policy = START, replace(POLICY, levels=(Level(d("0.03"), d("0.01")),))
    for mid in PRICES:
        pair = traded(pair, mid, policy)
    paper = last("some=0.03:0.01").papers["some"]
    assert paper.pair == pair
    assert paper.orders > 4
    assert paper.paid > 0


def test_a_shadow_of_the_policy_that_the_bot_follows_grows_as_the_bot_does() -> None:
    state, real = None, START
    for index, mid in enumerate(PRICES):
        state, _ = advance(state, shadows_in("same=0.05:target"), seen(mid, index, real))
        real = traded(real, mid, POLICY)
    assert state is not None
    assert state.papers["same"].orders > 2
    assert state.papers["same"].growth == state.real.growth


def test_holding_never_trades_and_pays_nothing() -> None:
    paper = last("hold").papers["hold"]
    assert (paper.pair, paper.orders, paper.paid) == (START, 0, d(0))


def test_the_calendar_trades_at_the_first_slot_of_a_month_and_goes_all_the_way() -> None:
    states = [state for state, _ in played("monthly", [d("0.02")] * 3 + [d("0.03")] * 90, every=96)]
    orders = [state.papers["monthly"].orders for state in states]
    assert [orders.index(count) for count in (1, 2, 3) if count in orders] == [30]
    paper = states[30].papers["monthly"]
    assert abs(paper.base * d("0.03") - paper.quote) < 3


def test_auto_goes_by_the_band_of_least_cost_of_the_day() -> None:
    paper = last("auto").papers["auto"]
    band = best_band(COST, d("0.5"), d(5) / 1000)
    assert paper.band == (band.trigger, band.destination)
    assert 0 < paper.orders < len(PRICES)


def test_flows_reach_every_shadow_and_are_no_growth() -> None:
    state, _ = advance(None, shadows_in("hold; some=0.05:half"), seen(d("0.02"), 0))
    richer = START.plus(d(1000), d(-100))
    state, _ = advance(state, shadows_in("hold; some=0.05:half"), seen(d("0.02"), 1, richer, richer))
    assert state.papers["hold"].pair == richer
    assert {paper.growth for paper in (state.real, *state.papers.values())} == {d(0)}


@pytest.mark.parametrize("short", [START.plus(d(0), d(-600)), START.plus(d(-26000), d(0))])
def test_paper_that_a_withdrawal_left_short_of_one_asset_trades_the_other_for_it(short: Pair) -> None:
    """The bot had bought or sold before; its shadow had not."""
    names = shadows_in("some=0.05:target")
    state, _ = advance(None, names, seen(d("0.02"), 0))
    state, _ = advance(state, names, seen(d("0.02"), 1, short, short))
    paper = state.papers["some"]
    assert (min(paper.base, paper.quote) >= 0, paper.orders) == (True, 2)  # to cover, then back to the mix
    missing, rest = d("0.02") * 1000 if short.base < 0 else d(100), short.value(d("0.02"))
    assert rest - paper.pair.value(d("0.02")) == paper.paid > missing * COST


def test_growth_is_the_value_less_what_leaning_one_way_brought() -> None:
    state = last("hold", [d("0.02"), d("0.025")])
    lean = d(0)  # at the target when the step began
    change = (d("0.025") / d("0.02")).ln()
    expected = (START.value(d("0.025")) / START.value(d("0.02"))).ln() - lean * change
    assert state.papers["hold"].growth == pytest.approx(expected, abs=Decimal("1e-15"))
    leaning = last("hold", [d("0.02"), d("0.025"), d("0.02")])
    tilt = START.base * d("0.025") / START.value(d("0.025")) - d("0.5")
    assert leaning.papers["hold"].growth == pytest.approx(tilt * change, abs=Decimal("1e-15"))


def test_a_day_that_ends_is_handed_over_and_the_next_begins_at_nothing() -> None:
    steps = list(played("hold", PRICES, every=24))
    days = [day for _, day in steps if day]
    assert [day.day.isoformat() for day in days] == ["2026-01-02", "2026-01-03"]
    ended = next(index for index, (_, day) in enumerate(steps) if day)
    assert steps[ended][0].papers["hold"].growth == 0
    assert steps[ended][0].real.growth == 0
    assert days[0].papers == {"hold": days[0].real}


def test_a_slot_that_comes_again_changes_nothing() -> None:
    state = last("some=0.03:half")
    assert advance(state, shadows_in("some=0.03:half"), seen(d("0.05"), len(PRICES) - 1)) == (state, None)


def test_a_shadow_named_later_begins_with_what_the_account_holds_then() -> None:
    state = last("hold")
    state, _ = advance(state, shadows_in("hold; late=0.01:target"), seen(d("0.02"), 20))
    assert (state.papers["late"].since, state.papers["late"].growth) == (seen(d(1), 20).at, d(0))
    gone, _ = advance(state, shadows_in("late=0.01:target"), seen(d("0.02"), 21))
    assert set(gone.papers) == {"late"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hold; hold", "same name"),
        ("; ".join(f"s{n}=0.0{n + 1:02}:half" for n in range(21)), "at most 20"),
        ("0.01:half", "each shadow must be"),
        ("a=0.01", "each level must be"),
        ("=hold", "each shadow must be"),
        ("a=soon", "each level must be"),
    ],
)
def test_what_is_no_shadow_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        shadows_in(text)


def test_twenty_shadows_cost_a_run_at_most_ten_milliseconds() -> None:
    shadows = shadows_in(DEFAULT_SHADOWS + "".join(f"; s{n}=0.0{n + 11}:half" for n in range(15)))
    assert len(shadows) == 20
    state, _ = advance(None, shadows, seen(d("0.02"), 0))
    began = process_time()
    for index in range(1, 21):
        state, _ = advance(state, shadows, seen(PRICES[index % len(PRICES)], index))
    assert (process_time() - began) / 20 < 0.010
