"""Many bots in one server: `gunicorn 'bench.fleet:application()'`.

BENCH_SYMBOLS names the bots, `/<symbol>/<job>` calls one. Every bot has settings and a key prefix of its own; what
a process has once (the connections to Redis and to the exchange, the pool of its calls) they share.
"""

import os
import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Request, Response

from common import runtime
from common.clock import SystemClock
from common.config import Settings
from common.gcp import logs
from common.mexc.http import new_session
from common.ops import views
from common.service import Bot

CALLS_AT_ONCE = 48


def prefix_of(symbol: str) -> str:
    return f"bots:{symbol.lower()}:"


def bots(symbols: Iterable[str]) -> dict[str, Bot]:
    """One bot for each symbol, all from this process's environment."""
    environ = dict(os.environ)
    client = runtime.redis_client(Settings.from_env(environ))
    session = new_session(CALLS_AT_ONCE)
    pool = ThreadPoolExecutor(CALLS_AT_ONCE)
    made = {}
    for symbol in symbols:
        settings = Settings.from_env(environ | {"SYMBOL": symbol, "REDIS_KEY_PREFIX": prefix_of(symbol)})
        made[symbol] = Bot(settings, SystemClock(), client, session, random.SystemRandom(), pool)
    logs.set_up(Settings.from_env(environ))
    return made


def application() -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """The WSGI application of one worker."""
    served = bots(os.environ["BENCH_SYMBOLS"].split())

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        symbol, _, name = environ["PATH_INFO"].strip("/").partition("/")
        job = views.job(name)
        if symbol not in served or job is None:
            return Response("no such bot or job", 404)(environ, start_response)
        return served[symbol].handle(job, Request(environ))(environ, start_response)

    return answer
