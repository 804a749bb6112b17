"""A plan: decided on a snapshot, checked against every guard, queued (contract.md §4)."""

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
from common.trading.snapshot import DecisionPrice, Snapshot

log = logging.getLogger(__name__)


class Planned(NamedTuple):
    """The plan, and its document as stored and returned."""

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

    `fills` are those of the last hour: they explain changes of the balances since the last plan.

    Where orders are possible (test, live) a refusal makes the plan a HOLD; in plan mode the plan says what the
    mix asks for, and `refusals` say what would stop it.
    """
    settings = run.settings
    day = (run.state.day_start or DayStart(run.now.date(), None)).on(run.now, total_pnl)
    activity = order_journal(run).activity(run.now, day.pnl_at_start)
    batch.document(run.keys.day_start, to_document(day))
    price = seen.decision_price(settings.decides_on_mid)
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
    sliced = _planned_slice(run, batch, facts, applied.policy)
    planned = sliced.plan
    with_policy = settings.policy_in_plan
    document = plan_document(planned, run.slot.name, settings.execution_mode, with_policy=with_policy)
    batch.plan(document)
    inputs = inputs_document(run.batch, run.slot.name, planned.facts, sliced.policy, sliced.limits)
    more = {"mode": settings.execution_mode, "policy_told": with_policy}
    batch.push_document(run.keys.plan_inputs, inputs | more)
    batch.document(run.keys.policy, {"timestamp": run.now, **policy_document(planned)})
    note("plan", {"plan": document})
    return Planned(planned, document)


def _planned_slice(run: Run, batch: Batch, facts: Facts, policy: Policy) -> PlannedSlice:
    """The plan, in slices if the settings ask for them; the program's new state is queued with it."""
    slicing, limits, before = run.settings.slicing, run.settings.limits, run.state.program
    if slicing is None:
        sliced = PlannedSlice(plan_on(facts, policy, limits), policy, limits, None)
    else:
        sliced = plan_slice(before, slicing, facts, policy, limits, run.settings.shape.hash)
    if sliced.ended is not None:
        log.warning("the program of slices has ended: %s", sliced.ended)
    if sliced.program is not None and sliced.program != before:
        batch.document(run.keys.program, to_document(sliced.program))
        log.info("the program of slices: %s", sliced.program.describe())
    elif sliced.program is None and before is not None:
        batch.delete(run.keys.program)
    return sliced


def _unconfirmed(run: Run, batch: Batch) -> tuple[str, ...]:
    """What must be confirmed before the live gate opens; this run's settings are stored for that."""
    settings = run.settings
    if settings.live_gate == "off" or settings.execution_mode != "live":
        return ()
    from common.domain.decision.live_gate import differences  # imported only with a live gate

    shape, confirmed = settings.shape, run.state.confirmation
    batch.document(run.keys.shape, to_document(shape))
    return differences(shape, confirmed.shape if confirmed else None)


def in_doubt(reason: str | None) -> Hold | None:
    """The hold that an unresolved order asks for, if there is one."""
    return Hold(reason, Cause.UNRESOLVED) if reason else None


def _unreadable(run: Run) -> Hold | None:
    """The hold while stored state cannot be parsed: the books could not be kept after an order."""
    return Hold(f"Unreadable state: {run.state.fault}", Cause.UNREADABLE) if run.state.fault else None


def _facts(
    run: Run, seen: Snapshot, price: DecisionPrice, activity: Activity, references: tuple[Reference, ...]
) -> Facts:
    """What this run has read; the caller adds what the books say."""
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


def log_fields(plan: Plan, order: Document | None, run: Run) -> Document:
    """The fields of job.finished about a plan and its order."""
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
