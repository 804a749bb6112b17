"""`cost`: what was paid, from the exchange's own fills (contract.md §2.3, §5)."""

import json
from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import redis

from tests.builders import (
    account_payload,
    d,
    exchange_answers,
    fill_payload,
    order_payload,
    price_payload,
    stored,
    told,
)
from tests.conftest import Functions, MakeBot
from tests.fakes import NOON, FakeClock, Line, Market, Several, StubExchange

YESTERDAY = NOON - timedelta(days=1)
LEASE = "bot:QRLUSDT:lease:account"
SENTENCE = (
    "[Cloud Task] Cost updated - Position: 1000.5000 QRL @ $0.020000, Current: $0.020500, Value: $20.51, "
    "Unrealized P&L: $0.50 (2.50%), Realized P&L: $0.00, Total P&L: $0.50"
)
WORKED = fill_payload("BUY", "1000.5", "0.0200", at=YESTERDAY)
STATE = ("bot:QRLUSDT:ledger", "bot:QRLUSDT:cost", "bot:QRLUSDT:ledger:fills", "bot:QRLUSDT:ledger:lots")


def updated(functions: Functions, slot: str | None = None) -> dict[str, Any]:
    """The cost data of a run on fresh balances."""
    assert functions.post("balance").status_code == 200
    return cost_of(functions.post("cost", slot=slot))


def cost_of(response: Any) -> dict[str, Any]:
    answer = told(response)
    assert answer["status"] == "success", answer
    data: dict[str, Any] = answer["data"]
    return data


def bought(exchange: StubExchange, *fills: dict[str, Any], qrl: str, price: str = "0.0205") -> None:
    """Let the exchange tell of these fills, and of an account that holds `qrl`."""
    exchange.answers |= exchange_answers(qrl=qrl, price=price, fills=list(fills))


def everything(client: "redis.Redis") -> dict[str, Any]:
    """What the ledger and the cost are made of, as it stands in Redis."""
    ledger, cost, fills, lots = STATE
    return {
        ledger: client.get(ledger),
        cost: client.hgetall(cost),
        fills: client.zrange(fills, 0, -1, withscores=True),
        lots: client.get(lots),
    }


# The figures of the contract


