"""With no new setting the stored plan stays as it is, byte for byte (tests/golden/default_plans.jsonl)."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import redis

from tests.builders import account_payload, depth_payload, exchange_answers, fill_payload
from tests.conftest import ROOT, Functions, MakeBot
from tests.fakes import NOON, FakeClock, StubExchange

GOLDEN = ROOT / "tests" / "golden" / "default_plans.jsonl"
FILLS = [fill_payload("BUY", "100", "1.5", at=NOON - timedelta(days=1))]
ONE_SIDED = depth_payload("2") | {"asks": []}
THIN = {"lastUpdateId": 1, "bids": [["1.999", "12"], ["1.998", "1"]], "asks": [["2.001", "12"], ["2.2", "90"]]}
PAUSE = {"reason": "maintenance", "set_by": "ops@example.test", "set_at": NOON.isoformat(), "until": None}
OPEN_ORDER = {
    "symbol": "QRLUSDT",
    "orderId": "C02__77",
    "clientOrderId": "rb202601021145S0123456789abcd",
    "price": "2",
    "origQty": "10",
    "executedQty": "0",
    "cummulativeQuoteQty": "0",
    "status": "NEW",
    "type": "LIMIT",
    "side": "SELL",
    "time": 1767354300000,
}

Case = dict[str, Any]
CASES: dict[str, Case] = {
    "a sale, and nothing against it": {"balances": ("100", "100"), "price": "2"},
    "a buy": {"balances": ("100", "100"), "price": "0.5"},
    "within the threshold": {"balances": ("100", "202"), "price": "2"},
    "exactly the minimum": {"balances": ("10", "10"), "price": "2"},
    "no money": {"balances": ("0", "0"), "price": "2"},
    "no price": {"balances": ("100", "100"), "price": "0"},
    "all coins locked": {"balances": ("0", "100"), "locked": "100", "price": "2"},
    "no free money to buy with": {"balances": ("10", "0"), "usdt_locked": "100", "price": "2"},
    "in a target of a quarter": {
        "balances": ("100", "100"),
        "price": "2",
        "env": {"TARGET_RATIO": "0.25", "MIN_NOTIONAL_USDT": "1", "THRESHOLD_PCT": "0.002"},
    },
    "with a core holding and a reserve": {
        "balances": ("100", "100"),
        "price": "2",
        "env": {"CORE_HOLDING": "90", "USDT_RESERVE": "95"},
    },
    "cut by a thin book": {"balances": ("100", "100"), "price": "2", "answers": {"depth": THIN}},
    "refused in plan mode": {"balances": ("100", "100"), "price": "2", "answers": {"depth": ONE_SIDED}},
    "refused in test mode": {
        "balances": ("100", "100"),
        "price": "2",
        "answers": {"depth": ONE_SIDED},
        "env": {"EXECUTION_MODE": "test"},
    },
    "in test mode": {"balances": ("100", "100"), "price": "2", "env": {"EXECUTION_MODE": "test"}},
    "resting": {"balances": ("100", "100"), "price": "2", "env": {"ORDER_STYLE": "maker"}},
    "by a market order": {
        "balances": ("100", "100"),
        "price": "2",
        "env": {"ORDER_STYLE": "market", "ALLOW_MARKET_ORDERS": "true"},
    },
    "an order of the bot open": {"balances": ("100", "100"), "price": "2", "answers": {"openOrders": [OPEN_ORDER]}},
    "paused": {"balances": ("100", "100"), "price": "2", "stored": {"bot:QRLUSDT:pause": PAUSE}},
    "without a book": {"balances": ("100", "100"), "price": "2", "answers": {"depth": (503, "")}},
    "stale": {
        "balances": ("100", "100"),
        "price": "2",
        "env": {"RUN_DEADLINE_SECONDS": "90"},
        "late": 61,
    },
    "after a fall of a half": {"balances": ("100", "100"), "price": "0.4", "earlier": "2"},
    "a first run that finds coins": {"balances": ("100", "100"), "price": "2", "ledger": False},
}


def planned(
    case: Case, make_bot: MakeBot, functions: Functions, exchange: StubExchange, clock: FakeClock, client: Any
) -> str:
    """The text of the plan that is stored in this case."""
    client.flushall()
    price, (qrl, usdt) = case["price"], case["balances"]
    exchange.answers.clear()
    exchange.answers |= exchange_answers(price=str(case.get("earlier", price)), fills=FILLS)
    exchange.answers["account"] = account_payload(
        ("QRL", qrl, case.get("locked", "0")), ("USDT", usdt, case.get("usdt_locked", "0"))
    )
    exchange.answers["order/test"] = {}
    make_bot(**case.get("env", {}))
    for key, document in case.get("stored", {}).items():
        client.set(key, json.dumps(document))
    if case.get("ledger", True):
        for job in ("price", "balance", "cost"):
            functions.post(job)
    exchange.answers |= {**exchange_answers(price=price, fills=FILLS), "account": exchange.answers["account"]}
    exchange.answers |= case.get("answers", {})
    if late := case.get("late"):
        exchange.answers["selfSymbols"] = (400, {"code": 700007, "msg": "No permission"})
        exchange.answers["defaultSymbols"] = _late(clock, late)
    clock.move((NOON - clock.now()).total_seconds())
    functions.post("rebalance", slot=NOON.isoformat())
    return str(client.get("bot:QRLUSDT:rebalance:last"))


def _late(clock: FakeClock, seconds: float) -> Callable[[Any], Any]:
    def answer(_: Any) -> Any:
        clock.move(seconds)
        return {"code": 0, "data": ["QRLUSDT"], "msg": "success"}

    return answer


def test_the_default_plan_is_stored_as_it_always_was(
    make_bot: MakeBot,
    bare_functions: Functions,
    exchange: StubExchange,
    clock: FakeClock,
    store_client: "redis.Redis",
) -> None:
    golden = {line["case"]: line["plan"] for line in map(json.loads, GOLDEN.read_text("utf-8").splitlines())}
    assert list(golden) == list(CASES)
    for name, case in CASES.items():
        assert planned(case, make_bot, bare_functions, exchange, clock, store_client) == golden[name], name
