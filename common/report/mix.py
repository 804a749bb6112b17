"""The present mix and what would change it: as of now, since an order outdates the last plan.

Balances and price are the newest that are stored, the plan's own or later ones; policy and rules are those that the
last plan was made with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.decimals import quotient, tidy
from common.domain.decision.rule import decide
from common.domain.decision.triggers import Grid, Trigger
from common.domain.instrument import Instrument, Side, TradingRules
from common.domain.portfolio import NOTHING, Balance, Holdings
from common.errors import StoreCorrupt
from common.store.codec import Document, from_document, moment, whole
from common.store.documents import MALFORMED_DOCUMENT, assets
from common.store.inputs import inputs_of
from common.store.keys import Keys
from common.store.plans import trigger_document
from common.store.store import Read

Pair = tuple[Trigger | None, Trigger | None]
"""Where a level would next buy, and sell."""


@dataclass(frozen=True, slots=True)
class Mix:
    """What is held at which price, and the next prices: of the first level by the bare rule, and of every level.

    `planned_at` is None for what holds now, and the plan's time where its order is not in the figures; `priced_at`
    is the price's time. Without base asset no price bounds a purchase: `buys_anyway`.
    """

    price: Decimal
    base_value: Decimal
    total_value: Decimal
    target_weight: Decimal
    next_trades: Pair
    by_level: tuple[tuple[Decimal | None, Decimal | None], ...]
    buys_anyway: bool = False
    planned_at: datetime | None = None
    priced_at: datetime | None = None

    @property
    def weight(self) -> Decimal | None:
        """The base asset's share of the value; None where there is no value."""
        return quotient(self.base_value, self.total_value) if self.total_value else None

    def document(self, instrument: Instrument) -> Document:
        """As `ops` answers it."""
        below, above = self.next_trades
        return {
            "price": self.price,
            f"total_value_{instrument.quote.lower()}": tidy(self.total_value),
            "weight": self.weight,
            "target_ratio": self.target_weight,
            "next_triggers": {"buy_below": trigger_document(below), "sell_above": trigger_document(above)},
            "planned_at": self.planned_at,
        }

    def passed(self, side: Side) -> Decimal | None:
        """The next price of that side where the present one has reached it already."""
        below, above = self.next_trades
        if side is Side.BUY:
            return below.price if below and self.price <= below.price else None
        return above.price if above and self.price >= above.price else None

    def in_policy(self, policy: Mapping[str, Any]) -> Mapping[str, Any]:
        """The stored policy with these next prices; one of another form as it is."""
        try:
            pairs = zip(policy["levels"], self.by_level, strict=True)
            levels = [level | {"buy_below": below, "sell_above": above} for level, (below, above) in pairs]
        except MALFORMED_DOCUMENT:
            return policy
        return {**policy, "levels": levels}


def reads(keys: Keys) -> Mapping[str, Read]:
    """What the mix is made of, beside the cost."""
    return {
        "plan": ("GET", keys.plan_last),
        "policy": ("GET", keys.policy),
        "inputs": ("LRANGE", keys.plan_inputs, "0", "0"),
        "balances": ("GET", keys.account_balance),
        "price": ("GET", keys.price_latest),
    }


def mix_of(found: Mapping[str, Any], instrument: Instrument, keys: Keys, unreadable: list[str]) -> Mix | None:
    """The mix now; where that cannot be computed, the one that the last plan saw; None before any plan.

    `found` are `reads` and the cost as responses show them. What cannot be read is added to `unreadable`.
    """
    if not found["plan"]:
        return None
    try:
        if found["inputs"]:
            return _now(found, instrument, keys)
    except StoreCorrupt as error:
        unreadable.append(str(error))
    except MALFORMED_DOCUMENT:
        sources = f"{keys.account_balance}, {keys.price_latest} or {keys.cost}"
        unreadable.append(f"{sources} is not as this version writes it: the mix is that of the last plan")
    try:
        return _planned(found, instrument)
    except (StoreCorrupt, *MALFORMED_DOCUMENT):
        unreadable.append(f"{keys.plan_last} is not as this version writes it: the mix cannot be shown")
        return None


def _now(found: Mapping[str, Any], instrument: Instrument, keys: Keys) -> Mix:
    inputs, key = found["inputs"][0], keys.plan_inputs
    policy = inputs_of(inputs, key).policy
    rules = from_document(TradingRules, whole(inputs["facts"], ("rules",), key)["rules"], key)
    plan = found["plan"]
    newest = max(plan, found["price"] or plan, key=_at)
    price = newest["price"]
    planned, read = _planned_on(plan, instrument), _read(found["balances"], instrument)
    seen = max(filter(None, (planned, read)), key=lambda holdings: holdings.as_of)
    ordered = plan["action"] != "HOLD" and plan["settings"]["execution_mode"] == "live"
    average_cost = (found["cost"] or {}).get("avg_cost")
    decision = decide(seen, price, policy, rules, instrument, average_cost)
    grid = Grid.of(policy, rules)
    by_level = tuple(_prices(decision.next_triggers(level, grid)) for level in policy.levels)
    valuation = decision.valuation
    return Mix(
        price,
        valuation.base_value,
        valuation.total_value,
        policy.target_weight,
        decision.next_triggers(policy.levels[0]),
        by_level,
        buys_anyway=valuation.base_quantity == 0 and decision.level is not None,
        planned_at=planned.as_of if ordered and seen is planned else None,
        priced_at=_at(newest),
    )


def _at(document: Document) -> datetime:
    return moment(document["timestamp"])


def _planned_on(plan: Document, instrument: Instrument) -> Holdings:
    """The balances that the plan saw."""
    base, quote = (Balance(plan[f"{asset}_balance"]) for asset in assets(instrument))
    return Holdings(base, quote, _at(plan))


def _read(balances: Document | None, instrument: Instrument) -> Holdings | None:
    """The balances that were last stored, by `balance` or after an order; None where there are none."""
    if not balances:
        return None

    def of(asset: str) -> Balance:
        balance = balances["balances"].get(asset)
        return Balance(balance["free"], balance["locked"]) if balance else NOTHING

    return Holdings(of(instrument.base), of(instrument.quote), _at(balances))


def _prices(pair: Pair) -> tuple[Decimal | None, Decimal | None]:
    below, above = pair
    return below.price if below else None, above.price if above else None


def _planned(found: Mapping[str, Any], instrument: Instrument) -> Mix:
    plan, policy = found["plan"], found["policy"] or {"levels": ()}
    base, quote = assets(instrument)
    below, above = (plan["next_triggers"][name] for name in ("buy_below", "sell_above"))
    return Mix(
        plan["price"],
        plan[f"{base}_value_{quote}"],
        plan[f"total_value_{quote}"],
        plan["target_ratio"],
        (Trigger(**below) if below else None, Trigger(**above) if above else None),
        tuple((level["buy_below"], level["sell_above"]) for level in policy["levels"]),
        planned_at=_at(plan),
        priced_at=_at(plan),
    )
