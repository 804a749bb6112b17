"""Balances and what they are worth."""

from decimal import Context, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given

from common.domain.portfolio import Account, Balance, Holdings, Valuation
from common.errors import InvalidAmount
from tests.builders import PROPERTY, QRL, amounts, d, ds, holdings
from tests.fakes import NOON


def account(**balances: Balance) -> Account:
    return Account(balances, True, True, True, "SPOT", ("SPOT",), None, None, None)


def test_a_balance_is_what_is_free_and_what_is_locked() -> None:
    assert Balance(d("1000.5"), d(10)).total == d("1010.5")


def test_a_total_keeps_every_digit_whatever_the_threads_context() -> None:
    with localcontext(Context(prec=5)):
        total = Balance(d("12345678901.123456789"), d("0.000000000123456789")).total
    assert total == d("12345678901.123456789123456789")


def test_an_asset_the_account_does_not_list_is_zero() -> None:
    seen = account(QRL=Balance(d(5))).holdings(QRL, NOON)
    assert seen == Holdings(Balance(d(5)), Balance(d(0), d(0)), NOON)


def test_locked_coins_count_for_the_value() -> None:
    valuation = Valuation.of(holdings(qrl=90, qrl_locked=10, usdt=80, usdt_locked=20), d(2))
    assert (valuation.base_quantity, valuation.quote_quantity) == ds(100, 100)
    assert (valuation.base_value, valuation.total_value) == ds(200, 300)
    assert valuation.weight == d("0.666666666666666667")


def test_an_empty_portfolio_is_worth_nothing_and_has_no_weights() -> None:
    valuation = Valuation.of(holdings(0, 0), d(2))
    assert valuation.total_value == 0
    with pytest.raises(InvalidAmount, match="empty portfolio"):
        _ = valuation.weight


@pytest.mark.parametrize("bad", ["-0.0001", "NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("place", ["free base", "locked base", "free quote", "locked quote", "mark price"])
def test_a_negative_or_infinite_number_is_an_error_that_names_its_place(place: str, bad: str) -> None:
    values = dict.fromkeys(["free base", "locked base", "free quote", "locked quote", "mark price"], d(1))
    values[place] = d(bad)
    free_base, locked_base, free_quote, locked_quote, price = values.values()
    seen = Holdings(Balance(free_base, locked_base), Balance(free_quote, locked_quote), NOON)
    with pytest.raises(InvalidAmount, match=place):
        Valuation.of(seen, price)


@PROPERTY
@given(amounts(8, 0), amounts(8, 0), amounts(8))
def test_the_value_is_the_sum_of_its_parts_and_the_weight_their_share(
    base: Decimal, quote: Decimal, price: Decimal
) -> None:
    valuation = Valuation.of(Holdings(Balance(base), Balance(quote), NOON), price)
    assert valuation.total_value == base * price + quote
    if valuation.total_value:
        share = Fraction(valuation.base_value) / Fraction(valuation.total_value)
        assert abs(Fraction(valuation.weight) - share) <= Fraction(1, 2 * 10**18)
