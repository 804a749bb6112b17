"""`/metrics`: what Prometheus reads of the bot (contract.md §2.6)."""

import re
from typing import Any

import redis

from tests.builders import fill_payload
from tests.conftest import Functions
from tests.fakes import NOON, FakeClock, StubExchange

LINE = re.compile(r'(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[a-z_]+"(,[a-z]+="[a-z_]+")*\})? -?[0-9.]+)')


def samples(functions: Functions) -> dict[str, str]:
    answer: Any = functions.get("ops", "metrics")
    assert (answer.status_code, answer.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    lines = answer.get_data(as_text=True).splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def test_an_empty_store_has_no_runs_and_nothing_unreadable(functions: Functions) -> None:
    told = samples(functions)
    assert told["rebalancer_unreadable_keys"] == "0"
    assert not [name for name in told if name.startswith("rebalancer_run")]


def test_the_last_runs_and_what_they_made_of_the_cache_are_told(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    exchange.answers["myTrades"] = [fill_payload("BUY", "1000.5", "0.02", at=NOON)]
    for job in ("balance", "cost", "rebalance", "rebalance"):
        functions.post(job)
    clock.move(90)
    exchange.answers["ticker/24hr"] = {"symbol": "QRLUSDT"}
    functions.post("price")
    told = samples(functions)
    assert told['rebalancer_run_age_seconds{job="rebalance"}'] == "90"
    assert told['rebalancer_run_ended_well{job="balance"}'] == "1"
    assert told['rebalancer_run_ended_well{job="price"}'] == "0"
    assert told['rebalancer_cache_hits{job="rebalance"}'] == "1", "the rules, in the run's first trip"


def test_a_report_that_cannot_be_read_is_counted_and_the_rest_is_told(
    functions: Functions, store_client: "redis.Redis"
) -> None:
    functions.post("balance")
    store_client.set("bot:QRLUSDT:report:cost:last", "[]")
    told = samples(functions)
    assert told["rebalancer_unreadable_keys"] == "1"
    assert told['rebalancer_run_ended_well{job="balance"}'] == "1"
