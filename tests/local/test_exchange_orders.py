"""Orders on the simulated exchange: what is taken, filled, cancelled and refused, and the money it moves."""

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from local.exchange import BookShape, Fees, Options
from tests.exchange_client import DEEP, NOON, DirectClient, market, standing

MINUTE = 60_000
THIN = BookShape(levels=3, notional_per_side=Decimal(300))


def place(client: DirectClient, side: str, kind: str, *sizes: str, **params: str) -> Any:
    """Place an order with its quantity and price, if it has them."""
    params |= dict(zip(("quantity", "price"), sizes, strict=False))
    return client.signed("POST", "order", symbol="QRLUSDT", side=side, type=kind, **params).json()


def order(client: DirectClient, ack: Any) -> Any:
    return client.signed("GET", "order", symbol="QRLUSDT", orderId=ack["orderId"]).json()


def balances(client: DirectClient) -> Any:
    """Free and locked amount of each asset that is not zero."""
    answer: Any = client.signed("GET", "account").json()
    return {row["asset"]: (Decimal(row["free"]), Decimal(row["locked"])) for row in answer["balances"]}


def my_trades(client: DirectClient) -> Any:
    return client.signed("GET", "myTrades", symbol="QRLUSDT").json()


def test_the_answer_to_a_new_order_does_not_say_what_became_of_it() -> None:
    client, _ = market()
    ack = place(client, "SELL", "IMMEDIATE_OR_CANCEL", "100", "0.0199", newClientOrderId="slot1")
    known = "symbol orderId orderListId price origQty type side stpMode transactTime"
    assert set(ack) == set(known.split())
    assert ack["orderId"].startswith("C02__")
    assert order(client, ack)["status"] == "FILLED"


def test_an_order_is_found_by_either_id() -> None:
    client, _ = market()
    ack = place(client, "BUY", "LIMIT", "100", "0.0195", newClientOrderId="slot1")
    by_client: Any = client.signed("GET", "order", symbol="QRLUSDT", origClientOrderId="slot1").json()
    assert by_client == order(client, ack)
    assert by_client["clientOrderId"] == "slot1"


def test_a_sale_at_once_moves_base_to_quote_less_the_taker_fee() -> None:
    client, _ = market()
    ack = place(client, "SELL", "IMMEDIATE_OR_CANCEL", "100", "0.0199")
    assert order(client, ack)["cummulativeQuoteQty"] == "1.999"
    # 500 + 1.999 - 0.0009995
    assert balances(client) == {"QRL": (900, 0), "USDT": (Decimal("501.9980005"), 0)}


def test_a_purchase_at_once_costs_the_taker_fee_on_top_and_keeps_all_its_base() -> None:
    client, _ = market()
    place(client, "BUY", "IMMEDIATE_OR_CANCEL", "100", "0.0202")
    assert balances(client) == {"QRL": (1_100, 0), "USDT": (Decimal("497.9979995"), 0)}
    trade = my_trades(client)[0]
    assert (trade["commission"], trade["commissionAsset"]) == ("0.0010005", "USDT")
    assert (trade["price"], trade["quoteQty"]) == ("0.02001", "2.001")
    assert (trade["isBuyer"], trade["isMaker"]) == (True, False)


def test_a_fee_in_the_base_asset_is_taken_from_what_a_purchase_receives() -> None:
    client, _ = market(fees=Fees(asset="BASE"))
    place(client, "BUY", "IMMEDIATE_OR_CANCEL", "100", "0.0202")
    assert balances(client) == {"QRL": (Decimal("1099.95"), 0), "USDT": (Decimal("497.999"), 0)}
    assert my_trades(client)[0]["commissionAsset"] == "QRL"


