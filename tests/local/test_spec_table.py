"""The table of contract.md §4 over HTTP: the simulated exchange, and the functions behind their router."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from local.router import serving
from tests.builders import d, told
from tests.conftest import Functions, MakeBot
from tests.fakes import FakeClock, Market

TABLE = [
    ("100", "100", "2", "SELL", "25", "50"),
    ("100", "100", "0.5", "BUY", "50", "25"),
    ("10", "10", "2", "SELL", "2.5", "5"),
    ("103.5", "195", "2", "SELL", "3", "6"),
    ("100", "150", "2.5", "SELL", "20", "50"),
    ("10", "80", "2", "BUY", "15", "30"),
    ("50", "20", "2", "SELL", "20", "40"),
    ("100", "202", "2", "HOLD", "0", "0"),
    ("0", "100", "2", "BUY", "25", "50"),
    ("12000", "100", "0.05", "SELL", "5000", "250"),
]
REASONS = {"SELL": "QRL above target", "BUY": "QRL below target", "HOLD": "Within threshold"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(0) as url:
        yield url


@pytest.fixture
def exchange_side(market: Market, make_bot: MakeBot) -> Market:
    make_bot(**market.env)
    return market


def plan(url: str, job: str, exchange: Market, qrl: str, usdt: str, price: str) -> dict[str, Any]:
    """The plan that `job` makes for these balances at this price."""
    exchange.hold(QRL=qrl, USDT=usdt)
    exchange.set_price(price)
    headers = {"X-CloudScheduler": "true"}
    response = requests.post(f"{url}/{job}", headers=headers, timeout=30)
    assert (response.status_code, response.json()["status"]) == (200, "success"), response.text
    made: dict[str, Any] = response.json(parse_float=Decimal)["rebalance"]
    return made


@pytest.mark.parametrize("job", ["rebalance", "fifteen_min_job"])
@pytest.mark.parametrize(("q", "u", "p", "action", "quantity", "notional"), TABLE)
def test_every_row_of_the_table(
    job: str, q: str, u: str, p: str, action: str, quantity: str, notional: str, url: str, exchange_side: Market
) -> None:
    made = plan(url, job, exchange_side, q, u, p)
    decided = made["action"], made["quantity"], made["notional_usdt"]
    assert decided == (action, d(quantity), d(notional))
    assert made["reason"] == REASONS[action]
    seen = made["qrl_balance"], made["usdt_balance"], made["price"], made["total_value_usdt"]
    assert seen == (d(q), d(u), d(p), d(q) * d(p) + d(u))


def test_a_price_that_doubles_and_comes_back_leaves_more_than_holding(url: str, exchange_side: Market) -> None:
    up = plan(url, "rebalance", exchange_side, "100", "100", "2")
    assert (up["action"], up["quantity"]) == ("SELL", 25)
    down = plan(url, "rebalance", exchange_side, "75", "150", "1")
    assert (down["action"], down["quantity"]) == ("BUY", d("37.5"))
    after = plan(url, "rebalance", exchange_side, "112.5", "112.5", "1")
    assert (after["action"], after["total_value_usdt"]) == ("HOLD", 225)


def test_the_plan_over_http_is_the_plan_in_the_store_and_in_get(
    url: str, exchange_side: Market, bare_functions: Functions, clock: FakeClock
) -> None:
    made = plan(url, "rebalance", exchange_side, "100", "100", "2")
    clock.move(60)
    assert told(bare_functions.get("rebalance"))["rebalance"].items() >= made.items()
