"""The journal's lines follow one another, and whoever alters or takes one away is told on."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.domain.chain import Seen, check
from common.gcp.journal import Folder, events
from common.store.keys import Keys
from tests.conftest import Functions, Live
from tests.fakes import Line

HEAD = Keys("", "QRLUSDT").audit_log_head


@pytest.fixture
def traded(journal: Path, live: Live, bare_functions: Functions) -> Live:
    """Two days' beginning: an order, a slot that holds, and a command in between."""
    live.start(JOURNAL_FOLDER=str(journal))
    live.run()
    bare_functions.command("pause", reason="look")
    bare_functions.command("resume")
    live.run(15)
    return live


def links(journal: Path) -> list[Seen]:
    seen: list[Seen] = []
    list(events(Folder(str(journal)), seen=seen))
    return [line for line in seen if line.link]


def chain(bare: Functions) -> tuple[bool | None, str]:
    told: Any = bare.get("ops", "verify").json
    (finding,) = (found for found in told["data"]["findings"] if found["name"] == "audit_chain")
    return finding["ok"], finding["explanation"]


def lines_of(journal: Path) -> list[str]:
    return (journal / "lines.json").read_text().splitlines()


def test_orders_fills_plans_and_commands_are_links_of_one_chain(
    traded: Live, journal: Path, bare_functions: Functions
) -> None:
    told = links(journal)
    kinds = ("intent", "fill", "plan", "command", "inception", "equity")
    assert {line.name for line in told} == {f"journal.{kind}" for kind in kinds}
    assert [line.link.number for line in told if line.link] == list(range(1, len(told) + 1))
    assert all(line.intact for line in told)
    head = json.loads(traded.client.get(HEAD) or "{}")
    assert told[-1].link is not None
    assert head["link_id"] == told[-1].link.link_id
    assert chain(bare_functions)[0] is True


def test_an_altered_fill_is_told_by_verify_and_by_restore(
    traded: Live, journal: Path, bare_functions: Functions
) -> None:
    lines = lines_of(journal)
    at = next(index for index, line in enumerate(lines) if '"event":"journal.fill"' in line and '"link"' in line)
    number = json.loads(lines[at])["link"]["number"]
    lines[at] = lines[at].replace('"price":"0.0', '"price":"0.1')
    (journal / "lines.json").write_text("\n".join(lines) + "\n")
    ok, told = chain(bare_functions)
    assert ok is False
    assert f"line {number} (journal.fill) was altered" in told
    traded.client.flushall()
    restored = bare_functions.command("restore").json["data"]["journal_chain"]
    assert restored["broken"] == f"line {number} (journal.fill) was altered"


def test_a_plan_that_is_gone_is_told_by_verify_and_by_restore(
    traded: Live, journal: Path, bare_functions: Functions
) -> None:
    lines = lines_of(journal)
    at = next(index for index, line in enumerate(lines) if '"event":"journal.plan"' in line)
    number = json.loads(lines[at])["link"]["number"]
    (journal / "lines.json").write_text("\n".join(lines[:at] + lines[at + 1 :]) + "\n")
    assert f"the line before line {number + 1} (" in chain(bare_functions)[1]
    traded.client.flushall()
    restored = bare_functions.command("restore").json["data"]["journal_chain"]
    assert restored["broken"].startswith(f"the line before line {number + 1} (")


def test_a_run_that_dies_before_its_write_leaves_a_branch_and_no_break(journal: Path, live: Live) -> None:
    line = Line(live.client)
    for trips in range(2, 9):  # wherever in a run the connection goes
        line.cut_after(trips)
        live.call("fifteen_min_job")
        line.mend()
        live.lease_ends()
    live.run()
    numbers = [seen.link.number for seen in links(journal) if seen.link]
    assert len(set(numbers)) < len(numbers)
    assert check(links(journal), whole=True).broken is None


def test_a_place_that_cannot_be_read_begins_a_chain_anew_and_stops_nothing(
    journal: Path, live: Live, caplog: pytest.LogCaptureFixture
) -> None:
    live.client.set(HEAD, "{broken")
    assert live.run()["status"] == "success"
    assert "the chain starts again" in caplog.text
    live.client.delete(HEAD)
    live.client.lpush(HEAD, "a list")
    assert live.run(15)["status"] == "success"
    assert check(links(journal), whole=True).broken is None
