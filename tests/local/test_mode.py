"""Real orders never by accident, and a simulation that leaves a real bot's state alone."""

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
import requests

from local.__main__ import main
from local.exchange import ExchangeServer, SimulatedExchange
from local.mode import execution_mode
from local.refused import Refused
from local.simulation import settings_of_keys, start_fresh
from tests.conftest import ROOT

REAL = "https://api.mexc.com"
LIVE = {"EXECUTION_MODE": "live"}
STAYS = {**LIVE, "REDIS_URL": "redis://127.0.0.1:1/0", "SYMBOL": "QRLUSDT"}


def mode(
    environ: dict[str, str],
    answer: str | None = None,
    *,
    exchange: str | None = REAL,
    live: bool = False,
    real: bool,
) -> str:
    """The mode with these options; `answer` None is no terminal."""
    arguments = argparse.Namespace(exchange=exchange, live=live, live_for_real=real)
    return execution_mode(arguments, environ, lambda _: answer or "", lambda: answer is not None)


def test_a_real_exchange_gets_plans_whatever_the_environment_says() -> None:
    for environ in (LIVE, STAYS, {"EXECUTION_MODE": "test"}, {}):
        assert mode(environ, "QRLUSDT", real=False) == "plan"


def test_real_orders_want_the_option_a_redis_that_stays_and_a_person_who_confirms() -> None:
    assert mode(STAYS, " QRLUSDT\n", real=True) == "live"
    for environ, answer, why in (
        (STAYS, None, "confirmed on a terminal"),
        (STAYS, "", "not confirmed"),
        (STAYS, "y", "not confirmed"),
        (STAYS, "qrlusdt", "not confirmed"),
        (LIVE, "QRLUSDT", "a Redis that stays"),
        ({**STAYS, "REDIS_KEY_PREFIX": "simulated:mine:"}, "QRLUSDT", "REDIS_KEY_PREFIX"),
    ):
        with pytest.raises(Refused, match=why):
            mode(environ, answer, real=True)


def test_each_kind_of_order_has_its_own_option() -> None:
    assert mode({}, exchange=None, live=True, real=False) == "live"
    assert mode(LIVE, exchange=None, real=False) == "live"
    assert mode({}, exchange=None, real=False) == "plan"
    with pytest.raises(Refused, match="simulated exchange"):
        mode({}, live=True, real=False)
    with pytest.raises(Refused, match="goes with --exchange"):
        mode({}, exchange=None, real=True)


# Commands


@pytest.fixture
def real() -> Iterator[ExchangeServer]:
    """An exchange that the commands do not know for a simulated one, with a mix that wants an order."""
    with ExchangeServer(SimulatedExchange()) as handle:
        now_ms = round(datetime.now(UTC).timestamp() * 1000) - 86_400_000
        fill = {"side": "BUY", "price": "0.02", "qty": "26000", "time": now_ms}
        session = requests.Session()
        session.trust_env = False
        session.post(f"{handle.url}/sim/fills", json={"fills": [fill]}).raise_for_status()
        balances = {"QRL": "26000", "USDT": "100"}
        session.post(f"{handle.url}/sim/account", json={"balances": balances}).raise_for_status()
        session.close()
        yield handle


def environment(handle: ExchangeServer, redis_url: str) -> dict[str, str]:
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()  # a lease that another test has left would be waited for
    keys = {"MEXC_API_KEY": handle.exchange.config.api_key, "MEXC_SECRET_KEY": handle.exchange.config.secret_key}
    return {**os.environ, **keys, **LIVE, "REDIS_URL": redis_url, "ORDER_COOLDOWN_SECONDS": "0"}


def orders(handle: ExchangeServer) -> dict[str, int]:
    return {name: count for name, count in handle.exchange.requests.items() if not name.startswith("GET ")}


def test_with_live_in_the_environment_run_and_serve_place_nothing_on_an_exchange(
    real: ExchangeServer, redis_server: str
) -> None:
    env = environment(real, redis_server)
    command = [sys.executable, "-m", "local", "run", "--exchange", real.url]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not followed on this machine: plans only" in done.stdout
    assert "SELL" in done.stdout, "there was something to place"
    command[3:4] = ["serve", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        watchdog = threading.Timer(30, process.kill)
        watchdog.start()
        url = next(line for line in process.stdout if "serving " in line).split()[1]
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(f"{url}/rebalance", headers={"X-CloudScheduler": "true"}).json()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        watchdog.cancel()
    assert answer["status"] == "success", answer
    assert (answer["rebalance"]["action"], answer["order"]) == ("SELL", None)
    assert orders(real) == {}


def test_without_a_terminal_nobody_can_confirm(
    real: ExchangeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    for name in ("run", "serve"):
        assert main([name, "--exchange", real.url, "--live-for-real"]) == 2
        error = capsys.readouterr().err
        assert ("confirmed on a terminal" in error, error.count("\n")) == (True, 1), error
    assert real.exchange.requests == {}


# State


def test_a_simulation_has_a_prefix_and_a_namespace_of_its_own_always() -> None:
    assert settings_of_keys({}) == {"REDIS_KEY_PREFIX": "simulated:", "REDIS_NAMESPACE": "simulated.qrl"}
    mine = {"REDIS_KEY_PREFIX": "prod:", "REDIS_NAMESPACE": "prod"}
    assert settings_of_keys(mine) == {"REDIS_KEY_PREFIX": "simulated:prod:", "REDIS_NAMESPACE": "simulated.prod"}


def content(client: Any) -> dict[str, str]:
    return {key: client.get(key) for key in client.scan_iter()}


def test_a_simulation_forgets_the_one_before_it_and_nothing_else(store_client: "redis.Redis") -> None:
    keys = settings_of_keys({})
    start_fresh(store_client, keys)
    real = {"bot:QRLUSDT:ledger": "real", "account:balance": "real", "qrl:v1:rules:QRL/USDT": "real"}
    store_client.mset(real)
    fresh = content(store_client)
    store_client.mset({"simulated:bot:QRLUSDT:ledger": "played", "simulated.qrl:v1:rules:QRL/USDT": "played"})
    start_fresh(store_client, keys)
    assert content(store_client) == fresh


def test_state_that_is_no_simulations_is_left_alone(store_client: "redis.Redis") -> None:
    store_client.set("simulated:bot:QRLUSDT:ledger", "somebody's")
    before = content(store_client)
    with pytest.raises(Refused, match="state of another exchange"):
        start_fresh(store_client, settings_of_keys({}))
    assert content(store_client) == before
