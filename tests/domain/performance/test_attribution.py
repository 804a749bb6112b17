"""Against holding, line by line: the worked example, and sums that are exact on every path."""

from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.decimals import EXACT
from common.domain.performance.attribution import SUMMANDS, Attribution, BreakEven, Lines, Pair, corridor
from common.errors import InvalidAmount
from tests.builders import PROPERTY, amounts, d, ds
from tests.fakes import NOON


def begun(base: str | int = 100, quote: str | int = 100, price: str | int = 1, weight: str = "0.5") -> Attribution:
    return Attribution.begin(NOON, d(base), d(quote), d(price), d(weight))


def traded(state: Attribution, quantity: str, price: str, mid: str | None, **fees: str) -> Attribution:
    amount = d(quantity)
    known = {name: d(fee) for name, fee in fees.items()}
    return state.fill(amount, amount * d(price), d(mid) if mid else None, **known)


def total(lines: Lines) -> Decimal:
    with localcontext(EXACT):
        return sum((getattr(lines, name) for name in SUMMANDS), Decimal(0))


def test_the_worked_example_comes_out_to_the_digit() -> None:
    """100 + 100 at 1; SELL 25 at 1.994 (mid 2); 50 USDT paid in at 1.5; BUY 62 at 1.003 (mid 1); seen at 1.1."""
    state = traded(begun(), "-25", "1.994", "2", quote_fee="0.024925")
    state = state.flow(d(0), d(50), d("1.5"))
    state = traded(state, "62", "1.003", "1", base_fee="0.031")
    lines = state.at(d("1.1"))
    assert state.real == Pair(*ds("136.969", "137.639075"))
    assert (lines.value, lines.held_value, lines.difference) == ds("288.304975", "260", "28.304975")
    assert lines.start_mix == d("-6.6666666666666666668")
    assert lines.direction == d("-0.7541217704192605352")
    assert lines.harvest_locked == d("35.843221683877602625")
    assert lines.open_leg == d("0.277566753208324577")
    assert (lines.slippage, lines.fees, lines.fee_coin_move) == ds("-0.336", "-0.055925", "-0.0031")
    assert (lines.operator_trades, lines.fees_in_other_assets, lines.fills_without_mid) == (*ds(0, 0), 0)
    assert total(lines) == lines.difference


def test_shannons_example_locks_its_gain_and_nothing_else() -> None:
    state = traded(traded(begun(), "-25", "2", "2"), "37.5", "1", "1")
    lines = state.at(d(1))
    assert lines.harvest_locked == lines.difference == 25
    assert [name for name in SUMMANDS if getattr(lines, name)] == ["harvest_locked"]


def test_doing_nothing_shows_no_gain() -> None:
    lines = begun().at(d("1.2"))
    assert (lines.difference, lines.harvest_locked) == ds(0, 0)
    assert lines.direction == -lines.open_leg
    assert round(lines.open_leg, 3) == d("0.911")


def test_a_fill_without_a_mid_counts_its_price_as_mid_and_is_counted() -> None:
    lines = traded(begun(), "-25", "1.994", None).at(d(2))
    assert (lines.slippage, lines.fills_without_mid) == (d(0), 1)
    assert total(lines) == lines.difference


def test_a_fill_whose_notional_was_rounded_to_nothing_is_no_error() -> None:
    lines = begun().fill(d("0.0000001"), d(0), None).at(d(2))
    assert total(lines) == lines.difference == d("0.0000002")


def test_the_operators_own_trade_is_a_line_apart_with_its_fee() -> None:
    """Bought 10 at 1.2 for a fee of 0.05 USDT; at 1.5 that made 3 less the fee, and the bot neither."""
    state = begun().operator_fill(d(10), d(12), quote_fee=d("0.05"))
    lines, without = state.at(d("1.5")), begun().at(d("1.5"))
    assert lines.operator_trades == d("2.95")
    assert replace(lines, operator_trades=d(0), value=d(0), difference=d(0)) == replace(
        without, operator_trades=d(0), value=d(0), difference=d(0)
    )
    assert total(lines) == lines.difference == d("2.95")


def test_an_operators_trade_counts_until_the_bots_next_fill_and_no_further() -> None:
    """What the bot restores after it is the bot's leg: the line keeps what it had made by then."""
    state = traded(begun().operator_fill(d(10), d(12)), "-5", "1.5", "1.5")
    assert state.free.base == state.real.base == 105
    assert [state.at(price).operator_trades for price in ds(1, "1.5", 9)] == [3, 3, 3]
    assert total(state.at(d(9))) == state.at(d(9)).difference


def test_another_target_weight_counts_from_where_it_was_set() -> None:
    state = begun().with_weight(d("0.3"), d(2))
    assert (state.weight, state.price, state.mixed) == (d("0.3"), d(2), begun().mixed)
    assert state.growth == begun().at(d(2)).direction + begun().mixed.value(d(2))
    assert state.with_weight(d("0.3"), d(3)) is state
    assert total(state.at(d("2.5"))) == 0