@pytest.mark.parametrize(("held", "fee"), [("10", "0.00026654"), ("500", "0.00016659")])
def test_a_fee_in_mx_is_discounted_more_for_who_holds_500(held: str, fee: str) -> None:
    client, _ = market(fees=Fees(asset="MX"))
    client.sim("POST", "account", balances={"MX": held})
    client.sim("POST", "price", symbol="MXUSDT", price="3")
    place(client, "SELL", "IMMEDIATE_OR_CANCEL", "100", "0.0199")
    assert (my_trades(client)[0]["commission"], my_trades(client)[0]["commissionAsset"]) == (fee, "MX")
    assert balances(client)["MX"] == (Decimal(held) - Decimal(fee), 0)


def test_without_enough_mx_the_fee_is_in_usdt_again() -> None:
    client, _ = market(fees=Fees(asset="MX"))
    place(client, "SELL", "IMMEDIATE_OR_CANCEL", "100", "0.0199")
    trade = my_trades(client)[0]
    assert (trade["commission"], trade["commissionAsset"]) == ("0.0009995", "USDT")


def test_an_ioc_takes_what_the_book_has_up_to_its_price_and_cancels_the_rest() -> None:
    client, _ = market(book=THIN)
    client.sim("POST", "account", balances={"QRL": "100000"})
    book: Any = client.public("depth", symbol="QRLUSDT").json()
    limit = book["bids"][1][0]
    ack = place(client, "SELL", "IMMEDIATE_OR_CANCEL", "100000", limit)
    row = order(client, ack)
    taken = sum(Decimal(quantity) for _, quantity in book["bids"][:2])
    assert row["status"] == "PARTIALLY_CANCELED"
    assert Decimal(row["executedQty"]) == taken
    assert [trade["price"] for trade in reversed(my_trades(client))] == [
        format(Decimal(price).normalize(), "f") for price, _ in book["bids"][:2]
    ]
    assert balances(client)["QRL"] == (100_000 - taken, 0)


def test_an_ioc_that_reaches_nobody_is_cancelled_without_fills() -> None:
    client, _ = market()
    row = order(client, place(client, "BUY", "IMMEDIATE_OR_CANCEL", "100", "0.0195"))
    assert (row["status"], row["executedQty"], row["cummulativeQuoteQty"]) == ("CANCELED", "0", "0")
    assert balances(client) == {"QRL": (1_000, 0), "USDT": (500, 0)}


def test_fill_or_kill_fills_all_or_nothing() -> None:
    client, _ = market(book=THIN)
    client.sim("POST", "account", balances={"QRL": "100000"})
    assert order(client, place(client, "SELL", "FILL_OR_KILL", "100000", "0.0195"))["status"] == "CANCELED"
    assert order(client, place(client, "SELL", "FILL_OR_KILL", "100", "0.0195"))["status"] == "FILLED"


def test_a_market_order_shows_its_protective_bound_as_price() -> None:
    client, _ = market()
    ack = place(client, "SELL", "MARKET", "100")
    assert (ack["price"], ack["origQty"]) == ("0.019", "100")
    row = order(client, ack)
    assert (row["status"], row["cummulativeQuoteQty"], row["origQuoteOrderQty"]) == ("FILLED", "1.999", "1.9")


def test_a_market_purchase_sized_in_quote_spends_that_much_and_no_more() -> None:
    client, _ = market()
    row = order(client, place(client, "BUY", "MARKET", quoteOrderQty="100"))
    spent = Decimal(row["cummulativeQuoteQty"])
    assert row["status"] == "FILLED"
    assert Decimal("99.999") < spent <= 100
    assert balances(client)["USDT"] == (500 - spent * Decimal("1.0005"), 0)


def test_a_market_order_larger_than_the_book_is_cancelled_for_the_rest() -> None:
    client, _ = market(book=THIN)
    client.sim("POST", "account", balances={"USDT": "10000"})
    row = order(client, place(client, "BUY", "MARKET", quoteOrderQty="5000"))
    assert row["status"] == "PARTIALLY_CANCELED"
    assert Decimal(row["cummulativeQuoteQty"]) < 500