def test_the_worked_figures_come_out_of_real_fills(
    make_bot: MakeBot, bare_functions: Functions, market: Market, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    make_bot(**market.env)
    market.set_price("0.0205")
    market.hold(QRL="1000.5", USDT="500.25")
    market.bought(("1000.5", "0.0200"), at=YESTERDAY)
    data = updated(bare_functions)
    spec = ("qrl_balance", "avg_cost", "current_price", "total_invested", "current_value", "unrealized_pnl")
    assert [data[name] for name in spec] == [
        d("1000.5"),
        d("0.02"),
        d("0.0205"),
        d("20.01"),
        d("20.51025"),
        d("0.50025"),
    ]
    assert (data["realized_pnl"], data["total_pnl"], data["roi_percent"]) == (0, d("0.50025"), d("2.5"))
    assert SENTENCE in caplog.messages


def test_the_average_is_weighted_by_quantity(functions: Functions, exchange: StubExchange) -> None:
    bought(
        exchange,
        fill_payload("BUY", "8000", "0.052", number=1, at=YESTERDAY),
        fill_payload("BUY", "1234.56", "0.04987", number=2, at=YESTERDAY),
        qrl="9234.56",
        price="0.06",
    )
    data = updated(functions)
    assert round(data["avg_cost"], 5) == d("0.05172")
    assert data["total_invested"] == d("477.5675072")


def test_fees_raise_the_cost_of_a_buy_and_lower_the_proceeds_of_a_sale(
    functions: Functions, exchange: StubExchange
) -> None:
    bought(
        exchange,
        fill_payload("BUY", "100", "2", number=1, at=YESTERDAY, fee="1"),
        fill_payload("SELL", "50", "3", number=2, at=YESTERDAY + timedelta(hours=1), fee="0.5"),
        qrl="50",
        price="3",
    )
    data = updated(functions)
    assert (data["avg_cost"], data["total_invested"]) == (d("2.01"), d("100.5"))
    assert data["realized_pnl"] == 150 - d("0.5") - d("100.5")
    assert data["fees"]["usdt"] == d("1.5")


def test_selling_leaves_the_average_alone_and_only_sales_realize(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    buy = fill_payload("BUY", "300", "0.02", number=1, at=YESTERDAY)
    bought(exchange, buy, qrl="300")
    before = updated(functions)
    clock.move(300)
    bought(exchange, buy, fill_payload("SELL", "100", "0.025", number=2, at=NOON), qrl="200")
    after = updated(functions)
    assert before["realized_pnl"] == 0
    assert (after["avg_cost"], after["qrl_balance"]) == (before["avg_cost"], 200)
    assert after["realized_pnl"] == d("0.5")


def test_a_fee_in_the_base_asset_lowers_the_quantity_instead(functions: Functions, exchange: StubExchange) -> None:
    bought(exchange, fill_payload("BUY", "100", "2", at=YESTERDAY, fee="1", asset="QRL"), qrl="99", price="2")
    data = updated(functions)
    assert (data["qrl_balance"], data["total_invested"], data["drift_quantity"]) == (99, 200, 0)
    assert data["fees"]["qrl"] == 1


def test_the_fifo_view_is_told_beside_the_average(functions: Functions, exchange: StubExchange) -> None:
    bought(
        exchange,
        fill_payload("BUY", "100", "1", number=1, at=YESTERDAY),
        fill_payload("BUY", "100", "3", number=2, at=YESTERDAY + timedelta(hours=1)),
        fill_payload("SELL", "100", "4", number=3, at=YESTERDAY + timedelta(hours=2)),
        qrl="100",
        price="4",
    )
    data = updated(functions)
    assert (data["avg_cost"], data["realized_pnl"]) == (2, 200)
    fifo = data["fifo"]
    assert (fifo["avg_cost"], fifo["realized_pnl"], fifo["unrealized_pnl"]) == (3, 300, 100)
    assert fifo["realized_pnl"] + fifo["unrealized_pnl"] == data["total_pnl"]


# What is stored, and what GET tells


def test_the_cost_hash_holds_decimal_text_for_good(
    make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange, clock: FakeClock, any_redis: "redis.Redis"
) -> None:
    make_bot(any_redis)
    bought(exchange, WORKED, qrl="1000.5")
    updated(bare_functions)
    clock.move(31)
    names = ["avg_cost", "total_invested", "unrealized_pnl", "realized_pnl", "total_pnl", "roi_percent"]
    assert any_redis.hmget("bot:QRLUSDT:cost", names) == ["0.02", "20.01", "0.50025", "0", "0.50025", "2.5"]
    permanent = [*STATE, "bot:QRLUSDT:inception", "mexc:raw:ticker_price:history", "mexc:raw:my_trades:latest"]
    assert [any_redis.ttl(key) for key in permanent] == [-1] * len(permanent)


def test_amounts_are_exact_to_the_last_digit(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    price = "0.000000674123456789"
    bought(exchange, fill_payload("BUY", "3", price, at=YESTERDAY), qrl="3", price="0.0000007")
    exchange.answers["ticker/price"] = price_payload(price)
    response = [functions.post("balance"), functions.post("cost")][-1].get_data(as_text=True)
    for name, amount in {
        "avg_cost": price,
        "current_price": price,
        "total_invested": "0.000002022370370367",
        "current_value": "0.000002022370370367",
    }.items():
        assert f'"{name}":{amount},' in response
    assert store_client.hget("bot:QRLUSDT:cost", "total_invested") == "0.000002022370370367"


def test_get_tells_the_last_cost_with_its_age(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    data = updated(functions)
    clock.move(240)
    answer = told(functions.get("cost"))
    assert (answer["status"], answer["data"].pop("age_seconds")) == ("success", 240)
    assert answer["data"].pop("updated_at") == NOON.isoformat()
    assert answer["data"] == data


def test_raw_answers_of_price_and_fills_are_kept(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    updated(functions)
    price: Any = store_client.get("mexc:raw:ticker_price:latest")
    assert json.loads(price)["response"] == {"symbol": "QRLUSDT", "price": "0.0205"}
    assert json.loads(price)["metadata"]["task"] == "update-cost"
    assert "mexc:raw:my_trades:history" in store_client.keys("mexc:*")


def test_another_symbol_has_its_own_cost(
    make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    make_bot(SYMBOL="BTCUSDC")
    exchange.answers["account"] = account_payload(("BTC", "2", "0"), ("USDC", "5", "0"))
    exchange.answers["ticker/price"] = price_payload("50000") | {"symbol": "BTCUSDC"}
    exchange.answers["myTrades"] = [
        fill_payload("BUY", "2", "40000", at=YESTERDAY, fee="10", asset="USDC") | {"symbol": "BTCUSDC"}
    ]
    data = updated(bare_functions)
    assert (data["btc_balance"], data["avg_cost"], data["fees"]["usdc"]) == (2, 40005, 10)
    assert store_client.hget("bot:BTCUSDC:cost", "btc_balance") == "2"


# Where no cost is known


def test_without_a_position_the_run_is_skipped_and_nothing_is_invented(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    answer = told(functions.post("cost"))
    assert (answer["status"], answer["reason"]) == ("skipped", "No position or cost data")
    assert not store_client.exists("bot:QRLUSDT:cost")
    assert told(functions.get("cost"))["data"] is None


def test_without_coins_the_run_is_skipped(functions: Functions, exchange: StubExchange) -> None:
    bought(exchange, qrl="0")
    functions.post("balance")
    answer = told(functions.post("cost"))
    assert (answer["status"], answer["reason"]) == ("skipped", "No position or cost data")


def test_coins_without_a_history_have_no_cost(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    bought(exchange, qrl="500")
    functions.post("balance")
    answer = functions.post("cost")
    assert (answer.status_code, told(answer)["reason"]) == (200, "No position or cost data")
    assert store_client.hmget("bot:QRLUSDT:cost", "avg_cost", "unknown_cost_quantity") == ["", "500"]
    assert store_client.hmget("bot:QRLUSDT:cost", "unrealized_pnl", "realized_pnl") == ["0", "0"]


def test_coins_from_before_the_history_are_told_apart_and_stay_out_of_the_result(
    functions: Functions, exchange: StubExchange, caplog: pytest.LogCaptureFixture
) -> None:
    bought(exchange, WORKED, qrl="5000.5")
    data = updated(functions)
    assert data["unknown_cost_quantity"] == 4000
    assert (data["qrl_balance"], data["current_value"]) == (d("1000.5"), d("20.51025"))
    assert data["unrealized_pnl"] == d("0.50025")
    assert (data["account_quantity"], data["drift_quantity"]) == (d("5000.5"), 0)
    assert any(message.startswith("4000") and "were there before" in message for message in caplog.messages)


def test_sales_beyond_the_known_coins_bring_proceeds_but_no_profit(
    functions: Functions, exchange: StubExchange
) -> None:
    bought(
        exchange,
        fill_payload("BUY", "100", "1", number=1, at=YESTERDAY),
        fill_payload("SELL", "150", "2", number=2, at=YESTERDAY + timedelta(hours=1)),
        fill_payload("BUY", "10", "1", number=3, at=YESTERDAY + timedelta(hours=2)),
        qrl="10",
        price="2",
    )
    data = updated(functions)
    assert (data["realized_pnl"], data["unmatched_proceeds"]) == (100, 100)
    assert (data["qrl_balance"], data["avg_cost"]) == (10, 1)


def test_a_position_sold_out_keeps_what_it_realized(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    buy = fill_payload("BUY", "100", "1", number=1, at=YESTERDAY)
    bought(exchange, buy, qrl="100", price="1")
    updated(functions)
    clock.move(300)
    bought(exchange, buy, fill_payload("SELL", "100", "3", number=2, at=NOON), qrl="0", price="3")
    functions.post("balance")
    assert told(functions.post("cost"))["reason"] == "No position or cost data"
    data = told(functions.get("cost"))["data"]
    assert (data["qrl_balance"], data["avg_cost"], data["realized_pnl"]) == (0, None, 200)


# Coins that come and go outside


@pytest.mark.parametrize(("holds", "drift"), [("1100.5", 100), ("1000", d("-0.5")), ("1000.5", 0)])
def test_a_deposit_or_withdrawal_is_a_line_of_its_own_and_no_profit(
    holds: str, drift: Any, functions: Functions, exchange: StubExchange, clock: FakeClock, caplog: Any
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    before = updated(functions)
    clock.move(300)
    caplog.clear()
    bought(exchange, WORKED, qrl=holds)
    after = updated(functions)
    assert after["drift_quantity"] == drift
    assert [after[name] for name in ("qrl_balance", "total_pnl", "avg_cost")] == [
        before[name] for name in ("qrl_balance", "total_pnl", "avg_cost")
    ]
    warned = [message for message in caplog.messages if "beyond the ledger" in message]
    assert bool(warned) == bool(drift)
    assert told(functions.get("cost"))["data"]["drift_quantity"] == drift


def test_a_fill_after_the_balances_were_read_is_no_drift_and_no_flow(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    updated(functions)
    clock.move(120)
    buy = fill_payload("BUY", "100", "0.02", number=2, at=NOON + timedelta(seconds=60))
    bought(exchange, WORKED, buy, qrl="1100.5")
    data = cost_of(functions.post("cost"))
    assert data["qrl_balance"] == d("1100.5")
    assert data["drift_quantity"] == 0
    assert data["benchmark"]["flows"] == 0


def test_a_sale_after_the_first_balances_makes_no_coins_of_unknown_cost(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    functions.post("balance")
    clock.move(120)
    bought(
        exchange, WORKED, fill_payload("SELL", "100", "0.03", number=2, at=NOON + timedelta(seconds=60)), qrl="x"
    )
    first = cost_of(functions.post("cost"))
    assert (first["unknown_cost_quantity"], first["drift_quantity"], first["qrl_balance"]) == (0, 0, d("900.5"))
    exchange.answers["account"] = account_payload(("QRL", "900.5", "0"), ("USDT", "503.25", "10"))
    data = updated(functions)
    assert (data["unknown_cost_quantity"], data["drift_quantity"]) == (0, 0)
    assert data["benchmark"]["flows"] == 0


def parts(benchmark: Mapping[str, Any]) -> Any:
    return benchmark["price_moves"] - benchmark["fees"] + benchmark["flows"]


def test_the_parts_of_the_difference_to_holding_sum_exactly(
    make_bot: MakeBot, bare_functions: Functions, market: Market, clock: FakeClock
) -> None:
    make_bot(**market.env)
    market.hold(QRL="1000", USDT="500")
    market.bought(("1000", "0.02"), at=YESTERDAY)
    first = updated(bare_functions)["benchmark"]
    assert (first["difference"], first["value"], first["held_value"]) == (0, 520, 520)
    clock.move(600)
    market.set_price("0.03")
    market.order("SELL", "123.4567")
    market.sim("deposit", asset="QRL", amount="7.1")
    market.sim("deposit", asset="USDT", amount="-11.3")
    clock.move(600)
    market.set_price("0.0271")
    market.order("BUY", "55.5")
    clock.move(2)
    data = updated(bare_functions)
    benchmark = data["benchmark"]
    assert benchmark["since"] == first["since"]
    assert benchmark["held_value"] == d("500") + 1000 * d("0.0271")
    assert benchmark["value"] == market.total("QRL") * d("0.0271") + market.total("USDT")
    assert benchmark["difference"] == benchmark["value"] - benchmark["held_value"] == parts(benchmark)
    assert benchmark["flows"] == d("7.1") * d("0.0271") - d("11.3")
    assert benchmark["fees"] > 0
    assert data["drift_quantity"] == d("7.1")


def test_a_purchase_that_shows_only_after_the_ledger_was_begun_is_not_counted_twice(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    """The account holds the coins at once, the exchange reports the fill a while later (exchange.md §5)."""
    hidden = fill_payload("BUY", "200", "0.0300", number=2, at=NOON - timedelta(seconds=10))
    bought(exchange, WORKED, qrl="1200.5")
    first = updated(functions)
    assert (first["unknown_cost_quantity"], first["qrl_balance"]) == (200, d("1000.5"))
    clock.move(300)
    bought(exchange, WORKED, hidden, qrl="1200.5")
    data = updated(functions)
    assert (data["unknown_cost_quantity"], data["qrl_balance"], data["drift_quantity"]) == (0, d("1200.5"), 0)
    assert data["total_invested"] == d("20.01") + 6
    assert (data["benchmark"]["flows"], data["benchmark"]["difference"]) == (0, 0)
    assert data["benchmark"]["since"] == first["benchmark"]["since"]


def test_the_record_of_the_first_sight_is_never_written_again(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    updated(functions)
    first = store_client.get("bot:QRLUSDT:inception")
    clock.move(3600)
    bought(exchange, WORKED, qrl="9", price="0.9")
    updated(functions)
    assert store_client.get("bot:QRLUSDT:inception") == first


# Fees in a third asset


def mx_fill(fee: str = "0.5") -> dict[str, Any]:
    return fill_payload("BUY", "100", "2", at=YESTERDAY + timedelta(seconds=42), fee=fee, asset="MX")


def test_a_fee_in_mx_is_valued_at_the_price_of_its_minute(functions: Functions, exchange: StubExchange) -> None:
    minute = int(YESTERDAY.timestamp() * 1000)
    row = [minute, "3", "3", "3", "3.2", "1", minute + 60_000, "1"]
    exchange.answers["klines"] = [[minute - 60_000, "9", "9", "9", "9", "1", minute, "1"], row]
    bought(exchange, mx_fill(), qrl="100", price="2")
    data = updated(functions)
    assert (data["total_invested"], data["fees"]["other_value"]) == (d("201.6"), d("1.6"))
    assert data["fees"]["unvalued"] == {}
    asked = next(call for call in exchange.calls if call.path == "klines")
    assert (asked.params["symbol"], asked.params["interval"]) == ("MXUSDT", "1m")
    kept = told(functions.get("cost", "?raw=klines"))
    assert [item["response"] for item in kept["data"]["items"]] == [exchange.answers["klines"]]


@pytest.mark.parametrize("klines", [[], (400, {"code": -1121, "msg": "Invalid symbol."}), (503, "")])
def test_a_fee_without_a_price_is_a_line_of_its_own(
    klines: Any, functions: Functions, exchange: StubExchange
) -> None:
    exchange.answers["klines"] = klines
    bought(exchange, mx_fill("0.123456789012345678"), qrl="100", price="2")
    data = updated(functions)
    assert data["total_invested"] == 200
    assert data["fees"]["unvalued"] == {"MX": d("0.123456789012345678")}
    assert data["fees"]["other_value"] == 0


# Each fill once, whatever happens


def test_a_run_repeated_changes_nothing(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    bought(exchange, WORKED, fill_payload("SELL", "0.5", "0.03", number=2, at=NOON), qrl="1000")
    first = updated(functions)
    state = everything(store_client)
    assert cost_of(functions.post("cost")) == first
    assert everything(store_client) == state
    clock.move(300)
    later = updated(functions)
    assert later.pop("account_as_of") != first.pop("account_as_of")
    assert later == first


@pytest.mark.parametrize("end", ["in the exchange", "before the commit", "the answer of the commit lost"])
def test_a_run_that_is_killed_and_repeated_leaves_the_same_to_the_last_digit(
    end: str, functions: Functions, exchange: StubExchange, line: Line, store_client: "redis.Redis"
) -> None:
    rows = [
        fill_payload("BUY", "1000.5", "0.0200", number=1, at=YESTERDAY, fee="0.01"),
        fill_payload("SELL", "333.3333", "0.0207", number=2, at=NOON - timedelta(minutes=5), fee="0.000007"),
    ]
    bought(exchange, *rows, qrl="667.1667")
    undisturbed = updated(functions)
    state = everything(store_client)
    store_client.flushall()
    functions.post("balance")
    if end == "in the exchange":
        exchange.answers["ticker/price"] = Several(SystemExit("killed"), price_payload())
        with pytest.raises(SystemExit):
            functions.post("cost")
    elif end == "before the commit":
        line.cut_after(2)
        assert functions.post("cost").status_code == 503
        line.mend()
    else:
        line.lose_answer(3)
        assert functions.post("cost").status_code == 503
    store_client.delete(LEASE)  # as its expiry would
    assert cost_of(functions.post("cost")) == undisturbed
    assert everything(store_client) == state


def test_a_page_that_is_read_again_is_not_counted_again(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    rows = [fill_payload("BUY", "10", "0.02", number=n, at=NOON - timedelta(seconds=n // 3)) for n in range(1, 31)]
    bought(exchange, *rows, qrl="300")
    for _ in range(8):
        data = updated(functions)
        assert (data["fill_count"], data["qrl_balance"], data["total_invested"]) == (30, 300, 6)
        clock.move(900)


def test_a_fill_that_shows_late_is_taken_in_when_it_shows(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    early = fill_payload("BUY", "100", "0.03", number=2, at=NOON - timedelta(minutes=2))
    bought(exchange, WORKED, qrl="1000.5")
    updated(functions)
    clock.move(600)
    bought(exchange, early, WORKED, qrl="1100.5")
    data = updated(functions)
    assert (data["fill_count"], data["total_invested"], data["drift_quantity"]) == (2, d("23.01"), 0)


def test_a_fill_older_than_the_sealed_part_gives_the_result_it_would_have_given_in_time(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    buys = [fill_payload("BUY", "100", str(n), number=n, at=YESTERDAY + timedelta(hours=n)) for n in (1, 2, 3)]
    sale = fill_payload("SELL", "150", "5", number=4, at=YESTERDAY + timedelta(hours=4))
    bought(exchange, *buys, sale, qrl="150", price="5")
    expected = updated(functions)
    store_client.flushall()
    bought(exchange, buys[0], buys[2], sale, qrl="150", price="5")
    updated(functions)
    exchange.answers["myTrades"] = [buys[1]]
    clock.move(1)
    data = updated(functions)
    unlike = {"account_as_of", "benchmark", "unknown_cost_quantity", "drift_quantity"}
    assert {k: v for k, v in data.items() if k not in unlike} == {
        k: v for k, v in expected.items() if k not in unlike
    }
    assert cost_of(functions.post("cost"))["fill_count"] == 4


# Reading only what is new


def asked_windows(exchange: StubExchange) -> list[tuple[int, int]]:
    calls = [call for call in exchange.calls if call.path == "myTrades"]
    return sorted((int(call.params["startTime"]), int(call.params["endTime"])) for call in calls)


def test_the_first_run_reads_the_exchanges_whole_memory_in_windows_of_a_week(
    functions: Functions, exchange: StubExchange
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    updated(functions)
    windows = asked_windows(exchange)
    assert all(end - start <= 7 * 86_400_000 for start, end in windows)
    assert all(before[1] >= after[0] for before, after in pairwise(windows))
    now = int(NOON.timestamp() * 1000)
    assert windows[0][0] == now - 30 * 86_400_000
    assert now <= windows[-1][1] <= now + 60_000


def test_fills_of_the_whole_month_are_found(make_bot: MakeBot, bare_functions: Functions, market: Market) -> None:
    make_bot(**market.env)
    market.hold(QRL="290")
    for days in range(29):
        market.bought(("10", "0.02"), at=NOON - timedelta(days=days, seconds=1))
    assert updated(bare_functions)["fill_count"] == 29


def test_full_pages_are_split_until_they_are_complete(
    make_bot: MakeBot, bare_functions: Functions, market: Market
) -> None:
    make_bot(**market.env)
    market.hold(QRL="425")
    for number in range(425):
        market.bought(("1", "0.02"), at=NOON - timedelta(days=3, seconds=number * 7))
    data = updated(bare_functions)
    assert (data["fill_count"], data["qrl_balance"], data["unknown_cost_quantity"]) == (425, 425, 0)


@pytest.mark.parametrize("fills", [1, 300])
def test_with_nothing_new_a_run_asks_once_and_reads_no_history(
    fills: int,
    make_bot: MakeBot,
    bare_functions: Functions,
    market: Market,
    clock: FakeClock,
    line: Line,
    store_client: "redis.Redis",
) -> None:
    make_bot(**market.env)
    market.hold(QRL=str(fills))
    for number in range(fills):
        market.bought(("1", "0.02"), at=NOON - timedelta(days=2, seconds=60 * number))
    updated(bare_functions)
    clock.move(300)
    bare_functions.post("balance")
    before = market.calls("myTrades")
    del line.trips[:]
    data = cost_of(bare_functions.post("cost"))
    assert data["fill_count"] == fills
    assert market.calls("myTrades") == before + 1
    assert len(line.trips) == 3, line.trips
    assert not {"ZRANGE", "LRANGE", "ZREVRANGEBYSCORE"} & {name for trip in line.trips for name in trip}
    assert store_client.strlen("bot:QRLUSDT:ledger") < 2000


def test_the_next_run_overlaps_the_one_before_and_reads_no_more_than_that(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    updated(functions)
    clock.move(300)
    del exchange.calls[:]
    updated(functions)
    [(start, _)] = asked_windows(exchange)
    assert NOON - timedelta(hours=2) <= NOON + timedelta(milliseconds=start - NOON.timestamp() * 1000) < NOON


def test_a_gap_longer_than_the_exchanges_memory_is_recorded_once_and_loudly(
    functions: Functions, exchange: StubExchange, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    assert updated(functions)["history_gaps"] == []
    clock.move(timedelta(days=45).total_seconds())
    exchange.answers["myTrades"] = []
    caplog.clear()
    gap = {"start": NOON.isoformat(), "end": (NOON + timedelta(days=15)).isoformat()}
    assert updated(functions)["history_gaps"] == [gap]
    assert [record.levelname for record in caplog.records if "are lost" in record.message] == ["ERROR"]
    clock.move(300)
    assert updated(functions)["history_gaps"] == [gap]
    assert told(functions.get("cost"))["data"]["history_gaps"] == [gap]


def test_after_weeks_without_a_run_the_windows_are_still_weeks(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    updated(functions)
    clock.move(timedelta(days=20).total_seconds())
    del exchange.calls[:]
    updated(functions)
    windows = asked_windows(exchange)
    assert len(windows) == 3
    assert all(end - start <= 7 * 86_400_000 for start, end in windows)


# What must not be stored


@pytest.mark.parametrize(
    ("path", "answer", "status"),
    [
        ("ticker/price", {"symbol": "QRLUSDT", "price": None}, 502),
        ("myTrades", {"code": 700002, "msg": "Signature for this request is not valid."}, 502),
        ("myTrades", (503, ""), 503),
    ],
)
def test_when_something_cannot_be_read_the_ledger_stays_as_it_was(
    path: str, answer: Any, status: int, functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    updated(functions)
    state = everything(store_client)
    exchange.answers[path] = answer
    assert functions.post("cost").status_code == status
    assert everything(store_client) == state


@pytest.mark.parametrize(
    "text", ["{broken", "[]", '{"realized_pnl":"0","lots":[["1"]]}', '{"lots":[["many","1"]]}']
)
def test_lots_that_cannot_be_read_back_are_named_and_nothing_is_stored(
    text: str, functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    updated(functions)
    store_client.set("bot:QRLUSDT:ledger:lots", text)
    state = everything(store_client)
    exchange.answers["myTrades"] = [fill_payload("SELL", "1", "0.03", number=2, at=NOON)]
    error = told(functions.post("cost"))["error"]
    assert error["code"] == "redis_value_corrupt"
    assert "bot:QRLUSDT:ledger:lots" in error["message"]
    assert everything(store_client) == state


@pytest.mark.parametrize("member", ["{broken", "[]", '{"fill_id":"7X1"}', '"text"'])
def test_a_stored_fill_that_cannot_be_read_back_is_named_when_the_ledger_is_folded_anew(
    member: str, functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    updated(functions)
    store_client.zadd("bot:QRLUSDT:ledger:fills", {member: 1})
    state = everything(store_client)
    exchange.answers["myTrades"] = [fill_payload("SELL", "1", "0.03", number=2, at=NOON - timedelta(hours=5))]
    error = told(functions.post("cost"))["error"]
    assert error["code"] == "redis_value_corrupt"
    assert "bot:QRLUSDT:ledger:fills" in error["message"]
    assert everything(store_client) == state


# Fills that are odd, late, or of one second


def test_a_fee_that_could_not_be_priced_is_priced_by_a_later_run(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    """However often it fails: the fill stays in the tail, and nothing after it is sealed."""
    exchange.answers["klines"] = (503, "")
    bought(exchange, mx_fill(), qrl="100", price="2")
    for _ in range(3):
        assert updated(functions)["fees"]["unvalued"] == {"MX": d("0.5")}
        clock.move(7200)
    minute = int(YESTERDAY.timestamp() * 1000)
    exchange.answers["klines"] = [[minute, "3", "3", "3", "3.2", "1", minute + 60_000, "1"]]
    data = updated(functions)
    assert (data["total_invested"], data["fees"]) == (
        d("201.6"),
        {"usdt": 0, "qrl": 0, "other_value": d("1.6"), "unvalued": {}},
    )
    assert data["attribution"]["fees_in_other_assets"] == 0, "it was paid before the account was first seen"
    del exchange.calls[:]
    exchange.answers["myTrades"] = []
    clock.move(7200)
    assert updated(functions)["fees"] == data["fees"]
    assert "klines" not in exchange.paths()


def test_a_fee_that_was_not_told_is_counted_as_unvalued(functions: Functions, exchange: StubExchange) -> None:
    bought(exchange, WORKED | {"commission": None}, qrl="1000.5")
    data = updated(functions)
    assert (data["fees"]["unvalued"], data["total_invested"]) == ({"unknown": 1}, d("20.01"))


def test_a_rebate_lowers_the_cost(functions: Functions, exchange: StubExchange) -> None:
    bought(exchange, WORKED | {"commission": "-0.01"}, qrl="1000.5")
    data = updated(functions)
    assert (data["total_invested"], data["fees"]["usdt"]) == (20, d("-0.01"))


def test_a_row_without_a_quantity_is_told_once(
    functions: Functions, exchange: StubExchange, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    bought(exchange, WORKED, fill_payload("BUY", "0", "0.02", number=2, at=NOON), qrl="1000.5")
    for _ in range(3):
        assert updated(functions)["fill_count"] == 1
        clock.move(300)
    assert sum("2X1 has quantity 0" in message for message in caplog.messages) == 1


def test_a_purchase_and_a_sale_of_one_second_leave_no_coins_that_do_not_exist(
    functions: Functions, exchange: StubExchange
) -> None:
    """The times of their orders cannot be told: the purchase goes first."""
    rows = [
        fill_payload("BUY", "10", "2", at=YESTERDAY) | {"id": "f4e1"},
        fill_payload("SELL", "10", "2.5", at=YESTERDAY) | {"id": "0a3f"},
    ]
    bought(exchange, *rows, qrl="0", price="2")
    functions.post("balance")
    answer = told(functions.post("cost"))
    data = answer["data"]
    assert (answer["status"], answer["reason"]) == ("skipped", "No position or cost data")
    assert (data["qrl_balance"], data["avg_cost"], data["realized_pnl"], data["total_pnl"]) == (0, None, 5, 5)
    assert (data["unknown_cost_quantity"], data["drift_quantity"]) == (0, 0)


def filled_order(number: int, side: str, milliseconds: int) -> dict[str, Any]:
    known = {"orderId": f"C02__{number}", "side": side, "time": int(YESTERDAY.timestamp() * 1000) + milliseconds}
    return order_payload(status="FILLED", origQty="10", executedQty="10", cummulativeQuoteQty="20", **known)


def test_fills_of_one_second_go_by_the_time_of_their_orders_where_it_is_told(
    functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    """Ten held at 1 are sold at 3, then ten bought at 2: 20 were made, not 15."""
    hour = timedelta(hours=1)
    rows = [
        fill_payload("BUY", "10", "1", number=1, at=YESTERDAY - hour),
        fill_payload("BUY", "10", "2", number=2, at=YESTERDAY),
        fill_payload("SELL", "10", "3", number=3, at=YESTERDAY),
    ]
    exchange.answers["allOrders"] = [filled_order(2, "BUY", 700), filled_order(3, "SELL", 200)]
    bought(exchange, *rows, qrl="10", price="2")
    assert updated(functions)["realized_pnl"] == 20
    assert exchange.paths().count("allOrders") == 1
    assert "mexc:raw:all_orders:latest" in store_client.keys("mexc:*")


def test_a_ledger_that_ordered_such_a_second_by_ids_is_folded_anew(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    rows = [
        fill_payload("BUY", "10", "2", at=YESTERDAY) | {"id": "f4e1"},
        fill_payload("SELL", "10", "2.5", at=YESTERDAY) | {"id": "0a3f"},
        WORKED | {"id": "x"},
    ]
    bought(exchange, *rows, qrl="1000.5")
    right = updated(functions)
    ledger = stored(store_client, "bot:QRLUSDT:ledger")
    ledger["sealed"] |= {"quantity": "1010.5", "realized_pnl": "0"}
    del ledger["order_rule"]
    store_client.set("bot:QRLUSDT:ledger", json.dumps(ledger))
    clock.move(300)
    assert [updated(functions)[name] for name in ("qrl_balance", "realized_pnl")] == [
        right["qrl_balance"],
        right["realized_pnl"],
    ]


def test_a_fill_that_shows_a_day_late_is_found_by_the_look_back(
    functions: Functions, exchange: StubExchange, clock: FakeClock, line: Line
) -> None:
    """Once a day two days are read again; what was booked before is known by its id."""
    bought(exchange, WORKED, qrl="1000.5")
    updated(functions)
    late = fill_payload("BUY", "100", "0.03", number=2, at=NOON + timedelta(minutes=5))
    clock.move(timedelta(hours=13).total_seconds())
    bought(exchange, WORKED, late, qrl="1100.5")
    functions.post("balance")
    del line.trips[:]
    data = cost_of(functions.post("cost"))
    assert (data["fill_count"], data["total_invested"], data["drift_quantity"]) == (2, d("23.01"), 0)
    assert len(line.trips) <= 5, line.trips


def test_a_clock_that_runs_ahead_loses_no_fill(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    """Ten hours ahead the exchange refuses the time: the run stops, the place stays, and then it goes on."""
    bought(exchange, WORKED, qrl="1000.5")
    updated(functions)
    place = stored(store_client, "bot:QRLUSDT:ledger")["place"]
    clock.move(36_000)
    refused = (400, {"code": 700003, "msg": "Timestamp for this request is outside of the recvWindow."})
    exchange.answers |= {"myTrades": refused}
    response = functions.post("cost")
    assert (response.status_code, told(response)["error"]["code"]) == (503, "clock_off")
    assert "36000 s ahead of the exchange's" in told(response)["error"]["message"]
    assert stored(store_client, "bot:QRLUSDT:ledger")["place"] == place


def test_a_place_that_a_clock_once_left_in_the_future_is_read_up_to_again(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    updated(functions)
    ledger = stored(store_client, "bot:QRLUSDT:ledger")
    ahead = (NOON + timedelta(hours=10)).isoformat()
    store_client.set("bot:QRLUSDT:ledger", json.dumps(ledger | {"place": ahead, "sealed_until": ahead}))
    clock.move(300)
    bought(exchange, WORKED, fill_payload("BUY", "100", "0.03", number=2, at=NOON), qrl="1100.5")
    data = updated(functions)
    assert (data["fill_count"], data["drift_quantity"]) == (2, 0)
    ledger = stored(store_client, "bot:QRLUSDT:ledger")
    assert ledger["place"] == (NOON + timedelta(seconds=300)).isoformat()


def test_a_ledger_that_was_begun_on_another_exchange_is_refused(
    make_bot: MakeBot, bare_functions: Functions, exchange: StubExchange, store_client: "redis.Redis"
) -> None:
    make_bot()
    bought(exchange, WORKED, qrl="1000.5")
    updated(bare_functions)
    state = everything(store_client)
    make_bot(MEXC_BASE_URL="https://another.test")
    for job in ("cost", "rebalance", "fifteen_min_job"):
        response = bare_functions.post(job)
        assert (response.status_code, told(response)["error"]["code"]) == (500, "configuration"), job
        assert "begun on https://exchange.test, not on https://another.test" in told(response)["error"]["message"]
    assert everything(store_client) == state


def test_a_ledger_of_before_addresses_were_kept_takes_the_one_it_is_read_on(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    updated(functions)
    ledger = stored(store_client, "bot:QRLUSDT:ledger")
    del ledger["exchange"]
    store_client.set("bot:QRLUSDT:ledger", json.dumps(ledger))
    clock.move(300)
    updated(functions)
    assert stored(store_client, "bot:QRLUSDT:ledger")["exchange"] == "https://exchange.test"


def test_a_purchase_just_before_the_first_ledger_is_counted_once(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    """Ten bought between the run's start and the account's answer, in one second with it; a hundred before."""

    def slow(_: Any) -> Any:
        clock.move(0.5)
        return account_payload(("QRL", "110", "0"), ("USDT", "100", "0"))

    exchange.answers |= exchange_answers(fills=[fill_payload("BUY", "10", "0.02", at=NOON)])
    exchange.answers["account"] = slow
    data = updated(functions)
    assert (data["qrl_balance"], data["unknown_cost_quantity"], data["drift_quantity"]) == (10, 100, 0)
    assert data["account_as_of"] == (NOON + timedelta(seconds=1)).isoformat()


def test_lots_that_are_lost_are_folded_anew(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    before = updated(functions)["fifo"]
    store_client.delete("bot:QRLUSDT:ledger:lots")
    clock.move(300)
    exchange.answers["myTrades"] = []
    assert updated(functions)["fifo"] == before


def test_a_record_that_lost_fills_never_takes_the_place_of_what_the_ledger_has_counted(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis", caplog: Any
) -> None:
    """An older ledger would be folded again, and a late fill as well: what is sealed stands, and it is told."""
    bought(exchange, WORKED, qrl="1000.5")
    before = updated(functions)
    store_client.delete("bot:QRLUSDT:ledger:fills")
    ledger = stored(store_client, "bot:QRLUSDT:ledger")
    del ledger["order_rule"]
    store_client.set("bot:QRLUSDT:ledger", json.dumps(ledger))
    clock.move(300)
    exchange.answers["myTrades"] = []
    assert updated(functions)["total_invested"] == before["total_invested"]
    assert "fewer fills than the ledger has counted" in caplog.text
    clock.move(300)
    bought(exchange, fill_payload("BUY", "100", "0.03", number=2, at=YESTERDAY), qrl="1100.5")
    data = updated(functions)
    assert (data["fill_count"], data["qrl_balance"], data["total_invested"]) == (2, d("1100.5"), d("23.01"))


@pytest.mark.parametrize("lost", [1, 2])
def test_a_fill_whose_record_was_lost_is_counted_once_when_the_exchange_tells_it_again(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis", lost: int
) -> None:
    """As after `repair` of a torn member. A second one lost is too old to be told; the late one is new."""
    old = fill_payload("BUY", "200", "0.03", number=2, at=NOON - timedelta(days=3))
    late = fill_payload("BUY", "100", "0.03", number=3, at=NOON + timedelta(hours=2))
    bought(exchange, WORKED, old, qrl="1200.5")
    updated(functions)
    fills = "bot:QRLUSDT:ledger:fills"
    store_client.zremrangebyrank(fills, -lost, -1)
    clock.move(timedelta(hours=13).total_seconds())
    bought(exchange, WORKED, late, qrl="1300.5")
    for seconds in (0, 300):
        clock.move(seconds)
        data = updated(functions)
        assert (data["fill_count"], data["qrl_balance"], data["drift_quantity"]) == (3, d("1300.5"), 0)
        assert data["total_invested"] == d("29.01")
        assert (data["attribution"]["operator_trades"], data["fifo"]["quantity"]) == (d("-0.95"), d("1300.5"))
    assert store_client.zcard(fills) == 4 - lost


def test_a_ledger_that_was_lost_begins_anew_with_every_fill_that_is_stored(
    functions: Functions, exchange: StubExchange, clock: FakeClock, store_client: "redis.Redis"
) -> None:
    """Not only with those of the 30 days that the exchange still tells."""
    bought(exchange, WORKED, qrl="1000.5")
    before = updated(functions)
    clock.move(timedelta(days=40).total_seconds())
    exchange.answers["myTrades"] = []
    updated(functions)
    store_client.delete("bot:QRLUSDT:ledger")
    clock.move(300)
    data = updated(functions)
    assert (data["avg_cost"], data["unknown_cost_quantity"], data["drift_quantity"]) == (before["avg_cost"], 0, 0)


def test_a_price_of_nothing_is_no_mid_to_see_a_deposit_at(
    functions: Functions, exchange: StubExchange, clock: FakeClock
) -> None:
    bought(exchange, WORKED, qrl="1000.5")
    updated(functions)
    for qrl in ("1100.5", "1200.5"):
        clock.move(300)
        bought(exchange, WORKED, qrl=qrl, price="0")
        assert updated(functions)["attribution"] is None
    clock.move(300)
    bought(exchange, WORKED, qrl="1200.5")
    lines = updated(functions)["attribution"]
    assert (lines["difference"], lines["held_value"]) == (0, d("1200.5") * d("0.0205") + d("510.25"))
