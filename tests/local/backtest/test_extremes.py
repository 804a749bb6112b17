"""The search for the next trigger, against looking at every price."""

from array import array
from random import Random

from local.backtest.extremes import FAN, Extremes


def test_the_search_finds_what_looking_at_every_price_finds() -> None:
    rng = Random(11)
    for size in (1, FAN - 1, FAN, FAN + 1, 5 * FAN, FAN**2, FAN**2 + 7, 3 * FAN**2 + 33):
        price, prices = 100.0, array("d")
        for _ in range(size):
            price *= 1 + rng.gauss(0, 0.01)
            prices.append(price)
        index = Extremes(prices)
        for _ in range(200):
            start, end = rng.randrange(size), rng.randrange(size + 1)
            middle = prices[start]
            low, high = middle * (1 - rng.random() * 0.5), middle * (1 + rng.random() * 0.5)
            if rng.random() < 0.2:
                low, high = prices[rng.randrange(size)], float("inf")
            beyond = (i for i in range(start, size) if prices[i] <= low or prices[i] >= high)
            assert index.first_beyond(start, end, low, high) == min(next(beyond, end), end), (size, start, end)
