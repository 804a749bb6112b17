"""New fills in full: read from Redis and the exchange before anything is decided."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from common.books.details import order_times, with_fee_values, with_mids, with_order_times
from common.books.fills import LOOK_BACK, History, less_what_is_booked
from common.books.fold import Books, NewFills, needs_the_whole
from common.clock import milliseconds
from common.decimal_json import from_redis
from common.domain.ledger.ledger import once
from common.domain.orders.order import Fill, is_ours
from common.domain.performance.equity import Flow
from common.errors import BotError
from common.run import Run
from common.store.codec import from_document
from common.store.records import fill_of
from common.store.store import Read

log = logging.getLogger(__name__)


def gathered(run: Run, books: Books, history: History) -> NewFills:
    """The new fills, with what a fill does not carry itself. Redis and the exchange are only asked here."""
    ruled = books.quarantine.ruled
    readable = [fill for fill in history.fills if fill.fill_id not in ruled]
    readable += books.quarantine.to_book
    fills = less_what_is_booked(readable, books.tail)
    if books.ledger is None:
        fresh = once(fills)  # from before the inception, within seconds: it does not matter whose they are
    else:
        fresh = _known_better(run, books.ledger.unknown(fills), looked_back=history.looked_back)
    tail = _recognized(run, books.tail)
    pending = [fill for fill in tail if fill.fee_pending]
    valued = with_fee_values((*fresh, *pending), run.exchange, run.pool, run.now, run.batch)
    better = {fill.fill_id: fill for fill in (*tail, *valued)}
    better |= {fill.fill_id: fill for fill in _with_order_times(run, tuple(better.values()))}
    held = {fill.fill_id: fill for fill in books.tail}
    new_fills = tuple(fill for name, fill in better.items() if held.get(name) != fill)
    known: tuple[Fill, ...] | None = None
    flows: tuple[Flow, ...] = ()
    if needs_the_whole(books, new_fills, history.place_in_the_future):
        known, flows = all_fills(run)
    return NewFills(
        fills=once(new_fills),
        read_until=min(history.read_until, run.clock.now()),
        gaps=history.gaps,
        odd=history.odd,
        looked_back=history.looked_back,
        place_in_the_future=history.place_in_the_future,
        known=known,
        flows=flows,
    )


def _known_better(run: Run, fresh: tuple[Fill, ...], *, looked_back: bool) -> tuple[Fill, ...]:
    """The fills that are not stored yet, with the client id and the mid of our orders behind them.

    At most one trip where fills carry our id themselves, and none without new fills. Stored fills that turn out to
    be our own only now are among them.
    """
    if not fresh:
        return fresh
    fresh = _recognized(run, fresh)
    wanted: dict[str, Read] = {}
    if looked_back:
        since = str(milliseconds(run.now - LOOK_BACK))
        wanted["recent"] = ("ZRANGEBYSCORE", run.keys.ledger_fills, since, "+inf")
    nameless = tuple(dict.fromkeys(fill.order_id for fill in fresh if fill.client_order_id is None))
    if nameless:
        wanted["known"] = ("HMGET", run.keys.orders_known, *nameless)
    wanted |= _intents(run, fresh)
    found = run.store.read(wanted, run.meter) if wanted else {}
    stored = {fill.fill_id: fill for fill in once(_fills(run, found.get("recent", ())))}
    ours_now = [fill for fill in _recognized(run, stored.values()) if fill != stored[fill.fill_id]]
    fresh = less_what_is_booked((fill for fill in fresh if fill.fill_id not in stored), stored.values())
    names = {order_id: name for order_id, name in zip(nameless, found.get("known", ()), strict=False) if name}
    if ours := tuple(fill for fill in fresh if fill.order_id in names):
        named = {fill.fill_id: _named(fill, names[fill.order_id]) for fill in ours}
        fresh = tuple(named.get(fill.fill_id, fill) for fill in fresh)
        found = {**found, **run.store.read(_intents(run, fresh), run.meter)}
    return (*with_mids(fresh, _mids(run, found.get("intents", ()))), *ours_now)


def _recognized(run: Run, fills: Iterable[Fill]) -> tuple[Fill, ...]:
    """Add client id and mid to nameless fills whose order this run's order journal knows.

    The journal may know more than Redis: a run finds out what became of an order and only queues it.
    """
    if run.order_journal is None:
        return tuple(fills)
    entries = run.order_journal.entries.values()
    intents = {entry.order_id: entry.intent for entry in entries if entry.order_id is not None}
    return tuple(
        replace(fill, client_order_id=intent.client_order_id, mid_price=intent.mid_price)
        if fill.client_order_id is None and (intent := intents.get(fill.order_id)) is not None
        else fill
        for fill in fills
    )


def _fills(run: Run, documents: Iterable[Any]) -> list[Fill]:
    return [fill_of(document, run.keys.ledger_fills) for document in documents]


def _intents(run: Run, fills: tuple[Fill, ...]) -> dict[str, Read]:
    """The intents behind our own fills whose mid is unknown."""
    ours = [fill.client_order_id for fill in fills if fill.mid_price is None and is_ours(fill.client_order_id)]
    names = dict.fromkeys(name for name in ours if name)
    return {"intents": ("HMGET", run.keys.orders_journal, *names)} if names else {}


def _mids(run: Run, texts: list[str | None]) -> Mapping[str, Decimal | None]:
    if not texts:
        return {}
    from common.store.entries import entry_of  # needed only for new fills of the bot's own orders

    key = run.keys.orders_journal
    intents = [entry_of(from_redis(text, key), key).intent for text in texts if text is not None]
    return {intent.client_order_id: intent.mid_price for intent in intents}


def _named(fill: Fill, client_order_id: str) -> Fill:
    return replace(fill, client_order_id=client_order_id)


def _with_order_times(run: Run, fills: tuple[Fill, ...]) -> tuple[Fill, ...]:
    """Add the times of their orders where buys and sales meet in one second, if the exchange reports them."""
    window = order_times(fills, run.now)
    if window is None:
        return fills
    try:
        answer = run.exchange.orders_between(*window)
    except BotError as error:
        log.warning("the times of orders of one second could not be read, buys go first: %s", error)
        return fills
    run.batch.raw(answer.reply)
    return with_order_times(
        fills, {order.order_id: order.created_at for order in answer.value.orders if order.created_at is not None}
    )


def all_fills(run: Run) -> tuple[tuple[Fill, ...], tuple[Flow, ...]]:
    """Every fill and every flow that is stored, read in one trip."""
    key, flows = run.keys.ledger_fills, run.keys.flows
    found = run.store.read({"fills": ("ZRANGE", key, "0", "-1"), "flows": ("ZRANGE", flows, "0", "-1")}, run.meter)
    return once(_fills(run, found["fills"])), tuple(
        from_document(Flow, document, flows) for document in found["flows"]
    )
