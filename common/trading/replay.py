"""Recompute every stored plan from the stored raw replies, and compare it with its text byte for byte.

The exchange's replies are parsed again; what else the run knew was kept with the plan (store/inputs.py). The newest
thousand raw replies of each kind are kept: older plans cannot be recomputed and are counted separately.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from common.decimal_json import to_redis
from common.domain.decision.plan import plan
from common.domain.instrument import Instrument
from common.domain.orders.order import is_ours
from common.errors import StoreCorrupt, UnreadablePayload
from common.meter import Meter
from common.mexc.parse import read_account, read_depth, read_orders, read_price
from common.store.codec import document_of, whole
from common.store.documents import MALFORMED_DOCUMENT
from common.store.inputs import ExchangeFacts, Inputs, facts_of, inputs_of
from common.store.keys import HISTORY_LIMIT, Keys
from common.store.plans import plan_document
from common.store.store import Store

ENDPOINTS = ("account_info", "ticker_price", "depth", "open_orders")
KeptReply = tuple[int, datetime, Any]
"""A raw reply: its number within its run, when it came, and its payload."""
Replies = Mapping[str, Mapping[str, Sequence[KeptReply]]]
"""By endpoint and run, in the order of their numbers."""


class Replayed(NamedTuple):
    """`compared` plans were recomputed, `reproduced` of them to the byte; `different` are the slots of the others.

    The inputs or raw replies of `older` plans are no longer kept.
    """

    compared: int
    reproduced: int
    older: int
    different: tuple[str, ...]

    @property
    def summary(self) -> str:
        text = f"{self.reproduced} of {self.compared} plans reproduced"
        if self.different:
            more = ", \u2026" if len(self.different) > 5 else ""
            text += f"; another now: {', '.join(self.different[:5])}{more}"
        return f"{text}; {self.older} are older than the answers that are kept" if self.older else text


class Gone(LookupError):
    """A reply that a plan was based on is no longer kept."""


def replay(store: Store, meter: Meter, newest: int = HISTORY_LIMIT) -> Replayed:
    """Recompute the newest plans. Raises StoreError."""
    keys = store.keys
    texts = store.texts(keys.plan_history, newest, meter)
    kept = store.texts(keys.plan_inputs, newest, meter)
    raw = {name: store.raw_history(name, 0, 10**15, HISTORY_LIMIT, meter) for name in ENDPOINTS}
    return compare(
        texts, kept, {name: _by_run(replies, keys.raw_history(name)) for name, replies in raw.items()}, keys
    )


def compare(texts: Sequence[str], kept: Sequence[str], replies: Replies, keys: Keys) -> Replayed:
    """Compare stored plans with recomputed ones, matched by their time; both lists newest first."""
    documents = defaultdict(list)
    for text in reversed(kept):
        document = document_of(text, keys.plan_inputs, "facts")
        facts = whole(document["facts"], ("now",), keys.plan_inputs)
        documents[str(facts["now"])].append(document)
    reproduced, older, different = 0, 0, []
    for text in texts:
        stored = document_of(text, keys.plan_history, "timestamp")
        found = documents[str(stored["timestamp"])]
        try:
            again = made_again(found.pop(), replies, keys) if found else None
        except Gone:
            again = None
        if again is None:
            older += 1
        elif again == text:
            reproduced += 1
        else:
            different.append(str(stored.get("slot")))
    return Replayed(reproduced + len(different), reproduced, older, tuple(different))


def made_again(document: Any, replies: Replies, keys: Keys) -> str:
    """The text of the plan that today's code makes from the inputs of then. Raises Gone, StoreCorrupt."""
    key = keys.plan_inputs
    inputs = inputs_of(document, key)
    try:
        facts = facts_of(document, _exchange_facts(inputs, replies, keys), key)
    except KeyError as error:
        raise StoreCorrupt(f"{key} lacks {error}") from None
    except UnreadablePayload as error:
        raise StoreCorrupt(f"a raw reply of run {inputs.run_id} cannot be read: {error}") from None
    try:
        planned = plan(facts, inputs.policy, inputs.limits)
    except MALFORMED_DOCUMENT:
        raise StoreCorrupt(f"{key} holds inputs that no plan can be made of") from None
    return to_redis(plan_document(planned, inputs.slot, inputs.mode, with_policy=inputs.policy_told))


def _exchange_facts(inputs: Inputs, replies: Replies, keys: Keys) -> ExchangeFacts:
    def last(endpoint: str) -> tuple[datetime, Any]:
        """The reply that the plan used: the run's newest of that kind before the plan was made."""
        before = [each for each in replies[endpoint].get(inputs.run_id, ()) if each[0] <= inputs.answers]
        if not before:
            raise Gone(f"the answer {endpoint} of this run is not kept any more")
        return before[-1][1:]

    as_of, account = last("account_info")
    price_as_of, ticker = last("ticker_price")
    instrument = Instrument.from_symbol(keys.symbol)
    known, price = read_account(account, instrument), read_price(ticker, keys.symbol)
    book_as_of, book = None, None
    if inputs.had_book:
        book_as_of, depth = last("depth")
        book = read_depth(depth)
    orders = read_orders(last("open_orders")[1], keys.symbol) if inputs.had_orders else None
    mid = book.mid_price if inputs.on_mid and book is not None else None
    if mid and book_as_of is not None:
        price_as_of = min(price_as_of, book_as_of)
    return ExchangeFacts(
        holdings=known.holdings(instrument, as_of),
        can_trade=known.can_trade,
        mark_price=mid or price,
        last_price=price if mid else None,
        price_as_of=price_as_of,
        book=book,
        open_orders=None if orders is None else sum(1 for order in orders if is_ours(order.client_order_id)),
    )


def _by_run(texts: Sequence[str], key: str) -> Mapping[str, Sequence[KeptReply]]:
    """Raw replies of one kind by the run that read them. Raises StoreCorrupt, naming `key`."""
    found: dict[str, list[KeptReply]] = defaultdict(list)
    for text in texts:
        document = document_of(text, key, "metadata", "datetime", "response", raw=True)
        try:
            run_id, _, number = str(document["metadata"].get("id", "")).rpartition(".")
            at = datetime.fromisoformat(document["datetime"])
        except (AttributeError, TypeError, ValueError):
            raise StoreCorrupt(f"{key} cannot be read: an answer without its time or its run") from None
        if number.isdecimal():
            found[run_id].append((int(number), at, document["response"]))
    return {run_id: sorted(replies, key=lambda each: each[0]) for run_id, replies in found.items()}
