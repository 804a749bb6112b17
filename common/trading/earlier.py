"""What earlier runs saw, to compare this run's prices and balances with."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from common.clock import from_milliseconds
from common.decimal_json import from_redis
from common.domain.decision.facts import Expected, Reference
from common.domain.ledger.ledger import net_notional, net_quantity, was_before
from common.domain.orders.journal import JournalEntry
from common.domain.orders.order import Fill
from common.errors import BotError
from common.mexc.parse import Ticker, read_ticker
from common.run import Run
from common.store.documents import LastPlan, last_plan_of
from common.trading.recording import order_journal

log = logging.getLogger(__name__)
MAX_REFERENCE_AGE = timedelta(hours=1)
"""How old a price may be to compare this run's price with it."""


def references(run: Run, plan: LastPlan | None) -> tuple[Reference, ...]:
    """The prices that this run's price is compared with.

    The price job's while it is recent, the last plan's while it is recent or there is no other, and the 24-hour
    mid-range, which a crash moves slowly. Raises StoreCorrupt.
    """
    latest, ticker = run.state.last_price, _ticker(run)
    found = []
    if latest is not None and run.now - latest.timestamp <= MAX_REFERENCE_AGE:
        found.append(Reference("the last known one", latest.price))
    if plan is not None and (not found or run.now - plan.timestamp <= MAX_REFERENCE_AGE):
        found.append(Reference("the last plan's" if found else "the last known one", plan.price))
    if ticker is not None:
        found.append(Reference("the middle of the last 24 hours", (ticker.high_price + ticker.low_price) / 2))
    return tuple(found)


def last_plan(run: Run) -> LastPlan | None:
    """What the last plan saw. Raises StoreCorrupt."""
    text, key = run.state.last_plan, run.keys.plan_last
    return last_plan_of(from_redis(text, key), run.instrument, key) if text is not None else None


def _ticker(run: Run) -> Ticker | None:
    """The 24-hour ticker that the price job has stored, if it is recent and plausible; else None."""
    text = run.state.last_ticker
    if text is None:
        return None
    try:
        document = from_redis(text, run.keys.raw_latest("ticker_24hr"), raw=True)
        at = from_milliseconds(document["timestamp"])
        ticker = read_ticker(document["response"], run.instrument.symbol)
    except (BotError, KeyError, TypeError, ValueError) as error:
        log.warning("the 24-hour ticker cannot be read, no price is held against it (%s)", type(error).__name__)
        return None
    sound = ticker.low_price <= ticker.last_price <= ticker.high_price
    return ticker if sound and run.now - at <= MAX_REFERENCE_AGE else None


def expected(run: Run, plan: LastPlan | None, fills: Sequence[Fill]) -> Expected | None:
    """The last plan's balances plus what fills have moved since; None before the first plan."""
    if plan is None:
        return None
    instrument, orders = run.instrument, order_journal(run).entries
    after = [fill for fill in fills if _came_after(plan, fill, orders.get(fill.client_order_id or ""))]
    since = {fill.fill_id: fill for fill in after}.values()
    base = sum((net_quantity(fill, instrument) for fill in since), plan.base)
    quote = sum((net_notional(fill, instrument) for fill in since), plan.quote)
    return Expected(base, quote)


def _came_after(plan: LastPlan, fill: Fill, order: JournalEntry | None) -> bool:
    """Whether the plan's balances were without the fill: by our own clock where the order was ours.

    Fills carry whole seconds of the exchange's clock, and two plans may be made within one.
    """
    if order is not None and not order.state.open and order.updated_at <= plan.timestamp:
        return False
    if order is not None and order.sent_at is not None and order.sent_at >= plan.timestamp:
        return True
    return not was_before(fill, plan.timestamp)
