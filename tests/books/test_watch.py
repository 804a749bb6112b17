"""What the line of a run tells of the books, and that alerts and metrics ask for nothing that no line tells."""

import re
from pathlib import Path

import pytest

from common.books import watch
from tests.builders import d, fill_payload
from tests.conftest import Functions
from tests.fakes import NOON, StubExchange

MODULE = Path(__file__).parent.parent.parent / "terraform" / "modules" / "bot"


def test_drift_is_a_share_of_what_the_account_holds() -> None:
    for drift, held, share in ((0, 0, 0), (5, 0, 1), (-10, 400, "0.025"), (10, 400, "0.025")):
        told = watch.told({"drift_quantity": d(drift), "account_quantity": d(held), "quarantine": []})
        assert told == {"ledger_drift": d(share), "quarantined_fills": 0}
    aside = {"drift_quantity": d(0), "account_quantity": d(1), "quarantine": [{"id": "7"}]}
    assert watch.told(aside)["quarantined_fills"] == 1
    assert watch.told(None) == {}


@pytest.mark.parametrize("job", ["cost", "fifteen_min_job"])
def test_the_line_of_a_run_tells_the_drift(
    job: str, functions: Functions, exchange: StubExchange, caplog: pytest.LogCaptureFixture
) -> None:
    exchange.answers["myTrades"] = [fill_payload("BUY", "100", "0.02", at=NOON)]
    caplog.set_level("INFO")
    assert functions.post("balance").status_code == functions.post(job).status_code == 200
    *_, line = [record.__dict__["fields"] for record in caplog.records if record.message == "job.finished"]
    assert (line["ledger_drift"], line["quarantined_fills"]) == (0, 0)


def test_every_field_that_an_alert_or_a_metric_asks_for_is_one_that_the_code_logs() -> None:
    asked = set(re.findall(r"jsonPayload\.(\w+)", (MODULE / "alerts.tf").read_text()))
    asked |= set(re.findall(r"jsonPayload\.(\w+)", (MODULE / "monitoring.tf").read_text()))
    code = "\n".join(path.read_text() for path in (MODULE.parent.parent.parent / "common").rglob("*.py"))
    assert {"ledger_drift", "attention", "slots_in_vain"} <= asked
    assert [name for name in sorted(asked) if f'"{name}"' not in code] == []
