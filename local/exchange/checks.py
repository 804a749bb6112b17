"""The checks of a new order before it is accepted: its form, then the market's rules. Pure."""

import re
from collections.abc import Mapping
from decimal import Decimal

from local.exchange.amounts import ONE, ZERO, floor_to, plain, read_plain, scale_of
from local.exchange.config import QUOTE_ASSET, Rules, Side
from local.exchange.market import Market
from local.exchange.orders import NewOrder
from local.exchange.refusals import No, Refusal

TYPES = frozenset({"LIMIT", "LIMIT_MAKER", "MARKET", "IMMEDIATE_OR_CANCEL", "FILL_OR_KILL"})

# exchangeInfo's orderTypes never lists these two, yet the exchange takes them.
_UNLISTED_TYPES = frozenset({"IMMEDIATE_OR_CANCEL", "FILL_OR_KILL"})
# Charset and length are unknown: the narrow interpretation.
_CLIENT_ID = re.compile("[A-Za-z0-9]{1,32}")
_SIDE_TYPES: dict[int, tuple[Side, ...]] = {1: ("BUY", "SELL"), 2: ("BUY",), 3: ("SELL",), 4: ()}


def read_form(params: Mapping[str, str], markets: Mapping[str, Market]) -> NewOrder:
    """Read the parameters of POST order and order/test: presence, charset, decimals. Raises Refusal."""
    for name in ("symbol", "side", "type"):
        if not params.get(name):
            raise Refusal(No.MISSING, name)
    symbol, side, order_type = params["symbol"], params["side"], params["type"]
    if symbol not in markets:
        raise Refusal(No.BAD_SYMBOL)
    rules = markets[symbol].rules
    if side not in ("BUY", "SELL"):
        raise Refusal(No.PARAMETER_ERROR, "side")
    if order_type not in TYPES:
        raise Refusal(No.ORDER_TYPE_NOT_ALLOWED)
    client_id = params.get("newClientOrderId") or None
    if client_id is not None and not _CLIENT_ID.fullmatch(client_id):
        raise Refusal(No.ILLEGAL_CHARACTERS, "newClientOrderId")
    quantity = _amount(params, "quantity", rules.quantity_scale, No.QUANTITY_SCALE)
    quote_quantity = _amount(params, "quoteOrderQty", rules.price_decimals, No.AMOUNT_SCALE)
    price = _amount(params, "price", rules.price_decimals, No.PRICE_SCALE)
    if order_type == "MARKET":
        price = None
    else:
        quote_quantity = None
        if quantity is not None and price is None:
            raise Refusal(No.MISSING, "price")
    if quantity is None and quote_quantity is None:
        raise Refusal(No.MISSING, "quantity")
    if quantity is not None and rules.base_size_precision > 0:
        # Published only as the smallest quantity; used as a step too, the interpretation that refuses more.
        if quantity < rules.base_size_precision:
            raise Refusal(No.BELOW_MINIMUM, plain(rules.base_size_precision), rules.base_asset)
        if floor_to(quantity, rules.base_size_precision) != quantity:
            raise Refusal(No.QUANTITY_SCALE)
    return NewOrder(
        symbol, "BUY" if side == "BUY" else "SELL", order_type, quantity, quote_quantity, price, client_id
    )


def check_open(order: NewOrder, rules: Rules, *, key_allows: bool) -> None:
    """Check that this order may be traded now: symbol, key, side, type. Raises Refusal."""
    sides = _SIDE_TYPES.get(rules.trade_side_type, ())
    for wrong, no in (
        (not (rules.api_open and rules.is_spot_trading_allowed), No.SYMBOL_NOT_SUPPORTED),
        (not key_allows, No.PAIR_NOT_ALLOWED),
        (rules.status == "2", No.SYMBOL_SUSPENDED),
        (rules.status not in ("1", "ENABLED") or not sides, No.TRADING_DISABLED),
        (order.side not in sides, No.SIDE_NOT_ALLOWED),
        (order.type == "MARKET" and not rules.market_orders_open, No.MARKET_ORDERS_DISABLED),
        (order.type not in rules.order_types and order.type not in _UNLISTED_TYPES, No.ORDER_TYPE_NOT_ALLOWED),
    ):
        if wrong:
            raise Refusal(no)


def check_size_and_price(order: NewOrder, rules: Rules, last_price: Decimal) -> None:
    """Check the notional and, for priced orders, the band around the last price. Raises Refusal."""
    market = order.type == "MARKET"
    least = rules.quote_amount_precision_market if market else rules.quote_amount_precision
    most = rules.max_quote_amount_market if market else rules.max_quote_amount
    notional = order.quote_quantity
    if notional is None:
        notional = (order.quantity or ZERO) * (order.price or last_price)
    if notional < least:
        raise Refusal(No.BELOW_MINIMUM, plain(least), QUOTE_ASSET)
    if notional > most:
        raise Refusal(No.ABOVE_MAXIMUM, plain(most), QUOTE_ASSET)
    # The band is documented for LIMIT, IOC and FOK; a post-only order is a limit order too.
    if order.price is None:
        return
    up, down = rules.bid_multiplier_up, rules.ask_multiplier_down
    if order.side == "BUY" and up is not None and order.price > last_price * (up if up >= ONE else ONE + up):
        raise Refusal(No.PRICE_OUT_OF_RANGE)
    if order.side == "SELL" and down is not None and down < ONE and order.price < last_price * (ONE - down):
        raise Refusal(No.PRICE_OUT_OF_RANGE)


def _amount(params: Mapping[str, str], name: str, scale: int, too_fine: No) -> Decimal | None:
    text = params.get(name)
    if not text:
        return None
    value = read_plain(text)
    if value is None:
        # A negative amount is readable but not positive; exponents and anything else are unreadable.
        negative = text.startswith("-") and read_plain(text[1:]) is not None
        raise Refusal(No.AMOUNT_NOT_POSITIVE if negative else No.AMOUNT_UNREADABLE)
    if value <= 0:
        raise Refusal(No.AMOUNT_NOT_POSITIVE)
    if scale_of(text) > scale:
        raise Refusal(too_fine)
    return value
