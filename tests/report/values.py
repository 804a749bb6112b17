"""A year in the life of a bot for the page's tests, made from a seed by the bot's own attribution."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from common.decimal_json import loads, to_hash, to_redis
from common.domain.decision.cost_of_trading import Estimate
from common.domain.decision.facts import Reference
from common.domain.decision.levels import Level
from common.domain.decision.plan import plan as plan_on
from common.domain.decision.policy import Policy
from common.domain.instrument import Side
from common.domain.ledger.position import FifoView, Lot, Position
from common.domain.ledger.quarantine import Quarantine
from common.domain.ledger.statement import Statement
from common.domain.orders.journal import IntentState, JournalEntry
from common.domain.orders.order import OrderIntent, OrderStyle, client_order_id
from common.domain.performance.attribution import Attribution
from common.domain.performance.attribution_state import AttributionState
from common.domain.performance.benchmark import Inception, Moved, compare
from common.domain.performance.equity import Point, Shares
from common.domain.performance.shadows import Day, Paper, Shadows
from common.domain.portfolio import Account, Balance, Holdings, Valuation
from common.report import series
from common.report.mix import mix_of
from common.report.values import Values
from common.store.batch import Batch
from common.store.codec import to_document
from common.store.documents import LastPrice, account_document, cost_document, shown, shown_hash
from common.store.inputs import inputs_document
from common.store.keys import Keys
from common.store.plans import plan_document, policy_document
from common.trading.replay import Replayed
from tests.builders import FACTS, LIMITS, QRL, d

START = datetime(2026, 1, 1, tzinfo=UTC)
BAND = Policy(d("0.5"), d(5), (Level(d("0.05"), d("0.025")),))
COST = Estimate(d("0.0031"), d("0.0005"), d("0.0021"), d("0.0005"), d("38.2"), 412, 19, "measured")
SLOT = timedelta(minutes=15)


def path(count: int, seed: int, volatility: str) -> Iterator[Decimal]:
    """Prices that wander around 0.02."""
    rng, price = random.Random(seed), d("0.02")
    for _ in range(count):
        price = max(price * (1 + d(volatility) * round(rng.gauss(0, 100)) / 100), d("0.004"))
        price = (price * d("0.998") + d("0.00004")).quantize(d("0.000001"))
        yield price


def equity(count: int, every: timedelta, seed: int, volatility: str) -> tuple[list[Point], list[JournalEntry]]:
    """Points and orders of a mix that is brought back to the target at 5 points of drift; two flows on the way."""
    at, state, shares = START, None, None
    points, orders = [], []
    for index, mid in enumerate(path(count, seed, volatility)):
        at += every
        if state is None or shares is None:
            state = Attribution.begin(at, d(25000), d(500), mid, d("0.5"))
            shares = Shares.begin(d(25000) * mid + 500, mid)
        if index in (count // 3, 2 * count // 3):
            amount = d(200) if index == count // 3 else d(-100)
            shares = shares.flow(state.real.value(mid), amount)
            state = state.flow(d(0), amount, mid)
        value = state.real.value(mid)
        off = state.real.base * mid / value - d("0.5")
        if abs(off) >= d("0.05"):
            quantity = (-off * value / mid).quantize(d("0.01"))
            traded = mid * (d("1.002") if quantity > 0 else d("0.998"))
            state = state.fill(quantity, quantity * traded, mid, quote_fee=abs(quantity) * traded * d("0.0005"))
            orders.append(order(at, quantity, traded))
        shares = shares.seen(mid)
        points.append(Point.of(at, mid, shares, state))
    return points, orders


def order(at: datetime, quantity: Decimal, price: Decimal, **more: Any) -> JournalEntry:
    """An order of signed quantity, filled at `price`."""
    side, amount = Side.BUY if quantity > 0 else Side.SELL, abs(quantity)
    name = more.pop("client_order_id", client_order_id("QRLUSDT", at, side))
    intent = OrderIntent(name, at, side, OrderStyle.IOC, amount, price, amount * price)
    told: dict[str, Any] = {
        "filled_quantity": amount,
        "filled_notional": amount * price,
        "state": IntentState.FILLED,
    }
    return replace(JournalEntry.planned(intent, at).sent(at), **(told | more))


def report(at: datetime, **more: Any) -> dict[str, Any]:
    """One report of the 15-minute job."""
    return {
        "timestamp": (at + timedelta(seconds=2)).isoformat(),
        "status": "success",
        "duration_ms": 180 + at.minute,
        "rebalance": {"slot": f"{at:%Y%m%dT%H%MZ}", "refusals": []},
        **more,
    }


def documents(point: Point, policy: Policy = BAND, **account: Decimal) -> dict[str, Any]:
    """Plan, policy, inputs, balances, price and cost of a point, made by what stores them and read as a response.

    `account` are balances other than the point's: what the account holds after the plan's order.
    """
    at, mid, real = point.at, point.mid, point.attribution.real
    held = Holdings(Balance(real.base), Balance(real.quote), at)
    facts = replace(FACTS, now=at, asked_at=at, slot=at, holdings=held, mark_price=mid, price_as_of=at)
    facts = replace(facts, references=(Reference("the last known one", mid),), trading_cost=COST)
    made, slot = plan_on(facts, policy, LIMITS), f"{at:%Y%m%dT%H%MZ}"
    batch = Batch(Keys("", "QRLUSDT"), "0123456789abcdef", "15-min-job")
    found = {
        "plan": plan_document(made, slot, "live"),
        "policy": {"timestamp": at, **policy_document(made)},
        "inputs": [inputs_document(batch, slot, facts, policy, LIMITS) | {"mode": "live", "policy_told": False}],
        "balances": account_document(_account(**({"QRL": real.base, "USDT": real.quote} | account)), at),
        "price": to_document(LastPrice(mid, d(0), at)),
    }
    lines = to_hash(cost_document(_statement(point, held), point.attribution.at(mid), Quarantine(), QRL))
    cost = shown_hash(lines | {"updated_at": at.isoformat()}, "cost")
    return {name: shown(loads(to_redis(document))) for name, document in found.items()} | {"cost": cost}


def _account(**balances: Decimal) -> Account:
    held = {asset: Balance(amount) for asset, amount in balances.items()}
    return Account(held, True, False, False, "SPOT", ("SPOT",), None, None, None)


def _statement(point: Point, held: Holdings) -> Statement:
    """Books that know the cost of all coins."""
    base, began = point.attribution.real.base, point.attribution.since
    position = Position(quantity=base, cost=d("488.2"), realized_pnl=d("60.05"), bought_quantity=base)
    fifo = FifoView((Lot(base, d("480.1")),), d("51.95"))
    inception = Inception(began, d(25000), d(500), d("0.02"), Moved(d(0), d(0), d(0), d(0)))
    comparison = compare(inception, Valuation.of(held, point.mid), position)
    return Statement(position, fifo, held, point.mid, d(0), (), inception, comparison)


def told(found: dict[str, Any]) -> dict[str, Any]:
    """The fields of Values that rest on such documents."""
    unreadable: list[str] = []
    mix = mix_of(found, QRL, Keys("", "QRLUSDT"), unreadable)
    assert unreadable == []
    return {name: found[name] for name in ("plan", "policy", "balances", "price", "cost")} | {"mix": mix}


def values(days: int = 365, slots: int = 1000, seed: int = 11, **more: Any) -> Values:
    """All that the page rests on, so many days and slots of it."""
    daily, old = equity(days, timedelta(days=1), seed, "0.035")
    start = daily[-1].at - slots * SLOT
    points, orders = equity(slots, SLOT, seed + 1, "0.014")
    shift = start - START
    points = [Point(p.at + shift, p.mid, p.value, p.held_value, p.shares, p.attribution) for p in points]
    orders = [
        replace(each, sent_at=each.planned_at + shift, intent=replace(each.intent, slot=each.intent.slot + shift))
        for each in orders
    ]
    last = daily[-1]
    now = last.at + timedelta(seconds=40)
    at = last.at.replace(second=0)
    real = Paper(daily[0].at, last.attribution.real.base, last.attribution.real.quote, last.value)
    rng = random.Random(seed)
    papers = {
        name: replace(real, quote=real.quote + number, orders=12 * number, paid=d(number) / 3)
        for number, name in enumerate(("5 points half-way", "auto", "1 point to target", "monthly", "hold"))
    }
    shadow_days = [
        Day(
            point.at.date(),
            d(0),
            {name: Decimal(round(rng.gauss(8 - 5 * n, 60))) / 100_000 for n, name in enumerate(papers)},
        )
        for point in daily
    ]
    return Values(
        **{
            "instrument": QRL,
            "now": now,
            "mode": "live",
            "settings_hash": "3f9a02c1",
            **told(documents(last)),
            "most_orders": 5,
            "orders": [*old, *orders],
            "runs": {
                name: {"status": "success", "timestamp": last.at.isoformat()}
                for name in ("balance", "price", "cost", "fifteen_min_job")
            },
            "reports": [report(at - index * SLOT) for index in range(672)],
            "attribution_state": AttributionState(last.attribution, last.shares, last.at, last.at),
            "start_price": daily[0].mid,
            "flows": series.flows(daily),
            "shadows": Shadows(last.at, last.mid, last.attribution.held, real, papers),
            "shadow_days": shadow_days,
            "replayed": Replayed(96, 96, 0, ()),
            "slots": points,
            "days": daily,
            **more,
        }
    )
