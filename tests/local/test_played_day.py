"""A stretch of a day, played: by the command, and here with somebody else trading on the same account."""

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import fakeredis
import pytest
import redis

from local.__main__ import main
from local.checks import of_a_day as checks
from local.exchange import Fees
from local.player import slots
from tests.builders import KEYS, d, told
from tests.conftest import ROOT, Functions, MakeBot
from tests.fakes import NOON, FakeClock, Market, embedded_redis

HELD = (
    "every key of the contract is there",
    "every permanent key has TTL -1",
    "4 fifteen-minute reports",
    "4 plans",
    "every call was answered with 2xx",
)
OF_ORDERS = (
    "the mix is inside its band",
    "the ledger equals the exchange's balance",
    "every fill of the exchange is in the ledger, and no other",
    "no intent is open, unless it rests",
)


def play(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """`python -m local run` with nothing of this process's environment that would change it."""
    clean = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "CI")}
    return subprocess.run(
        [sys.executable, "-m", "local", "run", *arguments],
        cwd=ROOT,
        env=clean | {"COLUMNS": "80"} | env,
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )


def test_an_hour_with_orders_on_a_redis_that_was_played_on_before(redis_server: str) -> None:
    """With every table. What an earlier run left is gone, what is not the simulation's stays."""
    redis_server = redis_server.replace("/0", "/7")
    client: Any = redis.Redis.from_url(redis_server, decode_responses=True)
    client.mset({"bot:QRLUSDT:ledger": "a real bot's", "simulated:simulation": ""})
    client.set("simulated:bot:QRLUSDT:cost", "of an exchange that is gone")
    done = play("--hours", "1", "--live", "--verbose", REDIS_URL=redis_server, ORDER_COOLDOWN_SECONDS="0")
    assert done.returncode == 0, done.stdout + done.stderr
    for check in (*HELD, *OF_ORDERS):
        assert f"✓ {check}" in done.stdout, done.stdout
    assert re.search(r"sells [\d.]+ QRL\s+at or above 0\.\d+", done.stdout), done.stdout
    for shown in ("last answer of fifteen_min_job", "4 plans", "QRL above target", "FILLED", "what is in Redis"):
        assert shown in done.stdout, done.stdout
    assert client.get("bot:QRLUSDT:ledger") == "a real bot's"
    plans = [json.loads(plan) for plan in client.lrange("simulated:bot:QRLUSDT:rebalance:history", 0, -1)]
    assert (len(plans), plans[-2]["action"]) == (4, "SELL"), "the portfolio begins two percent above the target"
    for plan in plans[:-1]:  # at the first this Redis is too young for an order
        agrees_with_the_rule(plan)
    kept = client.lrange("simulated:bot:QRLUSDT:report:fifteen_min_job:history", 0, -1)
    reports = [json.loads(report) for report in kept]
    assert {report["status"] for report in reports} == {"success"}
    stamps = [report["timestamp"][:16] for report in reversed(reports)]
    assert stamps == [f"2026-01-05T{n // 4:02}:{n % 4 * 15:02}" for n in range(4)]
    assert client.zcard("simulated:bot:QRLUSDT:price:history") == 60
    assert client.zcard("simulated:mexc:raw:account_info:history") >= 20
    client.flushdb()
    client.close()


