"""Every fill and every flow once, however late they show, and whatever is read twice."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from common.domain.instrument import Side
from common.domain.ledger.sequence import in_order
from common.domain.orders.order import Fill, client_order_id
from common.domain.performance.attribution import Pair
from common.domain.performance.attribution_state import AttributionState, pair_moved, without
from common.domain.performance.benchmark import Inception, Moved
from common.domain.performance.equity import Flow
from common.domain.portfolio import Balance, Holdings
from tests.builders import PROPERTY, QRL, d, ds, fill, fill_lists
from tests.fakes import NOON

HALF = d("0.5")
MINUTE = timedelta(minutes=1)
START = Inception(NOON, d(100), d(100), d(1), Moved(d(0), d(0), d(0), d(0)))


def at(minutes: int) -> datetime:
    return NOON + minutes * MINUTE


def ours(
    side: str, quantity: str | int, price: str | int, minute: int, mid: str | None = None, **more: str
) -> Fill:
    found = fill(side, quantity, price, number=minute, at=at(minute), **more)
    name = client_order_id("QRLUSDT", at(minute), Side(side))
    return replace(found, client_order_id=name, mid_price=d(mid) if mid else None)


def holds(base: str | int, quote: str | int, minute: int) -> Holdings:
    return Holdings(Balance(d(base)), Balance(d(quote)), at(minute))


def seen(
    state: AttributionState, holdings: Holdings, *fresh: Fill, mid: str = "1", tail: tuple[Fill, ...] = ()
) -> AttributionState:
    return state.after(fresh, holdings, d(mid), (*tail, *fresh), QRL)[0]


def test_the_worked_example_comes_out_of_fills_and_balances() -> None:
    """contract.md §13: the deposit shows in the balances alone, while the mid is 1.5."""
    state = AttributionState.begin(START, HALF)
    sold = ours("SELL", 25, "1.994", 1, "2", fee="0.024925")
    state = seen(state, holds(75, "149.825075", 2), sold, mid="2")
    state = seen(state, holds(75, "199.825075", 3), mid="1.5")
    bought = ours("BUY", 62, "1.003", 4, "1", fee="0.031", fee_asset="QRL")
    state = seen(state, holds("136.969", "137.639075", 5), bought, mid="1.1")
    lines = state.now(QRL).attribution.at(d("1.1"))
    assert (lines.value, lines.held_value, lines.difference) == ds("288.304975", 260, "28.304975")
    assert lines.harvest_locked == d("35.843221683877602625")
    assert state.unconfirmed is None


def test_a_deposit_that_the_bot_trades_in_the_run_that_sees_it_comes_before_the_fill() -> None:
    """As long as the deposit is unconfirmed, once it is confirmed, and where all is folded again in between."""
    state = AttributionState.begin(START, HALF)
    sold = ours("SELL", 25, "1.994", 1, "2", fee="0.024925")
    state = seen(state, holds(75, "149.825075", 2), sold, mid="2")
    read = replace(holds(75, "199.825075", 3), as_of=at(3) + timedelta(seconds=0.4))
    state = seen(state, read, mid="1.5")
    bought = ours("BUY", 62, "1.003", 3, "1", fee="0.031", fee_asset="QRL")
    after = replace(holds("136.969", "137.639075", 3), as_of=at(3) + timedelta(seconds=1.2))
    state = seen(state, after, bought, mid="1")
    confirmed, flow = state.after((), holds("136.969", "137.639075", 5), d("1.1"), (bought,), QRL)
    assert flow == Flow(read.as_of, d(0), d(50), d("1.5"))
    anew = AttributionState.rebuilt(state, START, [sold, bought], [], HALF, QRL)
    for each in (state, anew, confirmed):
        lines = each.now(QRL).attribution.at(d("1.1"))
        assert (lines.difference, lines.harvest_locked) == ds("28.304975", "35.843221683877602625")
        assert (lines.direction, lines.open_leg) == ds("-0.7541217704192605352", "0.277566753208324577")
    assert (confirmed.unconfirmed, confirmed.waiting) == (None, ())


def test_a_deposit_counts_at_once_and_for_good_when_it_is_seen_again() -> None:
    state, confirmed = AttributionState.begin(START, HALF).after((), holds(100, 150, 1), d(2), (), QRL)
    assert confirmed is None
    assert state.unconfirmed == Flow(at(1), d(0), d(50), d(2))
    assert state.now(QRL).attribution.at(d(2)).difference == 0
    later, confirmed = state.after((), holds(100, 150, 2), d(3), (), QRL)
    assert confirmed == Flow(at(1), d(0), d(50), d(2))
    assert (later.unconfirmed, later.attribution) == (None, state.now(QRL).attribution)
    assert later.after((), holds(100, 150, 3), d(3), (), QRL)[1] is None


def test_balances_that_are_looked_at_twice_are_one_reading() -> None:
    once = seen(AttributionState.begin(START, HALF), holds(100, 150, 1), mid="2")
    assert seen(once, holds(100, 150, 1), mid="3") == once


def test_older_balances_than_the_last_change_nothing() -> None:
    state = seen(AttributionState.begin(START, HALF), holds(100, 150, 2))
    assert seen(state, holds(100, 100, 1)) == state


def test_a_fill_that_shows_after_its_coins_is_no_flow() -> None:
    bought = ours("BUY", 10, 1, 1)
    state = seen(AttributionState.begin(START, HALF), holds(110, 90, 2))
    assert state.now(QRL).attribution.held == Pair(*ds(110, 90))
    state = seen(state, holds(110, 90, 3), bought)
    assert state.unconfirmed is None
    assert state.attribution == seen(AttributionState.begin(START, HALF), holds(110, 90, 2), bought).attribution


def test_a_deposit_and_a_fill_that_shows_late_are_told_apart() -> None:
    state = seen(AttributionState.begin(START, HALF), holds(117, 90, 2))
    state = seen(state, holds(117, 90, 3), ours("BUY", 10, 1, 1))
    assert state.attribution.held == Pair(*ds(107, 100))


def test_two_fills_that_each_show_late_are_not_taken_for_a_flow_that_lasts() -> None:
    """One explains what was seen first; that the next balances are ahead of another fill confirms nothing."""
    state = seen(AttributionState.begin(START, HALF), holds(90, 110, 1))
    state, confirmed = state.after([ours("SELL", 10, 1, 1)], holds(82, 118, 2), d(1), (), QRL)
    assert (confirmed, state.unconfirmed) == (None, Flow(at(2), d(-8), d(8), d(1)))
    state, confirmed = state.after([ours("SELL", 8, 1, 2)], holds(82, 118, 3), d(1), (), QRL)
    assert (confirmed, state.unconfirmed, state.attribution.held) == (None, None, Pair(*ds(100, 100)))


def test_balances_that_are_known_to_lag_say_nothing_of_flows() -> None:
    state, confirmed = AttributionState.begin(START, HALF).after([ours("SELL", 10, 1, 1)], None, d(1), (), QRL)
    assert (confirmed, state.unconfirmed, state.as_of) == (None, None, NOON)
    assert state.attribution.real == Pair(*ds(90, 110))


def test_a_fill_after_the_balances_is_not_missing_from_them() -> None:
    state = seen(AttributionState.begin(START, HALF), holds(100, 100, 1), late := ours("BUY", 10, 1, 2))
    assert state.unconfirmed is None
    assert seen(state, holds(110, 90, 3), tail=(late,)).unconfirmed is None


def test_the_fills_of_before_the_inception_are_in_its_balances() -> None:
    earlier = [fill("BUY", 50, 1, at=NOON - MINUTE), fill("BUY", 9, 1, number=2, at=NOON - MINUTE / 60)]
    state = AttributionState.rebuilt(None, START, earlier, (), HALF, QRL)
    assert state == AttributionState.begin(START, HALF)


def test_a_fill_of_somebody_elses_order_is_the_operators_trade() -> None:
    state = seen(AttributionState.begin(START, HALF), holds(110, 88, 2), fill("BUY", 10, "1.2", at=at(1)))
    lines = state.now(QRL).attribution.at(d("1.5"))
    assert (lines.operator_trades, lines.difference) == ds(3, 3)
    assert lines.fills_without_mid == 0


def test_a_fill_that_shows_days_late_takes_its_part_out_of_the_flow_it_was_taken_for() -> None:
    late = ours("BUY", 10, 1, 1)
    flows = (Flow(at(0), d(5), d(0), d(1)), Flow(at(2), d(10), d(-3), d(1)), Flow(at(9), d(0), d(-7), d(1)))
    assert without(flows, [late], QRL) == (flows[0],)
    assert without(flows, [ours("SELL", 10, 1, 1)], QRL) == flows


def test_a_new_target_weight_is_taken_from_where_it_was_seen() -> None:
    assert AttributionState.begin(START, HALF).with_weight(d("0.3"), d(2)).attribution.weight == d("0.3")


@PROPERTY
@given(fill_lists(most=12), st.permutations(range(12)), st.integers(1, 12))
def test_a_track_folded_anew_is_the_one_that_saw_everything_in_time(
    fills: list[Fill], order: list[int], cut: int
) -> None:
    """Whatever comes late: the lines are those of the whole, and the account what fills have made of it."""
    fills = in_order(replace(f, executed_at=f.executed_at + MINUTE) for f in fills)
    punctual, unseen = AttributionState.begin(START, HALF), holds(100, 100, -1)
    for each in fills:
        punctual = punctual.after([each], unseen, d(1), (), QRL)[0]
    shuffled = [fills[n] for n in order if n < len(fills)]
    behind = AttributionState.rebuilt(None, START, in_order(shuffled[:cut]), (), HALF, QRL)
    assert AttributionState.rebuilt(behind, START, in_order(shuffled), (), HALF, QRL) == punctual
    real = Pair(START.base_quantity, START.quote_quantity)
    for each in fills:
        moved = pair_moved(each, QRL)
        real = real.plus(moved.base, moved.quote)
    assert punctual.attribution.real == real