def test_a_limit_order_rests_locks_its_funds_and_is_filled_at_its_price_when_the_market_comes() -> None:
    client, clock = market()
    ack = place(client, "BUY", "LIMIT", "100", "0.0195")
    assert order(client, ack)["status"] == "NEW"
    held = Decimal("1.95") * Decimal("1.0005")
    assert balances(client)["USDT"] == (500 - held, held)
    clock.advance(MINUTE)
    client.sim("POST", "price", price="0.019")
    row = order(client, ack)
    assert (row["status"], row["cummulativeQuoteQty"]) == ("FILLED", "1.95")
    assert row["updateTime"] - row["time"] == MINUTE
    assert my_trades(client)[0]["isMaker"] is True
    # The maker fee is 0 and what was held for a fee comes back.
    assert balances(client) == {"QRL": (1_100, 0), "USDT": (Decimal("498.05"), 0)}


def test_a_resting_order_larger_than_the_book_is_filled_in_parts_one_book_a_minute() -> None:
    client, clock = market(book=THIN)
    client.sim("POST", "account", balances={"QRL": "50000"})
    ack = place(client, "SELL", "LIMIT", "50000", "0.0205")
    client.sim("POST", "price", price="0.021")
    first = order(client, ack)
    assert first["status"] == "PARTIALLY_FILLED"
    clock.advance(1_000)
    assert order(client, ack)["executedQty"] == first["executedQty"]
    clock.advance(MINUTE)
    assert Decimal(order(client, ack)["executedQty"]) > Decimal(first["executedQty"])
    clock.advance(10 * MINUTE)
    assert order(client, ack)["status"] == "FILLED"


def test_a_resting_order_is_filled_when_the_price_goes_through_it_and_not_when_it_is_touched() -> None:
    for side, limit, touched, through in (
        ("BUY", "0.0198", "0.0198", "0.019799"),
        ("SELL", "0.0202", "0.0202", "0.020201"),
    ):
        client, clock = market(book=BookShape(queue_ahead=Decimal(0)))
        ack = place(client, side, "LIMIT_MAKER", "100", limit)
        for price, status in ((touched, "NEW"), (through, "FILLED")):
            clock.advance(MINUTE)
            client.sim("POST", "price", price=price)
            assert order(client, ack)["status"] == status, (side, price)
        assert my_trades(client)[0]["price"] == limit


def test_how_much_reaches_a_resting_order_is_luck_of_the_seed_and_never_more_than_was_traded_through_it() -> None:
    def filled(seed: int, through: str) -> Decimal:
        client, clock = standing(NOON, seed=seed, balances={"USDT": Decimal(5_000)})
        client.sim("POST", "price", price="0.02")
        ack = place(client, "BUY", "LIMIT_MAKER", "150000", "0.0199")
        clock.advance(MINUTE)
        client.sim("POST", "price", price=through)
        return Decimal(order(client, ack)["executedQty"])

    just, far = ([filled(seed, price) for seed in range(40)] for price in ("0.019899", "0.0198"))
    assert [filled(seed, "0.0198") for seed in range(3)] == far[:3]
    assert 4 <= far.count(Decimal(0)) <= 14, "in one minute of five all of it goes to others"
    assert max(just) < Decimal("0.5") * max(far), "one level of the book, and all three"
    assert all(a <= b for a, b in zip(just, far, strict=True))


def test_how_often_the_exchange_is_asked_does_not_change_when_resting_orders_fill() -> None:
    ends = []
    for step in (30 * MINUTE, MINUTE, 20_000):
        client, clock = standing(NOON, seed=5, book=THIN)
        ticker: Any = client.public("ticker/price", symbol="QRLUSDT").json()
        limit = (Decimal(ticker["price"]) * Decimal("0.999")).quantize(Decimal("0.000001"))
        ack = place(client, "BUY", "LIMIT", "20000", str(limit))
        while clock.now_ms() < NOON + 90 * MINUTE:
            clock.advance(step)
            row = order(client, ack)
        ends.append((row["status"], row["executedQty"]))
    assert ends[0] == ends[1] == ends[2]
    assert ends[0][0] in ("PARTIALLY_FILLED", "FILLED")


