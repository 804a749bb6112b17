"""What trading costs one way, as measured: from the order book of every plan, and from the bot's own fills (§11).

c = taker fee + half spread + impact at the size the band would trade, a fraction of the notional. The books count
by their median over seven days; own fills, against the mid they were decided on, join with the weight N/(N+20).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from common.decimals import ONE, ZERO, exact, plain, quotient, tidy
from common.domain.decision.band import Band, best_band
from common.domain.decision.levels import Destination
from common.domain.instrument import Side
from common.domain.order_book import OrderBook

KEPT = timedelta(days=7)
TRUSTED_FILLS = 20
"""This many own fills weigh as much as all the books together."""
ROUNDS = 5
"""Rounds until size and band agree: the band depends on the cost, the cost on the size, the size on the band."""
RESTING_SHARE = Decimal("0.2")
"""The cost of a resting order as a share of taking, until own fills show it (rebalancing.md: 0.10 of 0.50 %)."""
HYSTERESIS = Decimal("0.1")
CHANGED_AT_MOST_EVERY = timedelta(days=1)
_PLACES = Decimal(1).scaleb(-10)
_EPOCH, _STEP = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_AMOUNT = r"-?(0|[1-9]\d*)(\.\d+)?"
_LINE = re.compile(rf"\d{{13}}( {_AMOUNT}){{3}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class BookCost:
    """One order book's half spread and impact, fractions of its mid, at an order of `notional` (quote asset)."""

    at: datetime
    half_spread: Decimal
    impact: Decimal
    notional: Decimal

    @property
    def total(self) -> Decimal:
        return self.half_spread + self.impact

    @property
    def line(self) -> str:
        """As it is kept: `milliseconds half_spread impact notional`."""
        parts = (self.half_spread, self.impact, self.notional)
        return " ".join((_stamp(self.at), *map(plain, parts)))

    @classmethod
    def of(cls, line: str) -> "BookCost":
        stamp, *parts = line.split()
        return cls(_EPOCH + int(stamp) * _STEP, *map(Decimal, parts))


@dataclass(frozen=True, slots=True)
class FillCost:
    """What an own fill cost against the mid, fee included, a fraction. For a resting order, a later mid is used."""

    at: datetime
    fill_id: str
    cost: Decimal
    resting: bool = False


@dataclass(frozen=True, slots=True)
class BandInUse:
    """The derived band, since when it is in use, and for which target and destination."""

    trigger: Decimal
    destination: Decimal
    since: datetime
    to: Destination
    weight: Decimal

    @property
    def band(self) -> Band:
        return Band(self.trigger, self.destination)


@dataclass(frozen=True, slots=True)
class Measured:
    """Seven days of measurements, and the bands derived from them: for taking and for resting orders.

    `books` are kept as text lines: each plan reads and writes all of them, but parses only those in the middle.
    """

    books: tuple[str, ...] = ()
    fills: tuple[FillCost, ...] = ()
    band: BandInUse | None = None
    resting_band: BandInUse | None = None

    def with_book(self, book: BookCost | None, now: datetime) -> "Measured":
        """Add this plan's book, if it is readable; drop what is older than seven days."""
        books = (*self.books, book.line) if book is not None else self.books
        limit = _stamp(now - KEPT)  # of 13 digits, as in the lines: texts compare as numbers do
        recent = tuple(line for line in books if line[: len(limit)] > limit)
        return replace(self, books=recent, fills=tuple(fill for fill in self.fills if now - fill.at < KEPT))

    def with_fills(self, fills: Sequence[FillCost]) -> "Measured":
        known = {fill.fill_id for fill in self.fills}
        return replace(self, fills=(*self.fills, *(fill for fill in fills if fill.fill_id not in known)))

    @property
    def readable(self) -> bool:
        return all(map(_LINE.fullmatch, self.books))


@dataclass(frozen=True, slots=True)
class Estimate:
    """The one-way cost and its parts, fractions; `at_notional` is the size it holds for, None if it is assumed."""

    one_way: Decimal
    fee: Decimal
    half_spread: Decimal | None
    impact: Decimal | None
    at_notional: Decimal | None
    books: int
    fills: int
    source: str


