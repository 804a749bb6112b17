"""The folder of STATE, with Redis's data and the simulated account: one process uses it at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.refused import Refused

LOCK = "lock"
PATIENCE_SECONDS = 1
"""How long the programs of a process that was killed may take to end."""


@contextmanager
def held(folder: Path | None, patience: float = PATIENCE_SECONDS) -> Iterator[tuple[int, ...]]:
    """Hold the folder, made if it is missing, until the block and every program that got the descriptors end.

    Yields the descriptors for `pass_fds`; none without a folder. Raises Refused if another process holds it for
    `patience` seconds more.
    """
    if folder is None:
        yield ()
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _locked(lock, patience):
            raise Refused(f"STATE={folder} is in use by another process: end that one, or name another folder")
        yield (lock,)
    finally:
        os.close(lock)


def _locked(lock: int, patience: float) -> bool:
    """Take the lock, which the kernel gives back when the last process that has it ends, however it ends."""
    latest = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > latest:
                return False
            time.sleep(0.05)
