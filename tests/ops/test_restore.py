"""After a loss of Redis: the ledger and the order journal come back, or it is said why not."""

import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import requests

from common.decimal_json import from_redis, to_redis
from common.domain.instrument import Instrument
from common.errors import StoreUnreachable
from common.gcp.journal import Bucket
from common.ops import restore as restore_job
from common.store.codec import to_document
from common.store.records import ledger_of
from tests.builders import KEYS, d, fill, fill_payload
from tests.conftest import Functions, Live, MakeBot
from tests.fakes import NOON, Call, FakeClock, StubExchange

INTACT_FILL = json.loads(to_redis(to_document(fill("BUY", "900", "0.02", at=NOON - timedelta(days=2)))))
FIRST = fill_payload("BUY", "900", "0.02", number=1, at=NOON - timedelta(days=2), fee="0.009")


def restore(functions: Functions, **body: Any) -> Any:
    return functions.command("restore", **body).json


def books(client: "redis.Redis") -> list[Any]:
    return [client.dump(key) for key in (KEYS.ledger, KEYS.ledger_fills, KEYS.ledger_lots, KEYS.inception)]


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
    before = books(store_client)
    answer = restore(functions)
    assert answer["status"] == "skipped"
    assert "not empty" in answer["reason"]
    assert (answer["data"]["fills"], answer["data"]["drift_quantity"]) == (1, 0)
    assert answer["data"]["replaces"]["ledger_quantity"] == answer["data"]["ledger_quantity"]
    assert books(store_client) == before
    for wrong in ("0a1b", 5):
        refused = restore(functions, confirm=wrong)
        assert (refused["status"], refused["error"]["code"]) == ("error", "bad_request")
        assert books(store_client) == before


# Over a ledger that is there, once that is confirmed


def confirmed(functions: Functions, **body: Any) -> Any:
    """The answer to the command that repeats the `confirm` of the one before: what that has shown is made."""
    shown = restore(functions, **body)
    assert shown["status"] == "skipped"
    answer = restore(functions, **body, confirm=shown["data"]["confirm"])
    assert answer["status"] == "success", answer
    for name in shown["data"].keys() - {"confirm", "journal_chain"}:
        assert answer["data"][name] == shown["data"][name], name
    return answer["data"]


def test_wrong_books_are_rebuilt_once_that_is_confirmed_and_the_old_ledger_is_kept(
    journal: Path, live: Live, bare_functions: Functions
) -> None:
    a_live_day(live)
    live.start(JOURNAL_FOLDER=str(journal), MAX_ORDERS_PER_DAY="50")
    before, attribution = kept(live.client), live.stored("attribution")
    wrong = live.stored("ledger")
    wrong["sealed"] |= {"quantity": "1", "fill_count": 99}
    live.client.set(KEYS.ledger, json.dumps(wrong))
    for source in ("exchange", "journal"):
        live.client.set(KEYS.ledger, json.dumps(wrong))
        data = confirmed(bare_functions, source=source)
        assert (data["proved"], data["drift_quantity"], data["unknown_cost_quantity"]) == (True, 0, 0), source
        assert data["replaces"]["drift_quantity"] != 0
        assert kept(live.client) == before, source
        assert live.stored("attribution")["attribution"] == attribution["attribution"], source
        assert live.stored(data["moved_to"].removeprefix("bot:QRLUSDT:")) == wrong
        live.client.delete(data["moved_to"])
    records = [json.loads(str(text)) for text in live.client.lrange(KEYS.commands, 0, -1)]
    assert [record.get("confirm") is not None for record in records] == [True, False] * 2


def test_a_fill_that_was_never_seen_is_found_and_no_longer_a_flow(live: Live, bare_functions: Functions) -> None:
    """The runbook for coins that the ledger does not explain."""
    live.run()
    live.desk.market.order("BUY", "1000")
    hidden = live.desk.market.exchange.engine.fills[-1].trade_id
    live.desk.on["GET myTrades"] = lambda call: [
        row for row in json.loads(live.desk.carry_out(call)[1]) if row["id"] != hidden
    ]
    for days in (0, 2, 4):
        live.run(days * 24 * 60 + 15)
    del live.desk.on["GET myTrades"]
    assert live.client.zcard(KEYS.flows) == 1
    data = confirmed(bare_functions, source="exchange")
    assert (data["replaces"]["drift_quantity"], data["drift_quantity"], data["proved"]) == (1000, 0, True)
    assert live.client.zcard(KEYS.flows) == 0
    lines = live.run(4 * 24 * 60 + 30)["cost_update"]["attribution"]
    assert lines["value"] == live.desk.market.total("QRL") * d("0.02") + live.desk.market.total("USDT")
    assert lines["operator_trades"] == d("-0.020005"), "1000 at 0.02001, and the fee"


