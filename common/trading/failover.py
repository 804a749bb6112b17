"""What Redis may have forgotten: a failover loses the writes that had not reached the replica (platform.md §4.3).

The remaining state looks complete. A run that recorded an order, sent it and ended may leave no trace, while the
order itself is not visible yet; a second delivery of its slot would order twice. But Redis is then another
instance, and reports so. From then on nothing is sent until every earlier order must be visible; then the exchange
is asked for all of them, and those missing from the journal are put back.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from common.domain.orders.journal import Continuity
from common.domain.orders.order import Order, is_ours
from common.domain.slots import CLOCKS_APART
from common.errors import ExchangeRefused, UnreadablePayload
from common.mexc.order_history import OddOrder
from common.run import Run
from common.store.codec import to_document

log = logging.getLogger(__name__)
LOOKED_BACK = timedelta(days=6)
"""How far back orders are asked for: the exchange lists them for seven days."""


class Aftermath(NamedTuple):
    """`doubt` is why nothing may be sent yet, None otherwise; `orders` are all of ours, once all must be visible.

    Store `searched` together with the restored orders: otherwise one that was found but not restored is lost.
    """

    doubt: str | None = None
    orders: tuple[Order, ...] = ()
    searched: Continuity | None = None


def changed_over(run: Run, within: timedelta) -> bool:
    """Whether Redis is another instance than before, or became one less than `within` ago: its data may be old."""
    known = run.state.continuity
    if known is None:
        return False
    instance_id = run.store.instance(run.meter)
    return instance_id is not None and (instance_id != known.instance_id or run.clock.now() - known.since < within)


def aftermath(run: Run, visible_after: timedelta) -> Aftermath:
    """Whether Redis is still the same, and if not, what follows; an order is visible `visible_after` it was sent.

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
    page = run.exchange.orders_between(now - LOOKED_BACK, now + CLOCKS_APART).value
    unrecorded = _not_recorded(run, page.odd)
    alone = [(odd, _asked_alone(run, odd)) for odd in unrecorded]
    orders = (*page.orders, *(order for _, order in alone if order is not None))
    ours = tuple(order for order in orders if is_ours(order.client_order_id))
    if in_doubt := [str(odd) for odd, order in alone if order is None]:
        unreadable = "; ".join(in_doubt)
        return Aftermath(f"Unresolved order: {unreadable} cannot be read: `settle-intent`, or `ignore-order`", ours)
    return Aftermath(orders=ours, searched=replace(known, searched=True))


def _asked_alone(run: Run, odd: OddOrder) -> Order | None:
    """Ask alone for an order whose row in the list cannot be read; None where that reply is no more readable."""
    exchange, ours = run.exchange, odd.client_order_id
    try:
        return run.kept(exchange.order(ours) if ours else exchange.order_by_id(odd.name))
    except (UnreadablePayload, ExchangeRefused):
        return None


def _not_recorded(run: Run, odd: Sequence[OddOrder]) -> list[OddOrder]:
    """The unreadable orders that no record knows: a known one has ended, or is asked for by its own id."""
    if not odd:
        return []
    ids, ours = [each.name for each in odd], [each.client_order_id or "" for each in odd]
    found = run.store.read(
        {"ids": ("HMGET", run.keys.orders_known, *ids), "ours": ("HMGET", run.keys.orders_journal, *ours)},
        run.meter,
    )
    records = zip(odd, found["ids"], found["ours"], strict=True)
    return [each for each, by_id, by_name in records if by_id is None and by_name is None]
