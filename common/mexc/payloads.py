"""The exchange's payloads, field by field, under its own names (exchange.md §1). Unknown fields are ignored.

Amounts are decimal strings in JSON: a binary float, NaN or an empty text is not an amount.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any
from unicodedata import normalize

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from common.decimal_json import written
from common.decimals import non_negative, parse
from common.domain.instrument import Side
from common.errors import BotError

MOST_DIGITS = 21
"""Digits of an amount before its point: no market has more, and products of three stay exact."""


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
    """Ids are strings, though the documentation sometimes prints ints."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, AfterValidator(written)]
"""Text that can be written again: half of a surrogate pair cannot."""


def asset_code(name: str) -> str:
    """The code that an asset's name stands for, however it is spelt: lower-case, spaced or full-width letters."""
    if name.isascii() and name.isalnum():
        return name.upper()
    return "".join(sign for sign in normalize("NFKC", name) if sign.isprintable() and sign != " ").upper()


def _named(name: str) -> str:
    if not asset_code(name):
        raise ValueError("names no asset")
    return name


Amount = Annotated[Decimal, PlainValidator(_with(non_negative))]
Signed = Annotated[Decimal, PlainValidator(_with(parse))]
MaybeAmount = Annotated[Amount | None, BeforeValidator(_blank_is_none)]
MaybeSigned = Annotated[Signed | None, BeforeValidator(_blank_is_none)]
MaybeText = Annotated[Text | None, BeforeValidator(_blank_is_none)]
Id = Annotated[Text, BeforeValidator(_text), Field(min_length=1)]
MOST_MILLIS = 32_503_680_000_000
"""The year 3000."""
Millis = Annotated[int, Field(ge=0, le=MOST_MILLIS)]
Pair = tuple[Amount, Amount]
Kline = tuple[Millis, Amount, Amount, Amount, Amount, Amount, Millis, Amount]


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, defer_build=True)


class WireBalance(Wire):
    asset: Annotated[Text, AfterValidator(_named)]
    free: Amount
    locked: Amount


class WireAccount(Wire):
    canTrade: bool
    canWithdraw: bool
    canDeposit: bool
    accountType: Text
    balances: list[Any]
    permissions: list[Text]
    makerCommission: MaybeAmount = None
    takerCommission: MaybeAmount = None
    updateTime: Millis | None = None


class WireTicker(Wire):
    symbol: Text
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
    symbol: Text
    price: Amount


class WireBookTicker(Wire):
    symbol: Text
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
    filterType: Text
    bidMultiplierUp: MaybeAmount = None
    askMultiplierDown: MaybeAmount = None


class WireSymbol(Wire):
    symbol: Text
    status: Annotated[Text, BeforeValidator(_text)]
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
    orderTypes: list[Text]
    isSpotTradingAllowed: bool
    permissions: list[Text]
    tradeSideType: Annotated[int, Field(ge=1, le=4)] = 1
    filters: list[WireFilter] = []
    st: bool = False


class WireExchangeInfo(Wire):
    symbols: list[Any]


class WireSymbols(Wire):
    data: list[Text]


class WireFee(Wire):
    makerCommission: Amount
    takerCommission: Amount


class WireTradeFee(Wire):
    data: WireFee


class WireFill(Wire):
    symbol: Text
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
    clientOrderId: Text | None = None


class WireOrder(Wire):
    symbol: Text
    orderId: Id
    side: Side
    price: Amount
    status: Text
    executedQty: Amount
    cummulativeQuoteQty: Amount
    origQty: Amount | None = None
    Qty: Amount | None = None
    clientOrderId: Text | None = None
    origClientOrderId: Text | None = None
    type: Text | None = None
    time: object = None


class WireAck(Wire):
    orderId: Id


class WireTime(Wire):
    serverTime: Millis
