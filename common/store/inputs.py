"""What a plan was based on, kept so that it can be replayed: everything but the exchange's replies, kept raw."""

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.decimal_json import loads, to_redis
from common.domain.decision.facts import Facts
from common.domain.decision.policy import Limits, Policy
from common.domain.order_book import OrderBook
from common.domain.portfolio import Holdings
from common.store.batch import Batch
from common.store.codec import Document, from_document, to_document


@dataclass(frozen=True, slots=True)
class ExchangeFacts:
    """The facts taken from the exchange's replies, under the names that Facts gives them."""

    holdings: Holdings
    can_trade: bool
    mark_price: Decimal
    last_price: Decimal | None
    price_as_of: datetime
    book: OrderBook | None
    open_orders: int | None


@dataclass(frozen=True, slots=True)
class Inputs:
    """One plan's inputs. `had_book` and `had_orders` say which replies were there; `on_mid` that it used the mid.

    `answers` is how many raw replies the run had stored when the plan was made; `policy_told` says that the plan
    names the policy in force.
    """

    run_id: str
    answers: int
    slot: str
    mode: str
    policy_told: bool
    on_mid: bool
    had_book: bool
    had_orders: bool
    policy: Policy
    limits: Limits


_FROM_EXCHANGE = frozenset(field.name for field in fields(ExchangeFacts))


def inputs_document(batch: Batch, slot: str, facts: Facts, policy: Policy, limits: Limits) -> Document:
    """`batch` is the run's own: it knows the run's id and how many replies have come."""
    return {
        "run_id": batch.run_id,
        "answers": batch.reply_count,
        "slot": slot,
        "on_mid": facts.last_price is not None,
        "had_book": facts.book is not None,
        "had_orders": facts.open_orders is not None,
        "policy": to_document(policy),
        "limits": to_document(limits),
        "facts": to_document(facts, without=_FROM_EXCHANGE),
    }


def inputs_of(document: Any, key: str) -> Inputs:
    """Raises StoreCorrupt."""
    return from_document(Inputs, document, key)


def facts_of(document: Any, exchange_facts: ExchangeFacts, key: str) -> Facts:
    """The facts of a plan: the stored ones, plus those of the exchange's replies. Raises StoreCorrupt."""
    return from_document(Facts, {**document["facts"], **loads(to_redis(to_document(exchange_facts)))}, key)
