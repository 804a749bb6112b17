"""What a fill does not carry itself: the value of a fee in a third asset, the time of its order, and the mid."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from common.decimals import exact
from common.domain.instrument import Instrument
from common.domain.ledger.ledger import MEMORY, WINDOW
from common.domain.ledger.sequence import in_doubt
from common.domain.orders.order import Fill
from common.errors import ExchangeRefused
from common.mexc.client import Mexc
from common.mexc.wave import Wave, together
from common.run import keep_raw
from common.store.batch import Batch

log = logging.getLogger(__name__)
MINUTE = timedelta(minutes=1)
STRETCH = 499
"""Minutes of one request for candles: 500 rows come in practice (exchange.md §1.2), and one is before the first."""
STRETCHES = 24
"""Most requests for candles in one run: the rest waits for the next."""
CANDLE_DUE_WITHIN = timedelta(minutes=5)
"""How long the candle of a minute may be missing before it counts as nonexistent."""


class _Stretch(NamedTuple):
    """Minutes of one asset's price, from the first to the last."""

    asset: str
    first: datetime
    last: datetime

    @property
    def name(self) -> str:
        return f"candles {self.asset} {self.first:%Y%m%d%H%M}"


def with_fee_values(
    fills: Sequence[Fill], exchange: Mexc, pool: Executor, now: datetime, batch: Batch | None = None
) -> tuple[Fill, ...]:
    """Value fees in a third asset (MX) at the price of their minute; the raw replies are queued in `batch`.

    Where the exchange has no such price they stay unvalued. What could not be asked, or is not available yet, is
    pending: later runs try again, for as long as the exchange lists the fill.
    """
    wanted = [fill for fill in fills if _in_a_third_asset(fill, exchange.instrument)]
    if not wanted:
        return tuple(fills)
    log.warning("fees were taken in %s", ", ".join(sorted({fill.fee_asset for fill in wanted})))
    stretches = _stretches(wanted)
    calls = {stretch.name: _candles(exchange, stretch) for stretch in stretches[:STRETCHES]}
    wave = together(pool, calls)
    if batch is not None:
        keep_raw(batch, wave)
    valued: dict[str, Fill] = {}
    for stretch in stretches:
        inside = [f for f in wanted if f.fee_asset == stretch.asset and stretch.first <= _minute(f) <= stretch.last]
        valued |= {fill.fill_id: _valued(fill, stretch.name, wave, now) for fill in inside}
    return tuple(valued.get(fill.fill_id, fill) for fill in fills)


def _in_a_third_asset(fill: Fill, instrument: Instrument) -> bool:
    known = fill.fee_asset in (instrument.base, instrument.quote)
    return bool(fill.fee) and not known and fill.fee_value is None


def _minute(fill: Fill) -> datetime:
    return fill.executed_at.replace(second=0, microsecond=0)


def _stretches(fills: Iterable[Fill]) -> list[_Stretch]:
    """As few stretches as cover every minute, oldest first: the oldest fill keeps the ledger from being sealed."""
    stretches: list[_Stretch] = []
    for asset, minute in sorted({(fill.fee_asset, _minute(fill)) for fill in fills}):
        last = stretches[-1] if stretches else None
        if last and last.asset == asset and minute - last.first < STRETCH * MINUTE:
            stretches[-1] = last._replace(last=minute)
        else:
            stretches.append(_Stretch(asset, minute, minute))
    return sorted(stretches, key=lambda stretch: stretch.first)


def _candles(exchange: Mexc, stretch: _Stretch) -> Callable[[], Any]:
    minutes = (stretch.last - stretch.first) // MINUTE + 2
    symbol = stretch.asset + exchange.instrument.quote
    return lambda: exchange.klines("1m", minutes, symbol=symbol, end=stretch.last + MINUTE)


@exact
def _valued(fill: Fill, stretch: str, wave: Wave, now: datetime) -> Fill:
    again = now - fill.executed_at < MEMORY
    if stretch not in wave:
        return replace(fill, fee_pending=again)
    if (error := wave.error(stretch)) is not None:
        log.warning("no price of %s for a fee: %s", fill.fee_asset, error)
        return replace(fill, fee_pending=again and not isinstance(error, ExchangeRefused))
    candles = wave.get(stretch).value
    candle = next((c for c in reversed(candles) if c.opens_at <= fill.executed_at < c.closes_at), None)
    if candle is None:
        return replace(fill, fee_pending=now - fill.executed_at < CANDLE_DUE_WITHIN)
    return replace(fill, fee_value=fill.fee * candle.close, fee_pending=False)


def order_times(fills: Iterable[Fill], now: datetime) -> tuple[datetime, datetime] | None:
    """The window of orders to ask for where both sides meet in one second; None where nothing is in doubt."""
    seconds = [fill.executed_at for fill in in_doubt(fills) if now - fill.executed_at < WINDOW - MINUTE]
    return (min(seconds) - MINUTE / 60, max(seconds) + MINUTE / 60) if seconds else None


def with_order_times(fills: Iterable[Fill], placed: Mapping[str, datetime]) -> tuple[Fill, ...]:
    """Fills with the time of their order, where it is known."""
    return tuple(
        replace(fill, ordered_at=placed[fill.order_id])
        if fill.ordered_at is None and fill.order_id in placed
        else fill
        for fill in fills
    )


def with_mids(fills: Iterable[Fill], mids: Mapping[str, Decimal | None]) -> tuple[Fill, ...]:
    """Fills of our orders with the mid of their decision, by client order id."""
    return tuple(
        replace(fill, mid_price=mids[name])
        if fill.mid_price is None and (name := fill.client_order_id) is not None and name in mids
        else fill
        for fill in fills
    )
