"""The simulated market: price paths, order book, tickers, trades and klines."""

import csv
import gzip
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from local.candles.formats import CandleFileError
from local.exchange import BookShape, Options
from local.exchange.candles import CandleSeries
from local.exchange.price_path import RandomWalk
from tests.conftest import SERIES
from tests.exchange_client import DirectClient, standing

MIDNIGHT = 1_772_323_200_000
NOON = MIDNIGHT + 43_200_000
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
ORIGIN = 1_640_995_200_000
COLUMNS = "open_time_ms,open,high,low,close,volume"


def walk(seed: int = 1, price: str = "0.02") -> RandomWalk:
    return RandomWalk(seed=seed, name="QRLUSDT", start_price=Decimal(price), start_ms=MIDNIGHT)


def candle_file(folder: Path, *rows: str) -> Path:
    """Candles whose times are counted from `ORIGIN`."""
    file = folder / "candles.csv.gz"
    rows = tuple(f"{ORIGIN + int(row.partition(',')[0])},{row.partition(',')[2]}" for row in rows)
    with gzip.open(file, "wt", encoding="ascii") as out:
        out.write("\n".join([COLUMNS, *rows]) + "\n")
    return file


def price_of(client: DirectClient) -> Any:
    answer: Any = client.public("ticker/price", symbol="QRLUSDT").json()
    assert answer["symbol"] == "QRLUSDT"
    return answer["price"]


def test_the_random_walk_stands_at_the_start_price_at_the_start() -> None:
    assert walk().price_at(MIDNIGHT) == Decimal("0.02")


def test_the_random_walk_gives_the_same_prices_in_whatever_order_it_is_asked() -> None:
    times = [MIDNIGHT + day * DAY + day * 7 * MINUTE for day in (0, 3, -400, 90, -1, 1)]
    forwards, backwards = walk(), walk()
    prices = [forwards.price_at(at) for at in times]
    assert [backwards.price_at(at) for at in reversed(times)] == prices[::-1]
    assert prices != [walk(seed=2).price_at(at) for at in times]


def test_the_random_walk_moves_from_minute_to_minute_and_stands_within_one() -> None:
    path = walk()
    prices = [path.price_at(NOON + i * MINUTE) for i in range(60)]
    assert len(set(prices)) == 60
    assert path.price_at(NOON) == path.price_at(NOON + MINUTE - 1)
    assert all(abs(later / earlier - 1) < Decimal("0.02") for earlier, later in pairwise(prices))


def test_bars_of_the_walk_join_up_and_hold_their_parts() -> None:
    path = walk()
    hour = path.bar(NOON, NOON + HOUR)
    minutes = [path.bar(NOON + i * MINUTE, NOON + (i + 1) * MINUTE) for i in range(60)]
    assert hour is not None
    parts = [bar for bar in minutes if bar is not None]
    assert (hour.open, hour.close) == (parts[0].open, parts[-1].close)
    assert (hour.high, hour.low) == (max(b.high for b in parts), min(b.low for b in parts))
    assert hour.volume == sum(b.volume for b in parts)
    assert all(earlier.close == later.open for earlier, later in pairwise(parts))


def test_a_candle_path_visits_open_low_high_and_close_of_a_rising_candle(tmp_path: Path) -> None:
    file = candle_file(tmp_path, "0,10,14,8,12,100", "60000,12,12,9,9,50")
    path = CandleSeries(file, start_ms=MIDNIGHT)
    prices = [path.price_at(MIDNIGHT + at) for at in (0, 20_000, 40_000, 59_999, 60_000, 119_999)]
    assert prices == [10, 8, 14, 12, 12, 9]
    bar = path.bar(MIDNIGHT, MIDNIGHT + 2 * MINUTE)
    assert bar is not None
    assert [bar.open, bar.high, bar.low, bar.close, bar.volume] == [10, 14, 8, 9, 150]


def test_in_a_gap_the_last_price_stays_the_book_thins_and_no_kline_is_made(tmp_path: Path) -> None:
    before, after = ("0,1,1,1,1,90", "60000,1,1.5,1,1.5,90"), ("240000,2,2,2,2,90", "300000,2,2,2,2,9")
    file = candle_file(tmp_path, *before, *after)
    client, clock = standing(MIDNIGHT + MINUTE, candles=file)
    busy = client.exchange.engine.markets["QRLUSDT"].book(clock.now_ms())
    clock.set(MIDNIGHT + 3 * MINUTE)
    assert price_of(client) == "1.500000"
    quiet = client.exchange.engine.markets["QRLUSDT"].book(clock.now_ms())
    assert quiet.asks[0].quantity * 4 < busy.asks[0].quantity
    rows: Any = client.public("klines", symbol="QRLUSDT", interval="1m").json()
    assert [row[0] - MIDNIGHT for row in rows] == [0, MINUTE]
    clock.set(MIDNIGHT + 5 * MINUTE)
    rows = client.public("klines", symbol="QRLUSDT", interval="1m").json()
    assert [row[0] - MIDNIGHT for row in rows] == [0, MINUTE, 4 * MINUTE, 5 * MINUTE]


