"""Candles and desks of the tests: each shows only what matters to the reader."""

from array import array
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from common.domain.decision.levels import Destination, Level
from common.domain.decision.policy import Limits, Policy
from common.domain.instrument import Instrument
from local.backtest.costs import Costs
from local.backtest.market import Market
from local.backtest.replay import Desk, Start
from local.backtest.strategies import Strategy
from local.candles.series import Candles, Column
from tests.builders import d

FIRST_MS = 1_735_689_600_000
"""2025-01-01 00:00 UTC."""
FREE = Costs(d(0), d(0), d(0), d(1))
OPEN = Limits(
    max_price_deviation=d(10),
    max_slippage=d("0.5"),
    max_depth_share=d(1),
    max_fee=d("0.5"),
    max_orders_per_day=1000,
    cooldown=timedelta(0),
    max_notional=None,
    max_daily_loss=None,
)
"""Limits that let every order through."""


def candles(
    closes: Sequence[str],
    *,
    minutes: int = 15,
    opens: Sequence[str] = (),
    volume: str = "1000000",
    gap_after: int = -1,
) -> Candles:
    """Bars whose opening is the close before, unless told; `gap_after` leaves one bar out behind that index."""
    opened = list(opens) or [closes[0], *closes[:-1]]
    width = minutes * 60_000
    times = array("q", [FIRST_MS + width * (n + (0 <= gap_after < n)) for n in range(len(closes))])
    columns = [Column() for _ in range(5)]
    high = [max(a, b, key=Decimal) for a, b in zip(opened, closes, strict=True)]
    low = [min(a, b, key=Decimal) for a, b in zip(opened, closes, strict=True)]
    for column, texts in zip(columns, (opened, high, low, closes, [volume] * len(closes)), strict=True):
        column.extend(list(texts))
    return Candles.of("ours", times, columns)


def desk(series: Candles, base: str = "100", quote: str = "100", costs: Costs = FREE, slots: int = 15) -> Desk:
    start = Start(d(base), d(quote), series.open[0])
    return Desk(Market(series, slots), costs, start, Instrument("QRL", "USDT"), d("0.0001"))


def one_level(
    trigger: str = "0.01",
    destination: Decimal | Destination = Destination.TARGET,
    limits: Limits = OPEN,
    least: str = "5",
) -> Strategy:
    policy = Policy(d("0.5"), d(least), (Level(d(trigger), destination),))
    return Strategy(f"{trigger} {destination}", policy, limits)
