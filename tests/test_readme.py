"""README and docs tell the truth: settings, commands and options are those of the code."""

import re
import runpy
import sys
from collections.abc import Iterator

import pytest

from common.config import Settings
from common.errors import BotError
from local.__main__ import COMMANDS
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
HTTP = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def settings_table() -> str:
    """The table as docs/settings.md must have it."""
    lines = ["| name | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        lines.append(f"| `{name.upper()}` | {_default(field.default)} | {field.description} |")
    return "\n".join(lines)


def _default(value: object) -> str:
    if value is None or value == ():
        return ""
    if value == "":
        return "(empty)"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def test_the_table_of_settings_is_the_one_the_code_reads() -> None:
    between = SETTINGS.split("tests/test_readme.py -->\n")[1].split("\n<!-- /settings -->")[0]
    assert between == settings_table()


def test_every_setting_has_a_meaning() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_every_make_target_the_readme_names_exists() -> None:
    named = set(re.findall(r"`?make ([a-z-]+)", README))
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert named <= targets


def commands_told() -> Iterator[tuple[str, str, set[str]]]:
    """Page, command and options of every `python -m …` that a page names, and of what `make backtest` hands on."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for module, rest in re.findall(r"python -m ((?:local|tests|bench)[\w.]*)([^`\n#]*)", text):
            name = re.match(r" ([a-z]+)\b", rest) if module == "local" else None
            yield page.name, f"{module} {name[1]}" if name else module, set(re.findall(r"--[a-z-]+", rest))
        for options in re.findall(r'OPTIONS="([^"]*)"', text):
            yield page.name, "local backtest", set(re.findall(r"--[a-z-]+", options))


@pytest.mark.filterwarnings("ignore:.* found in sys.modules after import of package:RuntimeWarning")
def test_every_command_that_readme_and_docs_name_answers_help_with_the_options_they_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = list(commands_told())
    wanted = {command for _, command, _ in told} | {f"local {name}" for name in COMMANDS} | {"local.export"}
    helps = {}
    for command in sorted(wanted):
        module, *rest = command.split()
        monkeypatch.setattr(sys, "argv", [module, *rest, "--help"])
        with pytest.raises(SystemExit) as end:
            runpy.run_module(module, run_name="__main__")
        assert not end.value.code, command
        helps[command] = capsys.readouterr().out
    assert {"local backtest", "local candles", "tests.faults", "tests.simulation"} <= {name for _, name, _ in told}
    wrong = [
        f"{page}: {command} {option}"
        for page, command, options in told
        for option in options
        if option not in helps[command]
    ]
    assert wrong == []


def test_every_file_the_readme_links_to_exists() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / link.split("#")[0]).exists()] == []


def test_every_runtime_dependency_earns_a_line() -> None:
    runtime = re.search(r"^RUNTIME = (.+)$", MAKEFILE, re.MULTILINE)
    assert runtime is not None
    assert [name for name in runtime[1].split() if f"| {name} |" not in README] == []


def test_every_error_code_stands_in_the_row_of_its_status() -> None:
    rows = re.findall(r"^\| (\d{3})(?:, (\d{3}))? \|.*\| (.*) \|$", HTTP, re.MULTILINE)
    told = {
        (int(status), code)
        for *of, codes in rows
        for status in of
        if status
        for code in re.findall(r"`(\w+)`", codes)
    }
    bases = {"error", "caller", "store", "exchange"}
    raised = {(each.http_status, each.code) for each in errors(BotError) if each.code not in bases}
    assert (503, "certificates_unavailable") in raised
    assert {each for each in raised if each[0] != 200} <= told


def errors(kind: type[BotError]) -> set[type[BotError]]:
    return {kind}.union(*(errors(each) for each in kind.__subclasses__()))