def test_ones_own_money_in_another_pair_on_the_embedded_redis_is_told_in_a_few_lines(tmp_path: Path) -> None:
    rows = [f"{1_640_995_200_000 + 900_000 * n},40000,40100,39900,40000,5" for n in range(4)]
    candles = tmp_path / "candles.csv"
    candles.write_text("\n".join(["open_time_ms,open,high,low,close,volume", *rows]) + "\n")
    money = ("--base", "0", "--quote", "2000", "--price", "60000", "--candles", str(candles))
    done = play(*money, PATH=str(tmp_path), SYMBOL="BTCUSDT", THRESHOLD_PCT="0.05", THRESHOLD="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "embedded Redis" in done.stdout
    assert "prices: candles.csv, scaled so that the first is 60000 USDT" in done.stdout
    assert "CANDLES ends at 2022-01-01 01:00 UTC, before 24 hours are over" in done.stdout
    assert "THRESHOLD is no setting and changes nothing: did you mean THRESHOLD_PCT?" in done.stdout
    lines = done.stdout.partition("BTC/USDT")[2].replace("\u202f", " ")
    assert "0.0 % BTC (target 50.0 %), 2 000.00 USDT at 60 0" in lines
    for line in ("\nworth it  ", "\ndid       4 plans (4 BUY)", "\nnext  ", "BUY 0.0167 BTC", "all 5 checks hold"):
        assert line in lines, lines
    assert lines.count("\n") <= 13
    assert all(len(line) <= 80 for line in lines.splitlines() if "report.html" not in line)
    page = next(word for word in lines.split() if "report.html" in word)
    assert "<title>BTC/USDT" in Path(page).read_text(encoding="utf-8")
    assert "job.finished" in Path(page).with_name("run.log").read_text(encoding="utf-8")


def test_what_cannot_be_played_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = {"REDIS_URL": "redis://:secret@127.0.0.1:1/0"}
    for arguments, env, sentence in (
        (["--candles", "nowhere.csv"], {}, "CANDLES=nowhere.csv cannot be read: No such file or directory"),
        (["--candles", str(ROOT / "README.md")], {}, "CANDLES: README.md: line 1"),
        (["--price", "0"], {}, "PRICE=0: the simulated pair trades from 0.0001 to 1000000000"),
        (["--price", "1e15"], {}, "PRICE=1000000000000000: the simulated pair trades from"),
        (["--hours", "0"], {}, "HOURS=0: from 1 to 87840 hours are played"),
        ([], nobody | {"SYMBOL": "MXUSDT"}, "the simulated exchange: cannot start: MXUSDT is always there"),
        ([], {"SYMBOL": "QRLUSDC"}, "SYMBOL=QRLUSDC: the simulated exchange has pairs against USDT; EXCHANGE=…"),
        ([], {"THRESHOLD_PCT": "5"}, "THRESHOLD_PCT: is a fraction of the value"),
        ([], nobody, "the Redis of REDIS_URL cannot be used (ConnectionError)"),
    ):
        with monkeypatch.context() as environment:
            environment.delenv("REDIS_URL", raising=False)
            for name, value in env.items():
                environment.setenv(name, value)
            assert main(["run", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith(sentence), error
        assert error.count("\n") == 1, error
    for option, text in (("--price", "1e41"), ("--base", "-1"), ("--depth", "nan"), ("--spread", "1")):
        with pytest.raises(SystemExit):
            main(["run", f"{option}={text}"])
        assert f"({option}): '{text}' is no " in capsys.readouterr().err


HARMS: list[tuple[Callable[[Any], object], str]] = [
    (lambda client: client.delete(KEYS.inception), "every key of the contract is there"),
    (lambda client: client.delete(KEYS.raw_history("ticker_24hr")), "every key of the contract is there"),
    (lambda client: client.delete(KEYS.ledger), "every key of the contract is there"),
    (lambda client: client.expire(KEYS.ledger, 100), "every permanent key has TTL -1"),
    (lambda client: client.expire(KEYS.raw_latest("depth"), 100), "every permanent key has TTL -1"),
    (lambda client: client.rpop(KEYS.plan_history), "4 plans"),
    (lambda client: client.lpush(KEYS.report_history("fifteen_min_job"), "x"), "4 fifteen-minute reports"),
]


def failed(client: "redis.Redis", failures: int = 0) -> list[str]:
    results = checks(client, KEYS, 4, failures)
    return [name.partition(" (not ")[0] for name, held in results.items() if not held]


def copied(client: Any) -> Any:
    """Another Redis that holds the same."""
    source = fakeredis.FakeRedis(server=client.connection_pool.connection_kwargs["server"])
    other = embedded_redis()
    for key in source.scan_iter():
        other.restore(key, max(source.pttl(key), 0), source.dump(key))
    return other


def test_the_checks_hold_after_an_hour_and_each_sees_what_is_wrong(
    functions: Functions, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    for moment, jobs in slots(NOON, NOON + timedelta(hours=1)):
        clock.move((moment - clock.now()).total_seconds())
        for job in jobs:
            assert functions.post(job, slot=moment.isoformat()).status_code == 200
    assert failed(store_client) == failed(copied(store_client)) == []
    for number, (harm, check) in enumerate(HARMS):
        client = copied(store_client)
        harm(client)
        assert failed(client) == [check], f"harm {number}"
    assert failed(store_client, failures=1) == ["every call was answered with 2xx"]


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


@pytest.mark.parametrize(("asset", "mode"), [("QUOTE", "live"), ("BASE", "live"), ("MX", "plan")])
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
        stretch.play(hours=1)
        data = stretch.books()
        placed = sum(1 for order in market.exchange.engine.orders.values() if order.client_order_id)
        assert (placed > 0) == (mode == "live")
        assert stretch.trades == 6
        assert data["fill_count"] > 6
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
