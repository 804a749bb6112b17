"""Log lines: JSON objects on the platform, plain text in a terminal. The only file that knows Cloud Logging.

The framework installs a root handler of its own (and with LOG_EXECUTION_ID drops INFO and the severity), so
the root logger is taken over; stdout is looked up when a line is written, for during a request the
framework puts a writer there that adds the execution id (gcp.md 7).
"""

import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TextIO

from common.adapters.documents import to_answer
from common.config import Settings

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_context: ContextVar[Mapping[str, Any]] = ContextVar("log_context", default=_NOTHING)
log = logging.getLogger("common.run")


def set_context(fields: Mapping[str, Any]) -> None:
    """Fields that every line of this request carries."""
    _context.set(fields)


def trace_fields(header: str | None, traceparent: str | None, project: str | None) -> dict[str, Any]:
    """The trace of a request, as Cloud Logging joins lines by it; empty off the platform."""
    trace = (header or "").split("/", 1)[0]
    if not trace and traceparent and traceparent.count("-") == 3:
        trace = traceparent.split("-")[1]
    if not (trace and project and trace.isalnum()):
        return {}
    return {"logging.googleapis.com/trace": f"projects/{project}/traces/{trace}"}


def event(name: str, fields: Mapping[str, Any], level: int = logging.INFO) -> None:
    """A structured line: `event` and its fields. Metrics and the journal are made from these alone."""
    log.log(level, name, extra={"fields": {"event": name, **fields}})


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "severity": record.levelname,
            "message": self._message(record),
            "time": datetime.fromtimestamp(record.created, UTC),
            "logger": record.name,
            **_context.get(),
            **getattr(record, "fields", {}),
        }
        return to_answer(line)

    def _message(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        shown = {k: v for k, v in fields.items() if k != "event" and isinstance(v, str | int | Decimal)}
        told = " ".join(f"{k}={to_answer(v)}" for k, v in shown.items())
        return f"{super().format(record)} {told}".rstrip()


class StdoutHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever sys.stdout is at that moment."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    @property
    def stream(self) -> TextIO:
        return sys.stdout

    @stream.setter
    def stream(self, _: TextIO) -> None:
        """The stream is looked up, never kept."""


def set_up(settings: Settings) -> None:
    """Own the root logger: one handler, our level, our format."""
    handler: logging.Handler = StdoutHandler()
    if settings.on_platform:
        handler.setFormatter(JsonFormatter())
    elif settings.log_ship_project:
        handler = _shipping_handler(settings.log_ship_project)
    else:
        handler.setFormatter(TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for noisy in ("urllib3", "google", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _shipping_handler(project: str) -> logging.Handler:
    """Off the platform: lines go to Cloud Logging by its client (imported here only: it costs half a second)."""
    from google.cloud.logging import Client
    from google.cloud.logging.handlers import CloudLoggingHandler

    class Shipping(CloudLoggingHandler):  # type: ignore[misc]
        def emit(self, record: logging.LogRecord) -> None:
            record.json_fields = {**_context.get(), **getattr(record, "fields", {})}
            super().emit(record)

    handler: logging.Handler = Shipping(Client(project=project))
    return handler
