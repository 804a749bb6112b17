"""What `run` and `serve` share: a Redis, an exchange, and a bot built for both."""

import argparse
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from pathlib import Path

import redis
from rich.console import Console

from common import runtime
from common.clock import Clock
from common.config import Settings
from common.decimals import plain
from common.service import Bot
from local.candles.files import load
from local.candles.formats import CandleFileError
from local.candles.series import Candles
from local.children import orderly_end
from local.mode import execution_mode
from local.redis_server import redis_for_run
from local.refused import Refused
from local.simulation import CREDENTIALS, ROOT, Simulation, settings_of_keys, simulated_exchange, start_fresh
from local.state_folder import held

DAY = datetime(2026, 1, 5, tzinfo=UTC)
"""When a played day starts without a candle file."""
START_PRICE = Decimal("0.02")
LEAST_PRICE, MOST_PRICE = Decimal("0.0001"), Decimal(10**9)
"""Of the simulated pair: a hundred steps of its price, and where its quantities become too fine to be shown."""
MOST = Decimal(10**15)
"""The largest amount."""
BASE_VALUE, QUOTE = Decimal(520), Decimal(480)
"""The account's default holdings: two percent above the target, so that the first plan has something to do."""


def _amount(text: str) -> Decimal:
    """An amount given as an option. Raises ArgumentTypeError."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not (amount.is_finite() and 0 <= amount <= MOST):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no amount: a decimal number from 0 to {plain(MOST)} is wanted"
        )
    return amount


def _fraction(text: str) -> Decimal:
    """A fraction given as an option. Raises ArgumentTypeError."""
    fraction = _amount(text)
    if fraction >= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no fraction below 1: half a per cent is 0.005")
    return fraction


def _depth(text: str) -> Decimal:
    """What a side of the book holds. Raises ArgumentTypeError."""
    depth = _amount(text)
    if depth < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no order book: each side holds at least 1 of the quote asset"
        )
    return depth


def configure(parser: argparse.ArgumentParser) -> None:
    """The options that `run` and `serve` share. Settings come from the environment."""
    add = parser.add_argument
    add("--candles", type=Path, metavar="FILE", help="replay this candle file, in any common format")
    add("--seed", type=int, default=7, help="of the price path and the order book")
    add("--price", type=_amount, default=START_PRICE, help="at the start; a candle file is scaled to it")
    add("--base", type=_amount, help="base asset that the account holds at the start (worth 520)")
    add("--quote", type=_amount, default=QUOTE, help="quote asset that it holds (480)")
    add("--spread", type=_fraction, help="of the simulated book, a fraction of the price (0.001)")
    add("--depth", type=_depth, help="of each side of the simulated book, in the quote asset (2000)")
    add("--live", action="store_true", help="place orders, in the simulated exchange")
    add("--exchange", metavar="URL", help="read this exchange instead of the simulated one")
    add("--live-for-real", action="store_true", help="with --exchange: place real orders, confirmed on a terminal")


def console() -> Console:
    """A console that shows texts unchanged: a reason or a key is not markup."""
    return Console(highlight=False, markup=False, emoji=False)


def candles(arguments: argparse.Namespace) -> Candles | None:
    """The requested candle file. Raises Refused."""
    if not arguments.candles:
        return None
    try:
        return load(arguments.candles)
    except CandleFileError as error:
        raise Refused(f"CANDLES: {error}") from None
    except OSError as error:
        raise Refused(f"CANDLES={arguments.candles} cannot be read: {error.strerror}") from None


def first_minute(candles: Candles | None) -> datetime:
    """When a played day starts: at the first whole minute of the candle file, or on a fixed day."""
    return candles.start.replace(second=0, microsecond=0) if candles else DAY


@contextmanager
def set_up(
    arguments: argparse.Namespace, console: Console, start: datetime | None = None, state: Path | None = None
) -> Iterator[tuple[dict[str, str], Simulation | None]]:
    """The environment to build the bot from, and the simulated exchange unless a real one is wanted.

    A simulation runs from `start` on, or in real time. `state` is a folder in which Redis keeps its data.
    Everything that was started ends with the block. Raises Refused, ConfigurationError.
    """
    kept = {"REDIS_URL": "redis://kept.invalid/0"} if state else {}
    mode = execution_mode(arguments, {**os.environ, **kept})
    env = {**os.environ, "AUTH_MODE": "header", "EXECUTION_MODE": mode}
    settings = _checked(env, arguments)
    redis_url = os.environ.get("REDIS_URL")
    with orderly_end(), held(state) as lock, redis_for_run(redis_url, state, lock) as (url, kind):
        console.print(f"Redis: {kind}")
        env["REDIS_URL"] = url
        if arguments.exchange:
            console.print(f"exchange: {arguments.exchange}, with the keys of the environment")
            if mode == "plan" != os.environ.get("EXECUTION_MODE", "plan"):
                console.print("EXECUTION_MODE of the environment is not followed on this machine: plans only")
            yield {**env, "MEXC_BASE_URL": arguments.exchange}, None
            return
        env |= settings_of_keys(os.environ)
        with _simulation(arguments, console, settings, start, state, lock) as simulation:
            if not simulation.resumed:
                _start_fresh(url, env)
            yield env | {"MEXC_BASE_URL": simulation.url, **CREDENTIALS}, simulation


def install(env: Mapping[str, str], clock: Clock) -> Bot:
    """Build the process's bot from an environment."""
    bot = runtime.build(env, clock)
    runtime.install(bot)
    return bot