@exact
def cost_in(book: OrderBook, notional: Decimal, at: datetime) -> BookCost | None:
    """Half spread and impact of an order of that size: |VWAP/mid − 1|, the mean of both sides; None if unsound.

    A side that holds less than `notional` is taken whole.
    """
    if book.problem is not None:
        return None
    mid = book.mid_price
    half_spread = (book.against(Side.BUY)[0].price - book.against(Side.SELL)[0].price) / 2 / mid
    away = ZERO
    for side in Side:
        held = book.depth(side, len(book.against(side)))
        price = book.fill_price(side, min(notional / mid, held)) if notional > 0 else book.against(side)[0].price
        away += abs((price or mid) / mid - ONE) / 2
    return BookCost(at, _short(half_spread), max(ZERO, _short(away - half_spread)), _short(notional))


@exact
def cost_at_best(
    book: OrderBook, value: Decimal, size: Callable[[Decimal], Decimal], fee: Decimal, at: datetime
) -> BookCost | None:
    """The book's cost at the size that the band of that cost trades; `size` maps c to a share of `value`."""
    cost = cost_in(book, ZERO, at)
    for _ in range(ROUNDS):
        if cost is None:
            return None
        before, cost = cost, cost_in(book, size(fee + cost.total) * value, at)
        if cost == before:
            return cost
    return cost


@exact
def estimate(measured: Measured, fee: Decimal, fallback: Decimal) -> Estimate:
    """The cost of taking, from all that was measured; `fallback` replaces the books until there is one."""
    taken = [fill.cost for fill in measured.fills if not fill.resting]
    middle = _median_book(measured.books)
    by_books = fee + middle.total if middle else fallback
    sources = ["order books" if middle else "COST_FALLBACK", *(["own fills"] if taken else [])]
    return Estimate(
        _joined(by_books, taken),
        fee,
        middle.half_spread if middle else None,
        middle.impact if middle else None,
        middle.notional if middle else None,
        len(measured.books),
        len(taken),
        " and ".join(sources),
    )


@exact
def resting_cost(measured: Measured, taking: Estimate, fee: Decimal) -> Decimal:
    """The one-way cost of a resting order: a fifth of taking, at least its fee, until own fills show it."""
    assumed = max(taking.one_way * RESTING_SHARE, fee)
    return max(_joined(assumed, [fill.cost for fill in measured.fills if fill.resting]), ZERO)


@exact
def fill_cost(side: Side, price: Decimal, mid_price: Decimal, fee: Decimal) -> Decimal:
    """How much worse than the mid a fill was, its fee (a fraction) included."""
    worse = price / mid_price - ONE if side is Side.BUY else ONE - price / mid_price
    return _short(worse + fee)


@exact
def band_to_use(
    in_use: BandInUse | None, cost: Decimal, weight: Decimal, least: Decimal, to: Destination, now: datetime
) -> BandInUse:
    """The band to use from now on: the one in use, until the best differs by more than a tenth, once a day at most.

    Another target or destination replaces it at once.
    """
    best = best_band(cost, weight, least, to)
    fresh = BandInUse(best.trigger, best.destination, now, to, weight)
    if in_use is None or (in_use.to, in_use.weight) != (to, weight):
        return fresh
    moved = abs(best.trigger - in_use.trigger) > HYSTERESIS * in_use.trigger
    return fresh if moved and now - in_use.since >= CHANGED_AT_MOST_EVERY else in_use


def _joined(by_books: Decimal, fills: Sequence[Decimal]) -> Decimal:
    """Books and fills, the fills with the weight N/(N+20)."""
    if not fills:
        return tidy(by_books)
    weight = Decimal(len(fills)) / (len(fills) + TRUSTED_FILLS)
    ordered = sorted(fills)
    median = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return quotient((ONE - weight) * by_books + weight * median, ONE)


def _median_book(books: Sequence[str]) -> BookCost | None:
    """The median book by cost; the mean of the middle two if their number is even."""
    if not books:
        return None
    ordered = sorted(books, key=_total)
    low, high = BookCost.of(ordered[(len(ordered) - 1) // 2]), BookCost.of(ordered[len(ordered) // 2])
    return BookCost(
        high.at,
        tidy((low.half_spread + high.half_spread) / 2),
        tidy((low.impact + high.impact) / 2),
        tidy((low.notional + high.notional) / 2),
    )


def _stamp(at: datetime) -> str:
    return str((at - _EPOCH) // _STEP)


def _total(line: str) -> Decimal:
    _, half_spread, impact, _ = line.split()
    return Decimal(half_spread) + Decimal(impact)


def _short(value: Decimal) -> Decimal:
    return tidy(value.quantize(_PLACES))
