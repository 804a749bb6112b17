"""The simulated exchange's memory: myTrades windows, order look-ups, seeded fills."""

from typing import Any

import pytest

from local.exchange import Options
from tests.exchange_client import NOON, DirectClient, market, standing

SECOND = 1_000
HOUR = 3_600_000
DAY = 24 * HOUR


def seed(client: DirectClient, *times: int, **more: object) -> list[str]:
    fills = [{"side": "BUY", "price": "0.02", "qty": "10", "time": time, **more} for time in times]
    ids: list[str] = client.sim("POST", "fills", fills=fills)["ids"]
    return ids


def ids_of(client: DirectClient, **window: int) -> list[str]:
    rows: Any = client.signed("GET", "myTrades", symbol="QRLUSDT", **window).json()
    return [row["id"] for row in rows]


def sell(client: DirectClient, client_id: str) -> Any:
    params = {"quantity": "100", "price": "0.0199", "newClientOrderId": client_id}
    kind = "IMMEDIATE_OR_CANCEL"
    return client.signed("POST", "order", symbol="QRLUSDT", side="SELL", type=kind, **params).json()


def test_trades_carry_whole_seconds_and_a_second_may_hold_many() -> None:
    client, _ = market(NOON + 789)
    for number in range(2):
        sell(client, f"slot{number}")
    rows: Any = client.signed("GET", "myTrades", symbol="QRLUSDT").json()
    assert [row["time"] for row in rows] == [NOON, NOON]
    assert len({row["id"] for row in rows}) == 2


def test_without_a_window_the_last_seven_days_come_back_newest_first() -> None:
    client, _ = standing(NOON)
    ids = seed(client, NOON - 8 * DAY, NOON - 6 * DAY, NOON - HOUR)
    assert ids_of(client) == [ids[2], ids[1]]


def test_a_window_of_seven_days_within_the_month_is_honoured() -> None:
    client, _ = standing(NOON)
    ids = seed(client, NOON - 25 * DAY, NOON - 20 * DAY, NOON - 17 * DAY)
    start = NOON - 26 * DAY
    assert ids_of(client, startTime=start, endTime=start + 7 * DAY) == [ids[1], ids[0]]


def test_a_window_longer_than_seven_days_that_begins_before_them_gives_nothing() -> None:
    client, _ = standing(NOON)
    seed(client, NOON - 6 * DAY, NOON - HOUR)
    assert ids_of(client, startTime=NOON - 8 * DAY) == []
    assert ids_of(client, startTime=NOON - 8 * DAY, endTime=NOON - HOUR + SECOND) == []
    assert len(ids_of(client, startTime=NOON - 7 * DAY)) == 2


def test_what_is_older_than_a_month_is_forgotten() -> None:
    client, _ = standing(NOON)
    ids = seed(client, NOON - 31 * DAY, NOON - 29 * DAY)
    assert ids_of(client, startTime=NOON - 32 * DAY, endTime=NOON - 26 * DAY) == [ids[1]]


def test_both_ends_of_a_window_are_inside_it() -> None:
    client, _ = standing(NOON)
    ids = seed(client, NOON - HOUR, NOON)
    assert ids_of(client, startTime=NOON - HOUR, endTime=NOON) == ids[::-1]


@pytest.mark.parametrize("limit", [None, 100, 500, 1_000])
def test_a_page_has_a_hundred_rows_at_most_and_no_sign_that_there_are_more(limit: int | None) -> None:
    client, _ = standing(NOON)
    ids = seed(client, *(NOON - 1_000 * SECOND + i * SECOND for i in range(130)))
    window = {} if limit is None else {"limit": limit}
    assert ids_of(client, **window) == ids[:-101:-1]
    assert ids_of(client, limit=7) == ids[:-8:-1]


def test_the_order_of_trades_can_be_anything() -> None:
    pages = {}
    for ordering in ("newest", "oldest", "shuffled"):
        client, _ = standing(NOON, options=Options(trades_order=ordering))
        ids = seed(client, *(NOON - HOUR + i * SECOND for i in range(20)))
        pages[ordering] = ids_of(client)
    assert pages["newest"] == ids[::-1]
    assert pages["oldest"] == ids
    assert pages["shuffled"] not in (ids, ids[::-1])
    assert sorted(pages["shuffled"]) == sorted(ids)


