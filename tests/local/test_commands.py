"""`python -m local`: its table of commands."""

import argparse
from importlib import import_module

import pytest

from local.__main__ import COMMANDS, main


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
