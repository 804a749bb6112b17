"""What the books say at a price, as one value."""

from datetime import timedelta

from common.domain.ledger.ledger import Ledger
from common.domain.ledger.position import FifoView
from common.domain.ledger.statement import Statement, statement
from common.domain.orders.order import Fill
from common.domain.performance.benchmark import Inception, Moved
from tests.builders import QRL, d, ds, fill, holdings, unread_ledger
from tests.fakes import NOON

INCEPTION = Inception(NOON, d(0), d(100), d(1), Moved(*ds(0, 0, 0, 0)))


def said(*fills: Fill, price: str | int, held: str | int = 0, unknown: str | int = 0) -> Statement:
    ledger: Ledger = unread_ledger(opening=unknown)
    ledger = ledger.absorb(fills, NOON, QRL).ledger
    return statement(ledger, FifoView(), INCEPTION, holdings(held, 0), d(price), QRL)


def test_the_worked_figures_of_the_contract() -> None:
    found = said(fill("BUY", "1000.5", "0.0200"), price="0.0205", held="1000.5")
    assert (found.current_value, found.unrealized_pnl, found.total_pnl) == ds("20.51025", "0.50025", "0.50025")
    assert found.roi_percent == d("2.5")
    assert found.cost_known


def test_pnl_is_on_the_coins_of_known_cost_only() -> None:
    found = said(fill("BUY", 100, 2), fill("SELL", 50, 3, number=2), price=4, held=1050, unknown=1000)
    assert (found.current_value, found.unrealized_pnl, found.total_pnl) == ds(200, 100, 150)


def test_without_coins_of_known_cost_the_pnl_is_what_was_realized() -> None:
    found = said(fill("BUY", 100, 2), fill("SELL", 100, 3, number=2), price=9)
    assert (found.cost_known, found.empty, found.roi_percent) == (False, False, None)
    assert (found.total_pnl, found.current_value) == ds(100, 0)


def test_nothing_traded_and_nothing_held_says_nothing() -> None:
    assert said(price=1).empty
    assert not said(price=1, held=5, unknown=5).empty


def test_the_lots_in_the_tail_belong_to_the_fifo_view_and_coins_from_outside_are_drift() -> None:
    late = fill("BUY", 100, 2, at=NOON - timedelta(minutes=5))
    found = said(fill("BUY", 100, 1, number=2, at=NOON - timedelta(minutes=6)), late, price=3, held=207)
    assert (found.fifo.quantity, found.fifo_unrealized_pnl) == ds(200, 300)
    assert found.drift == 7
