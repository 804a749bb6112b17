"""Balances and what they are worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from common.decimals import EXACT, ZERO, exact, non_negative, quotient
from common.domain.instrument import Instrument
from common.errors import InvalidAmount


@dataclass(frozen=True, slots=True)
class Balance:
    free: Decimal = ZERO
    locked: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return EXACT.add(self.free, self.locked)


NOTHING = Balance()


@dataclass(frozen=True, slots=True)
class Account:
    """The account as the exchange reports it; a null stays None, a missing asset is zero (exchange.md §1.3)."""

    balances: Mapping[str, Balance]
    can_trade: bool
    can_withdraw: bool
    can_deposit: bool
    account_type: str
    permissions: tuple[str, ...]
    maker_commission: Decimal | None
    taker_commission: Decimal | None
    update_time: int | None

    def balance(self, asset: str) -> Balance:
        return self.balances.get(asset, NOTHING)

    def holdings(self, instrument: Instrument, as_of: datetime) -> "Holdings":
        return Holdings(self.balance(instrument.base), self.balance(instrument.quote), as_of)


@dataclass(frozen=True, slots=True)
class Holdings:
    """The two balances of the pair, as the exchange reported them at `as_of`."""

    base: Balance
    quote: Balance
    as_of: datetime

    def checked(self) -> "Holdings":
        """Return itself. Raises InvalidAmount when a balance is negative or not finite."""
        for name, balance in (("base", self.base), ("quote", self.quote)):
            non_negative(balance.free, f"free {name} balance")
            non_negative(balance.locked, f"locked {name} balance")
        return self


@dataclass(frozen=True, slots=True)
class Valuation:
    """Holdings at one mark price: V = q·p + u. Values in the quote asset, weights as fractions."""

    base_quantity: Decimal
    quote_quantity: Decimal
    mark_price: Decimal
    base_value: Decimal
    total_value: Decimal

    @classmethod
    @exact
    def of(cls, holdings: Holdings, mark_price: Decimal) -> "Valuation":
        """Raises InvalidAmount for a negative or non-finite price or balance."""
        holdings.checked()
        price = non_negative(mark_price, "mark price")
        base_value = holdings.base.total * price
        return cls(holdings.base.total, holdings.quote.total, price, base_value, base_value + holdings.quote.total)

    @property
    def weight(self) -> Decimal:
        """The base asset's share of the value. Raises InvalidAmount for an empty portfolio."""
        if self.total_value <= 0:
            raise InvalidAmount("an empty portfolio has no weights")
        return quotient(self.base_value, self.total_value)
