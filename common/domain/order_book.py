"""The order book: spread, mid price, and the price at which an order of a given size would fill."""

from dataclasses import dataclass
from decimal import Decimal

from common.decimals import ZERO, exact, quotient
from common.domain.instrument import Side


@dataclass(frozen=True, slots=True)
class Level:
    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class OrderBook:
    """Bids highest first, asks lowest first; the exchange's own order is not to be trusted (exchange.md §1.2)."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    @classmethod
    def of(cls, bids: list[Level], asks: list[Level]) -> "OrderBook":
        """Sort the levels and drop the empty ones."""

        def usable(levels: list[Level]) -> list[Level]:
            return [level for level in levels if level.quantity > 0 and level.price > 0]

        return cls(
            tuple(sorted(usable(bids), key=lambda level: level.price, reverse=True)),
            tuple(sorted(usable(asks), key=lambda level: level.price)),
        )

    @property
    def problem(self) -> str | None:
        """Why this book must not be used for a decision, in plain words; None when it is sound."""
        if not self.bids or not self.asks:
            return "the order book has an empty side"
        if self.bids[0].price >= self.asks[0].price:
            return "the order book is crossed"
        return None

    @property
    @exact
    def mid_price(self) -> Decimal:
        return (self.bids[0].price + self.asks[0].price) / 2

    def against(self, side: Side) -> tuple[Level, ...]:
        """The levels that an order of this side would take from."""
        return self.asks if side is Side.BUY else self.bids

    @exact
    def depth(self, side: Side, levels: int) -> Decimal:
        """The quantity in the first `levels` levels against an order of this side."""
        return sum((level.quantity for level in self.against(side)[:levels]), ZERO)

    @exact
    def fill_price(self, side: Side, quantity: Decimal) -> Decimal | None:
        """The average price at which `quantity` would fill; None when the book does not hold as much."""
        left, notional = quantity, ZERO
        for level in self.against(side):
            taken = min(left, level.quantity)
            notional += taken * level.price
            left -= taken
            if left <= 0:
                return quotient(notional, quantity)
        return None

    @exact
    def slippage(self, side: Side, quantity: Decimal, mark_price: Decimal) -> Decimal | None:
        """How much worse than `mark_price` the fill would be, as a fraction; negative when better."""
        price = self.fill_price(side, quantity)
        if price is None:
            return None
        worse = price - mark_price if side is Side.BUY else mark_price - price
        return quotient(worse, mark_price)

    @exact
    def quantity_within(self, side: Side, limit_price: Decimal) -> Decimal:
        """The quantity at `limit_price` or better against an order of this side."""
        levels = self.against(side)
        if side is Side.BUY:
            return sum((level.quantity for level in levels if level.price <= limit_price), ZERO)
        return sum((level.quantity for level in levels if level.price >= limit_price), ZERO)
