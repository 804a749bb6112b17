"""The bench's own arithmetic and instruments: a figure is believed only if these hold."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
import redis
from rich.console import Console

from bench import __main__ as bench
from bench import imports, machine, report, warm
from bench.figures import Figure, Listing, Section, in_turns, percentile, ratio, with_unit
from bench.many import contents, strangers, unlike
from bench.proxy import Turns, serve
from bench.stand import NotMeasurable


def test_a_percentile_is_the_nearest_rank() -> None:
    values = list(range(100, 0, -1))
    assert [percentile(values, share) for share in (0.5, 0.99, 1.0)] == [50, 99, 100]
    assert percentile([5.0], 0.01) == 5.0
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_measurements_take_turns_and_a_ratio_compares_those_of_one_turn() -> None:
    order: list[str] = []

    def measure(name: str, value: float) -> float:
        order.append(name)
        return value

    series = in_turns(2, lambda: measure("a", 3.0), lambda: measure("b", 2.0))
    assert (order, series) == (["a", "b", "a", "b"], [[3.0, 3.0], [2.0, 2.0]])
    assert ratio([10, 100, 30], [10, 50, 30]) == 1, "a turn that met a busy machine does not count for one side"
    with pytest.raises(ValueError, match="shorter"):
        ratio([1, 2], [1])


@pytest.mark.parametrize(
    ("value", "at_most", "verdict"),
    [(1.10, 1.10, "holds"), (1.11, 1.10, "MISSED"), (9.0, None, ""), (0.0, 0, "holds")],
)
def test_a_target_holds_up_to_itself(value: float, at_most: float | None, verdict: str) -> None:
    figure = Figure("x", value, "×", at_most)
    assert (figure.verdict, figure.missed) == (verdict, verdict == "MISSED")


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (1.0, "×", "1.00 ×"),
        (3.0, "", "3"),
        (8.416, "ms", "8.42 ms"),
        (62.51, "ms", "62.5 ms"),
        (1234.5, "ms", "1,234 ms"),
    ],
)
def test_figures_show_as_many_digits_as_mean_something(value: float, unit: str, shown: str) -> None:
    assert with_unit(value, unit) == shown


def section() -> Section:
    figures = [
        Figure("a: wall time", 1.3, "×", 1.1, "13 ms [quiet]"),
        Figure("b", 2, "", 3),
        Figure("c", 5.5, "ms"),
    ]
    return Section(
        "warm", "1. Warm", "How.", figures, [Listing("Keys", ("key", "MiB"), [("a|b", "1.0")])], ["ccxt"]
    )


def test_the_terminal_shows_figure_and_target_side_by_side_and_names_every_miss() -> None:
    console = Console(width=120, record=True, quiet=True)
    console.quiet = False
    with console.capture() as shown:
        report.show(console, section())
        report.summary(console, [section()], 12)
    text = shown.get()
    assert "a: wall time" in text
    assert "1.30 ×" in text
    assert "≤ 1.10 ×" in text
    assert "13 ms [quiet]" in text
    assert "not measured: ccxt" in text
    assert "1 targets hold, 1 are missed" in text
    assert "MISSED warm: a: wall time: 1.30 ×, target ≤ 1.10 ×" in text


def test_the_page_gets_the_same_tables() -> None:
    text = report.markdown([section()])
    assert "### 1. Warm" in text
    assert "| a: wall time | 1.30 × | ≤ 1.10 × | MISSED | 13 ms [quiet] |" in text
    assert "| a\\|b | 1.0 |" in text
    assert "Not measured: ccxt." in text


TRACE = """
import time: self [us] | cumulative | imported package
import time:       100 |        100 |     redis.client
import time:        50 |        150 |   redis
import time:      3000 |       3000 |     common.domain.orders.order
import time:      1000 |       4000 |   common.jobs
import time:       500 |       4650 | main
import time:       900 |        900 | other
"""


def test_an_import_trace_is_read_with_parents_before_children() -> None:
    tree = imports.parse(TRACE)
    found = [(each.name, each.depth, each.total) for each in tree]
    assert found == [
        ("main", 0, 4.65),
        ("redis", 1, 0.15),
        ("redis.client", 2, 0.1),
        ("common.jobs", 1, 4.0),
        ("common.domain.orders.order", 2, 3.0),
        ("other", 0, 0.9),
    ]
    assert tree[3].own == 1.0
    assert [each.name for each in imports.shown(tree)] == ["main", "common.jobs", "common.domain.orders.order"]


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it gets; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                while piece := connection.recv(1 << 16):
                    connection.sendall(piece)

    Thread(target=run, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_the_proxy_delays_each_way_once_whatever_the_size_and_counts_round_trips(echo: int) -> None:
    turns, delay = Turns(), 0.02
    listener = serve("127.0.0.1", echo, delay, turns)
    with socket.create_connection(listener.getsockname()) as connection:
        for sent in (b"x", b"y" * 400_000):
            start = time.monotonic()
            Thread(target=connection.sendall, args=(sent,), daemon=True).start()
            received = b""
            while len(received) < len(sent):
                received += connection.recv(1 << 16)
            elapsed = time.monotonic() - start
            assert received == sent
            assert elapsed >= 2 * delay
    assert turns.count >= 2
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_keys_of_nobody_and_keys_that_tell_of_another_bot_are_found() -> None:
    names = ["C00XUSDT", "C01XUSDT"]
    good = {
        "bots:c00xusdt:bot:C00XUSDT:cost": "C00X",
        "bots:c01xusdt:bot:C01XUSDT:cost": "C01XUSDT",
        "bots:c01xusdt:mexc:raw:self_symbols:latest": "C00XUSDT C01XUSDT",
        "qrl:v1:rules:C01X/USDT:0a1b": "{}",
    }
    assert strangers(good, names) == []
    assert strangers({"bot:C00XUSDT:cost": ""}, names) == ["bot:C00XUSDT:cost belongs to nobody"]
    assert strangers({"bots:c00xusdt:x": "C01XUSDT"}, names) == ["bots:c00xusdt:x tells of C01XUSDT"]
    assert unlike(["bots:c00xusdt:bot:C00XUSDT:cost", "bots:c01xusdt:bot:C01XUSDT:cost"], names) == []
    assert unlike(["bots:c00xusdt:bot:C00XUSDT:cost"], names) == ["C01XUSDT"]


def test_a_key_whose_life_ends_between_two_questions_is_left_out(
    store_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    store_client.set("here", "1")
    monkeypatch.setattr(store_client, "keys", lambda pattern: ["here", "gone"])
    assert contents(store_client) == {"here": "1"}


def test_a_section_that_fails_is_told_and_the_others_are_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> Section:
        raise KeyError("none")

    def whole() -> Section:
        return Section("whole", "2. Whole", figures=[Figure("a run", 5, "ms", 6)])

    monkeypatch.setattr(bench, "SECTIONS", {"broken": ("1. Broken", broken), "whole": ("2. Whole", whole)})
    assert bench.main(["broken", "whole"]) == 1
    printed = capsys.readouterr().out
    assert "FAILED broken: KeyError: 'none'" in printed
    assert "1 targets hold, 0 are missed" in printed


@pytest.mark.skipif(not machine.HAS_PROC, reason="there is no /proc on this machine")
def test_processor_time_and_memory_of_a_process_are_read() -> None:
    own = machine.tree(os.getpid())
    before, start = machine.cpu_ms(own), time.process_time()
    while time.process_time() - start < 0.03:
        pass
    assert 25 <= machine.cpu_ms(own) - before < 1_000
    assert machine.resident_mib(own) > 5


@pytest.mark.slow
def test_a_tiny_warm_section_measures_what_the_job_says_of_itself() -> None:
    try:
        measured = warm.measure(rounds=2, jobs=("price",))
    except NotMeasurable as error:
        pytest.skip(str(error))
    figures = {figure.what: figure for figure in measured.figures}
    assert figures["price: Redis round trips"].value == 3
    assert 0.5 < figures["price: wall time"].value < 5
    assert not measured.missed or {figure.unit for figure in measured.missed} <= {"×", "ms"}


def test_a_section_measured_alone_leaves_the_tables_of_the_others_on_the_page(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("<!-- figures: x -->\nMeasured.\n\n### A\n\nold\n\n### B\n\nkept\n<!-- /figures -->\nend\n")
    for title, text in (("A", "new"), ("C", "more"), ("C", "again")):
        bench._write(page, "Today.", [Section(title.lower(), title, text)])
    assert page.read_text() == (
        "<!-- figures: x -->\nMeasured.\n\n### A\n\nToday. new\n\n### B\n\nkept\n\n### C\n\nToday. again\n"
        "<!-- /figures -->\nend\n"
    )
