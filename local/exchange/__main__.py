"""Run the simulated exchange: `python -m local.exchange --port 0 --seed 7 --start 2026-03-01`."""

import argparse
import pickle
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from local.exchange.amounts import read_plain
from local.exchange.config import BookShape, ExchangeConfig, RateLimit
from local.exchange.engine import KEPT
from local.exchange.exchange import SimulatedExchange
from local.exchange.server import ExchangeServer

_ENDS = (signal.SIGINT, signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        config, kept = _config(options), _kept(options.state)
        if kept:
            config = replace(config, start_ms=kept["start_ms"])
        exchange = SimulatedExchange(config, seed=options.seed)
        if kept:
            exchange.engine.go_on(kept)
        if options.start is not None:
            exchange.set_clock(options.start, frozen=options.frozen)
        # Blocked in all threads and awaited in this one: a handler might not run while a lock is awaited.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
        server = ExchangeServer(exchange, options.port)
        if kept:  # a killed run shall leave nothing outdated
            options.state.unlink()
    except (OSError, ValueError) as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 2
    with server:
        print(f"listening on {server.url}{' resumed' if kept else ''}", flush=True)
        signal.sigwait(_ENDS)
    if options.state:
        _keep(options.state, exchange)
    return 0


def _kept(state: Path | None) -> dict[str, Any]:
    """The state of an earlier run. Raises ValueError for a file that holds none."""
    if state is None or not state.exists():
        return {}
    try:
        kept: dict[str, Any] = pickle.loads(state.read_bytes())
        complete = {"start_ms", *KEPT} <= kept.keys()
    except (pickle.UnpicklingError, EOFError, ImportError, AttributeError, LookupError, TypeError, ValueError):
        complete = False
    if not complete:
        raise ValueError(f"--state: {state} holds no state of an earlier run")
    return kept


def _keep(state: Path, exchange: SimulatedExchange) -> None:
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_bytes(pickle.dumps({"start_ms": exchange.start_ms, **exchange.engine.kept()}))


def _config(options: argparse.Namespace) -> ExchangeConfig:
    shape = {"spread": options.spread, "notional_per_side": options.depth}
    return ExchangeConfig(
        symbol=options.symbol,
        start_ms=options.start,
        start_price=options.price,
        candles=options.candles,
        candles_from_ms=options.candles_from,
        balances=dict(options.balance) if options.balance else None,
        rate_limit=RateLimit(weight=options.rate_limit or None),
        book=BookShape(**{name: value for name, value in shape.items() if value is not None}),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.exchange", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=0, help="0 picks a free one")
    add("--seed", type=int, default=0)
    add("--symbol", default="QRLUSDT")
    add("--start", type=_moment, metavar="ISO", help="simulated start time (UTC unless it has an offset)")
    add("--frozen", action="store_true", help="with --start: time stands still until /sim/clock moves it")
    add("--price", type=_amount, help="price at the start; a candle file is scaled to it")
    add("--candles", type=Path, metavar="FILE", help="replay instead of the random walk")
    add("--candles-from", type=_moment, metavar="ISO", help="candle time that falls on the start")
    add("--spread", type=_fraction, metavar="FRACTION", help="between best bid and best ask, a share of the price")
    add("--depth", type=_amount, metavar="QUOTE", help="what each side of the book holds, in the quote asset")
    add(
        "--state",
        type=Path,
        metavar="FILE",
        help="continue from the state that an earlier run kept there, and keep it at the end",
    )
    add("--balance", type=_balance, action="append", metavar="ASSET=AMOUNT", help="may be repeated")
    add("--rate-limit", type=int, default=500, metavar="WEIGHT", help="per 10 s of simulated time; 0 is none")
    return parser


def _moment(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000)


def _amount(text: str) -> Decimal:
    amount = read_plain(text)
    if amount is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no plain decimal")
    return amount


def _fraction(text: str) -> Decimal:
    fraction = _amount(text)
    if fraction >= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no fraction below 1")
    return fraction


def _balance(text: str) -> tuple[str, Decimal]:
    asset, equals, amount = text.partition("=")
    if not asset or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not ASSET=AMOUNT")
    return asset, _amount(amount)


if __name__ == "__main__":
    sys.exit(main())
