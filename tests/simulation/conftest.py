"""Thousands of days full of faults: the bot's own log of them is read by nobody."""

import logging
from collections.abc import Iterator

import pytest

from tests.simulation.days import quiet


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
