"""A plan: decided on a snapshot, held against every guard, queued (contract.md §4)."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from common.decimals import ZERO, tidy
from common.domain.decision.facts import Facts, Reference
from common.domain.decision.plan import Plan
from common.domain.decision.plan import plan as plan_on
from common.domain.decision.policy import Cause, Hold, Policy, Rebalance
from common.domain.orders.journal import Activity, DayStart
from common.domain.orders.order import Fill, is_ours
from common.domain.orders.program import PlannedSlice, plan_slice
from common.gcp.journal import note
from common.run import Run
from common.store.batch import Batch
from common.store.codec import Document, to_document
from common.store.inputs import inputs_document
from common.store.plans import plan_document, policy_document
from common.trading.costing import in_force
from common.trading.earlier import expected, last_plan, references
from common.trading.recording import order_journal
from common.trading.snapshot import Decided, Snapshot

log = logging.getLogger(__name__)


class Planned(NamedTuple):
    """The plan, and the document of it that is stored and answered."""

    plan: Plan
    document: Document


def plan(
    run: Run,
    batch: Batch,
    seen: Snapshot,
    *,
    total_pnl: Decimal | None,
    average_cost: Decimal | None,
    ledger_known: bool,
    fills: Sequence[Fill],
    doubt: Hold | None = None,
) -> Planned:
    """Plan on the snapshot, and queue the plan; `doubt` is a reason not to trade whatever the mix.

    `fills` are those of the last hour: what they moved since the last plan is no change without a fill.

    Where orders are possible (test, live) a refusal makes the plan a HOLD; in plan mode the plan says what the
    mix asks for, and `refusals` what would stop it.
    """
    settings = run.settings
    day = (run.state.day_start or DayStart(run.now.date(), None)).on(run.now, total_pnl)
    activity = order_journal(run).activity(run.now, day.pnl_at_start)
    batch.document(run.keys.day_start, to_document(day))
    price = seen.decided_on(settings.decides_on_mid)
    applied = in_force(run, batch, seen, price.mark_price, fills)
    before = last_plan(run)
    facts = replace(
        _facts(run, seen, price, activity, references(run, before)),
        trading_cost=applied.cost,
        trend=applied.trend,
        total_pnl=total_pnl,
        average_cost=average_cost,
        ledger_known=ledger_known,
        doubt=doubt or _unreadable(run),
        expected=expected(run, before, fills),
        unconfirmed=_unconfirmed(run, batch),
    )
    worked = _worked(run, batch, facts, applied.policy)
    planned = worked.plan
    with_policy = settings.policy_in_plan
    document = plan_document(planned, run.slot.name, settings.execution_mode, with_policy=with_policy)
    batch.plan(document)
    inputs = inputs_document(run.batch, run.slot.name, planned.facts, worked.policy, worked.limits)
    more = {"mode": settings.execution_mode, "policy_told": with_policy}
    batch.push_document(run.keys.plan_inputs, inputs | more)
    batch.document(run.keys.policy, {"timestamp": run.now, **policy_document(planned)})
    note("plan", {"plan": document})
    return Planned(planned, document)


def _worked(run: Run, batch: Batch, facts: Facts, policy: Policy) -> PlannedSlice:
    """The plan, in slices where they are asked for; what becomes of the program is queued with it."""
    slicing, limits, before = run.settings.slicing, run.settings.limits, run.state.program
    if slicing is None:
        worked = PlannedSlice(plan_on(facts, policy, limits), policy, limits, None)
    else:
        worked = plan_slice(before, slicing, facts, policy, limits, run.settings.shape.hash)
    if worked.ended is not None:
        log.warning("the program of slices has ended: %s", worked.ended)
    if worked.program is not None and worked.program != before:
        batch.document(run.keys.program, to_document(worked.program))
        log.info("the program of slices: %s", worked.program.describe())
    elif worked.program is None and before is not None:
        batch.delete(run.keys.program)
    return worked


def _unconfirmed(run: Run, batch: Batch) -> tuple[str, ...]:
    """What the live gate waits for; the settings of this run are stored for an operator to confirm."""
    settings = run.settings
    if settings.live_gate == "off" or settings.execution_mode != "live":
        return ()
    from common.domain.decision.live_gate import differences  # here only: with a live gate

    shape, confirmed = settings.shape, run.state.confirmation
    batch.document(run.keys.shape, to_document(shape))
    return differences(shape, confirmed.shape if confirmed else None)


def in_doubt(reason: str | None) -> Hold | None:
    """The hold that an unresolved order asks for, if there is one."""
    return Hold(reason, Cause.UNRESOLVED) if reason else None


def _unreadable(run: Run) -> Hold | None:
    """The hold while something stored cannot be understood: the books could not be kept after an order."""
    return Hold(f"Unreadable state: {run.state.fault}", Cause.UNREADABLE) if run.state.fault else None


def _facts(
    run: Run, seen: Snapshot, price: Decided, activity: Activity, references: tuple[Reference, ...]
) -> Facts:
    """What this run has read; what the books tell is added by the caller."""
    seen_open = seen.open_orders
    ours = None if seen_open is None else sum(1 for order in seen_open if is_ours(order.client_order_id))
    return Facts(
        now=run.now,
        asked_at=run.clock.now(),
        slot=run.slot.at,
        instrument=run.instrument,
        holdings=seen.holdings,
        mark_price=price.mark_price,
        last_price=price.last_price,
        price_as_of=price.as_of,
        references=references,
        book=seen.book,
        rules=seen.rules,
        can_trade=seen.can_trade,
        pause=run.state.pause,
        activity=activity,
        open_orders=ours,
    )


def logged(plan: Plan, order: Document | None, run: Run) -> Document:
    """What job.finished tells of a plan and its order."""
    rebalance = plan.outcome if isinstance(plan.outcome, Rebalance) else None
    drift = plan.decision.drift
    return {
        "order_status": order["status"] if order else None,
        "orders_today": order_journal(run).activity(run.now).orders,
        "rebalance_action": rebalance.side.value if rebalance else "HOLD",
        "rebalance_reason": plan.outcome.reason,
        "rebalance_notional_usdt": tidy(rebalance.notional) if rebalance else ZERO,
        "weight_drift": abs(drift) if drift is not None else None,
    }
