"""Fills a store to its limits: every history to its thousand, the ledger with fills, two days of run marks."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import redis

from common.clock import milliseconds
from common.decimal_json import to_redis
from common.domain.instrument import Instrument, Side
from common.domain.ledger.ledger import OVERLAP, Ledger
from common.domain.ledger.position import FifoView, Position
from common.domain.ledger.sequence import RULE
from common.domain.orders.journal import IntentState, JournalEntry
from common.domain.orders.order import Fill, OrderIntent, OrderStyle, client_order_id
from common.store.codec import to_document
from common.store.entries import entry_document
from common.store.keys import HISTORY_LIMIT, RUN_MARK_SECONDS, Keys
from common.store.records import lots_document

CHUNK = 2_000
MARKS_A_DAY = {"price": 1440, "balance": 480, "cost": 288, "fifteen_min_job": 96}


def histories(client: "redis.Redis") -> None:
    """Lengthen every history that was begun to its limit, backwards in time, by entries like its newest."""
    names: Any = client.keys("*:history")
    for key in names:
        if client.type(key) == "list":
            newest: Any = client.lindex(key, 0)
            length: Any = client.llen(key)
            client.rpush(key, *[newest] * (HISTORY_LIMIT - length))
            continue
        entries: Any = client.zrange(key, -1, -1, withscores=True)
        member, score = entries[0]
        pipe = client.pipeline(transaction=False)
        for number in range(1, HISTORY_LIMIT):
            pipe.zadd(key, {_earlier(member, number): score - 60_000 * number})
        pipe.zremrangebyrank(key, 0, -HISTORY_LIMIT - 1)
        pipe.execute()


def _earlier(member: str, number: int) -> str:
    """The same entry, so many minutes before: a member of its own."""
    document = json.loads(member)
    stamp = document["timestamp"]
    if isinstance(stamp, int):
        return member.replace(f'"timestamp":{stamp}', f'"timestamp":{stamp - 60_000 * number}')
    moment = datetime.fromisoformat(stamp) - timedelta(minutes=number)
    return member.replace(f'"timestamp":"{stamp}"', f'"timestamp":"{moment.isoformat()}"')


def run_marks(client: "redis.Redis", keys: Keys) -> None:
    """The marks of all runs that a duplicate delivery may still name."""
    for job, a_day in MARKS_A_DAY.items():
        found: Any = client.keys(keys.run_mark(job, "*"))
        answer: Any = client.get(found[0])
        pipe = client.pipeline(transaction=False)
        for number in range(a_day * RUN_MARK_SECONDS // 86_400):
            pipe.set(keys.run_mark(job, f"filled-{number}"), answer, ex=RUN_MARK_SECONDS)
        pipe.execute()


def fills(count: int, instrument: Instrument, end: datetime, holding: Decimal) -> Iterator[Fill]:
    """A trading history of `count` fills up to `end`: a first buy of `holding`, then as much sold as bought."""
    rng = random.Random(11)
    start = end - timedelta(minutes=7 * count)
    quantity = holding
    for number in range(count):
        side = Side.SELL if number and number % 2 == 0 else Side.BUY
        if number % 2:
            quantity = Decimal(rng.randint(1_000_000, 9_000_000)).scaleb(-4)
        price = Decimal(rng.randint(18_000, 22_000)).scaleb(-6)
        notional = price * quantity
        yield Fill(
            fill_id=f"{600_000_000_000_000_000 + number}X1",
            order_id=f"C02__{600_000_000_000_000_000 + number}036",
            client_order_id=f"rb{number:030d}",
            side=side,
            price=price,
            quantity=quantity,
            notional=notional,
            fee=(notional * 5).scaleb(-4),
            fee_asset=instrument.quote,
            executed_at=start + timedelta(minutes=7 * number),
        )


def intents(client: "redis.Redis", keys: Keys, count: int) -> None:
    """An order journal of `count` intents, a minute apart, up to three days ago; the newest is among the recent."""
    end = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=3)
    for first in range(0, count, CHUNK):
        journal: dict[Any, Any] = {}
        known: dict[Any, Any] = {}
        for number in range(first, min(first + CHUNK, count)):
            at, side = end - timedelta(minutes=number), Side.SELL if number % 2 else Side.BUY
            name, price = client_order_id(keys.symbol, at, side), Decimal("0.02")
            quantity = Decimal(1_000_000 + number).scaleb(-3)
            notional = price * quantity
            intent = OrderIntent(name, at, side, OrderStyle.IOC, quantity, price, notional, mid_price=price)
            order_id = f"C02__{600_000_000_000_000_000 + number}036"
            entry = JournalEntry(intent, IntentState.FILLED, at, at, at, order_id, quantity, notional)
            journal[name] = to_redis(entry_document(entry))
            known[order_id] = name
        client.hset(keys.orders_journal, mapping=journal)
        client.hset(keys.orders_known, mapping=known)
        if first == 0:
            newest = next(iter(journal))
            client.hset(keys.orders_recent, newest, journal[newest])


def ledger(client: "redis.Redis", keys: Keys, count: int, holding: Decimal) -> None:
    """A ledger that has folded `count` fills, read up to now; an odd count ends with `holding` coins."""
    instrument, now = Instrument.from_symbol(keys.symbol), datetime.now(UTC)
    sealed_until = now - OVERLAP
    history = list(fills(count, instrument, sealed_until - timedelta(minutes=1), holding))
    for at in range(0, count, CHUNK):
        scores = {to_redis(to_document(f)): milliseconds(f.executed_at) for f in history[at : at + CHUNK]}
        client.zadd(keys.ledger_fills, scores)
    lots = FifoView().fold(history, instrument)
    sealed, began = Position().fold(history, instrument), history[0].executed_at
    state = Ledger(sealed, sealed_until, now, began, Decimal(0), looked_back_on=now.date(), order_rule=RULE)
    client.set(keys.ledger, to_redis(to_document(state)))
    client.set(keys.ledger_lots, to_redis(lots_document(lots)))
