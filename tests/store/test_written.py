"""Documents as earlier versions wrote them: they load, and what is written now is the same to the last byte."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from common.decimal_json import from_redis, to_answer, to_hash, to_redis
from common.domain.decision.pause import Pause
from common.domain.instrument import Instrument, Side
from common.domain.ledger.ledger import Gap, Ledger
from common.domain.ledger.position import FifoView, Lot
from common.domain.orders.journal import Continuity, DayStart, IntentState, JournalEntry
from common.domain.orders.order import OrderIntent, OrderStyle
from common.domain.performance.benchmark import Inception, Moved
from common.domain.portfolio import Account, Balance
from common.store.codec import from_document, to_document
from common.store.documents import account_document, holdings_of, last_plan_of, position_fields, shown
from common.store.entries import entry_document, entry_of
from common.store.records import (
    fill_of,
    inception_document,
    inception_of,
    ledger_of,
    lots_document,
    lots_of,
    rules_of,
)
from tests.builders import QRL, d, fill, rules, unread_ledger
from tests.fakes import NOON

WRITTEN: dict[str, Any] = json.loads((Path(__file__).parent / "written.json").read_text())
BTC = Instrument("BTC", "USDC")
HOUR = timedelta(hours=1)
FILL = replace(fill("BUY", "1000.5", "0.02", number=3, fee="0.01"), client_order_id="rb1")
FEE_IN_MX = fill(
    "SELL", "0.5", "0.021", number=7, fee="0.001", fee_asset="MX", fee_value=d("0.0021"), is_maker=True
)
FEE_IN_4 = replace(fill("BUY", 1, 1, number=8, fee="0.1", fee_asset="4"), order_id="123", fill_id="456")


def ledger() -> Ledger:
    first = unread_ledger(opening=7)
    sealed = [fill("BUY", 100, 1, fee="1", fee_asset="QRL"), fill("SELL", 50, 3, number=2, fee="1", fee_asset="MX")]
    then = first.absorb(sealed, NOON + 2 * HOUR, QRL).ledger
    tail = (replace(FEE_IN_MX, executed_at=NOON + 2 * HOUR),)
    return replace(then.absorb(tail, NOON + 2 * HOUR, QRL).ledger, gaps=(Gap(NOON - HOUR, NOON),))


LOTS = FifoView((Lot(d("10.50"), d("0.21")), Lot(d(3), d("0.0000001"))), d("-1.5"))
INCEPTION = Inception(NOON, d("1000.50"), d(500), d("0.02"), Moved(d(1), d(-2), d("0.001"), d(0)))
INTENT = OrderIntent("rb1", NOON, Side.SELL, OrderStyle.IOC, d("5000"), d("0.01999"), d("99.95"))
FILLED = JournalEntry(
    INTENT, IntentState.FILLED, NOON, NOON + timedelta(seconds=2), NOON, "C02__1", d(5000), d("99.95"), None
)
AT_MARKET = replace(INTENT, style=OrderStyle.MARKET, limit_price=None, side=Side.BUY)
REFUSED = JournalEntry(AT_MARKET, IntentState.REJECTED, NOON, NOON, None, None, d(0), d(0), "30005: no")
DAY = DayStart(NOON.date(), d("-0.75"))
PAUSE = Pause("2", "ops@example.test", NOON, NOON + HOUR)
CONTINUITY = Continuity("a1:b2", NOON, True)
RULES = replace(
    rules(step="1", fee="0.0005", price_band_up=d("0.1"), market_max_notional=d(100000), closed=("ST",)),
    sides=(Side.SELL,),
)
ACCOUNT = Account(
    balances={
        "QRL": Balance(d("1000.5"), d(0)),
        "USDT": Balance(d("500.25"), d(10)),
        "MX": Balance(d(0), d("0.1")),
        "BTC": Balance(d(0), d(0)),
    },
    can_trade=True,
    can_withdraw=False,
    can_deposit=True,
    account_type="SPOT",
    permissions=("SPOT",),
    maker_commission=None,
    taker_commission=d(10),
    update_time=None,
)
Form = tuple[object, Callable[[], Any], Callable[[Any], object]]


def plain_form(value: Any) -> Form:
    """Of what is stored by its annotations alone."""
    return value, lambda: to_document(value), lambda found: from_document(type(value), found, "key")


FORMS: dict[str, Form] = {
    "fill": (FILL, lambda: to_document(FILL), fill_of),
    "fill, its fee in MX": (FEE_IN_MX, lambda: to_document(FEE_IN_MX), fill_of),
    "fill, its fee in an asset named 4": (FEE_IN_4, lambda: to_document(FEE_IN_4), fill_of),
    "ledger": (
        replace(ledger(), order_rule=1),
        lambda: to_document(ledger()),
        lambda found: ledger_of(found, "key"),
    ),
    "lots": (LOTS, lambda: lots_document(LOTS), lambda found: lots_of(found, "key")),
    "inception": (
        INCEPTION,
        lambda: inception_document(INCEPTION, QRL),
        lambda found: inception_of(found, QRL, "key"),
    ),
    "inception of another pair": (
        INCEPTION,
        lambda: inception_document(INCEPTION, BTC),
        lambda found: inception_of(found, BTC, "key"),
    ),
    "entry": (FILLED, lambda: entry_document(FILLED), lambda found: entry_of(found, "key")),
    "entry, refused": (REFUSED, lambda: entry_document(REFUSED), lambda found: entry_of(found, "key")),
    "intent": plain_form(INTENT),
    "activity": plain_form(DAY),
    "activity, new": plain_form(DayStart(NOON.date(), None)),
    "pause": plain_form(PAUSE),
    "continuity": plain_form(CONTINUITY),
    "rules": (RULES, lambda: to_document(RULES), rules_of),
    "account": (
        ACCOUNT.balances["QRL"].total,
        lambda: account_document(ACCOUNT, NOON),
        lambda found: shown(found)["balances"]["QRL"]["total"],
    ),
    "position": (
        ACCOUNT.holdings(QRL, NOON),
        lambda: position_fields(ACCOUNT, QRL, NOON),
        lambda found: holdings_of(found, QRL, "key"),
    ),
    "position of another pair": (
        ACCOUNT.holdings(BTC, NOON),
        lambda: position_fields(ACCOUNT, BTC, NOON),
        lambda found: holdings_of(found, BTC, "key"),
    ),
}
"""By name of what was written: the value, the document that is written now, and what reads it."""


def read_back(name: str) -> Any:
    text = WRITTEN[name]
    return text if isinstance(text, dict) else from_redis(text, "key")


@pytest.mark.parametrize("name", FORMS)
def test_what_an_earlier_version_wrote_loads_as_the_value_it_was(name: str) -> None:
    value, _, read = FORMS[name]
    assert read(read_back(name)) == value


@pytest.mark.parametrize("name", FORMS)
def test_what_is_written_is_the_same_to_the_last_byte_but_for_fields_that_are_new(name: str) -> None:
    old = read_back(name)
    document = known_before(FORMS[name][1](), old)
    if name.startswith("activity"):  # what is folded now is no longer kept
        assert to_redis(document) == to_redis({field: old[field] for field in old if field in document})
        return
    kept = {field: value for field, value in old.items() if field not in NO_LONGER_WRITTEN}
    if isinstance(WRITTEN[name], dict):
        assert to_hash(document) == kept
    else:
        text = WRITTEN[name] if kept == old else to_redis(kept)
        assert text in (to_redis(document), to_answer(document))


NO_LONGER_WRITTEN = ("fifo",)
"""The summary of the lots once stood with the ledger, so that they need not be read."""


def known_before(document: Any, old: Any) -> Any:
    """The document without the fields that the old one does not have, however deep."""
    if isinstance(document, dict) and isinstance(old, dict):
        return {name: known_before(value, old[name]) for name, value in document.items() if name in old}
    if isinstance(document, list) and isinstance(old, list):
        return [known_before(value, before) for value, before in zip(document, old, strict=True)]
    return document


def test_price_and_balances_of_a_plan_that_an_earlier_version_wrote_are_read() -> None:
    for name, base in (("plan", 100), ("plan, held", 0)):
        plan = last_plan_of(read_back(name), QRL, "key")
        assert (plan.timestamp, plan.price, plan.base, plan.quote) == (NOON, d(2), d(base), d(100))
