"""Redis for a laptop: the one of REDIS_URL, a redis-server installed on the machine, or an embedded one."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import redis

from local.children import child
from local.refused import Refused


@contextmanager
def redis_for_run(
    url: str | None, state: Path | None = None, held: tuple[int, ...] = ()
) -> Iterator[tuple[str, str]]:
    """The URL, and a description of the server; whatever was started ends with the block.

    With `state` a redis-server keeps its data in that folder, which the descriptors `held` hold.
    Raises Refused if none can.
    """
    program = shutil.which("redis-server")
    if state and url:
        raise Refused("STATE keeps a Redis of its own in a folder, and REDIS_URL names another: give one of them")
    if state and not program:
        raise Refused("STATE needs a redis-server on this machine: the embedded Redis keeps nothing")
    if url:
        yield url, "the one of REDIS_URL"
        return
    kept = f", kept in {state}" if state else ""
    with _started(program, state, held) if program else _embedded() as port:
        yield f"redis://127.0.0.1:{port}/0", f"{program or 'embedded Redis (fakeredis)'}{kept}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _started(program: str, state: Path | None, held: tuple[int, ...]) -> Iterator[int]:
    port = free_port()
    with tempfile.TemporaryDirectory() as temporary:
        keep = ["--appendonly", "yes" if state else "no", "--save", ""]
        command = [program, "--port", str(port), "--bind", "127.0.0.1", *keep, "--dir", str(state or temporary)]
        with child(command, stdout=subprocess.DEVNULL, pass_fds=held) as process:
            _wait(port, process)
            yield port


@contextmanager
def _embedded() -> Iterator[int]:
    """An embedded server, for machines without a redis-server."""
    from fakeredis import TcpFakeServer

    class Prompt(TcpFakeServer):  # type: ignore[misc]
        def get_request(self) -> tuple[socket.socket, Any]:
            """Disable Nagle: a MULTI goes out in many small packets, and runs would wait for delayed ACKs."""
            connection, address = super().get_request()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection, address

    port = free_port()
    server = Prompt(("127.0.0.1", port), server_type="redis")
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield port
    finally:
        server.shutdown()
        server.server_close()


def _wait(port: int, process: "subprocess.Popen[str]") -> None:
    """Wait until the server responds: some hundredths of a second, longer if it loads stored data."""
    client = redis.Redis(port=port)
    for _ in range(1500):
        if process.poll() is not None:
            break
        try:
            client.ping()
            return
        except (redis.ConnectionError, redis.BusyLoadingError):
            time.sleep(0.02)
    raise Refused("redis-server did not start (a folder of STATE that it may not write to?)")