def test_a_resting_order_is_reached_by_the_wick_of_a_candle(tmp_path: Path) -> None:
    file = tmp_path / "candles.csv"
    file.write_text(
        "open_time_ms,open,high,low,close,volume\n"
        "1640995200000,0.02,0.02,0.02,0.02,9\n1640995260000,0.02,0.0201,0.019,0.0201,9\n"
    )
    client, clock = standing(NOON, start_ms=NOON, candles=file, book=DEEP)
    acks = [place(client, "BUY", "LIMIT", "100", price) for price in ("0.0192", "0.019")]
    clock.advance(MINUTE - 1)
    assert [order(client, ack)["status"] for ack in acks] == ["NEW", "NEW"]
    clock.advance(MINUTE)
    assert [order(client, ack)["status"] for ack in acks] == ["FILLED", "NEW"]
    clock.advance(30 * MINUTE)
    assert order(client, acks[1])["status"] == "NEW"


def test_a_resting_order_is_not_filled_at_a_price_of_before_it_was_placed() -> None:
    client, clock = market()
    client.sim("POST", "price", price="0.018")
    clock.advance(100)
    client.sim("POST", "price", price="0.02")
    ack = place(client, "BUY", "LIMIT", "100", "0.019")
    clock.advance(10 * MINUTE)
    assert order(client, ack)["status"] == "NEW"


def test_the_same_depth_is_not_sold_twice_at_once_and_is_there_again_after_a_second() -> None:
    client, clock = market(book=THIN)
    client.sim("POST", "account", balances={"QRL": "100000"})
    first = order(client, place(client, "SELL", "IMMEDIATE_OR_CANCEL", "90000", "0.0195"))
    clock.advance(999)
    second = order(client, place(client, "SELL", "IMMEDIATE_OR_CANCEL", "2000", "0.0195"))
    assert Decimal(first["executedQty"]) > 10_000
    # The level sizes are drawn anew each second; only what the first order took is missing from them.
    assert Decimal(second["executedQty"]) < 2_000 or second["status"] == "CANCELED"
    clock.advance(1)
    third = order(client, place(client, "SELL", "IMMEDIATE_OR_CANCEL", "2000", "0.0195"))
    assert third["status"] == "FILLED"


@pytest.mark.parametrize("way", ["cancel", "refuse"])
def test_a_post_only_order_that_would_take_is_cancelled_or_refused(way: Any) -> None:
    client, _ = market(options=Options(limit_maker_crossing=way))
    answer = place(client, "BUY", "LIMIT_MAKER", "100", "0.0202")
    if way == "refuse":
        assert answer["code"] == 30010
    else:
        assert order(client, answer)["status"] == "CANCELED"
    assert balances(client) == {"QRL": (1_000, 0), "USDT": (500, 0)}
    resting = place(client, "BUY", "LIMIT_MAKER", "100", "0.0199")
    assert order(client, resting)["status"] == "NEW"


def test_a_cancel_answers_the_state_before_it_and_gives_the_funds_back() -> None:
    client, _ = market()
    ack = place(client, "SELL", "LIMIT", "100", "0.021", newClientOrderId="slot1")
    answer: Any = client.signed("DELETE", "order", symbol="QRLUSDT", origClientOrderId="slot1").json()
    assert (answer["orderId"], answer["status"], answer["executedQty"]) == (ack["orderId"], "NEW", "0")
    row = order(client, ack)
    assert (row["status"], row["isWorking"]) == ("CANCELED", True)
    assert balances(client) == {"QRL": (1_000, 0), "USDT": (500, 0)}


