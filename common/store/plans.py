"""A plan as it is stored and answered, under the names of contract.md §4; it is made here, once."""

from collections.abc import Iterable

from common.decimals import ZERO, tidy
from common.domain.decision.plan import Plan
from common.domain.decision.policy import Check, Rebalance
from common.domain.decision.triggers import Trigger
from common.store.codec import Document, to_document
from common.store.documents import assets, intent_document


def plan_document(plan: Plan, slot: str, mode: str) -> Document:
    """A HOLD has quantity and notional 0; what it would be is `wanted`."""
    base, quote = assets(plan.facts.instrument)
    decision, outcome = plan.decision, plan.outcome
    valuation, policy = decision.valuation, decision.policy
    rebalance = outcome if isinstance(outcome, Rebalance) else None
    buy_below, sell_above = decision.next_triggers(policy.levels[0])
    document: Document = {
        "timestamp": plan.facts.now,
        "slot": slot,
        "price": valuation.mark_price,
        f"{base}_balance": valuation.base_quantity,
        f"{quote}_balance": valuation.quote_quantity,
        f"{base}_value_{quote}": tidy(valuation.base_value),
        f"{quote}_value_{quote}": valuation.quote_quantity,
        f"total_value_{quote}": tidy(valuation.total_value),
        f"target_value_{quote}": tidy(decision.target_value),
        "target_ratio": policy.target_weight,
        "action": rebalance.side.value if rebalance else "HOLD",
        "reason": outcome.reason,
        "quantity": tidy(rebalance.quantity) if rebalance else ZERO,
        f"notional_{quote}": tidy(rebalance.notional) if rebalance else ZERO,
        "deviation": decision.drift,
        "wanted": {
            "side": decision.wanted_side.value if decision.wanted_side else None,
            "quantity": decision.wanted_quantity,
            f"notional_{quote}": tidy(decision.wanted_notional),
        },
        "settings": {
            "target_ratio": policy.target_weight,
            "min_notional_usdt": policy.min_notional,
            "threshold_pct": policy.levels[0].trigger,
            "execution_mode": mode,
        },
        "checks": check_documents(plan.checks),
        "next_triggers": {"buy_below": trigger_document(buy_below), "sell_above": trigger_document(sell_above)},
        "refusals": list(plan.refusals),
        "intended_order": intent_document(plan.intent) if plan.intent else None,
    }
    if not isinstance(outcome, Rebalance) and outcome.replaces is not None:
        document["replaced"] = _rebalance_document(outcome.replaces, quote)
    return document


def _rebalance_document(rebalance: Rebalance, quote: str) -> Document:
    return {
        "action": rebalance.side.value,
        "reason": rebalance.reason,
        "quantity": tidy(rebalance.quantity),
        f"notional_{quote}": tidy(rebalance.notional),
    }


def check_documents(checks: Iterable[Check]) -> list[Document]:
    return [to_document(check) for check in checks]


def trigger_document(trigger: Trigger | None) -> Document | None:
    return {"price": trigger.price, "quantity": trigger.quantity} if trigger else None
