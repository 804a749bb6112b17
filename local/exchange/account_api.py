"""The signed endpoints: account, fees, orders and history."""

from __future__ import annotations

from local.exchange import checks, history, refusals
from local.exchange.clock import DAY_MS
from local.exchange.config import MX_SYMBOL
from local.exchange.endpoints import READ_ACCOUNT, READ_ORDERS, TRADE, Call, Endpoint, rate
from local.exchange.orders import Order
from local.exchange.public_api import envelope

Row = dict[str, object]


def account(call: Call) -> Row:
    engine = call.venue.engine
    style = call.venue.options.commission_fields
    # The ints of 2022 counted hundredths of a percent: 20 was 0.20 %.
    maker, taker = (int(fee * 10_000) for fee in (engine.fees.maker, engine.fees.taker))
    commissions: dict[str, Row] = {
        "null": dict.fromkeys(("makerCommission", "takerCommission", "buyerCommission", "sellerCommission")),
        "ints": {
            "makerCommission": maker,
            "takerCommission": taker,
            "buyerCommission": 0,
            "sellerCommission": 0,
        },
        "absent": {},
    }
    return {
        **commissions[style],
        "canTrade": engine.account.can_trade,
        "canWithdraw": True,
        "canDeposit": True,
        # Null, so that nobody can see how fresh the balances are.
        "updateTime": None,
        "accountType": "SPOT",
        "balances": engine.account.shown_rows(call.now_ms),
        "permissions": ["SPOT"],
    }


def trade_fee(call: Call) -> Row:
    """The rates this account pays, as JSON numbers."""
    call.market()
    fees = call.venue.engine.fees
    data = {"makerCommission": rate(fees.maker), "takerCommission": rate(fees.taker)}
    return {"data": data, "code": 0, "msg": "success", "timestamp": call.now_ms}


def self_symbols(call: Call) -> Row:
    """The symbols this key may trade. API trading switched off otherwise does not show here."""
    names = sorted(call.venue.engine.key_symbols)
    if call.effects.key_symbol_closed:
        names = [name for name in names if name == MX_SYMBOL]
    return envelope(call, names)


def mx_deduct(call: Call) -> Row:
    data = {"mxDeductEnable": call.venue.engine.fees.asset == "MX"}
    return {"data": data, "code": 0, "msg": "success", "timestamp": call.now_ms}


def kyc_status(_: Call) -> Row:
    return {"status": "1"}


def uid(_: Call) -> Row:
    return {"uid": "10000001"}


def my_trades(call: Call) -> list[Row]:
    fills = history.my_trades(
        call.venue.engine.fills,
        call.market().symbol,
        order_id=call.text("orderId"),
        start_ms=call.time("startTime"),
        end_ms=call.time("endTime"),
        limit=call.limit(history.MAX_TRADES, history.MAX_TRADES),
        now_ms=call.now_ms,
        ordering=call.venue.options.trades_order,
    )
    return [fill.row() for fill in fills]


def new_order(call: Call) -> Row:
    rules = {symbol: market.rules for symbol, market in call.venue.markets.items()}
    wanted = checks.read_form(call.params, rules, call.venue.options)
    order = call.venue.engine.place(wanted, call.effects, call.now_ms)
    return order.acknowledgement(with_client_id=call.venue.options.ack_client_id)


def test_order(call: Call) -> Row:
    """Check an order and forget it; how much the real one checks is unknown, so form alone by default."""
    rules = {symbol: market.rules for symbol, market in call.venue.markets.items()}
    wanted = checks.read_form(call.params, rules, call.venue.options)
    if call.venue.options.order_test_checks == "all":
        call.venue.engine.check(wanted, call.effects, call.now_ms)
        call.venue.engine.check_funds(wanted, call.now_ms)
    return {}


def query_order(call: Call) -> Row:
    return _found(call).row()


def cancel_order(call: Call) -> Row:
    """Cancel; the answer shows the order as it was before."""
    try:
        order = _found(call)
    except refusals.Refusal as refusal:
        if refusal.code == refusals.order_not_found().code:
            raise refusals.unknown_order() from None
        raise
    before = order.cancel_row()
    call.venue.engine.cancel(order, call.now_ms)
    return before


def open_orders(call: Call) -> list[Row]:
    """`symbol` is required, as in the older documents: the narrower reading."""
    return [order.row() for order in _open(call)]


def cancel_open_orders(call: Call) -> list[Row]:
    rows: list[Row] = []
    for order in _open(call):
        rows.append(order.bulk_cancel_row())
        call.venue.engine.cancel(order, call.now_ms)
    return rows


def all_orders(call: Call) -> list[Row]:
    market, start, end = call.market(), call.time("startTime"), call.time("endTime")
    if start is not None and end is not None and end - start > 7 * DAY_MS:
        raise refusals.invalid_combination()
    orders = call.venue.engine.orders.values()
    found = history.all_orders(orders, market.symbol, start, end, call.limit(500, 1_000), call.now_ms)
    return [order.row() for order in found]


def _found(call: Call) -> Order:
    symbol = call.market().symbol
    orders = call.venue.engine.orders.values()
    return history.find(orders, symbol, call.text("orderId"), call.text("origClientOrderId"), call.now_ms)


def _open(call: Call) -> list[Order]:
    return history.open_orders(call.venue.engine.open_orders(), call.symbols(), call.now_ms)


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "/api/v3/account"): Endpoint(account, 10, READ_ACCOUNT),
    ("GET", "/api/v3/tradeFee"): Endpoint(trade_fee, 20, READ_ACCOUNT),
    ("GET", "/api/v3/selfSymbols"): Endpoint(self_symbols, 1, READ_ACCOUNT),
    ("GET", "/api/v3/mxDeduct/enable"): Endpoint(mx_deduct, 1, READ_ACCOUNT),
    ("GET", "/api/v3/kyc/status"): Endpoint(kyc_status, 1, READ_ACCOUNT),
    ("GET", "/api/v3/uid"): Endpoint(uid, 1, READ_ACCOUNT),
    ("GET", "/api/v3/myTrades"): Endpoint(my_trades, 10, READ_ACCOUNT),
    ("POST", "/api/v3/order"): Endpoint(new_order, 1, TRADE),
    ("POST", "/api/v3/order/test"): Endpoint(test_order, 1, TRADE),
    ("GET", "/api/v3/order"): Endpoint(query_order, 2, READ_ORDERS),
    ("DELETE", "/api/v3/order"): Endpoint(cancel_order, 1, TRADE),
    ("GET", "/api/v3/openOrders"): Endpoint(open_orders, 3, READ_ORDERS),
    ("DELETE", "/api/v3/openOrders"): Endpoint(cancel_open_orders, 1, TRADE),
    ("GET", "/api/v3/allOrders"): Endpoint(all_orders, 10, READ_ORDERS),
}