def test_after_a_repair_of_the_ledger_the_journal_is_restored_without_a_word(
    journal: Path, live: Live, bare_functions: Functions
) -> None:
    """The inception still stands; it is the ledger that is younger than the journal."""
    a_live_day(live)
    before = kept(live.client)
    live.client.delete(KEYS.ledger)
    live.start(JOURNAL_FOLDER=str(journal), MAX_ORDERS_PER_DAY="50", EXECUTION_MODE="plan")
    live.clock.move(900)
    live.call("cost")
    assert restore(bare_functions)["data"]["proved"] is True
    assert kept(live.client)["position"] == before["position"]


# Rows that cannot be booked


def odd_row(live: Live) -> None:
    """A purchase of 1000 whose side the exchange does not tell."""
    odd = fill_payload("BUY", "1000", "0.02", number=77, at=NOON) | {"isBuyer": None}
    live.desk.market.hold(QRL="31000", USDT="380")

    def lists(call: Call) -> Any:
        rows = json.loads(live.desk.carry_out(call)[1])
        return [*rows, odd] if int(call.params["startTime"]) <= odd["time"] <= int(call.params["endTime"]) else rows

    live.desk.on["GET myTrades"] = lists
    live.clock.move(60)


def test_an_odd_row_goes_on_holding_until_an_operator_says_what_it_was(
    live: Live, bare_functions: Functions
) -> None:
    odd_row(live)
    live.client.flushall()
    data = restore(bare_functions, source="exchange")["data"]
    assert (data["proved"], data["fills_in_quarantine"], data["unknown_cost_quantity"]) == (False, 1, 1000)
    live.call("price")
    assert "Fill in quarantine: 77X1" in live.run(15)["rebalance"]["reason"]
    bare_functions.command("book-fill", id="77X1", side="BUY")
    answer = live.run(30)
    assert (answer["order"]["status"], answer["cost_update"]["unknown_cost_quantity"]) == ("FILLED", 0)


@pytest.mark.parametrize(
    ("name", "said", "coins"),
    [("book-fill", {"side": "BUY"}, 31000), ("ignore-fill", {"reason": "none of ours"}, 30000)],
)
def test_what_an_operator_has_said_of_an_odd_row_is_not_asked_again(
    journal: Path, live: Live, bare_functions: Functions, name: str, said: dict[str, str], coins: int
) -> None:
    odd_row(live)
    live.start(JOURNAL_FOLDER=str(journal), EXECUTION_MODE="plan")
    live.run(15)
    bare_functions.command(name, id="77X1", **said)
    live.run(30)
    live.client.flushall()
    data = restore(bare_functions)["data"]
    assert (data["fills_in_quarantine"], data["ledger_quantity"]) == (0, coins)
    assert data["unknown_cost_quantity"] == 0
    live.call("price")
    assert "quarantine" not in live.run(45)["rebalance"]["reason"]


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
    opening = {"event": "journal.inception", "inception": _inception()}
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


# A day with real orders, lost and brought back


def a_live_day(live: Live) -> None:
    """Sales and buys, one filled in part, one of the user's, and at the end one whose fate is open."""
    live.start(MAX_ORDERS_PER_DAY="50")

    def take_time(call: Call) -> None:
        live.clock.move(0.01)

    live.desk.on |= {"GET order": take_time, "POST order": take_time}
    for number, price in enumerate(("0.02", "0.023", "0.021", "0.018", "0.016", "0.0161", "0.019")):
        live.desk.market.set_price(price)
        live.call("price")
        if number == 2:
            live.desk.market.sim("faults", kind="partial_fill", fraction="0.3", times=1)
        if number == 3:
            live.desk.market.order("BUY", "123.4567")
        live.run(15 * number)
        live.clock.move(300)
        live.call("cost")
    live.desk.on["POST order"] = lambda call: (500, "")
    live.desk.market.set_price("0.022")
    live.call("price")
    assert live.run(15 * 7)["order"]["status"] == "UNKNOWN"
    live.desk.on.clear()
    assert 4 < len(live.orders) < 10


def kept(client: "redis.Redis") -> dict[str, Any]:
    """All that must come back: to the last digit, whatever is sealed and whatever still open."""
    text: Any = client.get(KEYS.ledger)
    ledger = ledger_of(from_redis(text, KEYS.ledger), KEYS.ledger)
    fills: Any = client.zrange(KEYS.ledger_fills, 0, -1, withscores=True)
    known: Any = client.hgetall(KEYS.orders_known)
    inception: Any = client.get(KEYS.inception)
    return {
        "position": ledger.position(Instrument("QRL", "USDT")),
        "fills": fills,
        "journal": client.hgetall(KEYS.orders_journal),
        "open": client.hgetall(KEYS.orders_open),
        "known": {order_id: name for order_id, name in known.items() if name},
        "inception": json.loads(inception),
        "recent": client.hgetall(KEYS.orders_recent),
    }