def test_after_the_last_candle_the_price_stays(tmp_path: Path) -> None:
    file = candle_file(tmp_path, "0,1,1,1,1,1", "60000,1,3,1,3,1")
    client, _ = standing(MIDNIGHT + DAY - 1, candles=file)
    assert price_of(client) == "3.000000"


def test_a_candle_series_scaled_to_a_start_price_keeps_returns_and_traded_value(tmp_path: Path) -> None:
    file = candle_file(tmp_path, "0,40000,41000,39000,40000,2", "60000,40000,42000,40000,42000,2")
    path = CandleSeries(file, start_ms=MIDNIGHT, start_price=Decimal("0.02"))
    assert path.price_at(MIDNIGHT) == Decimal("0.02")
    assert path.price_at(MIDNIGHT + 2 * MINUTE) == Decimal("0.021")
    bar = path.bar(MIDNIGHT, MIDNIGHT + MINUTE)
    assert bar is not None
    assert bar.volume == 4_000_000


def test_a_candle_series_can_start_in_its_middle_so_that_the_rest_is_history(tmp_path: Path) -> None:
    file = candle_file(tmp_path, "0,1,1,1,1,1", "60000,2,2,2,2,1", "120000,3,3,3,3,1")
    client, _ = standing(MIDNIGHT, candles=file, candles_from_ms=ORIGIN + 120_000)
    rows: Any = client.public("klines", symbol="QRLUSDT", interval="1m").json()
    assert [(row[0] - MIDNIGHT, row[1]) for row in rows] == [
        (-2 * MINUTE, "1.000000"),
        (-MINUTE, "2.000000"),
        (0, "3.000000"),
    ]


@pytest.mark.parametrize(
    "rows",
    [
        ("0,1,1,1,1,1", "0,1,1,1,1,1"),
        ("0,1,1,2,1,1",),
        ("0,1,NaN,1,1,1",),
        ("0,1,1,1,,1",),
        ("0,0,1,0,1,1",),
        (),
    ],
)
def test_a_candle_file_that_makes_no_sense_is_refused(tmp_path: Path, rows: tuple[str, ...]) -> None:
    with pytest.raises(CandleFileError):
        CandleSeries(candle_file(tmp_path, *rows), start_ms=MIDNIGHT)


def test_a_candle_file_with_other_columns_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "candles.csv"
    file.write_text("time,price\n0,1\n")
    with pytest.raises(CandleFileError):
        CandleSeries(file, start_ms=MIDNIGHT)


@pytest.mark.skipif(not SERIES.is_dir(), reason=f"no price series at {SERIES}")
@pytest.mark.parametrize("name", ["btcusd-1m-2022-01.csv.gz", "adabtc-5m-2018-01.csv.gz"])
def test_a_real_series_scaled_to_the_price_of_qrl_is_replayed_candle_by_candle(name: str) -> None:
    file = SERIES / name
    with gzip.open(file, "rt") as lines:
        candles = list(csv.DictReader(lines))[:300]
    factor = Decimal("0.02") / Decimal(candles[0]["open"])
    path = CandleSeries(file, start_ms=MIDNIGHT, start_price=Decimal("0.02"))
    shift = MIDNIGHT - int(candles[0]["open_time_ms"])
    for candle in candles:
        at_ms = int(candle["open_time_ms"]) + shift
        bar = path.bar(at_ms, at_ms + path.width_ms)
        assert bar is not None
        for name_, price in (("open", bar.open), ("high", bar.high), ("low", bar.low), ("close", bar.close)):
            assert abs(price - Decimal(candle[name_]) * factor) < Decimal("1e-12")


def test_the_book_lies_around_the_mid_price_with_the_depth_asked_for() -> None:
    client, _ = standing(NOON, book=BookShape(levels=3, notional_per_side=Decimal(2_000)))
    client.sim("POST", "price", price="0.0205")
    book: Any = client.public("depth", symbol="QRLUSDT").json()
    bids = [(Decimal(price), Decimal(quantity)) for price, quantity in book["bids"]]
    asks = [(Decimal(price), Decimal(quantity)) for price, quantity in book["asks"]]
    assert len(bids) == len(asks) == 3
    prices = [price for price, _ in (*bids[::-1], *asks)]
    assert prices == sorted(set(prices))
    assert bids[0][0] < Decimal("0.0205") < asks[0][0]
    spread = (asks[0][0] - bids[0][0]) / Decimal("0.0205")
    assert Decimal("0.0009") < spread < Decimal("0.0012")
    for side in (bids, asks):
        assert 1_200 < sum(price * quantity for price, quantity in side) < 2_800


