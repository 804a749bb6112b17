"""`fifteen_min_job` (15-min-job): cost first, then the rebalance, on one snapshot (contract.md §2.4)."""

from collections.abc import Mapping
from typing import Any

from common.books import equity, watch
from common.books.update import NO_COST, Update
from common.errors import BotError
from common.run import NO_KEYS, Job, Outcome, Run, View
from common.store.codec import Document
from common.store.state import TRADING
from common.trading import attention, paper, planning, trade
from common.trading.legs import CostLeg, PlanLeg, cost_leg, execute, gather, plan_leg


def run(run: Run) -> Outcome:
    if not run.settings.has_keys:
        leg = {"status": "skipped", "reason": NO_KEYS}
        return Outcome("skipped", {"cost_update": leg, "rebalance": leg, "order": None}, NO_KEYS)
    attention.say_missed("15-min-job", run.slot.at, run.state.earlier_reports)
    with run.stage("gather"):
        inputs = gather(run)
    with run.stage("cost_update"):
        costs = cost_leg(run, inputs)
    with run.stage("rebalance"):
        plan = plan_leg(run, inputs, costs)
    with run.stage("execute"):
        traded = execute(run, inputs, costs, plan)
    if last := traded.update or costs.result:
        equity.keep_point(run, last.books, last.observation.mid_price)
    if costs.result and plan.result:
        paper.keep_shadows(run, costs.result, plan.result[1].plan)
    return _outcome(run, costs, plan, traded)


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
    log_fields = planning.log_fields(plan.result[1].plan, order, run) if plan.result else {}
    if document:
        earlier, mode = run.state.earlier_reports, run.settings.execution_mode
        log_fields |= attention.log_fields(document, order, earlier, mode)
    log_fields |= watch.log_fields(costs.result) if costs.result else {}
    if errors:
        log_fields["error_code"] = errors[0].code
    http_status = 200
    if status == "error":
        worst = errors[-1]
        body |= _failed(worst)
        http_status = max(worst.http_status, 500)
    return Outcome(status, body, "; ".join(map(str, errors)) or None, log_fields, http_status)


def _cost_answer(costs: CostLeg, after: Update | None) -> Document:
    """The books before the order; after an order with fills also `before_order` and `after_order`."""
    if costs.error:
        return _failed(costs.error)
    result = costs.result
    data = (result.data if result else None) or {}
    known = result is not None and result.statement.cost_known
    status: Document = {"status": "success"} if known else {"status": "skipped", "reason": NO_COST}
    both = {"before_order": data or None, "after_order": after.data} if after else {}
    return status | data | both


def _failed(error: BotError | None) -> Document:
    return {"status": "error", "error": {"code": error.code, "message": str(error)}} if error else {}


def show(view: View) -> Mapping[str, Any] | None:
    """The report of the last run; with `limit`, that many of the last reports."""
    return view.newest(
        "data", view.keys.report_last("fifteen_min_job"), view.keys.report_history("fifteen_min_job")
    )


JOB = Job(
    name="fifteen_min_job",
    task="15-min-job",
    scope="account",
    run=run,
    show=show,
    reads=(*TRADING, "earlier_reports", "shadows"),
    writes=("account", "books", "equity", "orders", "plans", "reports"),
    keeps_reports=True,
    patience=3,  # a slot lost to another run's lease costs a quarter of an hour
)
