"""Candle files: formats told by header and width, refusals that name the line, gaps, the cache."""

import gzip
import io
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from local.candles import cache
from local.candles.files import load, read
from local.candles.formats import CandleFileError
from local.candles.series import Bar, Candles
from tests.builders import ds

FIRST, SECOND = 1_735_689_600_000, 1_735_689_660_000
PRICES = ("0.0201", "0.0204", "0.0199", "0.0203", "1500.5"), ("0.0203", "0.0203", "0.02", "0.02", "0")
BARS = [Bar(*ds(*prices)) for prices in PRICES]
OURS = "open_time_ms,open,high,low,close,volume\n"
ROWS = "".join(f"{at},{','.join(row)}\n" for at, row in zip((FIRST, SECOND), PRICES, strict=True))


def binance(factor: int) -> str:
    """Rows of Binance Vision; `factor` 1000 makes them microseconds, as spot has had since 2025."""
    return "".join(
        f"{at * factor},{','.join(row)},{at * factor + 59_999},30.5,12,700.1,14.2,0\n"
        for at, row in zip((FIRST, SECOND), PRICES, strict=True)
    )


def zipped(text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("QRLUSDT-1m-2025-01.csv", text)
    return packed.getvalue()


def damaged(packed: bytes) -> bytes:
    """With a byte in the middle turned over."""
    return packed[:60] + bytes([packed[60] ^ 0xFF]) + packed[61:]


def locked(archive: bytes) -> bytes:
    """With the flag of a password set, in the entry and in the directory."""
    entry, directory = archive.index(b"PK\x03\x04") + 6, archive.index(b"PK\x01\x02") + 8
    return bytes(byte | (at in (entry, directory)) for at, byte in enumerate(archive))


def json_rows(*ends: str, quote: str = "") -> str:
    rows = zip((FIRST, SECOND), PRICES, ends or ("", ""), strict=True)
    return (
        "[" + ", ".join(f"[{at}, {', '.join(quote + n + quote for n in row)}{end}]" for at, row, end in rows) + "]"
    )


BINANCE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore\n"
)
SAMPLES: dict[str, tuple[str, str | bytes]] = {
    "ours": ("ours", OURS + ROWS),
    "ours, gzip": ("ours", gzip.compress((OURS + ROWS).encode())),
    "ours, no end of the last line": ("ours", (OURS + ROWS).rstrip()),
    "ours, Windows": ("ours", ("\ufeff" + OURS + ROWS).replace("\n", "\r\n")),
    "Binance in ms": ("Binance Vision", binance(1)),
    "Binance in µs, header, zip": ("Binance Vision", zipped(BINANCE_HEADER + binance(1000))),
    "MEXC klines": ("MEXC klines", json_rows(f', {SECOND}, "30.5"', f', {SECOND + 60_000}, "0"', quote='"')),
    "ccxt JSON, freqtrade": ("ccxt", json_rows()),
    "ccxt CSV": ("ccxt", ROWS),
    "seconds": ("CSV with a header", "timestamp,open,high,low,close,volume\n" + ROWS.replace("000,0.", ",0.")),
    "nanoseconds": ("ccxt", ROWS.replace("000,0.", "000000000,0.")),
    "CryptoDataDownload": (
        "CryptoDataDownload",
        "https://www.CryptoDataDownload.com\n"
        "Unix,Date,Symbol,Open,High,Low,Close,Volume QRL,Volume USDT,tradecount\n"
        f"{SECOND},2025-01-01 00:01:00,QRLUSDT,{','.join(PRICES[1])},0,0\n"
        f"{FIRST // 1000},2025-01-01 00:00:00,QRLUSDT,{','.join(PRICES[0])},30.5,9\n",
    ),
    "dates, quoted": (
        "CSV with a header",
        '"Date","Open","High","Low","Close","Volume"\n'
        f'"2025-01-01 00:00:00",{",".join(PRICES[0])}\n"2025-01-01T00:01:00+00:00",{",".join(PRICES[1])}\n',
    ),
}


def written(folder: Path, content: str | bytes, name: str = "candles") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def bars(candles: Candles) -> list[Bar]:
    return [candles.bar(index) for index in range(len(candles))]


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_format_gives_the_same_candles(tmp_path: Path, sample: str) -> None:
    name, content = SAMPLES[sample]
    candles = read(written(tmp_path, content))
    assert (candles.format, list(candles.times), bars(candles)) == (name, [FIRST, SECOND], BARS)
    assert (candles.width_ms, candles.gaps, candles.missing) == (60_000, 0, 0)


