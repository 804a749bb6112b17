"""What one plan is based on: one wave of reads, and the pair's rules."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from common.domain.instrument import TradingRules
from common.domain.order_book import OrderBook
from common.domain.orders.order import Order
from common.domain.portfolio import Holdings
from common.mexc.client import Answer
from common.mexc.wave import Wave
from common.run import Run
from common.store.batch import Batch
from common.store.codec import to_document

log = logging.getLogger(__name__)


class Snapshot(NamedTuple):
    """What one plan is based on, all read in one wave; `book` and `open_orders` are None when unreadable."""

    holdings: Holdings
    can_trade: bool
    mark_price: Decimal
    price_as_of: datetime
    rules: TradingRules
    book: OrderBook | None
    open_orders: tuple[Order, ...] | None
    book_as_of: datetime | None = None

    def decision_price(self, mid: bool) -> "DecisionPrice":
        """The price to decide on: the book's mid if wanted and readable, else the last trade's."""
        book = self.book if mid and self.book is not None and self.book.problem is None else None
        if book is None:
            return DecisionPrice(self.mark_price, None, self.price_as_of)
        return DecisionPrice(
            book.mid_price, self.mark_price, min(self.price_as_of, self.book_as_of or self.price_as_of)
        )


class DecisionPrice(NamedTuple):
    """`last_price` is None where it is `mark_price` itself; with two prices `as_of` is that of the older one."""

    mark_price: Decimal
    last_price: Decimal | None
    as_of: datetime


def calls(run: Run) -> dict[str, Callable[[], Any]]:
    """The wave of the rebalance leg; the pair's rules only when the cache does not have them."""
    wanted: dict[str, Callable[[], Any]] = {
        "account": run.exchange.account,
        "price": run.exchange.ticker_price,
        "depth": run.exchange.depth,
        "open_orders": run.exchange.open_orders,
    }
    if run.cached_rules is None:
        wanted |= {
            "rules": run.exchange.exchange_info,
            "fees": run.exchange.trade_fee,
            "symbols": run.exchange.self_symbols,
        }
    return wanted


def snapshot(run: Run, wave: Wave, batch: Batch) -> Snapshot:
    """The snapshot from a wave. Raises the error of the first call that is indispensable."""
    account, price = wave.get("account"), wave.get("price")
    rules = run.cached_rules
    if rules is None:
        rules = _fresh_rules(run, wave, batch)
        text = run.cache.encode(to_document(rules))
        if text:
            batch.set(
                run.cache.full_key(run.cache.keys.rules(run.instrument.pair)),
                text,
                seconds=run.cache.ttl("rules"),
            )
    if (step := run.settings.quantity_increment) is not None:
        rules = replace(rules, size_increment=max(rules.size_increment, step))
    as_of = account.reply.received_at
    depth = wave.get("depth") if wave.error("depth") is None else None
    return Snapshot(
        holdings=account.value.holdings(run.instrument, as_of),
        can_trade=account.value.can_trade,
        mark_price=price.value,
        price_as_of=price.reply.received_at,
        rules=rules,
        book=depth.value if depth is not None else None,
        book_as_of=depth.reply.received_at if depth is not None else None,
        open_orders=tuple(wave.get("open_orders").value) if wave.error("open_orders") is None else None,
    )


def _fresh_rules(run: Run, wave: Wave, batch: Batch) -> TradingRules:
    """The published rules, with this account's own fees and whether this key may trade the symbol.

    If the own fees cannot be read, the published ones apply; if the key's symbols cannot be read, the public list
    applies (exchange.md §4.7).
    """
    published: Answer[TradingRules] = wave.get("rules")
    rules = published.value
    if (error := wave.error("fees")) is None:
        maker, taker = wave.get("fees").value
        rules = replace(rules, maker_fee=maker, taker_fee=taker)
    else:
        log.warning("the account's own fees cannot be read, the published ones are used: %s", error)
    if (error := wave.error("symbols")) is None:
        symbols, source = wave.get("symbols").value, "the symbols this key may trade (selfSymbols)"
    else:
        log.warning("selfSymbols cannot be read, the public list is asked: %s", error)
        public = run.exchange.default_symbols()
        batch.raw(public.reply)
        symbols, source = public.value, "the symbols the API may trade (defaultSymbols)"
    if run.instrument.symbol not in symbols:
        rules = replace(rules, closed=(*rules.closed, f"{run.instrument.symbol} is not in {source}"))
    return rules
