"""The exchange's refusals: one function or constant for each code, texts as seen on the wire where known.

Three body shapes are used, as in the field: `{"code","msg"}`, `{"msg","code"}` and, for market data and order
look-ups, `{"msg","code","_extend":null}`. Texts of codes nobody has quoted are made up in the same tone.
"""

from __future__ import annotations


class Refusal(Exception):
    """A definite no of the exchange: HTTP status and body."""

    def __init__(self, code: int, msg: str | None, *, status: int = 400, extended: bool = False) -> None:
        super().__init__(f"{code} {msg}")
        self.code = code
        self.msg = msg
        self.status = status
        self.extended = extended
        self.headers: dict[str, str] = {}

    @property
    def body(self) -> dict[str, object]:
        if self.msg is None:
            return {"code": self.code}
        if self.extended:
            return {"msg": self.msg, "code": self.code, "_extend": None}
        return {"code": self.code, "msg": self.msg}


def invalid_symbol() -> Refusal:
    return Refusal(-1121, "Invalid symbol.", extended=True)


def invalid_interval() -> Refusal:
    """The same code as an invalid symbol: only the text tells."""
    return Refusal(-1121, "Invalid interval.", extended=True)


def invalid_combination() -> Refusal:
    return Refusal(-1128, "Combination of optional parameters invalid.", extended=True)


def unknown_order() -> Refusal:
    return Refusal(-2011, "Unknown order sent.")


def order_not_found() -> Refusal:
    return Refusal(-2013, "Order does not exist.", extended=True)


def missing(name: str) -> Refusal:
    return Refusal(700004, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def no_order_id() -> Refusal:
    text = "Mandatory parameter 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
    return Refusal(700004, text)


def bad_content_type() -> Refusal:
    return Refusal(700013, "Invalid content Type.")


def api_key_required() -> Refusal:
    return Refusal(400, "api key required")


def api_key_invalid() -> Refusal:
    return Refusal(10072, "Api key info invalid")


def ip_not_listed(address: str) -> Refusal:
    return Refusal(700006, f"IP [{address}] not in the ip white list")


def no_permission() -> Refusal:
    return Refusal(700007, "No permission to access the endpoint.")


def bad_signature() -> Refusal:
    return Refusal(700002, "Signature for this request is not valid.")


def outside_window() -> Refusal:
    return Refusal(700003, "Timestamp for this request is outside of the recvWindow.")


def window_too_long() -> Refusal:
    return Refusal(700005, "recvWindow must less than 60000")


def illegal_characters(name: str) -> Refusal:
    return Refusal(700008, f"Illegal characters found in parameter '{name}'")


def parameter_error(name: str) -> Refusal:
    return Refusal(33333, f"param is error: {name}")


def bad_symbol() -> Refusal:
    return Refusal(10007, "bad symbol")


def symbol_not_supported() -> Refusal:
    return Refusal(10007, "symbol not support api")


def pair_not_allowed() -> Refusal:
    return Refusal(70011, "Pair trading is not allowed for this key")


def symbol_suspended() -> Refusal:
    return Refusal(30000, "suspended transaction for the symbol")


def side_not_allowed() -> Refusal:
    return Refusal(30001, "current transaction direction is not allowed to place an order")


def below_minimum(least: str, asset: str) -> Refusal:
    return Refusal(30002, f"The minimum transaction volume cannot be less than:{least}{asset}")


def above_maximum(most: str, asset: str) -> Refusal:
    return Refusal(30003, f"The maximum transaction volume cannot be greater than:{most}{asset}")


def insufficient_position() -> Refusal:
    return Refusal(30004, "Insufficient position")


def oversold() -> Refusal:
    return Refusal(30005, "Oversold")


def would_take() -> Refusal:
    """LIMIT_MAKER that would trade at once; the code is an assumption (nobody has quoted it)."""
    return Refusal(30010, "no valid trade price")


def trading_disabled() -> Refusal:
    return Refusal(30016, "trading disabled")


def account_may_not_trade() -> Refusal:
    return Refusal(30018, "账号暂时不能下单，请联系客服")


def no_opposing_order() -> Refusal:
    return Refusal(30025, "no exist opponent order")


def too_many_open_orders() -> Refusal:
    return Refusal(30029, "the number of open orders exceeds the limit")


def order_type_not_allowed() -> Refusal:
    return Refusal(30041, "current order type can not place order")


def market_orders_disabled() -> Refusal:
    return Refusal(30051, "api market order is disabled")


def price_out_of_range() -> Refusal:
    return Refusal(30087, "price out of the allowed range")


def amount_not_positive() -> Refusal:
    return Refusal(10102, "amount cannot be zero or negative")


def amount_unreadable() -> Refusal:
    return Refusal(10097, "amount is error")


def quantity_scale() -> Refusal:
    return Refusal(400, "quantity scale is invalid")


def amount_scale() -> Refusal:
    """With the leading blank that the real text has."""
    return Refusal(400, " amount scale is invalid")


def price_scale() -> Refusal:
    """Made up after the two scale texts that were seen."""
    return Refusal(400, "price scale is invalid")


def duplicate_client_id() -> Refusal:
    """An assumption: what MEXC does with a repeated client id is unknown."""
    return Refusal(400, "duplicate client order id")


def too_many_requests(retry_after_s: int, *, banned: bool) -> Refusal:
    """429, or 418 for a client that went on after it."""
    status = 418 if banned else 429
    refusal = Refusal(status, None, status=status)
    refusal.headers["Retry-After"] = str(retry_after_s)
    return refusal
