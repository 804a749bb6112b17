"""The two legs of the 15-minute job, on one snapshot of the exchange: the cost update, and the plan with its order.

A leg that fails is dropped with everything it queued, and the other goes on (contract.md §2.4).
"""

import logging
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from common.books import update
from common.books.fills import FillReader
from common.books.fold import Books, Observation
from common.books.update import Update
from common.domain.decision.policy import Cause, Hold
from common.domain.ledger.ledger import once
from common.domain.portfolio import Holdings
from common.errors import BotError, StoreCorrupt
from common.mexc.wave import Wave, together
from common.run import Run, keep_raw
from common.store.batch import Batch
from common.trading import planning, resolution, snapshot, trade

T = TypeVar("T")
log = logging.getLogger(__name__)
COST_FAILED = Hold("Stale data: the cost update of this run failed", Cause.STALE)


class Leg(NamedTuple, Generic[T]):
    """One leg: its result, or the error that ended it; and how long it took."""

    result: T | None
    error: BotError | None
    duration_ms: int


class Inputs(NamedTuple):
    """What both legs share: one snapshot of the exchange, and the state of earlier runs."""

    books: Books
    fault: BotError | None
    """Why the books cannot be read: their leg fails, and the other holds."""
    reader: FillReader
    wave: Wave
    resolved: resolution.Resolved


CostLeg = Leg[Update | None]
PlanLeg = Leg[tuple[snapshot.Snapshot, planning.Planned]]


def gather(run: Run) -> Inputs:
    """Resolve open orders, then read one wave for both legs: account, price, fills, order book, open orders."""
    books, fault = Books(), None
    try:
        books = update.books_of(run)
    except StoreCorrupt as error:
        fault = error
    resolved = resolution.resolve(run)
    reader = FillReader.since(books.ledger, run.exchange, run.now)
    wave = together(run.pool, {**({} if fault else reader.calls), **snapshot.calls(run)})
    keep_raw(run.batch, wave)
    return Inputs(books, fault, reader, wave, resolved)


def cost_leg(run: Run, inputs: Inputs) -> CostLeg:
    return _leg(run, "cost update", lambda batch: _cost(run, batch, inputs))


def plan_leg(run: Run, inputs: Inputs, costs: CostLeg) -> PlanLeg:
    return _leg(run, "rebalance", lambda batch: _plan(run, batch, inputs, costs))


def _leg(run: Run, name: str, work: Callable[[Batch], T]) -> Leg[T]:
    """Run one leg on its own batch: if it fails, nothing of it is stored, and the other goes on."""
    batch, start = run.batch.fork(), run.clock.monotonic()
    result, failed = None, None
    try:
        result = work(batch)
        run.batch.extend(batch)
    except BotError as error:
        log.error("15-min job: the %s failed (%s): %s", name, error.code, error)
        failed = error
    return Leg(result, failed, round((run.clock.monotonic() - start) * 1000))


def _cost(run: Run, batch: Batch, inputs: Inputs) -> Update | None:
    """The cost job's own code on the shared snapshot; without the account, on the last stored balances."""
    if inputs.fault:
        raise inputs.fault
    price = inputs.wave.get("price")
    history = inputs.reader.history(inputs.wave)
    holdings: Holdings | None
    if inputs.wave.error("account") is None:
        account = inputs.wave.get("account")
        holdings = account.value.holdings(run.instrument, account.reply.received_at)
    else:
        holdings = run.state.holdings
    if holdings is None:
        return None
    book = inputs.wave.get("depth").value if inputs.wave.error("depth") is None else None
    return update.update(run, batch, inputs.books, Observation.of(holdings, price.value, book), history)


def _plan(run: Run, batch: Batch, inputs: Inputs, costs: CostLeg) -> tuple[snapshot.Snapshot, planning.Planned]:
    """The plan; it holds when the cost leg failed, because the guards' data is then stale."""
    seen = snapshot.snapshot(run, inputs.wave, batch)
    update = costs.result
    fills = once((*update.fresh, *update.books.tail)) if update else inputs.books.tail
    doubt = resolution.adopt(run, inputs.resolved, fills, seen.open_orders or ())
    quarantine = (update.books if update else inputs.books).quarantine
    doubt = inputs.resolved.unresolved or doubt or quarantine.hold
    planned = planning.plan(
        run,
        batch,
        seen,
        total_pnl=update.total_pnl if update else None,
        average_cost=update.statement.position.average_cost if update else None,
        ledger_known=inputs.books.ledger is not None,
        fills=fills,
        doubt=COST_FAILED if costs.error else planning.in_doubt(doubt),
    )
    return seen, planned


def execute(run: Run, inputs: Inputs, costs: CostLeg, plan: PlanLeg) -> trade.Traded:
    """Execute the plan's order, if there is one; its fills go into the books that the cost leg updated."""
    if plan.result is None:
        return trade.Traded()
    seen, planned = plan.result
    return trade.trade(run, seen, planned.plan, costs.result.books if costs.result else inputs.books)
