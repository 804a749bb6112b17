"""The journal outside Redis: written as log lines, read back from a folder or a bucket, whole or not at all."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from google.auth.exceptions import RefreshError

from common.errors import ConfigurationError, StoreUnreachable, UnreadablePayload
from common.gcp.journal import READERS, Bucket, Folder, events, note
from common.gcp.logs import JsonFormatter
from common.store.codec import to_document
from common.store.records import fill_of
from tests.builders import d, fill
from tests.fakes import Call, StubExchange


def line(event: str, **fields: Any) -> str:
    return json.dumps({"severity": "INFO", "message": event, "event": event, **fields}) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path))


def names(source: Folder | Bucket) -> list[str]:
    return [name for name, _ in events(source)]


# What is written


def written(caplog: pytest.LogCaptureFixture) -> str:
    """The last log line as the platform gets it."""
    return JsonFormatter().format(caplog.records[-1])


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO):
        yield caplog


def test_amounts_go_into_the_journal_as_text_for_cloud_logging_makes_floats_of_numbers(
    told: pytest.LogCaptureFixture,
) -> None:
    note("fill", {"quantity": d("0.123456789012345678901"), "whole": d(100), "nested": {"fee": d("0.1")}})
    entry = json.loads(written(told), parse_float=lambda text: pytest.fail(f"{text} is a number"))
    assert (entry["event"], entry["quantity"], entry["whole"]) == ("journal.fill", "0.123456789012345678901", "100")
    assert entry["nested"] == {"fee": "0.1"}


def test_what_is_written_is_what_is_read(told: pytest.LogCaptureFixture, tmp_path: Path, folder: Folder) -> None:
    original = fill(
        "BUY", "1234.5678", "0.049870000000000001", fee="0.0000001", fee_asset="MX", fee_value=d("3E-7")
    )
    note("fill", to_document(original))
    (tmp_path / "log").write_text(written(told), encoding="utf-8")
    ((name, fields),) = events(folder)
    assert name == "journal.fill"
    assert fill_of(fields) == original


# A folder


def test_a_folder_is_read_file_by_file_in_the_order_of_their_names(tmp_path: Path, folder: Folder) -> None:
    (tmp_path / "b").write_text(line("journal.second") + line("journal.third"), encoding="utf-8")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "early").write_text(line("journal.first"), encoding="utf-8")
    assert names(folder) == ["journal.first", "journal.second", "journal.third"]


def test_only_events_of_the_journal_count(tmp_path: Path, folder: Folder) -> None:
    other = ["{}", "[]", '"text"', "5", '{"event":7}', '{"jsonPayload":null}', '{"event":"job.finished"}', "", "  "]
    (tmp_path / "log").write_text("\n".join(other) + "\n" + line("journal.fill"), encoding="utf-8")
    assert names(folder) == ["journal.fill"]


def test_the_platforms_export_wraps_each_line_in_an_entry(tmp_path: Path, folder: Folder) -> None:
    entry = {"insertId": "1", "jsonPayload": {"event": "journal.intent", "quantity": "5000"}, "severity": "INFO"}
    (tmp_path / "log").write_text(json.dumps(entry), encoding="utf-8")
    assert list(events(folder)) == [("journal.intent", {"event": "journal.intent", "quantity": "5000"})]


def test_amounts_and_identifiers_stay_the_text_that_was_logged(tmp_path: Path, folder: Folder) -> None:
    (tmp_path / "log").write_text(line("journal.fill", price="0.02", order_id="500", fill_id="7"), encoding="utf-8")
    ((_, fields),) = events(folder)
    assert (fields["price"], fields["order_id"], fields["fill_id"]) == ("0.02", "500", "7")


def test_an_amount_written_as_a_number_is_read_to_its_last_digit(tmp_path: Path, folder: Folder) -> None:
    (tmp_path / "log").write_text('{"event":"journal.fill","price":0.0200,"quantity":0.1234567890123456789}')
    ((_, fields),) = events(folder)
    assert (fields["price"], fields["quantity"]) == (d("0.0200"), d("0.1234567890123456789"))


def test_text_of_any_script_is_read(tmp_path: Path, folder: Folder) -> None:
    """U+2028 and U+0085 end a line for Python, not for whoever wrote the log."""
    text = "für später – 保留\u2028und\u0085noch"
    (tmp_path / "log").write_text(json.dumps({"event": "journal.intent", "reason": text}, ensure_ascii=False))
    ((_, fields),) = events(folder)
    assert fields["reason"] == text


@pytest.mark.parametrize(
    "content",
    [b"12:00:00 INFO plain text\n", b'{"event":"journal.fill"', b'{"quantity":NaN}', b"\xff\xfe\x00"],
)
def test_a_journal_that_cannot_be_read_in_full_is_refused(tmp_path: Path, folder: Folder, content: bytes) -> None:
    (tmp_path / "log").write_bytes(line("journal.fill").encode() + content)
    with pytest.raises(UnreadablePayload, match=f"folder {tmp_path}"):
        names(folder)


def test_a_folder_that_is_not_there_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigurationError, match="JOURNAL_FOLDER"):
        names(Folder("/nowhere"))


def test_an_empty_folder_holds_no_events(folder: Folder) -> None:
    assert names(folder) == []


# A bucket


class Storage(StubExchange):
    """Cloud Storage's JSON API: `objects` by name, so many names a page."""

    def __init__(self, objects: dict[str, bytes], page: int = 2) -> None:
        super().__init__()
        self.objects = objects
        self.page = page
        self.answers = {"/storage/v1/b/journal%2Fodd/o": self._list}
        for name in objects:
            quoted = quote(name, safe="")
            self.answers[f"/storage/v1/b/journal%2Fodd/o/{quoted}"] = self._media(name)

    def _list(self, call: Call) -> Any:
        names = list(self.objects)
        start = int(call.params.get("pageToken", 0))
        listing: dict[str, Any] = {"items": [{"name": name} for name in names[start : start + self.page]]}
        if start + self.page < len(names):
            listing["nextPageToken"] = str(start + self.page)
        return listing

    def _media(self, name: str) -> Any:
        def answer(call: Call) -> Any:
            assert call.params == {"alt": "media"}
            return 200, self.objects[name].decode(), {}

        return answer


