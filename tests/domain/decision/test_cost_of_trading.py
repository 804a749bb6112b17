"""The cost of trading: what a book tells, seven days of it, own fills, and the band that is made of it (§11)."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from common.domain.decision.advice import advice, guidance
from common.domain.decision.band import best_band
from common.domain.decision.cost_of_trading import (
    BandInUse,
    BookCost,
    FillCost,
    Measured,
    band_to_use,
    cost_at_best,
    cost_in,
    estimate,
    fill_cost,
    resting_cost,
)
from common.domain.decision.levels import Destination, Level
from common.domain.instrument import Side
from tests.builders import book, d, ds
from tests.fakes import NOON

DAY = timedelta(days=1)
HALF, TARGET = Destination.HALF, Destination.TARGET


def sample(cost: str, at: datetime = NOON) -> BookCost:
    """A book whose half spread is half of its cost and whose impact is the other."""
    return BookCost(at, d(cost) / 2, d(cost) / 2, d(100))


def fills(*costs: str, resting: bool = False) -> tuple[FillCost, ...]:
    return tuple(FillCost(NOON, f"{number}X1", d(cost), resting) for number, cost in enumerate(costs))


# One book


def test_a_book_tells_half_its_spread_and_what_the_size_costs_beyond_it() -> None:
    seen = book(bids=[("0.99", "10"), ("0.95", "100")], asks=[("1.01", "10"), ("1.05", "100")])
    assert cost_in(seen, d(10), NOON) == BookCost(NOON, d("0.01"), d(0), d(10))
    twice = cost_in(seen, d(20), NOON)  # half at 1 % off, half at 5 %
    assert twice is not None
    assert (twice.half_spread, twice.impact) == ds("0.01", "0.02")


def test_each_side_is_measured_against_the_levels_it_would_take() -> None:
    """Only the asks are thin: a buy of 20 costs 3 %, a sale 1 %, and the mean is 2 %."""
    seen = book(bids=[("0.99", "1000")], asks=[("1.01", "10"), ("1.05", "100")])
    cost = cost_in(seen, d(20), NOON)
    assert cost is not None
    assert (cost.half_spread, cost.impact) == ds("0.01", "0.01")


def test_a_book_that_holds_less_is_measured_to_its_end_and_an_unsound_one_not_at_all() -> None:
    thin = cost_in(book([("0.99", "5")], [("1.01", "5")]), d(1000), NOON)
    assert thin is not None
    assert (thin.impact, thin.notional) == ds(0, 1000)
    assert cost_in(book([], [("1.01", "5")]), d(10), NOON) is None
    assert cost_in(book([("1.02", "5")], [("1.01", "5")]), d(10), NOON) is None


def test_size_and_band_find_each_other() -> None:
    """Linear depth: the size that is measured is the one that the band of the measured cost trades."""
    rows = [(f"{d('0.0025') + d(n) / 10000}", "66.67") for n in range(1, 76)]
    seen = book([(str(1 - d(row)), q) for row, q in rows], [(str(1 + d(row)), q) for row, q in rows])
    cost = cost_at_best(seen, d(10000), lambda c: best_band(c, d("0.5")).size, d("0.0005"), NOON)
    assert cost is not None
    again = best_band(d("0.0005") + cost.total, d("0.5")).size * 10000
    assert abs(again - cost.notional) < d("0.1")
    assert round(cost.total * 100, 2) == d("0.29")


def test_a_line_tells_what_the_book_told_and_of_no_impact_it_tells_zero_without_a_sign() -> None:
    """Rounding makes the impact of the first level alone a minus zero here."""
    for bid, ask in (("0.020373", "0.020381"), ("0.99", "1.01"), ("69123.4", "69123.5")):
        cost = cost_in(book([(bid, "1e9")], [(ask, "1e9")]), d(10), NOON)
        assert cost is not None
        measured = Measured().with_book(cost, NOON)
        assert (measured.readable, [BookCost.of(line) for line in measured.books]) == (True, [cost])
        assert measured.books[0].split()[2] == "0"


# Seven days of them


def test_the_median_is_that_of_seven_days_and_not_of_seven_books() -> None:
    measured = Measured()
    for hours, cost in enumerate(["0.009"] * 8 + ["0.003"] * 10):
        measured = measured.with_book(sample(cost, NOON + timedelta(hours=hours)), NOON + timedelta(hours=hours))
    assert estimate(measured, d(0), d("0.005")).one_way == d("0.003")
    assert estimate(measured, d(0), d("0.005")).books == 18
    last = Measured(measured.books[-7:])
    assert estimate(last, d(0), d("0.005")).one_way == d("0.003")
    early = Measured(tuple(sample(cost).line for cost in ["0.009"] * 20 + ["0.003"] * 7))
    assert estimate(early, d(0), d("0.005")).one_way == d("0.009")


def test_what_is_seven_days_old_is_forgotten_and_an_unreadable_book_leaves_the_rest() -> None:
    old = Measured(
        (sample("0.009", NOON - 7 * DAY).line, sample("0.003", NOON - 6 * DAY).line),
        (FillCost(NOON - 8 * DAY, "1X1", d("0.02")),),
    )
    kept = old.with_book(None, NOON)
    assert [BookCost.of(line) for line in kept.books] == [sample("0.003", NOON - 6 * DAY)]
    assert kept.fills == ()


def test_an_even_number_of_books_has_its_median_between_the_two_and_its_parts_add_up() -> None:
    told = estimate(Measured((sample("0.002").line, sample("0.004").line)), d("0.0005"), d("0.005"))
    assert told.one_way == d("0.0035") == told.fee + (told.half_spread or 0) + (told.impact or 0)
    assert (told.books, told.source, told.at_notional) == (2, "order books", d(100))


def test_until_something_is_measured_the_fallback_is_the_cost() -> None:
    told = estimate(Measured(), d("0.0005"), d("0.005"))
    assert (told.one_way, told.source, told.half_spread, told.at_notional) == (
        d("0.005"),
        "COST_FALLBACK",
        None,
        None,
    )


# Own fills


def test_a_fill_costs_its_distance_from_the_mid_and_its_fee() -> None:
    assert fill_cost(Side.BUY, d("1.003"), d(1), d("0.0005")) == d("0.0035")
    assert fill_cost(Side.SELL, d("0.997"), d(1), d("0.0005")) == d("0.0035")
    assert fill_cost(Side.SELL, d("1.002"), d(1), d(0)) == d("-0.002")


def test_twenty_fills_weigh_as_much_as_all_the_books() -> None:
    books = (sample("0.002").line,) * 100
    assert estimate(Measured(books, fills(*["0.004"] * 20)), d(0), d(1)).one_way == d("0.003")
    assert estimate(Measured(books, fills(*["0.004"] * 5)), d(0), d(1)).one_way == d("0.0024")
    told = estimate(Measured((), fills("0.004")), d(0), d("0.005"))
    assert told.source == "COST_FALLBACK and own fills"
    assert d("0.0049") < told.one_way < d("0.005")


def test_a_fill_is_counted_once_and_resting_ones_are_a_cost_of_their_own() -> None:
    once = Measured().with_fills(fills("0.004")).with_fills(fills("0.004"))
    assert len(once.fills) == 1
    measured = Measured((sample("0.01").line,), fills(*["0.001"] * 20, resting=True))
    taking = estimate(measured, d(0), d(1))
    assert (taking.one_way, taking.fills) == (d("0.01"), 0)
    assert resting_cost(measured, taking, d(0)) == d("0.0015")  # between a fifth of taking and what fills tell
    assert resting_cost(Measured(), taking, d("0.003")) == d("0.003")


# The band in use


def in_use(trigger: str, since: datetime, **other: Any) -> BandInUse:
    fields: dict[str, Any] = {"to": HALF, "weight": d("0.5"), **other}
    return BandInUse(d(trigger), d(trigger) / 2, since, **fields)


def used(current: BandInUse | None, cost: str, now: datetime) -> Decimal:
    return band_to_use(current, d(cost), d("0.5"), d(0), HALF, now).trigger


def test_a_band_changes_when_the_best_differs_by_more_than_a_tenth_and_not_before_a_day() -> None:
    """At a cost of 0.3 % the best is 8.43 points, at 0.5 % it is 10.00."""
    day = in_use("0.0843", NOON - DAY)
    assert round(used(None, "0.003", NOON), 4) == d("0.0843")
    assert used(day, "0.00301", NOON) == d("0.0843")
    assert used(day, "0.0039", NOON) == d("0.0843")  # 9.21 points are 9.2 % more
    assert round(used(day, "0.005", NOON), 4) == d("0.1000")
    assert round(used(day, "0.001", NOON), 4) == d("0.0585")
    assert used(in_use("0.0843", NOON - DAY + timedelta(seconds=1)), "0.005", NOON) == d("0.0843")


def test_another_destination_or_target_makes_a_new_band_at_once() -> None:
    assert used(in_use("0.0843", NOON, to=TARGET), "0.005", NOON) != d("0.0843")
    assert used(in_use("0.0843", NOON, weight=d("0.4")), "0.005", NOON) != d("0.0843")


# What is told of it


def test_the_sentence_of_advice_is_the_contracts() -> None:
    assert advice(Level(d("0.01")), d("0.005"), d("0.5"), d("0.001")) == (
        "1.0 points to the target costs about 3.1 % a year at c = 0.50 %; 10.0 half-way would cost 0.31 %"
    )


def test_advice_knows_every_destination_and_when_nothing_is_better() -> None:
    assert advice(Level(d("0.1"), HALF), d("0.005"), d("0.5"), d(0)).startswith("10.0 points half-way costs")
    assert advice(Level(d("0.05"), d("0.02")), d("0.005"), d("0.5"), d(0)).startswith(
        "5.0 points back to 2.0 costs"
    )
    small = advice(Level(d("0.05"), Destination.EDGE), d("0.005"), d("0.5"), d("0.02"))
    assert small.startswith("7.0 points to the edge costs")  # an order is at least two points
    best = best_band(d("0.005"), d("0.5"))
    told = advice(Level(best.trigger, best.destination), d("0.005"), d("0.5"), d(0))
    assert told.endswith("; no half-way band costs less")


def test_guidance_gives_the_contracts_figures() -> None:
    def shown(value: int) -> tuple[str, str]:
        return guidance(d(value), d("0.0005"), d("0.0025"), d(5000), d(5), d("0.5")).shown

    assert shown(50) == ("11.6", "1.6")
    assert shown(100) == ("9.1", "4.1")
    assert {shown(value) for value in (250, 500, 1000, 2000)} == {("8.5", "4.2")}
    assert shown(10000) == ("8.8", "4.4")
