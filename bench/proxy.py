"""A TCP proxy that delays: `python -m bench.proxy <host:port> <ms>`. What passes takes so long each way.

Threads and absolute times, not an event loop: the timers of epoll are whole milliseconds. Each direction of a
connection has a reader, which stamps what arrives, and a sender, which lets it go when its time has come, so a
long answer in many pieces is delayed once. `turns` on standard input answers the round trips so far: how often
a client began to speak after the server had.
"""

import contextlib
import socket
import sys
import time
from queue import SimpleQueue
from threading import Lock, Thread

PIECE = 1 << 16


class Turns:
    """Counts round trips over all connections."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = Lock()

    def add(self) -> None:
        with self._lock:
            self.count += 1


class Connection:
    """One client's connection and its twin to the server."""

    def __init__(self, client: socket.socket, server: socket.socket, delay: float, turns: Turns) -> None:
        self._delay = delay
        self._turns = turns
        self._client_spoke = False
        for side in (client, server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ended: list[socket.socket] = []
        self._carry(client, server, from_client=True)
        self._carry(server, client, from_client=False)

    def _carry(self, source: socket.socket, sink: socket.socket, *, from_client: bool) -> None:
        due: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
        Thread(target=self._read, args=(source, due, from_client), daemon=True).start()
        Thread(target=self._send, args=(sink, due), daemon=True).start()

    def _read(self, source: socket.socket, due: "SimpleQueue[tuple[float, bytes]]", from_client: bool) -> None:
        piece = b"first"
        while piece:
            try:
                piece = source.recv(PIECE)
            except OSError:
                piece = b""
            due.put((time.monotonic() + self._delay, piece))
            if piece:
                if from_client and not self._client_spoke:
                    self._turns.add()
                self._client_spoke = from_client

    def _send(self, sink: socket.socket, due: "SimpleQueue[tuple[float, bytes]]") -> None:
        """Pass on until the source's end, which is passed on as well; the second of the two ends closes both."""
        with contextlib.suppress(OSError):
            while True:
                moment, piece = due.get()
                time.sleep(max(moment - time.monotonic(), 0))
                if not piece:
                    sink.shutdown(socket.SHUT_WR)
                    break
                sink.sendall(piece)
        self._ended.append(sink)
        if len(self._ended) == 2:
            for side in self._ended:
                side.close()


def overshoot(seconds: float = 0.001) -> float:
    """How much longer than asked a sleep takes on this machine: taken off the delay."""
    late = []
    for _ in range(50):
        start = time.monotonic()
        time.sleep(seconds)
        late.append(time.monotonic() - start - seconds)
    return sorted(late)[len(late) // 2]


def serve(host: str, port: int, delay: float, turns: Turns) -> socket.socket:
    """Listen on a free loopback port, in threads, until the listener is shut down."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((host, port))
            except OSError:
                client.close()
                continue
            Connection(client, server, delay, turns)

    Thread(target=accept, daemon=True).start()
    return listener


def main() -> None:
    target, milliseconds = sys.argv[1:]
    host, _, port = target.rpartition(":")
    turns = Turns()
    delay = max(float(milliseconds) / 1000 - overshoot(), 0.0)
    listener = serve(host, int(port), delay, turns)
    print(f"listening on {listener.getsockname()[1]}", flush=True)
    for _ in sys.stdin:
        print(turns.count, flush=True)


if __name__ == "__main__":
    main()
