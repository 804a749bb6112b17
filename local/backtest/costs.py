"""The costs and limits of an order on a candle: half spread, impact, fee, and a share of the volume."""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from common.decimals import ONE, ZERO, floor_to, quotient
from common.domain.instrument import Side
from common.domain.order_book import Level, OrderBook

PLENTY = Decimal(10) ** 30
"""The quantity of a practically unlimited book."""
_HAIR = Decimal(1).scaleb(-18)
"""Keeps bid and ask apart where trading costs nothing: a crossed book is refused."""


@dataclass(frozen=True, slots=True)
class Costs:
    """`fee` and `half_spread` are fractions of the notional, `impact` a fraction for each unit of the quote asset.

    `volume_share` is how much of a bar's volume one order may be. The fee is taken in the quote asset.
    """

    fee: Decimal = Decimal("0.0005")
    half_spread: Decimal = Decimal("0.0025")
    impact: Decimal = ZERO
    volume_share: Decimal = Decimal("0.1")

    def price(self, side: Side, mid: Decimal, notional: Decimal) -> Decimal:
        """The fill price of an order of this notional when the market's mid is `mid`."""
        away = self.half_spread + self.impact * notional
        return mid * (ONE + away if side is Side.BUY else ONE - away)

    def one_way(self, notional: Decimal) -> Decimal:
        """c of contract.md §11: fee, half spread and impact at this size, a fraction."""
        return self.fee + self.half_spread + self.impact * notional

    def book(self, mid: Decimal, notional: Decimal, max_slippage: Decimal) -> OrderBook:
        """The order book that these costs imply for an order of this notional, for the bot's own guards.

        One level a side, at the price the order would get; with an impact it holds only what stays within the
        allowed slippage, so that the bot cuts the order as it would against a real book.
        """
        quantity = PLENTY
        if self.impact:
            room = quotient(max(max_slippage - self.half_spread, ZERO), self.impact, ROUND_FLOOR)
            notional = min(notional, room)
            quantity = quotient(notional, mid)
        bid, ask = (self.price(side, mid, notional) for side in (Side.SELL, Side.BUY))
        if bid == ask:
            bid, ask = bid * (ONE - _HAIR), ask * (ONE + _HAIR)
        return OrderBook((Level(bid, quantity),), (Level(ask, quantity),))

    def most(self, volume: Decimal, step: Decimal) -> Decimal:
        """The largest quantity that a bar of this volume fills."""
        return floor_to(volume * self.volume_share, step)
