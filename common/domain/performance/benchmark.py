"""The mix against holding, from the day the bot first saw the account (rebalancing.md: an honest comparison)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.decimals import Price, exact
from common.domain.instrument import Instrument
from common.domain.ledger.position import Position
from common.domain.orders.order import Fill
from common.domain.portfolio import Valuation


@dataclass(frozen=True, slots=True)
class Moved:
    """What fills have done to the two balances so far: signed, fees apart (fees positive)."""

    base: Decimal
    quote: Decimal
    base_fees: Decimal
    quote_fees: Decimal

    @classmethod
    @exact
    def by(cls, position: Position) -> "Moved":
        return cls(
            position.bought_quantity - position.sold_quantity,
            position.quote_flow + position.quote_fees,
            position.base_fees,
            position.quote_fees,
        )

    @exact
    def __add__(self, more: "Moved") -> "Moved":
        return Moved(*(getattr(self, name) + getattr(more, name) for name in Moved.__slots__))


@dataclass(frozen=True, slots=True)
class Inception:
    """The account when the bot first saw it; recorded once, never reconstructed. `moved` is up to then."""

    at: datetime
    base_quantity: Decimal
    quote_quantity: Decimal
    mark_price: Price
    moved: Moved

    def after(self, late: Iterable[Fill], instrument: Instrument) -> "Inception":
        """This inception with earlier fills that were unknown then: its balances already included them."""
        return replace(self, moved=self.moved + Moved.by(Position().fold(late, instrument)))


class Comparison(NamedTuple):
    """Values in the quote asset; `difference` = `price_moves` − `fees` + `flows`, to the last digit."""

    value: Decimal
    held_value: Decimal
    difference: Decimal
    price_moves: Decimal
    fees: Decimal
    flows: Decimal


@exact
def compare(inception: Inception, valuation: Valuation, position: Position) -> Comparison:
    """Split the difference to holding into price moves, fees and flows.

    With Δq, Δu what fills moved since inception: price moves = Δq·p + Δu, fees = base fees·p + quote fees,
    and the rest of the change of the two balances is flows from or to the outside.
    """
    price, now, then = valuation.mark_price, Moved.by(position), inception.moved
    held = inception.base_quantity * price + inception.quote_quantity
    base, quote = now.base - then.base, now.quote - then.quote
    base_fees, quote_fees = now.base_fees - then.base_fees, now.quote_fees - then.quote_fees
    base_flow = valuation.base_quantity - inception.base_quantity - base + base_fees
    quote_flow = valuation.quote_quantity - inception.quote_quantity - quote + quote_fees
    return Comparison(
        value=valuation.total_value,
        held_value=held,
        difference=valuation.total_value - held,
        price_moves=base * price + quote,
        fees=base_fees * price + quote_fees,
        flows=base_flow * price + quote_flow,
    )
