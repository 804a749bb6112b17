"""A sample of the sweep, another part of each input; `python -m tests.faults` runs the whole."""

from tests.faults.sweep import document_cases, payload_cases, play

PAYLOADS, DOCUMENTS = 83, 1009
"""One case in so many; primes, so that every mutation has its turn."""


def test_no_answer_and_no_document_spoilt_anywhere_breaks_a_promise() -> None:
    cases = [*list(payload_cases())[::PAYLOADS], *list(document_cases())[::DOCUMENTS]]
    results = [result for case in cases if (result := play(case)) is not None]
    assert [f"{result.case}: {result.problems}" for result in results if result.problems] == []
    assert {result.outcome for result in results} >= {"refused", "ordered as planned"}
