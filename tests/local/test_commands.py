"""`python -m local`: its table of commands."""

import argparse
import io
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module

import pytest

from common.config import nearly_settings
from local.__main__ import COMMANDS, main
from tests.conftest import ROOT


def test_every_command_of_the_table_is_a_module_with_its_options_and_its_deed() -> None:
    for name in COMMANDS:
        command = import_module(f"local.{name}")
        assert command.__doc__, name
        command.configure(argparse.ArgumentParser())
        assert callable(command.main), name


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--help"]):
        assert main(arguments) == 0
        shown = capsys.readouterr().out
        assert all(f"  {name} " in shown and text in shown for name, text in COMMANDS.items())


def test_an_unknown_command_is_told_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rnu"]) == 2
    error = capsys.readouterr().err
    assert "no command 'rnu'" in error
    assert "  run " in error


def test_a_reader_that_has_seen_enough_ends_a_command_without_a_word() -> None:
    for command in (["costs"], ["--help"]):
        reader, writer = os.pipe()
        os.close(reader)
        called = [sys.executable, "-m", "local", *command]
        ended = subprocess.run(called, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False)
        os.close(writer)
        assert (ended.returncode, ended.stderr) == (141, b""), command


def test_a_terminal_without_our_characters_is_shown_others(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["costs"]) == 0
    out.write("\u22123\u202f000 \u2264 \xb1 5\u2026\n")
    out.flush()
    assert out.buffer.getvalue().decode("latin-1").splitlines()[-1] == "-3 000 ? \xb1 5..."


def test_an_option_is_refused_by_the_name_that_was_typed(capsys: pytest.CaptureFixture[str]) -> None:
    cases = {
        ("run", "--hours", "abc"): "HOURS (--hours): 'abc' is no whole number",
        ("serve", "--seed", "x"): "SEED (--seed): 'x' is no whole number",
        ("run", "--spread", "3"): "SPREAD (--spread): '3' is no fraction below 1: half a per cent is 0.005",
        ("run", "--depth", "0"): "DEPTH (--depth): '0' is no order book",
        ("backtest", "x", "--jobs", "0"): "--jobs: '0' is no number of processes",
    }
    wrong = {}
    for arguments, sentence in cases.items():
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        error = capsys.readouterr().err
        if (ended.value.code, error.startswith(sentence), error.count("\n")) != (2, True, 2):
            wrong[arguments] = error
    assert wrong == {}


def test_a_switch_is_on_off_or_refused() -> None:
    for name in ("LIVE", "LIVE_FOR_REAL", "VERBOSE"):
        option = f"--{name.lower().replace('_', '-')}"
        for value, on in (("1", True), ("yes", True), ("0", False), ("no", False), ("off", False), ("", False)):
            told = made("run", f"{name}={value}")
            assert ((option in told.stdout.split()), told.returncode) == (on, 0), f"{name}={value}"
        for value in ("maybe", "1 0", "2"):
            told = made("run", f"{name}={value}")
            assert (told.returncode, f"{name}={value}: 1, yes, true or on" in told.stderr) == (2, True), told.stderr


def made(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """What `make` would do."""
    command = ["make", "-n", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_make_hands_every_variable_on_to_its_command() -> None:
    shared = ["CANDLES=a b.csv", "SEED=3", "PRICE=0.5", "BASE=0", "QUOTE=10", "SPREAD=0.01", "DEPTH=5", "LIVE=1"]
    shared += ["EXCHANGE=https://api.mexc.com", "LIVE_FOR_REAL=1"]
    for name, own in (("run", ["HOURS=2", "VERBOSE=1"]), ("serve", ["PORT=1", "STATE=folder"])):
        told = made(name, *shared, *own).stdout
        command = shlex.split(told.replace("\\\n", " ").partition(f"-m local {name} ")[2])
        parser = argparse.ArgumentParser()
        import_module(f"local.{name}").configure(parser)
        defaults, given = vars(parser.parse_args([])), vars(parser.parse_args(command))
        same = [option for option in defaults if defaults[option] == given[option]]
        assert same == [], f"make {name} does not hand on {same}"
        assert str(given["candles"]) == "a b.csv"


def test_no_variable_of_make_reaches_the_bot_as_a_setting_misspelt() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    own = re.findall(r"\$\((?:if|or) \$\((\w+)\)", makefile) + re.findall(r"\$\(call switch,(\w+)", makefile)
    hidden = re.findall(r"^unexport (\w+)", makefile, re.MULTILINE)
    assert set(nearly_settings(dict.fromkeys(own, ""))) == set(hidden)
