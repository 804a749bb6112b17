"""The same work with ccxt and redis-py, as their users write it: account, ticker, book and fills, a plan stored.

Served by functions-framework as the bundle is, in an environment of its own (see others.py). RIVAL_ASYNC=true asks
for the four at once through ccxt's asyncio client, on a loop that lives as long as the process.
"""

import asyncio
import functools
import json
import os
import threading
from collections.abc import Sequence
from typing import Any

import functions_framework
import redis
from flask import Request, Response

TOGETHER = os.environ.get("RIVAL_ASYNC") == "true"
if TOGETHER:
    from ccxt.async_support import mexc  # type: ignore[import-not-found]
else:
    from ccxt import mexc  # type: ignore[import-not-found]

SYMBOL = "QRL/USDT"
TARGET, THRESHOLD, MINIMUM = 0.5, 0.01, 5.0


def exchange() -> Any:
    """A client for the simulated exchange, which has no derivatives and no list of currencies."""
    client = mexc(
        {
            "apiKey": os.environ["MEXC_API_KEY"],
            "secret": os.environ["MEXC_SECRET_KEY"],
            "enableRateLimit": False,
            "headers": {"Content-Type": "application/json"},
        }
    )
    client.has["fetchCurrencies"] = False
    client.fetch_swap_markets = _no_markets_async if TOGETHER else _no_markets
    client.urls["api"]["spot"] = dict.fromkeys(("public", "private"), os.environ["MEXC_BASE_URL"])
    return client


def _no_markets(_: Any = None) -> list[Any]:
    return []


async def _no_markets_async(_: Any = None) -> list[Any]:
    return []


EXCHANGE: Any = None
STORE = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)


@functools.cache
def loop() -> asyncio.AbstractEventLoop:
    """Begun with the first request: a thread of gunicorn's master would not be in its worker."""
    made = asyncio.new_event_loop()
    threading.Thread(target=made.run_forever, daemon=True).start()
    return made


async def _gathered() -> Sequence[Any]:
    global EXCHANGE
    if EXCHANGE is None:
        EXCHANGE = exchange()
        await EXCHANGE.load_markets()
    return await asyncio.gather(
        EXCHANGE.fetch_balance(),
        EXCHANGE.fetch_ticker(SYMBOL),
        EXCHANGE.fetch_order_book(SYMBOL, 20),
        EXCHANGE.fetch_my_trades(SYMBOL),
    )


def _one_by_one() -> Sequence[Any]:
    global EXCHANGE
    if EXCHANGE is None:
        EXCHANGE = exchange()
        EXCHANGE.load_markets()
    return [
        EXCHANGE.fetch_balance(),
        EXCHANGE.fetch_ticker(SYMBOL),
        EXCHANGE.fetch_order_book(SYMBOL, 20),
        EXCHANGE.fetch_my_trades(SYMBOL),
    ]


def plan(balance: Any, ticker: Any, book: Any, fills: Any) -> dict[str, Any]:
    """Constant mix, by the same rule."""
    quantity, cash, price = balance["QRL"]["total"], balance["USDT"]["total"], ticker["last"]
    value = quantity * price + cash
    delta = quantity * price - value * TARGET
    held = abs(delta) < MINIMUM or abs(delta) / value < THRESHOLD
    return {
        "action": "HOLD" if held else "SELL" if delta > 0 else "BUY",
        "quantity": 0 if held else abs(delta) / price,
        "price": price,
        "total_value_usdt": value,
        "best_bid": book["bids"][0][0],
        "bought": sum(fill["amount"] for fill in fills if fill["side"] == "buy"),
    }


@functions_framework.http  # type: ignore[untyped-decorator]
def rival(request: Request) -> Response:
    del request
    read = asyncio.run_coroutine_threadsafe(_gathered(), loop()).result() if TOGETHER else _one_by_one()
    made = plan(*read)
    pipe = STORE.pipeline(transaction=True)
    for name, answer in zip(("account", "ticker", "depth", "fills"), read, strict=True):
        text = json.dumps(answer)
        pipe.set(f"rival:{name}:latest", text)
        pipe.lpush(f"rival:{name}:history", text)
        pipe.ltrim(f"rival:{name}:history", 0, 999)
    pipe.set("rival:plan", json.dumps(made))
    pipe.execute()
    return Response(json.dumps({"status": "success", "plan": made}), 200, mimetype="application/json")
