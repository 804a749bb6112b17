"""`price` (update-price): store the 24 h ticker in Redis; works without exchange keys (contract.md §2.2)."""

import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from common.decimals import places, quotient, tidy
from common.mexc.parse import Ticker
from common.run import Job, Outcome, Run, View, age_seconds
from common.store.codec import from_document, to_document
from common.store.documents import LastPrice
from common.store.keys import PRICE_CACHE_SECONDS, CacheKeys

log = logging.getLogger(__name__)


def run(run: Run) -> Outcome:
    with run.stage("gather"):
        answer = run.exchange.ticker_24hr()
    ticker = answer.value
    run.batch.raw(answer.reply)
    price = {"price": ticker.last_price, "volume": ticker.volume, "timestamp": run.now}
    run.batch.price(price, run.now)
    _cache_ticker(run, answer.reply.text)
    log.info(_sentence(ticker))
    return Outcome(body={"data": _data(ticker)})


def _cache_ticker(run: Run, text: str) -> None:
    key = run.cache.full_key(CacheKeys.ticker(run.instrument.pair))
    run.batch.set(key, run.cache.sealed(text), seconds=run.cache.ttl("ticker"))


def _data(ticker: Ticker) -> dict[str, Decimal | None]:
    bid, ask = ticker.bid_price, ticker.ask_price
    return {
        "price": ticker.last_price,
        "volume_24h": ticker.volume,
        "price_change": ticker.change,
        "price_change_percent": tidy(ticker.change_fraction * 100),
        "high_24h": ticker.high_price,
        "low_24h": ticker.low_price,
        "quote_volume": ticker.quote_volume,
        "open_price": ticker.open_price,
        "weighted_avg_price": _weighted_average(ticker),
        "prev_close_price": ticker.previous_close,
        "bid_price": bid,
        "ask_price": ask,
        "spread": ask - bid if bid is not None and ask is not None else None,
    }


def _weighted_average(ticker: Ticker) -> Decimal | None:
    """Quote volume over volume: MEXC sends no weighted average of its own. None when either is missing."""
    if not ticker.quote_volume or not ticker.volume:
        return None
    return quotient(ticker.quote_volume, ticker.volume)


def _sentence(ticker: Ticker) -> str:
    return (
        f"[Cloud Task] Price updated - Price: {places(ticker.last_price, 6)}, "
        f"Change: {places(ticker.change_fraction * 100, 2)}%, Volume: {places(ticker.volume, 2)}, "
        f"24h High/Low: {places(ticker.high_price, 6)}/{places(ticker.low_price, 6)}"
    )


def show(view: View) -> Mapping[str, Any] | None:
    """The cached price, else the permanent one. The age is checked too, in case the key has not expired."""
    keys = {"cache": view.keys.price_cached, "permanent": view.keys.price_latest}
    found = view.store.read({source: ("GET", key) for source, key in keys.items()}, view.meter)
    for source, document in found.items():
        if document is not None:
            price = from_document(LastPrice, document, keys[source])
            age = age_seconds(document["timestamp"], view.now)
            if source == "permanent" or (age is not None and age < PRICE_CACHE_SECONDS):
                return {"data": to_document(price) | {"source": source, "age_seconds": age}}
    return None


JOB = Job(
    name="price",
    task="update-price",
    scope="price",
    run=run,
    show=show,
    writes=("price",),
)
