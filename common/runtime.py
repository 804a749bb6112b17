"""The composition root: the only module that creates collaborators and keeps the process's bot.

Imports everything but the functions.
"""

import gc
import logging
import os
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import redis
from flask import Request, Response
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.answers import json_response
from common.clock import Clock, SystemClock
from common.config import LOOPBACK_HOSTS, Settings, nearly_settings
from common.decimal_json import to_answer
from common.errors import ConfigurationError
from common.gcp import logs
from common.mexc.http import new_session
from common.mexc.wave import WIDTH
from common.run import Job
from common.service import Bot

log = logging.getLogger(__name__)


def redis_client(settings: Settings) -> "redis.Redis":
    """One client for a process. No retries: a write that timed out must not be sent again (platform.md §4.5)."""
    options: dict[str, Any] = {
        "protocol": 2,
        "driver_info": None,
        "decode_responses": True,
        # Bytes that are not UTF-8 are refused later, where their key is known.
        "encoding_errors": "surrogateescape",
        "socket_timeout": 2.0,
        "socket_connect_timeout": 2.0,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "max_connections": 20,
    }
    if settings.redis_ca:
        options |= {
            "ssl_ca_data": settings.redis_ca,
            "ssl_cert_reqs": "required",
            "ssl_check_hostname": False,
        }
    if settings.redis_url is not None:
        try:
            client = redis.Redis.from_url(settings.redis_url.get_secret_value(), **options)
            pool = client.connection_pool
            # An unknown option raises here, not at the first call.
            pool.connection_class(**pool.connection_kwargs)
        except (ValueError, TypeError, redis.RedisError):
            raise ConfigurationError("REDIS_URL: an option behind its ? is unknown or cannot be read") from None
        return client
    password = settings.redis_password
    return redis.Redis(
        host=settings.redis_host or "",
        port=settings.redis_port,
        password=password.get_secret_value() if password else None,
        ssl=settings.redis_ca is not None,
        **options,
    )


def build(environ: Mapping[str, str], clock: Clock | None = None) -> Bot:
    """Build a bot from an environment. Raises ConfigurationError, naming every offender."""
    settings = Settings.from_env(environ)
    logs.set_up(settings)
    for name, near in nearly_settings(environ).items():
        log.warning("%s is no setting and changes nothing%s", name, f": did you mean {near}?" if near else "")
    session = new_session(WIDTH, settings.https_proxy)
    pool = ThreadPoolExecutor(WIDTH, thread_name_prefix="exchange")
    return Bot(settings, clock or SystemClock(), redis_client(settings), session, random.SystemRandom(), pool)


_lock = Lock()
_bot: Bot | None = None


def install(bot: Bot | None) -> None:
    """Make `bot` the process's own: for a laptop run on a simulated clock, and for tests."""
    global _bot
    with _lock:
        _bot = bot


def process_bot() -> Bot:
    """The process's bot, built on first use. Raises ConfigurationError."""
    global _bot
    with _lock:
        if _bot is None:
            _bot = build(_without_real_orders(os.environ))
            gc.freeze()  # loaded modules stay, so the collector need not scan them again
            gc.set_threshold(2_000, 10, 10)
        return _bot


def _without_real_orders(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Off the platform a function only plans: real orders from a laptop need `python -m local`.

    An exchange on loopback is a simulated one, so its orders are allowed.
    """
    if environ.get("K_SERVICE") or environ.get("EXECUTION_MODE", "plan") == "plan":
        return environ
    settings = Settings.from_env(environ)
    if urlsplit(settings.mexc_base_url).hostname in LOOPBACK_HOSTS:
        return environ
    log.warning("EXECUTION_MODE=%s is not followed off the platform: plans only", settings.execution_mode)
    return {**environ, "EXECUTION_MODE": "plan"}


def serve(job: Job, request: Request) -> Response:
    """The entry point of each job."""
    return _served(job.task, lambda bot: bot.handle(job, request))


def serve_ops(request: Request) -> Response:
    """The entry point of the operator endpoint."""
    from common.ops import state as ops  # imported here: no job needs it

    return _served(ops.TASK, lambda bot: bot.handle_ops(request))


def _served(task: str, answer: Callable[[Bot], Response]) -> Response:
    try:
        bot = process_bot()
    except ConfigurationError as error:
        if os.environ.get("K_SERVICE"):
            logs.set_up_plainly(on_platform=True)
        log.critical("configuration: %s", error)
        body = {"status": "error", "task": task, "error": {"code": error.code, "message": str(error)}}
        return json_response(to_answer(body), 500)
    return answer(bot)
