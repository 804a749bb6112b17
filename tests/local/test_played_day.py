"""A stretch of a day, played: by the command, and here with somebody else trading on the same account."""

import json
import os
import random
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis

from common.store.keys import Keys
from local.exchange import Fees
from local.player import slots
from local.report import checks
from tests.builders import d, told
from tests.conftest import ROOT, SHARED, Functions, MakeBot
from tests.fakes import NOON, FakeClock, Market

CANDLES = SHARED / "data" / "btcusd-1m-2022-01.csv.gz"
HELD = (
    "every key of the contract is there",
    "every permanent key has TTL -1",
    "8 fifteen-minute reports",
    "8 plans",
    "every call was answered with 2xx",
)


def play(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """`python -m local run` with nothing of this process's environment that would change it."""
    clean = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "CI")}
    return subprocess.run(
        [sys.executable, "-m", "local", "run", *arguments],
        cwd=ROOT,
        env=clean | env,
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )


def assert_all_held(done: "subprocess.CompletedProcess[str]") -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    for check in HELD:
        assert f"✓ {check}" in done.stdout, done.stdout
    assert "✗" not in done.stdout


@pytest.mark.slow
def test_two_hours_on_the_embedded_redis_end_with_all_checks_true(tmp_path: Path) -> None:
    done = play("--hours", "2", PATH=str(tmp_path))
    assert_all_held(done)
    assert "embedded Redis" in done.stdout
    for job in ("balance", "price", "cost", "fifteen_min_job"):
        assert f"last answer of {job}" in done.stdout


@pytest.mark.slow
def test_two_hours_on_a_real_redis_leave_plans_that_agree_with_the_rule(redis_server: str) -> None:
    client: Any = redis.Redis.from_url(redis_server, decode_responses=True)
    client.flushdb()
    assert_all_held(play("--hours", "2", REDIS_URL=redis_server))
    plans = [json.loads(plan) for plan in client.lrange("simulated:bot:QRLUSDT:rebalance:history", 0, -1)]
    assert len(plans) == 8
    for plan in plans:
        agrees_with_the_rule(plan)
    assert plans[-1]["action"] == "SELL", "the portfolio begins two percent above the target"
    reports = [
        json.loads(report)
        for report in client.lrange("simulated:bot:QRLUSDT:report:fifteen_min_job:history", 0, -1)
    ]
    assert {report["status"] for report in reports} == {"success"}
    stamps = [report["timestamp"][:16] for report in reversed(reports)]
    assert stamps == [f"2026-01-05T{n // 4:02}:{n % 4 * 15:02}" for n in range(8)]
    assert client.zcard("simulated:bot:QRLUSDT:price:history") == 120
    assert client.zcard("simulated:mexc:raw:account_info:history") >= 40
    client.close()


@pytest.mark.slow
@pytest.mark.skipif(not CANDLES.exists(), reason=f"{CANDLES} is not there")
def test_real_candles_scaled_to_the_price_of_qrl_are_replayed() -> None:
    done = play("--hours", "1", "--candles", str(CANDLES))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "prices: btcusd-1m-2022-01.csv.gz" in done.stdout
    assert "✓ 4 plans" in done.stdout


@pytest.fixture
def after_an_hour(functions: Functions, clock: FakeClock, store_client: "redis.Redis") -> "redis.Redis":
    for moment, jobs in slots(NOON, NOON + timedelta(hours=1)):
        clock.move((moment - clock.now()).total_seconds())
        for job in jobs:
            assert functions.post(job, slot=moment.isoformat()).status_code == 200
    return store_client


KEYS = Keys("", "QRLUSDT")


def test_the_checks_hold_after_an_hour(after_an_hour: "redis.Redis") -> None:
    assert set(checks(after_an_hour, KEYS, 4, 0).values()) == {True}


@pytest.mark.parametrize(
    ("harm", "check"),
    [
        (lambda client: client.delete(KEYS.inception), "every key of the contract is there"),
        (lambda client: client.delete(KEYS.raw_history("ticker_24hr")), "every key of the contract is there"),
        (lambda client: client.expire(KEYS.ledger, 100), "every permanent key has TTL -1"),
        (lambda client: client.expire(KEYS.raw_latest("depth"), 100), "every permanent key has TTL -1"),
        (lambda client: client.rpop(KEYS.plan_history), "4 plans"),
        (lambda client: client.lpush(KEYS.report_history("fifteen_min_job"), "x"), "4 fifteen-minute reports"),
    ],
)
def test_each_check_sees_what_is_wrong(harm: Any, check: str, after_an_hour: "redis.Redis") -> None:
    harm(after_an_hour)
    results = checks(after_an_hour, KEYS, 4, 0)
    assert [name for name, held in results.items() if not held] == [check]


