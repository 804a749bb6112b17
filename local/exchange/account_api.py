"""The signed endpoints: account, fees, orders and history."""

from local.exchange import checks, history
from local.exchange.answers import number
from local.exchange.config import MX_SYMBOL, Row
from local.exchange.endpoints import READ_ACCOUNT, READ_ORDERS, TRADE, Call, endpoint
from local.exchange.orders import ACKNOWLEDGED, BULK_CANCELLED, CANCELLED, Order
from local.exchange.refusals import No, Refusal


@endpoint("GET", "account", 10, READ_ACCOUNT)
def account(call: Call) -> object:
    engine = call.venue.engine
    names = ("makerCommission", "takerCommission", "buyerCommission", "sellerCommission")
    # The ints of 2022 counted hundredths of a percent: 20 was 0.20 %.
    ints = (int(engine.fees.maker * 10_000), int(engine.fees.taker * 10_000), 0, 0)
    styles: dict[str, Row] = {
        "null": dict.fromkeys(names),
        "ints": dict(zip(names, ints, strict=True)),
        "absent": {},
    }
    return {
        **styles[call.venue.options.commission_fields],
        "canTrade": engine.account.can_trade,
        "canWithdraw": True,
        "canDeposit": True,
        # Null, so that nobody can see how fresh the balances are.
        "updateTime": None,
        "accountType": "SPOT",
        "balances": engine.account.shown_rows(call.now_ms),
        "permissions": ["SPOT"],
    }


@endpoint("GET", "tradeFee", 20, READ_ACCOUNT)
def trade_fee(call: Call) -> object:
    """The rates this account pays, as JSON numbers."""
    call.symbol()
    fees = call.venue.engine.fees
    return call.enveloped({"makerCommission": number(fees.maker), "takerCommission": number(fees.taker)})


@endpoint("GET", "selfSymbols", 1, READ_ACCOUNT)
def self_symbols(call: Call) -> object:
    """The symbols this key may trade. API trading switched off otherwise does not show here."""
    names = sorted(call.venue.engine.key_symbols)
    return call.enveloped_list([n for n in names if n == MX_SYMBOL or not call.effects.key_symbol_closed])


@endpoint("GET", "myTrades", 10, READ_ACCOUNT)
def my_trades(call: Call) -> object:
    symbol, order_id, start, end = call.symbol(), call.text("orderId"), call.time("startTime"), call.time("endTime")
    limit, ordering = call.limit(history.MAX_TRADES, history.MAX_TRADES), call.venue.options.trades_order
    fills = call.venue.engine.fills
    found = history.my_trades(fills, symbol, order_id, start, end, limit, call.now_ms, ordering)
    return [fill.row() for fill in found]


@endpoint("POST", "order", 1, TRADE)
def new_order(call: Call) -> object:
    wanted = checks.read_form(call.params, call.venue.all_rules(), call.venue.options)
    order = call.venue.engine.place(wanted, call.effects, call.now_ms)
    echoed = {"clientOrderId": order.client_order_id} if call.venue.options.ack_client_id else {}
    return order.row(ACKNOWLEDGED) | echoed


@endpoint("POST", "order/test", 1, TRADE)
def test_order(call: Call) -> object:
    """Check an order and forget it; how much the real one checks is unknown, so form alone by default."""
    wanted = checks.read_form(call.params, call.venue.all_rules(), call.venue.options)
    if call.venue.options.order_test_checks == "all":
        call.venue.engine.check(wanted, call.effects, call.now_ms)
        call.venue.engine.check_funds(wanted, call.now_ms)
    return {}


@endpoint("GET", "order", 2, READ_ORDERS)
def query_order(call: Call) -> object:
    return _found(call).row()


@endpoint("DELETE", "order", 1, TRADE)
def cancel_order(call: Call) -> object:
    """Cancel; the answer shows the order as it was before."""
    try:
        order = _found(call)
    except Refusal as refusal:
        raise Refusal(No.UNKNOWN_ORDER) if refusal.no is No.ORDER_NOT_FOUND else refusal from None
    before = order.row(CANCELLED)
    call.venue.engine.cancel(order, call.now_ms)
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
        call.venue.engine.cancel(order, call.now_ms)
    return rows


@endpoint("GET", "allOrders", 10, READ_ORDERS)
def all_orders(call: Call) -> object:
    symbol, start, end, limit = call.symbol(), call.time("startTime"), call.time("endTime"), call.limit(500, 1_000)
    orders = call.venue.engine.orders.values()
    return [order.row() for order in history.all_orders(orders, symbol, start, end, limit, call.now_ms)]


def _found(call: Call) -> Order:
    symbol, orders = call.symbol(), call.venue.engine.orders.values()
    return history.find(orders, symbol, call.text("orderId"), call.text("origClientOrderId"), call.now_ms)


def _open(call: Call) -> list[Order]:
    symbols = call.symbols()
    return [o for o in call.venue.engine.open_orders() if o.symbol in symbols and call.now_ms >= o.visible_ms]
