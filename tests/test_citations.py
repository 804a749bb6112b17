"""Every citation leads to a page and a section that are in the repository."""

import re
import subprocess
from functools import cache
from pathlib import Path

from tests.conftest import ROOT

CITED = re.compile(r"(?<![\w/-])(?:docs/)?(contract|exchange|platform|rebalancing)\.md((?:,? §\d+(?:\.\d+)*)*)")
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
SOURCE = {".py", ".md", ".tf", ".hcl", ".sh", ".toml", ".yml", ".example"}


def texts() -> dict[Path, str]:
    """Every file of the project that a person reads, as git knows it; without git, all there are."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    paths = [ROOT / name for name in names.split("\0") if name] or [
        p for p in ROOT.rglob("*") if ".venv" not in p.parts
    ]
    return {path: path.read_text() for path in paths if path.suffix in SOURCE and path.is_file()}


@cache
def sections(page: Path) -> frozenset[str]:
    """The numbers of a page's headings: `## 4. The plan` is 4, `### 4.5 Cancel` is 4.5."""
    return frozenset(re.findall(r"^#+ (\d+(?:\.\d+)*)\.? ", page.read_text(), re.MULTILINE))


@cache
def anchors(page: Path) -> frozenset[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)
    return frozenset(plain)


def test_every_cited_section_is_there() -> None:
    cited = [
        (path, page, number)
        for path, text in texts().items()
        for page, numbers in CITED.findall(text)
        for number in re.findall(r"\d+(?:\.\d+)*", numbers)
    ]
    assert len(cited) > 80
    wrong = [
        f"{path.relative_to(ROOT)}: {page}.md §{number}"
        for path, page, number in cited
        if number not in sections(ROOT / "docs" / f"{page}.md")
    ]
    assert wrong == []


def test_every_link_between_pages_leads_somewhere() -> None:
    wrong = []
    for path, text in texts().items():
        if path.suffix != ".md":
            continue
        for target, anchor in LINK.findall(text):
            page = (path.parent / target) if target else path
            if not page.exists() or (anchor and anchor not in anchors(page)):
                wrong.append(f"{path.relative_to(ROOT)}: {target}#{anchor}")
    assert wrong == []


def test_every_module_that_a_page_names_is_there() -> None:
    files = [f"/{path.relative_to(ROOT)}" for path in texts()]
    named = [
        (path, name)
        for path, text in texts().items()
        if path.suffix == ".md"
        for name in re.findall(r"`([\w/]+\.py)`", text)
    ]
    assert len(named) > 20
    assert [(path.name, name) for path, name in named if not any(file.endswith(f"/{name}") for file in files)] == []


def test_no_citation_leads_out_of_the_repository() -> None:
    outside = re.compile(r"SPEC §|SPEC\.md|DESIGN\.md|mexc-api\.md|gcp\.md")
    wrong = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path, text in texts().items()
        if path != Path(__file__)
        for line in text.splitlines()
        if outside.search(line)
    ]
    assert wrong == []
