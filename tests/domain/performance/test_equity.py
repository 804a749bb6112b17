"""The account over time: returns that flows do not distort, drawdown, volatility."""

from datetime import timedelta
from decimal import Decimal

from common.domain.performance.attribution import Attribution
from common.domain.performance.equity import (
    YEAR,
    Drawdown,
    Flow,
    Point,
    Shares,
    drawdown,
    gain,
    money_weighted,
    time_weighted,
    volatility,
)
from common.store.codec import from_document
from tests.builders import d, ds
from tests.fakes import NOON

DAY = timedelta(days=1)


def series(*steps: str | tuple[str, str]) -> list[Point]:
    """One point a day of 100 coins and no quote: a price, or (price, coins paid in just then)."""
    first = d(str(steps[0]))
    state = Attribution.begin(NOON, d(100), d(0), first, d("0.5"))
    shares, points = Shares.begin(100 * first, first), []
    for day, step in enumerate(steps):
        price, coins = step if isinstance(step, tuple) else (step, "0")
        mid = d(price)
        if d(coins):
            shares = shares.flow(state.real.value(mid), d(coins) * mid)
            state = state.flow(d(coins), d(0), mid)
        shares = shares.seen(mid)
        points.append(Point.of(NOON + day * DAY, mid, shares, state))
    return points


def test_a_point_says_what_the_account_and_holding_are_worth() -> None:
    point = series("1", ("2", "50"))[-1]
    assert (point.value, point.held_value, point.share_price) == ds(300, 300, 2)


def test_the_time_weighted_return_is_the_prices_whatever_was_paid_in_or_out() -> None:
    assert time_weighted(series("1", "2", "1.5")) == d("0.5")
    assert time_weighted(series("1", ("2", "900"), ("3", "-999"), "1.5")) == d("0.5")
    assert time_weighted(series("1")) is None


def test_an_account_that_began_empty_begins_with_its_first_deposit() -> None:
    shares = Shares.begin(d(0), d(1)).flow(d(0), d(500))
    assert (shares.count, shares.price(d(550))) == ds(500, "1.1")
    assert Shares.begin(d(0), d(1)).price(d(0)) == 1


def test_an_account_that_was_emptied_and_funded_again_goes_on_at_its_last_share_price() -> None:
    """Twice the price, nothing while it is empty, then half as much again."""
    points = series("1", "2", ("2", "-100"), "8", ("4", "50"), "6")
    assert tuple(point.share_price for point in points) == ds(1, 2, 2, 2, 2, 3)
    assert time_weighted(points) == 2
    assert drawdown(points) is None
    gone_and_back = Shares.begin(d(100), d(1)).flow(d(150), d(-150)).flow(d(0), d(300))
    assert (gone_and_back.count, gone_and_back.price(d(330))) == ds(200, "1.65")


def test_shares_that_an_earlier_version_stored_have_had_no_other_first_price_than_1() -> None:
    emptied = from_document(Shares, {"count": "0", "variance": "0.5", "mid": "2"}, "bot:QRLUSDT:attribution")
    assert emptied.flow(d(0), d(500)).price(d(550)) == d("1.1")


def test_the_money_weighted_return_is_the_rate_that_flows_have_earned() -> None:
    """1000 for a year and 1000 for half of it, both at 21 % a year: 1210 + 1100."""
    half = Flow(NOON + YEAR / 2, d(0), d(1000), d(1))
    rate = money_weighted(NOON, d(1000), [half], NOON + YEAR, d(2310))
    assert rate == d("0.21")
    assert gain(d(1000), [half], d(2310)) == 310


def test_a_withdrawal_counts_against_the_rate_at_its_own_value() -> None:
    out = Flow(NOON + YEAR / 2, d(-1000), d(0), d("0.5"))
    assert out.value == -500
    assert money_weighted(NOON, d(1000), [out], NOON + YEAR, d("552.5")) is not None
    assert money_weighted(NOON, d(1000), [], NOON + 2 * YEAR, d(1440)) == d("0.2")
    assert money_weighted(NOON, d(1000), [], NOON + YEAR, d(500)) == d("-0.5")


def test_there_is_no_money_weighted_return_without_time_or_without_money() -> None:
    assert money_weighted(NOON, d(1000), [], NOON, d(1000)) is None
    assert money_weighted(NOON, d(1000), [], NOON + YEAR, d(0)) is None
    assert money_weighted(NOON, d(0), [], NOON + YEAR, d(0)) is None
    assert money_weighted(NOON, d(0), [Flow(NOON + YEAR, d(0), d(500), d(1))], NOON + YEAR, d(500)) is None
    assert money_weighted(NOON, d(0), [], NOON + YEAR, d(10)) is None


def test_the_drawdown_is_the_deepest_fall_from_a_peak_and_no_withdrawal() -> None:
    points = series("1", "2", ("2", "-90"), "1.5", "3", "0.6", "0.9")
    assert drawdown(points) == Drawdown(d("0.8"), NOON + 4 * DAY, NOON + 5 * DAY)
    assert drawdown(series("1", "1", "2")) is None
    assert drawdown([]) is None


def test_the_volatility_is_the_root_of_the_variance_a_year() -> None:
    points = series("1", "1.1", "1", "1.1")
    step = d("1.1").ln()
    assert abs(points[-1].shares.variance - 3 * step * step) < d("1e-16")
    found = volatility(points[-1].shares.variance, points[0].at, points[-1].at)
    assert found is not None
    assert abs(found - step * Decimal(365).sqrt()) < d("1e-11")
    assert volatility(d(1), NOON, NOON) is None
