"""The journal's lines follow one another, and whoever alters or takes one away is told on."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.domain.chain import Link, Seen, check
from common.gcp.journal import Folder, events
from common.ops import audit_chain
from common.store.codec import to_document
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
    assert check(links(journal)).broken is None


def test_a_place_that_cannot_be_read_begins_a_chain_anew_and_stops_nothing(
    journal: Path, live: Live, caplog: pytest.LogCaptureFixture
) -> None:
    live.client.set(HEAD, "{broken")
    assert live.run()["status"] == "success"
    assert "the chain starts again" in caplog.text
    live.client.delete(HEAD)
    live.client.lpush(HEAD, "a list")
    assert live.run(15)["status"] == "success"
    assert check(links(journal)).broken is None


def test_a_log_whose_lines_no_longer_arrive_is_told_once_they_must_be_there(
    traded: Live, journal: Path, bare_functions: Functions
) -> None:
    """The sink writes hourly; four hours after a plan its line is there, or the sink has stopped."""
    arrived, last = lines_of(journal), max(line.link.number for line in links(journal) if line.link)
    traded.run(30)
    written = lines_of(journal)
    (journal / "lines.json").write_text("\n".join(arrived))
    traded.clock.move(4 * 3600 - 60)
    assert chain(bare_functions)[0] is True
    traded.clock.move(60)
    assert chain(bare_functions) == (
        False,
        f"{len(links(journal))} lines, 0 from before the chain; the plan of 2026-01-02 12:30 has not arrived: "
        f"line {last + 1} was written last, the newest here is line {last}",
    )
    (journal / "lines.json").unlink()
    assert chain(bare_functions)[1].endswith("was written last, none is here")
    (journal / "lines.json").write_text("\n".join(written))
    traded.clock.move(3 * 86_400)
    traded.run(3 * 1440 + 300)  # back after days: the newest plan has not arrived, and need not have
    (journal / "lines.json").write_text("\n".join(written))
    assert chain(bare_functions)[0] is True


def test_a_chain_that_began_again_is_no_break_however_long_the_log_is(
    tmp_path: Path, live: Live, bare_functions: Functions
) -> None:
    """As in a bucket: an object an hour; the store was lost two hours ago."""
    live.start(JOURNAL_FOLDER=str(tmp_path))
    hours, last = audit_chain.NEWEST_OBJECTS + audit_chain.OBJECTS_BEFORE + 9, None
    for hour in range(hours):
        told = []
        for quarter in range(4):
            fields = {"at": f"{hour}:{quarter}"}
            last = Link.after(None if (hour, quarter) == (hours - 2, 0) else last, "journal.flow", fields)
            told.append(json.dumps({"event": "journal.flow", **fields, "link": to_document(last)}))
        (tmp_path / f"{hour:03}.json").write_text("\n".join(told))
    assert chain(bare_functions) == (True, "200 lines, 0 from before the chain; none is missing")
    (tmp_path / f"{hours - 9:03}.json").unlink()
    missing = f"the line before line {4 * (hours - 8) + 1} (journal.flow) is missing"
    assert chain(bare_functions) == (False, f"200 lines, 0 from before the chain; {missing}")
