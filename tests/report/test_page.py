"""The page: complete, in its order, small, quick, and deaf to whatever is hidden in what others wrote."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from time import process_time
from typing import Any

import pytest

from common.report import content, page
from common.report.values import Values
from tests.builders import QRL, d
from tests.fakes import NOON
from tests.report.test_content import intent
from tests.report.values import report, values

YEAR = values()
TEXT = page.render(YEAR)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


class Outline(HTMLParser):
    """Tags, headings and attributes in the order they come."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.headings: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._inside: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._inside = tag if tag in ("h1", "h2") else None

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.headings.append(data)
            self._inside = None


def test_the_page_tells_in_the_order_a_reader_asks() -> None:
    assert Outline(TEXT).headings == [
        content.sentence(YEAR),
        "What happens next",
        "Value against holding",
        "The mix, and when it traded",
        "Where the difference comes from",
        "What trading costs",
        "Other policies on paper",
        "Drawdown",
        "Profit and loss",
        "Runs",
        "What is open",
    ]


def test_a_year_of_days_and_a_thousand_slots_are_small_and_quick() -> None:
    began = process_time()
    text = page.render(YEAR)
    assert process_time() - began < 0.2
    assert len(text.encode()) < 300 * 1024


def test_the_page_loads_nothing_and_links_nowhere() -> None:
    outline = Outline(TEXT)
    addresses = [value for name, value in outline.attributes if name in ("src", "href", "srcset", "action", "data")]
    assert addresses == ["data:,"]
    assert [name for name, _ in outline.attributes if name.startswith("on") or name == "style"] == []
    assert not re.search(r"url\(|@import|https?:", TEXT)
    assert 'http-equiv="refresh"' not in TEXT
    assert '<meta http-equiv="refresh" content="60">' in page.render(YEAR, 60)


def test_every_picture_is_an_image_with_words_and_a_table() -> None:
    figures = re.findall(r"<figure>.*?</figure>", TEXT)
    assert len(figures) == 5
    for figure in figures:
        assert figure.count('role="img"') == 1
        assert re.search(r"<title id=[^>]*>[^<]+</title><desc id=[^>]*>[^<]+</desc>", figure)
        assert "<tbody><tr>" in figure


def test_the_lines_of_the_attribution_are_told_to_the_last_digit_and_so_is_their_sum() -> None:
    told = TEXT.split("<caption>Every line, USDT")[1].split("</table>")[0]
    amounts = [d(text.replace("\u2212", "-")) for text in re.findall(r"<td class=\"n\">([^<]*)</td>", told)]
    assert len(amounts) == 9
    assert sum(amounts[:-1]) == amounts[-1] == YEAR.cost["attribution"]["difference"]


def test_what_others_wrote_is_shown_and_never_obeyed() -> None:
    told = replace(
        YEAR,
        pause={"reason": HOSTILE, "set_by": HOSTILE, "until": None},
        open_intents=[intent(reason=HOSTILE, client_order_id=HOSTILE)],
        commands=[{"command": HOSTILE, "by": HOSTILE, "timestamp": NOON.isoformat(), "reason": HOSTILE}],
        plan={**(YEAR.plan or {}), "reason": HOSTILE, "checks": []},
        runs={"price": {"status": HOSTILE, "reason": HOSTILE, "timestamp": NOON.isoformat()}},
        reports=[report(YEAR.now, rebalance={"refusals": [HOSTILE]})],
        unreadable=[HOSTILE],
        revision=HOSTILE,
        settings_hash=HOSTILE,
    )
    outline = Outline(page.render(told))
    assert outline.tags.count("script") == 1
    assert "img" not in outline.tags
    assert [name for name, _ in outline.attributes if name.startswith("on")] == []


def test_an_empty_store_makes_a_page_that_says_so() -> None:
    text = page.render(Values(QRL, NOON))
    assert content.NOTHING_YET in text
    assert "No plan has been made yet" in text
    assert "<figure>" not in text


def test_a_young_account_is_drawn_by_slots_and_an_old_one_by_days_with_its_newest_slot() -> None:
    assert page.long_points(replace(YEAR, days=YEAR.days[:5])) is YEAR.slots
    assert page.long_points(YEAR)[: len(YEAR.days)] == list(YEAR.days)


@pytest.mark.parametrize("broken", [{"since": "yesterday"}, {"difference": "words"}, {"fees": None}, {}])
def test_what_is_stored_in_another_form_takes_nothing_else_with_it(broken: dict[str, Any]) -> None:
    lines = {**YEAR.cost["attribution"], **broken} if broken else {"other": d(1)}
    told = replace(YEAR, cost={**YEAR.cost, "attribution": lines}, plan={"action": "HOLD"}, reports=[{}])
    text = page.render(told)
    assert content.CANNOT_BE_SHOWN in text
    assert "Value against holding" in text
    status = content.lines(told)
    assert len(status) == len(content.lines(YEAR))
    assert any(line.endswith(content.CANNOT_BE_SHOWN) for line in status)


def test_an_amount_beyond_reason_takes_nothing_else_with_it() -> None:
    assert YEAR.plan is not None
    settings = {**YEAR.plan["settings"], "min_notional_usdt": d("1" * 40 + "e10")}
    text = page.render(replace(YEAR, plan={**YEAR.plan, "settings": settings}))
    assert content.CANNOT_BE_SHOWN in text
    assert "Value against holding" in text