def test_a_call_that_failed_is_seen(after_an_hour: "redis.Redis") -> None:
    results = checks(after_an_hour, KEYS, 4, 1)
    assert [name for name, held in results.items() if not held] == ["every call was answered with 2xx"]


def agrees_with_the_rule(plan: dict[str, Any]) -> None:
    """contract.md §4 worked out once more, from what the plan says it saw."""
    q, u, p = (d(plan[name]) for name in ("qrl_balance", "usdt_balance", "price"))
    value = q * p + u
    delta = q * p - value * d(plan["target_ratio"])
    if abs(delta) < 5 or abs(delta) / value < d("0.01"):
        assert (plan["action"], plan["reason"]) == ("HOLD", "Within threshold")
        assert (plan["quantity"], plan["notional_usdt"]) == ("0", "0")
        return
    assert plan["action"] == ("SELL" if delta > 0 else "BUY")
    wanted = (abs(delta) / p).quantize(Decimal("0.0001"), "ROUND_DOWN")
    assert d(plan["quantity"]) == wanted
    assert d(plan["notional_usdt"]) == wanted * p


# Somebody else trades on the account, and the bot may trade too


class Stretch:
    """Plays the schedule on a simulated exchange, in this process, and trades by hand in between."""

    def __init__(self, functions: Functions, market: Market, clock: FakeClock, seed: int) -> None:
        self.functions, self.market, self.clock = functions, market, clock
        self.rng = random.Random(seed)
        self.price = d("0.02")
        self.trades = 0

    def play(self, hours: int) -> None:
        start = self.clock.now()
        for moment, jobs in slots(start, start + timedelta(hours=hours)):
            self.clock.move(max((moment - self.clock.now()).total_seconds(), 0))
            if moment.minute % 10 == 7:
                self.trade()
            for job in jobs:
                response = self.functions.post(job, slot=moment.isoformat())
                answer = told(response)
                assert response.status_code == 200, answer
                assert answer["status"] in ("success", "skipped"), answer

    def trade(self) -> None:
        """The price moves, and a market order of some odd size is filled."""
        self.price *= 1 + d(self.rng.randrange(-300, 300)) / 10_000
        self.price = self.price.quantize(d("0.000001"))
        self.market.set_price(str(self.price))
        side = self.rng.choice(("BUY", "SELL"))
        self.market.order(side, f"{self.rng.uniform(100, 900):.4f}")
        self.trades += 1

    def books(self) -> dict[str, Any]:
        """The cost data after a last look at the account."""
        self.clock.move(60)
        assert self.functions.post("balance").status_code == 200
        data: dict[str, Any] = told(self.functions.post("cost"))["data"]
        return data


@pytest.mark.parametrize("mode", ["plan", "live"])
@pytest.mark.parametrize("asset", ["QUOTE", "BASE", "MX"])
def test_with_trading_the_ledger_ends_equal_to_the_exchanges_balances(
    asset: Any, mode: str, make_bot: MakeBot, bare_functions: Functions, clock: FakeClock
) -> None:
    with Market(clock, fees=Fees(maker=d("0.0003"), taker=d("0.0007"), asset=asset)) as market:
        make_bot(
            **market.env,
            EXECUTION_MODE=mode,
            ORDER_COOLDOWN_SECONDS="0",
            MAX_ORDERS_PER_DAY="1000",
        )
        market.hold(QRL="30000.1234", USDT="500.987654", MX="7.5")
        market.bought(("30000.1234", "0.0199"), at=NOON - timedelta(days=2))
        stretch = Stretch(bare_functions, market, clock, seed=11)
        stretch.play(hours=4)
        data = stretch.books()
        placed = sum(1 for order in market.exchange.venue.engine.orders.values() if order.client_order_id)
        assert (placed > 0) == (mode == "live")
        assert stretch.trades == 24
        assert data["fill_count"] > 24
        assert data["qrl_balance"] == market.total("QRL")
        assert data["drift_quantity"] == 0
        assert data["unknown_cost_quantity"] == data["unmatched_sold_quantity"] == 0
        benchmark = data["benchmark"]
        assert benchmark["flows"] == 0, "the money adds up too, to the last digit"
        assert benchmark["value"] == market.total("QRL") * stretch.price + market.total("USDT")
        assert benchmark["difference"] == benchmark["price_moves"] - benchmark["fees"]
        assert data["fees"]["unvalued"] == {}
        paid = {"QUOTE": "usdt", "BASE": "qrl", "MX": "other_value"}[asset]
        assert data["fees"][paid] > 0
