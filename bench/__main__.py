"""`python -m bench [section …]`: measure, and print every figure beside its target.

A missed target is no error; a section that could not be measured to its end is one, and the others go on.
"""

import argparse
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bench import backtests, cold, growth, machine, many, others, report, warm
from bench.figures import Section
from bench.stand import ROOT, NotMeasurable

SECTIONS: Mapping[str, tuple[str, Callable[[], Section]]] = {
    "warm": ("1. Warm run against the unavoidable", warm.measure),
    "cold": ("2. Cold start and memory", cold.measure),
    "others": ("3. Against others, same work", others.measure),
    "growth": ("4. Growth", growth.measure),
    "many": ("5. Many bots", many.measure),
    "backtests": ("6. Back-test", backtests.measure),
}
PAGE = ROOT / "docs" / "performance.md"
FIGURES = re.compile(r"(<!-- figures: .*? -->\n).*(<!-- /figures -->)", re.DOTALL)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    described = machine.describe()
    console.print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {described}")
    start = time.monotonic()
    measured = []
    for name in options.sections or SECTIONS:
        measured.append(_measured(name, console))
        report.show(console, measured[-1])
    seconds = time.monotonic() - start
    report.summary(console, measured, seconds)
    if options.write:
        _write(PAGE, f"Measured {datetime.now(UTC):%Y-%m-%d} in {seconds:.0f} s: {described}.", measured)
        console.print(f"written to {PAGE.relative_to(ROOT)}")
    return 1 if any(section.failed for section in measured) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="section", choices=[[], *SECTIONS], help=", ".join(SECTIONS))
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    return parser


def _measured(name: str, console: Console) -> Section:
    title, measure = SECTIONS[name]
    start = time.monotonic()
    try:
        section = measure()
    except NotMeasurable as error:
        return Section(name, title, skipped=[str(error)])
    except Exception as error:  # noqa: BLE001 - told with its traceback; what else there is to measure goes on
        console.print_exception()
        return Section(name, title, failed=f"{type(error).__name__}: {error}")
    console.print(f"[dim]{name}: {time.monotonic() - start:.0f} s[/]")
    return section


def _write(page: Path, heading: str, sections: Sequence[Section]) -> None:
    """Put the tables between the page's marks; sections that were not measured now keep theirs."""

    def put(marks: "re.Match[str]") -> str:
        if len(sections) == len(SECTIONS):
            return f"{marks[1]}{heading}\n\n{report.markdown(sections)}\n{marks[2]}"
        tables = marks[0].removeprefix(marks[1]).removesuffix(marks[2])
        for section in sections:
            section.about = f"{heading} {section.about}"
            new = report.markdown([section])
            head, _, rest = tables.partition(f"### {section.title}\n")
            following = rest.find("\n### ")
            tail = rest[following:] if following >= 0 else ""
            tables = f"{head.rstrip()}\n\n{new}\n{tail}"
        return f"{marks[1]}{tables}{marks[2]}"

    page.write_text(FIGURES.sub(put, page.read_text()))


if __name__ == "__main__":
    sys.exit(main())
