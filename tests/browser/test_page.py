"""The page as people meet it: in a real browser, light and dark, on a phone, on paper, with scripts off."""

import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from functions_framework import create_app
from werkzeug.serving import make_server

from common.report import page
from common.report.scales import grouped
from tests.browser.chromium import Chromium, Tab, browser, program, saved
from tests.conftest import ROOT, Functions, Live
from tests.report.values import values

LOOKS = [(390, False, True), (390, True, False), (820, True, True), (1400, False, False)]
"""Width, dark, scripts: each of them with each of the others at least once."""
AXE = os.environ.get("AXE_CORE")
"""Path of axe.min.js: .ci/run fetches it from npm."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    path = program()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is missing: in CI that is a failure")
        pytest.skip("no chromium on this machine: the page is not looked at in a browser")
    with browser(path) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a year, as a file."""
    return saved(page.render(values()), tmp_path_factory.mktemp("page"))


def problems(tab: Tab, url: str) -> list[str]:
    """What is wrong with a page that is open."""
    found = [f"console: {complaint}" for complaint in tab.complaints]
    found += [f"request: {request}" for request in tab.requests if request != url]
    wide = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    found += [f"{wide} px of it lie outside"] if wide > 0 else []
    pictures = tab.nodes("image") + tab.nodes("img")
    found += [] if len(pictures) >= 5 else [f"only {len(pictures)} pictures"]
    found += [f"a picture without words: {name!r} {told!r}" for name, told in pictures if not (name and told)]
    return found


def test_the_page_is_well_at_every_size_light_and_dark_with_and_without_scripts(
    chromium: Chromium, address: str
) -> None:
    wrong = []
    for width, dark, scripts in LOOKS:
        tab = Tab(chromium, width=width, height=900, dark=dark, scripts=scripts).open(address)
        wrong += [f"{width} px, {dark=}, {scripts=}: {problem}" for problem in problems(tab, address)]
        here = " here)" in tab.evaluate("document.querySelector('time').textContent")
        wrong += [] if here is scripts else [f"{scripts=}: the reader's own time"]
    assert wrong == []


def test_the_page_prints_on_a_few_sheets_with_all_its_tables_open(chromium: Chromium, address: str) -> None:
    paper = Tab(chromium, width=1400, height=900, dark=True, scripts=True).open(address).pages_of_paper()
    sheets = len(re.findall(rb"/Type\s*/Page\b", paper))
    assert 3 <= sheets <= 9


def test_on_paper_a_short_table_stays_whole(chromium: Chromium, address: str) -> None:
    tab = Tab(chromium, width=820, height=900, dark=False, scripts=True).open(address).on_paper()
    told = "[...document.querySelectorAll('table')].map(t => [t.rows.length, getComputedStyle(t).breakInside])"
    tables = tab.evaluate(told)
    assert {kept for rows, kept in tables if rows <= 16} == {"avoid"}
    assert {kept for rows, kept in tables if rows > 16} == {"auto"}


def test_on_a_phone_a_wide_table_shows_that_it_goes_on(chromium: Chromium, address: str) -> None:
    """By a shadow at the edge that is fixed to the frame, under a cover that moves with the table."""
    tab = Tab(chromium, width=360, height=900, dark=True, scripts=False).open(address)
    wide = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)"
    shown = tab.evaluate(f"{wide}.map(e => getComputedStyle(e).backgroundAttachment)")
    assert shown
    assert set(shown) == {"local, local, scroll, scroll"}


def test_everything_can_be_reached_and_opened_with_the_keyboard(chromium: Chromium, address: str) -> None:
    tab = Tab(chromium, width=820, height=900, dark=False, scripts=True).open(address)
    assert tab.evaluate("[...document.querySelectorAll('summary')].every(each => each.tabIndex === 0)") is True
    assert tab.evaluate("document.querySelectorAll('details table').length") == 5
    hidden = (
        "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth && e.tabIndex < 0)"
    )
    assert tab.evaluate(f"{hidden}.length") == 0


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_to_say(chromium: Chromium, address: str, dark: bool) -> None:
    if AXE is None:
        pytest.skip("AXE_CORE is not set: axe-core comes from npm, in CI only")
    tab = Tab(chromium, width=820, height=1180, dark=dark, scripts=True).open(address)
    tab.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    tab.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found = tab.evaluate(
        "axe.run().then(told => told.violations.map(v => v.id + ': ' + v.nodes[0].html))", awaited=True
    )
    assert found == []


@pytest.fixture
def served(live: Live) -> Iterator[str]:
    """The address of `ops` with a bot that has traded."""
    for minutes, price in ((0, "0.0200"), (15, "0.0230"), (30, "0.0215")):
        live.desk.market.set_price(price)
        live.call("price")
        live.run(minutes)
    app = create_app(target="ops", source=str(ROOT / "functions" / "ops" / "main.py"))
    server = make_server("127.0.0.1", 0, app, threaded=True)  # a browser opens connections that it never uses
    server.daemon_threads, server.block_on_close = True, False  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_page_that_ops_serves_says_what_its_answers_say(
    chromium: Chromium, served: str, bare_functions: Functions
) -> None:
    tab = Tab(chromium, width=1400, height=900, dark=False, scripts=True)
    tab.open(served, headers={"X-CloudScheduler": "true", "Accept": "text/html"})
    assert [str(each) for each in tab.complaints] == []
    assert tab.requests == [served]
    sentence = tab.evaluate("document.querySelector('h1').textContent")
    told: Any = bare_functions.get("ops", "cost").get_json()
    lines = told["data"].get("attribution") or told["data"]["benchmark"]
    shown = re.match(r"([+\u2212]?)([\d.\u202f]+) USDT", sentence)
    assert shown is not None
    digits = len(shown[2].partition(".")[2])
    assert grouped(Decimal(str(lines["difference"])), digits, signed=True) == shown[1] + shown[2]