def test_levels_of_the_book_may_come_in_any_order() -> None:
    client, clock = standing(NOON, book=BookShape(levels=8, shuffled=True))
    book: Any = client.public("depth", symbol="QRLUSDT").json()
    prices = [Decimal(price) for price, _ in book["asks"]]
    assert prices != sorted(prices)
    assert book["timestamp"] == clock.now_ms()


def test_a_coarse_tick_leaves_separate_levels() -> None:
    client, _ = standing(NOON)
    client.sim("POST", "rules", quotePrecision=4, quoteAssetPrecision=4)
    client.sim("POST", "price", price="0.02")
    book: Any = client.public("depth", symbol="QRLUSDT").json()
    assert [price for price, _ in book["bids"]] == ["0.0199", "0.0198", "0.0197"]
    assert [price for price, _ in book["asks"]] == ["0.0201", "0.0202", "0.0203"]


def test_a_pinned_price_is_answered_exactly_and_given_back_when_unpinned() -> None:
    client, clock = standing(NOON)
    free = price_of(client)
    client.sim("POST", "price", price="0.02050")
    clock.advance(HOUR)
    assert price_of(client) == "0.02050"
    clock.set(NOON)
    client.sim("POST", "price", price=None)
    assert price_of(client) == free


def test_the_day_ticker_gives_the_change_as_a_fraction_and_a_window_of_seconds() -> None:
    client, clock = standing(NOON)
    client.sim("POST", "price", price="0.02")
    clock.advance(2 * DAY)
    client.sim("POST", "price", price="0.0205")
    ticker: Any = client.public("ticker/24hr", symbol="QRLUSDT").json()
    assert (ticker["priceChangePercent"], ticker["priceChange"]) == ("0.025", "0.000500")
    assert (ticker["lastPrice"], ticker["openPrice"]) == ("0.0205", "0.020000")
    assert ticker["closeTime"] - ticker["openTime"] < MINUTE
    assert ticker["count"] is None


def test_the_day_ticker_can_lack_what_the_exchange_sometimes_leaves_out() -> None:
    client, _ = standing(NOON, options=Options(bare_ticker=True))
    ticker: Any = client.public("ticker/24hr", symbol="QRLUSDT").json()
    names = ("bidQty", "askQty", "quoteVolume", "count")
    assert [ticker[name] for name in names] == ["", "", None, None]


def test_tickers_without_a_symbol_are_lists_with_mx_in_them() -> None:
    client, _ = standing(NOON)
    for path in ("ticker/24hr", "ticker/price", "ticker/bookTicker"):
        rows: Any = client.public(path).json()
        assert [row["symbol"] for row in rows] == ["QRLUSDT", "MXUSDT"]


def test_an_empty_side_of_the_book_is_null_in_the_book_ticker() -> None:
    client, _ = standing(NOON, book=BookShape(levels=0))
    assert client.public("ticker/bookTicker", symbol="QRLUSDT").json() == {
        "symbol": "QRLUSDT",
        "bidPrice": None,
        "bidQty": None,
        "askPrice": None,
        "askQty": None,
    }


def test_klines_have_eight_columns_close_at_the_next_opening_and_end_unfinished() -> None:
    client, _ = standing(NOON + 90_000)
    rows: Any = client.public("klines", symbol="QRLUSDT", interval="60m", limit=3).json()
    assert [len(row) for row in rows] == [8, 8, 8]
    assert [row[0] for row in rows] == [NOON - 2 * HOUR, NOON - HOUR, NOON]
    assert all(row[6] == row[0] + HOUR for row in rows)
    assert rows[-1][4] == price_of(client)


def test_daily_bars_open_at_midnight_utc_weeks_on_monday_and_months_on_the_first() -> None:
    client, _ = standing(NOON)
    for interval, opening in (
        ("1d", MIDNIGHT),
        ("1W", 1_771_804_800_000),  # Monday 2026-02-23
        ("1M", MIDNIGHT),  # 2026-03-01
    ):
        rows: Any = client.public("klines", symbol="QRLUSDT", interval=interval, limit=2).json()
        assert rows[-1][0] == opening
        assert rows[0][6] == opening


def test_the_hour_is_called_60m_and_1h_is_refused_with_the_code_of_an_invalid_symbol() -> None:
    client, _ = standing(NOON)
    refused = client.public("klines", symbol="QRLUSDT", interval="1h")
    assert refused.status == 400
    assert refused.json() == {"msg": "Invalid interval.", "code": -1121, "_extend": None}
    unknown = client.public("klines", symbol="NOPEUSDT", interval="60m")
    assert unknown.json() == {"msg": "Invalid symbol.", "code": -1121, "_extend": None}


