"""The results of a replay: exact totals, and series in floats for pictures and statistics."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import accumulate, pairwise
from math import log

from common.decimals import ZERO, exact, quotient
from local.backtest.market import Market
from local.backtest.replay import Replay


@dataclass(frozen=True, slots=True)
class Stretch:
    """Decisions [first, stop) that see the same two balances."""

    first: int
    stop: int
    base: Decimal
    quote: Decimal


class Figures:
    """The figures of one replay on its market; expensive ones are computed on demand."""

    def __init__(self, market: Market, replay: Replay) -> None:
        self._market, self.replay = market, replay

    @property
    def name(self) -> str:
        return self.replay.strategy.name

    @property
    def last_price(self) -> Decimal:
        """The close of the last candle, whether it has a decision or not."""
        return self._market.candles.close[len(self._market.candles) - 1]

    @cached_property
    @exact
    def final_value(self) -> Decimal:
        return self.replay.base * self.last_price + self.replay.quote

    @cached_property
    @exact
    def held_value(self) -> Decimal:
        return self.replay.start.base * self.last_price + self.replay.start.quote

    @cached_property
    @exact
    def fees(self) -> Decimal:
        return sum((event.fee for event in self.replay.events), ZERO)

    @cached_property
    @exact
    def slippage(self) -> Decimal:
        """How much worse fills were than the decision price: Σ s·(P − m), s signed as in contract.md §13."""
        parts = (event.signed * (event.fill_price - event.decision_price) for event in self.replay.events)
        return sum(parts, ZERO)

    @cached_property
    @exact
    def turnover(self) -> Decimal:
        return sum((event.notional for event in self.replay.events), ZERO)

    @cached_property
    def stretches(self) -> tuple[Stretch, ...]:
        return tuple(self._stretches())

    @exact
    def _stretches(self) -> Iterator[Stretch]:
        first, base, quote = 0, self.replay.start.base, self.replay.start.quote
        for event in self.replay.events:
            yield Stretch(first, event.number + 1, base, quote)
            base += event.signed
            quote -= event.signed * event.fill_price + event.fee
            first = event.number + 1
        yield Stretch(first, len(self._market), base, quote)

    @cached_property
    def values(self) -> "array[float]":
        """The value at every decision."""
        found = array("d")
        for stretch in self.stretches:
            base, quote = float(stretch.base), float(stretch.quote)
            found.extend([base * price + quote for price in self._market.closes[stretch.first : stretch.stop]])
        return found

    @cached_property
    @exact
    def max_drawdown(self) -> Decimal:
        """The deepest fall from a peak, as a fraction of it, seen at the decisions; the start is one of them."""
        start = float(self.replay.start.value)
        peaks = list(accumulate(self.values, max, initial=start))[1:]
        falls = [value / peak for value, peak in zip(self.values, peaks, strict=True)]
        if not falls or min(falls) >= 1:
            return ZERO
        bottom = falls.index(min(falls))
        top = next((i for i in range(bottom) if self.values[i] == peaks[bottom]), None)
        peak = self.replay.start.value if top is None else self.value_at(top)
        return quotient(peak - self.value_at(bottom), peak)

    @exact
    def value_at(self, number: int) -> Decimal:
        """The value at a decision, to the last digit."""
        stretch = next(each for each in self.stretches if each.first <= number < each.stop)
        return stretch.base * self._market.close(number) + stretch.quote

    @cached_property
    def neutral_days(self) -> list[float]:
        """Drift-neutral growth of every UTC day after the first: Δ ln V − Σ (weight − w)·Δ ln p.

        For a policy that is never off target, the growth of the mix itself remains (rebalancing.md). Summed over
        the decisions of a day; a weight is 1 / (1 + (u/q)/p), and u/q is constant between two orders.
        """
        target = float(self.replay.strategy.policy.target_weight)
        days = self._market.day_ends
        bets = self._bets(days)
        levels = [log(self.values[number]) for number in days]
        prices = [log(self._market.closes[number]) for number in days]
        return [
            (v1 - v0) - bet + target * (p1 - p0)
            for (v0, v1), (p0, p1), bet in zip(pairwise(levels), pairwise(prices), bets, strict=True)
        ]

    @cached_property
    def harvest(self) -> float:
        """Drift-neutral growth of all days beyond w·Δ ln p, which any mix of this target has anyway."""
        days = self._market.day_ends
        if len(days) < 2:
            return 0.0
        moved = log(self._market.closes[days[-1]] / self._market.closes[days[0]])
        return sum(self.neutral_days) - float(self.replay.strategy.policy.target_weight) * moved

    def _bets(self, days: Sequence[int]) -> list[float]:
        """Σ weight·Δ ln p between one day's end and the next; an order changes the weight of the step after it."""
        if len(days) < 2:
            return []
        returns, inverses = self._market.log_returns, self._market.inverses
        totals = [0.0] * (len(days) - 1)
        for stretch in self.stretches:
            if stretch.base <= 0:
                continue
            ratio = float(stretch.quote) / float(stretch.base)
            at, stop = max(stretch.first - 1, days[0]), stretch.stop - 1
            while at < stop:
                day = bisect_right(days, at) - 1
                end = min(stop, days[day + 1])
                steps = zip(returns[at:end], inverses[at:end], strict=True)
                totals[day] += sum([step / (1 + ratio * inverse) for step, inverse in steps])
                at = end
        return totals
