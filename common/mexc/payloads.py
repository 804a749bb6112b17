"""The exchange's payloads, field by field, under its own names (exchange.md §1). Unknown fields are ignored.

Money is a string of a decimal on the wire: a binary float, NaN or an empty text is no amount.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from common.decimals import non_negative, parse
from common.domain.instrument import Side
from common.errors import BotError

MOST_DIGITS = 21
"""Of an amount before its point: no market has more, and products of three stay exact."""


def _with(read: Callable[[object], Decimal]) -> Callable[[object], Decimal]:
    def validate(value: object) -> Decimal:
        try:
            amount = read(value)
        except BotError as error:
            raise ValueError(str(error)) from None
        if amount.adjusted() > MOST_DIGITS:
            raise ValueError("amount is out of any sensible range")
        return amount

    return validate


def _blank_is_none(value: object) -> object:
    return None if value == "" else value


def _text(value: object) -> object:
    """Ids are strings, though the documentation prints ints here and there."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Amount = Annotated[Decimal, PlainValidator(_with(non_negative))]
Signed = Annotated[Decimal, PlainValidator(_with(parse))]
MaybeAmount = Annotated[Amount | None, BeforeValidator(_blank_is_none)]
MaybeSigned = Annotated[Signed | None, BeforeValidator(_blank_is_none)]
MaybeText = Annotated[str | None, BeforeValidator(_blank_is_none)]
Id = Annotated[str, BeforeValidator(_text), Field(min_length=1)]
MOST_MILLIS = 32_503_680_000_000
"""The year 3000."""
Millis = Annotated[int, Field(ge=0, le=MOST_MILLIS)]
Pair = tuple[Amount, Amount]


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, defer_build=True)


class WireBalance(Wire):
    asset: str
    free: Amount
    locked: Amount


class WireAccount(Wire):
    canTrade: bool
    canWithdraw: bool
    canDeposit: bool
    accountType: str
    balances: list[Any]
    permissions: list[str]
    makerCommission: MaybeAmount = None
    takerCommission: MaybeAmount = None
    updateTime: Millis | None = None


class WireTicker(Wire):
    symbol: str
    lastPrice: Amount
    volume: Amount
    highPrice: Amount
    lowPrice: Amount
    priceChange: Signed
    priceChangePercent: Signed
    openPrice: MaybeAmount = None
    prevClosePrice: MaybeAmount = None
    bidPrice: MaybeAmount = None
    askPrice: MaybeAmount = None
    quoteVolume: MaybeAmount = None


class WirePrice(Wire):
    symbol: str
    price: Amount


class WireBookTicker(Wire):
    symbol: str
    bidPrice: MaybeAmount
    askPrice: MaybeAmount
    bidQty: MaybeAmount = None
    askQty: MaybeAmount = None


class WireDepth(Wire):
    bids: list[Any]
    asks: list[Any]


class WireDeal(Wire):
    price: Amount
    qty: Amount
    time: Millis
    isBuyerMaker: bool


class WireFilter(Wire):
    filterType: str
    bidMultiplierUp: MaybeAmount = None
    askMultiplierDown: MaybeAmount = None


class WireSymbol(Wire):
    symbol: str
    status: Annotated[str, BeforeValidator(_text)]
    baseAssetPrecision: Annotated[int, Field(ge=0, le=18)]
    quotePrecision: Annotated[int, Field(ge=0, le=18)]
    quoteAssetPrecision: Annotated[int, Field(ge=0, le=18)]
    baseSizePrecision: Amount
    quoteAmountPrecision: Amount
    maxQuoteAmount: Amount
    quoteAmountPrecisionMarket: MaybeAmount = None
    maxQuoteAmountMarket: MaybeAmount = None
    makerCommission: Amount
    takerCommission: Amount
    orderTypes: list[str]
    isSpotTradingAllowed: bool
    permissions: list[str]
    tradeSideType: Annotated[int, Field(ge=1, le=4)] = 1
    filters: list[WireFilter] = []
    st: bool = False


class WireExchangeInfo(Wire):
    symbols: list[Any]


class WireSymbols(Wire):
    data: list[str]


class WireFee(Wire):
    makerCommission: Amount
    takerCommission: Amount


class WireTradeFee(Wire):
    data: WireFee


class WireFill(Wire):
    symbol: str
    id: Id
    orderId: Id
    price: Amount
    qty: Amount
    quoteQty: MaybeAmount = None
    commission: MaybeSigned = None
    commissionAsset: MaybeText = None
    time: Millis
    isBuyer: bool
    isMaker: bool | None = None
    clientOrderId: str | None = None


class WireOrder(Wire):
    symbol: str
    orderId: Id
    side: Side
    price: Amount
    status: str
    executedQty: Amount
    cummulativeQuoteQty: Amount
    origQty: Amount | None = None
    Qty: Amount | None = None
    clientOrderId: str | None = None
    origClientOrderId: str | None = None
    type: str | None = None
    time: object = None


class WireAck(Wire):
    orderId: Id


class WireTime(Wire):
    serverTime: Millis
