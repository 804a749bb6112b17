"""The bot's connections to Redis: redis-py's own pool, pipelines and errors over a line that can fail."""

from collections.abc import Sequence
from typing import Any

import redis
from fakeredis import FakeRedisConnection
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.simulation.process import Process
from tests.simulation.redis_side import WRITES, Command, RedisServer

TRIP_SECONDS = 0.0004
SOCKET_TIMEOUT = 2.0
"""As in common/runtime.py."""


class Connection(FakeRedisConnection):  # type: ignore[misc]
    """Commands are handed over as they are: packing them into bytes and back would prove nothing."""

    def __init__(self, *, process: Process, server: RedisServer, **options: Any) -> None:
        self._process = process
        self._redis = server
        self._epoch = -1
        super().__init__(server=server.fake, **options)

    def _connect(self) -> Any:
        self._process.check()
        if not self._redis.here:
            raise redis.ConnectionError("Connection refused")
        self._epoch = self._redis.epoch
        return super()._connect()

    def can_read(self, timeout: float | None = 0) -> bool:
        """The pool asks this of an idle connection: one that the other side has closed reads as its end."""
        return self._epoch != self._redis.epoch

    def pack_commands(self, commands: Sequence[Command]) -> list[Command]:
        return list(commands)

    def send_command(self, *args: Any, **options: Any) -> None:
        self.send_packed_command([args])

    def send_packed_command(self, command: Sequence[Command], check_health: bool = True) -> None:
        """Send, and have the answers ready to be read: to the caller a lost answer looks the same here."""
        process = self._process
        if not process.alive and command[0][0] == "UNWATCH":
            # Tidying up after the end, which reaches nobody: redis-py expects this error, also in a `__del__`.
            raise redis.ConnectionError("the process has ended")
        if not self._sock:
            self.connect()
        step = process.step("redis", _named(command))
        process.wait(TRIP_SECONDS)
        fault = process.meet(step, "before")
        self._fail(fault.kind if fault else None)
        self._redis.execute(self._sock, command, self.encoder.encode)
        process.wait(TRIP_SECONDS)
        fault = process.meet(step, "after")
        self._fail(fault.kind if fault else None)

    def _fail(self, kind: str | None) -> None:
        if kind == "timeout":
            self._process.wait(SOCKET_TIMEOUT)
            self.disconnect()
            raise redis.TimeoutError("Timeout reading from socket")
        if kind == "reset" or self._epoch != self._redis.epoch or not self._redis.here:
            self.disconnect()
            raise redis.ConnectionError("Connection closed by server.")


def client(process: Process, server: RedisServer) -> "redis.Redis":
    """A process's client with the options of common/runtime.py."""
    pool = redis.ConnectionPool(
        connection_class=Connection,
        process=process,
        server=server,
        protocol=2,
        driver_info=None,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
        max_connections=20,
    )
    return redis.Redis(connection_pool=pool)


def _named(commands: Sequence[Command]) -> str:
    """What a reader of the trace calls it: begin, commit of so many writes, read, watch."""
    first = str(commands[0][0]).lower()
    if first != "multi":
        return first
    inner = commands[1:-1]
    if any("NX" in command and ":lease:" in str(command[1]) for command in inner):
        return "begin"
    writes = sum(1 for command in inner if command[0] in WRITES)
    return f"commit {writes}" if writes else "read"
