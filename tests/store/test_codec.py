"""The codec: values of frozen dataclasses to documents and back, by their annotations."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.decimal_json import loads, to_answer, to_redis
from common.decimals import Price, Share
from common.errors import StoreCorrupt
from common.store.codec import from_document, to_document
from tests.builders import PROPERTY, d
from tests.fakes import NOON

KEY = "bot:QRLUSDT:sample"


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Inner:
    quantity: Decimal
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One field of every type there is."""

    mid: Decimal
    count: int
    paid: bool
    reason: str
    at: datetime
    day: date
    lasts: timedelta
    colour: Colour
    inner: Inner
    until: datetime | None
    inners: tuple[Inner, ...]
    pair: tuple[Decimal, str]
    amounts: Mapping[str, Decimal]
    late: Decimal | None = None
    more: tuple[int, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)


FINITE = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | FINITE.map(str)
MOMENTS = st.integers(0, 10**15).map(lambda micros: NOON + timedelta(microseconds=micros))
INNERS = st.builds(Inner, FINITE, st.none() | TEXTS)
SAMPLES = st.builds(
    Sample,
    mid=FINITE,
    count=st.integers(),
    reason=TEXTS,
    at=MOMENTS,
    until=st.none() | MOMENTS,
    day=st.dates(),
    lasts=st.integers(0, 10**6).map(lambda seconds: timedelta(seconds=seconds)),
    inner=INNERS,
    inners=st.lists(INNERS, max_size=3).map(tuple),
    pair=st.tuples(FINITE, TEXTS),
    amounts=st.dictionaries(TEXTS, FINITE, max_size=3),
    late=st.none() | FINITE,
)
SAMPLE = Sample(
    mid=d("0.10"),
    count=2,
    paid=True,
    reason="2",
    at=NOON,
    day=NOON.date(),
    lasts=timedelta(minutes=5),
    colour=Colour.RED,
    inner=Inner(d(5), "7"),
    until=None,
    inners=(Inner(d(1)),),
    pair=(d(1), "1"),
    amounts={"MX": d(3)},
)


@PROPERTY
@given(SAMPLES)
def test_a_value_comes_back_as_it_was_from_redis_and_from_a_line_of_numbers(sample: Sample) -> None:
    document = to_document(sample)
    for text in (to_redis(document), to_answer(document)):
        again = from_document(Sample, loads(text), KEY)
        assert again == sample
        assert (type(again.mid), type(again.pair[0]), type(again.reason)) == (Decimal, Decimal, str)


def test_what_stands_in_the_document_is_what_json_can_hold() -> None:
    assert to_redis(to_document(SAMPLE)) == (
        '{"mid":"0.10","count":2,"paid":true,"reason":"2","at":"2026-01-02T12:00:00+00:00","day":"2026-01-02",'
        '"lasts":300,"colour":"red","inner":{"quantity":"5","name":"7"},"until":null,'
        '"inners":[{"quantity":"1","name":null}],"pair":["1","1"],"amounts":{"MX":"3"},"late":null,"more":[],'
        '"notes":{}}'
    )


def test_what_an_older_version_did_not_write_takes_its_default_and_what_a_newer_one_added_is_left_out() -> None:
    document = loads(to_redis(to_document(replace(SAMPLE, late=d(9), more=(1,)))))
    for name in ("late", "more", "notes"):
        del document[name]
    assert from_document(Sample, document | {"of_tomorrow": 1}, KEY) == SAMPLE


def test_every_field_that_is_missing_or_of_another_type_is_refused_with_the_key_and_its_name() -> None:
    document = loads(to_redis(to_document(SAMPLE)))
    bad: dict[str, list[Any]] = {
        "mid": ["", "many", "NaN", "1e5", "+1", " 1", "007", "١", True, None, [], {}, loads("1E+999")],
        "count": ["2", 2.0, True, None, d("2.5")],
        "paid": ["True", 1, None],
        "reason": [2, None, [], d(2)],
        "at": ["2026-01-02T12:00:00", "soon", 5, None],
        "day": ["yesterday", 5, None],
        "lasts": ["300", None],
        "colour": ["blue", None, 1, []],
        "inner": [None, [], "x", {}, {"quantity": "x"}],
        "until": ["", 5],
        "inners": [None, {}, [None], [[]]],
        "pair": [[], ["1"], ["1", "1", "1"], ["x", "1"], {}],
        "amounts": [[], {"MX": None}],
        "late": ["x"],
    }
    accepted = []
    for name, values in bad.items():
        for value in values:
            with pytest.raises(StoreCorrupt, match=f"^{KEY} cannot be read: {name}") as refused:
                accepted.append((name, value, from_document(Sample, document | {name: value}, KEY)))
            assert "soon" not in str(refused.value)
        if name not in ("late",):
            rest = {other: value for other, value in document.items() if other != name}
            with pytest.raises(StoreCorrupt, match=f"^{KEY} cannot be read: {name} is missing"):
                from_document(Sample, rest, KEY)
    assert accepted == []


@dataclass(frozen=True, slots=True)
class Priced:
    price: Price
    weight: Share | None = None


def test_an_amount_that_there_cannot_be_is_refused_with_its_name() -> None:
    assert from_document(Priced, {"price": "0.01", "weight": "1"}, KEY) == Priced(d("0.01"), d(1))
    for name, value, why in (("price", "0", "positive"), ("price", "-1", "positive"), ("weight", "1.1", "a share")):
        with pytest.raises(StoreCorrupt, match=f"^{KEY} cannot be read: {name}: an amount that is not {why}$"):
            from_document(Priced, {"price": "1", name: value}, KEY)


@pytest.mark.parametrize("document", [None, [], "text", 5, True, {}])
def test_what_is_no_such_document_at_all_is_refused_with_the_key(document: Any) -> None:
    with pytest.raises(StoreCorrupt, match=f"^{KEY} cannot be read: "):
        from_document(Sample, document, KEY)


def test_a_fault_deep_inside_is_named_by_its_path() -> None:
    document = loads(to_redis(to_document(SAMPLE)))
    document["inners"].append({"quantity": "many"})
    with pytest.raises(StoreCorrupt, match=r"inners: 1: quantity: a text where an amount should be"):
        from_document(Sample, document, KEY)


def test_a_type_without_a_form_is_a_bug_that_shows_at_once() -> None:
    @dataclass(frozen=True)
    class Loose:
        anything: object

    with pytest.raises(TypeError, match="has no form in a document"):
        from_document(Loose, {"anything": 1}, KEY)
