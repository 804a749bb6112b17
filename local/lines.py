"""Sentences and tables on a terminal, where no figure is broken or cut."""

import textwrap

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

LEAST_TEXT = 12
"""How narrow a column of words may become."""


def wrapped(text: str, width: int) -> str:
    """Break between words. Rich would break inside a number, whose thousands stand apart by a no-break space."""
    return textwrap.fill(text, max(width, 20), break_long_words=False, break_on_hyphens=False)


def widths(console: Console, table: Table) -> Measurement:
    """The least and the greatest width of the table, wherever it is shown."""
    return Measurement.get(console, console.options.update(width=10_000), table)


def print_whole(console: Console, table: Table) -> None:
    """Print the table as wide as the terminal, or wider before a column that may not wrap is cut."""
    greatest = widths(console, table).maximum
    for column in table.columns:
        if column.no_wrap:
            column.min_width = max(cell_len(str(cell)) for cell in (column.header, *column.cells))
        else:
            column.max_width, column.overflow = LEAST_TEXT, "fold"
    least = widths(console, table).maximum
    for column in table.columns:
        column.max_width = None
    table.width = max(min(console.width, greatest), least)
    console.print(table, crop=False, width=max(table.width, console.width))