def test_a_cancel_of_a_partly_filled_order_keeps_the_fills() -> None:
    client, _ = market(book=THIN)
    client.sim("POST", "account", balances={"QRL": "50000"})
    ack = place(client, "SELL", "LIMIT", "50000", "0.0199")
    before = order(client, ack)
    assert before["status"] == "PARTIALLY_FILLED"
    answer: Any = client.signed("DELETE", "order", symbol="QRLUSDT", orderId=ack["orderId"]).json()
    assert answer["status"] == "PARTIALLY_FILLED"
    after = order(client, ack)
    assert (after["status"], after["executedQty"]) == ("PARTIALLY_CANCELED", before["executedQty"])


def test_cancelling_all_open_orders_lists_them_as_they_were() -> None:
    client, _ = market()
    acks = [place(client, "SELL", "LIMIT", "100", price) for price in ("0.0205", "0.0207")]
    rows: Any = client.signed("DELETE", "openOrders", symbol="QRLUSDT").json()
    assert [(row["orderId"], row["status"]) for row in rows] == [(ack["orderId"], "NEW") for ack in acks]
    assert client.signed("GET", "openOrders", symbol="QRLUSDT").json() == []
    assert {order(client, ack)["status"] for ack in acks} == {"CANCELED"}


def test_a_cancel_of_a_finished_or_unknown_order_is_an_unknown_order() -> None:
    client, _ = market()
    ack = place(client, "SELL", "IMMEDIATE_OR_CANCEL", "100", "0.0199")
    for order_id in (ack["orderId"], "C02__1"):
        answer = client.signed("DELETE", "order", symbol="QRLUSDT", orderId=order_id)
        assert answer.json() == {"code": -2011, "msg": "Unknown order sent."}


def test_a_query_for_nothing_and_without_an_id_are_told_apart() -> None:
    client, _ = market()
    nothing = client.signed("GET", "order", symbol="QRLUSDT", origClientOrderId="never")
    assert nothing.json() == {"msg": "Order does not exist.", "code": -2013, "_extend": None}
    for method in ("GET", "DELETE"):
        no_id: Any = client.signed(method, "order", symbol="QRLUSDT").json()
        assert no_id["code"] == 700004


def test_a_repeated_client_id_is_taken_again_and_the_look_up_finds_the_newer_order() -> None:
    client, clock = market()
    acks = []
    for _ in range(2):
        clock.advance(1_000)
        acks.append(place(client, "SELL", "LIMIT", "100", "0.0205", newClientOrderId="slot1"))
    found: Any = client.signed("GET", "order", symbol="QRLUSDT", origClientOrderId="slot1").json()
    assert found["orderId"] == acks[1]["orderId"] != acks[0]["orderId"]


