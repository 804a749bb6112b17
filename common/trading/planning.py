"""A plan: decided on a snapshot, held against every guard, queued (contract.md §4)."""

from dataclasses import dataclass
from decimal import Decimal

from common.decimal_json import from_redis
from common.domain.decision.guards import Activity, Facts, fresh, review
from common.domain.decision.policy import Check, Rebalance, decide
from common.domain.orders.order import OrderIntent, is_ours
from common.gcp.journal import note
from common.run import Run, age_seconds
from common.store.batch import Batch
from common.store.order_records import activity_document, intent_document
from common.store.records import (
    Document,
    check_documents,
    held_document,
    plan_document,
    price_in,
)
from common.trading import execution
from common.trading.snapshot import Snapshot

REFERENCE_SECONDS = 3600
"""How old the price job's price may be to be held against this run's."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The stored plan, and the order it asks for: None when it holds, or when a guard refuses."""

    document: Document
    intent: OrderIntent | None
    activity: Activity


def plan(
    run: Run,
    batch: Batch,
    seen: Snapshot,
    *,
    total_pnl: Decimal | None,
    ledger_known: bool,
    hold: str | None = None,
) -> Planned:
    """Decide, hold the decision against every guard, and queue the plan.

    `hold` is a reason not to trade whatever the mix. Where orders are possible (test, live) a refusal makes
    the plan a HOLD; in plan mode the plan says what the mix asks for, and `refusals` what would stop it.
    """
    settings, instrument = run.settings, run.instrument
    activity = execution.current_activity(run).on(run.now, total_pnl)
    batch.document(run.keys.activity, activity_document(activity))
    decided = decide(seen.holdings, seen.mark_price, settings.policy, seen.rules, instrument)
    document = plan_document(decided, instrument, run.now, run.slot.name, settings.execution_mode)
    document |= {"refusals": [], "intended_order": None}
    intent = None
    if isinstance(decided.decision, Rebalance):
        facts = _facts(run, seen, activity, total_pnl, ledger_known)
        reviewed = review(
            decided.decision, facts, settings.limits, settings.policy, settings.order_style, instrument
        )
        document["checks"] += check_documents(reviewed.checks)
        document["refusals"] = list(reviewed.refusals)
        intent = reviewed.intent
        document["intended_order"] = intent_document(intent) if intent else None
        if reviewed.refusals and settings.execution_mode != "plan":
            hold = hold or f"Order refused: {reviewed.refusals[0]}"
    ages = _ages(run, seen)
    document["checks"] += check_documents(ages)
    hold = hold or next((f"Stale data: {age.explanation}" for age in ages if not age.passed), None)
    if hold:
        document, intent = held_document(document, hold, instrument), None
    batch.plan(document)
    note("plan", {"plan": document})
    return Planned(document, intent, activity)


def _facts(run: Run, seen: Snapshot, activity: Activity, total_pnl: Decimal | None, ledger_known: bool) -> Facts:
    seen_open = seen.open_orders
    ours = None if seen_open is None else sum(1 for order in seen_open if is_ours(order.client_order_id))
    return Facts(
        now=run.now,
        slot=run.slot.at,
        holdings=seen.holdings,
        mark_price=seen.mark_price,
        reference_price=_reference_price(run),
        book=seen.book,
        rules=seen.rules,
        can_trade=seen.can_trade,
        pause=execution.current_pause(run),
        activity=activity,
        total_pnl=total_pnl,
        ledger_known=ledger_known,
        open_orders=ours,
    )


def _reference_price(run: Run) -> Decimal | None:
    """The last price known before this run: the price job's when it is fresh, else the last plan's."""
    latest, last, key = run.values["price_latest"], run.values["plan_last"], run.keys.plan_last
    if latest is not None:
        price = price_in(latest, run.keys.price_latest)
        age = age_seconds(latest.get("timestamp"), run.now)
        if age is not None and age <= REFERENCE_SECONDS:
            return price
    return price_in(from_redis(last, key), key) if last is not None else None


def _ages(run: Run, seen: Snapshot) -> tuple[Check, ...]:
    """Whether the snapshot is fresh enough to decide on."""
    now, settings = run.clock.now(), run.settings
    return (
        fresh("balance", seen.holdings.as_of, now, settings.max_balance_age_seconds),
        fresh("price", seen.price_as_of, now, settings.max_price_age_seconds),
    )


def logged(document: Document, order: Document | None, run: Run) -> Document:
    """What job.finished tells of a plan and its order."""
    deviation = document["deviation"]
    return {
        "order_status": order["status"] if order else None,
        "orders_today": execution.current_activity(run).on(run.now, None).orders + _newly_sent(order, run),
        "rebalance_action": document["action"],
        "rebalance_reason": document["reason"],
        "rebalance_notional_usdt": document[f"notional_{run.instrument.quote.lower()}"],
        "weight_drift": abs(deviation) if deviation is not None else None,
    }


def _newly_sent(order: Document | None, run: Run) -> int:
    """1 when this run has sent the order, 0 when there is none or it was found."""
    found = {entry.intent.client_order_id for entry in run.recovered}
    return int(order is not None and order.get("sent_at") is not None and order["client_order_id"] not in found)
