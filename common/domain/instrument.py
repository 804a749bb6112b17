"""The pair: its two assets, and the venue's rules for orders on it."""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from common.decimals import ZERO

_DOLLARS = ("USDT", "USDC", "USDE", "USD1", "TUSD")
_QUOTES = (*_DOLLARS, "BTC", "ETH", "EUR", "MX")


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


@dataclass(frozen=True, slots=True)
class Instrument:
    base: str
    quote: str

    @classmethod
    def from_symbol(cls, symbol: str) -> "Instrument":
        """Split a symbol such as QRLUSDT. Raises ValueError when no known quote asset ends it."""
        for quote in _QUOTES:
            if symbol.endswith(quote) and len(symbol) > len(quote):
                return cls(symbol.removesuffix(quote), quote)
        raise ValueError(f"ends in none of the quote assets {', '.join(_QUOTES)}")

    @property
    def symbol(self) -> str:
        return self.base + self.quote

    @property
    def in_dollars(self) -> bool:
        """Whether amounts of the quote asset are worth about so many dollars."""
        return self.quote in _DOLLARS

    @property
    def pair(self) -> str:
        """The readable form that cache keys carry: QRL/USDT."""
        return f"{self.base}/{self.quote}"


@dataclass(frozen=True, slots=True)
class TradingRules:
    """What the venue demands of an order (exchange.md §4.6); rates and bands are fractions.

    `closed` says in plain words why the API may not trade the symbol, empty when it may.
    `price_band_*` is how far a limit may be from the last price, None when the venue sets no band.
    `market_*` bound market orders, None when the venue has no separate bounds for them.
    """

    size_increment: Decimal
    min_quantity: Decimal
    price_increment: Decimal
    min_notional: Decimal
    max_notional: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    sides: tuple[Side, ...] = (Side.BUY, Side.SELL)
    market_orders: bool = True
    closed: tuple[str, ...] = ()
    price_band_up: Decimal | None = None
    price_band_down: Decimal | None = None
    market_min_notional: Decimal | None = None
    market_max_notional: Decimal | None = None

    def for_market_orders(self) -> "TradingRules":
        """These rules with the bounds of market orders in place of those of limit orders."""
        least, most = self.market_min_notional, self.market_max_notional
        return replace(
            self,
            min_notional=self.min_notional if least is None else least,
            max_notional=self.max_notional if most is None else most,
        )

    @property
    def quantity_step(self) -> Decimal:
        """The coarser of the two published scales: some pairs refuse the finer (exchange.md §4.6)."""
        return max(self.size_increment, self.min_quantity, ZERO)
