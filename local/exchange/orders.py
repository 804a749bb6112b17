"""Orders and fills as the exchange keeps and shows them."""

import random
from dataclasses import dataclass
from decimal import Decimal

from local.exchange.amounts import ZERO, plain
from local.exchange.clock import SECOND_MS
from local.exchange.config import Row, Side

FINAL = frozenset({"FILLED", "CANCELED", "PARTIALLY_CANCELED"})
# Steps of the real ids (snowflakes), so that these look and sort alike.
_FIRST_ID = 593_000_000_000_000_000
_ID_STEP = 4_194_304
_ID_SUFFIX = "036"


def whole_second(at_ms: int) -> int:
    """Orders and fills carry whole seconds, in milliseconds."""
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
    """An order as asked for, its form checked."""

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
        """What must stay locked for the part that is still to be filled."""
        if self.side == "SELL":
            return self.remaining
        left = self.price * self.remaining
        if self.quote_budget is not None:
            left = max(ZERO, self.quote_budget - self.executed_quote)
        return left * (1 + self.hold_rate)

    def crosses(self, price: Decimal) -> bool:
        """Tell whether this order would trade at that price of the other side."""
        return price <= self.price if self.side == "BUY" else price >= self.price

    @property
    def is_open(self) -> bool:
        return self.status not in FINAL

    def row(self) -> Row:
        """The order object of GET order, openOrders and allOrders, in its live shape."""
        return {
            "symbol": self.symbol,
            "orderId": self.order_id,
            "orderListId": -1,
            "clientOrderId": self.client_order_id,
            **self._amounts(),
            "stpMode": "",
            "timeInForce": None,
            "type": self.type,
            "side": self.side,
            "stopPrice": None,
            "icebergQty": None,
            "time": whole_second(self.created_ms),
            "updateTime": whole_second(self.updated_ms),
            # True whatever the status.
            "isWorking": True,
            "origQuoteOrderQty": plain(self.price * self.quantity),
        }

    def acknowledgement(self, *, with_client_id: bool) -> Row:
        """The answer to POST order: nothing in it says what became of the order."""
        return {
            "symbol": self.symbol,
            "orderId": self.order_id,
            "orderListId": -1,
            **({"clientOrderId": self.client_order_id} if with_client_id else {}),
            "price": plain(self.price),
            "origQty": plain(self.quantity),
            "type": self.type,
            "side": self.side,
            "stpMode": "",
            "transactTime": self.created_ms,
        }

    def cancel_row(self) -> Row:
        """The answer to DELETE order, to be taken before the cancel: it shows the state of that time."""
        return {
            "symbol": self.symbol,
            "origClientOrderId": self.client_order_id,
            "orderId": self.order_id,
            "orderListId": -1,
            "clientOrderId": self.client_order_id,
            **self._amounts(),
            "timeInForce": None,
            "type": self.type,
            "side": self.side,
        }

    def bulk_cancel_row(self) -> Row:
        """One entry of the answer to DELETE openOrders, the shorter live shape."""
        head = {"symbol": self.symbol, "orderId": self.order_id, "type": self.type, "side": self.side}
        return head | self._amounts()

    def _amounts(self) -> Row:
        return {
            "price": plain(self.price),
            "origQty": plain(self.quantity),
            "executedQty": plain(self.executed),
            "cummulativeQuoteQty": plain(self.executed_quote),
            "status": self.status,
        }


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution; `visible_ms` is when myTrades begins to show it."""

    symbol: str
    trade_id: str
    order_id: str
    client_order_id: str | None
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    commission: Decimal
    commission_asset: str
    time_ms: int
    is_buyer: bool
    is_maker: bool
    visible_ms: int = 0

    def row(self) -> Row:
        return {
            "symbol": self.symbol,
            "id": self.trade_id,
            "orderId": self.order_id,
            "orderListId": -1,
            "price": plain(self.price),
            "qty": plain(self.quantity),
            "quoteQty": plain(self.quote_quantity),
            "commission": plain(self.commission),
            "commissionAsset": self.commission_asset,
            "time": self.time_ms,
            "isBuyer": self.is_buyer,
            "isMaker": self.is_maker,
            "isBestMatch": True,
            "isSelfTrade": False,
            "clientOrderId": self.client_order_id,
        }
