"""One error for every answer of the exchange: the table of exchange.md §3, kept code by code."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import (
    AccessRefused,
    ClockRefused,
    ExchangeError,
    ExchangeRefused,
    ExchangeUnavailable,
    InsufficientFunds,
    MarketOrdersClosed,
    OrderRefused,
    OutcomeUnknown,
    RateLimited,
    SymbolHalted,
    UnknownOrder,
)
from common.mexc.errors import CLASS_OF_CODE, class_of, code_of, error_for, is_error
from tests.builders import PROPERTY
from tests.conftest import PAYLOADS, ROOT, needs_payloads

REFERENCE = ROOT / "docs" / "exchange.md"
RECORDED = sorted(PAYLOADS.glob("error_*.json"))
ERROR_OF_CLASS = {
    "S": AccessRefused,
    "C": OrderRefused,
    "F": InsufficientFunds,
    "H": SymbolHalted,
    "M": MarketOrdersClosed,
    "N": UnknownOrder,
    "Y": ClockRefused,
    "T": RateLimited,
}
"""All but U, whose error depends on whether a write is at stake."""

# The table of the reference


def documented() -> dict[int, str]:
    """The codes of exchange.md §3.3 with the text of their class column."""
    section = REFERENCE.read_text().split("### 3.3 Codes", 1)[1].split("### 3.4", 1)[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return {code: row[2] for row in rows[2:] for code in codes(row[0])}


def codes(cell: str) -> list[int]:
    """Codes as the table writes them: `−1121`, `701–704`, `30027 / 30028`, `140001/2`, `7300xx`."""
    text = cell.replace("*", "").replace("−", "-")
    text = re.sub(r"(\d{5})(\d)/(\d)\b", r"\1\2, \1\3", text)
    found: list[int] = []
    for part in re.split(r"[,/]", text):
        if match := re.fullmatch(r"(\d+)–(\d+)", part.strip()):
            found += range(int(match[1]), int(match[2]) + 1)
        elif match := re.fullmatch(r"(\d+)xx", part.strip()):
            found += range(int(match[1]) * 100, int(match[1]) * 100 + 100)
        elif re.fullmatch(r"-?\d+", part.strip()):
            found.append(int(part))
    return found


def letters(cell: str) -> set[str]:
    """The classes that a class column allows."""
    if cell.startswith("switch to LIMIT type"):
        return {"M"}
    if cell == "by text":
        return {"C", "S"}
    if "U" in re.split(r"\W+", cell):
        return {"U"}
    return set(re.findall(r"\b[SCFHTNY]\b", cell))


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("−1121", [-1121]),
        ("**10007**", [10007]),
        ("401, 403, 406, 511, 701–704", [401, 403, 406, 511, 701, 702, 703, 704]),
        ("30027 / 30028", [30027, 30028]),
        ("30019, **30051**", [30019, 30051]),
        ("140001/2", [140001, 140002]),
        ("anything else", []),
    ],
)
def test_the_reader_of_the_table_understands_its_ways_of_writing_codes(cell: str, expected: list[int]) -> None:
    assert codes(cell) == expected


def test_every_documented_code_is_mapped_to_one_of_the_classes_its_row_allows() -> None:
    table = documented()
    assert len(table) > 300, "the table was not read"
    wrong = {
        code: (class_of(code, ""), cell) for code, cell in table.items() if class_of(code, "") not in letters(cell)
    }
    assert wrong == {}


def test_no_code_is_mapped_that_the_reference_does_not_know() -> None:
    assert set(CLASS_OF_CODE) - set(documented()) == set()


def test_all_that_is_documented_one_by_one_is_in_the_table_one_by_one() -> None:
    blocks = {code for code in documented() if code // 100 in (7300, 7306, 7307)}
    assert set(documented()) - blocks == set(CLASS_OF_CODE)


@pytest.mark.parametrize("code", [730000, 730002, 730099, 730600, 730703, 730799])
def test_the_codes_of_key_management_stop_the_bot(code: int) -> None:
    assert class_of(code, "") == "S"


@pytest.mark.parametrize("code", [0, 200, 1, 730100, 730800, -1003, 987654])
def test_a_code_that_is_not_listed_has_no_class(code: int) -> None:
    assert class_of(code, "") is None


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("api key required", "S"),
        ("Api Key required", "S"),
        (" amount scale is invalid", "C"),
        ("quantity scale is invalid", "C"),
        ("The start time cannot be earlier than 90 days", "C"),
        ("", "C"),
    ],
)
def test_code_400_is_told_apart_by_its_text(text: str, letter: str) -> None:
    assert class_of(400, text) == letter


def test_every_listed_code_becomes_the_error_of_its_class() -> None:
    wrong = []
    for code, letter in CLASS_OF_CODE.items():
        for write in (False, True):
            expected = ERROR_OF_CLASS.get(letter, OutcomeUnknown if write else ExchangeUnavailable)
            error = error_for(400, {"code": code, "msg": "text"}, write=write)
            told = error.exchange_code if isinstance(error, ExchangeRefused) else code
            if type(error) is not expected or told != code:
                wrong.append((code, write, error))
    assert wrong == []


# The recorded errors

VERDICTS: dict[str, type[ExchangeError]] = {
    "error_10007_bad_symbol.json": SymbolHalted,
    "error_10007_symbol.json": SymbolHalted,
    "error_30002_min_notional.json": OrderRefused,
    "error_30004_insufficient.json": InsufficientFunds,
    "error_30005_oversold.json": InsufficientFunds,
    "error_30018_account.json": AccessRefused,
    "error_30051_market_disabled.json": MarketOrdersClosed,
    "error_400_amount_scale.json": OrderRefused,
    "error_400_api_key_required.json": AccessRefused,
    "error_400_history_range.json": OrderRefused,
    "error_400_quantity_scale.json": OrderRefused,
    "error_429_rate.json": RateLimited,
    "error_503_unknown.json": OutcomeUnknown,
    "error_700002_signature.json": AccessRefused,
    "error_700003_timestamp.json": ClockRefused,
    "error_700004_no_signature.json": OrderRefused,
    "error_700007_permission.json": AccessRefused,
    "error_700013_content_type.json": OrderRefused,
    "error_minus1121_interval.json": OrderRefused,
    "error_minus1121_symbol.json": OrderRefused,
    "error_minus1128_params.json": OrderRefused,
    "error_minus2011_unknown_order.json": UnknownOrder,
    "error_minus2013_not_found.json": UnknownOrder,
}


@needs_payloads
def test_every_recorded_error_has_its_verdict_and_a_read_no_unknown_outcome() -> None:
    wrong: list[tuple[str, object]] = []
    for path in RECORDED:
        recorded, expected = json.loads(path.read_text()), VERDICTS[path.name]
        status, body = recorded["http_status"], recorded["body"]
        error = error_for(status, body, write=True, where="order")
        start, text = f"order: HTTP {status}, code {body['code']}", body.get("msg", "").strip()
        if not is_error(status, body) or type(error) is not expected:
            wrong.append((path.name, error))
        if not str(error).startswith(start) or text not in str(error):
            wrong.append((path.name, str(error)))
        read = error_for(status, body, write=False)
        if type(read) is not (ExchangeUnavailable if expected is OutcomeUnknown else expected):
            wrong.append((path.name, read))
    assert wrong == []


# What is an error at all


@pytest.mark.parametrize("code", [0, 200, "0", "200"])
def test_the_codes_of_success_are_no_errors(code: Any) -> None:
    assert not is_error(200, {"data": [], "code": code, "msg": None})


@pytest.mark.parametrize("payload", [{}, [], [{"code": 30002, "msg": "one of a batch"}], {"orderId": "1"}, None, 5])
def test_an_answer_without_a_code_is_judged_by_its_status(payload: Any) -> None:
    assert not is_error(200, payload)
    assert not is_error(201, payload)
    assert is_error(400, payload)
    assert is_error(300, payload)


@pytest.mark.parametrize("code", [10007, "30021", -1121, 1, 201, None, "", "none", True, False, [], 200.5])
def test_another_code_is_an_error_also_with_http_200(code: Any) -> None:
    assert is_error(200, {"code": code})


@pytest.mark.parametrize("code", [0, 200])
def test_a_status_of_failure_is_an_error_whatever_the_code_says(code: int) -> None:
    assert is_error(500, {"code": code})


# The five shapes, and none

SHAPES = {
    "code and msg": ({"code": 30005, "msg": "Oversold"}, "Oversold"),
    "market data": ({"msg": "Oversold", "code": 30005, "_extend": None}, "Oversold"),
    "data for msg": ({"code": 30005, "data": "operation not allowed"}, "operation not allowed"),
    "message": ({"success": False, "code": 30005, "message": "Oversold"}, "Oversold"),
    "code as a string": ({"code": "30005", "msg": "Oversold"}, "Oversold"),
    "no text": ({"code": 30005}, ""),
    "text that is no text": ({"code": 30005, "msg": {"en": "Oversold"}, "data": []}, ""),
}


@pytest.mark.parametrize(("payload", "text"), SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("status", [200, 400])
def test_all_shapes_of_a_refusal_are_read_alike(status: int, payload: Any, text: str) -> None:
    error = error_for(status, payload, write=True, where="order")
    assert type(error) is InsufficientFunds
    assert error.exchange_code == 30005
    assert str(error) == f"order: HTTP {status}, code 30005" + (f": {text}" if text else "")


def test_the_operation_that_is_not_allowed_stops_the_bot() -> None:
    assert type(error_for(400, {"code": 26, "data": "operation not allowed"}, write=False)) is AccessRefused


@pytest.mark.parametrize(
    ("code", "number"),
    [(30021, 30021), ("30021", 30021), ("-2013", -2013), (-2013, -2013), ("0", 0)],
)
def test_a_code_is_a_number_or_the_text_of_one(code: Any, number: int) -> None:
    assert code_of({"code": code}) == number


@pytest.mark.parametrize("code", [None, "", "-", "--5", "abc", "1.5", True, [], {}, 1.5])
def test_what_is_no_code_is_none(code: Any) -> None:
    assert code_of({"code": code}) is None


@pytest.mark.parametrize("payload", [None, [], "30005", 30005, {}])
def test_a_body_without_a_code_has_none(payload: Any) -> None:
    assert code_of(payload) is None


NO_BODY: dict[str, Any] = {"no JSON, HTML or empty": None, "an object without a code": {"msg": "?"}, "a list": []}


@pytest.mark.parametrize("payload", NO_BODY.values(), ids=NO_BODY)
@pytest.mark.parametrize(
    ("status", "read", "write"),
    [
        (302, ExchangeUnavailable, OutcomeUnknown),
        (400, ExchangeRefused, OutcomeUnknown),
        (401, ExchangeRefused, OutcomeUnknown),
        (403, RateLimited, OutcomeUnknown),
        (404, ExchangeRefused, OutcomeUnknown),
        (418, RateLimited, RateLimited),
        (429, RateLimited, RateLimited),
        (500, ExchangeUnavailable, OutcomeUnknown),
        (502, ExchangeUnavailable, OutcomeUnknown),
        (503, ExchangeUnavailable, OutcomeUnknown),
        (504, ExchangeUnavailable, OutcomeUnknown),
    ],
)
def test_without_a_code_the_status_decides(
    status: int, read: type[ExchangeError], write: type[ExchangeError], payload: Any
) -> None:
    assert type(error_for(status, payload, write=False)) is read
    assert type(error_for(status, payload, write=True)) is write


@pytest.mark.parametrize("status", [200, 400])
def test_a_code_nobody_knows_leaves_a_write_open_and_refuses_a_read(status: int) -> None:
    payload = {"code": 987654, "msg": "new"}
    assert type(error_for(status, payload, write=True)) is OutcomeUnknown
    read = error_for(status, payload, write=False)
    assert type(read) is ExchangeRefused
    assert read.exchange_code == 987654


def test_a_server_error_leaves_a_write_open_whatever_code_it_carries() -> None:
    for status in (500, 502, 503, 504):
        for code in (-1003, 0, 429, 10007, 30005, 700003):
            payload = {"code": code, "msg": "?"}
            assert type(error_for(status, payload, write=True)) is OutcomeUnknown, (status, code)
            assert isinstance(error_for(status, payload, write=False), ExchangeUnavailable), (status, code)


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize(
    ("status", "payload"), [(429, None), (418, None), (400, {"code": 429}), (200, {"code": 510})]
)
def test_too_fast_carries_how_long_to_wait(status: int, payload: Any, write: bool) -> None:
    error = error_for(status, payload, write=write, retry_after=7.0)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 7.0


@pytest.mark.parametrize(
    ("text", "shown"),
    [(" amount scale is invalid", "amount scale is invalid"), ("two\r\nlines\tin one", "two lines in one")],
)
def test_the_words_of_the_exchange_are_shown_on_one_line(text: str, shown: str) -> None:
    assert str(error_for(400, {"code": 400, "msg": text}, write=False)).endswith(f"code 400: {shown}")


def test_the_words_of_the_exchange_are_cut() -> None:
    assert len(str(error_for(400, {"code": 400, "msg": "x" * 10_000}, write=False))) < 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "msg", "data"]), inner),
    max_leaves=6,
)


@PROPERTY
@given(st.integers(100, 599), JSON, st.booleans())
def test_whatever_the_exchange_answers_there_is_one_error_for_it(status: int, payload: Any, write: bool) -> None:
    error = error_for(status, payload, write=write)
    assert isinstance(error, ExchangeError)
    assert "\n" not in str(error)


@PROPERTY
@given(st.integers(500, 599), JSON)
def test_no_server_error_ever_calls_a_write_refused(status: int, payload: Any) -> None:
    assert type(error_for(status, payload, write=True)) is OutcomeUnknown


@PROPERTY
@given(st.integers(100, 599), JSON)
def test_only_a_write_can_have_an_unknown_outcome(status: int, payload: Any) -> None:
    assert not isinstance(error_for(status, payload, write=False), OutcomeUnknown)
