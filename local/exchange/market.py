"""One symbol's market: the price (path or pinned), the synthetic book, and what our fills took from it."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from local.exchange.amounts import ONE, ZERO, ceil_to, floor_to
from local.exchange.clock import SECOND_MS
from local.exchange.config import BookShape, Row, Rules, Side
from local.exchange.price_path import Bar, PricePath


@dataclass(frozen=True, slots=True)
class Level:
    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Book:
    """Best level first on both sides."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    def opposite(self, side: Side) -> tuple[Level, ...]:
        """The levels an order of that side takes from."""
        return self.asks if side == "BUY" else self.bids


class Market:
    """The market of one symbol. The mid price follows the price path; our own fills do not move it."""

    def __init__(self, rules: Rules, path: PricePath, shape: BookShape, seed: int) -> None:
        self.rules = rules
        self.shape = shape
        self.shown: Row = {}
        """Fields of exchangeInfo that are shown as given here but not enforced."""
        self.revision = 0
        """Counts all changes: anything derived from an earlier revision is outdated."""
        self._path = path
        self._seed = seed
        self._pins: list[tuple[int, Decimal | None]] = []
        # What our own fills took: until when it is missing, the side of the order, how much.
        self._taken: list[tuple[int, Side, Decimal]] = []
        self._full_book: tuple[tuple[int, int], Book] | None = None

    def change(self, *, rules: Rules | None = None, shape: BookShape | None = None) -> None:
        """Change the rules, or the shape of the book."""
        self.rules, self.shape = rules or self.rules, shape or self.shape
        self.revision += 1

    @property
    def symbol(self) -> str:
        return self.rules.symbol

    @property
    def first_ms(self) -> int:
        return self._path.first_ms

    @property
    def pinned(self) -> Decimal | None:
        return self._pins[-1][1] if self._pins else None

    def pin(self, price: Decimal | None, now_ms: int) -> None:
        """Hold the mid price at exactly `price` from now on; None returns to the path."""
        while self._pins and self._pins[-1][0] >= now_ms:
            self._pins.pop()
        self._pins.append((now_ms, price))
        self.revision += 1

    def rewind(self, now_ms: int) -> None:
        """After the clock was set back: a later pin holds from `now_ms`, and the book is full again."""
        if self._pins and self._pins[-1][0] > now_ms:
            self.pin(self._pins[-1][1], now_ms)
        self._taken.clear()
        self.revision += 1

    def mid_price(self, at_ms: int) -> Decimal:
        for from_ms, price in reversed(self._pins):
            if from_ms <= at_ms:
                if price is not None:
                    return price
                break
        return self.round_price(self._path.price_at(at_ms))

    def bar(self, start_ms: int, end_ms: int) -> Bar | None:
        """Combine the path's bars with the stretches of pinned prices; None where nothing traded."""
        bars: list[Bar] = []
        for begin, end, pin in self._stretches(start_ms, end_ms):
            bar = self._path.bar(begin, end)
            if pin is not None:
                bars.append(Bar(pin, pin, pin, pin, ZERO if bar is None else bar.volume))
            elif bar is not None:
                opened, high, low, close = map(self.round_price, (bar.open, bar.high, bar.low, bar.close))
                bars.append(Bar(opened, high, low, close, bar.volume))
        if len(bars) < 2:
            return bars[0] if bars else None
        high, low = max(bar.high for bar in bars), min(bar.low for bar in bars)
        return Bar(bars[0].open, high, low, bars[-1].close, sum((bar.volume for bar in bars), ZERO))

    def extremes(self, start_ms: int, end_ms: int) -> tuple[Decimal, Decimal]:
        """Lowest and highest mid price from `start_ms` to `end_ms`, both ends included."""
        prices: list[Decimal] = []
        for begin, end, pin in self._stretches(start_ms, end_ms + 1):
            if pin is not None:
                prices.append(pin)
            else:
                prices.extend(map(self.round_price, self._path.extremes(begin, end - 1)))
        return min(prices), max(prices)

    def book(self, now_ms: int) -> Book:
        """The book as offered now, without what our own fills took within the refill time."""
        key = (now_ms // SECOND_MS, self.revision)
        if self._full_book is None or self._full_book[0] != key:
            # Mid prices of a candle file move within the second; the book follows once a second.
            self._full_book = key, self.book_around(self.mid_price(now_ms), now_ms)
        book = self._full_book[1]
        self._taken = [taken for taken in self._taken if taken[0] > now_ms]
        if not self._taken:
            return book
        sold, bought = (sum((t[2] for t in self._taken if t[1] == side), ZERO) for side in ("SELL", "BUY"))
        return Book(_without(book.bids, sold), _without(book.asks, bought))

    def book_around(self, mid: Decimal, at_ms: int) -> Book:
        """A full book around a mid price, with the level sizes of that second."""
        shape, tick, step = self.shape, self.rules.tick, self.rules.quantity_step
        rng = random.Random(f"{self._seed}|book|{self.symbol}|{at_ms // SECOND_MS}")
        share = shape.quiet_share if self._path.is_quiet(at_ms) else ONE
        notional = shape.notional_per_side * share / max(1, shape.levels)
        bids: list[Level] = []
        asks: list[Level] = []
        for i in range(shape.levels):
            away = shape.spread / 2 + i * shape.level_step
            bid, ask = floor_to(mid * (ONE - away), tick), ceil_to(mid * (ONE + away), tick)
            bid = min(bid, bids[-1].price - tick) if bids else bid
            ask = max(ask, asks[-1].price + tick) if asks else max(ask, bid + tick)
            for levels, price in ((bids, bid), (asks, ask)):
                # Sizes are between 60 % and 140 % of the even share.
                weight = Decimal(60 + rng.randrange(81)).scaleb(-2)
                quantity = floor_to(notional * weight / price, step) if price > 0 else ZERO
                if quantity > 0:
                    levels.append(Level(price, quantity))
        return Book(tuple(bids), tuple(asks))

    def traded_through(self, side: Side, price: Decimal, extreme: Decimal, at_ms: int) -> Decimal:
        """The volume traded beyond a resting order's price when the market went to `extreme`; zero on a touch.

        It is what a book of that second holds between the two prices.
        """
        beyond = price - extreme if side == "BUY" else extreme - price
        if beyond <= 0:
            return ZERO
        levels = self.book_around(extreme, at_ms).opposite(side)
        return sum((each.quantity for each in levels if abs(each.price - levels[0].price) < beyond), ZERO)

    def queue_ahead(self, order_id: str, minute: int) -> Decimal:
        """The share of the volume traded through an order in a minute that goes to others: from none to all."""
        luck = random.Random(f"{self._seed}|queue|{order_id}|{minute}").randrange(5)
        return self.shape.queue_ahead * luck / 4

    def take(self, side: Side, quantity: Decimal, now_ms: int) -> None:
        """Remember what an order of that side took, so that it is not offered again immediately."""
        self._taken.append((now_ms + self.shape.refill_ms, side, quantity))
        self.revision += 1

    def round_price(self, price: Decimal) -> Decimal:
        """Round to the tick, never to zero."""
        tick = self.rules.tick
        return max(tick, price.quantize(tick))

    def _stretches(self, start_ms: int, end_ms: int) -> Iterator[tuple[int, int, Decimal | None]]:
        """Cut a half open stretch of time where the price was pinned or unpinned."""
        current: Decimal | None = None
        for at_ms, pin in self._pins:
            if start_ms < at_ms < end_ms:
                yield start_ms, at_ms, current
                start_ms = at_ms
            if at_ms <= start_ms:
                current = pin
        yield start_ms, end_ms, current


def _without(levels: tuple[Level, ...], quantity: Decimal) -> tuple[Level, ...]:
    """Take `quantity` off the best levels."""
    left: list[Level] = []
    for level in levels:
        eaten = min(level.quantity, quantity)
        quantity -= eaten
        if eaten < level.quantity:
            left.append(Level(level.price, level.quantity - eaten))
    return tuple(left)
