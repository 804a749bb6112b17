"""The order of fills within a second: by the time of their orders, else buys before sales."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from common.domain.instrument import Side
from common.domain.ledger.position import Position
from common.domain.ledger.sequence import in_doubt, in_order
from common.domain.orders.order import Fill
from tests.builders import PROPERTY, QRL, d, ds, fill, fill_lists
from tests.fakes import NOON

MS = timedelta(milliseconds=1)


def named(name: str, each: Fill, placed: int | None = None) -> Fill:
    return replace(each, fill_id=name, ordered_at=None if placed is None else NOON + placed * MS)


BOUGHT = named("f4e1", fill("BUY", 10, 2))
SOLD = named("0a3f", fill("SELL", 10, "2.5"))


def test_what_was_bought_in_a_second_can_be_sold_in_it() -> None:
    """Not ten coins that do not exist, and no profit: five were made, and nothing is held."""
    for fills in permutations([BOUGHT, SOLD]):
        position = Position().fold(in_order(fills), QRL)
        assert (position.quantity, position.realized_pnl, position.unmatched_quantity) == ds(0, 5, 0)


def test_five_round_trips_in_a_second_make_what_they_made() -> None:
    trips = [
        each
        for n in range(5)
        for each in (named(f"{n}b", fill("BUY", 10, 2)), named(f"{n}a", fill("SELL", 10, "2.1")))
    ]
    position = Position().fold(in_order(trips), QRL)
    assert (position.quantity, position.realized_pnl) == ds(0, 5)


def test_the_orders_of_a_second_go_by_their_own_time() -> None:
    sold_first = [named("f4e1", BOUGHT, placed=600), named("0a3f", SOLD, placed=200)]
    assert [each.side for each in in_order(sold_first)] == [Side.SELL, Side.BUY]
    held = Position(quantity=d(10), cost=d(10))
    assert held.fold(in_order(sold_first), QRL).realized_pnl == 15


def test_orders_of_one_time_leave_it_to_the_side() -> None:
    """Orders carry whole seconds as well, often (exchange.md §1.4)."""
    for fills in permutations(
        [named("5", BOUGHT, 0), named("40", BOUGHT, 0), named("1", SOLD, 0), named("2", SOLD, 0)]
    ):
        position = Position().fold(in_order(fills), QRL)
        assert (position.quantity, position.realized_pnl, position.unmatched_quantity) == ds(0, 10, 0)


def test_an_order_that_had_rested_tells_nothing_of_the_second_it_was_filled_in() -> None:
    for placed, first in ((-1000, Side.SELL), (-1001, Side.BUY), (-86_400_000, Side.BUY)):
        rested = [named("f4e1", BOUGHT, placed=600), named("0a3f", SOLD, placed=placed)]
        assert in_order(rested)[0].side is first, placed


def test_a_time_that_is_not_known_of_every_order_is_of_no_use() -> None:
    half = [named("f4e1", BOUGHT), named("0a3f", SOLD, placed=200)]
    assert [each.side for each in in_order(half)] == [Side.BUY, Side.SELL]
    assert in_doubt(half) == [half[0]]


def test_fills_of_one_side_go_by_the_numbers_in_their_ids() -> None:
    names = ["999X1", "1000X1", "1000X2", "a", "²"]
    fills = [named(name, fill("BUY", 1, 1)) for name in names]
    assert [each.fill_id for each in in_order(reversed(fills))][:3] == names[:3]
    assert in_doubt(fills) == []


@PROPERTY
@given(fill_lists(), st.randoms())
def test_the_order_is_the_same_however_fills_come(fills: list[Fill], rng: object) -> None:
    expected = in_order(fills)
    rng.shuffle(fills)  # type: ignore[attr-defined]
    assert in_order(fills) == expected
    assert [each.executed_at for each in expected] == sorted(each.executed_at for each in fills)