def test_a_start_without_an_end_is_ignored_and_the_newest_bars_come_back() -> None:
    client, _ = standing(NOON)
    newest = client.public("klines", symbol="QRLUSDT", interval="1d", limit=2).json()
    old = MIDNIGHT - 90 * DAY
    assert client.public("klines", symbol="QRLUSDT", interval="1d", limit=2, startTime=old).json() == newest
    both: Any = client.public(
        "klines", symbol="QRLUSDT", interval="1d", limit=2, startTime=old, endTime=old + 5 * DAY
    ).json()
    assert [row[0] for row in both] == [old, old + DAY]


def test_the_end_of_a_kline_window_is_exclusive_and_finished_bars_never_change() -> None:
    client, clock = standing(NOON)
    window = {"symbol": "QRLUSDT", "interval": "5m", "startTime": NOON - HOUR, "endTime": NOON}
    rows: Any = client.public("klines", **window).json()
    assert len(rows) == 12
    clock.advance(3 * HOUR)
    assert client.public("klines", **window).json() == rows


def test_bars_that_were_finished_are_unfinished_again_when_the_clock_goes_back() -> None:
    client, clock = standing(NOON + 90_000)
    clock.advance(HOUR)
    later: Any = client.public("klines", symbol="QRLUSDT", interval="60m", limit=2).json()
    clock.set(NOON + 90_000)
    rows: Any = client.public("klines", symbol="QRLUSDT", interval="60m", limit=1).json()
    assert rows[0][0] == later[0][0]
    assert rows[0][5] != later[0][5]
    assert rows[0][4] == price_of(client)


def test_past_bars_follow_a_change_of_the_tick() -> None:
    client, _ = standing(NOON)
    query = {"symbol": "QRLUSDT", "interval": "60m", "startTime": NOON - HOUR, "endTime": NOON}
    fine: Any = client.public("klines", **query).json()
    client.sim("POST", "rules", quotePrecision=4)
    coarse: Any = client.public("klines", **query).json()
    assert (len(fine[0][1]), len(coarse[0][1])) == (len("0.020000"), len("0.0200"))


def test_at_most_500_bars_come_back_whatever_the_documents_say() -> None:
    client, _ = standing(NOON)
    rows: Any = client.public("klines", symbol="QRLUSDT", interval="1m", limit=1000).json()
    assert len(rows) == 500


def test_public_trades_are_newest_first_and_have_no_id() -> None:
    client, _ = standing(NOON)
    rows: Any = client.public("trades", symbol="QRLUSDT", limit=50).json()
    times = [row["time"] for row in rows]
    assert len(rows) == 50
    assert times == sorted(times, reverse=True)
    assert times[0] <= NOON
    assert all(row["id"] is None for row in rows)
    assert {row["tradeType"] for row in rows} == {"BID", "ASK"}


def test_two_exchanges_with_one_seed_say_the_same() -> None:
    first, second = (standing(NOON, seed=11)[0] for _ in range(2))
    other = standing(NOON, seed=12)[0]
    for path in ("depth", "trades", "ticker/24hr"):
        answers = [c.public(path, symbol="QRLUSDT").body for c in (first, second, other)]
        assert answers[0] == answers[1] != answers[2]


@pytest.mark.parametrize(("way", "symbols"), [("empty", []), ("error", None)])
def test_exchange_info_of_an_unknown_symbol_is_empty_or_an_error(way: Any, symbols: list[str] | None) -> None:
    client, _ = standing(NOON, options=Options(unknown_symbol_info=way))
    answer: Any = client.public("exchangeInfo", symbol="NOPEUSDT").json()
    assert answer.get("symbols") == symbols
    assert ("code" in answer) == (symbols is None)


def test_exchange_info_lists_all_one_or_several_symbols() -> None:
    client, _ = standing(NOON)
    for query, count in (({}, 2), ({"symbol": "QRLUSDT"}, 1), ({"symbols": "QRLUSDT,MXUSDT"}, 2)):
        answer: Any = client.public("exchangeInfo", **query).json()
        assert len(answer["symbols"]) == count


def test_a_start_between_two_candles_leaves_them_on_the_grid_of_klines(tmp_path: Path) -> None:
    file = candle_file(tmp_path, "0,1,1,1,1,1", "60000,2,2,2,2,1")
    client, _ = standing(MIDNIGHT + 30_500, start_ms=MIDNIGHT + 30_500, candles=file)
    rows: Any = client.public("klines", symbol="QRLUSDT", interval="1m").json()
    assert [(row[0] - MIDNIGHT, row[1]) for row in rows] == [(0, "1.000000")]
