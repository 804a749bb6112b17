"""What the endpoint handlers share: their registration, and access to the request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local.exchange.config import MX_SYMBOL, Row, Rules
from local.exchange.engine import Engine
from local.exchange.faults import Effects
from local.exchange.market_data import MarketData
from local.exchange.refusals import No, Refusal

READ_ACCOUNT = "SPOT_ACCOUNT_READ"
READ_ORDERS = "SPOT_DEAL_READ"
TRADE = "SPOT_DEAL_WRITE"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, parsed and admitted."""

    engine: Engine
    params: Mapping[str, str]
    now_ms: int
    effects: Effects

    def text(self, name: str) -> str | None:
        return self.params.get(name) or None

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise Refusal(No.MISSING, name)
        return value

    def time(self, name: str) -> int | None:
        """Read an optional time in milliseconds."""
        value = self.text(name)
        if value is not None and not (value.isascii() and value.isdigit()):
            raise Refusal(No.PARAMETER_ERROR, name)
        return None if value is None else int(value)

    def window(self, length_ms: int) -> tuple[int, int]:
        """Read `startTime` and `endTime`: the end defaults to now, the start to `length_ms` before the end."""
        start, end = self.time("startTime"), self.time("endTime")
        end = self.now_ms if end is None else end
        return end - length_ms if start is None else start, end

    def limit(self, default: int, most: int) -> int:
        """Read `limit`; a larger one is silently reduced, as far as is known."""
        value = self.time("limit")
        if value == 0:
            raise Refusal(No.PARAMETER_ERROR, "limit")
        return default if value is None else min(value, most)

    def symbol(self) -> str:
        """The required `symbol`, which must be known."""
        symbol = self.required("symbol")
        if symbol not in self.engine.markets:
            raise Refusal(No.INVALID_SYMBOL)
        return symbol

    def data(self) -> MarketData:
        return self.engine.data[self.symbol()]

    def rules(self, symbol: str) -> Rules:
        """A symbol's rules during this request; faults do not affect MX."""
        rules = self.engine.markets[symbol].rules
        return rules if symbol == MX_SYMBOL else self.effects.rules(rules)

    def symbols(self) -> list[str]:
        """Read one to five comma separated symbols, all known."""
        names = self.required("symbol").split(",")
        if len(names) > 5:
            raise Refusal(No.PARAMETER_ERROR, "symbol")
        if any(name not in self.engine.markets for name in names):
            raise Refusal(No.INVALID_SYMBOL)
        return names

    def enveloped(self, data: object) -> Row:
        return {"data": data, "code": 0, "msg": "success", "timestamp": self.now_ms}

    def enveloped_list(self, data: object) -> Row:
        """Wrap like selfSymbols and defaultSymbols: live (code 0) or as documented (code 200)."""
        documented = self.engine.options.envelope_code == 200
        return {"code": 200, "data": data, "msg": None} if documented else self.enveloped(data)


Handler = Callable[[Call], object]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`permission` None means public; `weight_of_all` applies when no symbol is given."""

    handler: Handler
    weight: int
    permission: str | None = None
    weight_of_all: int | None = None

    def weight_for(self, params: Mapping[str, str]) -> int:
        if self.weight_of_all is not None and not params.get("symbol"):
            return self.weight_of_all
        return self.weight


ENDPOINTS: dict[tuple[str, str], Endpoint] = {}


def endpoint(
    method: str, path: str, weight: int, permission: str | None = None, *, weight_of_all: int | None = None
) -> Callable[[Handler], Handler]:
    """Serve a handler at a path below /api/v3/. Weights are the larger of the two published columns."""

    def register(handler: Handler) -> Handler:
        ENDPOINTS[method, f"/api/v3/{path}"] = Endpoint(handler, weight, permission, weight_of_all)
        return handler

    return register
