"""Redis for a laptop: the one of REDIS_URL, a redis-server found on the machine, or an embedded one."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import redis


@contextmanager
def redis_for_run(url: str | None) -> Iterator[tuple[str, str]]:
    """The URL, and in words what answers there; what was started is ended again."""
    if url:
        yield url, "Redis of REDIS_URL"
        return
    program = shutil.which("redis-server")
    with _started(program) if program else _embedded() as port:
        yield f"redis://127.0.0.1:{port}/0", program or "embedded Redis (fakeredis)"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _started(program: str) -> Iterator[int]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        process = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)
        try:
            _wait(port)
            yield port
        finally:
            process.terminate()
            process.wait()


@contextmanager
def _embedded() -> Iterator[int]:
    """Imported here only: it is for machines without a redis-server."""
    from fakeredis import TcpFakeServer

    class Prompt(TcpFakeServer):  # type: ignore[misc]
        def get_request(self) -> tuple[socket.socket, Any]:
            """It answers a MULTI in many small packets: without this each run would wait for delayed ACKs."""
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


def _wait(port: int) -> None:
    """Until the server answers; its start takes some hundredths of a second."""
    client = redis.Redis(port=port)
    for _ in range(500):
        try:
            client.ping()
            return
        except redis.ConnectionError:
            time.sleep(0.02)
    raise RuntimeError("redis-server did not start")
