"""JSON with decimals kept whole: numbers in answers, decimal strings in Redis."""

import json
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.decimal_json import from_redis, loads, to_answer, to_hash, to_redis
from common.domain.portfolio import Balance
from common.errors import StoreCorrupt
from tests.builders import PROPERTY, d
from tests.fakes import NOON


class Colour(StrEnum):
    RED = "red"


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text() | DECIMALS
NAMES = st.text(max_size=8)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=15
)


# Answers


@PROPERTY
@given(DECIMALS)
def test_an_amount_in_an_answer_keeps_every_digit_and_has_no_exponent(value: Decimal) -> None:
    text = to_answer(value)
    assert "e" not in text.lower()
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal) == value


@PROPERTY
@given(DOCUMENTS)
def test_an_answer_is_valid_json_and_reads_back_as_the_same_document(document: Any) -> None:
    assert loads(to_answer(document)) == document
    json.loads(to_answer(document))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (d("0.0000001"), "0.0000001"),
        (d("1E+3"), "1000"),
        (d("0E-8"), "0.00000000"),
        (d("20.510"), "20.510"),
        (7, "7"),
        (True, "true"),
        (None, "null"),
        (0.5, "0.5"),
        (Colour.RED, '"red"'),
        (NOON, '"2026-01-02T12:00:00+00:00"'),
        ((1, [2]), "[1,[2]]"),
        ({"a": {"b": d("1.0")}}, '{"a":{"b":1.0}}'),
        ({1: "x"}, '{"1":"x"}'),
        ('"\\\n\x00é', '"\\"\\\\\\n\\u0000é"'),
    ],
)
def test_each_kind_of_value_has_its_json_form(value: object, text: str) -> None:
    assert to_answer(value) == text


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object(), Balance(d(1))])
def test_a_value_without_a_json_form_is_refused(value: object) -> None:
    for turn in (to_answer, to_redis):
        with pytest.raises(TypeError):
            turn(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), d("NaN"), d("sNaN"), d("Infinity"), d("-Infinity")])
def test_what_is_no_finite_number_never_becomes_json(value: object) -> None:
    for turn in (to_answer, to_redis):
        with pytest.raises(ValueError, match="JSON"):
            turn({"price": value})
    with pytest.raises(ValueError, match="JSON"):
        to_hash({"price": [value]})


# Reading JSON


def test_fractions_are_read_as_decimals_and_whole_numbers_as_ints() -> None:
    assert loads('{"a": 0.1, "b": 1E-7, "c": 5}') == {"a": d("0.1"), "b": d("0.0000001"), "c": 5}
    assert isinstance(loads("0.1"), Decimal)


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "-Infinity",
        '{"price": Infinity}',
        "1e99999999999999999999",
        "[" * 100_000,
        "9" * 5000,
        "",
        "{",
        "<html>",
        b"\xff\xfe\x00",
        b'"\xed\xa0\x80"',
        '"\\ud800"',
        '{"\\uDFFF": 1}',
        '"\ud800"',
    ],
)
def test_what_is_no_reasonable_json_is_one_kind_of_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        loads(text)
    assert len(str(refused.value)) < 200


# Redis


def test_an_amount_in_redis_is_a_decimal_string_without_an_exponent() -> None:
    document = {"price": d("0.0000001"), "n": 3, "at": NOON, "none": None, "ok": True, "é": "ü"}
    assert to_redis(document) == (
        '{"price":"0.0000001","n":3,"at":"2026-01-02T12:00:00+00:00","none":null,"ok":true,"é":"ü"}'
    )


def texts_of(value: Any) -> Any:
    """The document with its amounts as the decimal strings that are stored."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return {name: texts_of(item) for name, item in value.items()}
    return [texts_of(item) for item in value] if isinstance(value, list) else value


@PROPERTY
@given(DOCUMENTS)
def test_a_document_in_redis_reads_back_with_its_amounts_as_text_and_nothing_is_guessed(document: Any) -> None:
    assert from_redis(to_redis(document), "key") == texts_of(document)


@pytest.mark.parametrize("text", ["", "{", "NaN", '{"price": NaN}', "[" * 100_000, "not json"])
def test_a_corrupt_document_names_its_key_and_not_its_content(text: str) -> None:
    with pytest.raises(StoreCorrupt, match="bot:QRLUSDT:ledger does not hold valid JSON") as corrupt:
        from_redis(text, "bot:QRLUSDT:ledger")
    assert corrupt.value.__cause__ is None


# Hashes


def test_the_fields_of_a_hash_are_text_as_the_specification_spells_it() -> None:
    fields = {
        "qrl_balance": d("1000.50"),
        "maker_commission": None,
        "can_trade": True,
        "can_withdraw": False,
        "update_time": 1703750000000,
        "account_type": "SPOT",
        "side": Colour.RED,
        "updated_at": NOON,
        "permissions": ["SPOT"],
        "all_balances": {"QRL": {"free": d("0.0000001")}},
    }
    assert to_hash(fields) == {
        "qrl_balance": "1000.50",
        "maker_commission": "",
        "can_trade": "True",
        "can_withdraw": "False",
        "update_time": "1703750000000",
        "account_type": "SPOT",
        "side": "red",
        "updated_at": "2026-01-02T12:00:00+00:00",
        "permissions": '["SPOT"]',
        "all_balances": '{"QRL":{"free":"0.0000001"}}',
    }


def test_a_pair_of_surrogates_is_one_sign_and_is_read() -> None:
    assert loads('"\\ud83d\\ude00"') == "\U0001f600"


def test_a_lone_surrogate_of_the_exchange_is_read_and_answered_as_its_escape() -> None:
    text = '{"asset":"\\ud800","ü":["\\udfffx"]}'
    assert to_answer(loads(text, raw=True)) == text
    assert from_redis(text, "key", raw=True) == {"asset": "\ud800", "ü": ["\udfffx"]}
    with pytest.raises(ValueError, match="a lone surrogate is no text"):
        loads(text)


def test_a_lone_surrogate_is_never_written() -> None:
    for turn in (to_redis, to_hash):
        with pytest.raises(ValueError, match="a lone surrogate is no text"):
            turn({"reason": "\udcff"})
