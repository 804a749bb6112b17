"""Figures with their methods: returns, the corridor, and what shadows tell and cannot tell."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from common.domain.performance.attribution import Attribution
from common.domain.performance.shadows import Day
from common.report import page, returns
from common.report.scales import grouped
from tests.builders import d
from tests.report.values import values

YEAR = values(days=120, slots=50)


def test_returns_are_told_by_time_by_money_and_in_money() -> None:
    told = dict(returns.facts(YEAR, YEAR.days))
    assert set(told) == {"Time-weighted", "Money-weighted", "In money", "Break-even", "Corridor"}
    share = YEAR.days[-1].share_price / YEAR.days[0].share_price - 1
    assert f"{abs(share) * 100:.2f}" in told["Time-weighted"]
    paid = YEAR.days[0].value + 100
    assert told["In money"].endswith(f" on {grouped(paid, 2)} paid in, at 1 May 2026, 00:00 UTC")
    assert "XIRR" in told["Money-weighted"]


def test_a_young_account_has_no_yearly_rate_and_one_without_points_no_figures() -> None:
    assert "Money-weighted" not in dict(returns.facts(YEAR, YEAR.days[-20:]))
    assert returns.facts(YEAR, YEAR.days[:1]) == []
    assert "Corridor" not in dict(returns.facts(replace(YEAR, start_price=None), YEAR.days))


def test_a_shadow_that_grew_more_every_day_stands_first_with_an_interval_above_nothing() -> None:
    days = [replace(day, papers={**day.papers, "hold": day.real + d("0.001")}) for day in YEAR.shadow_days]
    first = returns.compared(replace(YEAR, shadow_days=days))[0]
    assert (first.name, first.days, first.growth) == ("hold", 120, d("0.12"))
    assert first.interval is not None
    assert first.interval.excludes_zero
    assert first.interval.low <= float(first.growth) <= first.interval.high


def test_before_ten_days_there_is_no_interval_and_the_page_says_why() -> None:
    young = replace(YEAR, shadow_days=YEAR.shadow_days[:9])
    assert {each.interval for each in returns.compared(young)} == {None}
    assert "9 whole days so far: too few to tell policies apart." in page.render(young)


def test_the_page_says_what_its_columns_measure_and_which_policies_have_done_the_same() -> None:
    flat = [replace(day, papers=dict.fromkeys(day.papers, d(0))) for day in YEAR.shadow_days[:9]]
    assert YEAR.shadows is not None
    papers = {name: replace(YEAR.shadows.real, since=YEAR.now) for name in ("monthly", "hold", "auto")}
    papers["hold"] = replace(papers["hold"], orders=3)
    young = page.render(replace(YEAR, shadow_days=flat, shadows=replace(YEAR.shadows, papers=papers)))
    assert "the two may differ in sign." in young
    assert "These have not traded differently yet: monthly, auto." in young
    assert "bootstrap" not in young, "there are no bars yet"
    assert "bootstrap" in page.render(YEAR)
    assert "traded differently" not in page.render(YEAR)


def test_the_corridor_says_where_the_price_is_and_that_the_break_even_judges_another_thing() -> None:
    for start, where in (("0.04", "inside"), ("0.02", "outside")):
        words = dict(returns.facts(replace(YEAR, start_price=d(start)), YEAR.days))["Corridor"]
        assert f", is {where}. The break-even speaks of stopping now" in words, words
    assert YEAR.attribution_state is not None
    still = Attribution.begin(YEAR.days[0].at, d(100), d(100), d(1), d("0.5"))
    untraded = replace(YEAR, attribution_state=replace(YEAR.attribution_state, attribution=still))
    told = dict(returns.facts(untraded, YEAR.days))
    assert "Break-even" not in told
    assert "break-even" not in told["Corridor"]


def test_the_same_page_twice_shows_the_same_bounds() -> None:
    assert returns.compared(YEAR) == returns.compared(YEAR)


def test_a_shadow_named_later_is_told_by_its_own_days_only() -> None:
    assert YEAR.shadows is not None
    late = replace(YEAR.shadows.papers["hold"], since=YEAR.now - timedelta(days=2))
    shadows = replace(YEAR.shadows, papers={"late": late})
    days = [Day(day.day, day.real, {"late": Decimal("0.002")}) for day in YEAR.shadow_days[-2:]]
    (found,) = returns.compared(replace(YEAR, shadows=shadows, shadow_days=[*YEAR.shadow_days[:-2], *days]))
    assert (found.days, found.growth) == (2, d("0.004"))


def test_what_the_days_cannot_tell_apart_is_said() -> None:
    flat = [replace(day, papers=dict.fromkeys(day.papers, day.real)) for day in YEAR.shadow_days]
    assert "cannot tell these policies from the bot" in page.render(replace(YEAR, shadow_days=flat))
