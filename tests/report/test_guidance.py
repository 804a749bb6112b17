"""The guidance of the report: the band in force beside the best and the usual one (contract.md §11)."""

from dataclasses import replace

from common.report import guidance
from common.report.mix import Mix
from tests.builders import d
from tests.report.values import values


def test_the_band_in_force_stands_beside_the_best_and_the_usual_one() -> None:
    seen = values(days=3, slots=3)
    rows = {row[0]: row[1:] for row in guidance.rows(seen)}
    assert list(rows) == ["in force", "best half-way", "one point to the target"]
    assert rows["in force"][:2] == ["5.0\u202f%", "2.5\u202f%"]
    assert rows["best half-way"][0] == "8.5\u202f%"  # at the measured 0.31 %
    assert rows["one point to the target"][4].startswith("1.94\u202f%, ")
    assert all("USDT" in row[2] for row in rows.values())


def test_a_band_under_two_names_is_one_row() -> None:
    seen = values(days=3, slots=3)
    assert seen.policy is not None
    usual = {**seen.policy, "levels": [{"trigger": d("0.01"), "destination": "target"}]}
    assert [row[0] for row in guidance.rows(replace(seen, policy=usual))] == [
        "in force, one point to the target",
        "best half-way",
    ]


def test_without_a_cost_or_a_value_there_is_none() -> None:
    assert guidance.rows(values(days=3, slots=3, policy=None)) == []
    assert guidance.rows(values(days=3, slots=3, plan=None)) == []
    assert guidance.rows(values(days=3, slots=3, mix=None)) == []
    empty = Mix(d(2), d(0), d(0), d("0.5"), (None, None), ())
    assert guidance.rows(values(days=3, slots=3, mix=empty)) == []
