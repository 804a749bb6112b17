"""What the endpoint handlers share: the venue's state, one request of it, and how parameters are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from local.exchange import refusals
from local.exchange.config import MX_SYMBOL, ExchangeConfig, Options, Rules
from local.exchange.effects import Effects
from local.exchange.engine import Engine
from local.exchange.market import Market
from local.exchange.market_history import MarketHistory

READ_ACCOUNT = "SPOT_ACCOUNT_READ"
READ_ORDERS = "SPOT_DEAL_READ"
TRADE = "SPOT_DEAL_WRITE"


@dataclass(slots=True)
class Venue:
    """The exchange behind the HTTP surface."""

    config: ExchangeConfig
    markets: dict[str, Market]
    histories: dict[str, MarketHistory]
    engine: Engine
    # exchangeInfo fields that are shown as given here and not enforced, by symbol.
    shown: dict[str, dict[str, object]]
    key_permissions: frozenset[str]

    @property
    def options(self) -> Options:
        return self.engine.options


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read and let in."""

    venue: Venue
    params: Mapping[str, str]
    now_ms: int
    effects: Effects

    def text(self, name: str) -> str | None:
        return self.params.get(name) or None

    def required(self, name: str) -> str:
        value = self.params.get(name)
        if not value:
            raise refusals.missing(name)
        return value

    def time(self, name: str) -> int | None:
        """Read an optional time in milliseconds."""
        value = self.params.get(name)
        if not value:
            return None
        if not (value.isascii() and value.isdigit()):
            raise refusals.parameter_error(name)
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """Read `limit`; more than the maximum is cut without a word, as far as is known."""
        value = self.time("limit")
        if value is None:
            return default
        if value == 0:
            raise refusals.parameter_error("limit")
        return min(value, most)

    def market(self) -> Market:
        """Give the market of the required `symbol`."""
        market = self.venue.markets.get(self.required("symbol"))
        if market is None:
            raise refusals.invalid_symbol()
        return market

    def rules(self, symbol: str) -> Rules:
        """Give a symbol's rules as they are during this request; faults leave MX alone."""
        rules = self.venue.markets[symbol].rules
        return rules if symbol == MX_SYMBOL else self.effects.rules(rules)

    def history(self) -> MarketHistory:
        """Give the history of the required `symbol`'s market."""
        return self.venue.histories[self.market().symbol]

    def symbols(self) -> list[str]:
        """Read one to five comma separated symbols, all known."""
        names = self.required("symbol").split(",")
        if len(names) > 5:
            raise refusals.parameter_error("symbol")
        if any(name not in self.venue.markets for name in names):
            raise refusals.invalid_symbol()
        return names


Handler = Callable[[Call], object]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`permission` None is a public endpoint; `weight_of_all` counts when no symbol is given."""

    handler: Handler
    weight: int
    permission: str | None = None
    weight_of_all: int | None = None

    def weight_for(self, params: Mapping[str, str]) -> int:
        if self.weight_of_all is not None and not params.get("symbol"):
            return self.weight_of_all
        return self.weight


def rate(value: Decimal) -> float | int:
    """Write a rate as the JSON number that the exchange sends; never used to compute with."""
    return int(value) if value == value.to_integral_value() else float(value)
