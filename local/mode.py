"""Whether a bot on this machine may place orders: never on a real exchange by accident."""

import argparse
import sys
from collections.abc import Callable, Mapping

from local.refused import Refused
from local.simulation import PREFIX


def execution_mode(
    arguments: argparse.Namespace,
    environ: Mapping[str, str],
    ask: Callable[[str], str] = input,
    on_terminal: Callable[[], bool] = sys.stdin.isatty,
) -> str:
    """The EXECUTION_MODE to run with. That of the environment counts only for the simulated exchange.

    Raises Refused for contradicting options, or for real orders that nobody confirmed.
    """
    if not arguments.exchange:
        if arguments.live_for_real:
            raise Refused(
                "LIVE_FOR_REAL=1 goes with --exchange (EXCHANGE=…); LIVE=1 orders in the simulated exchange"
            )
        return "live" if arguments.live else environ.get("EXECUTION_MODE", "plan")
    if arguments.live:
        raise Refused(
            "LIVE=1 (--live) is for the simulated exchange; real orders need LIVE_FOR_REAL=1 (--live-for-real)"
        )
    if environ.get("REDIS_KEY_PREFIX", "").startswith(PREFIX):
        raise Refused(f"REDIS_KEY_PREFIX={PREFIX}… is the simulation's: a real exchange's state goes elsewhere")
    if not arguments.live_for_real:
        return "plan"
    if not environ.get("REDIS_URL"):
        raise Refused(
            "LIVE_FOR_REAL=1 needs a Redis that stays (REDIS_URL or STATE): without its state orders are forgotten"
        )
    if not on_terminal():
        raise Refused("LIVE_FOR_REAL=1 (--live-for-real) is confirmed on a terminal, and there is none here")
    symbol = environ.get("SYMBOL", "QRLUSDT")
    if ask(f"Real orders in {symbol} at {arguments.exchange}. Type {symbol} to go on: ").strip() != symbol:
        raise Refused("not confirmed: nothing was started")
    return "live"
