"""The simulated exchange on a loopback port: HTTP/1.1 with keep-alive, one thread a connection.

Requests are parsed by hand: the standard library's header parser alone costs more than the exchange does.
"""

from __future__ import annotations

import contextlib
import io
import socket
import socketserver
import struct
import threading
from http import HTTPStatus
from typing import Self
from urllib.parse import unquote

from local.exchange.answers import ConnectionDropped, Response
from local.exchange.exchange import SimulatedExchange

_LOOPBACK = "127.0.0.1"
_MAX_LINE = 65_536
_MAX_HEADERS = 100
_MAX_BODY = 8 * 1024 * 1024
# Close at once and send a reset: what a client sees when the other side has gone.
_RESET = struct.pack("ii", 1, 0)


class _BadRequest(Exception):
    """The bytes received are no HTTP request this server reads."""


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, exchange: SimulatedExchange, port: int) -> None:
        self.exchange = exchange
        self.connections: set[socket.socket] = set()
        self.guard = threading.Lock()
        super().__init__((_LOOPBACK, port), _Handler)


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        with self.server.guard:
            self.server.connections.add(self.connection)
        try:
            # A client that goes away in the middle is nobody's error.
            with contextlib.suppress(ConnectionError, TimeoutError):
                while self._one():
                    pass
        finally:
            with self.server.guard:
                self.server.connections.discard(self.connection)

    def _one(self) -> bool:
        """Answer one request; tell whether the connection stays open."""
        try:
            request = _read(self.rfile)
        except _BadRequest as error:
            self.wfile.write(_rendered(Response(400, {"Content-Type": "text/plain"}, str(error).encode())))
            return False
        if request is None:
            return False
        method, target, headers, body = request
        path, _, query = target.partition(b"?")
        try:
            response = self.server.exchange.handle(
                method, unquote(path.decode("latin-1")), query, headers, body, client=self.client_address[0]
            )
        except ConnectionDropped:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.connection.close()
            return False
        self.wfile.write(_rendered(response))
        return headers.get("connection", "").lower() != "close"


class ServerHandle:
    """A running server; close it, or use it in a `with` statement."""

    def __init__(self, exchange: SimulatedExchange, port: int) -> None:
        self.exchange = exchange
        self._server = _Server(exchange, port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="exchange", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{_LOOPBACK}:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        with self._server.guard:
            for connection in self._server.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(exchange: SimulatedExchange, port: int = 0) -> ServerHandle:
    """Serve on 127.0.0.1 in threads of this process; port 0 picks a free one."""
    return ServerHandle(exchange, port)


def _read(stream: io.BufferedIOBase) -> tuple[str, bytes, dict[str, str], bytes] | None:
    """Read one request: method, target, headers in lower case, body; None at the end of the connection."""
    line = stream.readline(_MAX_LINE)
    while line in (b"\r\n", b"\n"):
        line = stream.readline(_MAX_LINE)
    if not line:
        return None
    parts = line.split()
    if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
        raise _BadRequest("request line")
    headers: dict[str, str] = {}
    for _ in range(_MAX_HEADERS):
        line = stream.readline(_MAX_LINE)
        if line in (b"\r\n", b"\n"):
            break
        name, colon, value = line.partition(b":")
        if not colon:
            raise _BadRequest("header")
        headers[name.decode("latin-1").strip().lower()] = value.decode("latin-1").strip()
    else:
        raise _BadRequest("too many headers")
    if parts[2] == b"HTTP/1.0":
        headers["connection"] = "close"
    if "transfer-encoding" in headers:
        raise _BadRequest("no transfer encodings here")
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > _MAX_BODY:
        raise _BadRequest("content length")
    body = stream.read(int(length)) if length != "0" else b""
    return parts[0].decode("latin-1"), parts[1], headers, body


def _rendered(response: Response) -> bytes:
    """Write status line, headers and body as one piece, so that they leave in one packet."""
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {response.status} {phrase}", f"Content-Length: {len(response.body)}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + response.body
