"""The simulated exchange on a loopback port: HTTP/1.1 with keep-alive, one thread a connection."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from typing import Any, Self

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from local.exchange.answers import ConnectionDropped
from local.exchange.exchange import SimulatedExchange

_LOOPBACK = "127.0.0.1"
# Close at once and send a reset: what a client sees when the other side has gone.
_RESET = struct.pack("ii", 1, 0)


class _Handler(WSGIRequestHandler):
    protocol_version = default_request_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet
    server: "_Server"

    def setup(self) -> None:
        super().setup()
        with self.server.guard:
            self.server.connections.add(self.connection)

    def finish(self) -> None:
        with self.server.guard:
            self.server.connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def parse_request(self) -> bool:
        """Refuse what a lenient parser would guess at."""
        if not super().parse_request():
            return False
        if self.headers.defects or "Transfer-Encoding" in self.headers:
            self.send_error(400)
            return False
        return True

    def connection_dropped(self, *_: Any) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.connection.close()
        self.close_connection = True

    def log(self, *_: Any, **__: Any) -> None:
        """The exchange counts its requests itself."""


class _Server(ThreadedWSGIServer):
    def __init__(self, exchange: SimulatedExchange, port: int) -> None:
        self.connections: set[socket.socket] = set()
        self.guard = threading.Lock()

        def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            headers = {name[5:].replace("_", "-"): value for name, value in environ.items() if name[:5] == "HTTP_"}
            headers["content-type"] = environ.get("CONTENT_TYPE", "")
            try:
                response = exchange.handle(
                    environ["REQUEST_METHOD"],
                    environ["PATH_INFO"],
                    environ["QUERY_STRING"].encode("latin-1"),
                    headers,
                    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)),
                    client=environ["REMOTE_ADDR"],
                )
            except ConnectionDropped:
                raise ConnectionResetError from None
            length = str(len(response.body))
            start_response(f"{response.status} -", [*response.headers.items(), ("Content-Length", length)])
            return [response.body]

        super().__init__(_LOOPBACK, port, app, handler=_Handler)


class ServerHandle:
    """A running server; close it, or use it in a `with` statement."""

    def __init__(self, exchange: SimulatedExchange, port: int) -> None:
        self.exchange = exchange
        self._server = _Server(exchange, port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="exchange", daemon=True
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
