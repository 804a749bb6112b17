"""All functions on one port: `/balance`, `/price`, …, each request handled by functions-framework."""

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from functions_framework import create_app
from werkzeug.serving import WSGIRequestHandler, make_server

from local.refused import Refused

ROOT = Path(__file__).parent.parent
REPORT = "ops"
"""The function that a browser sees at /."""
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def function_names() -> list[str]:
    """The functions of this bundle: the folders with an entry point."""
    return sorted(path.parent.name for path in (ROOT / "functions").glob("*/main.py"))


class Router:
    """A WSGI application that passes `/<function>/…` to that function's own framework application."""

    def __init__(self) -> None:
        self._apps: dict[str, WsgiApp] = {
            name: create_app(target=name, source=str(ROOT / "functions" / name / "main.py"))
            for name in function_names()
        }

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        name, _, rest = environ["PATH_INFO"].lstrip("/").partition("/")
        looks = environ["PATH_INFO"] == "/" and environ["REQUEST_METHOD"] == "GET"
        if looks and "text/html" in environ.get("HTTP_ACCEPT", ""):
            name = REPORT
        app = self._apps.get(name)
        if app is None:
            status = "200 OK" if looks else "404 Not Found"
            start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
            return [self._index().encode()]
        # If the framework knew the prefix, it would redirect /balance to /balance/.
        return app({**environ, "PATH_INFO": f"/{rest}"}, start_response)

    def _index(self) -> str:
        jobs = "\n".join(f"  /{name}" for name in self._apps if name != REPORT)
        return (
            f"jobs: GET shows what is stored, POST runs one\n{jobs}\n"
            f"the operator endpoint: /{REPORT} (the state), /{REPORT}/status, /{REPORT}/verify, /{REPORT}/report\n"
            "every call but a browser's says who it is: curl -H 'X-CloudScheduler: true' …\n"
            "in a browser / is the report\n"
        )


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, *_: Any, **__: Any) -> None:
        """Log nothing: the bot's own log shows the calls."""


@contextmanager
def serving(port: int) -> Iterator[str]:
    """The router on 127.0.0.1, in threads; its base URL. Raises Refused for a port that cannot be had."""
    try:
        listener = socket.create_server(("127.0.0.1", port), backlog=128)
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise Refused(f"PORT={port} cannot be had ({why}): PORT=n names another, PORT=0 any free one") from None
    except OverflowError:
        raise Refused(f"PORT={port}: a port is a number from 0 to 65535") from None
    with listener:  # the server has a descriptor of its own
        server = make_server(
            "127.0.0.1", port, Router(), threaded=True, request_handler=_Quiet, fd=listener.fileno()
        )
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
