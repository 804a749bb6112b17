"""`fifteen_min_job` (15-min-job): cost first, then the rebalance, on one snapshot (contract.md §2.4)."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from common.books import equity, update, watch
from common.books.fills import FillReader
from common.books.fold import Books, Sight
from common.books.update import NO_COST, Update
from common.domain.decision.policy import Cause, Hold
from common.domain.portfolio import Holdings
from common.errors import BotError, StoreCorrupt
from common.mexc.wave import Wave, together
from common.run import NO_KEYS, Job, Outcome, Run, View, keep_raw
from common.store.batch import Batch
from common.store.codec import Document
from common.store.documents import shown
from common.store.state import TRADING
from common.store.store import Read
from common.trading import attention, paper, planning, resolution, snapshot, trade

T = TypeVar("T")
log = logging.getLogger(__name__)
COST_FAILED = Hold("Stale data: the cost update of this run failed", Cause.STALE)


@dataclass(frozen=True, slots=True)
class Leg(Generic[T]):
    """One leg: what it made, or the error that ended it; and how long it took."""

    result: T | None
    error: BotError | None
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """What both legs share: one snapshot of the exchange, and what earlier runs left."""

    books: Books
    fault: BotError | None
    """Why the books cannot be read: their leg fails, and the other holds."""
    reader: FillReader
    wave: Wave
    resolved: resolution.Resolved


CostLeg = Leg[Update | None]
PlanLeg = Leg[tuple[snapshot.Snapshot, planning.Planned]]


def run(run: Run) -> Outcome:
    if not run.settings.has_keys:
        leg = {"status": "skipped", "reason": NO_KEYS}
        return Outcome("skipped", {"cost_update": leg, "rebalance": leg, "order": None}, NO_KEYS)
    attention.say_missed("15-min-job", run.slot.at, run.state.earlier)
    with run.stage("gather"):
        inputs = _gather(run)
    with run.stage("cost_update"):
        costs = _leg(run, "cost update", lambda batch: _cost(run, batch, inputs))
    with run.stage("rebalance"):
        plan = _leg(run, "rebalance", lambda batch: _plan(run, batch, inputs, costs))
    with run.stage("execute"):
        traded = _execute(run, inputs, costs, plan)
    if last := traded.update or costs.result:
        equity.keep_point(run, last.books, last.sight.mid_price)
    if costs.result and plan.result:
        paper.keep_shadows(run, costs.result, plan.result[1].plan)
    return _outcome(run, costs, plan, traded)


def _gather(run: Run) -> Inputs:
    """Settle what is open, then one wave for both legs: account, price, fills, order book, open orders."""
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


def _leg(run: Run, name: str, work: Callable[[Batch], T]) -> Leg[T]:
    """Run one leg on a batch of its own: when it fails nothing of it is stored, and the other goes on."""
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
    """The cost job's own code on the shared snapshot; without the account, on the balances last stored."""
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
    return update.update(run, batch, inputs.books, Sight.of(holdings, price.value, book), history)


def _plan(run: Run, batch: Batch, inputs: Inputs, costs: CostLeg) -> tuple[snapshot.Snapshot, planning.Planned]:
    """The plan; it holds when the cost leg failed, for then what the guards look at is stale."""
    seen = snapshot.snapshot(run, inputs.wave, batch)
    update = costs.result
    fills = (*update.fresh, *update.books.tail) if update else inputs.books.tail
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


def _execute(run: Run, inputs: Inputs, costs: CostLeg, plan: PlanLeg) -> trade.Traded:
    if plan.result is None:
        return trade.Traded()
    seen, planned = plan.result
    return trade.trade(run, seen, planned.plan, costs.result.books if costs.result else inputs.books)


def _outcome(run: Run, costs: CostLeg, plan: PlanLeg, traded: trade.Traded) -> Outcome:
    order = traded.report
    errors = [leg.error for leg in (costs, plan) if leg.error]
    status = ("success", "partial", "error")[len(errors)]
    document = plan.result[1].document if plan.result else None
    body: Document = {
        "cost_update": _cost_answer(costs, traded.update) | {"duration_ms": costs.duration_ms},
        "rebalance": (document or _failed(plan.error)) | {"duration_ms": plan.duration_ms},
        "order": order,
    }
    told = planning.logged(plan.result[1].plan, order, run) if plan.result else {}
    if document:
        earlier, mode = run.state.earlier, run.settings.execution_mode
        told |= attention.told(document, order, earlier, mode)
    told |= watch.told(costs.result) if costs.result else {}
    if errors:
        told["error_code"] = errors[0].code
    http_status = 200
    if status == "error":
        worst = errors[-1]
        body |= _failed(worst)
        http_status = max(worst.http_status, 500)
    return Outcome(status, body, "; ".join(map(str, errors)) or None, told, http_status)


def _cost_answer(costs: CostLeg, after: Update | None) -> Document:
    """The books before the order; where there was one with fills, those before and after it by name as well."""
    if costs.error:
        return _failed(costs.error)
    result = costs.result
    data = (result.data if result else None) or {}
    known = result is not None and result.statement.cost_known
    told: Document = {"status": "success"} if known else {"status": "skipped", "reason": NO_COST}
    both = {"before_order": data or None, "after_order": after.data} if after else {}
    return told | data | both


def _failed(error: BotError | None) -> Document:
    return {"status": "error", "error": {"code": error.code, "message": str(error)}} if error else {}


def show(view: View) -> Mapping[str, Any] | None:
    """The report of the last run; with `limit`, the last so many."""
    wanted: dict[str, Read] = {"last": ("GET", view.keys.report_last("fifteen_min_job"))}
    if view.limit is not None:
        wanted["history"] = (
            "LRANGE",
            view.keys.report_history("fifteen_min_job"),
            "0",
            str(view.limit - 1),
        )
    found = view.store.read(wanted, view.meter)
    if found["last"] is None:
        return None
    return {"data": shown(found["last"]), **({"history": shown(found["history"])} if "history" in found else {})}


JOB = Job(
    name="fifteen_min_job",
    task="15-min-job",
    scope="account",
    run=run,
    show=show,
    reads=(*TRADING, "earlier", "shadows"),
    writes=("account", "books", "equity", "orders", "plans", "reports"),
    keeps_reports=True,
    patience=3,  # a slot that finds another run at it is a quarter of an hour lost
)
