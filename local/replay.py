"""Recompute every stored plan from the stored raw replies, and compare byte for byte (exit code 1: one differs).

It reads the Redis of REDIS_URL, with REDIS_KEY_PREFIX and SYMBOL from the environment unless they are given.
It writes nothing.
"""

import argparse

from common.store.keys import HISTORY_LIMIT
from common.trading.replay import replay
from local import stored


def configure(parser: argparse.ArgumentParser) -> None:
    stored.configure(parser)
    parser.add_argument("--limit", type=int, default=HISTORY_LIMIT, help="how many of the newest plans")


def main(arguments: argparse.Namespace) -> int:
    with stored.stored(arguments) as view:
        replayed = replay(view.store, view.meter, arguments.limit)
    print(replayed.summary)
    return 1 if replayed.different else 0