BUY = {"symbol": "QRLUSDT", "side": "BUY", "type": "LIMIT", "quantity": "100", "price": "0.02"}
SELL = BUY | {"side": "SELL"}
MARKET = {"symbol": "QRLUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "5"}


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        (BUY | {"symbol": ""}, 700004, "'symbol'"),
        (BUY | {"side": ""}, 700004, "'side'"),
        (BUY | {"type": ""}, 700004, "'type'"),
        (BUY | {"quantity": ""}, 700004, "'quantity'"),
        (BUY | {"price": ""}, 700004, "'price'"),
        (MARKET | {"quoteOrderQty": ""}, 700004, "'quantity'"),
        (BUY | {"symbol": "NOPEUSDT"}, 10007, "bad symbol"),
        (BUY | {"symbol": "MXUSDT"}, 70011, "not allowed"),
        (BUY | {"side": "buy"}, 33333, "side"),
        (BUY | {"type": "STOP_LOSS_LIMIT"}, 30041, "order type"),
        (BUY | {"quantity": "100.12345"}, 400, "quantity scale is invalid"),
        (BUY | {"quantity": "100.00000"}, 400, "quantity scale is invalid"),
        (BUY | {"price": "0.0200001"}, 400, "price scale is invalid"),
        (MARKET | {"quoteOrderQty": "5.1234567"}, 400, " amount scale is invalid"),
        (BUY | {"quantity": "0"}, 10102, "zero or negative"),
        (BUY | {"quantity": "-5"}, 10102, "zero or negative"),
        (BUY | {"quantity": "1e3"}, 10097, "amount"),
        (BUY | {"price": "NaN"}, 10097, "amount"),
        (BUY | {"quantity": "49.9999"}, 30002, "cannot be less than:1USDT"),
        (MARKET | {"quoteOrderQty": "0.9"}, 30002, "cannot be less than:1USDT"),
        (MARKET | {"quoteOrderQty": "100000.5"}, 30003, "cannot be greater than:100000USDT"),
        (BUY | {"quantity": "30000"}, 30004, "Insufficient position"),
        (SELL | {"quantity": "1000.0001"}, 30005, "Oversold"),
        (BUY | {"price": "0.021001"}, 30087, "range"),
        (SELL | {"price": "0.018999"}, 30087, "range"),
        (BUY | {"newClientOrderId": "slot 1"}, 700008, "newClientOrderId"),
        (BUY | {"newClientOrderId": "x" * 33}, 700008, "newClientOrderId"),
    ],
)
def test_a_wrong_order_is_refused_with_its_code_and_changes_nothing(
    params: dict[str, str], code: int, text: str
) -> None:
    client, _ = market()
    response = client.signed("POST", "order", **{name: value for name, value in params.items() if value})
    body: Any = response.json()
    assert (response.status, body["code"]) == (400, code)
    assert text in body["msg"]
    state = client.sim("GET", "state")
    assert (state["orders"], state["fills"]) == ([], [])
    assert balances(client) == {"QRL": (1_000, 0), "USDT": (500, 0)}


@pytest.mark.parametrize(
    ("rules", "params", "code"),
    [
        ({"apiOpen": False}, BUY, 10007),
        ({"isSpotTradingAllowed": False}, BUY, 10007),
        ({"status": "2"}, BUY, 30000),
        ({"status": "3"}, BUY, 30016),
        ({"tradeSideType": 2}, BUY, None),
        ({"tradeSideType": 2}, SELL, 30001),
        ({"tradeSideType": 3}, BUY, 30001),
        ({"tradeSideType": 3}, SELL, None),
        ({"tradeSideType": 4}, SELL, 30016),
        ({"marketOrdersOpen": False}, MARKET, 30051),
        ({"marketOrdersOpen": False}, BUY, None),
        ({"orderTypes": ["LIMIT"]}, MARKET, 30041),
        ({"orderTypes": []}, BUY | {"type": "IMMEDIATE_OR_CANCEL"}, None),
        ({"quoteAmountPrecision": "5"}, BUY, 30002),
        ({"baseSizePrecision": "200"}, BUY, 30002),
        ({"baseSizePrecision": "30"}, BUY, 400),
        ({"baseSizePrecision": "0"}, BUY, None),
        ({"trueQuantityScale": 2}, BUY | {"quantity": "100.123"}, 400),
        ({"filters": []}, BUY | {"price": "0.03"}, None),
        ({"quotePrecision": 4}, BUY | {"price": "0.01999"}, 400),
    ],
)
def test_the_rules_of_the_symbol_decide_what_is_taken(
    rules: dict[str, Any], params: dict[str, str], code: int | None
) -> None:
    client, _ = market()
    client.sim("POST", "rules", **rules)
    body: Any = client.signed("POST", "order", **params).json()
    assert body.get("code") == code


def test_an_account_that_may_not_trade_is_refused_in_chinese() -> None:
    client, _ = market()
    client.sim("POST", "account", can_trade=False)
    assert place(client, "BUY", "LIMIT", "100", "0.0199") == {
        "code": 30018,
        "msg": "账号暂时不能下单，请联系客服",
    }


def test_too_many_open_orders_are_refused() -> None:
    client, _ = market(options=Options(max_open_orders=2))
    answers = [place(client, "SELL", "LIMIT", "100", "0.0205") for _ in range(3)]
    assert [answer.get("code") for answer in answers] == [None, None, 30029]