def bucket(storage: StubExchange) -> Bucket:
    session = requests.Session()
    session.mount("https://storage.googleapis.com", storage)
    return Bucket("journal/odd", session)


def test_a_bucket_is_read_page_by_page_and_object_by_object_in_the_order_of_names() -> None:
    objects = {f"run/2026/01/0{day}/log 0{day}.json": line(f"journal.{day}").encode() for day in (3, 1, 2, 5, 4)}
    storage = Storage(objects)
    assert names(bucket(storage)) == [f"journal.{day}" for day in (1, 2, 3, 4, 5)]
    lists = [call for call in storage.calls if call.path.endswith("/o")]
    assert [call.params for call in lists] == [{}, {"pageToken": "2"}, {"pageToken": "4"}]


def test_objects_are_fetched_together_and_told_in_the_order_of_their_names() -> None:
    storage = Storage({f"{hour:03}": line(f"journal.{hour}").encode() for hour in range(3 * READERS)}, page=1000)
    together = threading.Barrier(READERS)

    def answer(call: Call) -> Any:
        together.wait(timeout=30)  # holds until as many requests are under way
        return storage._media(call.path.rsplit("/", 1)[1])(call)

    storage.answers |= {path: answer for path in storage.answers if path.rsplit("/", 1)[1].isdigit()}
    assert names(bucket(storage)) == [f"journal.{hour}" for hour in range(3 * READERS)]


def test_thousands_of_objects_are_read_with_their_progress_and_without_decoding_plans(
    told: pytest.LogCaptureFixture,
) -> None:
    lines = line("journal.plan", cut="short")[:-5] + "\n" + line("journal.fill", price="0.02")
    storage = Storage({f"{hour:05}": lines.encode() for hour in range(2_000)}, page=200)
    started = time.monotonic()
    read = list(events(bucket(storage), without=("journal.plan",)))
    assert [name for name, _ in read] == ["journal.fill"] * 2_000
    assert time.monotonic() - started < 20  # some 1 s on two cores; an object after another over a network, 80
    assert "bucket journal/odd: 1000 of 2000 objects read" in told.messages


def test_an_empty_bucket_holds_no_events() -> None:
    assert names(bucket(Storage({}))) == []
    bare = StubExchange({"/storage/v1/b/journal%2Fodd/o": {"kind": "storage#objects"}})
    assert names(bucket(bare)) == []


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_a_bucket_that_refuses_is_an_error_not_an_empty_journal(status: int) -> None:
    storage = StubExchange({"/storage/v1/b/journal%2Fodd/o": (status, {"error": {"message": "secret detail"}})})
    with pytest.raises(StoreUnreachable, match=f"HTTP {status}$"):
        names(bucket(storage))


def test_a_bucket_without_credentials_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(ConfigurationError, match="JOURNAL_BUCKET: there are no credentials"):
        Bucket.of("journal")


def test_an_object_that_cannot_be_fetched_is_an_error_too() -> None:
    storage = Storage({"a": line("journal.1").encode(), "b": b""})
    storage.answers["/storage/v1/b/journal%2Fodd/o/b"] = (503, "")
    with pytest.raises(StoreUnreachable, match="HTTP 503"):
        names(bucket(storage))


@pytest.mark.parametrize(
    "failure",
    [requests.ConnectionError("https://token@host"), requests.ReadTimeout("secret"), RefreshError("a token")],
)
def test_a_bucket_out_of_reach_is_told_by_its_kind_alone(failure: Exception) -> None:
    storage = StubExchange({"/storage/v1/b/journal%2Fodd/o": failure})
    with pytest.raises(StoreUnreachable) as raised:
        names(bucket(storage))
    assert str(raised.value) == f"the journal's bucket cannot be reached ({type(failure).__name__})"


@pytest.mark.parametrize("listing", ["<html>", "[]", "{", '{"items":[{}]}', '{"items":[5]}', '{"items":5}'])
def test_a_list_of_objects_that_makes_no_sense_is_refused(listing: str) -> None:
    storage = StubExchange({"/storage/v1/b/journal%2Fodd/o": (200, listing)})
    with pytest.raises(UnreadablePayload, match="bucket journal/odd"):
        names(bucket(storage))
