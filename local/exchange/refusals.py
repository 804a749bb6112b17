"""The exchange's refusals: code and text, as observed where known, otherwise invented in the same style."""

from enum import Enum


class No(Enum):
    """Every definite refusal; `{}` is replaced by the words given with it."""

    INVALID_SYMBOL = -1121, "Invalid symbol."
    # The same code as an invalid symbol: only the text differs.
    INVALID_INTERVAL = -1121, "Invalid interval."
    INVALID_COMBINATION = -1128, "Combination of optional parameters invalid."
    UNKNOWN_ORDER = -2011, "Unknown order sent."
    ORDER_NOT_FOUND = -2013, "Order does not exist."
    MISSING = 700004, "Mandatory parameter '{}' was not sent, was empty/null, or malformed."
    NO_ORDER_ID = (
        700004,
        "Mandatory parameter 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!",
    )
    BAD_CONTENT_TYPE = 700013, "Invalid content Type."
    API_KEY_REQUIRED = 400, "api key required"
    API_KEY_INVALID = 10072, "Api key info invalid"
    ADDRESS_NOT_LISTED = 700006, "IP [{}] not in the ip white list"
    NO_PERMISSION = 700007, "No permission to access the endpoint."
    BAD_SIGNATURE = 700002, "Signature for this request is not valid."
    OUTSIDE_WINDOW = 700003, "Timestamp for this request is outside of the recvWindow."
    WINDOW_TOO_LONG = 700005, "recvWindow must less than 60000"
    ILLEGAL_CHARACTERS = 700008, "Illegal characters found in parameter '{}'"
    PARAMETER_ERROR = 33333, "param is error: {}"
    BAD_SYMBOL = 10007, "bad symbol"
    SYMBOL_NOT_SUPPORTED = 10007, "symbol not support api"
    PAIR_NOT_ALLOWED = 70011, "Pair trading is not allowed for this key"
    SYMBOL_SUSPENDED = 30000, "suspended transaction for the symbol"
    SIDE_NOT_ALLOWED = 30001, "current transaction direction is not allowed to place an order"
    BELOW_MINIMUM = 30002, "The minimum transaction volume cannot be less than:{}{}"
    ABOVE_MAXIMUM = 30003, "The maximum transaction volume cannot be greater than:{}{}"
    INSUFFICIENT_POSITION = 30004, "Insufficient position"
    OVERSOLD = 30005, "Oversold"
    # LIMIT_MAKER that would trade at once; the code is an assumption (nobody has quoted it).
    WOULD_TAKE = 30010, "no valid trade price"
    TRADING_DISABLED = 30016, "trading disabled"
    ACCOUNT_MAY_NOT_TRADE = 30018, "账号暂时不能下单，请联系客服"
    NO_OPPOSING_ORDER = 30025, "no exist opponent order"
    TOO_MANY_OPEN_ORDERS = 30029, "the number of open orders exceeds the limit"
    ORDER_TYPE_NOT_ALLOWED = 30041, "current order type can not place order"
    MARKET_ORDERS_DISABLED = 30051, "api market order is disabled"
    PRICE_OUT_OF_RANGE = 30087, "price out of the allowed range"
    AMOUNT_NOT_POSITIVE = 10102, "amount cannot be zero or negative"
    AMOUNT_UNREADABLE = 10097, "amount is error"
    QUANTITY_SCALE = 400, "quantity scale is invalid"
    # With the leading blank of the real text; the next one is invented after the two that were observed.
    AMOUNT_SCALE = 400, " amount scale is invalid"
    PRICE_SCALE = 400, "price scale is invalid"
    # An assumption: what MEXC does with a repeated client id is unknown.
    DUPLICATE_CLIENT_ID = 400, "duplicate client order id"


_EXTENDED = (-1121, -1128, -2013)
"""Codes of market data and order look-ups, which use a third format."""


class Refusal(Exception):
    """A definite refusal: HTTP status, body and headers."""

    def __init__(self, no: No, *words: str) -> None:
        code, text = no.value
        self.no, self.status, self.headers = no, 400, dict[str, str]()
        self.body: dict[str, object] = {"code": code, "msg": text.format(*words)}
        if code in _EXTENDED:
            self.body = {"msg": text, "code": code, "_extend": None}
        super().__init__(self.body)


class TooManyRequests(Refusal):
    """429, or 418 for a client that went on after it."""

    def __init__(self, retry_after_s: int, *, banned: bool) -> None:
        Exception.__init__(self, retry_after_s)
        self.status = 418 if banned else 429
        self.body = {"code": self.status}
        self.headers = {"Retry-After": str(retry_after_s)}
