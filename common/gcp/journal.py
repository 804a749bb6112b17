"""The audit log outside Redis: log lines of fills and intents, and how they are read back from their sink.

On the platform a logging sink writes them to a bucket, at least one object an hour, with one JSON entry a line;
on a laptop a folder of log lines holds the same. Only `journal.*` events are read.
"""

import logging
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter

from common.decimal_json import loads, to_redis
from common.domain.chain import LINK, Link, Seen
from common.errors import ConfigurationError, StoreUnreachable, UnreadablePayload
from common.gcp.logs import event

log = logging.getLogger(__name__)
_STORAGE = "https://storage.googleapis.com/storage/v1/b"
READERS = 16
"""Objects fetched at a time: at 40 ms each, a year of them (8 760) takes 22 s instead of 350."""
PROGRESS_EVERY = 1000


class Chain:
    """The link of the audit log's last line, and whether lines were added since it was stored."""

    def __init__(self, last: Link | None = None) -> None:
        self.last = last
        self.grown = False

    @classmethod
    def of(cls, stored: str | None) -> "Chain":
        """Read the stored link; an unreadable one starts a new chain and is logged: it must not stop a run."""
        if stored is None:
            return cls()
        try:
            return cls(_link(loads(stored)))
        except (ValueError, KeyError, TypeError):
            log.error("the head of the journal's chain cannot be read: the chain starts again")
            return cls()

    def extended(self, name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Add a line, and return its link as a field."""
        self.last, self.grown = Link.after(self.last, name, fields), True
        return self.document()

    def document(self) -> dict[str, Any]:
        last = self.last
        return {name: getattr(last, name) for name in Link.__slots__} if last else {}


_chain: ContextVar[Chain | None] = ContextVar("journal_chain", default=None)


def follow(stored: str | None) -> Chain:
    """Let the lines of this request continue the stored chain."""
    chain = Chain.of(stored)
    _chain.set(chain)
    return chain


def note(name: str, fields: Mapping[str, Any]) -> None:
    """Log one audit event. Amounts go as text: Cloud Logging would turn numbers into binary floats."""
    text, chain = to_redis(fields), _chain.get()
    if chain is not None:
        link = to_redis({LINK: chain.extended(f"journal.{name}", loads(text))})
        text = f"{text[:-1]},{link[1:]}"
    event(f"journal.{name}", {}, json_text=text)


def _link(document: Any) -> Link:
    """Raises KeyError, TypeError, ValueError."""
    number, link_id, previous_id = (document[name] for name in Link.__slots__)
    if not isinstance(link_id, str) or not isinstance(previous_id, str | None):
        raise TypeError("a link's hashes are texts")
    return Link(int(number), link_id, previous_id)


class AuditLogSource(Protocol):
    name: str

    def texts(self, newest: int | None = None) -> Iterator[str]:
        """The content of every object, or of the `newest` ones, oldest name first.

        Raises StoreUnreachable, ConfigurationError.
        """


class Folder:
    def __init__(self, path: str) -> None:
        self.name = f"folder {path}"
        self._path = Path(path)

    def texts(self, newest: int | None = None) -> Iterator[str]:
        if not self._path.is_dir():
            raise ConfigurationError("JOURNAL_FOLDER: there is no such folder")
        files = sorted(path for path in self._path.rglob("*") if path.is_file())
        for file in files[-newest:] if newest else files:
            yield _decoded(file.read_bytes(), self.name)


class Bucket:
    """Read with the function's own account (storage.objectViewer on this bucket)."""

    def __init__(self, bucket: str, session: requests.Session) -> None:
        self.name = f"bucket {bucket}"
        self._url = f"{_STORAGE}/{quote(bucket, safe='')}/o"
        self._session = session

    @classmethod
    def of(cls, bucket: str) -> "Bucket":
        """Use the platform's own credentials (imported here: nothing else needs them)."""
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError
        from google.auth.transport.requests import AuthorizedSession

        try:
            credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/devstorage.read_only"])
        except DefaultCredentialsError:
            raise ConfigurationError("JOURNAL_BUCKET: there are no credentials to read it with") from None
        session = AuthorizedSession(credentials)
        session.mount("https://", HTTPAdapter(pool_maxsize=READERS))
        return cls(bucket, session)

    def texts(self, newest: int | None = None) -> Iterator[str]:
        names = sorted(self._names())
        names = names[-newest:] if newest else names
        with ThreadPoolExecutor(READERS, thread_name_prefix="journal") as pool:
            waiting: deque[Future[str]] = deque()
            try:
                for count, name in enumerate(names, 1):
                    waiting.append(pool.submit(self._text, name))
                    if len(waiting) > READERS:  # bounds what is held in memory
                        yield waiting.popleft().result()
                    if count % PROGRESS_EVERY == 0:
                        log.info("%s: %d of %d objects read", self.name, count, len(names))
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _text(self, name: str) -> str:
        return _decoded(self._get(f"{self._url}/{quote(name, safe='')}", {"alt": "media"}).content, self.name)

    def _names(self) -> Iterator[str]:
        page: str | None = ""
        while page is not None:
            content = self._get(self._url, {"pageToken": page} if page else {}).content
            try:
                listing = loads(content)
                yield from [item["name"] for item in listing.get("items", [])]
                page = listing.get("nextPageToken")
            except (ValueError, TypeError, KeyError, AttributeError):
                raise UnreadablePayload(f"{self.name}: the list of its objects cannot be read") from None

    def _get(self, url: str, params: dict[str, str]) -> requests.Response:
        from google.auth.exceptions import GoogleAuthError  # raised if the token cannot be renewed

        try:
            response = self._session.get(url, params=params, timeout=20)
        except (requests.RequestException, GoogleAuthError) as error:
            raise StoreUnreachable(f"the journal's bucket cannot be reached ({type(error).__name__})") from None
        if response.status_code != 200:
            raise StoreUnreachable(f"the journal's bucket answers HTTP {response.status_code}")
        return response


def _decoded(content: bytes, where: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise UnreadablePayload(f"{where}: an object is no text") from None


def events(
    source: AuditLogSource, without: Collection[str] = (), seen: list[Seen] | None = None
) -> Iterator[tuple[str, Any]]:
    """Every audit event of a source; see events_of."""
    return events_of(source.texts(), source.name, without, seen)


def events_of(
    objects: Iterable[str], where: str, without: Collection[str] = (), seen: list[Seen] | None = None
) -> Iterator[tuple[str, Any]]:
    """Every audit event except those named in `without`, as (name, fields), amounts as the logged text.

    Lines that are not JSON are refused: an audit log that cannot be read in full restores nothing. Excluded lines
    are recognized by their text and never decoded: nine lines of ten are plans. `seen` collects the links of all
    lines.
    """
    names = "|".join(re.escape(name) for name in without)
    left_out = re.compile(rf'"event": ?"({names})"') if names else None
    for text in objects:
        for line in text.split("\n"):  # splitlines() also cuts at U+2028 and U+0085, which a reason may hold
            skipped = left_out.search(line) if left_out else None
            if skipped:
                if seen is not None:
                    seen.append(Seen(skipped[1], _link_in_text(line), None))
            elif line.strip():
                yield from _event(line, where, seen)


_LINK = re.compile(rf'"{LINK}": ?(\{{[^{{}}]*\}})')


def _link_in_text(line: str) -> Link | None:
    """The link in a line that has not been decoded."""
    found = _LINK.search(line)
    return _link_or_none(loads(found[1])) if found else None


def _link_or_none(document: Any) -> Link | None:
    try:
        return _link(document)
    except (KeyError, TypeError, ValueError):
        return None


def _event(line: str, where: str, seen: list[Seen] | None) -> Iterator[tuple[str, Any]]:
    try:
        entry = loads(line)
    except ValueError:
        raise UnreadablePayload(f"{where}: a line is no JSON") from None
    fields = entry.get("jsonPayload", entry) if isinstance(entry, dict) else {}
    name = fields.get("event") if isinstance(fields, dict) else None
    if isinstance(name, str) and name.startswith("journal."):
        if seen is not None:
            link = _link_or_none(fields.get(LINK))
            seen.append(Seen(name, link, link.fits(name, fields) if link else None))
        fields.pop(LINK, None)
        yield name, fields
