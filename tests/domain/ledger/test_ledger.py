"""The record of fills: the same to the last digit however they arrive."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Context, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.ledger import sequence
from common.domain.ledger.ledger import (
    MEMORY,
    OVERLAP,
    WINDOW,
    Gap,
    LateFill,
    Ledger,
    drift,
    net_quantity,
    once,
    restamped_after_fills,
    windows,
)
from common.domain.ledger.position import FifoView, Position
from common.domain.orders.order import Fill
from tests.builders import PROPERTY, QRL, amounts, d, ds, fill, fill_lists, holdings, unread_ledger
from tests.fakes import NOON

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def first(history: Sequence[Fill], account: Decimal, now: datetime = NOON) -> Ledger:
    """The first ledger of an account that holds so much."""
    return Ledger.first(now, history, account, now + SECOND, QRL).ledger


def read(ledger: Ledger, page: Sequence[Fill], until: datetime) -> Ledger:
    """One run: what the page shows beyond the ledger is absorbed."""
    return ledger.absorb(ledger.unknown(page), until, QRL).ledger


def in_order(fills: Sequence[Fill], start: Position | None = None) -> Position:
    return (start or Position()).fold(sequence.in_order(fills), QRL)


def test_a_first_ledger_has_read_all_there_is_and_seals_all_but_the_last_hour() -> None:
    history = [fill("BUY", 100, 1, at=NOON - DAY), fill("SELL", 30, 1, number=2)]
    absorbed = Ledger.first(NOON, history, d(75), NOON + SECOND, QRL)
    ledger = absorbed.ledger
    assert (ledger.place, ledger.read_from, ledger.opened_at) == (NOON, NOON - OVERLAP, NOON + SECOND)
    assert (absorbed.sealed_fills, ledger.tail, absorbed.from_scratch) == ((history[0],), (history[1],), True)
    assert ledger.position(QRL) == in_order(history, Position(unknown_quantity=d(5)))


def test_coins_that_history_does_not_explain_were_there_before_it() -> None:
    history = [fill("BUY", 100, 1, number=1), fill("SELL", 30, 1, number=2), fill("BUY", 10, 1, number=3, fee="1")]
    ledger = first(history, d(200))
    assert ledger.opening_quantity == 120
    known = ledger.position(QRL)
    assert (known.quantity, known.unknown_quantity, known.expected_quantity) == ds(80, 120, 200)


def test_coins_sold_since_count_as_having_been_there() -> None:
    ledger = first([fill("SELL", 30, 2)], d(0))
    after = ledger.position(QRL)
    assert ledger.opening_quantity == 30
    assert (after.unknown_quantity, after.unmatched_quantity, after.realized_pnl) == ds(0, 0, 0)


def test_coins_that_are_missing_are_left_to_the_drift() -> None:
    history = [fill("BUY", 100, 1)]
    ledger = first(history, d(70))
    assert ledger.opening_quantity == 0
    assert drift(ledger, d(70), NOON + SECOND, QRL) == -30


def test_a_fill_that_is_shown_twice_is_applied_once() -> None:
    bought = fill("BUY", 100, 2)
    once = read(unread_ledger(), [bought], NOON)
    again = read(once, [bought, bought], NOON)
    assert again == once
    assert once.unknown([bought]) == ()
    assert unread_ledger().unknown([bought, bought]) == (bought,)


def test_unknown_fills_come_in_the_ledgers_order() -> None:
    second, first, third = (
        fill("BUY", 1, 1, number=2),
        fill("BUY", 1, 1, number=1),
        fill("BUY", 1, 1, number=0, at=NOON + MINUTE),
    )
    assert unread_ledger().unknown([third, second, first]) == (first, second, third)


def test_a_fill_that_shows_up_late_but_within_the_overlap_takes_its_place() -> None:
    sale = fill("SELL", 50, 5, number=2, at=NOON + MINUTE)
    before = read(unread_ledger(), [fill("BUY", 100, 1), sale], NOON + 2 * MINUTE)
    hidden = fill("BUY", 100, 3, number=3, at=NOON + MINUTE / 2)
    after = read(before, [hidden], NOON + 3 * MINUTE).position(QRL)
    assert before.position(QRL).realized_pnl == 200
    assert (after.realized_pnl, after.average_cost) == ds(150, 2)


def test_a_fill_older_than_what_is_sealed_is_refused() -> None:
    ledger = read(unread_ledger(), [], NOON)
    late = fill("BUY", 100, 1, at=NOON - OVERLAP - timedelta(microseconds=1))
    with pytest.raises(LateFill, match="1 fills are older") as refused:
        ledger.absorb([late, fill("BUY", 1, 1, number=2)], NOON, QRL)
    assert refused.value.fills == (late,)
    on_the_edge = fill("BUY", 100, 1, at=NOON - OVERLAP)
    assert read(ledger, [on_the_edge], NOON).position(QRL).quantity == 100


def test_a_ledger_folded_anew_has_the_late_fill_in_its_place_and_keeps_the_rest() -> None:
    buy, sale = fill("BUY", 100, 1), fill("SELL", 50, 5, number=2, at=NOON + DAY)
    ledger = replace(
        read(read(unread_ledger(opening=7), [buy], NOON), [sale], NOON + 3 * DAY), gaps=(Gap(NOON - DAY, NOON),)
    )
    late = fill("BUY", 100, 3, number=3, at=NOON + HOUR)
    absorbed = ledger.rebuilt([sale, buy], [late, late], QRL)
    rebuilt = absorbed.ledger
    assert rebuilt.position(QRL) == in_order([buy, late, sale], Position(unknown_quantity=d(7)))
    assert rebuilt.position(QRL).realized_pnl == 150
    assert absorbed.sealed_fills == (buy, late, sale)
    assert (rebuilt.place, rebuilt.sealed_until, rebuilt.gaps) == (ledger.place, ledger.sealed_until, ledger.gaps)


def test_a_sealed_fill_that_is_shown_again_changes_nothing_once_the_ledger_is_folded_anew() -> None:
    bought = fill("BUY", 100, 1)
    ledger = read(read(unread_ledger(opening=7), [bought], NOON), [], NOON + DAY)
    fresh = ledger.unknown([bought])
    with pytest.raises(LateFill):
        ledger.absorb(fresh, NOON + DAY, QRL)
    assert ledger.rebuilt([bought], fresh, QRL).ledger == ledger


def opened_too_early(hidden: Fill, account: Decimal) -> Ledger:
    """A ledger begun at five past twelve, before the exchange showed a fill that the account held already."""
    ledger = first([fill("BUY", 100, 1, number=7, at=NOON - DAY)], account, NOON + 5 * MINUTE)
    with pytest.raises(LateFill):
        ledger.absorb([hidden], NOON + 20 * MINUTE, QRL)
    return ledger


@pytest.mark.parametrize(
    ("side", "account", "taken_for_opening", "left"),
    [("BUY", 140, 40, 0), ("BUY", 150, 50, 10), ("SELL", 70, 0, 10), ("SELL", 130, 30, 70), ("BUY", 130, 30, 0)],
)
def test_a_fill_that_shows_after_the_account_was_read_is_not_counted_twice(
    side: str, account: int, taken_for_opening: int, left: int
) -> None:
    hidden = fill(side, 40, 2, at=NOON)
    ledger, net = opened_too_early(hidden, d(account)), net_quantity(hidden, QRL)
    assert ledger.opening_quantity == taken_for_opening
    absorbed = ledger.rebuilt([fill("BUY", 100, 1, number=7, at=NOON - DAY)], [hidden], QRL)
    assert absorbed.explaining == (hidden,)
    assert absorbed.ledger.opening_quantity == left
    assert drift(absorbed.ledger, d(account), NOON + 5 * MINUTE, QRL) == min(d(account) - 100 - net, 0)


def test_a_fill_of_the_second_in_which_the_account_was_read_came_after_it() -> None:
    ledger = Ledger.first(NOON, [], d(10), NOON + timedelta(milliseconds=300), QRL).ledger
    after = read(ledger, [fill("BUY", 40, 2, at=NOON)], NOON + MINUTE)
    assert (after.opening_quantity, after.position(QRL).expected_quantity) == ds(10, 50)


def test_balances_are_stamped_after_their_second_if_its_fills_are_in_them() -> None:
    read_at, next_second = NOON + timedelta(milliseconds=700), NOON + SECOND
    bought = fill("BUY", 40, 2, at=NOON)
    ledger = read(unread_ledger(opening=10), [bought], NOON + MINUTE)
    cases = {50: next_second, 10: read_at, 53: next_second}
    found = {
        held: restamped_after_fills(replace(holdings(held, 0), as_of=read_at), ledger, [bought], QRL)
        for held in cases
    }
    assert {held: each.as_of for held, each in found.items()} == cases
    assert drift(ledger, d(50), next_second, QRL) == drift(ledger, d(10), read_at, QRL) == 0
    assert restamped_after_fills(replace(holdings(50, 0), as_of=read_at), None, [bought], QRL).as_of == next_second
    assert restamped_after_fills(replace(holdings(50, 0), as_of=read_at), None, [], QRL).as_of == read_at


def test_balances_read_by_a_slow_clock_are_stamped_after_the_fills_that_are_in_them() -> None:
    read_at, much_later = NOON - timedelta(milliseconds=1500), NOON + timedelta(seconds=9)
    first, second = fill("BUY", 40, 2, at=NOON), fill("SELL", 5, 2, number=2, at=NOON + SECOND)
    fills = [first, second, fill("BUY", 7, 2, number=3, at=much_later)]
    ledger = read(unread_ledger(opening=10), fills, NOON + MINUTE)
    cases = {10: read_at, 50: NOON + SECOND, 45: NOON + 2 * SECOND, 52: NOON + SECOND}
    found = {
        held: restamped_after_fills(replace(holdings(held, 0), as_of=read_at), ledger, fills, QRL) for held in cases
    }
    assert {held: each.as_of for held, each in found.items()} == cases
    assert restamped_after_fills(replace(holdings(50, 0), as_of=read_at), None, fills, QRL).as_of == read_at


@pytest.mark.parametrize(("seconds", "moved"), [(10, True), (11, False)])
def test_a_clock_may_be_ten_seconds_behind_the_fills_that_are_in_the_balances(seconds: int, moved: bool) -> None:
    bought = fill("BUY", 40, 2, at=NOON + seconds * SECOND)
    ledger = read(unread_ledger(opening=10), [bought], NOON + MINUTE)
    found = restamped_after_fills(replace(holdings(50, 0), as_of=NOON), ledger, [bought], QRL)
    assert found.as_of == (bought.executed_at + SECOND if moved else NOON)


def test_opening_coins_are_remembered_after_they_were_sold() -> None:
    ledger = read(unread_ledger(opening=100), [fill("SELL", 130, 2, fee="1", fee_asset="QRL")], NOON)
    ledger = read(ledger, [], NOON + DAY)
    assert ledger.sealed.unknown_quantity == 0
    assert ledger.opening_quantity == 100


def test_of_several_records_of_a_fill_the_most_complete_counts() -> None:
    known = replace(fill("BUY", 100, 1, fee="1", fee_asset="MX"), fee_value=d("0.5"), mid_price=d(1))
    waiting, bare = replace(known, fee_value=None, fee_pending=True), replace(known, mid_price=None)
    for records in ([known, waiting, bare], [waiting, known, bare], [bare, waiting, known]):
        assert once(records) == (known,)


@pytest.mark.parametrize("pending", [True, False])
def test_a_fill_that_waits_for_the_value_of_its_fee_is_not_sealed_nor_is_what_came_after_it(pending: bool) -> None:
    early, later = fill("BUY", 1, 1, number=1, at=NOON), fill("BUY", 10, 1, number=3, at=NOON + 2 * MINUTE)
    fee = replace(fill("BUY", 100, 1, number=2, at=NOON + MINUTE, fee="1", fee_asset="MX"), fee_pending=pending)
    ledger = read(unread_ledger(), [early, fee, later], NOON + 3 * HOUR)
    assert ledger.tail == ((fee, later) if pending else ())
    assert ledger.sealed_until == (fee.executed_at if pending else NOON + 2 * HOUR)
    assert ledger.sealed.quantity == (1 if pending else 111)


def test_after_a_clock_that_ran_ahead_the_place_is_now_and_the_last_hour_is_open_again() -> None:
    ahead = read(unread_ledger(), [], NOON + 3 * DAY).set_back(NOON)
    assert (ahead.place, ahead.sealed_until, ahead.read_from) == (NOON, NOON - OVERLAP, NOON - OVERLAP)
    behind = replace(read(unread_ledger(), [], NOON + MINUTE), sealed_until=NOON - DAY).set_back(NOON)
    assert behind.sealed_until == NOON - DAY


def test_the_place_never_moves_back() -> None:
    ledger = read(unread_ledger(), [], NOON)
    assert read(ledger, [], NOON - HOUR) == ledger


def test_the_next_reading_starts_the_overlap_before_the_place() -> None:
    assert read(unread_ledger(), [], NOON).read_from == NOON - OVERLAP


def test_a_new_ledger_seals_nothing_of_its_first_hour() -> None:
    ledger = unread_ledger()
    assert read(ledger, [], ledger.place + MINUTE).sealed_until == ledger.sealed_until


def test_the_tail_holds_the_overlap_only_and_what_left_it_is_told_once() -> None:
    fills = [fill("BUY", 1, 1, number=n, at=NOON + n * MINUTE) for n in range(180)]
    ledger, told = unread_ledger(), list[Fill]()
    for n in range(0, 180, 15):
        absorbed = ledger.absorb(ledger.unknown(fills[n : n + 15]), NOON + (n + 14) * MINUTE, QRL)
        ledger = absorbed.ledger
        told += absorbed.sealed_fills
        assert len(ledger.tail) <= 61
    assert [*told, *ledger.tail] == fills
    assert ledger.sealed.fill_count == len(told)
    assert ledger.position(QRL).quantity == 180


def visible(fills: Sequence[tuple[Fill, timedelta]], since: datetime, now: datetime) -> list[Fill]:
    """What the exchange shows at `now`: some fills appear only a while after they were executed."""
    return [each for each, delay in fills if since <= each.executed_at <= each.executed_at + delay <= now]


@PROPERTY
@given(
    fill_lists(most=15),
    st.lists(st.integers(0, 59), min_size=15, max_size=15),
    st.lists(st.integers(0, 200), max_size=8),
    amounts(4, 0),
    st.randoms(use_true_random=False),
)
def test_any_split_into_runs_and_any_order_of_arrival_give_the_position_of_one_fold(
    fills: list[Fill], delays: list[int], runs: list[int], opening: Decimal, chance: random.Random
) -> None:
    delayed = [(each, delay * MINUTE) for each, delay in zip(fills, delays, strict=False)]
    ledger, lots = unread_ledger(NOON, str(opening)), FifoView()
    for now in [*(NOON + minutes * MINUTE for minutes in sorted(runs)), NOON + 4 * HOUR]:
        page = visible(delayed, ledger.read_from, now) * chance.choice([1, 2])
        chance.shuffle(page)
        absorbed = ledger.absorb(ledger.unknown(page), now, QRL)
        ledger, lots = absorbed.ledger, lots.fold(absorbed.sealed_fills, QRL)
    everything = sequence.in_order(fills)
    assert ledger.position(QRL) == in_order(everything, Position(unknown_quantity=opening))
    assert ledger.opening_quantity == opening
    assert lots.fold(ledger.tail, QRL) == FifoView().fold(everything, QRL)


@PROPERTY
@given(fill_lists(), st.integers(0, 20), amounts(4, 0))
def test_a_ledger_folded_anew_equals_one_that_saw_everything_in_time(
    fills: list[Fill], missed: int, opening: Decimal
) -> None:
    start = unread_ledger(NOON, str(opening))
    punctual = read(read(start, fills, NOON + 2 * HOUR), [], NOON + DAY)
    behind = read(read(start, fills[missed:], NOON + 2 * HOUR), [], NOON + DAY)
    assert behind.rebuilt(fills[missed:], fills, QRL).ledger == punctual


@PROPERTY
@given(fill_lists(), amounts(4, 0))
def test_a_first_ledger_never_shows_a_surplus(fills: list[Fill], account: Decimal) -> None:
    ledger = first(sequence.in_order(fills), account, NOON + 2 * HOUR)
    surplus = drift(ledger, account, NOON + 2 * HOUR + SECOND, QRL)
    assert surplus <= 0
    if ledger.opening_quantity:
        assert surplus == 0


@pytest.mark.parametrize(("account", "surplus"), [(100, 0), (150, 50), ("99.9", "-0.1")])
def test_drift_is_what_the_account_holds_beyond_the_ledger(account: str | int, surplus: str | int) -> None:
    ledger = read(unread_ledger(), [fill("BUY", 100, 1)], NOON)
    assert drift(ledger, d(account), NOON + SECOND, QRL) == d(surplus)


def test_a_deposit_shows_as_drift_and_leaves_cost_and_pnl_alone() -> None:
    ledger = read(unread_ledger(), [fill("BUY", 100, 1)], NOON)
    assert drift(ledger, d(5100), NOON + SECOND, QRL) == 5000
    assert ledger.position(QRL).average_cost == 1


def test_fills_after_the_balance_was_read_are_left_out_of_the_drift() -> None:
    seen = [fill("BUY", 100, 1), fill("SELL", 40, 1, number=2, at=NOON + MINUTE, fee="1", fee_asset="QRL")]
    ledger = read(unread_ledger(), seen, NOON + 2 * MINUTE)
    assert drift(ledger, d(100), NOON + SECOND, QRL) == 0
    assert drift(ledger, d(59), NOON + MINUTE + SECOND, QRL) == 0


@pytest.mark.parametrize(
    ("side", "fee_asset", "net"),
    [("BUY", "QRL", 9), ("SELL", "QRL", -11), ("BUY", "USDT", 10), ("SELL", "MX", -10)],
)
def test_a_fill_moves_the_balance_by_its_quantity_and_a_fee_in_coins(side: str, fee_asset: str, net: int) -> None:
    assert net_quantity(fill(side, 10, 2, fee="1", fee_asset=fee_asset), QRL) == net


def test_no_digit_of_the_opening_depends_on_the_threads_context() -> None:
    ledger = read(unread_ledger(opening="123456.789"), [fill("BUY", "1000.0001", 1)], NOON + DAY)
    with localcontext(Context(prec=4)):
        assert ledger.opening_quantity == d("123456.789")
        assert net_quantity(fill("BUY", "123456.789", 1, fee="0.1234567", fee_asset="QRL"), QRL) == d(
            "123456.6655433"
        )


def test_history_is_read_in_stretches_the_exchange_answers() -> None:
    assert windows(NOON, NOON) == []
    assert windows(NOON, NOON - DAY) == []
    assert windows(NOON, NOON + HOUR) == [(NOON, NOON + HOUR)]
    assert windows(NOON, NOON + WINDOW) == [(NOON, NOON + WINDOW)]
    assert windows(NOON, NOON + 15 * DAY) == [
        (NOON, NOON + 7 * DAY),
        (NOON + 7 * DAY, NOON + 14 * DAY),
        (NOON + 14 * DAY, NOON + 15 * DAY),
    ]


@PROPERTY
@given(st.timedeltas(timedelta(0), timedelta(days=60)))
def test_stretches_leave_nothing_out_and_are_never_too_long(length: timedelta) -> None:
    stretches = windows(NOON, NOON + length)
    assert sum((stop - start for start, stop in stretches), timedelta(0)) == length
    assert all(timedelta(0) < stop - start <= WINDOW for start, stop in stretches)
    assert [stop for _, stop in stretches[:-1]] == [start for start, _ in stretches[1:]]


def test_the_exchanges_memory_is_read_in_five_stretches() -> None:
    assert len(windows(NOON - MEMORY, NOON)) == 5