def restored(live: Live, functions: Functions, journal: Path, **body: str) -> Any:
    """A fresh process after the loss of all that was in Redis, told to restore."""
    live.client.flushall()
    live.start(JOURNAL_FOLDER=str(journal), MAX_ORDERS_PER_DAY="50")
    answer = restore(functions, **body)
    assert answer["status"] == "success", answer
    return answer["data"]


def test_a_day_of_orders_comes_back_to_the_last_digit(journal: Path, live: Live, bare_functions: Functions) -> None:
    a_live_day(live)
    before = kept(live.client)
    data = restored(live, bare_functions, journal)
    assert kept(live.client) == before
    assert (data["proved"], data["drift_quantity"], data["open_intents"]) == (True, 0, 1)
    assert data["intents"] == len(before["journal"])
    assert live.client.exists(KEYS.ledger_lots)
    assert data["fills"] == data["fills_from_journal"] == len(before["fills"])
    assert d(str(live.ledger_quantity())) == live.desk.market.total("QRL")


def test_what_was_restored_is_traded_on_as_if_nothing_had_happened(
    journal: Path, live: Live, bare_functions: Functions, caplog: pytest.LogCaptureFixture
) -> None:
    a_live_day(live)
    orders, sent = len(live.orders), live.sent
    restored(live, bare_functions, journal)
    caplog.clear()
    for job in ("price", "balance", "cost"):
        live.call(job)
    assert live.sent == sent
    answer = live.run(15 * 9)
    assert (answer["order"]["status"], len(live.orders)) == ("FILLED", orders + 1)
    assert live.intent(15 * 7)["state"] == "CANCELED"
    assert live.ledger_quantity() == live.desk.market.total("QRL")
    assert not any("not in the journal" in message for message in caplog.messages)