def refused(folder: Path, content: str | bytes) -> str:
    with pytest.raises(CandleFileError) as caught:
        read(written(folder, content))
    return str(caught.value).removeprefix("candles: ")


def test_what_is_wrong_is_refused_with_its_line(tmp_path: Path) -> None:
    first, second = ROWS.splitlines(keepends=True)
    cases: dict[str | bytes, str] = {
        OURS + first + first: "line 3: the time 1735689600000 is a duplicate",
        OURS + second + first: "line 3: unsorted: the time 1735689600000 is earlier than the one before",
        OURS + "\n" + first + second.replace("0.02,", "nan,"): "line 4: a number is not finite",
        OURS + first.replace("1500.5", "inf"): "line 2: a number is not finite",
        OURS + first.replace("0.0204", "0.0198"): "line 2: the high 0.0198 is below the low 0.0199",
        OURS + first.replace("0.0203", "0.0205"): "line 2: the prices contradict each other",
        OURS + first.replace("0.0199", "0"): "line 2: the prices contradict each other",
        OURS + first.replace("1500.5", "-1"): "line 2: the volume -1 is negative",
        OURS + first + "what,is,this,to,be,?\n": "line 3: is no candle: what,is,this",
        OURS + first + second.replace(",0\n", "\n"): "line 3: has 5 columns, not 6",
        OURS + first.replace("\n", ",7\n") + second.replace(",0\n", "\n"): "line 2: has 7 columns, not 6",
        OURS + first + second.replace("000,0.", ",0."): (
            "line 3: the time 1735689660 is in seconds, the one before in milliseconds"
        ),
        OURS + first.replace("000,0.", "000000,0.") + second: (
            "line 3: the time 1735689660000 is in milliseconds, the one before in microseconds"
        ),
        OURS + first + second.replace(str(SECOND), "2025-01-01 00:01"): (
            "line 3: the time 2025-01-01 00:01 is in dates, the one before in milliseconds"
        ),
        "\n".join(["https://x", "Unix,Open,High,Low,Close,Volume", second.replace("000,0.", ",0."), first]): (
            "line 5: the time 1735689600000 is in milliseconds, the one before in seconds"
        ),
        OURS: "no candles after line 1",
        "": "no candles: the file is empty",
        "[]": "no candles: the array is empty",
        "1,2,3\n": "line 1: no header, and 3 columns",
        "when,open,high,low,close,volume\n": "line 1: the header names no time",
        json_rows().replace("0.0203", "null"): "row 1: is no candle",
        json_rows().replace("1735689660000", "1735689600000"): "row 2: the time 1735689600000 is a duplicate",
        json_rows()[:-1]: "row 1: JSON is read as an array of rows",
        gzip.compress((OURS + ROWS).encode())[:-9]: "cannot be read as text, gzip or zip",
        damaged(gzip.compress((OURS + ROWS).encode())): "cannot be read as text, gzip or zip",
        damaged(zipped(OURS + ROWS)): "cannot be read as text, gzip or zip",
        b"PK" + zipped(OURS + ROWS)[30:]: "cannot be read ([Errno 22]",
        locked(zipped(OURS + ROWS)): "cannot be read as text, gzip or zip",
        OURS + f"{FIRST},1e300,1e300,1e300,1e300,1e300\n{SECOND},1e300,1e308,1e300,1e300,1e308\n": (
            "line 2: no market has such numbers, below 1e-30 or above 1e+30: 1e300"
        ),
        OURS + first + second.replace("0.02,", "1e-31,"): "line 3: no market has such numbers",
        OURS + first.replace("1500.5", "1e31"): "line 2: no market has such numbers",
        OURS + first.replace(str(FIRST), str(FIRST) + 12 * "7"): (
            "line 2: the time 1735689600000777777777777 is not between 1970 and 5138"
        ),
        OURS + "\n" + first.replace(str(FIRST), str(-FIRST)): "line 3: the time -1735689600000 is not between",
        OURS + first.replace(str(FIRST), "1969-12-31"): "line 2: the time 1969-12-31 is not between",
        OURS + first.replace(str(FIRST), "1e999999999"): "line 2: is no candle: 1e999999999",
        (OURS + first).encode() + b"\xff\xfe" + second.encode(): "line 3: is no UTF-8 text: \ufffd\ufffd1735689",
        OURS.encode() + b"\xe9\n": "line 2: is no UTF-8 text: \ufffd",
        OURS + first + "9" * 200_000 + second: "line 3: has 1 columns, not 6",
        OURS + first + "\x1b[31m,1,1,1,1,1\n": "line 3: is no candle: ?[31m,1,",
        OURS + (first + second).replace(f"{FIRST}", f'"{FIRST}"').replace("\n", ",7\n"): "line 2: has 7 columns",
        (OURS + first.replace("\n", ",7\n") + second.replace(",0\n", "\n")).replace("\n", "\r"): "line 2: has 7",
    }
    told = {content: refused(tmp_path, content) for content in cases}
    assert {content: text for content, text in told.items() if not text.startswith(cases[content])} == {}


