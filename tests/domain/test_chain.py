"""The journal's chain: whole, altered, cut, in any order, with the branches that a crash leaves."""

from decimal import Decimal
from typing import Any

import pytest

from common.domain.chain import Link, Seen, check

Line = tuple[str, dict[str, Any]]


def lines(count: int, last: Link | None = None) -> list[tuple[Link, Line]]:
    made = []
    for number in range(count):
        line = ("journal.fill", {"quantity": f"{number}.50", "count": number, "maker": False, "fee": None})
        last = Link.after(last, *line)
        made.append((last, line))
    return made


def seen(made: list[tuple[Link, Line]]) -> list[Seen]:
    return [Seen(name, link, link.fits(name, fields)) for link, (name, fields) in made]


def test_a_whole_chain_has_no_break_in_whatever_order_it_is_read() -> None:
    made = lines(9)
    for order in (made, made[::-1], made[4:] + made[:4]):
        assert check(seen(order)).broken is None
    assert [link.number for link, _ in made] == list(range(1, 10))


@pytest.mark.parametrize("field", ["quantity", "count", "maker", "fee"])
def test_an_altered_line_is_named(field: str) -> None:
    made = lines(9)
    made[3][1][1][field] = "7"
    made[6][1][1][field] = "8"
    assert check(seen(made)).broken == "line 4 (journal.fill) was altered"


def test_a_line_that_is_gone_is_named_by_the_one_that_followed_it() -> None:
    made = lines(9)
    assert check(seen(made[:5] + made[6:])).broken == "the line before line 7 (journal.fill) is missing"
    assert check(seen(made[1:])).broken == "the line before line 2 (journal.fill) is missing"


def test_the_newest_lines_may_follow_those_just_before_them_and_the_ones_that_those_follow() -> None:
    made = lines(9)
    assert check(seen(made[5:]), seen(made[4:5])).broken is None
    missing = "the line before line 8 (journal.fill) is missing"
    assert check(seen(made[5:6] + made[7:]), seen(made[4:5])).broken == missing
    assert check(seen(made[7:]), seen(made[5:6])).broken == missing, "lost where the part that is checked begins"


def test_at_the_edge_neither_a_second_beginning_nor_a_branch_is_a_break() -> None:
    old, new = lines(300), lines(9)
    assert check(seen(old[251:] + new), seen(old[250:251])).broken is None
    lost = "the line before line 5 (journal.fill) is missing"
    assert check(seen(old[251:] + new[:3] + new[4:]), seen(old[250:251])).broken == lost
    assert check(seen(old[251:280] + old[281:] + new), seen(old[250:251])).broken is not None
    command = ("journal.command", {"command": "pause"})
    other = Link.after(old[9][0], *command)
    assert check(seen([(other, command)]), seen(old[10:12])).broken is None, "the run of 11 and 12 wrote no more"


def test_a_forged_line_with_a_hash_of_its_own_breaks_the_line_after_it() -> None:
    made = lines(5)
    forged = ("journal.fill", {"quantity": "999"})
    made[2] = (Link.after(made[1][0], *forged), forged)
    assert check(seen(made)).broken == "the line before line 4 (journal.fill) is missing"


def test_a_branch_after_a_crash_and_a_second_beginning_are_no_breaks() -> None:
    made = lines(6)
    branch = ("journal.plan", {"plan": {"price": "2"}})
    crashed = [(Link.after(made[2][0], *branch), branch)]
    assert check(seen(made + crashed + lines(2))).broken is None


def test_what_a_log_makes_of_numbers_and_of_the_order_of_keys_alters_nothing() -> None:
    link = Link.after(None, "journal.plan", {"a": 3, "b": {"x": "1.50", "y": [1, Decimal("2.0")]}})
    assert link.fits("journal.plan", {"b": {"y": [Decimal("1.0"), 2], "x": "1.50"}, "a": Decimal("3.0")})
    assert link.fits("journal.plan", {"a": 3, "b": {"x": "1.50", "y": [1, 2]}, "severity": "INFO", "time": "now"})
    assert not link.fits("journal.plan", {"a": 3, "b": {"x": "1.5", "y": [1, 2]}})


def test_lines_without_a_link_are_counted_and_lines_that_were_not_decoded_keep_the_chain_whole() -> None:
    made = seen(lines(3))
    undecoded = [Seen(line.name, line.link, None) for line in made]
    assert check(undecoded).broken is None
    checked = check([*made, Seen("journal.fill", None, None)])
    assert (checked.lines, checked.unlinked, checked.broken) == (4, 1, None)
