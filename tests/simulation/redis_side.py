"""Redis as the bot meets it: a server whose last writes can be forgotten, and the connections to it."""

from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from fakeredis import FakeServer
from fakeredis._core import Database

from tests.simulation.timeline import Timeline

Command = Sequence[Any]
READS = frozenset(
    (
        "GET",
        "TYPE",
        "HGETALL",
        "HMGET",
        "HLEN",
        "ZRANGEBYSCORE",
        "LRANGE",
        "ZRANGE",
        "ZREVRANGEBYSCORE",
        "PTTL",
        "TTL",
        "EXISTS",
        "WATCH",
        "UNWATCH",
        "INFO",
    )
)
WRITES = frozenset(
    ["SET", "DEL", "UNLINK", "HSET", "HDEL", "ZADD", "ZREMRANGEBYRANK", "ZREMRANGEBYSCORE", "LPUSH", "LTRIM"]
)
REMEMBERED = 12
"""How many writes can be forgotten at most."""
OK, QUEUED = b"OK", b"QUEUED"
_GONE = object()


class _Database(Database):  # type: ignore[misc]
    """fakeredis' own, with keys that expire by simulated time."""

    def __init__(self, lock: Any, timeline: Timeline) -> None:
        self._timeline = timeline
        super().__init__(lock)

    @property
    def time(self) -> float:
        return self._timeline.now.timestamp()

    @time.setter
    def time(self, _: float) -> None:
        """fakeredis sets the machine's time with every command."""


@dataclass
class Write:
    """One write, single or a whole MULTI: its commands, and each key's item as it was before."""

    commands: list[Command]
    before: dict[bytes, Any] = field(default_factory=dict)


class RedisServer:
    """One instance with a replica: a failover forgets what had not reached the replica, and drops every connection.

    `told` hears of every write that is carried out, `forgotten` of every one that is undone.
    """

    def __init__(
        self, timeline: Timeline, told: Callable[[Write], None], forgotten: Callable[[Write], None]
    ) -> None:
        self._timeline = timeline
        self._told = told
        self._forgotten = forgotten
        self._numbers = count(1)
        self._writes: deque[Write] = deque(maxlen=REMEMBERED)
        self._back_at = timeline.now
        self.fake = FakeServer(version=(7,))
        self.database = self.fake.dbs[0] = _Database(self.fake.lock, timeline)
        self.epoch = 0
        self.identity = ""
        self._begin_anew()

    @property
    def here(self) -> bool:
        return self._timeline.now >= self._back_at

    def fail_over(self, writes: int) -> int:
        """The replica takes over without the last `writes` writes; returns how many that really were."""
        lost = 0
        while lost < writes and self._writes:
            write = self._writes.pop()
            for key, item in write.before.items():
                if item is _GONE:
                    self.database._dict.pop(key, None)
                else:
                    self.database._dict[key] = item
                    self.database.schedule_expiry(key, item.expireat)
            self._forgotten(write)
            lost += 1
        self._begin_anew()
        return lost

    def lose_everything(self) -> None:
        """An instance without a replica was replaced: it is empty."""
        self.database._dict.clear()
        self._writes.clear()
        self._begin_anew()

    def leave(self, seconds: float) -> None:
        """Be out of reach for a while; what is stored stays."""
        self._back_at = max(self._back_at, self._timeline.now) + timedelta(seconds=seconds)
        self.epoch += 1

    def come_back(self) -> None:
        self._back_at = self._timeline.now

    def settled(self) -> None:
        """The replica has all that was written so far: no failover forgets it."""
        self._writes.clear()

    def _info(self) -> bytes:
        return (
            f"# Server\r\nredis_version:7.2.4\r\nrun_id:{self.identity}\r\n"
            "# Memory\r\nmaxmemory_policy:noeviction\r\n"
            f"# Replication\r\nrole:master\r\nmaster_replid:{self.identity}\r\n"
        ).encode()

    def execute(self, socket: Any, commands: Sequence[Command], encode: Callable[[Any], bytes]) -> None:
        """Carry out what one connection sent in one go; its answers wait in the socket."""
        transaction = commands[0][0] == "MULTI"
        if transaction:
            commands = commands[1:-1]
            for reply in (OK, *[QUEUED] * len(commands)):
                socket.responses.put(reply)
            if socket._watch_notified:
                socket._clear_watches()
                socket.responses.put(None)
                return
        write, replies = Write([]), []
        for command in commands:
            fields = [encode(part) for part in command]
            name = fields[0].decode().upper()
            if name in WRITES:
                write.commands.append(command)
                for key in fields[1:] if name in ("DEL", "UNLINK") else fields[1:2]:
                    if key not in write.before:
                        write.before[key] = _copied(self.database._dict.get(key, _GONE))
            elif name not in READS:
                raise AssertionError(f"{name}: is that a write? say so in {__name__}")
            replies.append(self._reply(socket, name, fields[1:]))
        if transaction:
            socket._clear_watches()
            replies = [replies]
        for reply in replies:
            socket.responses.put(socket._decode_result(reply))
        if write.commands:
            self._writes.append(write)
            self._told(write)

    def _reply(self, socket: Any, name: str, arguments: list[bytes]) -> Any:
        """One command, without the queueing of a MULTI: nothing can come between its commands here anyway."""
        if name == "INFO":
            return self._info()
        function, signature = socket._name_to_func(name.lower())
        signature.check_arity(arguments, socket.version)
        with self.fake.lock:
            return socket._run_command(function, signature, arguments, False)

    def _begin_anew(self) -> None:
        self.epoch += 1
        self.identity = f"{next(self._numbers):040x}"


def _copied(item: Any) -> Any:
    """An item that later commands do not change: fakeredis' hashes, lists and sorted sets change in place."""
    if item is _GONE or isinstance(item.value, bytes):
        return item if item is _GONE else _item(item, item.value)
    value = copy(item.value)
    for name in ("_values", "_expirations", "_bylex", "_byscore"):
        if hasattr(value, name):
            setattr(value, name, getattr(value, name).copy())
    return _item(item, value)


def _item(like: Any, value: Any) -> Any:
    item = type(like)(value)
    item.expireat = like.expireat
    return item