def test_a_unit_may_become_finer_as_exporters_have_changed_theirs(tmp_path: Path) -> None:
    def lines(*factors: float) -> str:
        return "".join(f"{round((FIRST + 60_000 * n) * f)},2,3,1,2,5\n" for n, f in enumerate(factors))

    year = read(written(tmp_path, OURS + lines(1, 1, 1000, 1000)))
    assert list(year.times) == [FIRST + 60_000 * n for n in range(4)]
    assert refused(tmp_path, OURS + lines(1, 1000, 1, 1000)).startswith(
        "line 4: the time 1735689720000 is in milli"
    )
    long = [1.0] * 3000
    assert len(read(written(tmp_path, OURS + lines(*long, 1000)))) == 3001
    assert refused(tmp_path, OURS + lines(*long, 0.001)).startswith("line 3002: the time 1735869600 is in seconds")


@pytest.mark.parametrize("blank", ["\n", "\r\n", "  \t\n"])
def test_a_blank_line_is_no_row_wherever_it_stands(tmp_path: Path, blank: str) -> None:
    first, second = ROWS.splitlines(keepends=True)
    for content in (OURS + first + blank + second, OURS + blank + ROWS + blank, first + blank * 3 + second):
        assert bars(read(written(tmp_path, content))) == BARS
    assert refused(tmp_path, OURS + first + blank + first).startswith("line 4: the time")


def test_the_line_is_right_far_into_a_long_file(tmp_path: Path) -> None:
    lines = [f"{FIRST + 60_000 * n},2,3,1,2,5\n" for n in range(9000)]
    lines[8700] = lines[8699]
    assert refused(tmp_path, OURS + "".join(lines)).startswith("line 8702: the time")


def test_gaps_are_kept_and_counted(tmp_path: Path) -> None:
    minutes = [0, 1, 2, 5, 6, 20, 21]
    candles = read(written(tmp_path, OURS + "".join(f"{FIRST + 60_000 * n},2,3,1,2,5\n" for n in minutes)))
    assert (len(candles), candles.gaps, candles.missing) == (7, 2, 15)


def test_digits_that_a_double_cannot_hold_are_kept(tmp_path: Path) -> None:
    long = "123456789.123456789012"
    candles = read(written(tmp_path, f"{OURS}{FIRST},0.1,0.3,0.1,0.30000000000000001,{long}\n"))
    assert candles.close[0] == Decimal("0.30000000000000001")
    assert candles.volume[0] == Decimal(long)
    assert candles.open[0] == Decimal("0.1")


def test_a_long_file_comes_from_the_cache_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lines = [f"{FIRST + 60_000 * n},2,3,1,2.{n},5\n" for n in range(50_000)]
    lines[0] = f"{FIRST},2,3,1,2.1234567890123456789,5\n"
    path = written(tmp_path, OURS + "".join(lines))
    parsed = load(path)
    kept = cache.find(path)
    assert kept is not None
    assert kept == parsed
    assert load(path).close[0] == Decimal("2.1234567890123456789")
    written(tmp_path, OURS + "".join(lines[:-1]))
    assert cache.find(path) is None
    assert len(load(path)) == 49_999
    entry = next((tmp_path / "cache").rglob("*.bin"))
    entry.write_bytes(entry.read_bytes()[:1000])
    assert len(load(path)) == 49_999
