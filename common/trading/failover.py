"""What Redis may have forgotten: a failover loses the writes that had not reached the replica (platform.md §4.3).

What is left looks complete. A run that recorded an order, sent it and ended may be gone without a trace, while
the order itself is not visible yet; delivered once more, its slot would be ordered twice. But Redis is another
instance then, and says so. From there on nothing is sent until every order sent before must be visible; then
the exchange is asked for all of them, and those that the journal does not know are taken back into it.
"""

import logging
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from common.clock import CLOCKS_APART
from common.domain.orders.journal import Continuity
from common.domain.orders.order import Order, is_ours
from common.run import Run
from common.store.codec import to_document

log = logging.getLogger(__name__)
LOOKED_BACK = timedelta(days=6)
"""How far back orders are asked for: the exchange tells them for seven days."""


class Aftermath(NamedTuple):
    """`doubt` is why nothing may be sent yet, None otherwise; `orders` are all of ours, once they can be told.

    `searched` is to be stored with what was made of them: an order that was told and not taken back is lost.
    """

    doubt: str | None = None
    orders: tuple[Order, ...] = ()
    searched: Continuity | None = None


def changed_over(run: Run, within: timedelta) -> bool:
    """Whether Redis is another than before, or has been so for no longer than that: its times may be old ones."""
    known = run.state.continuity
    if known is None:
        return False
    instance_id = run.store.instance(run.meter)
    return instance_id is not None and (instance_id != known.instance_id or run.clock.now() - known.since < within)


def aftermath(run: Run, visible_after: timedelta) -> Aftermath:
    """Whether Redis is the one it was, and if not, what follows; `visible_after` is when an order shows at last.

    Raises ExchangeError when the orders cannot be read: then nothing may be sent either.
    """
    key, now = run.keys.continuity, run.clock.now()
    instance_id = run.store.instance(run.meter)
    known = run.state.continuity
    if instance_id is None:
        return Aftermath()
    if known is None or known.instance_id != instance_id:
        if known is not None:
            log.warning("Redis is another instance than before: no order until all sent earlier can be seen")
        known = Continuity(instance_id, now, searched=False)
        run.batch.document(key, to_document(known))
    if known.searched:
        return Aftermath()
    if now - known.since < visible_after:
        since, until = f"{known.since:%H:%M:%S}", f"{known.since + visible_after:%H:%M:%S}"
        return Aftermath(
            doubt=f"this Redis was first seen at {since}: orders it does not know need not be visible until {until}"
        )
    orders = run.exchange.orders_between(now - LOOKED_BACK, now + CLOCKS_APART).value
    ours = tuple(order for order in orders if is_ours(order.client_order_id))
    return Aftermath(orders=ours, searched=replace(known, searched=True))