def test_a_market_order_against_an_empty_book_finds_no_opponent() -> None:
    client, _ = market(book=BookShape(levels=0))
    assert place(client, "SELL", "MARKET", "100")["code"] == 30025


def test_an_all_in_purchase_needs_the_fee_too_unless_the_hold_leaves_it_out() -> None:
    for included, code in ((True, 30004), (False, None)):
        client, _ = market(options=Options(hold_includes_fee=included))
        client.sim("POST", "account", balances={"USDT": "2.001"})
        answer = place(client, "BUY", "IMMEDIATE_OR_CANCEL", "100", "0.02001")
        assert answer.get("code") == code
    assert balances(client) == {"QRL": (1_100, 0)}


def test_testing_an_order_checks_its_form_and_moves_nothing() -> None:
    too_much = SELL | {"quantity": "5000"}
    refused = {"code": 30005, "msg": "Oversold"}
    for options, answers in ((Options(), {}), (Options(order_test_checks="all"), refused)):
        client, _ = market(options=options)
        assert client.signed("POST", "order/test", **too_much).json() == answers
        assert client.signed("POST", "order/test", **BUY).json() == {}
        wrong: Any = client.signed("POST", "order/test", **(BUY | {"quantity": "1.23456"})).json()
        assert wrong["code"] == 400
        assert client.sim("GET", "state")["orders"] == []


@pytest.mark.parametrize("asset", ["QUOTE", "BASE", "MX"])
@pytest.mark.parametrize("hold_includes_fee", [True, False])
def test_no_coin_appears_or_vanishes_in_many_random_orders(asset: Any, hold_includes_fee: bool) -> None:
    rng = random.Random(f"{asset}{hold_includes_fee}")
    client, clock = standing(
        NOON,
        seed=3,
        fees=Fees(maker=Decimal("0.0002"), taker=Decimal("0.001"), asset=asset),
        options=Options(hold_includes_fee=hold_includes_fee),
        book=THIN,
        balances={"QRL": Decimal(30_000), "USDT": Decimal(600), "MX": Decimal("0.5")},
        daily_volatility=0.5,
    )
    kinds = ("LIMIT", "LIMIT_MAKER", "MARKET", "IMMEDIATE_OR_CANCEL", "FILL_OR_KILL")
    start, refused = balances(client), 0
    for _ in range(400):
        clock.advance(rng.randrange(90_000))
        mid: Any = client.public("ticker/price", symbol="QRLUSDT").json()
        kind, side = rng.choice(kinds), rng.choice(("BUY", "SELL"))
        price = Decimal(mid["price"]) * Decimal(rng.randrange(980, 1_020)) / 1_000
        params = {"quantity": str(rng.randrange(100, 20_000)), "price": f"{price:.6f}"}
        if kind == "MARKET":
            params = {"quoteOrderQty": str(rng.randrange(1, 300))} if side == "BUY" else {"quantity": "500"}
        answer = client.signed("POST", "order", symbol="QRLUSDT", side=side, type=kind, **params)
        refused += answer.status == 400
        if rng.random() < 0.1:
            client.signed("DELETE", "openOrders", symbol="QRLUSDT")
    client.signed("DELETE", "openOrders", symbol="QRLUSDT")
    fills = client.sim("GET", "state")["fills"]
    expected = {coin: free for coin, (free, _) in start.items()}
    for fill in fills:
        sign = 1 if fill["isBuyer"] else -1
        expected["QRL"] += sign * Decimal(fill["qty"])
        expected["USDT"] -= sign * Decimal(fill["quoteQty"])
        expected[fill["commissionAsset"]] -= Decimal(fill["commission"])
    assert len(fills) > 100
    assert refused < 300
    assert {fill["isMaker"] for fill in fills} == {True, False}
    assert balances(client) == {coin: (amount, 0) for coin, amount in expected.items() if amount}
