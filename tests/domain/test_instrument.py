"""The pair and the venue's rules for it."""

from dataclasses import replace

import pytest

from common.domain.instrument import Instrument
from tests.builders import d, rules


@pytest.mark.parametrize(
    ("symbol", "base", "quote"),
    [
        ("QRLUSDT", "QRL", "USDT"),
        ("BTCUSDT", "BTC", "USDT"),
        ("ETHBTC", "ETH", "BTC"),
        ("BTCETH", "BTC", "ETH"),
        ("MXUSDT", "MX", "USDT"),
        ("BTCMX", "BTC", "MX"),
        ("BTCTUSD", "BTC", "TUSD"),
        ("USDCUSDT", "USDC", "USDT"),
        ("4USDT", "4", "USDT"),
    ],
)
def test_a_symbol_is_split_at_the_quote_asset_that_ends_it(symbol: str, base: str, quote: str) -> None:
    instrument = Instrument.from_symbol(symbol)
    assert instrument == Instrument(base, quote)
    assert instrument.symbol == symbol
    assert instrument.pair == f"{base}/{quote}"


@pytest.mark.parametrize("symbol", ["", "QRL", "USDT", "QRLXYZ", "qrlusdt"])
def test_a_symbol_without_a_known_quote_asset_is_refused(symbol: str) -> None:
    with pytest.raises(ValueError, match="ends in none of the quote assets USDT"):
        Instrument.from_symbol(symbol)


@pytest.mark.parametrize(("size_increment", "min_quantity"), [("0.01", "0.5"), ("0.5", "0.01"), ("0.5", "0")])
def test_the_step_is_the_coarser_of_the_two_scales_that_are_published(
    size_increment: str, min_quantity: str
) -> None:
    assert replace(rules(size_increment), min_quantity=d(min_quantity)).quantity_step == d("0.5")


def test_a_venue_without_steps_leaves_quantities_alone() -> None:
    assert rules(step="0").quantity_step == 0