def test_stopping_equals_holding_at_the_break_even() -> None:
    sold = traded(begun(), "-25", "1.994", "2", quote_fee="0.024925")
    even = sold.break_even()
    assert even == BreakEven(d("1.993003"), ahead_below=True)
    assert sold.at(even.price).difference == 0
    assert sold.at(d(1)).difference > 0 > sold.at(d(3)).difference
    bought = traded(begun(), "25", "0.8", "0.8").break_even()
    assert bought == BreakEven(d("0.8"), ahead_below=False)
    assert begun().break_even() is None


def test_the_corridor_at_half_is_the_closed_form() -> None:
    """p₀·exp(±2·arcosh(e^{RV/8})); one year of 100 % volatility: 0.36 to 2.78 times the start (rebalancing.md)."""
    low, high = corridor(d("0.02"), d(1), d("0.5"))
    with localcontext(EXACT):
        cosh = (d(1) / 8).exp()
        factor = (cosh + (cosh * cosh - 1).sqrt()) ** 2
        assert abs(high - d("0.02") * factor) < d("1e-17")
        assert abs(low - d("0.02") / factor) < d("1e-17")
    assert [round(edge / d("0.02"), 2) for edge in (low, high)] == [d("0.36"), d("2.78")]


@pytest.mark.parametrize("weight", ["0.1", "0.3", "0.7", "0.9"])
def test_at_the_corridors_edges_a_mix_is_worth_what_holding_is(weight: str) -> None:
    w, variance = d(weight), d("0.6")
    with localcontext(EXACT):
        for edge in corridor(d(1), variance, w):
            mix = edge**w * (w * (1 - w) * variance / 2).exp()
            assert abs(mix - (w * edge + 1 - w)) < d("1e-15")


def test_a_corridor_may_be_as_wide_as_decades_make_it() -> None:
    low, high = corridor(d(60000), d(34), d("0.95"))
    assert low < 60000 < d("1e12") < high


def test_without_variance_the_corridor_is_the_start() -> None:
    low, high = corridor(d("0.02"), d(0), d("0.3"))
    assert abs(low - d("0.02")) < d("1e-10") > abs(high - d("0.02"))


def test_prices_and_weights_that_mean_nothing_are_refused() -> None:
    for wrong in (d(0), d(-1), d("NaN")):
        with pytest.raises(InvalidAmount):
            begun().at(wrong)
        with pytest.raises(InvalidAmount):
            begun().flow(d(1), d(1), wrong)
    with pytest.raises(InvalidAmount):
        corridor(d(1), d(1), d(1))


PRICES = amounts(6, most=10**8)
SIGNED = st.builds(lambda amount, sign: amount * sign, amounts(8, most=10**15), st.sampled_from([1, -1]))
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), SIGNED, PRICES, PRICES | st.none(), amounts(8, 0), amounts(8, 0)),
        st.tuples(st.just("operator"), SIGNED, PRICES, st.none(), amounts(8, 0), amounts(8, 0)),
        st.tuples(st.just("flow"), SIGNED, PRICES, PRICES, SIGNED, st.none()),
        st.tuples(st.just("weight"), amounts(2, 1, 99), PRICES, st.none(), st.none(), st.none()),
    ),
    max_size=20,
)


@PROPERTY
@given(amounts(8, 0, 10**15), amounts(8, 0, 10**15), PRICES, amounts(3, 1, 999), EVENTS, PRICES)
def test_the_lines_sum_to_the_difference_to_the_last_digit_on_every_path(
    base: Decimal, quote: Decimal, price: Decimal, weight: Decimal, events: list[tuple[object, ...]], seen: Decimal
) -> None:
    """And the account holds just what fills, fees and flows have moved."""
    state = Attribution.begin(NOON, base, quote, price, weight)
    with localcontext(EXACT):
        for kind, first, at, mid, second, third in events:
            if kind == "fill":
                fees = {"quote_fee": second, "base_fee": third}
                state = state.fill(first, first * at, mid, **fees)  # type: ignore[operator,arg-type]
                base, quote = base + first - third, quote - first * at - second  # type: ignore[operator]
            elif kind == "operator":
                fees = {"quote_fee": second, "base_fee": third}
                state = state.operator_fill(first, first * at, **fees)  # type: ignore[operator,arg-type]
                base, quote = base + first - third, quote - first * at - second  # type: ignore[operator]
            elif kind == "flow":
                state = state.flow(first, second, at)  # type: ignore[arg-type]
                base, quote = base + first, quote + second  # type: ignore[operator]
            else:
                state = state.with_weight(first, at)  # type: ignore[arg-type]
            assert total(lines := state.at(seen)) == lines.difference == lines.value - lines.held_value
        assert state.real == Pair(base, quote)
        assert state.free.base - state.base_fees + state.operator.base == base
