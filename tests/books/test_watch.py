"""What the line of a run tells of the books, and that alerts and metrics ask for nothing that no line tells."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.builders import d, exchange_answers, fill_payload
from tests.conftest import Functions
from tests.fakes import NOON, FakeClock, StubExchange

MODULE = Path(__file__).parent.parent.parent / "terraform" / "modules" / "bot"


@pytest.mark.parametrize("job", ["cost", "fifteen_min_job"])
@pytest.mark.parametrize(("held", "drift"), [("100", 0), ("125", "0.2"), ("80", "0.25"), ("0", 1)])
def test_the_line_of_a_run_tells_what_the_fills_do_not_explain(
    job: str,
    held: str,
    drift: str | int,
    functions: Functions,
    exchange: StubExchange,
    clock: FakeClock,
    caplog: Any,
) -> None:
    exchange.answers |= exchange_answers(qrl="100", fills=[fill_payload("BUY", "100", "0.02", at=NOON)])
    functions.post("balance")
    functions.post(job)  # the ledger begins
    clock.move(900)
    exchange.answers["account"] = exchange_answers(qrl=held)["account"]
    caplog.set_level("INFO")
    functions.post("balance")
    functions.post(job)
    *_, line = [record.__dict__["fields"] for record in caplog.records if record.message == "job.finished"]
    assert (line["ledger_drift"], line["quarantined_fills"]) == (d(drift), 0)


@pytest.mark.parametrize("job", ["cost", "fifteen_min_job"])
def test_a_fill_that_could_not_be_read_is_told(
    job: str, functions: Functions, exchange: StubExchange, caplog: pytest.LogCaptureFixture
) -> None:
    exchange.answers["myTrades"] = [fill_payload("BUY", "100", "0.02", at=NOON) | {"isBuyer": None}]
    caplog.set_level("INFO")
    functions.post("balance")
    functions.post(job)
    *_, line = [record.__dict__["fields"] for record in caplog.records if record.message == "job.finished"]
    assert line["quarantined_fills"] == 1


def test_every_field_that_an_alert_or_a_metric_asks_for_is_one_that_the_code_logs() -> None:
    asked = set(re.findall(r"jsonPayload\.(\w+)", (MODULE / "alerts.tf").read_text()))
    asked |= set(re.findall(r"jsonPayload\.(\w+)", (MODULE / "monitoring.tf").read_text()))
    code = "\n".join(path.read_text() for path in (MODULE.parent.parent.parent / "common").rglob("*.py"))
    assert {"ledger_drift", "attention", "slots_in_vain"} <= asked
    assert [name for name in sorted(asked) if f'"{name}"' not in code] == []
