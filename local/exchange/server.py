"""The simulated exchange on a loopback port: HTTP/1.1 with keep-alive, one thread per connection."""

import contextlib
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any

from local.exchange.answers import ConnectionDropped
from local.exchange.exchange import SimulatedExchange

# Close at once and send a reset: what a client sees when the other side has gone.
_RESET = struct.pack("ii", 1, 0)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = default_request_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet
    server: "ExchangeServer"

    def parse_request(self) -> bool:
        """Refuse what a lenient parser would guess."""
        if not super().parse_request():
            return False
        if self.headers.defects or "Transfer-Encoding" in self.headers:
            self.send_error(400)
            return False
        return True

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            response = self.server.exchange.handle(
                self.command,
                path,
                query.encode("latin-1"),
                dict(self.headers),
                body,
                client=self.client_address[0],
            )
        except ConnectionDropped:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.connection.close()
            self.close_connection = True
            return
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def log_message(self, *_: Any) -> None:
        """Log nothing: the exchange counts its requests itself."""


class ExchangeServer(ThreadingTCPServer):
    """An exchange served on 127.0.0.1 in threads of this process; close it, or use it in a `with` statement.

    Port 0 picks a free one.
    """

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, exchange: SimulatedExchange, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.exchange = exchange
        self.port: int = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._connections: set[Any] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="exchange", daemon=True)
        self._thread.start()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Handle a connection's requests until it ends; a client may disconnect at any time."""
        with contextlib.suppress(ConnectionError):
            super().finish_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def close(self) -> None:
        """Stop listening, and end open connections and their threads."""
        self.shutdown()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
        self._thread.join()

    def __exit__(self, *_: object) -> None:
        self.close()