def log_to(file: Path) -> None:
    """Write the bot's log into a file instead of the terminal."""
    root = logging.getLogger()
    handler = logging.FileHandler(file, mode="w", encoding="utf-8")
    handler.setFormatter(root.handlers[0].formatter)
    root.handlers[:] = [handler]


def results() -> Path:
    """The folder for the results of a run: `build`, or a temporary one where that is not writable."""
    folder = ROOT / "build"
    try:
        folder.mkdir(exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="rebalancing-"))


def _checked(env: Mapping[str, str], arguments: argparse.Namespace) -> Settings:
    """The settings, checked before anything is started. Raises ConfigurationError, Refused."""
    somewhere = {"REDIS_URL": "redis://127.0.0.1:6379/0", "MEXC_BASE_URL": "http://127.0.0.1", **CREDENTIALS}
    if arguments.exchange:
        somewhere = {"REDIS_URL": somewhere["REDIS_URL"], "MEXC_BASE_URL": arguments.exchange}
    settings = Settings.from_env({**somewhere, **env, **somewhere, **_given("REDIS_URL")})
    if not arguments.exchange and settings.instrument.quote != "USDT":
        raise Refused(
            f"SYMBOL={settings.symbol}: the simulated exchange has pairs against USDT; EXCHANGE=… reads another"
        )
    if not arguments.exchange and not LEAST_PRICE <= arguments.price <= MOST_PRICE:
        price, least, most = map(plain, (arguments.price, LEAST_PRICE, MOST_PRICE))
        raise Refused(f"PRICE={price}: the simulated pair trades from {least} to {most}")
    return settings


def _given(name: str) -> dict[str, str]:
    return {name: os.environ[name]} if name in os.environ else {}


def _start_fresh(url: str, env: Mapping[str, str]) -> None:
    try:
        with redis.Redis.from_url(url, decode_responses=True) as client:
            start_fresh(client, env)
    except (redis.RedisError, ValueError) as error:
        raise Refused(f"the Redis of REDIS_URL cannot be used ({type(error).__name__})") from None


@contextmanager
def _simulation(
    arguments: argparse.Namespace,
    console: Console,
    settings: Settings,
    start: datetime | None,
    state: Path | None,
    lock: tuple[int, ...],
) -> Iterator[Simulation]:
    """A simulated exchange whose account holds coins bought the day before."""
    base, price = arguments.base, arguments.price
    if base is None:
        base = (BASE_VALUE / price).quantize(Decimal("0.0001"), ROUND_FLOOR)
    options = ["--seed", str(arguments.seed), "--symbol", settings.symbol, "--price", plain(price)]
    options += ["--rate-limit", "0" if start else "500"]
    options += ["--start", start.isoformat()] if start else []
    options += ["--state", str(state / "exchange")] if state else []
    if arguments.candles:
        begin = start or first_minute(candles(arguments))
        options += ["--candles", str(arguments.candles.resolve()), "--candles-from", begin.isoformat()]
        console.print(f"prices: {arguments.candles.name}, scaled so that the first is {plain(price)} USDT")
    for name in ("spread", "depth"):
        if (value := getattr(arguments, name)) is not None:
            options += [f"--{name}", plain(value)]
    for asset, amount in ((settings.instrument.base, base), ("USDT", arguments.quote)):
        options += ["--balance", f"{asset}={plain(amount)}"]
    with simulated_exchange(options, lock) as exchange:
        if base and not exchange.resumed:
            exchange.bought(plain(base), plain(price), (start or datetime.now(UTC)) - timedelta(days=1))
        console.print(f"exchange: simulated, a program of its own at {exchange.url}")
        yield exchange
