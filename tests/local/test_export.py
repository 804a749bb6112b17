"""The CSV that tax tools import."""

import csv
import io
from datetime import timedelta

import fakeredis
import pytest

from common.clock import milliseconds
from common.decimal_json import to_redis
from common.domain.orders.order import Fill
from common.store.codec import to_document
from common.store.keys import Keys
from local.export import GENERIC, KOINLY, main, stored_fills, write
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
    assert (row["Sent Amount"], row["Sent Currency"]) == ("200", "QRL")
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


def test_fills_come_out_of_the_store_in_the_ledgers_order() -> None:
    client = fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=True)
    keys = Keys("", "QRLUSDT")
    for item in (SALE, BUY):
        client.zadd(keys.ledger_fills, {to_redis(to_document(item)): milliseconds(item.executed_at)})
    assert stored_fills(client, keys) == [BUY, SALE]


def test_without_a_redis_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert main(["--format", "koinly"]) == 2
    assert "REDIS_URL" in capsys.readouterr().err


def test_it_writes_the_fills_of_a_real_redis(
    redis_server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import redis

    keys = Keys("export:", "QRLUSDT")
    redis.Redis.from_url(redis_server).zadd(
        keys.ledger_fills, {to_redis(to_document(BUY)): milliseconds(BUY.executed_at)}
    )
    monkeypatch.setenv("REDIS_URL", redis_server)
    assert main(["--format", "koinly", "--prefix", "export:"]) == 0
    printed = capsys.readouterr()
    assert "1 fills" in printed.err
    assert printed.out.splitlines()[1].startswith("2026-01-02 12:00:00 UTC,20.010,USDT,1000.5,QRL")
