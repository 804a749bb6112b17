"""What a new order is checked for before it is taken: its form, then the market's rules. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from local.exchange import refusals
from local.exchange.amounts import ONE, ZERO, floor_to, plain, read_plain, scale_of
from local.exchange.config import QUOTE_ASSET, Options, Rules, Side
from local.exchange.orders import NewOrder

TYPES = frozenset({"LIMIT", "LIMIT_MAKER", "MARKET", "IMMEDIATE_OR_CANCEL", "FILL_OR_KILL"})

# exchangeInfo's orderTypes never lists these two, yet the exchange takes them.
_UNLISTED_TYPES = frozenset({"IMMEDIATE_OR_CANCEL", "FILL_OR_KILL"})
_SIDE_TYPES: dict[int, tuple[Side, ...]] = {1: ("BUY", "SELL"), 2: ("BUY",), 3: ("SELL",), 4: ()}


def read_form(params: Mapping[str, str], rules_of: Mapping[str, Rules], options: Options) -> NewOrder:
    """Read the parameters of POST order and order/test: presence, charset, decimals.

    Raises:
        Refusal: the first thing wrong.
    """
    for name in ("symbol", "side", "type"):
        if not params.get(name):
            raise refusals.missing(name)
    symbol, side, order_type = params["symbol"], params["side"], params["type"]
    rules = rules_of.get(symbol)
    if rules is None:
        raise refusals.bad_symbol()
    if side not in ("BUY", "SELL"):
        raise refusals.parameter_error("side")
    if order_type not in TYPES:
        raise refusals.order_type_not_allowed()
    client_id = params.get("newClientOrderId") or None
    if client_id is not None and not re.fullmatch(options.client_id_pattern, client_id):
        raise refusals.illegal_characters("newClientOrderId")
    quantity = _amount(params, "quantity", rules.quantity_scale, refusals.quantity_scale)
    quote_quantity = _amount(params, "quoteOrderQty", rules.price_decimals, refusals.amount_scale)
    price = _amount(params, "price", rules.price_decimals, refusals.price_scale)
    if order_type == "MARKET":
        price = None
        if quantity is None and quote_quantity is None:
            raise refusals.missing("quantity")
    else:
        quote_quantity = None
        if quantity is None:
            raise refusals.missing("quantity")
        if price is None:
            raise refusals.missing("price")
    if quantity is not None and rules.base_size_precision > 0:
        # Published as the smallest quantity only; taken for a step too, the reading that refuses more.
        if quantity < rules.base_size_precision:
            raise refusals.below_minimum(plain(rules.base_size_precision), rules.base_asset)
        if floor_to(quantity, rules.base_size_precision) != quantity:
            raise refusals.quantity_scale()
    return NewOrder(
        symbol=symbol,
        side="BUY" if side == "BUY" else "SELL",
        type=order_type,
        quantity=quantity,
        quote_quantity=quote_quantity,
        price=price,
        client_order_id=client_id,
    )


def check_open(order: NewOrder, rules: Rules, *, key_allows: bool) -> None:
    """Check that this order may be traded at all now: symbol, key, side, type."""
    if not (rules.api_open and rules.is_spot_trading_allowed):
        raise refusals.symbol_not_supported()
    if not key_allows:
        raise refusals.pair_not_allowed()
    if rules.status == "2":
        raise refusals.symbol_suspended()
    if rules.status not in ("1", "ENABLED"):
        raise refusals.trading_disabled()
    allowed = _SIDE_TYPES.get(rules.trade_side_type, ())
    if not allowed:
        raise refusals.trading_disabled()
    if order.side not in allowed:
        raise refusals.side_not_allowed()
    if order.type == "MARKET" and not rules.market_orders_open:
        raise refusals.market_orders_disabled()
    if order.type not in rules.order_types and order.type not in _UNLISTED_TYPES:
        raise refusals.order_type_not_allowed()


def check_size_and_price(order: NewOrder, rules: Rules, last_price: Decimal) -> None:
    """Check the notional and, for priced orders, the band around the last price."""
    market = order.type == "MARKET"
    least = rules.quote_amount_precision_market if market else rules.quote_amount_precision
    most = rules.max_quote_amount_market if market else rules.max_quote_amount
    notional = order.quote_quantity
    if notional is None:
        notional = (order.quantity or ZERO) * (order.price or last_price)
    if notional < least:
        raise refusals.below_minimum(plain(least), QUOTE_ASSET)
    if notional > most:
        raise refusals.above_maximum(plain(most), QUOTE_ASSET)
    # The band is documented for LIMIT, IOC and FOK; a post-only order is a limit order too.
    if order.price is None:
        return
    if order.side == "BUY" and rules.bid_multiplier_up is not None:
        up = rules.bid_multiplier_up
        if order.price > last_price * (up if up >= ONE else ONE + up):
            raise refusals.price_out_of_range()
    if order.side == "SELL" and rules.ask_multiplier_down is not None:
        down = rules.ask_multiplier_down
        if down < ONE and order.price < last_price * (ONE - down):
            raise refusals.price_out_of_range()


def _amount(
    params: Mapping[str, str], name: str, scale: int, too_fine: Callable[[], refusals.Refusal]
) -> Decimal | None:
    text = params.get(name)
    if not text:
        return None
    value = read_plain(text)
    if value is None:
        # A minus sign is a readable amount that is not positive; exponents and the rest are not read.
        negative = text.startswith("-") and read_plain(text[1:]) is not None
        raise refusals.amount_not_positive() if negative else refusals.amount_unreadable()
    if value <= 0:
        raise refusals.amount_not_positive()
    if scale_of(text) > scale:
        raise too_fine()
    return value
