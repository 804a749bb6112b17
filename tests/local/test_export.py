"""The CSV that tax tools import."""

import csv
import io
from dataclasses import replace
from datetime import timedelta

import pytest
import redis

from common.clock import milliseconds
from common.decimal_json import to_redis
from common.domain.orders.order import Fill
from common.store.codec import to_document
from common.store.keys import Keys
from local.__main__ import main
from local.export import COINTRACKER, COINTRACKING, GENERIC, KOINLY, write
from tests.builders import QRL, d, fill
from tests.fakes import NOON

BUY = fill("BUY", "1000.5", "0.02", number=1, fee="0.010005")
SALE = fill(
    "SELL", "200", "0.03", number=2, at=NOON + timedelta(seconds=1), fee="0.5", fee_asset="MX", fee_value=d("1.5")
)


def rows(fills: list[Fill], form: str) -> list[dict[str, str]]:
    out = io.StringIO()
    write(fills, QRL, form, out)
    return list(csv.DictReader(io.StringIO(out.getvalue())))


def test_a_buy_sends_the_quote_asset_and_receives_the_base_asset() -> None:
    (row,) = rows([BUY], "koinly")
    assert (row["Sent Amount"], row["Sent Currency"]) == ("20.010", "USDT")
    assert (row["Received Amount"], row["Received Currency"]) == ("1000.5", "QRL")
    assert (row["Fee Amount"], row["Fee Currency"]) == ("0.010005", "USDT")
    assert row["Date"] == "2026-01-02 12:00:00 UTC"
    assert row["TxHash"] == BUY.fill_id


def test_a_sale_is_the_other_way_round_and_keeps_its_fee_in_mx() -> None:
    (row,) = rows([SALE], "koinly")
    assert (row["Sent Amount"], row["Sent Currency"]) == ("200.0", "QRL")
    assert (row["Received Amount"], row["Received Currency"]) == ("6.00", "USDT")
    assert (row["Fee Amount"], row["Fee Currency"]) == ("0.5", "MX")


def test_a_fill_without_a_fee_leaves_the_fee_columns_empty() -> None:
    (row,) = rows([fill("BUY", 1, 1)], "koinly")
    assert (row["Fee Amount"], row["Fee Currency"]) == ("", "")


def test_the_generic_form_tells_all_the_ledger_knows() -> None:
    (row,) = rows([SALE], "generic")
    assert tuple(row) == GENERIC
    assert row["fee_value"] == "1.5"
    assert row["side"] == "SELL"


def test_the_columns_are_those_of_koinlys_universal_import() -> None:
    assert KOINLY[0] == "Date"
    assert len(KOINLY) == 12


REBATE = fill("BUY", "100", "2", number=3, fee="-0.5")
REBATE_IN_MX = fill("SELL", "25", "2", number=4, fee="-0.000000004", fee_asset="MX")
FEE_IN_COINS = fill("BUY", "100.123456789", "2", number=5, fee="0.1", fee_asset="QRL")


def test_every_amount_for_koinly_has_a_decimal_point() -> None:
    for each in (BUY, SALE, REBATE, REBATE_IN_MX, FEE_IN_COINS, fill("BUY", 25, 1)):
        for row in rows([each], "koinly"):
            amounts = [value for name, value in row.items() if name.endswith("Amount") and value]
            assert amounts
            assert all("." in value and not value.startswith("-") for value in amounts), row


def test_a_rebate_is_in_koinlys_amounts_or_a_row_of_its_own() -> None:
    (row,) = rows([REBATE], "koinly")
    assert (row["Sent Amount"], row["Received Amount"], row["Fee Amount"]) == ("199.5", "100.0", "")
    trade, reward = rows([REBATE_IN_MX], "koinly")
    assert (trade["Received Amount"], trade["Fee Amount"]) == ("50.0", "")
    assert (reward["Received Amount"], reward["Received Currency"]) == ("0.000000004", "MX")
    assert (reward["Sent Amount"], reward["Label"]) == ("", "reward")


def test_cointracker_gets_american_dates_eight_decimals_and_no_negative_number() -> None:
    (row,) = rows([FEE_IN_COINS], "cointracker")
    assert tuple(row) == COINTRACKER
    assert row["Date"] == "01/02/2026 12:00:00"
    assert (row["Received Quantity"], row["Sent Quantity"]) == ("100.12345679", "200.24691358")
    assert (row["Fee Amount"], row["Fee Currency"]) == ("0.1", "QRL")
    (row,) = rows([SALE], "cointracker")
    assert (row["Sent Quantity"], row["Fee Amount"], row["Fee Currency"]) == ("200", "0.5", "MX")
    (row,) = rows([REBATE], "cointracker")
    assert (row["Sent Quantity"], row["Fee Amount"]) == ("199.5", "")
    _, reward = rows([replace(REBATE_IN_MX, fee=d("-0.25"))], "cointracker")
    assert (reward["Received Quantity"], reward["Received Currency"], reward["Sent Quantity"]) == ("0.25", "MX", "")


