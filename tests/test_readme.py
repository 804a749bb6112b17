"""README and docs tell the truth: the table of settings is the code's, and the commands exist."""

import re

import common.gcp.callers  # noqa: F401 - the errors it defines count too
from common.config import Settings
from common.errors import BotError
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
HTTP = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


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
