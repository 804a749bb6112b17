"""What the line of a run tells of the books, and that alerts and metrics ask for nothing that no line tells."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.builders import d, exchange_answers, fill_payload, finished
from tests.conftest import Functions, MakeBot
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
    *_, line = finished(caplog)
    assert (line["ledger_drift"], line["quarantined_fills"]) == (d(drift), 0)


@pytest.mark.parametrize("job", ["cost", "fifteen_min_job"])
def test_a_fill_that_could_not_be_read_is_told(
    job: str, functions: Functions, exchange: StubExchange, caplog: pytest.LogCaptureFixture
) -> None:
    exchange.answers["myTrades"] = [fill_payload("BUY", "100", "0.02", at=NOON) | {"isBuyer": None}]
    caplog.set_level("INFO")
    functions.post("balance")
    functions.post(job)
    *_, line = finished(caplog)
    assert line["quarantined_fills"] == 1


def test_every_field_that_an_alert_or_a_metric_asks_for_is_in_the_lines_of_runs(
    make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange, caplog: pytest.LogCaptureFixture
) -> None:
    text = (MODULE / "alerts.tf").read_text() + (MODULE / "monitoring.tf").read_text()
    asked = set(re.findall(r"jsonPayload\.(\w+)", text)) | set(re.findall(r'^ +value += "(\w+)"', text, re.M))
    for pairs in re.findall(r"(?:labels|show) += \{ ([^}]*) \}", text):
        asked |= set(re.findall(r'= "(\w+)"', pairs))
    assert {"ledger_drift", "slots_in_vain", "duration_ms", "error_code"} <= asked
    caplog.set_level("INFO")
    make_bot(MEXC_KEY_CREATED="2025-12-01")
    for job in ("balance", "price", "cost", "fifteen_min_job"):
        assert bare_functions.post(job).status_code == 200
    exchange.answers["ticker/24hr"] = (503, "")
    assert bare_functions.post("price").status_code == 503
    assert bare_functions.client("price").post("/").status_code == 401
    lines = finished(caplog)
    assert len(lines) == 6
    assert sorted(asked.difference(*lines)) == []