def test_cointracking_gets_amounts_net_of_the_fee_and_a_row_for_one_in_a_third_asset() -> None:
    (row,) = rows([BUY], "cointracking")
    assert tuple(row) == COINTRACKING
    assert (row["Type"], row["Date"], row["Exchange"]) == ("Trade", "2026-01-02 12:00:00", "MEXC")
    assert (row["Buy Amount"], row["Sell Amount"], row["Fee"]) == ("1000.5", "20.020005", "0.010005")
    (row,) = rows([FEE_IN_COINS], "cointracking")
    assert (row["Buy Amount"], row["Fee Currency"]) == ("100.023456789", "QRL")
    trade, fee = rows([SALE], "cointracking")
    assert (trade["Sell Amount"], trade["Buy Amount"], trade["Fee"]) == ("200", "6", "")
    assert (fee["Type"], fee["Sell Amount"], fee["Sell Currency"], fee["Buy Amount"]) == (
        "Other Fee",
        "0.5",
        "MX",
        "",
    )
    (row,) = rows([REBATE], "cointracking")
    assert (row["Sell Amount"], row["Fee"]) == ("199.5", "")
    _, reward = rows([REBATE_IN_MX], "cointracking")
    assert (reward["Type"], reward["Buy Amount"]) == ("Reward / Bonus", "0.000000004")


def test_a_fee_that_nobody_knows_is_no_fee_of_an_unknown_asset() -> None:
    unknown = fill("BUY", 1, 1, fee_asset="unknown", remarks=("fee unknown",))
    assert rows([unknown], "koinly")[0]["Fee Currency"] == ""
    assert len(rows([unknown], "cointracking")) == 1
    assert rows([unknown], "generic")[0]["remarks"] == "fee unknown"


def test_without_a_redis_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert main(["export", "--format", "koinly"]) == 2
    assert "REDIS_URL" in capsys.readouterr().err


def test_it_writes_the_fills_of_a_real_redis(
    redis_server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = Keys("export:", "QRLUSDT").ledger_fills
    client = redis.Redis.from_url(redis_server)
    for item in (SALE, BUY):
        client.zadd(key, {to_redis(to_document(item)): milliseconds(item.executed_at)})
    monkeypatch.setenv("REDIS_URL", redis_server)
    assert main(["export", "--format", "koinly", "--prefix", "export:"]) == 0
    printed = capsys.readouterr()
    assert "2 fills" in printed.err
    assert printed.out.splitlines()[1].startswith("2026-01-02 12:00:00 UTC,20.010,USDT,1000.5,QRL")
    assert len(printed.out.splitlines()) == 3


def test_what_it_cannot_read_is_said_in_a_sentence(
    redis_server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key, client = Keys("corrupt:", "QRLUSDT").ledger_fills, redis.Redis.from_url(redis_server)
    client.zadd(key, {to_redis(to_document(BUY)): 1})
    monkeypatch.setenv("REDIS_URL", redis_server)
    told = {}
    for member in (b"", b"-1", to_redis({**to_document(SALE), "fill_id": -1}).encode(), b"\xff"):
        client.zadd(key, {member: 2})
        told[str(member)] = (main(["export", "--prefix", "corrupt:"]), capsys.readouterr())
        client.zrem(key, member)
    client.set("corrupt:bot:XUSDT:ledger:fills", "x")
    told["another type"] = (main(["export", "--prefix", "corrupt:", "--symbol", "XUSDT"]), capsys.readouterr())
    for symbol in ("X", "qrlusdt", "[/x]"):
        told[symbol] = (main(["export", "--symbol", symbol]), capsys.readouterr())
    for url in ("nonsense", "redis://127.0.0.1:9/0"):
        monkeypatch.setenv("REDIS_URL", url)
        told[url] = (main(["export"]), capsys.readouterr())
    assert [(code, out) for code, (out, _) in told.values()] == [(2, "")] * len(told)
    named = [f"{key} does not hold valid JSON", f"{key} cannot be read: no document"]
    named += [f"{key}, fill 2 cannot be read: fill_id", f"{key} does not hold valid JSON"]
    named += ["XUSDT:ledger:fills holds a value of the wrong type", *["SYMBOL"] * 3, "REDIS_URL", "Redis"]
    wrong = [err for (_, (_, err)), name in zip(told.values(), named, strict=True) if name not in err]
    assert wrong == []
