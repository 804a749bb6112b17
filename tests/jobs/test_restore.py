"""After a loss of Redis: the ledger and the order journal come back, or it is said why not."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis

from common.adapters.keys import Keys
from common.adapters.logs import JsonFormatter
from tests.builders import account_payload, fill_payload
from tests.conftest import Functions, MakeBot
from tests.fakes import NOON, Call, FakeClock, StubExchange

KEYS = Keys("", "QRLUSDT")
LOST = (KEYS.ledger, KEYS.ledger_fills, KEYS.ledger_lots, KEYS.inception, KEYS.orders_journal, KEYS.orders_known)
FIRST = fill_payload("BUY", "900", "0.02", number=1, at=NOON - timedelta(days=2), fee="0.009")


class Lines(logging.Handler):
    """The bot's own log as the platform would keep it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(self.format(record) + "\n")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Path]:
    """A folder that the bot's log lines are sunk to."""
    handler, log = Lines(tmp_path / "lines.json"), logging.getLogger("common")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield tmp_path
    log.removeHandler(handler)
    log.setLevel(level)


def restore(functions: Functions, **body: str) -> Any:
    headers = {"X-CloudScheduler": "true"}
    return functions.client("ops").post("/", headers=headers, json={"command": "restore", **body}).json


def snapshot(client: "redis.Redis") -> dict[str, Any]:
    """What must come back: documents, hashes, and the sorted set of fills."""
    found: dict[str, Any] = {}
    for key in (KEYS.ledger, KEYS.ledger_lots, KEYS.inception):
        text: Any = client.get(key)
        found[key] = json.loads(text) if text else None
    for key in (KEYS.orders_journal, KEYS.orders_known):
        found[key] = client.hgetall(key)
    found[KEYS.ledger_fills] = client.zrange(KEYS.ledger_fills, 0, -1, withscores=True)
    return found


def a_trading_day(functions: Functions, exchange: StubExchange, clock: FakeClock) -> None:
    """The first run folds the history; the second sells 200 QRL, which the exchange fills at once."""
    fills = [FIRST]
    exchange.answers["account"] = account_payload(("QRL", "1000", "0"), ("USDT", "10", "0"))
    exchange.answers["myTrades"] = lambda call: [fill for fill in fills if _in_window(fill, call)]
    for job in ("balance", "price", "fifteen_min_job"):
        assert functions.post(job, slot=clock.now().isoformat()).status_code == 200
    clock.move(900)

    def accept(call: Call) -> Any:
        if call.method == "POST":
            clock.move(1)
            sold = call.params["quantity"]
            fill = fill_payload("SELL", sold, "0.0205", number=2, at=clock.now().replace(microsecond=0))
            fills.append(fill)
            left = str(Decimal(1000) - Decimal(sold))
            exchange.answers["account"] = account_payload(("QRL", left, "0"), ("USDT", "15", "0"))
            accept.sent = call.params  # type: ignore[attr-defined]
            return {"symbol": "QRLUSDT", "orderId": "C02__2"}
        sent = getattr(accept, "sent", None)
        if sent is None or call.params.get("origClientOrderId") != sent["newClientOrderId"]:
            return (400, {"msg": "Order does not exist.", "code": -2013})
        return {
            "symbol": "QRLUSDT",
            "orderId": "C02__2",
            "clientOrderId": sent["newClientOrderId"],
            "side": "SELL",
            "price": sent["price"],
            "origQty": sent["quantity"],
            "executedQty": sent["quantity"],
            "cummulativeQuoteQty": "5.125",
            "status": "FILLED",
        }

    exchange.answers["order"] = accept
    exchange.answers["allOrders"] = []
    order = functions.post("fifteen_min_job", slot=clock.now().isoformat()).json["order"]
    assert order["status"] == "FILLED"


def _in_window(fill: dict[str, Any], call: Call) -> bool:
    start, end = int(call.params["startTime"]), int(call.params["endTime"])
    return start <= int(fill["time"]) <= end


