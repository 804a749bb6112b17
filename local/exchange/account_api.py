"""The signed endpoints: account, fees, orders and history, with the exchange's short memory and odd windows."""

import random

from local.exchange import checks
from local.exchange.answers import number
from local.exchange.clock import DAY_MS
from local.exchange.config import MX_SYMBOL, Row
from local.exchange.endpoints import READ_ACCOUNT, READ_ORDERS, TRADE, Call, endpoint
from local.exchange.orders import ACKNOWLEDGED, BULK_CANCELLED, CANCELLED, Order
from local.exchange.refusals import No, Refusal

_WEEK_MS = 7 * DAY_MS
_MONTH_MS = 30 * DAY_MS
_MAX_TRADES = 100


@endpoint("GET", "account", 10, READ_ACCOUNT)
def account(call: Call) -> object:
    engine = call.engine
    names = ("makerCommission", "takerCommission", "buyerCommission", "sellerCommission")
    # The ints of 2022 counted hundredths of a percent: 20 was 0.20 %.
    ints = (int(engine.fees.maker * 10_000), int(engine.fees.taker * 10_000), 0, 0)
    styles: dict[str, Row] = {
        "null": dict.fromkeys(names),
        "ints": dict(zip(names, ints, strict=True)),
        "absent": {},
    }
    return {
        **styles[engine.options.commission_fields],
        "canTrade": engine.account.can_trade,
        "canWithdraw": True,
        "canDeposit": True,
        # Null, as on the real exchange: the age of the balances is unknown.
        "updateTime": None,
        "accountType": "SPOT",
        "balances": engine.account.shown_rows(call.now_ms),
        "permissions": ["SPOT"],
    }


@endpoint("GET", "tradeFee", 20, READ_ACCOUNT)
def trade_fee(call: Call) -> object:
    """The rates this account pays, as JSON numbers."""
    call.symbol()
    fees = call.engine.fees
    return call.enveloped({"makerCommission": number(fees.maker), "takerCommission": number(fees.taker)})


@endpoint("GET", "selfSymbols", 1, READ_ACCOUNT)
def self_symbols(call: Call) -> object:
    """The symbols this key may trade. API trading switched off otherwise does not show here."""
    names = sorted(call.engine.key_symbols)
    return call.enveloped_list([n for n in names if n == MX_SYMBOL or not call.effects.key_symbol_closed])


@endpoint("GET", "myTrades", 10, READ_ACCOUNT)
def my_trades(call: Call) -> object:
    """Fills in a window, at most 100.

    The memory is a month. A window that starts more than seven days ago and is longer than seven days gives
    nothing at all. Without a start the window is the seven days before the end. Beyond the limit the newest are
    kept, or the oldest when these come first. A larger limit is silently reduced.
    """
    symbol, order_id, now_ms = call.symbol(), call.text("orderId"), call.now_ms
    start, end = call.window(_WEEK_MS)
    limit, ordering = call.limit(_MAX_TRADES, _MAX_TRADES), call.engine.options.trades_order
    if start < now_ms - _WEEK_MS and end - start > _WEEK_MS:
        return []
    found = [
        fill
        for fill in call.engine.fills
        if fill.symbol == symbol
        and max(start, now_ms - _MONTH_MS) <= fill.time_ms <= end
        and now_ms >= fill.visible_ms
        and order_id in (None, fill.order_id)
    ]
    # Stable, so that fills of one second keep the order in which they happened (or its mirror image).
    found.sort(key=lambda fill: fill.time_ms)
    if ordering != "oldest":
        found.reverse()
    found = found[:limit]
    if ordering == "shuffled":
        random.Random(len(found)).shuffle(found)
    nameless = {} if call.engine.options.fill_client_id else {"clientOrderId": None}
    return [fill.row() | nameless for fill in found]


@endpoint("POST", "order", 1, TRADE)
def new_order(call: Call) -> object:
    engine = call.engine
    order = engine.place(checks.read_form(call.params, engine.markets), call.effects, call.now_ms)
    echoed = {"clientOrderId": order.client_order_id} if engine.options.ack_client_id else {}
    return order.row(ACKNOWLEDGED) | echoed


@endpoint("POST", "order/test", 1, TRADE)
def test_order(call: Call) -> object:
    """Check an order and forget it; how much the real one checks is unknown, so by default only the form."""
    engine = call.engine
    wanted = checks.read_form(call.params, engine.markets)
    if engine.options.order_test_checks == "all":
        engine.check(wanted, call.effects, call.now_ms)
        engine.check_funds(wanted, call.now_ms)
    return {}


@endpoint("GET", "order", 2, READ_ORDERS)
def query_order(call: Call) -> object:
    return _found(call, No.ORDER_NOT_FOUND).row()


@endpoint("DELETE", "order", 1, TRADE)
def cancel_order(call: Call) -> object:
    """Cancel; the response shows the order as it was before."""
    order = _found(call, No.UNKNOWN_ORDER)
    before = order.row(CANCELLED)
    call.engine.cancel(order, call.now_ms)
    return before


@endpoint("GET", "openOrders", 3, READ_ORDERS)
def open_orders(call: Call) -> object:
    """`symbol` is required, as in the older documents: the narrower reading."""
    return [order.row() for order in _open(call)]


@endpoint("DELETE", "openOrders", 1, TRADE)
def cancel_open_orders(call: Call) -> object:
    orders = _open(call)
    rows = [order.row(BULK_CANCELLED) for order in orders]
    for order in orders:
        call.engine.cancel(order, call.now_ms)
    return rows


@endpoint("GET", "allOrders", 10, READ_ORDERS)
def all_orders(call: Call) -> object:
    """Orders of the last 24 h, or of a window within the last seven days; newest first."""
    symbol, (start, end), limit = call.symbol(), call.window(DAY_MS), call.limit(500, 1_000)
    if call.text("startTime") and call.text("endTime") and end - start > _WEEK_MS:
        raise Refusal(No.INVALID_COMBINATION)
    found = [order for order in _remembered(call, symbol) if start <= order.created_ms <= end]
    return [order.row() for order in sorted(found, key=lambda order: order.created_ms)[::-1][:limit]]


def _found(call: Call, unknown: No) -> Order:
    """Find an order of the last seven days; of several with one client id, the newest.

    Raises Refusal without an id; with `unknown` if there is no such order, or it is too old or not visible yet.
    """
    symbol, order_id, client_id = call.symbol(), call.text("orderId"), call.text("origClientOrderId")
    if not order_id and not client_id:
        raise Refusal(No.NO_ORDER_ID)
    for order in reversed(_remembered(call, symbol)):
        if order.order_id == order_id if order_id else order.client_order_id == client_id:
            return order
    raise Refusal(unknown)


def _remembered(call: Call, symbol: str) -> list[Order]:
    return [
        order
        for order in call.engine.orders.values()
        if order.symbol == symbol and call.now_ms >= order.visible_ms and order.created_ms >= call.now_ms - _WEEK_MS
    ]


def _open(call: Call) -> list[Order]:
    symbols = call.symbols()
    return [o for o in call.engine.open_orders() if o.symbol in symbols and call.now_ms >= o.visible_ms]
