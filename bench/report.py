"""Sections as tables: on the terminal, and as Markdown for docs/performance.md."""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.figures import Figure, Listing, Section

HEADERS = ("measured", "figure", "target", "verdict", "how it came about")
COLOURS = {"holds": "green", "MISSED": "bold red", "": "default"}


def show(console: Console, section: Section) -> None:
    console.print(f"\n[bold]{escape(section.title)}[/bold]")
    if section.about:
        console.print(escape(section.about))
    if section.figures:
        table = Table(*HEADERS, box=SIMPLE_HEAD)
        table.columns[1].justify = "right"
        for row in _rows(section.figures):
            colour = COLOURS[row[3]]
            table.add_row(
                *(f"[{colour}]{escape(cell)}[/]" if n == 3 and cell else escape(cell) for n, cell in enumerate(row))
            )
        console.print(table)
    for listing in section.listings:
        console.print(escape(listing.title))
        table = Table(*listing.headers, box=SIMPLE_HEAD)
        for cells in listing.rows:
            table.add_row(*map(escape, cells))
        console.print(table)
    for what in section.skipped:
        console.print(f"[yellow]not measured: {escape(what)}[/]")
    if section.failed:
        console.print(f"[bold red]FAILED[/] {escape(section.failed)}")


def summary(console: Console, sections: Sequence[Section], seconds: float) -> None:
    """Every miss by name; a miss is no error of the bench."""
    held = sum(1 for section in sections for figure in section.figures if figure.verdict == "holds")
    missed = [(section, figure) for section in sections for figure in section.missed]
    console.print(f"\n[bold]{held} targets hold, {len(missed)} are missed[/bold] ({seconds:.0f} s)")
    for section, figure in missed:
        console.print(
            f"  [bold red]MISSED[/] {section.name}: {escape(figure.what)}: {figure.shown}, target {figure.target}"
        )
    for section in sections:
        if section.failed:
            console.print(f"  [bold red]FAILED[/] {section.name}: {escape(section.failed)}")
    if missed:
        console.print("  why: docs/performance.md")


def _rows(figures: Sequence[Figure]) -> Iterator[tuple[str, ...]]:
    for figure in figures:
        yield figure.what, figure.shown, figure.target, figure.verdict, figure.note


def markdown(sections: Sequence[Section]) -> str:
    return "\n\n".join(_section(section) for section in sections)


def _section(section: Section) -> str:
    parts = [f"### {section.title}", section.about]
    if section.figures:
        parts.append(_table(HEADERS, list(_rows(section.figures))))
    parts += [_listing(listing) for listing in section.listings]
    parts += [f"Not measured: {what}." for what in section.skipped]
    parts += [f"Failed: {section.failed}."] if section.failed else []
    return "\n\n".join(part for part in parts if part)


def _listing(listing: Listing) -> str:
    return f"{listing.title}\n\n{_table(listing.headers, listing.rows)}"


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