def test_lines_may_come_in_any_order_and_more_than_once(
    journal: Path, live: Live, bare_functions: Functions
) -> None:
    a_live_day(live)
    before = kept(live.client)
    (file,) = journal.iterdir()
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    random.Random(5).shuffle(lines)
    file.write_text("".join(lines[: len(lines) // 2]), encoding="utf-8")
    (journal / "older").write_text("".join(lines), encoding="utf-8")
    restored(live, bare_functions, journal)
    assert kept(live.client) == before


def test_the_exchange_alone_brings_the_ledger_back_but_not_the_intents(
    journal: Path, live: Live, bare_functions: Functions
) -> None:
    a_live_day(live)
    before = kept(live.client)
    data = restored(live, bare_functions, journal, source="exchange")
    assert (data["source"], data["intents"], data["proved"]) == ("exchange", 0, True)
    text: Any = live.client.get(KEYS.ledger)
    ledger = ledger_of(from_redis(text, KEYS.ledger), KEYS.ledger)
    assert ledger.position(Instrument("QRL", "USDT")) == before["position"]
    assert live.client.exists(KEYS.orders_journal, KEYS.day_start) == 0


def test_coins_that_were_there_before_the_history_come_back_with_what_was_sold_of_them(
    journal: Path, live: Live, bare_functions: Functions
) -> None:
    live.desk.market.bought(("32000", "0.021"), at=NOON - timedelta(hours=20), side="SELL")
    live.client.flushall()
    (journal / "lines.json").unlink()
    live.start()
    for job in ("price", "balance", "cost"):
        live.call(job)
    cost: Any = live.client.hgetall(KEYS.cost)
    data = restored(live, bare_functions, journal)
    assert (data["proved"], data["drift_quantity"]) == (True, 0)
    assert d(str(data["unknown_cost_quantity"])) == d(cost["unknown_cost_quantity"]) == 30000


def test_the_attribution_and_the_daily_points_come_back(
    journal: Path, live: Live, bare_functions: Functions
) -> None:
    """Fills with their mids, and flows; of the variance what the last daily point had."""
    live.run()
    live.desk.market.sim("deposit", asset="USDT", amount="50")
    for _ in range(2):
        live.clock.move(200)
        live.call("balance")
        live.call("cost")
    live.desk.market.set_price("0.0235")
    assert live.run(60)["order"]["status"] == "FILLED"
    live.run(13 * 60)
    live.clock.move(200)
    live.call("balance")
    live.call("cost")
    before, days = live.stored("attribution"), live.client.zrange(KEYS.equity_days, 0, -1)
    restored(live, bare_functions, journal)
    after = live.stored("attribution")
    assert after["attribution"] == before["attribution"]
    assert after["attribution"]["fills_without_mid"] == 0
    assert after["shares"]["count"] == before["shares"]["count"] != before["attribution"]["growth"]
    assert live.client.zrange(KEYS.equity_days, 0, -1) == days
    live.clock.move(200)
    live.call("balance")
    live.call("cost")
    assert live.stored("attribution")["attribution"] == before["attribution"]
    assert live.client.zcard(KEYS.flows) == 1


def test_the_beginning_is_the_earliest_there_is(journal: Path, live: Live, bare_functions: Functions) -> None:
    live.desk.latency = 0
    for _ in range(2):
        live.client.flushall()
        live.start()
        for job in ("price", "balance", "cost"):
            live.call(job)
        live.clock.move(900)
    restored(live, bare_functions, journal)
    text: Any = live.client.get(KEYS.inception)
    assert json.loads(text)["timestamp"] == NOON.isoformat()


def test_a_ledger_begun_anew_after_the_loss_is_taken_into_what_the_journal_tells(
    journal: Path, live: Live, bare_functions: Functions
) -> None:
    a_live_day(live)
    before = kept(live.client)
    live.client.flushall()
    live.start(JOURNAL_FOLDER=str(journal), MAX_ORDERS_PER_DAY="50", MAX_PRICE_DEVIATION="0.9")
    live.clock.move(3600)
    for job in ("price", "balance", "cost"):
        live.call(job)
    live.desk.market.set_price("0.026")
    since = live.run(15 * 12)["order"]
    assert since["status"] == "FILLED"

    data = restore(bare_functions)["data"]

    after = kept(live.client)
    assert (data["proved"], data["drift_quantity"], data["unknown_cost_quantity"]) == (True, 0, 0)
    assert after["inception"] == before["inception"]
    assert set(after["journal"]) == {*before["journal"], since["client_order_id"]}
    assert set(before["fills"]) < set(after["fills"])
    assert live.ledger_quantity() == live.desk.market.total("QRL")
    assert set(after["recent"]) == set(after["journal"])
    assert not live.client.exists(KEYS.day_start)
    assert data["open_intents"] == 1
    assert restore(bare_functions)["status"] == "skipped"
    live.run(15 * 14)
    assert live.intent(15 * 7)["state"] == "CANCELED"


def test_a_restore_waits_for_no_run_and_does_not_cut_in(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    store_client.set(KEYS.lease("account"), "a run", px=55_000)
    answer = restore(functions)
    assert answer["status"] == "skipped"
    assert store_client.exists(KEYS.ledger) == 0
    assert exchange.calls == []


@pytest.mark.parametrize(
    "line",
    [
        {"event": "journal.fill"},
        {"event": "journal.fill", **INTACT_FILL, "price": None},
        {"event": "journal.fill", **INTACT_FILL, "quantity": "many"},
        {"event": "journal.fill", **INTACT_FILL, "executed_at": "yesterday"},
        {"event": "journal.intent", "client_order_id": "rb"},
        {"event": "journal.inception"},
        {"event": "journal.inception", "inception": None},
        {"event": "journal.inception", "inception": {"timestamp": "then"}},
        {"event": "journal.inception", "inception": {"timestamp": NOON.isoformat()}},
    ],
)
def test_a_line_that_lacks_something_restores_nothing_and_says_where_it_stood(
    make_bot: MakeBot, bare_functions: Functions, tmp_path: Path, store_client: "redis.Redis", line: dict[str, Any]
) -> None:
    (tmp_path / "lines").write_text(json.dumps(line) + "\n", encoding="utf-8")
    make_bot(JOURNAL_FOLDER=str(tmp_path))
    answer = restore(bare_functions)
    assert (answer["status"], answer["error"]["code"]) == ("error", "redis_value_corrupt")
    assert "folder" in answer["error"]["message"]
    assert store_client.exists(KEYS.ledger, KEYS.ledger_fills, KEYS.inception) == 0


def test_a_fill_of_the_journal_that_is_whole_is_taken(
    make_bot: MakeBot, bare_functions: Functions, tmp_path: Path, exchange: StubExchange
) -> None:
    exchange.answers["myTrades"] = []
    (tmp_path / "lines").write_text(json.dumps({"event": "journal.fill", **INTACT_FILL}), encoding="utf-8")
    make_bot(JOURNAL_FOLDER=str(tmp_path))
    data = restore(bare_functions)["data"]
    assert (data["fills"], data["fills_from_journal"], data["ledger_quantity"]) == (1, 1, 900)


def test_a_bucket_that_cannot_be_read_restores_nothing(make_bot: MakeBot, store_client: "redis.Redis") -> None:
    bot = make_bot()
    storage = StubExchange({"/storage/v1/b/journal/o": (503, "")})
    session = requests.Session()
    session.mount("https://storage.googleapis.com", storage)
    with pytest.raises(StoreUnreachable, match="HTTP 503"):
        restore_job.job(bot.settings, Bucket("journal", session))
    assert store_client.exists(KEYS.ledger) == 0
