"""The page of a back-test in a real browser, at the sizes and in the looks of the report."""

from pathlib import Path

import pytest

from common.domain.decision.levels import Destination
from local.backtest import page
from local.backtest.costs import Costs
from local.backtest.strategies import strategy
from local.backtest.study import Grid, Setup, study
from tests.browser.chromium import Chromium, Tab, saved
from tests.browser.test_page import chromium, problems
from tests.builders import d, ds
from tests.local.backtest.builders import desk
from tests.local.backtest.test_replay import walk

__all__ = ["chromium"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Seventy days with a search, so that every picture is there."""
    costs = Costs(d("0.001"), d("0.002"), d(0), d(1))
    chosen = (strategy("0.05:half", {}), strategy("0.02:target", {}))
    rule, month, hold = (strategy(text, {}) for text in ("0.01:target", "monthly", "hold"))
    setup = Setup(desk(walk(9, 1700, 60), "9000", "11000", costs), chosen, rule, month, hold)
    grid = Grid(ds("0.02", "0.05", "0.08"), (Destination.TARGET, Destination.HALF), ds("0.002", "0.006"))
    return saved(page.render(study(setup, grid), "walk.csv"), tmp_path_factory.mktemp("page"))


def test_the_page_of_a_back_test_is_well_on_a_phone_and_on_a_desk(chromium: Chromium, address: str) -> None:
    wrong = []
    for width, dark, scripts in ((390, True, False), (1400, False, True)):
        tab = Tab(chromium, width=width, height=900, dark=dark, scripts=scripts).open(address)
        wrong += [f"{width} px: {problem}" for problem in problems(tab, address)]
    assert wrong == []


def test_all_tables_of_its_pictures_open_with_the_keyboard(chromium: Chromium, address: str) -> None:
    tab = Tab(chromium, width=820, height=900, dark=False, scripts=True).open(address)
    assert tab.evaluate("document.querySelectorAll('details table').length") == 5
    assert Path(address.removeprefix("file://")).read_text().count("<h2>") == 8
