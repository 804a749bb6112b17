"""A bot's stored state, read from outside: the Redis of REDIS_URL, with the settings of the environment."""

import argparse
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from common import runtime
from common.clock import SystemClock
from common.config import Settings
from common.errors import StoreError
from common.meter import Meter
from common.run import View
from common.store.errors import redis_errors
from common.store.keys import Keys
from common.store.store import Store
from local.refused import Refused

ANY = Keys("*", "*").position.removesuffix("position") + "*"
"""The keys of all bots."""
_BOT = re.compile(Keys("(.*?)", "([^:]+)").position.removesuffix("position"))


def configure(parser: argparse.ArgumentParser) -> None:
    """The options that say whose state is read."""
    symbol, prefix = os.environ.get("SYMBOL", "QRLUSDT"), os.environ.get("REDIS_KEY_PREFIX", "")
    parser.add_argument("--symbol", default=symbol, help="the pair, as SYMBOL (%(default)s)")
    parser.add_argument("--prefix", default=prefix, help="as REDIS_KEY_PREFIX; a played day's is simulated:")


@contextmanager
def stored(arguments: argparse.Namespace) -> Iterator[View]:
    """A view of a bot's state. Raises Refused without REDIS_URL, for an unknown bot, or for what cannot be read."""
    env = {**os.environ, "SYMBOL": arguments.symbol, "REDIS_KEY_PREFIX": arguments.prefix}
    if not (env.get("REDIS_URL") or env.get("REDIS_HOST")):
        raise Refused("REDIS_URL is not set: where the bot's state is, such as redis://127.0.0.1:6379/0")
    settings = Settings.from_env({"AUTH_MODE": "header", **env})
    clock = SystemClock()
    with runtime.redis_client(settings) as client:
        store = Store(client, Keys(settings.redis_key_prefix, settings.symbol), clock)
        try:
            _check_known(client, store.keys)
            yield View(settings, clock, store, Meter(), clock.now(), None)
        except StoreError as error:
            raise Refused(f"the stored state cannot be read: {error}") from None


def _check_known(client: "redis.Redis", keys: Keys) -> None:
    """Raises Refused if Redis holds nothing of this bot, naming those that it knows; StoreError."""
    with redis_errors():
        found = {(name[1], name[2]) for key in client.scan_iter(match=ANY, count=1000) if (name := _BOT.match(key))}
    if (keys.prefix, keys.symbol) in found:
        return
    bots = [f"{symbol} with {f'--prefix {prefix}' if prefix else 'no prefix'}" for prefix, symbol in sorted(found)]
    wanted = f"{keys.symbol} with {f'the prefix {keys.prefix}' if keys.prefix else 'no prefix'}"
    raise Refused(f"this Redis knows no bot for {wanted}; it knows {', '.join(bots) or 'none at all'}")
