"""Payloads of the exchange: what is read out of them, and what is refused with endpoint and field named."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.clock import milliseconds
from common.decimal_json import loads
from common.domain.instrument import Instrument, Side
from common.domain.orders.order import OrderStatus
from common.domain.portfolio import Account, Balance
from common.errors import UnreadablePayload
from common.mexc import parse as wire
from common.mexc.fills import read_fills
from tests.builders import (
    PROPERTY,
    QRL,
    account_payload,
    d,
    depth_payload,
    exchange_info_payload,
    order_payload,
    price_payload,
    ticker_payload,
)
from tests.conftest import PAYLOADS, needs_payloads, payload_text
from tests.fakes import NOON

Reader = Callable[[Any], object]
PARSES = None


def recorded(name: str) -> Any:
    return loads(payload_text(name))


def of_symbol(read: Callable[[Any, str], object], symbol: str) -> Reader:
    return lambda payload: read(payload, symbol)


def read_account(payload: Any) -> Account:
    return wire.read_account(payload, QRL)


def refusal(read: Reader, payload: Any) -> str | None:
    """What a payload is refused for, in one line; None when it is read."""
    try:
        read(payload)
    except UnreadablePayload as error:
        return str(error) if "\n" not in str(error) else f"several lines: {error}"
    return None


def fills(payload: Any, symbol: str) -> object:
    """A page of fills; an odd row counts as a refusal here."""
    page = read_fills(payload, symbol, NOON)
    if page.odd:
        raise UnreadablePayload(f"myTrades: {page.odd[0].reason}")
    return page


def rules_of(base: str) -> Reader:
    return lambda payload: wire.read_rules(payload, Instrument(base, "USDT"))


# Every recorded payload has a verdict: the reader it is meant for (or the nearest), and what it refuses it for.

VERDICTS: dict[str, tuple[Reader, str | None]] = {
    "account.live-zano-2025": (read_account, PARSES),
    "account.mexc-net-old": (read_account, PARSES),
    "account.official-docs-2025": (read_account, PARSES),
    "account.official-docs-2026": (read_account, PARSES),
    "aggTrades.ccxt": (wire.read_deals, "trades: 0.price:"),
    "aggTrades.official-docs": (wire.read_deals, "trades: 0.price:"),
    "allOrders.official-docs-2025": (of_symbol(wire.read_orders, "LTCBTC"), PARSES),
    "allOrders.official-docs-2026": (of_symbol(wire.read_orders, "LTCBTC"), PARSES),
    "allOrders_market_sell_filled.ccxt": (of_symbol(wire.read_orders, "ATLASUSDT"), PARSES),
    "avgPrice.official-docs": (of_symbol(wire.read_price, "QRLUSDT"), "ticker/price: symbol:"),
    "batchOrders_mixed.official-docs": (of_symbol(wire.read_orders, "BTCUSDT"), "openOrders: 0.side:"),
    "bookTicker_list.official-docs": (of_symbol(wire.read_book_ticker, "AEUSDT"), "ticker/bookTicker: the whole:"),
    "bookTicker_single.official-docs": (of_symbol(wire.read_book_ticker, "AEUSDT"), PARSES),
    "defaultSymbols.mexc-net-live-2025": (wire.read_symbols, PARSES),
    "defaultSymbols.official-docs": (wire.read_symbols, PARSES),
    "depth.ccxt": (wire.read_depth, PARSES),
    "depth.official-docs": (wire.read_depth, PARSES),
    "depth.qrlusdt-synthetic": (wire.read_depth, PARSES),
    "exchangeInfo.mexc-net-live-2025": (rules_of("BROCK"), PARSES),
    "exchangeInfo.official-docs-2026": (rules_of("BTC"), PARSES),
    "exchangeInfo.qrlusdt-UNKNOWN": (rules_of("QRL"), PARSES),
    "exchangeInfo_symbol.official-docs-2025": (rules_of("TOMO3L"), "exchangeInfo: symbols:"),
    "klines.official-docs": (wire.read_klines, PARSES),
    "klines_1d.sdk-issue28-2023": (wire.read_klines, PARSES),
    "klines_60m.ccxt": (wire.read_klines, PARSES),
    "kyc_status.official-docs": (wire.read_symbols, "symbols: data:"),
    "mxDeduct.mexc-net": (wire.read_fees, "tradeFee: data.makerCommission:"),
    "mxDeduct_query.official-docs": (wire.read_fees, "tradeFee: data.makerCommission:"),
    "myTrades.official-docs-2025": (of_symbol(fills, "BNBBTC"), PARSES),
    "myTrades.official-docs-2026": (of_symbol(fills, "BNBBTC"), PARSES),
    "myTrades_buy.ccxt-comment": (of_symbol(fills, "BTCUSDT"), PARSES),
    "myTrades_buy.live-fusd-2025": (of_symbol(fills, "FUSDUSDT"), PARSES),
    "myTrades_sell.ccxt": (of_symbol(fills, "ATLASUSDT"), PARSES),
    "openOrders.official-docs-2025": (of_symbol(wire.read_orders, "LTCBTC"), PARSES),
    "openOrders.official-docs-2026": (of_symbol(wire.read_orders, "LTCBTC"), PARSES),
    "order_cancel.hummingbot": (of_symbol(wire.read_order, "COINALPHAHBOT"), PARSES),
    "order_cancel.official-docs": (of_symbol(wire.read_order, "LTCBTC"), PARSES),
    "order_cancel_all.live-pls-2024": (of_symbol(wire.read_orders, "PLSUSDT"), PARSES),
    "order_cancel_all.official-docs": (of_symbol(wire.read_orders, "BTCUSDT"), PARSES),
    "order_new.mexc-net": (wire.read_ack, PARSES),
    "order_new.official-docs-2025": (wire.read_ack, PARSES),
    "order_new.official-docs-2026": (wire.read_ack, PARSES),
    "order_new_ioc.ccxt-comment": (wire.read_ack, PARSES),
    "order_new_market_buy.gct-2026": (wire.read_ack, PARSES),
    "order_new_market_buy.live-pls-2024": (wire.read_ack, PARSES),
    "order_query_canceled.ccxt-comment": (of_symbol(wire.read_order, "BTCUSDT"), PARSES),
    "order_query_canceled.hummingbot": (of_symbol(wire.read_order, "COINALPHAHBOT"), PARSES),
    "order_query_filled.hummingbot": (of_symbol(wire.read_order, "COINALPHAHBOT"), PARSES),
    "order_query_filled.live-zano-2025": (of_symbol(wire.read_order, "ZANOUSDT"), PARSES),
    "order_query_new.official-docs-2025": (of_symbol(wire.read_order, "LTCBTC"), PARSES),
    "order_query_new.official-docs-2026": (of_symbol(wire.read_order, "LTCBTC"), PARSES),
    "order_query_partially_filled.hummingbot": (of_symbol(wire.read_order, "COINALPHAHBOT"), PARSES),
    "order_test.mexc-net": (wire.read_ack, "order: orderId:"),
    "order_test.official-docs": (wire.read_ack, "order: orderId:"),
    "ping.official-docs": (wire.read_time, "time: serverTime:"),
    "selfSymbols.official-docs": (wire.read_symbols, PARSES),
    "signature_vectors": (of_symbol(fills, "QRLUSDT"), "myTrades: "),
    "symbol_offline.official-docs-2026": (wire.read_symbols, "symbols: data.0:"),
    "ticker_24hr.qrlusdt-synthetic": (of_symbol(wire.read_ticker, "QRLUSDT"), PARSES),
    "ticker_24hr_list.official-docs": (of_symbol(wire.read_ticker, "BTCUSDT"), "ticker/24hr: the whole:"),
    "ticker_24hr_single.ccxt": (of_symbol(wire.read_ticker, "BTCUSDT"), PARSES),
    "ticker_price_list.official-docs": (of_symbol(wire.read_price, "BTCUSDT"), "ticker/price: the whole:"),
    "ticker_price_single.official-docs": (of_symbol(wire.read_price, "BTCUSDT"), PARSES),
    "time.mexc-net": (wire.read_time, PARSES),
    "time.official-docs": (wire.read_time, PARSES),
    "tradeFee.mexc-net": (wire.read_fees, PARSES),
    "tradeFee.official-docs": (wire.read_fees, PARSES),
    "trades.mexc-net-live-2025": (wire.read_deals, PARSES),
    "trades.official-docs": (wire.read_deals, PARSES),
    "trades.qrlusdt-synthetic": (wire.read_deals, PARSES),
}


@needs_payloads
def test_every_recorded_payload_is_read_or_refused_with_endpoint_and_field() -> None:
    wrong = []
    for path in sorted(PAYLOADS.glob("*.json")):
        payload, (read, expected) = recorded(path.stem), VERDICTS.get(path.stem, (wire.read_ack, "order: orderId:"))
        if path.stem.startswith("error_"):
            payload = payload["body"]
        told = refusal(read, payload)
        if (expected is PARSES and told is not None) or (
            expected is not PARSES and not str(told).startswith(expected)
        ):
            wrong.append((path.stem, told))
    assert wrong == []


# What is read


def test_the_live_account_is_read_with_its_unknown_commission_left_unknown() -> None:
    account = read_account(recorded("account.live-zano-2025"))
    assert account.balances == {"ZANO": Balance(d(55), d(0))}
    assert (account.maker_commission, account.taker_commission, account.update_time) == (None, None, None)
    assert (account.can_trade, account.account_type, account.permissions) == (True, "SPOT", ("SPOT",))


def test_an_asset_the_exchange_does_not_list_is_zero() -> None:
    account = read_account(account_payload(("QRL", "1000.5", "2")))
    assert account.balance("QRL").total == d("1002.5")
    assert account.balance("USDT") == Balance(d(0), d(0))


def test_the_commission_of_an_account_may_be_missing_null_or_a_number() -> None:
    assert read_account(recorded("account.official-docs-2025")).maker_commission is None
    assert read_account(recorded("account.official-docs-2026")).maker_commission is None
    assert read_account(recorded("account.mexc-net-old")).maker_commission == 20


@pytest.mark.parametrize("flag", ["canTrade", "canWithdraw", "canDeposit"])
def test_what_the_account_may_not_do_is_read_as_such(flag: str) -> None:
    account = read_account(account_payload(**{flag: False}))
    read = {"canTrade": account.can_trade, "canWithdraw": account.can_withdraw, "canDeposit": account.can_deposit}
    assert [name for name, value in read.items() if not value] == [flag]


def test_the_live_ticker_is_read_and_its_percent_is_a_fraction() -> None:
    ticker = wire.read_ticker(recorded("ticker_24hr_single.ccxt"), "BTCUSDT")
    assert (ticker.last_price, ticker.change, ticker.change_fraction) == (d("73397.77"), d("1248.51"), d("0.0173"))
    assert (ticker.high_price, ticker.low_price, ticker.open_price) == (d("73639.99"), d("68629.42"), d("72149.26"))
    assert (ticker.bid_price, ticker.ask_price, ticker.previous_close) == (
        d("73369.83"),
        d("73369.84"),
        d("72149.26"),
    )
    assert (ticker.volume, ticker.quote_volume) == (d("7729.258925"), d("554877037.44"))


def test_a_falling_price_has_a_negative_change() -> None:
    ticker = wire.read_ticker(recorded("ticker_24hr.qrlusdt-synthetic"), "QRLUSDT")
    assert (ticker.change, ticker.change_fraction) == (d("-0.00500"), d("-0.00660"))


@pytest.mark.parametrize("nothing", ["", None])
@pytest.mark.parametrize("field", ["openPrice", "prevClosePrice", "bidPrice", "askPrice", "quoteVolume"])
def test_what_the_ticker_of_an_illiquid_pair_leaves_out_is_unknown_and_not_zero(field: str, nothing: Any) -> None:
    ticker = wire.read_ticker(ticker_payload(**{field: nothing}), "QRLUSDT")
    read = {
        "openPrice": ticker.open_price,
        "prevClosePrice": ticker.previous_close,
        "bidPrice": ticker.bid_price,
        "askPrice": ticker.ask_price,
        "quoteVolume": ticker.quote_volume,
    }
    assert read[field] is None


@pytest.mark.parametrize("nothing", ["", None])
def test_a_book_ticker_without_a_side_has_none_there(nothing: Any) -> None:
    payload = {"symbol": "QRLUSDT", "bidPrice": nothing, "bidQty": nothing, "askPrice": "0.77", "askQty": "1"}
    assert wire.read_book_ticker(payload, "QRLUSDT") == (None, d("0.77"))


def test_the_book_is_sorted_whatever_order_it_came_in() -> None:
    book = wire.read_depth(recorded("depth.qrlusdt-synthetic"))
    assert [level.price for level in book.bids] == [d("0.75"), d("0.74")]
    assert [level.price for level in book.asks] == [d("0.76"), d("0.77")]
    assert book.problem is None


def test_the_crossed_book_of_the_documentation_is_read_and_known_as_crossed() -> None:
    assert wire.read_depth(recorded("depth.official-docs")).problem == "the order book is crossed"


def test_an_empty_book_is_read_and_known_as_empty() -> None:
    assert wire.read_depth({"bids": [], "asks": []}).problem == "the order book has an empty side"


def test_public_trades_are_read_without_an_id() -> None:
    first, second = wire.read_deals(recorded("trades.mexc-net-live-2025"))
    assert (first.price, first.quantity, first.buyer_is_maker) == (d("3219.58"), d("0.04757"), False)
    assert second.at == datetime(2025, 1, 23, 9, 19, 48, 876_000, tzinfo=UTC)


def test_a_candle_closes_exactly_one_interval_after_it_opens() -> None:
    (hour,) = wire.read_klines(recorded("klines_60m.ccxt"))
    assert hour.closes_at - hour.opens_at == timedelta(hours=1)
    assert (hour.open, hour.high, hour.low, hour.close) == (
        d("73260.0"),
        d("73442.95"),
        d("73238.69"),
        d("73414.21"),
    )
    assert (hour.volume, hour.quote_volume) == (d("49.560236"), d("3633995.45"))


def test_a_daily_candle_opens_at_midnight_utc() -> None:
    (day,) = wire.read_klines(recorded("klines_1d.sdk-issue28-2023"))
    assert day.opens_at == datetime(2023, 2, 16, tzinfo=UTC)


def test_the_symbols_that_may_be_traded_are_read() -> None:
    assert wire.read_symbols(recorded("defaultSymbols.mexc-net-live-2025")) == {"SNTUSDT", "CGPTUSDT", "HEGICUSDT"}


def test_the_fee_rates_are_numbers_and_read_to_the_last_digit() -> None:
    maker, taker = wire.read_fees(loads('{"data":{"makerCommission":0,"takerCommission":0.00049999999999999999}}'))
    assert (maker, taker) == (d(0), d("0.00049999999999999999"))
    assert wire.read_fees(recorded("tradeFee.official-docs")) == (d("0.003"), d("0.003"))


@pytest.mark.parametrize("side", ["makerCommission", "takerCommission"])
def test_a_fee_of_the_whole_amount_is_not_believed(side: str) -> None:
    rates = {"makerCommission": d(0), "takerCommission": d(0)} | {side: d(1)}
    with pytest.raises(UnreadablePayload, match=r"^tradeFee: "):
        wire.read_fees({"data": rates})


def test_a_live_filled_order_is_read() -> None:
    order = wire.read_order(recorded("order_query_filled.live-zano-2025"), "ZANOUSDT")
    assert (order.order_id, order.client_order_id, order.side) == ("C02__593034730388221952036", "11", Side.SELL)
    assert (order.status, order.status.final) == (OrderStatus.FILLED, True)
    assert (order.quantity, order.filled_quantity, order.filled_notional) == (d("0.11"), d("0.11"), d("1.90751"))


def test_the_fill_of_a_market_order_is_its_notional_and_not_its_protective_price() -> None:
    (order,) = wire.read_orders(recorded("allOrders_market_sell_filled.ccxt"), "ATLASUSDT")
    assert order.limit_price == d("0.004327")
    assert order.filled_notional / order.filled_quantity == d("0.004542")


def test_a_partly_filled_order_is_not_final() -> None:
    order = wire.read_order(recorded("order_query_partially_filled.hummingbot"), "COINALPHAHBOT")
    assert (order.status, order.status.final) == (OrderStatus.PARTIALLY_FILLED, False)
    assert order.filled_quantity == d("0.5")


def test_a_cancel_answers_with_the_state_before_it_and_the_id_it_cancelled() -> None:
    order = wire.read_order(recorded("order_cancel.official-docs"), "LTCBTC")
    assert order.client_order_id == "myOrder1"
    (first, _) = wire.read_orders(recorded("order_cancel_all.live-pls-2024"), "PLSUSDT")
    assert (first.status, first.client_order_id) == (OrderStatus.NEW, None)


def test_the_quantity_of_an_order_goes_by_either_of_its_two_names() -> None:
    assert wire.read_order(recorded("order_query_new.official-docs-2026"), "LTCBTC").quantity == d("1.0")
    assert wire.read_order(order_payload(origQty="2", Qty="3"), "QRLUSDT").quantity == d(2)


@pytest.mark.parametrize("status", ["REJECTED", "EXPIRED", "new", "PENDING_CANCEL", "UNKNOWN", ""])
def test_a_status_nobody_knows_is_unknown_and_not_final(status: str) -> None:
    order = wire.read_order(order_payload(status=status), "QRLUSDT")
    assert order.status is OrderStatus.UNKNOWN
    assert not order.status.final


@pytest.mark.parametrize(
    ("status", "final"),
    [
        ("NEW", False),
        ("PARTIALLY_FILLED", False),
        ("FILLED", True),
        ("CANCELED", True),
        ("PARTIALLY_CANCELED", True),
    ],
)
def test_the_documented_states_of_an_order(status: str, final: bool) -> None:
    order = wire.read_order(order_payload(status=status), "QRLUSDT")
    assert (order.status.value, order.status.final) == (status, final)


@pytest.mark.parametrize(
    ("value", "text"), [("C02__1", "C02__1"), (1, "1"), (133734823834147272, "133734823834147272")]
)
def test_ids_are_text_also_where_they_are_printed_as_numbers(value: Any, text: str) -> None:
    assert wire.read_ack({"orderId": value}) == text
    assert wire.read_order(order_payload(orderId=value), "QRLUSDT").order_id == text


@pytest.mark.parametrize("value", ["", None, True, 1.5, d("1.5"), [], {}])
def test_what_is_no_id_is_refused(value: Any) -> None:
    with pytest.raises(UnreadablePayload, match=r"^order: orderId: "):
        wire.read_ack({"orderId": value})


def test_the_answer_to_a_new_order_is_no_order() -> None:
    """It tells neither status nor fills, so nothing may be made of it but the id."""
    with pytest.raises(UnreadablePayload, match=r"^order: status: "):
        wire.read_order(recorded("order_new.official-docs-2026"), "MXUSDT")


def test_the_time_of_the_exchange_is_aware() -> None:
    assert wire.read_time(recorded("time.official-docs")) == datetime(2022, 2, 22, 14, 22, 22, tzinfo=UTC)


# The rules of the pair


def rules(**more: Any) -> Any:
    return wire.read_rules(exchange_info_payload(**more), QRL)


def test_live_rules_are_read() -> None:
    read = wire.read_rules(recorded("exchangeInfo.mexc-net-live-2025"), Instrument("BROCK", "USDT"))
    assert (read.size_increment, read.min_quantity, read.price_increment) == (d("0.01"), d(0), d("0.00001"))
    assert (read.min_notional, read.max_notional) == (d(1), d(2000000))
    assert (read.market_min_notional, read.market_max_notional) == (d(1), d(100000))
    assert (read.maker_fee, read.taker_fee) == (d("0.0005"), d("0.0005"))
    assert (read.sides, read.market_orders, read.closed) == ((Side.BUY, Side.SELL), True, ())
    assert (read.price_band_up, read.price_band_down) == (None, None)


def test_a_symbol_closed_to_the_api_says_why_and_has_its_price_band() -> None:
    read = wire.read_rules(recorded("exchangeInfo.official-docs-2026"), Instrument("BTC", "USDT"))
    assert read.closed == ("the exchange says isSpotTradingAllowed=false",)
    assert (read.price_band_up, read.price_band_down) == (d("0.005"), d("0.005"))


@pytest.mark.parametrize(
    ("precision", "step"), [(0, "1"), (2, "0.01"), (4, "0.0001"), (18, "0.000000000000000001")]
)
def test_the_step_of_quantities_is_the_precision_of_the_base_asset(precision: int, step: str) -> None:
    assert rules(baseAssetPrecision=precision).size_increment == d(step)


@pytest.mark.parametrize(("quote", "asset", "tick"), [(6, 6, "0.000001"), (4, 6, "0.0001"), (6, 4, "0.0001")])
def test_the_tick_is_the_coarser_of_the_two_quote_precisions(quote: int, asset: int, tick: str) -> None:
    assert rules(quotePrecision=quote, quoteAssetPrecision=asset).price_increment == d(tick)


@pytest.mark.parametrize(("told", "least"), [("5", "5"), ("1", "1"), ("0.5", "1"), ("0", "1")])
def test_the_least_notional_is_what_the_exchange_says_and_never_below_one(told: str, least: str) -> None:
    assert rules(quoteAmountPrecision=told).min_notional == d(least)


def test_a_pair_in_another_asset_than_dollars_has_the_least_notional_that_is_published() -> None:
    told = exchange_info_payload(symbol="QRLBTC", quoteAsset="BTC", quoteAmountPrecision="0.00005")
    read = wire.read_rules(told, Instrument("QRL", "BTC"))
    assert read.min_notional == d("0.00005")


@pytest.mark.parametrize(
    ("size", "increment", "step"), [("0.01", 4, "0.01"), ("0", 4, "0.0001"), ("0.000001", 4, "0.0001")]
)
def test_the_least_quantity_is_read_and_the_coarser_scale_is_the_step(size: str, increment: int, step: str) -> None:
    read = rules(baseSizePrecision=size, baseAssetPrecision=increment)
    assert read.min_quantity == d(size)
    assert read.quantity_step == d(step)


@pytest.mark.parametrize(
    ("side_type", "sides"),
    [
        (1, (Side.BUY, Side.SELL)),
        ("1", (Side.BUY, Side.SELL)),
        (2, (Side.BUY,)),
        ("2", (Side.BUY,)),
        (3, (Side.SELL,)),
        (4, ()),
        ("4", ()),
    ],
)
def test_the_sides_that_may_be_traded(side_type: Any, sides: tuple[Side, ...]) -> None:
    assert rules(tradeSideType=side_type).sides == sides


@pytest.mark.parametrize("side_type", [0, 5, "all", None])
def test_a_side_type_nobody_knows_is_refused(side_type: Any) -> None:
    with pytest.raises(UnreadablePayload, match=r"^exchangeInfo: symbols\.0\.tradeSideType: "):
        rules(tradeSideType=side_type)


@pytest.mark.parametrize("status", ["1", 1, "ENABLED"])
def test_a_symbol_that_is_online_is_open(status: Any) -> None:
    assert rules(status=status).closed == ()


@pytest.mark.parametrize("status", ["2", "3", 2, "DISABLED", "enabled", ""])
def test_a_symbol_of_any_other_status_is_closed(status: Any) -> None:
    assert rules(status=status).closed == (f"the exchange says status {status}",)


def test_every_reason_to_stay_away_is_told() -> None:
    assert len(rules(status="2", isSpotTradingAllowed=False, permissions=["LIMIT"]).closed) == 3


def test_market_orders_are_allowed_only_where_they_are_listed() -> None:
    assert rules(orderTypes=["LIMIT", "MARKET"]).market_orders
    assert not rules(orderTypes=["LIMIT", "LIMIT_MAKER"]).market_orders


@pytest.mark.parametrize(
    ("multiplier", "band"),
    [("0.005", "0.005"), ("0.5", "0.5"), ("1.2", "0.2"), ("1", None), ("", None), (None, None)],
)
def test_a_price_band_is_a_fraction_around_the_last_price_or_a_multiplier_of_it(multiplier: Any, band: Any) -> None:
    filters = [
        {"filterType": "SOMETHING_NEW"},
        {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": multiplier, "askMultiplierDown": "0.1"},
    ]
    read = rules(filters=filters)
    assert read.price_band_up == (None if band is None else d(band))
    assert read.price_band_down == d("0.1")


def test_rules_of_a_symbol_printed_without_its_envelope_are_refused() -> None:
    with pytest.raises(UnreadablePayload, match=r"^exchangeInfo: symbols: "):
        wire.read_rules(exchange_info_payload()["symbols"][0], QRL)


@pytest.mark.parametrize("symbols", [[], [exchange_info_payload(symbol="QRLBTC")["symbols"][0]]])
def test_rules_of_another_symbol_or_none_are_refused(symbols: Any) -> None:
    with pytest.raises(UnreadablePayload, match="QRLUSDT is not in the answer"):
        wire.read_rules({"symbols": symbols}, QRL)


def test_the_symbol_is_found_among_several() -> None:
    others = [exchange_info_payload(symbol=name, baseAssetPrecision=8)["symbols"][0] for name in ("AUSDT", "BUSDT")]
    payload = {"symbols": [*others, *exchange_info_payload()["symbols"]]}
    assert wire.read_rules(payload, QRL).size_increment == d("0.0001")


# What cannot be read is refused, endpoint and field named, and is never a zero


def fee_payload(**more: Any) -> dict[str, Any]:
    return {"data": {"makerCommission": 0, "takerCommission": d("0.0005"), **more}, "code": 0}


def kline(**columns: Any) -> list[list[Any]]:
    """One row; `columns` are given by their number."""
    row: list[Any] = [milliseconds(NOON), "1", "3", "1", "2", "10", milliseconds(NOON) + 60_000, "20"]
    return [[columns.get(str(column), value) for column, value in enumerate(row)]]


BOOK_TICKER = {"symbol": "QRLUSDT", "bidPrice": "1", "bidQty": "2", "askPrice": "3", "askQty": "4"}
DEAL = {"id": None, "price": "1", "qty": "2", "time": 1, "isBuyerMaker": True}
Build = Callable[[Any], Any]


def each(read: Reader, build: Callable[..., Any], where: str, *names: str) -> dict[str, tuple[Reader, Build]]:
    """For every field: its reader, and how to build a payload with a given value in it."""

    def with_value(name: str) -> Build:
        return lambda value: build(**{name: value})

    return {f"{where}{name}": (read, with_value(name)) for name in names}


AMOUNTS: dict[str, tuple[Reader, Build]] = {
    "account: balances.0.free": (read_account, lambda v: account_payload(("QRL", v, "0"))),
    "account: balances.0.locked": (read_account, lambda v: account_payload(("QRL", "0", v))),
    **each(
        of_symbol(wire.read_ticker, "QRLUSDT"),
        ticker_payload,
        "ticker/24hr: ",
        *("lastPrice", "volume", "highPrice", "lowPrice", "priceChange", "priceChangePercent"),
    ),
    "ticker/price: price": (of_symbol(wire.read_price, "QRLUSDT"), price_payload),
    "depth: bids.0.0": (wire.read_depth, lambda v: {"bids": [[v, "1"]], "asks": []}),
    "depth: asks.0.1": (wire.read_depth, lambda v: {"bids": [], "asks": [["2", v], ["1", "1"]]}),
    "trades: 0.price": (wire.read_deals, lambda v: [DEAL | {"price": v}]),
    "trades: 0.qty": (wire.read_deals, lambda v: [DEAL | {"qty": v}]),
    **each(wire.read_klines, kline, "klines: 0.", "1", "2", "3", "4", "5", "7"),
    **each(
        rules_of("QRL"),
        exchange_info_payload,
        "exchangeInfo: symbols.0.",
        *("baseSizePrecision", "quoteAmountPrecision", "maxQuoteAmount", "makerCommission", "takerCommission"),
    ),
    **each(wire.read_fees, fee_payload, "tradeFee: data.", "makerCommission", "takerCommission"),
    **each(
        of_symbol(wire.read_order, "QRLUSDT"),
        order_payload,
        "order: ",
        *("price", "executedQty", "cummulativeQuoteQty"),
    ),
    "openOrders: 0.executedQty": (
        of_symbol(wire.read_orders, "QRLUSDT"),
        lambda v: [order_payload(executedQty=v, clientOrderId="rb202601021200S0123456789abcd")],
    ),
}
NO_AMOUNTS = {
    "a float": 1.5,
    "NaN": "NaN",
    "NaN as a number": Decimal("NaN"),
    "sNaN": Decimal("sNaN"),
    "Infinity": "Infinity",
    "-Infinity": Decimal("-Infinity"),
    "beyond reason": "1e999999",
    "of forty digits": "1" * 40,
    "of an exponent that no market has": "1E+22",
    "an empty string": "",
    "null": None,
    "a word": "abc",
    "two numbers": "1 2",
    "a decimal comma": "1,5",
    "true": True,
    "a list": [],
    "an object": {},
}


def test_what_is_no_amount_is_refused_with_endpoint_and_field() -> None:
    wrong = []
    for field, (read, build) in AMOUNTS.items():
        for name, value in NO_AMOUNTS.items():
            told = refusal(read, build(value))
            if not str(told).startswith(f"{field}: "):
                wrong.append((field, name, told))
    assert wrong == []


def test_a_negative_amount_is_refused_where_none_can_be() -> None:
    told = {field: refusal(read, build("-0.0001")) for field, (read, build) in AMOUNTS.items()}
    assert [
        field
        for field, text in told.items()
        if "priceChange" not in field and not str(text).startswith(f"{field}: ")
    ] == []


ZERO_PADDED = [
    ("0.00010000", "0.0001"),
    ("0E-8", "0"),
    ("1E+2", "100"),
    ("007", "7"),
    ("0.000000000674", "674e-12"),
]


@pytest.mark.parametrize(("text", "value"), ZERO_PADDED)
def test_padded_long_and_exponent_forms_are_read(text: str, value: str) -> None:
    assert wire.read_price(price_payload(text), "QRLUSDT") == d(value)
    assert read_account(account_payload(("QRL", text, "0E-8"))).balance("QRL").total == d(value)


@PROPERTY
@given(st.decimals(min_value=0, max_value=10**15, allow_nan=False, allow_infinity=False))
def test_every_price_is_read_to_the_last_digit(price: Decimal) -> None:
    assert wire.read_price(price_payload(str(price)), "QRLUSDT") == price


REQUIRED: dict[str, tuple[Reader, Any, tuple[str, ...]]] = {
    "account": (
        read_account,
        account_payload(),
        ("canTrade", "canWithdraw", "canDeposit", "accountType", "balances", "permissions"),
    ),
    "ticker/24hr": (
        of_symbol(wire.read_ticker, "QRLUSDT"),
        ticker_payload(),
        ("symbol", "lastPrice", "volume", "highPrice", "lowPrice", "priceChange", "priceChangePercent"),
    ),
    "ticker/price": (of_symbol(wire.read_price, "QRLUSDT"), price_payload(), ("symbol", "price")),
    "ticker/bookTicker": (
        of_symbol(wire.read_book_ticker, "QRLUSDT"),
        BOOK_TICKER,
        ("symbol", "bidPrice", "askPrice"),
    ),
    "depth": (wire.read_depth, depth_payload(), ("bids", "asks")),
    "tradeFee": (wire.read_fees, fee_payload(), ("data",)),
    "symbols": (wire.read_symbols, {"data": []}, ("data",)),
    "exchangeInfo": (rules_of("QRL"), exchange_info_payload(), ("symbols",)),
    "order": (
        of_symbol(wire.read_order, "QRLUSDT"),
        order_payload(),
        ("symbol", "orderId", "side", "price", "status", "executedQty", "cummulativeQuoteQty", "origQty"),
    ),
    "time": (wire.read_time, {"serverTime": 1}, ("serverTime",)),
}


def test_a_missing_field_is_refused_by_its_name() -> None:
    wrong = []
    for endpoint, (read, payload, names) in REQUIRED.items():
        for name in names:
            told = refusal(read, {key: value for key, value in payload.items() if key != name})
            if not str(told).startswith(f"{endpoint}: {name}"):
                wrong.append((endpoint, name, told))
    for name in RULES:
        payload = exchange_info_payload()
        del payload["symbols"][0][name]
        told = refusal(rules_of("QRL"), payload)
        if not str(told).startswith(f"exchangeInfo: symbols.0.{name}: "):
            wrong.append(("exchangeInfo", name, told))
    assert wrong == []


RULES = (
    *("symbol", "status", "baseAssetPrecision", "quotePrecision", "quoteAssetPrecision", "baseSizePrecision"),
    *("quoteAmountPrecision", "maxQuoteAmount", "makerCommission", "takerCommission", "orderTypes"),
    *("isSpotTradingAllowed", "permissions"),
)


def test_a_precision_that_makes_no_sense_is_refused() -> None:
    wrong = []
    for name in ("baseAssetPrecision", "quotePrecision", "quoteAssetPrecision"):
        nonsense: list[Any] = [-1, 19, "many", None, d("1.5"), []]
        for value in nonsense:
            told = refusal(rules_of("QRL"), exchange_info_payload(**{name: value}))
            if not str(told).startswith(f"exchangeInfo: symbols.0.{name}: "):
                wrong.append((name, value, told))
    assert wrong == []


WRONG_TYPES: list[tuple[Reader, Any, str]] = [
    (read_account, account_payload(balances={}), "account: balances"),
    (read_account, account_payload(balances=["QRL"]), "account: balances.0"),
    (read_account, account_payload(canTrade=None), "account: canTrade"),
    (read_account, account_payload(canTrade="perhaps"), "account: canTrade"),
    (read_account, account_payload(permissions="SPOT"), "account: permissions"),
    (read_account, account_payload(updateTime="yesterday"), "account: updateTime"),
    (read_account, [], "account: the whole"),
    (wire.read_depth, {"bids": {}, "asks": []}, "depth: bids"),
    (wire.read_depth, {"bids": [["1"]], "asks": []}, "depth: bids.0"),
    (wire.read_depth, {"bids": [["1", "2", "3"]], "asks": []}, "depth: bids.0"),
    (wire.read_deals, {}, "trades: the whole"),
    (wire.read_deals, [DEAL | {"time": d("1.5")}], "trades: 0.time"),
    (wire.read_deals, [DEAL | {"time": -1}], "trades: 0.time"),
    (wire.read_deals, [DEAL | {"time": 10**18}], "trades: 0.time"),
    (wire.read_klines, {}, "klines: the whole"),
    (wire.read_klines, [kline()[0][:7]], "klines: 0"),
    (wire.read_klines, [[*kline()[0], "9"]], "klines: 0"),
    (wire.read_klines, kline(**{"0": "noon"}), "klines: 0.0"),
    (wire.read_klines, kline(**{"6": None}), "klines: 0.6"),
    (wire.read_klines, kline(**{"2": "0.9"}), "klines: 0: a high below the low"),
    *((wire.read_klines, kline(**{column: "0E-8"}), "klines: 0: a high") for column in "1234"),
    (wire.read_klines, kline(**{"6": milliseconds(NOON)}), "klines: 0: the times"),
    (wire.read_klines, kline() * 2, "klines: 1: the times"),
    (wire.read_symbols, {"data": "QRLUSDT"}, "symbols: data"),
    (wire.read_symbols, {"data": [None]}, "symbols: data.0"),
    (wire.read_fees, {"data": None}, "tradeFee: data"),
    (wire.read_fees, {"data": []}, "tradeFee: data"),
    (partial(wire.read_order, symbol="QRLUSDT"), order_payload(side="HOLD"), "order: side"),
    (partial(wire.read_order, symbol="QRLUSDT"), order_payload(status=None), "order: status"),
    (partial(wire.read_order, symbol="QRLUSDT"), [order_payload()], "order: the whole"),
    (partial(wire.read_order, symbol="QRLUSDT"), order_payload(origQty=None), "order: origQty"),
    (partial(wire.read_orders, symbol="QRLUSDT"), order_payload(), "openOrders: the whole"),
    (wire.read_time, {"serverTime": "noon"}, "time: serverTime"),
    (wire.read_time, None, "time: the whole"),
    (wire.read_ack, None, "order: the whole"),
    (rules_of("QRL"), {"symbols": None}, "exchangeInfo: symbols"),
    (rules_of("QRL"), exchange_info_payload(filters=None), "exchangeInfo: symbols.0.filters"),
    (rules_of("QRL"), exchange_info_payload(isSpotTradingAllowed=None), "exchangeInfo: symbols.0.isSpotT"),
]


def test_a_field_of_the_wrong_type_is_refused_by_its_name() -> None:
    told = [(field, refusal(read, payload)) for read, payload, field in WRONG_TYPES]
    assert [(field, text) for field, text in told if not str(text).startswith(field)] == []


def test_candles_are_oldest_first_in_whatever_order_they_come() -> None:
    rows = [kline(**{"0": at, "6": at + 60_000})[0] for at in (120_000, 0, 60_000)]
    assert [milliseconds(candle.opens_at) for candle in wire.read_klines(rows)] == [0, 60_000, 120_000]


def test_several_faults_are_counted_and_the_first_is_named() -> None:
    with pytest.raises(UnreadablePayload, match=r"^ticker/price: symbol: .* \(and 1 more\)$"):
        wire.read_price({}, "QRLUSDT")


@pytest.mark.parametrize(
    ("read", "payload"),
    [
        (wire.read_ticker, ticker_payload(symbol="BTCUSDT")),
        (wire.read_price, {"symbol": "BTCUSDT", "price": "1"}),
        (wire.read_book_ticker, BOOK_TICKER | {"symbol": "BTCUSDT"}),
        (wire.read_order, order_payload(symbol="BTCUSDT")),
        (wire.read_orders, [order_payload(), order_payload(symbol="BTCUSDT")]),
    ],
)
def test_an_answer_about_another_symbol_is_refused(read: Callable[[Any, str], object], payload: Any) -> None:
    with pytest.raises(UnreadablePayload, match="asked for QRLUSDT, answered for BTCUSDT"):
        read(payload, "QRLUSDT")


@pytest.mark.parametrize(
    ("read", "payload"),
    [
        (read_account, account_payload(("QRL", "1", "0"))),
        (of_symbol(wire.read_ticker, "QRLUSDT"), ticker_payload()),
        (of_symbol(wire.read_price, "QRLUSDT"), price_payload()),
        (wire.read_depth, depth_payload()),
        (wire.read_fees, fee_payload()),
        (rules_of("QRL"), exchange_info_payload()),
        (of_symbol(wire.read_order, "QRLUSDT"), order_payload()),
        (wire.read_ack, {"orderId": "C02__1"}),
    ],
)
def test_fields_nobody_knows_are_ignored(read: Reader, payload: dict[str, Any]) -> None:
    assert read({**payload, "stpMode": "", "newField": {"deep": [1]}}) == read(payload)


def test_unknown_fields_within_entries_are_ignored() -> None:
    assert wire.read_deals([DEAL | {"tradeType": "BID"}]) == wire.read_deals([DEAL])
    assert rules(contractAddress="0x", conceptPlateIds=[50]) == rules()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[Reader, Any]:
    """A payload that would be read, with one part of it replaced by anything; and its reader."""
    read, payload, _ = draw(st.sampled_from(list(REQUIRED.values())))

    def damage(value: Any) -> Any:
        inner = (
            list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
        )
        if not inner or draw(st.integers(0, 4)) == 0:
            return draw(JSON)
        chosen = draw(st.sampled_from(inner))
        copy = value.copy()
        copy[chosen] = damage(value[chosen])
        return copy

    return read, damage(payload)


@PROPERTY
@given(damaged())
def test_a_payload_damaged_anywhere_is_read_or_unreadable_and_nothing_else(case: tuple[Reader, Any]) -> None:
    read, payload = case
    with suppress(UnreadablePayload):
        read(payload)


@PROPERTY
@given(JSON)
def test_no_payload_whatever_is_more_than_unreadable(payload: Any) -> None:
    """Each reader returns a value or raises UnreadablePayload: no other error, no default."""
    for read, _ in VERDICTS.values():
        with suppress(UnreadablePayload):
            read(payload)


@pytest.mark.parametrize("again", ["QRL", "qrl", " QRL", "\uff31\uff32\uff2c", "Q\u200bRL"])
def test_an_asset_that_is_listed_twice_is_no_balance(again: str) -> None:
    with pytest.raises(UnreadablePayload, match="listed 2 times"):
        read_account(account_payload(("QRL", "100", "0"), ("USDT", "1", "0"), (again, "5", "0")))


@pytest.mark.parametrize("name", ["usdt", " USDT", "\uff35\uff33\uff24\uff34", "\ufeffUSDT", "USDT\u00a0"])
def test_a_traded_asset_in_another_spelling_is_neither_it_nor_another(name: str) -> None:
    """Taken for another, the account would be without USDT, and the plan would sell half of the QRL."""
    with pytest.raises(UnreadablePayload, match=r"^account: balances: .* is USDT in another spelling$"):
        read_account(account_payload(("QRL", "100", "0"), (name, "5", "0")))


def test_another_asset_keeps_the_name_that_the_exchange_gives_it() -> None:
    names = {"QRL", "USDT", "\u5e01\u5b89\u4eba\u751f", "\uff2d\uff38", "usde"}
    assert read_account(account_payload(*((name, "1", "0") for name in names))).balances.keys() == names


@pytest.mark.parametrize("name", [None, "", " ", "\u200b", 7, "\ud800", "QR\udfff"])
def test_a_balance_that_does_not_say_of_what_is_left_out_only_where_other_rows_tell_both_assets(name: Any) -> None:
    row = {"asset": name, "free": "1", "locked": "0"}
    whole = account_payload(("QRL", "100", "0"), ("USDT", "1", "0"))
    whole["balances"].append(row)
    assert read_account(whole).balances.keys() == {"QRL", "USDT"}
    whole["balances"].pop(0)
    with pytest.raises(UnreadablePayload, match=r"^account: balances\.1\."):
        read_account(whole)


# What can be done without is left out and named


def test_a_row_that_nothing_rests_on_is_left_out_and_named(caplog: pytest.LogCaptureFixture) -> None:
    rows = account_payload(("QRL", "1", "0"), ("USDT", "2", "0"), ("MX", "many", "0"), ("ABC", "", "0"))
    account = read_account(rows)
    assert account.balances.keys() == {"QRL", "USDT"}
    book = wire.read_depth({"bids": [["2", "1"], ["1", "x"], [None]], "asks": [["3", "1"], ["4", "5"], {}]})
    assert [level.price for level in (*book.bids, *book.asks)] == [2, 3, 4]
    other = exchange_info_payload()["symbols"][0] | {"symbol": "ABCUSDT", "makerCommission": "free"}
    assert wire.read_rules({"symbols": [other, *exchange_info_payload()["symbols"]]}, QRL) == rules()
    theirs = order_payload(clientOrderId="web-1", price="market", symbol="QRLUSDT")
    assert len(wire.read_orders([theirs, order_payload()], "QRLUSDT")) == 1
    named = [
        "account: the balance of MX is left out: balances.2.free:",
        "account: the balance of ABC is left out: balances.3.free:",
        "depth: level 1 of the bids is left out: bids.1.1:",
        "depth: level 2 of the bids is left out: bids.2",
        "depth: level 2 of the asks is left out: asks.2:",
        "exchangeInfo: the symbol ABCUSDT is left out: symbols.0.makerCommission:",
        "openOrders: the order web-1 of somebody else is left out: 0.price:",
    ]
    messages = [record.getMessage() for record in caplog.records]
    assert [text for text, start in zip(messages, named, strict=True) if not text.startswith(start)] == []


def test_a_least_order_that_is_larger_than_the_largest_is_no_rule() -> None:
    with pytest.raises(UnreadablePayload, match="quoteAmountPrecision: the least order is larger"):
        rules(quoteAmountPrecision="2000001")
    assert rules(quoteAmountPrecision="5", maxQuoteAmount="5").min_notional == 5


def test_what_money_rests_on_stays_strict_and_so_does_a_row_that_does_not_say_what_it_is() -> None:
    ours = order_payload(clientOrderId="rb202601021200S0123456789abcd", price="market")
    strict: list[tuple[str, Reader, Any]] = [
        ("account: balances.0.free:", read_account, account_payload(("QRL", "many", "0"))),
        ("account: balances.0.free:", read_account, account_payload((" usdt", "many", "0"))),
        ("account: balances.0.asset:", read_account, account_payload((None, "1", "0"))),  # type: ignore[arg-type]
        ("depth: bids.0.1:", wire.read_depth, {"bids": [["1", "x"]], "asks": []}),
        ("openOrders: 0.price:", of_symbol(wire.read_orders, "QRLUSDT"), [ours]),
        ("openOrders: 0:", of_symbol(wire.read_orders, "QRLUSDT"), ["order"]),
    ]
    told = [(start, refusal(read, payload)) for start, read, payload in strict]
    assert [(start, text) for start, text in told if not str(text).startswith(start)] == []
