"""A candle file as the price path, in any format that `local.candles` reads.

Inside a candle the price moves in straight lines open -> low -> high -> close if it closes higher, otherwise open
-> high -> low -> close: the file does not say more. In a gap, and after the last candle, the price stays at the
last close, nothing trades, there is no kline row and `is_quiet` holds (the market then thins its book). Before the
first candle the price is its open. The width of a candle is the most common distance.
"""

from bisect import bisect_left, bisect_right
from decimal import ROUND_FLOOR, Context, Decimal
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from local.candles.files import load
from local.candles.formats import CandleFileError
from local.candles.series import Bar
from local.exchange.amounts import ONE, ZERO

_DIGITS = Context(prec=16)
_KEPT = 50_000
"""Candles whose decimals are cached: a month of minutes."""
_HUNDREDTH = Decimal("0.01")


class CandleSeries:
    """The file's candles, shifted so that `start_ms` falls into the one at `from_ms`, scaled to `start_price`.

    Raises CandleFileError, OSError.
    """

    def __init__(
        self, file: Path, *, start_ms: int, from_ms: int | None = None, start_price: Decimal | None = None
    ) -> None:
        self._candles = candles = load(file)
        self.width_ms = candles.width_ms
        self._bar = lru_cache(_KEPT)(candles.bar)
        times = candles.times
        origin_ms = times[0] if from_ms is None else from_ms
        if not times[0] <= origin_ms < times[-1] + self.width_ms:
            raise CandleFileError("from_ms is outside the file")
        # Shifted by whole candles, so that a start inside a candle leaves them on the grid of klines.
        shift_ms = (start_ms - origin_ms) // self.width_ms * self.width_ms
        self._times = [at_ms + shift_ms for at_ms in times]
        self._factor = ONE
        if start_price is not None:
            self._factor = _DIGITS.divide(start_price, self._raw_price(start_ms))

    @property
    def first_ms(self) -> int:
        return self._times[0]

    def price_at(self, at_ms: int) -> Decimal:
        return _DIGITS.multiply(self._raw_price(at_ms), self._factor)

    def is_quiet(self, at_ms: int) -> bool:
        index = bisect_right(self._times, at_ms) - 1
        return index < 0 or at_ms >= self._times[index] + self.width_ms

    def bar(self, start_ms: int, end_ms: int) -> Bar | None:
        """The bar of the interval, None where no candle overlaps it."""
        prices: list[Decimal] = []
        volume = ZERO
        for i in range(max(0, bisect_right(self._times, start_ms) - 1), bisect_left(self._times, end_ms)):
            bar, open_ms = self._bar(i), self._times[i]
            begin, finish = max(start_ms, open_ms), min(end_ms, open_ms + self.width_ms)
            if begin >= finish:
                continue  # the interval starts in the gap after this candle
            if finish - begin == self.width_ms:
                prices += [bar.open, bar.high, bar.low, bar.close]
                volume += bar.volume
            else:
                turns = [price for at_ms, price in self._corners(i) if begin < at_ms < finish]
                prices += [self._raw_price(begin), *turns, self._raw_price(finish - 1)]
                volume += bar.volume * (finish - begin) / self.width_ms
        if not prices:
            return None
        ends = prices[0], max(prices), min(prices), prices[-1]
        opened, high, low, close = (_DIGITS.multiply(price, self._factor) for price in ends)
        # Scaled prices keep the value traded: the base volume moves the other way.
        return Bar(opened, high, low, close, (volume / self._factor).quantize(_HUNDREDTH, ROUND_FLOOR))

    def extremes(self, start_ms: int, end_ms: int) -> tuple[Decimal, Decimal]:
        """Lowest and highest price, both ends included; a gap keeps the price from its start."""
        ends = self.price_at(start_ms), self.price_at(end_ms)
        bar = self.bar(start_ms, end_ms + 1)
        return (min(ends), max(ends)) if bar is None else (min(*ends, bar.low), max(*ends, bar.high))

    def _raw_price(self, at_ms: int) -> Decimal:
        index = bisect_right(self._times, at_ms) - 1
        if index < 0:
            return self._candles.open[0]
        if at_ms >= self._times[index] + self.width_ms:
            return self._candles.close[index]
        corners = self._corners(index)
        for (from_ms, before), (to_ms, after) in pairwise(corners):
            if at_ms < to_ms:
                return before + (after - before) * (at_ms - from_ms) / (to_ms - from_ms)
        return corners[-1][1]

    def _corners(self, index: int) -> list[tuple[int, Decimal]]:
        """Times and prices at which the path turns; the close is reached on the candle's last millisecond."""
        bar, open_ms, width = self._bar(index), self._times[index], self.width_ms
        first, second = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
        return [
            (open_ms, bar.open),
            (open_ms + width // 3, first),
            (open_ms + 2 * width // 3, second),
            (open_ms + width - 1, bar.close),
        ]
