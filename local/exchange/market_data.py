"""The present of a market in the exchange's own shapes: depth, last and best prices."""

from __future__ import annotations

import random
from decimal import Decimal

from local.exchange.amounts import fixed, plain
from local.exchange.clock import MINUTE_MS, SECOND_MS
from local.exchange.market import Level, Market
from local.exchange.price_path import Bar

Row = dict[str, object]


def depth(market: Market, now_ms: int, limit: int) -> Row:
    book = market.book(now_ms)
    decimals = market.rules.price_decimals

    def rows(levels: tuple[Level, ...]) -> list[list[str]]:
        listed = [[fixed(level.price, decimals), plain(level.quantity)] for level in levels[:limit]]
        if market.shape.shuffled:
            random.Random(now_ms).shuffle(listed)
        return listed

    update_id = now_ms // SECOND_MS * 1_000 + market.revision
    return {
        "lastUpdateId": update_id,
        "bids": rows(book.bids),
        "asks": rows(book.asks),
        "timestamp": now_ms,
    }


def price_ticker(market: Market, now_ms: int) -> Row:
    return {"symbol": market.symbol, "price": price_text(market, market.mid_price(now_ms))}


def book_ticker(market: Market, now_ms: int) -> Row:
    """Best levels; an empty side is null, as is to be expected of an illiquid pair."""
    book = market.book(now_ms)
    bid, ask = (book.bids[0] if book.bids else None), (book.asks[0] if book.asks else None)
    return {
        "symbol": market.symbol,
        "bidPrice": price_text(market, bid.price) if bid else None,
        "bidQty": plain(bid.quantity) if bid else None,
        "askPrice": price_text(market, ask.price) if ask else None,
        "askQty": plain(ask.quantity) if ask else None,
    }


def average_price(market: Market, now_ms: int) -> Row:
    bar = market.bar(now_ms - 5 * MINUTE_MS, now_ms + 1)
    price = market.mid_price(now_ms) if bar is None else market.round_price(typical(bar))
    return {"mins": 5, "price": price_text(market, price)}


def typical(bar: Bar) -> Decimal:
    return (bar.open + bar.high + bar.low + bar.close) / 4


def quote_volume(market: Market, bar: Bar) -> str:
    return plain((bar.volume * typical(bar)).quantize(market.rules.tick))


def price_text(market: Market, price: Decimal) -> str:
    """Pad to the tick; a pinned price is shown exactly as it was given."""
    return format(price, "f") if price == market.pinned else fixed(price, market.rules.price_decimals)
