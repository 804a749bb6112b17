"""A journal outside Redis: the bot's own log lines in a folder."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.gcp.logs import JsonFormatter


class Lines(logging.Handler):
    """The bot's own log as the platform would keep it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(self.format(record) + "\n")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Path]:
    """A folder that the bot's log lines are sunk to."""
    handler, log = Lines(tmp_path / "lines.json"), logging.getLogger("common")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield tmp_path
    log.removeHandler(handler)
    log.setLevel(level)
