"""A market in the exchange's own formats: depth, tickers, klines, trades. Past data is cached."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from itertools import islice

from local.exchange.amounts import ZERO, fixed, floor_to, plain
from local.exchange.clock import DAY_MS, MINUTE_MS, SECOND_MS
from local.exchange.config import Row
from local.exchange.market import Level, Market
from local.exchange.price_path import Bar

_PERCENT = Decimal("0.0001")
_TRADE_GAP_MS = 20 * SECOND_MS
_KEPT = 20_000
# The width of a bar in minutes; for a month that of the longest.
_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "60m": 60, "4h": 240, "1d": 1_440, "1W": 10_080, "1M": 44_640}
INTERVALS_MS = {name: minutes * MINUTE_MS for name, minutes in _MINUTES.items()}
# The epoch was a Thursday; weeks are assumed to open on Monday.
_MONDAY_MS = 4 * DAY_MS


class MarketData:
    """Renders one market; klines and trades are cached until rules or pins change."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._day_key: tuple[int, int] | None = None
        self._day: Bar | None = None
        self._kline = lru_cache(_KEPT)(self._made_kline)
        self._trade = lru_cache(_KEPT)(self._made_trade)

    def depth(self, now_ms: int, limit: int) -> Row:
        market, book = self._market, self._market.book(now_ms)

        def rows(levels: tuple[Level, ...]) -> list[list[str]]:
            decimals = market.rules.price_decimals
            listed = [[fixed(level.price, decimals), plain(level.quantity)] for level in levels[:limit]]
            if market.shape.shuffled:
                random.Random(now_ms).shuffle(listed)
            return listed

        update_id = now_ms // SECOND_MS * 1_000 + market.revision
        return {"lastUpdateId": update_id, "bids": rows(book.bids), "asks": rows(book.asks), "timestamp": now_ms}

    def price(self, now_ms: int) -> Row:
        return {"symbol": self._market.symbol, "price": self._text(self._market.mid_price(now_ms))}

    def best(self, now_ms: int) -> Row:
        """Best levels; an empty side is null, as can be expected for an illiquid pair."""
        book = self._market.book(now_ms)
        row: Row = {"symbol": self._market.symbol}
        for side, levels in (("bid", book.bids), ("ask", book.asks)):
            row[f"{side}Price"] = self._text(levels[0].price) if levels else None
            row[f"{side}Qty"] = plain(levels[0].quantity) if levels else None
        return row

    def ticker(self, now_ms: int, *, bare: bool) -> Row:
        """The 24 h ticker; `bare` omits quantities and quote volume, like the documented list."""
        market = self._market
        key = (now_ms // MINUTE_MS, market.revision)
        if key != self._day_key:
            self._day_key, self._day = key, market.bar(now_ms - DAY_MS, now_ms + 1)
        last = market.mid_price(now_ms)
        bar = self._day or Bar(last, last, last, last, ZERO)
        best = self.best(now_ms)
        change, price = last - bar.open, market.rules.price_decimals
        return {
            "symbol": market.symbol,
            "priceChange": fixed(change, price),
            "priceChangePercent": plain((change / bar.open).quantize(_PERCENT, ROUND_HALF_EVEN)),
            "prevClosePrice": fixed(bar.open, price),
            "lastPrice": self._text(last),
            "bidPrice": best["bidPrice"],
            "bidQty": "" if bare else best["bidQty"],
            "askPrice": best["askPrice"],
            "askQty": "" if bare else best["askQty"],
            "openPrice": fixed(bar.open, price),
            "highPrice": fixed(max(bar.high, last), price),
            "lowPrice": fixed(min(bar.low, last), price),
            "volume": plain(bar.volume),
            "quoteVolume": None if bare else self._quote_volume(bar),
            # The real one spans seconds, not the 24 hours.
            "openTime": now_ms - 19_023,
            "closeTime": now_ms,
            "count": None,
        }

    def klines(
        self, interval: str, now_ms: int, start_ms: int | None, end_ms: int | None, limit: int
    ) -> list[list[object]]:
        """Rows of eight columns, oldest first, the last one unfinished.

        A start without an end is ignored and the newest bars are returned, as on the real exchange. With both,
        bars that open in [start, end) are returned from the oldest on.
        """
        first_ms, until_ms = self._market.first_ms, now_ms + 1 if end_ms is None else min(end_ms, now_ms + 1)
        if start_ms is not None and end_ms is not None:
            wanted = list(islice(_bars(interval, max(start_ms, first_ms), until_ms), limit))
        else:
            first_ms = max(first_ms, until_ms - limit * INTERVALS_MS[interval])
            wanted = list(_bars(interval, _open_of(interval, first_ms), until_ms))[-limit:]
        revision = self._market.revision
        rows = (self._kline(opens, closes, min(closes, now_ms + 1), revision) for opens, closes in wanted)
        return [row for row in rows if row is not None]

    def trades(self, now_ms: int, limit: int) -> list[Row]:
        """Public trades, newest first."""
        newest = now_ms // _TRADE_GAP_MS
        # A gap of a candle file has no trades: look back at most ten times as far.
        slots = range(newest, newest - 10 * limit - 30, -1)
        trades = (self._trade(slot, self._market.revision) for slot in slots)
        return list(islice((trade for trade in trades if trade and trade["time"] <= now_ms), limit))

    def _made_kline(self, open_ms: int, close_ms: int, until_ms: int, _revision: int) -> list[object] | None:
        bar = self._market.bar(open_ms, until_ms)
        if bar is None:
            return None
        prices = map(self._text, (bar.open, bar.high, bar.low, bar.close))
        return [open_ms, *prices, plain(bar.volume), close_ms, self._quote_volume(bar)]

    def _made_trade(self, slot: int, _revision: int) -> Row | None:
        """One of the three trades of a minute: a third of its volume, at the bid or the ask of the time."""
        market = self._market
        at_ms = slot * _TRADE_GAP_MS + slot * 7_919 % _TRADE_GAP_MS
        minute_ms = at_ms // MINUTE_MS * MINUTE_MS
        bar = market.bar(minute_ms, minute_ms + MINUTE_MS)
        quantity = ZERO if bar is None else floor_to(bar.volume / 3, market.rules.quantity_step)
        if quantity <= 0:
            return None
        half, sold = market.shape.spread / 2, slot * 2_654_435_761 % 1_024 < 512
        price = market.round_price(market.mid_price(at_ms) * (1 - half if sold else 1 + half))
        return {
            # Always null.
            "id": None,
            "price": self._text(price),
            "qty": plain(quantity),
            "quoteQty": plain(price * quantity),
            "time": at_ms,
            "isBuyerMaker": sold,
            "isBestMatch": True,
            "tradeType": "ASK" if sold else "BID",
        }

    def _quote_volume(self, bar: Bar) -> str:
        typical = (bar.open + bar.high + bar.low + bar.close) / 4
        return plain((bar.volume * typical).quantize(self._market.rules.tick))

    def _text(self, price: Decimal) -> str:
        """Pad to the tick; a pinned price is shown exactly as given."""
        market = self._market
        return format(price, "f") if price == market.pinned else fixed(price, market.rules.price_decimals)


def _bars(interval: str, start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """The bars that open in [start, end): when each opens and when it closes."""
    open_ms = _open_of(interval, start_ms)
    while open_ms < end_ms:
        # The next bar contains the moment one width later, whatever the length of the month.
        close_ms = _open_of(interval, open_ms + INTERVALS_MS[interval])
        if open_ms >= start_ms:
            yield open_ms, close_ms
        open_ms = close_ms


def _open_of(interval: str, at_ms: int) -> int:
    """The opening of the bar that contains `at_ms`; days and longer bars open at 00:00 UTC."""
    if interval == "1M":
        day = datetime.fromtimestamp(at_ms // SECOND_MS, tz=UTC)
        return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp()) * SECOND_MS
    shift = _MONDAY_MS if interval == "1W" else 0
    return (at_ms - shift) // INTERVALS_MS[interval] * INTERVALS_MS[interval] + shift
