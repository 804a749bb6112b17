"""A year in the life of a bot for the page's tests, made from a seed by the bot's own attribution."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from common.domain.instrument import Side
from common.domain.orders.journal import IntentState, JournalEntry
from common.domain.orders.order import OrderIntent, OrderStyle, client_order_id
from common.domain.performance.attribution import Attribution
from common.domain.performance.attribution_state import AttributionState
from common.domain.performance.equity import Point, Shares
from common.domain.performance.shadows import Day, Paper, Shadows
from common.report import series
from common.report.values import Values
from common.trading.replay import Replayed
from tests.builders import QRL, d

START = datetime(2026, 1, 1, tzinfo=UTC)
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


def plan(point: Point, **more: Any) -> dict[str, Any]:
    """The plan of a point: a hold inside a band of five points."""
    real, mid = point.attribution.real, point.mid
    return {
        "timestamp": point.at.isoformat(),
        "slot": f"{point.at:%Y%m%dT%H%MZ}",
        "price": mid,
        "qrl_value_usdt": real.base * mid,
        "total_value_usdt": point.value,
        "target_ratio": d("0.5"),
        "action": "HOLD",
        "reason": "Within threshold",
        "quantity": d(0),
        "notional_usdt": d(0),
        "settings": {"threshold_pct": d("0.05")},
        "checks": [
            {
                "name": "threshold",
                "passed": False,
                "explanation": "the mix is off by 1.31 % of the value; less than 5.00 % is not traded",
            }
        ],
        "next_triggers": {
            "buy_below": {"price": mid * d("0.8"), "quantity": d("2811.4")},
            "sell_above": {"price": mid * d("1.2"), "quantity": d("1911.25")},
        },
        "policy": {
            "levels": [
                {
                    "trigger": d("0.05"),
                    "destination": d("0.025"),
                    "style": "ioc",
                    "buy_below": mid * d("0.8"),
                    "sell_above": mid * d("1.2"),
                }
            ],
            "cost": {
                "one_way": d("0.0031"),
                "fee": d("0.0005"),
                "half_spread": d("0.0021"),
                "impact": d("0.0005"),
                "at_notional": d("38.2"),
                "books": 412,
                "fills": 19,
                "source": "measured",
            },
            "advice": "5.0 points half-way costs about 0.31 % a year at c = 0.31 %",
        },
        **more,
    }


def values(days: int = 365, slots: int = 1000, seed: int = 11, **more: Any) -> Values:
    """All that the page rests on, so many days and slots of it."""
    daily, old = equity(days, timedelta(days=1), seed, "0.035")
    start = daily[-1].at - slots * SLOT
    points, orders = equity(slots, SLOT, seed + 1, "0.014")
    shift = start - START
    points = [Point(p.at + shift, p.mid, p.value, p.held_value, p.shares, p.attribution) for p in points]
    orders = [replace(each, sent_at=each.planned_at + shift) for each in orders]
    last = daily[-1]
    lines = last.attribution.at(last.mid)
    told = {name: getattr(lines, name) for name in type(lines).__slots__} | {"since": lines.since.isoformat()}
    now = last.at + timedelta(seconds=40)
    cost = {
        "attribution": told,
        "avg_cost": d("0.0192"),
        "qrl_balance": last.attribution.real.base,
        "current_price": last.mid,
        "total_invested": d("488.2"),
        "unrealized_pnl": d("21.44"),
        "realized_pnl": d("60.05"),
        "fifo": {"quantity": last.attribution.real.base, "avg_cost": d("0.0188"), "total_invested": d("480.1"),
                 "unrealized_pnl": d("29.54"), "realized_pnl": d("51.95")},
        "drift_quantity": d(0),
        "updated_at": last.at.isoformat(),
    }  # fmt: skip
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
            "cost": cost,
            "plan": plan(last),
            "policy": plan(last)["policy"],
            "balances": {"timestamp": last.at.isoformat()},
            "price": {"timestamp": last.at.isoformat()},
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
