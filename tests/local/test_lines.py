"""Sentences and tables on a terminal: no figure is broken or cut."""

import io

from rich.console import Console
from rich.table import Table

from local.lines import print_whole, wrapped


def test_a_sentence_breaks_between_words_and_never_inside_a_number() -> None:
    figure = "12\u202f967.62"
    for width in range(20, 40):
        lines = wrapped(f"half of it is {figure} against {figure} held, and no more", width).splitlines()
        assert max(map(len, lines)) <= width
        assert sum(line.count(figure) for line in lines) == 2, lines


def test_a_table_is_wider_than_the_terminal_before_a_figure_is_cut() -> None:
    for width in (10, 20, 80):
        table, out = Table(box=None), io.StringIO()
        table.add_column("name", min_width=4)
        table.add_column("value", no_wrap=True)
        table.add_row("a long name that folds", "1\u202f000\u202f000\u202f000.12")
        print_whole(Console(width=width, file=out), table)
        assert "1\u202f000\u202f000\u202f000.12" in out.getvalue()
        assert ("a long name that folds" in out.getvalue()) == (width == 80)
