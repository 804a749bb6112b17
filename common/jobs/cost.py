"""`cost` (update-cost): update the ledger, and derive cost and P&L from it (contract.md §2.3, §5)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from common.books import watch
from common.books.fills import FillReader
from common.books.fold import Observation
from common.books.update import NO_COST, books_of, update
from common.mexc.client import Answer
from common.mexc.wave import together
from common.run import NO_KEYS, Job, Outcome, Run, View, age_seconds, keep_raw, skipped
from common.store.documents import shown_hash
from common.store.state import BOOKS, ORDERS
from common.trading.resting import tend


def run(run: Run) -> Outcome:
    if not run.settings.has_keys:
        return skipped(NO_KEYS)
    holdings = run.state.holdings
    if holdings is None:
        return skipped(NO_COST)
    books = books_of(run)
    with run.stage("gather"):
        tend(run)
        reader = FillReader.since(books.ledger, run.exchange, run.now)
        wave = together(run.pool, {**reader.calls, "price": run.exchange.ticker_price})
        price: Answer[Decimal] = wave.get("price")
        history = reader.history(wave)
    keep_raw(run.batch, wave)
    with run.stage("decide"):
        updated = update(run, run.batch, books, Observation.of(holdings, price.value), history)
    logged = watch.log_fields(updated)
    if updated.statement.cost_known:
        return Outcome(body={"data": updated.data}, logged=logged)
    return Outcome("skipped", {"data": updated.data}, NO_COST, logged=logged)


def show(view: View) -> Mapping[str, Any] | None:
    document = view.store.read_one(("HGETALL", view.keys.cost), view.meter)
    if not document:
        return None
    age = age_seconds(document.get("updated_at"), view.now)
    return {"data": shown_hash(document, view.keys.cost) | {"age_seconds": age}}


JOB = Job(
    name="cost",
    task="update-cost",
    scope="account",
    run=run,
    show=show,
    reads=(*BOOKS, *ORDERS),
    writes=("books", "orders"),
)
