"""What the exchange still tells of past orders and fills: its short memory and odd windows."""

import random
from collections.abc import Iterable

from local.exchange.clock import DAY_MS
from local.exchange.orders import Fill, Order
from local.exchange.refusals import No, Refusal

WEEK_MS = 7 * DAY_MS
MONTH_MS = 30 * DAY_MS
MAX_TRADES = 100


def find(orders: Iterable[Order], symbol: str, order_id: str | None, client_id: str | None, now_ms: int) -> Order:
    """Find an order of the last seven days; of several with one client id, the newest.

    Raises Refusal: no id was given, or the order is unknown, too old, or not visible yet.
    """
    if not order_id and not client_id:
        raise Refusal(No.NO_ORDER_ID)
    found = None
    for order in orders:
        wanted = order.order_id == order_id if order_id else order.client_order_id == client_id
        if wanted and order.symbol == symbol and _visible(order, now_ms):
            found = order
    if found is None:
        raise Refusal(No.ORDER_NOT_FOUND)
    return found


def all_orders(
    orders: Iterable[Order], symbol: str, start_ms: int | None, end_ms: int | None, limit: int, now_ms: int
) -> list[Order]:
    """Orders of the last 24 h, or of a window within the last seven days; newest first, at most `limit`."""
    if start_ms is not None and end_ms is not None and end_ms - start_ms > WEEK_MS:
        raise Refusal(No.INVALID_COMBINATION)
    end = now_ms if end_ms is None else end_ms
    start = end - DAY_MS if start_ms is None else start_ms
    mine = (order for order in orders if order.symbol == symbol and _visible(order, now_ms))
    found = sorted((order for order in mine if start <= order.created_ms <= end), key=lambda o: o.created_ms)
    return found[::-1][:limit]


def my_trades(
    fills: Iterable[Fill],
    symbol: str,
    order_id: str | None,
    start_ms: int | None,
    end_ms: int | None,
    limit: int,
    now_ms: int,
    ordering: str,
) -> list[Fill]:
    """Fills in a window, at most 100.

    The memory is a month. A window that begins more than seven days ago and is longer than seven days gives
    nothing at all. Without a start the last seven days before the end are meant. More than the limit: the
    newest are kept, or the oldest when `ordering` is oldest. A larger limit is cut without a word.
    """
    end = now_ms if end_ms is None else end_ms
    start = end - WEEK_MS if start_ms is None else start_ms
    if start < now_ms - WEEK_MS and end - start > WEEK_MS:
        return []
    start = max(start, now_ms - MONTH_MS)
    found = [
        fill
        for fill in fills
        if fill.symbol == symbol
        and start <= fill.time_ms <= end
        and now_ms >= fill.visible_ms
        and order_id in (None, fill.order_id)
    ]
    # Stable, so that fills of one second keep the order in which they happened (or its mirror image).
    found.sort(key=lambda fill: fill.time_ms)
    if ordering != "oldest":
        found.reverse()
    found = found[: min(limit, MAX_TRADES)]
    if ordering == "shuffled":
        random.Random(len(found)).shuffle(found)
    return found


def _visible(order: Order, now_ms: int) -> bool:
    return now_ms >= order.visible_ms and order.created_ms >= now_ms - WEEK_MS