def test_a_lost_store_comes_back_from_the_log_lines_to_the_last_digit(
    make_bot: MakeBot,
    bare_functions: Functions,
    exchange: StubExchange,
    clock: FakeClock,
    journal: Path,
    store_client: "redis.Redis",
) -> None:
    make_bot(EXECUTION_MODE="live", JOURNAL_FOLDER=str(journal), MAX_SLIPPAGE="0.01")
    a_trading_day(bare_functions, exchange, clock)
    clock.move(900)
    bare_functions.post("fifteen_min_job", slot=clock.now().isoformat())
    before = snapshot(store_client)
    store_client.delete(*LOST, KEYS.orders_open, KEYS.activity)

    data = restore(bare_functions)["data"]

    assert data["proved"] is True
    assert (data["fills"], data["fills_from_journal"], data["intents"]) == (2, 2, 1)
    assert data["drift_quantity"] == 0
    after = snapshot(store_client)
    for key in (KEYS.ledger_fills, KEYS.inception, KEYS.orders_journal, KEYS.orders_known):
        assert after[key] == before[key], key
    assert _quantities(after) == _quantities(before)
    activity = json.loads(store_client.get(KEYS.activity))  # type: ignore[arg-type]
    assert activity["orders"] == 1
    assert activity["last_slot"] == "2026-01-02T12:15:00+00:00"


def _quantities(found: dict[str, Any]) -> Any:
    """The ledger's money, whether its fills are sealed or still in the tail."""
    ledger = found[KEYS.ledger]
    return {name: ledger["fifo"][name] for name in ("quantity", "avg_cost", "total_invested", "realized_pnl")}


def test_without_a_journal_the_exchange_tells_what_it_remembers(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    exchange.answers["myTrades"] = [FIRST]
    data = restore(functions, source="exchange")["data"]
    assert (data["source"], data["fills"], data["fills_from_journal"]) == ("exchange", 1, 0)
    assert data["unknown_cost_quantity"] == 100.5
    assert store_client.zcard(KEYS.ledger_fills) == 1


def test_nothing_is_restored_over_a_ledger_that_is_there(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    exchange.answers["myTrades"] = [FIRST]
    for job in ("balance", "cost"):
        functions.post(job, slot=clock.now().isoformat())
    before = snapshot(store_client)
    answer = restore(functions)
    assert answer["status"] == "skipped"
    assert "not empty" in answer["reason"]
    assert snapshot(store_client) == before


def test_a_line_that_cannot_be_read_restores_nothing(
    make_bot: MakeBot, bare_functions: Functions, tmp_path: Path, store_client: "redis.Redis"
) -> None:
    (tmp_path / "lines.json").write_text('{"event": "journal.fill", "fill_id"\n', encoding="utf-8")
    make_bot(JOURNAL_FOLDER=str(tmp_path))
    answer = restore(bare_functions)
    assert answer["status"] == "error"
    assert store_client.exists(KEYS.ledger) == 0


def test_a_journal_that_does_not_add_up_with_the_account_is_told_as_drift(
    make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange, tmp_path: Path
) -> None:
    opening = {"event": "journal.inception", "opening_quantity": "50", "inception": _inception()}
    (tmp_path / "lines.json").write_text(json.dumps(opening) + "\n", encoding="utf-8")
    exchange.answers["myTrades"] = [FIRST]
    make_bot(JOURNAL_FOLDER=str(tmp_path))
    data = restore(bare_functions)["data"]
    assert data["proved"] is False
    assert data["drift_quantity"] == 50.5
    assert data["unknown_cost_quantity"] == 50


def _inception() -> dict[str, Any]:
    moved = {"base": "0", "quote": "0", "base_fees": "0", "quote_fees": "0"}
    return {
        "timestamp": NOON.isoformat(),
        "qrl_quantity": "950",
        "usdt_quantity": "10",
        "price": "0.02",
        "moved": moved,
    }


def test_a_restore_is_journalled_and_needs_the_exchange_key(
    make_bot: MakeBot, bare_functions: Functions, store_client: "redis.Redis"
) -> None:
    make_bot(MEXC_API_KEY="", MEXC_SECRET_KEY="")
    answer = restore(bare_functions)
    assert (answer["status"], answer["reason"]) == ("skipped", "API keys not configured")
    record = json.loads(store_client.lindex(KEYS.commands, 0))  # type: ignore[arg-type]
    assert record["command"] == "restore"
