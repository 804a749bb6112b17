"""Bugs that the simulation must find: each is planted in the running bot for as long as its context lasts."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from common.books import gather
from common.decimal_json import to_redis
from common.domain.decision import guards as risk
from common.domain.decision import sizing
from common.domain.decision.policy import Check
from common.domain.ledger import ledger
from common.domain.orders import order as orders
from common.domain.orders.journal import IntentState, JournalEntry
from common.domain.orders.order import Order
from common.errors import OrderRefused, OutcomeUnknown
from common.mexc.client import Mexc
from common.store.batch import Batch
from common.store.keys import Keys
from common.store.store import Store
from common.trading import execution as placing
from common.trading import recording, resolution

Planted = Callable[[], Any]


def _resent() -> Any:
    send = Mexc.new_order

    def twice(self: Mexc, *arguments: Any) -> str:
        try:
            return send(self, *arguments)
        except OutcomeUnknown:
            return send(self, *arguments)

    return patch.object(Mexc, "new_order", twice)


def _taken_for_refused() -> Any:
    send = Mexc.new_order

    def refused(self: Mexc, *arguments: Any) -> str:
        try:
            return send(self, *arguments)
        except OutcomeUnknown as error:
            raise OrderRefused(str(error)) from None

    return patch.object(Mexc, "new_order", refused)


def _sent_unrecorded() -> Any:
    record = recording.record

    def forgetful(run: Any, entry: JournalEntry) -> JournalEntry:
        unsent = entry.state is not IntentState.SENT or entry.order_id is not None
        return record(run, entry) if unsent else entry

    return patch.object(placing, "record", forgetful)


def _random_id() -> Any:
    pure = orders.client_order_id

    def drawn(*arguments: Any) -> str:
        name = pure(*arguments)
        return name[:-6] + f"{random.getrandbits(24):06x}"

    return _both(patch.object(risk, "client_order_id", drawn), patch.object(placing, "client_order_id", drawn))


def _no_lease() -> Any:
    def alone(self: Keys, scope: str) -> str:
        return f"bot:{self.symbol}:lease:{scope}:{random.getrandbits(64)}"

    return patch.object(Keys, "lease", alone)


def _nothing_resolved() -> Any:
    return patch.object(resolution, "resolve", lambda run: resolution.Resolved((), None))


def _impatient() -> Any:
    return patch.object(resolution, "NOT_PLACED_AFTER", timedelta(0))


def _nothing_adopted() -> Any:
    return patch.object(resolution, "adopt", lambda *_: None)


def _failovers_unnoticed() -> Any:
    return patch.object(Store, "instance", lambda *_: None)


def _planned_is_never_sent() -> Any:
    ask = resolution._resolved

    def trusting(run: Any, entry: JournalEntry) -> JournalEntry:
        if entry.state is IntentState.PLANNED:
            return entry.ended(IntentState.CANCELED, "never sent", run.clock.now())
        return ask(run, entry)

    return _both(patch.object(resolution, "_resolved", trusting), _failovers_unnoticed())


def _uncounted() -> Any:
    return patch.object(JournalEntry, "counts", False)


def _core_sold() -> Any:
    spendable = sizing.spendable

    def spendthrift(side: Any, holdings: Any, policy: Any) -> Any:
        return spendable(side, holdings, replace(policy, core_holding=0, quote_reserve=0))

    return patch.object(sizing, "spendable", spendthrift)


def _fills_counted_twice() -> Any:
    return patch.object(ledger.Ledger, "unknown", lambda self, fills: tuple(fills))


def _late_fills_lost() -> Any:
    return patch.object(ledger, "OVERLAP", timedelta(seconds=-3))


def _mortal() -> Any:
    def document(self: Batch, key: str, value: Any) -> None:
        self.set(key, to_redis(value), seconds=86_400 if key.endswith(":ledger") else None)

    return patch.object(Batch, "document", document)


def _pause_ignored() -> Any:
    return _both(
        patch.object(placing, "_last_look", lambda run: None),
        patch.object(risk, "_pause", lambda facts: Check("kill_switch", "off", "off", True, "ignored")),
    )


def _rest_is_a_fill() -> Any:
    def filled(self: JournalEntry, order: Order, now: datetime) -> JournalEntry:
        return replace(self.with_order(order, now), state=IntentState.FILLED, filled_quantity=order.quantity)

    return patch.object(JournalEntry, "resting", filled)


def _over_by_its_fills() -> Any:
    return patch.object(resolution, "_may_be_open", lambda *_: False)


def _slice_again() -> Any:
    passed = Check("one_order_a_slot", None, None, True, "ignored")
    return _both(
        patch.object(risk, "_one_per_slot", lambda facts: passed),
        patch.object(placing, "_of_this_slot", lambda *_: None),
        _nothing_resolved(),
        _nothing_adopted(),
    )


def _nameless_is_somebody_elses() -> Any:
    return patch.object(gather, "_recognized", lambda run, fills: tuple(fills))


@contextmanager
def _both(*patches: Any) -> Iterator[None]:
    with ExitStack() as stack:
        for each in patches:
            stack.enter_context(each)
        yield


@dataclass(frozen=True)
class Bug:
    """How it is planted, and seeds whose days find it (`python -m tests.simulation --bugs` looks for one).

    A change of the bot moves its steps and so its faults: more seeds than one outlive most changes.
    """

    plant: Planted
    seeds: tuple[int, ...]


BUGS: Mapping[str, Bug] = {
    "an order is sent again when no answer came": Bug(_resent, (56,)),
    "an order without an answer counts as refused": Bug(_taken_for_refused, (56,)),
    "SENT is not recorded before the order leaves": Bug(_sent_unrecorded, (0,)),
    "the client order id is drawn at random": Bug(_random_id, (0,)),
    "there is no lease": Bug(_no_lease, (72, 11)),
    "what is open is not resolved": Bug(_nothing_resolved, (0,)),
    "an order not found at once was never placed": Bug(_impatient, (49,)),
    "orders that Redis lost are not taken back": Bug(_nothing_adopted, (13,)),
    "a failover of Redis goes unnoticed": Bug(_failovers_unnoticed, (22, 61)),
    "PLANNED in Redis means never sent": Bug(_planned_is_never_sent, (19, 20)),
    "an order that is sent is not counted": Bug(_uncounted, (119, 99)),
    "core holding and reserve are traded": Bug(_core_sold, (17,)),
    "fills that are read twice count twice": Bug(_fills_counted_twice, (173, 140, 152)),
    "fills that show late are lost": Bug(_late_fills_lost, (18, 31, 27)),
    "a nameless fill is somebody else's": Bug(_nameless_is_somebody_elses, (91, 160)),
    "the ledger has a TTL": Bug(_mortal, (0,)),
    "a rest is counted as a fill": Bug(_rest_is_a_fill, (19, 18)),
    "a slice is repeated after a crash": Bug(_slice_again, (0,)),
    "an order that shows only in its fills is over": Bug(_over_by_its_fills, (102,)),
    "a pause is ignored": Bug(_pause_ignored, (7, 18)),
}
