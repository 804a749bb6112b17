"""The marks of a picture, and that no text of others ever becomes a tag."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.report import svg
from common.report.html import Markup, document, figure, legend, policy, table, tag
from common.report.scales import Linear, Time
from tests.builders import PROPERTY, d

HOSTILE = "</text><script>alert('1')</script>\"&<!--"


def parsed(markup: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(markup)


def test_a_picture_is_an_image_with_a_title_and_a_description() -> None:
    root = parsed(svg.picture("value", "Value", "It rose.", 200))
    assert (root.get("role"), root.get("height")) == ("img", "200")
    told = {element.get("id"): element.text for element in root}
    assert told[root.get("aria-labelledby")] == "Value"
    assert told[root.get("aria-describedby")] == "It rose."


@PROPERTY
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=3000),
    st.integers(1, 50),
)
def test_thinning_keeps_order_ends_and_extremes_and_few_points(heights: list[float], columns: int) -> None:
    points = [(float(x), y) for x, y in enumerate(heights)]
    kept = svg.thinned(points, columns)
    assert len(kept) <= max(4 * columns, 1)
    assert kept == sorted(kept)
    assert set(kept) <= set(points)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    for extreme in (min, max):
        assert extreme(y for _, y in kept) == extreme(heights)


def test_few_points_are_not_thinned() -> None:
    points = [(0.0, 1.0), (1.0, 5.0), (2.0, 3.0)]
    assert svg.thinned(points) == points


def test_paths_go_through_their_points() -> None:
    assert svg.path([(0, 1), (2.25, 3.04)]) == "M0 1L2.2 3"
    assert parsed(svg.area([(0, 1), (5, 1)], [(0, 9), (5, 9)], "a")).get("d") == "M0 1L5 1L5 9L0 9Z"


def test_a_grid_names_its_unit_once_at_the_top() -> None:
    texts = [each.text for each in parsed(svg.heights(Linear(d(0), d(40), 100, 0), 4, "USDT")).iter("text")]
    assert texts == ["40 USDT", "30", "20", "10", "0"]


def test_a_label_of_the_axis_stays_inside_on_the_narrowest_phone() -> None:
    """A centred label of eight letters would be 50 px wide on a picture of 288."""
    start = datetime(2017, 12, 1, tzinfo=UTC)
    drawn = parsed(svg.axis(Time(start, start + timedelta(days=700), 0, svg.WIDTH), 100))
    anchors = [(text.text, text.get("x"), text.get("text-anchor")) for text in drawn.iter("text")]
    assert anchors[:2] == [("Jan 2018", "4.43%", "start"), ("Jul", "30.29%", "middle")]
    drawn = parsed(svg.axis(Time(start, start + timedelta(days=410), 0, svg.WIDTH), 100))
    assert [(text.text, text.get("text-anchor")) for text in drawn.iter("text")][-1] == ("Jan 2019", "end")


def test_a_waterfall_begins_each_bar_where_the_last_ended_and_ends_with_the_sum() -> None:
    lines = [("harvest", d(30)), ("fees", d(-10))]
    drawn = parsed(svg.waterfall(lines, "difference", Linear(d(0), d(40), 0, 1000), str))
    spans = [(bar.get("x"), bar.get("width")) for bar in drawn.iter("rect")]
    assert spans == [("0%", "75%"), ("50%", "25%"), ("0%", "50%")]
    assert [each.text for each in drawn.iter("text")] == ["harvest", "30", "fees", "-10", "difference", "20"]


def test_the_fullest_cell_of_a_heat_map_is_the_greatest_and_missing_ones_are_left_out() -> None:
    rows: list[list[Decimal | None]] = [[d(1), None], [d(3), d(2)]]
    drawn = parsed(svg.cells(rows, 20, lambda y, x: "best" if (y, x) == (1, 0) else None, lambda y, x: f"{y} {x}"))
    told = [(cell[0].text, cell.get("fill-opacity"), cell.get("class")) for cell in drawn]
    assert told == [("0 0", "0.06", "cell"), ("1 0", "1", "cell best"), ("1 1", "0.53", "cell")]


@pytest.mark.parametrize(
    "markup",
    [
        tag("p", HOSTILE, title=HOSTILE),
        svg.picture("a", HOSTILE, HOSTILE, 10),
        svg.marker(0, 0, "dot", "a", HOSTILE),
        svg.upright(0, 10, "flow", HOSTILE),
        table(HOSTILE, [HOSTILE, "b"], [[HOSTILE, HOSTILE]]),
        figure(svg.picture("a", "b", "c", 1), table("t", ["a"], [[HOSTILE]]), legend(("a", HOSTILE))),
    ],
)
def test_no_text_of_others_becomes_a_tag(markup: Markup) -> None:
    root = parsed(markup)
    assert "script" not in {element.tag for element in root.iter()}
    values = [value for element in root.iter() for value in (element.text, *element.attrib.values())]
    assert HOSTILE in values


def test_a_page_obeys_only_its_own_style_and_script_and_loads_nothing() -> None:
    page = document("Title & more", tag("main", "text"), "p{color:red}", "1+1")
    assert "<title>Title &amp; more</title>" in page
    told = policy("p{color:red}", "1+1")
    assert "default-src &#x27;none&#x27;" in page
    assert told.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "script-src 'sha256-" in told
    assert "unsafe" not in told
    assert "script-src" not in policy("p{color:red}")
