"""Orders and fills as the exchange stores and shows them."""

import random
from dataclasses import dataclass
from decimal import Decimal

from pydantic import Field

from local.exchange.amounts import ZERO, Number, plain
from local.exchange.clock import SECOND_MS
from local.exchange.config import Row, Side, Values

FINAL = frozenset({"FILLED", "CANCELED", "PARTIALLY_CANCELED"})
# Steps of the real ids (snowflakes), so that these look and sort like them.
_FIRST_ID = 593_000_000_000_000_000
_ID_STEP = 4_194_304
_ID_SUFFIX = "036"

# The formats of an order: that of GET order, openOrders and allOrders as seen live,
LIVE = (
    "symbol orderId orderListId clientOrderId price origQty executedQty cummulativeQuoteQty status stpMode"
    " timeInForce type side stopPrice icebergQty time updateTime isWorking origQuoteOrderQty"
)
# the reply to POST order, which does not show the order's outcome,
ACKNOWLEDGED = "symbol orderId orderListId price origQty type side stpMode transactTime"
# the reply to DELETE order, and an entry of the reply to DELETE openOrders, shorter as seen live.
CANCELLED = (
    "symbol origClientOrderId orderId orderListId clientOrderId price origQty executedQty cummulativeQuoteQty"
    " status timeInForce type side"
)
BULK_CANCELLED = "symbol orderId type side price origQty executedQty cummulativeQuoteQty status"


def whole_second(at_ms: int) -> int:
    """The whole second, in milliseconds, as orders and fills carry it."""
    return at_ms // SECOND_MS * SECOND_MS


class IdSource:
    """Order ids `C02__` + 21 digits, ascending; trade ids are the first 18 digits + `X<n>`."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._next = _FIRST_ID

    def order_id(self) -> str:
        self._next += _ID_STEP
        return f"C02__{self._next + self._rng.randrange(_ID_STEP)}{_ID_SUFFIX}"


def trade_id(order_id: str, number: int) -> str:
    return f"{order_id.removeprefix('C02__').removesuffix(_ID_SUFFIX)}X{number}"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A requested order whose form was checked."""

    symbol: str
    side: Side
    type: str
    quantity: Decimal | None
    quote_quantity: Decimal | None
    price: Decimal | None
    client_order_id: str | None


@dataclass(slots=True)
class Order:
    """An accepted order. `price` of a MARKET order is the protective bound."""

    symbol: str
    order_id: str
    client_order_id: str | None
    side: Side
    type: str
    price: Decimal
    quantity: Decimal
    created_ms: int
    updated_ms: int
    visible_ms: int
    hold_asset: str
    # The fee rate that the hold of a buy includes.
    hold_rate: Decimal
    # The quote amount a MARKET buy may spend, when it was sized by that.
    quote_budget: Decimal | None = None
    hold: Decimal = ZERO
    executed: Decimal = ZERO
    executed_quote: Decimal = ZERO
    status: str = "NEW"
    fills: int = 0
    # How long after its execution a fill stays out of myTrades.
    fills_hidden_ms: int = 0
    # The minute in which it was filled last while it rested: once a minute at most.
    offered_minute: int = -1

    @property
    def remaining(self) -> Decimal:
        return max(ZERO, self.quantity - self.executed)

    @property
    def hold_wanted(self) -> Decimal:
        """What must stay locked for the unfilled part."""
        if self.side == "SELL":
            return self.remaining
        left = self.price * self.remaining
        if self.quote_budget is not None:
            left = max(ZERO, self.quote_budget - self.executed_quote)
        return left * (1 + self.hold_rate)

    def crosses(self, price: Decimal) -> bool:
        """Whether this order would trade at that price of the other side."""
        return price <= self.price if self.side == "BUY" else price >= self.price

    @property
    def is_open(self) -> bool:
        return self.status not in FINAL

    def row(self, names: str = LIVE) -> Row:
        """The order's current state, in one of the formats above."""
        row = {
            "symbol": self.symbol,
            "orderId": self.order_id,
            "orderListId": -1,
            "clientOrderId": self.client_order_id,
            "origClientOrderId": self.client_order_id,
            "price": plain(self.price),
            "origQty": plain(self.quantity),
            "executedQty": plain(self.executed),
            "cummulativeQuoteQty": plain(self.executed_quote),
            "origQuoteOrderQty": plain(self.price * self.quantity),
            "status": self.status,
            "type": self.type,
            "side": self.side,
            "stpMode": "",
            "timeInForce": None,
            "stopPrice": None,
            "icebergQty": None,
            "time": whole_second(self.created_ms),
            "updateTime": whole_second(self.updated_ms),
            "transactTime": self.created_ms,
            # True whatever the status.
            "isWorking": True,
        }
        return {name: row[name] for name in names.split()}


class Fill(Values):
    """One execution, written as an entry of myTrades; `visible_ms` is when it becomes visible there."""

    symbol: str
    trade_id: str = Field(serialization_alias="id")
    order_id: str = Field(serialization_alias="orderId")
    order_list_id: int = Field(default=-1, serialization_alias="orderListId")
    price: Number
    quantity: Number = Field(serialization_alias="qty")
    quote_quantity: Number = Field(serialization_alias="quoteQty")
    commission: Number
    commission_asset: str = Field(serialization_alias="commissionAsset")
    time_ms: int = Field(serialization_alias="time")
    is_buyer: bool = Field(serialization_alias="isBuyer")
    is_maker: bool = Field(serialization_alias="isMaker")
    is_best_match: bool = Field(default=True, serialization_alias="isBestMatch")
    is_self_trade: bool = Field(default=False, serialization_alias="isSelfTrade")
    client_order_id: str | None = Field(serialization_alias="clientOrderId")
    visible_ms: int = Field(default=0, exclude=True)

    def row(self) -> Row:
        return self.model_dump(by_alias=True)
