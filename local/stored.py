"""A bot's stored state, read from outside: the Redis of REDIS_URL, with the settings of the environment."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from common import runtime
from common.clock import SystemClock
from common.config import Settings
from common.errors import StoreError
from common.meter import Meter
from common.run import View
from common.store.keys import Keys
from common.store.store import Store
from local.refused import Refused


@contextmanager
def stored(environ: Mapping[str, str] | None = None) -> Iterator[View]:
    """A view of the stored state. Raises Refused without REDIS_URL, or when the state cannot be read."""
    env = os.environ if environ is None else environ
    if not (env.get("REDIS_URL") or env.get("REDIS_HOST")):
        raise Refused("REDIS_URL is not set: where the bot's state is, such as redis://127.0.0.1:6379/0")
    settings = Settings.from_env({"AUTH_MODE": "header", **env})
    clock = SystemClock()
    with runtime.redis_client(settings) as client:
        store = Store(client, Keys(settings.redis_key_prefix, settings.symbol), clock)
        try:
            yield View(settings, clock, store, Meter(), clock.now(), None)
        except StoreError as error:
            raise Refused(f"the stored state cannot be read: {error}") from None
