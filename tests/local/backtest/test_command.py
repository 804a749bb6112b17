"""`python -m local backtest`: what it prints, what it refuses, what the page holds."""

import argparse
import csv
import io
import json
import os
import re
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from common.domain.decision.band import best_band
from local.__main__ import main
from local.backtest import command, words
from local.backtest.study import study
from tests.local.backtest.test_replay import walk

FIELDS = [
    "bars", "gaps", "slots", "from", "to", "policy", "trades", "final_value", "held_value", "fees", "slippage",
    "turnover", "max_drawdown", "holdout", "events",
]  # fmt: skip


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's settings but those that a test names."""
    for name in os.environ:
        if name.isupper() and name not in ("PATH", "HOME", "TMPDIR"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine hundred hours with one gap."""
    series, path = walk(9, 900, 60), tmp_path_factory.mktemp("files") / "walk.csv"
    rows = [[series.times[n], *(str(column[n]) for column in series.columns)] for n in range(len(series))]
    with path.open("w", newline="") as out:
        csv.writer(out).writerows([["open_time_ms", "open", "high", "low", "close", "volume"], *rows])
    return path


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["backtest", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_json_is_one_object_of_the_contracts_fields(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, file, "--json", "--fee", "0.001", "--half-spread", "0.002", "--policy", "0.05")
    told = json.loads(out, parse_float=Decimal)
    assert (code, list(told)) == (0, FIELDS)
    assert (told["bars"], told["gaps"], told["slots"], told["trades"]) == (900, 1, 900, len(told["events"]))
    assert list(told["events"][0]) == ["time", "side", "quantity", "decision_price", "fill_price", "fee"]
    assert told["policy"]["levels"] == [{"trigger": Decimal("0.05"), "destination": "target", "style": "ioc"}]
    signs = {"BUY": 1, "SELL": -1}
    moved = sum(signs[e["side"]] * e["quantity"] for e in told["events"])
    paid = sum(signs[e["side"]] * e["quantity"] * e["fill_price"] + e["fee"] for e in told["events"])
    assert told["fees"] == sum(e["fee"] for e in told["events"])
    last = Decimal(file.read_text().split("\n")[-2].split(",")[4])
    assert told["final_value"] - told["held_value"] == moved * last - paid
    assert told["holdout"]["share"] == Decimal("0.3")


def test_a_derived_band_is_told_as_it_was_traded(
    file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """At c = 0.3 % the band of 1000 is 8.43 to 4.22 points, not the one that COST_FALLBACK implies."""
    page, band = tmp_path / "page.html", best_band(Decimal("0.003"), Decimal("0.5"), Decimal("0.005"))
    policy = json.loads(answer(capsys, file, "--json", "--policy", "auto:half")[1], parse_float=Decimal)["policy"]
    levels = [{"trigger": band.trigger, "destination": band.destination, "style": "ioc"}]
    assert policy["levels"] == levels
    assert policy["in_force"] == [{"since": "2025-01-01T01:00:00+00:00", "levels": levels}]
    out = answer(capsys, file, "--policy", "auto:half", "--report", page)[1]
    assert out.splitlines()[1].startswith("auto, half-way (8.43 % to 4.22 %): 1\u202f000.00 became ")
    assert page.read_text().count('class="line level"') == 2
    small = ("--policy", "auto:half", "--base", "40")
    moved = json.loads(answer(capsys, file, "--json", *small)[1])["policy"]
    count = len(moved["in_force"])
    assert count > 1
    assert moved["levels"] == moved["in_force"][-1]["levels"]
    assert f"(the last of {count} bands: " in answer(capsys, file, *small, "--report", page)[1]
    assert page.read_text().count('class="line level"') == 2 * count
    assert "The band, and since when" in page.read_text()


def test_every_bar_prints_the_same_object(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, again = (
        answer(capsys, file, "--json", "--policy", "0.02:half", *more)[1] for more in ([], ["--every-bar"])
    )
    assert first == again


def test_a_single_candle_decides_nothing_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = tmp_path / "one.csv"
    one.write_text("time,open,high,low,close,volume\n1750000500000,1,1,1,1,5000\n")
    code, out, _ = answer(capsys, one, "--json")
    told = json.loads(out)
    assert (code, told["bars"], told["trades"], told["final_value"]) == (0, 1, 0, 1000)


def test_five_lines_say_it_first(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, file, "--policy", "0.05:half", "--policy", "hold")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("walk.csv: 900 bars of 1 h, 1 Jan 2025, 00:00 UTC to")
    assert "1 gap (1 bar missing)" in lines[0]
    assert lines[1].startswith("5 % half-way: 1\u202f000.00 became ")
    assert lines[2].startswith(("Holding won: ", "Ahead of holding by "))
    assert lines[3].startswith("Against 1 % to the target, drift-neutral: ")
    assert lines[4].startswith("The last 30\u202f%, from ")
    named = [line.split("  ")[0].strip() for line in lines[5:]]
    assert [name for name in named if name and "─" not in name] == [
        "policy", "5 % half-way", "hold", "1 % to the target", "monthly", "all base", "all quote",
    ]  # fmt: skip


def test_at_eighty_columns_every_row_names_its_policy_and_no_figure_is_cut(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    command.configure(parser)
    options = ["--policy", "LEVELS=0.01:half,0.03:target,0.05:target", "--quote", "80000", "--base", "90000"]
    setup = command._setup(parser.parse_args([str(file), *options]))
    found = study(setup, None, lambda: None)
    out = io.StringIO()
    command.show(found, file.name, Console(width=80, file=out, force_terminal=True, color_system=None))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    rows = [words.row(each, found) for each in (found.figures, *found.others)] + words.benchmark_rows(found)
    lines = [line.split("  ") for line in text.splitlines()]
    missing = [
        cell for row in rows for cell in row[1:] if cell and not any(cell in map(str.strip, line) for line in lines)
    ]
    assert missing == []
    assert [row[0] for row in rows if not any(line[0].strip()[:11] == row[0][:11] for line in lines)] == []
    assert all(
        figure in text for line in words.lines(found, file.name) for figure in re.findall(r"\d[\d\u202f.]+", line)
    )


def test_orders_come_as_csv(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(answer(capsys, file, "--csv", "--policy", "0.05")[1])))
    told = json.loads(answer(capsys, file, "--json", "--policy", "0.05")[1], parse_float=str)
    assert [row["fill_price"] for row in rows] == [event["fill_price"] for event in told["events"]]


def test_the_settings_of_the_environment_are_the_policy(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEVELS", "0.02:half,0.05:target")
    monkeypatch.setenv("MEXC_API_KEY", "a key without its secret has no say here")
    assert "2 % half-way; 5 % to the target" in answer(capsys, file)[1]
    assert "auto, to the edge" in answer(capsys, file, "--policy", "auto:edge")[1]
    named = "THRESHOLD_PCT=0.03 LEVELS= MIN_SELL_MARGIN=0.02"
    assert "3 % to the target, cost guard 2 %" in answer(capsys, file, "--policy", named)[1]
    monkeypatch.setenv("EXECUTION_MODE", "plan")
    sliced = json.loads(
        answer(capsys, file, "--json", "--policy", "SLICE_NOTIONAL_USDT=10")[1], parse_float=Decimal
    )
    assert sliced["policy"]["name"] == "2 % half-way; 5 % to the target, in slices of 10"
    assert max(e["quantity"] * e["decision_price"] for e in sliced["events"]) <= 10


def test_a_search_tells_its_tries_and_stays_the_same_on_several_processes(
    file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    grid = ("--grid", "0.02,0.05,0.08", "target,half,0.03", "0.002,0.004", "--policy", "0.05:half")
    code, out, err = answer(capsys, file, *grid, "--report", page)
    assert code == 0
    assert str(page) in err
    lines = out.splitlines()
    assert lines[5].startswith("Of 8 tries on all but the holdout the best is ")
    assert lines[6].startswith(("The formula stands: ", "The grid refutes the formula: "))
    assert "(PBO)" in lines[6]
    assert answer(capsys, file, *grid, "--jobs", "2")[1] == out
    assert answer(capsys, file, "--policy", "hold", "--report", page)[0] == 0
    assert "Holding would have given the same" in page.read_text()
    answer(capsys, file, *grid, "--report", page)
    text = page.read_text()
    for title in ("Value against holding", "The mix, and when it traded", "Drawdown", "Every try", "Orders"):
        assert title in text
    assert "default-src" in text
    assert "http://" not in text
    assert "https://" not in text
    assert len(re.findall('class="cell[ "]', text)) == 8
    assert "2 % to 3 %" not in text


def test_the_map_marks_what_is_next_to_the_formulas_choice_among_the_destinations_shown(
    file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The formula says 8.43 points back to 4.22."""
    page, short, marked = tmp_path / "page.html", tmp_path / "short.csv", {}
    short.write_text("".join(file.read_text().splitlines(keepends=True)[:60]))
    for to in ("edge", "target", "0.06,0.03,target", "target,edge,half"):
        assert answer(capsys, short, "--grid", "0.02,0.05,0.1", to, "0.003", "--report", page)[0] == 0
        cells = re.findall('<rect[^>]*class="cell([^"]*)"><title>([^:]*)', page.read_text())
        marked[to] = [name for kinds, name in cells if "chosen" in kinds]
    assert marked == {
        "edge": ["10 % to the edge"],
        "target": ["10 % to the target"],
        "0.06,0.03,target": ["10 % to 3 %"],
        "target,edge,half": ["10 % half-way"],
    }


def test_what_makes_no_sense_is_refused_in_words(
    file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_text("open_time_ms,open,high,low,close,volume\n0,1,1,1,1,1\n0,1,1,1,1,1\n")
    named, wild = tmp_path / "[red].csv", tmp_path / "wild.csv"
    named.write_text("open_time_ms,open,high,low,close,volume\n")
    falls = "".join(f"{n}00000,1,1e30,1e-30,{'1e-30' if n % 2 else '1e30'},1e30\n" for n in range(1, 9))
    wild.write_text(f"open_time_ms,open,high,low,close,volume\n{falls}")
    cases = {
        (broken,): "broken.csv: line 3: the time 0 is a duplicate",
        (tmp_path / "none.csv",): "none.csv cannot be read or written: No such file or directory",
        (file, "--policy", "0.05:sideways"): "LEVELS",
        (file, "--policy", "THRESHOLD_PCT=2 REBALANCE_TO=0.5"): "THRESHOLD_PCT",
        (file, "--policy", "TRESHOLD_PCT=0.05"): "TRESHOLD_PCT is no setting",
        (file, "--grid", "--holdout", "0"): "needs a holdout",
        (file, "--spread", "0.01", "--half-spread", "0.01"): "only one of them",
        (file, "--impact", "0.01", "--depth", "500"): "only one of them",
        (file, "--depth", "0"): "must be above zero",
        (): "CANDLES is missing: make backtest CANDLES=file",
        (file, "--base", "0", "--quote", "0"): "something to begin with",
        (file, "--grid", "0.02", "sideways"): "sideways must be",
        (file, "--grid", "2"): "2 is no fraction below 1",
        (file, "--grid", "0.1", "half", "0.1", "0.1"): "three lists at most",
        (file, "--grid", "half"): "--grid: half is no decimal number",
        (file, "--grid", "0,0.1"): "--grid: a trigger is above 0",
        (file, "--grid", "0.5", "0.9"): "--grid: no destination is below a trigger",
        (file, "--report", tmp_path): f"{tmp_path} cannot be read or written: Is a directory",
        (named,): "[red].csv: no candles after line 1",
        (wild, "--base", "1e18"): "wild.csv, with this start and these costs: a quotient is out of any",
    }
    wrong = {}
    for arguments, text in cases.items():
        code, out, err = answer(capsys, *arguments)
        if code != 2 or "".join(text.split()) not in "".join(err.split()) or out:  # it folds at 80 columns
            wrong[arguments] = (code, out, err)
    assert wrong == {}


@pytest.mark.parametrize("share", ["2", "0", "-0.1", "1.0001", "nan", "half"])
def test_an_order_takes_a_share_of_a_bars_volume_and_never_more_than_all_of_it(
    share: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        answer(capsys, file, "--json", f"--volume-share={share}")
    assert ended.value.code == 2
    assert f"--volume-share: {share} is " in capsys.readouterr().err
    assert answer(capsys, file, "--json", "--volume-share", "1")[0] == 0


def test_spread_and_depth_are_other_words_for_half_spread_and_impact(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """5 000 of quote within 1 % of the price: an order of that size is filled half a per cent away on average."""
    words = answer(capsys, file, "--json", "--spread", "0.004", "--depth", "5000")[1]
    assert words == answer(capsys, file, "--json", "--half-spread", "0.002", "--impact", "0.000001")[1]
