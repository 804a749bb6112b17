"""The journal outside Redis: a folder of log lines, or the bucket they are sunk to."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from common.adapters.journal_source import Bucket, Folder, events
from common.errors import ConfigurationError, StoreUnreachable, UnreadablePayload
from tests.fakes import Call, StubExchange

FILL = '{"event": "journal.fill", "fill_id": "1", "price": 0.0200}'


class StubStorage(StubExchange):
    """Answers as the storage API, by the whole path."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        call = Call(request)
        self.calls.append(call)
        found = self.answer(call)
        if isinstance(found, Exception):
            raise found
        status, body = found if isinstance(found, tuple) else (200, found)
        return self._response(request, status, body, {})


def bucket(answer: Any) -> tuple[Bucket, StubStorage]:
    session, storage = requests.Session(), StubStorage(answer)
    session.mount("https://", storage)
    return Bucket("my-journal", session), storage


def test_a_folder_is_read_file_by_file_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.json").write_text('{"event": "journal.fill", "fill_id": "2"}\n')
    (tmp_path / "a.json").write_text(FILL + "\n\n")
    assert [fields["fill_id"] for _, fields in events(Folder(str(tmp_path)))] == ["1", "2"]


def test_amounts_come_back_as_decimals_whether_numbers_or_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(FILL + '\n{"event": "journal.fill", "fill_id": "2", "price": "0.0300"}')
    assert [fields["price"] for _, fields in events(Folder(str(tmp_path)))] == [
        Decimal("0.0200"),
        Decimal("0.0300"),
    ]


def test_an_entry_of_cloud_logging_is_unwrapped_and_other_lines_are_passed_over(tmp_path: Path) -> None:
    lines = [
        '{"jsonPayload": ' + FILL + ', "severity": "INFO"}',
        '{"event": "job.finished"}',
        '{"message": "x"}',
        "[1]",
    ]
    (tmp_path / "a").write_text("\n".join(lines))
    assert [name for name, _ in events(Folder(str(tmp_path)))] == ["journal.fill"]


def test_a_line_that_is_no_json_is_refused_with_where_it_stood(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(FILL + "\nnot json\n")
    with pytest.raises(UnreadablePayload, match="a line is no JSON"):
        list(events(Folder(str(tmp_path))))


def test_a_folder_that_is_not_there_is_a_matter_of_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="JOURNAL_FOLDER"):
        list(events(Folder(str(tmp_path / "none"))))


def test_a_bucket_is_listed_page_by_page_and_each_object_read() -> None:
    def answer(call: Call) -> Any:
        if call.params.get("alt") == "media":
            number = call.path.rsplit("%2F", 1)[-1].removesuffix(".json")
            return f'{{"event": "journal.fill", "fill_id": "{number}"}}\n'
        if call.params.get("pageToken") == "more":
            return {"items": [{"name": "run/1.json"}]}
        return {"items": [{"name": "run/2.json"}], "nextPageToken": "more"}

    source, storage = bucket(answer)
    assert [fields["fill_id"] for _, fields in events(source)] == ["1", "2"]
    assert len(storage.calls) == 4
    assert all("/b/my-journal/o" in call.path for call in storage.calls)


def test_an_empty_bucket_tells_nothing() -> None:
    source, _ = bucket(lambda call: {})
    assert list(events(source)) == []


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_bucket_that_refuses_is_unreachable_and_restores_nothing(status: int) -> None:
    source, _ = bucket(lambda call: (status, {"error": "no"}))
    with pytest.raises(StoreUnreachable, match=f"HTTP {status}"):
        list(events(source))


def test_a_bucket_that_cannot_be_reached_says_so_without_the_address() -> None:
    source, _ = bucket(lambda call: requests.ConnectionError("https://storage/secret"))
    with pytest.raises(StoreUnreachable) as caught:
        list(events(source))
    assert "secret" not in str(caught.value)
