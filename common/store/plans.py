"""A plan as stored and returned, under the names of contract.md §4; only this module makes the document."""

from collections.abc import Iterable
from decimal import Decimal

from common.decimals import ZERO, plain, quotient, tidy
from common.domain.decision.advice import advice
from common.domain.decision.levels import Level
from common.domain.decision.plan import Plan
from common.domain.decision.policy import Check, Rebalance
from common.domain.decision.triggers import Grid, Trigger
from common.store.codec import Document, to_document
from common.store.documents import assets, intent_document


def plan_document(plan: Plan, slot: str, mode: str, *, with_policy: bool = False) -> Document:
    """A HOLD has quantity and notional 0; `wanted` is what the rule asks for.

    `with_policy` adds the policy in force: used where a setting of contract.md §11 is in use.
    """
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
    if plan.facts.program is not None:
        document["program"] = plan.facts.program
    if with_policy:
        document["policy"] = policy_document(plan)
    return document


def policy_document(plan: Plan) -> Document:
    """The policy in force (contract.md §11): its levels with their next prices, what decided, the cost."""
    facts, decision = plan.facts, plan.decision
    policy, cost, total = decision.policy, facts.trading_cost, decision.valuation.total_value
    on_mid = facts.last_price is not None
    book = facts.book if facts.book is not None and facts.book.problem is None else None
    document: Document = {
        "levels": [_level_document(plan, level) for level in policy.levels],
        "decided_by": _stated(decision.level) if decision.level is not None else None,
        "decide_on": "mid" if on_mid else "last",
        "mid_price": book.mid_price if book is not None else None,
        "last_price": facts.last_price if on_mid else facts.mark_price,
        "cost": to_document(cost) if cost is not None else None,
        "advice": None,
    }
    if facts.trend is not None:
        document["trend"] = facts.trend
    if cost is not None and total > 0:
        least = quotient(max(policy.min_notional, facts.rules.min_notional), total)
        document["advice"] = advice(policy.levels[0], cost.one_way, policy.target_weight, least)
    return document


def _level_document(plan: Plan, level: Level) -> Document:
    grid = Grid.of(plan.decision.policy, plan.facts.rules)
    below, above = plan.decision.next_triggers(level, grid)
    return {
        "trigger": level.trigger,
        "destination": tidy(level.points),
        "style": level.style.value,
        "buy_below": below.price if below else None,
        "sell_above": above.price if above else None,
    }


def _stated(level: Level) -> str:
    """In the notation of the settings: 0.03:target:ioc."""
    to = level.destination
    return f"{plain(level.trigger)}:{plain(to) if isinstance(to, Decimal) else to.value}:{level.style.value}"


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