def test_trades_can_be_asked_for_one_order() -> None:
    client, _ = market()
    acks = [sell(client, f"slot{number}") for number in range(2)]
    rows: Any = client.signed("GET", "myTrades", symbol="QRLUSDT", orderId=acks[1]["orderId"]).json()
    assert [row["orderId"] for row in rows] == [acks[1]["orderId"]]


def test_there_is_no_cursor_by_id() -> None:
    client, _ = standing(NOON)
    ids = seed(client, NOON - HOUR, NOON)
    assert ids_of(client, fromId=10**30) == ids[::-1]


def test_seeded_fills_move_no_balance_so_that_history_and_account_can_disagree() -> None:
    client, _ = standing(NOON)
    before = client.signed("GET", "account").json()
    (trade_id,) = seed(client, NOON - HOUR, commission="0.01", commissionAsset="MX", id="t1", isMaker=True)
    assert trade_id == "t1"
    assert client.signed("GET", "account").json() == before
    rows: Any = client.signed("GET", "myTrades", symbol="QRLUSDT").json()
    assert (rows[0]["commission"], rows[0]["commissionAsset"], rows[0]["quoteQty"]) == ("0.01", "MX", "0.2")


@pytest.mark.parametrize(
    "change", [{"side": "HOLD"}, {"price": "x"}, {"time": None}, {"symbol": "NOPE"}, {"typo": 1}]
)
def test_a_seeded_fill_that_cannot_be_read_is_refused_and_none_is_taken(change: dict[str, Any]) -> None:
    client, _ = standing(NOON)
    good = {"side": "BUY", "price": "0.02", "qty": "10", "time": NOON}
    with pytest.raises(ValueError, match="error"):
        client.sim("POST", "fills", fills=[good, good | change])
    assert ids_of(client) == []


def test_a_trade_id_is_there_only_once() -> None:
    client, _ = standing(NOON)
    seed(client, NOON, id="t1")
    with pytest.raises(ValueError, match="twice"):
        seed(client, NOON, id="t1")


def test_an_order_older_than_seven_days_does_not_exist_any_more() -> None:
    client, clock = market()
    sell(client, "slot1")
    query = {"symbol": "QRLUSDT", "origClientOrderId": "slot1"}
    clock.advance(7 * DAY)
    assert client.signed("GET", "order", **query).status == 200
    clock.advance(1)
    gone: Any = client.signed("GET", "order", **query).json()
    assert gone["code"] == -2013
    assert ids_of(client, startTime=NOON - HOUR, endTime=NOON + HOUR)


def test_all_orders_gives_a_day_unless_asked_for_up_to_seven() -> None:
    client, clock = market()
    acks = []
    for number in range(3):
        acks.append(sell(client, f"slot{number}")["orderId"])
        clock.advance(2 * DAY)
    clock.advance(-DAY - HOUR)

    def ids(**window: int) -> list[str]:
        rows: Any = client.signed("GET", "allOrders", symbol="QRLUSDT", **window).json()
        return [row["orderId"] for row in rows]

    assert ids() == [acks[2]]
    assert ids(startTime=NOON) == acks[::-1]
    assert ids(startTime=NOON, limit=2) == acks[:0:-1]
    too_long: Any = client.signed(
        "GET", "allOrders", symbol="QRLUSDT", startTime=NOON - 8 * DAY, endTime=NOON
    ).json()
    assert too_long["code"] == -1128


def test_open_orders_need_a_symbol_and_take_up_to_five() -> None:
    client, _ = standing(NOON)
    client.sim("POST", "price", price="0.02")
    sale = {"side": "SELL", "type": "LIMIT", "quantity": "100", "price": "0.0205"}
    client.signed("POST", "order", symbol="QRLUSDT", **sale)
    rows: Any = client.signed("GET", "openOrders", symbol="QRLUSDT,MXUSDT").json()
    assert [row["status"] for row in rows] == ["NEW"]
    missing: Any = client.signed("GET", "openOrders").json()
    assert missing["code"] == 700004
    too_many: Any = client.signed("GET", "openOrders", symbol=",".join(["QRLUSDT"] * 6)).json()
    assert too_many["code"] == 33333
