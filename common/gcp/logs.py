"""Log lines: JSON objects on the platform, plain text in a terminal. The only file that knows Cloud Logging.

The framework installs a root handler of its own (and with LOG_EXECUTION_ID drops INFO and the severity), so this
module takes over the root logger. It looks up stdout whenever a line is written, because during a request the
framework puts a writer there that adds the execution id (platform.md §7).
"""

import logging
import os
import sys
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TextIO

from common.config import Settings
from common.decimal_json import loads, spelt_out, to_answer
from common.errors import ConfigurationError
from common.redact import UNSIGNED, Redact, redactor

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_context: ContextVar[Mapping[str, Any]] = ContextVar("log_context", default=_NOTHING)
log = logging.getLogger("common.events")
"""Logs at every LOG_LEVEL: metrics and the audit log are made from these lines alone."""


def set_context(fields: Mapping[str, Any]) -> None:
    """Fields that every line of this request carries."""
    _context.set(fields)


def trace_fields(header: str | None, traceparent: str | None, project: str | None) -> dict[str, Any]:
    """The trace of a request, by which Cloud Logging groups lines; empty off the platform."""
    trace = (header or "").split("/", 1)[0]
    if not trace and traceparent and traceparent.count("-") == 3:
        trace = traceparent.split("-")[1]
    if not (trace and project and trace.isalnum()):
        return {}
    return {"logging.googleapis.com/trace": f"projects/{project}/traces/{trace}"}


def event(name: str, fields: Mapping[str, Any], level: int = logging.INFO, *, json_text: str = "{}") -> None:
    """Log a structured line: `event` and its fields. Metrics and the audit log are made from these alone.

    `json_text` holds further fields, a JSON object that is inserted into the line unchanged.
    """
    log.log(level, name, extra={"fields": {"event": name, **fields}, "json_text": json_text})


def _message(record: logging.LogRecord) -> str:
    """The message; an exception is shown by type and place: its text may carry secrets (contract.md §1)."""
    text = record.getMessage()
    if not record.exc_info or record.exc_info[0] is None:
        return text
    kind, _, trace = record.exc_info
    place = "".join(f" at {os.path.basename(f.filename)}:{f.lineno}" for f in traceback.extract_tb(trace)[-1:])
    return f"{text}: {kind.__name__}{place}"


class JsonFormatter(logging.Formatter):
    def __init__(self, redact: Redact = UNSIGNED) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "severity": record.levelname,
            "message": _message(record),
            "time": datetime.fromtimestamp(record.created, UTC),
            "logger": record.name,
            **_context.get(),
            **getattr(record, "fields", {}),
        }
        text, more = to_answer(line), getattr(record, "json_text", "{}")
        return self._redact(text if more == "{}" else f"{text[:-1]},{more[1:]}")


class TextFormatter(logging.Formatter):
    def __init__(self, redact: Redact = UNSIGNED) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {}) | loads(getattr(record, "json_text", "{}"))
        shown = {k: v for k, v in fields.items() if k != "event" and isinstance(v, str | int | Decimal)}
        shown_fields = " ".join(f"{k}={to_answer(v)}" for k, v in shown.items())
        time = self.formatTime(record, "%H:%M:%S")
        return self._redact(spelt_out(f"{time} {record.levelname} {_message(record)} {shown_fields}".rstrip()))


class StdoutHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever sys.stdout is at that moment."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    @property
    def stream(self) -> TextIO:
        return sys.stdout

    @stream.setter
    def stream(self, _: TextIO) -> None:
        """Ignored: the stream is always looked up."""


def set_up(settings: Settings) -> None:
    """Own the root logger: one handler, our level, our format."""
    redact = redactor(settings.secrets)
    if not settings.on_platform and settings.log_ship_project:
        _own(_shipping_handler(settings.log_ship_project, redact), settings.log_level)
    else:
        set_up_plainly(settings.on_platform, settings.log_level, redact)


def set_up_plainly(on_platform: bool, level: str = "INFO", redact: Redact = UNSIGNED) -> None:
    """Set up without settings, so that faulty settings can be reported."""
    handler = StdoutHandler()
    form = JsonFormatter if on_platform else TextFormatter
    handler.setFormatter(form(redact))
    _own(handler, level)


def _own(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    log.setLevel(logging.INFO)
    for noisy in ("urllib3", "google", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _shipping_handler(project: str, redact: Redact) -> logging.Handler:
    """Off the platform: lines go to Cloud Logging through its client (imported here: it takes half a second)."""
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud.logging import Client

    try:
        client = Client(project=project)
    except DefaultCredentialsError:
        raise ConfigurationError("LOG_SHIP_PROJECT: needs Google Cloud credentials, and there are none") from None
    return shipping(client, redact)


def shipping(client: Any, redact: Redact = UNSIGNED, **more: Any) -> logging.Handler:
    """The library's handler for our lines: it sends a line that is a JSON object as a structured payload."""
    from google.cloud.logging.handlers import CloudLoggingHandler

    handler: logging.Handler = CloudLoggingHandler(client, **more)
    handler.setFormatter(JsonFormatter(redact))
    return handler
