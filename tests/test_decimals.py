"""Decimals: what may become one, how it is rounded, and how it reads."""

from decimal import Context, Decimal, DivisionByZero, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.decimals import (
    EXACT,
    ceil_to,
    exact,
    float_like,
    floor_to,
    non_negative,
    parse,
    places,
    plain,
    quotient,
    tidy,
)
from common.errors import InvalidAmount
from tests.builders import PROPERTY, amounts, d

SIGNED = amounts(8, least=-(10**16), most=10**16)
STEPS = st.sampled_from(["0.00000001", "0.0001", "0.01", "0.3", "1", "25"]).map(Decimal)
FINITE = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=18)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0.0205", "0.0205"),
        ("0.00010000000000000000", "0.0001"),
        ("0.000000000674", "0.000000000674"),
        ("0E-8", "0"),
        ("1.5E+3", "1500"),
        ("-3", "-3"),
        (7, "7"),
        (Decimal("1.10"), "1.1"),
    ],
)
def test_strings_ints_and_decimals_are_read_as_the_exchange_sends_them(value: object, number: str) -> None:
    assert parse(value) == d(number)


@pytest.mark.parametrize(
    "value",
    ["", " ", "abc", "1,5", "0x10", "NaN", "sNaN", "Infinity", "-inf", None, True, False, 0.5, [], b"1"],
)
def test_what_is_no_finite_decimal_is_an_error_and_never_a_zero(value: object) -> None:
    with pytest.raises(InvalidAmount):
        parse(value)


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_decimal_that_is_not_finite_is_refused_too(text: str) -> None:
    with pytest.raises(InvalidAmount):
        parse(Decimal(text))


@pytest.mark.parametrize("text", ["1E+41", "1E-41", "-1E+999999", "0E-999999", "0E+999999", "1" + "0" * 41])
def test_numbers_beyond_any_sensible_range_are_refused_before_they_fill_a_line(text: str) -> None:
    with pytest.raises(InvalidAmount, match="out of any sensible range") as refused:
        parse(text)
    assert len(str(refused.value)) < 120


def test_whatever_the_threads_context_traps_a_word_stays_an_error() -> None:
    with localcontext(Context(traps=[])), pytest.raises(InvalidAmount):
        parse("abc")


def test_an_error_names_the_amount_and_shortens_what_it_was() -> None:
    with pytest.raises(InvalidAmount, match="free base balance") as refused:
        parse("x" * 5000, "free base balance")
    assert len(str(refused.value)) < 120


def test_a_negative_number_is_refused_where_none_can_be() -> None:
    with pytest.raises(InvalidAmount, match=r"mark price is negative: -0\.0000001"):
        non_negative("-0.0000001", "mark price")
    assert non_negative("0") == 0


@pytest.mark.parametrize(
    ("value", "step", "down", "up"),
    [
        ("2.5", "0.0001", "2.5", "2.5"),
        ("2.50009", "0.0001", "2.5", "2.5001"),
        ("0.00009", "0.0001", "0", "0.0001"),
        ("25", "10", "20", "30"),
        ("1", "0.3", "0.9", "1.2"),
        ("-0.15", "0.1", "-0.2", "-0.1"),
        ("1.23456789", "0", "1.23456789", "1.23456789"),
    ],
)
def test_a_value_goes_to_the_step_below_and_above(value: str, step: str, down: str, up: str) -> None:
    assert (floor_to(d(value), d(step)), ceil_to(d(value), d(step))) == (d(down), d(up))


@PROPERTY
@given(SIGNED, STEPS)
def test_rounding_to_a_step_gives_the_nearest_multiple_on_its_side(value: Decimal, step: Decimal) -> None:
    down, up = floor_to(value, step), ceil_to(value, step)
    assert down <= value <= up
    assert value - down < step
    assert up - value < step
    assert Fraction(down) % Fraction(step) == 0
    assert Fraction(up) % Fraction(step) == 0
    assert floor_to(down, step) == ceil_to(down, step) == down


def test_a_quotient_has_eighteen_places_half_to_even() -> None:
    assert plain(quotient(d(1), d(3))) == "0.333333333333333333"
    assert plain(quotient(d(2), d(3))) == "0.666666666666666667"
    half = Decimal(5).scaleb(-19)
    assert quotient(half, d(1)) == 0
    assert quotient(half * 3, d(1)) == Decimal(2).scaleb(-18)


@PROPERTY
@given(SIGNED, SIGNED.filter(bool))
def test_a_quotient_is_off_by_half_of_its_last_place_at_most(numerator: Decimal, denominator: Decimal) -> None:
    error = Fraction(quotient(numerator, denominator)) - Fraction(numerator) / Fraction(denominator)
    assert abs(error) <= Fraction(1, 2 * 10**18)


def test_a_division_by_zero_is_an_error() -> None:
    with pytest.raises(DivisionByZero):
        quotient(d(1), d(0))


@pytest.mark.parametrize(
    ("value", "text"), [("0.0000001", "0.0000001"), ("1E+5", "100000"), ("0E+5", "0"), ("1.50", "1.50")]
)
def test_plain_text_has_no_exponent(value: str, text: str) -> None:
    assert plain(d(value)) == text


@PROPERTY
@given(FINITE)
def test_plain_text_reads_back_as_the_same_number(value: Decimal) -> None:
    assert "e" not in plain(value).lower()
    assert parse(plain(value)) == value


@PROPERTY
@given(FINITE, st.integers(-10, 10))
def test_a_tidy_number_is_the_same_without_needless_zeros(value: Decimal, shift: int) -> None:
    with localcontext(EXACT):
        value = value.scaleb(shift)
    text = plain(tidy(value))
    assert tidy(value) == value
    assert str(tidy(value)) == text or value.adjusted() < -6
    assert not ("." in text and text.endswith("0"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0.0"),
        ("0E-8", "0.0"),
        ("10", "10.0"),
        ("10.50", "10.5"),
        ("1E+2", "100.0"),
        ("0.0000001", "0.0000001"),
    ],
)
def test_amounts_in_a_sentence_show_at_least_one_decimal_place(value: str, text: str) -> None:
    assert float_like(d(value)) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        ("1000.5", 4, "1000.5000"),
        ("0.0205", 6, "0.020500"),
        ("20.51025", 2, "20.51"),
        ("0.125", 2, "0.12"),
        ("0.135", 2, "0.14"),
        ("1E+3", 0, "1000"),
    ],
)
def test_numbers_for_people_have_the_places_asked_for(value: str, digits: int, text: str) -> None:
    assert places(d(value), digits) == text


def test_exact_arithmetic_does_not_depend_on_the_threads_own_precision() -> None:
    @exact
    def product(a: Decimal, b: Decimal) -> Decimal:
        return a * b

    long = d("123456789.123456789123")
    with localcontext(Context(prec=5)):
        assert quotient(d(1), d(3)) == d("0.333333333333333333")
        assert floor_to(d("123456.7891"), d("0.001")) == d("123456.789")
        square = product(long, long)
    assert Fraction(square) == Fraction(long) ** 2


def test_a_quotient_beyond_reason_is_an_amount_that_is_refused() -> None:
    with pytest.raises(InvalidAmount, match="out of any sensible range"):
        quotient(Decimal("1E+30"), Decimal("1E-30"))
    assert quotient(Decimal("1E+20"), Decimal("1E-18")) == Decimal("1E+38")
