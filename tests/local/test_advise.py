"""`python -m local advise`: the contract's guidance (contract.md §11), in a table that fits a terminal."""

import pytest

from local.__main__ import main


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, list[str]]:
    """The lines of the table by name."""
    assert main(["advise", *arguments]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    cells = [[cell.strip() for cell in line.strip("┃│").replace("┃", "│").split("│")] for line in text.splitlines()]
    return {row[0]: row[1:] for row in cells if len(row) > 1}


def test_the_figures_are_the_contracts(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, "--value", "50", "100", "250", "2000", "10000")
    assert lines["portfolio"] == ["50", "100", "250", "2000", "10000"]
    assert lines["trigger, points"] == ["11.6", "9.1", "8.5", "8.5", "8.8"]
    assert lines["back to, points"] == ["1.6", "4.1", "4.2", "4.2", "4.4"]
    assert lines["loss a year, %"] == ["0.26", "0.23", "0.22", "0.23", "0.24"]
    assert lines["cloud a month, % of the portfolio"][3] == "3.39"


def test_costs_and_volatility_may_be_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    dear = shown(
        capsys, "--value", "2000", "--fee", "0.01", "--spread", "0", "--depth", "1e9", "--volatility", "0.5"
    )
    assert (dear["one-way cost, %"], dear["trigger, points"]) == (["1.00"], ["12.6"])
    assert dear["loss a year, %"] == ["0.12"]


def test_too_little_money_for_a_band_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A least order of 5 is all of one asset at 10; a loss of 208 % a year is no figure of anything."""
    lines = shown(capsys, "--value", "1", "10", "11")
    assert lines["trigger, points"] == ["\u2013", "\u2013", "45.5"]
    assert lines["loss a year, %"][:2] == ["\u2013", "\u2013"]
    assert lines["cloud a month, % of the portfolio"][0] != "\u2013"
    assert main(["advise", "--value", "1", "--weight", "0.8"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "1: too little money for a band. With a least order of 5 it takes more than 25." in told


def test_an_order_larger_than_the_book_is_said_to_be_a_guess(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["advise", "--value", "2000", "1e12"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "1000000000000: an order is larger than the 5000 that stands in the book" in told


@pytest.mark.parametrize(
    "arguments",
    [
        ["--value", "x"],
        ["--value", "0"],
        ["--depth", "0"],
        ["--fee", "-1"],
        ["--fee", "1"],
        ["--weight", "50"],
        ["--value", "1e40"],
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["advise", *arguments]) == 2
    assert capsys.readouterr().err.startswith("--")
