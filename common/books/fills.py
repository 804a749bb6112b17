"""Reading what is new in the exchange's trade history: windows, pages, gaps and fees in a third asset."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from common.decimals import exact
from common.domain.instrument import Instrument
from common.domain.ledger.ledger import MEMORY, Gap, Ledger, windows
from common.domain.orders.order import Fill
from common.errors import BotError, UnreadablePayload
from common.meter import Reply
from common.mexc.client import FILLS_PAGE, Answer, Mexc
from common.mexc.wave import Wave

log = logging.getLogger(__name__)
_AHEAD = timedelta(seconds=15)
"""Our clock may be ten seconds slow before the exchange refuses it: the window reaches into the future."""
_SECOND, _MILLISECOND = timedelta(seconds=1), timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class History:
    """What was read: the fills, the pages asked beyond the wave, and the stretch that is lost, if any."""

    fills: tuple[Fill, ...]
    more_replies: tuple[Reply, ...]
    read_until: datetime
    gap: Gap | None


@dataclass(frozen=True, slots=True)
class FillReader:
    """Asks for all fills since the ledger's place: its calls go out in the run's wave."""

    exchange: Mexc
    start: datetime
    now: datetime
    gap: Gap | None

    @classmethod
    def since(cls, ledger: Ledger | None, exchange: Mexc, now: datetime) -> "FillReader":
        """From the ledger's place, or as far back as the exchange remembers; what lies before that is a gap."""
        horizon = now - MEMORY
        if ledger is None:
            return cls(exchange, horizon, now, None)
        if ledger.place < horizon:
            return cls(exchange, horizon, now, Gap(ledger.place, horizon))
        return cls(exchange, max(ledger.read_from, horizon), now, None)

    @property
    def calls(self) -> dict[str, Callable[[], Answer[list[Fill]]]]:
        """One call for each window of seven days; with a ledger that is up to date, one."""

        def call(start: datetime, end: datetime) -> Callable[[], Answer[list[Fill]]]:
            return lambda: self.exchange.my_trades(start, end)

        return {f"fills {start:%Y%m%d%H%M%S}": call(start, end) for start, end in self._windows()}

    def history(self, wave: Wave) -> History:
        """The complete history out of the wave's first pages. Raises what a page raised."""
        fills: dict[str, Fill] = {}
        replies: list[Reply] = []
        for (start, end), name in zip(self._windows(), self.calls, strict=True):
            self._complete(start, end, wave.get(name), fills, replies)
        ordered = tuple(sorted(fills.values(), key=lambda fill: fill.order_key))
        return History(ordered, tuple(replies), self.now, self.gap)

    def _windows(self) -> list[tuple[datetime, datetime]]:
        return windows(self.start, self.now + _AHEAD)

    def _complete(
        self,
        start: datetime,
        end: datetime,
        page: Answer[list[Fill]],
        fills: dict[str, Fill],
        replies: list[Reply],
    ) -> None:
        """Take a page; a full one may hide fills, so its window is halved until no half is full."""
        fills |= {fill.fill_id: fill for fill in page.value}
        if len(page.value) < FILLS_PAGE:
            return
        for half in _halves(start, end):
            more = self.exchange.my_trades(*half)
            replies.append(more.reply)
            self._complete(*half, more, fills, replies)


def _halves(start: datetime, end: datetime) -> tuple[tuple[datetime, datetime], tuple[datetime, datetime]]:
    """Two windows for one, cut at a whole second as the times of fills are; both ends of a window belong to it.

    Raises UnreadablePayload when there is one second only.
    """
    middle = (start + (end - start) / 2).replace(microsecond=0)
    if middle <= start:
        middle = end.replace(microsecond=0)
    if middle <= start:
        raise UnreadablePayload(f"myTrades: {FILLS_PAGE} or more fills in one second cannot be told apart")
    # Two seconds that share an edge would never be told apart.
    return (start, middle if end - start > 2 * _SECOND else middle - _MILLISECOND), (middle, end)


def with_fee_values(fills: tuple[Fill, ...], exchange: Mexc, instrument: Instrument) -> tuple[Fill, ...]:
    """Value fees in a third asset (MX) at the price of their minute; where there is none they stay unvalued."""
    return tuple(_with_fee_value(fill, exchange, instrument) for fill in fills)


@exact
def _with_fee_value(fill: Fill, exchange: Mexc, instrument: Instrument) -> Fill:
    if not fill.fee or fill.fee_asset in (instrument.base, instrument.quote):
        return fill
    symbol = fill.fee_asset + instrument.quote
    minute = fill.executed_at.replace(second=0, microsecond=0)
    log.warning("a fee was taken in %s, not in %s", fill.fee_asset, instrument.quote)
    try:
        candles = exchange.klines("1m", 2, symbol=symbol, end=minute + timedelta(minutes=1)).value
    except BotError as error:
        log.warning("no price of %s for a fee: %s", symbol, error)
        return fill
    candle = next((c for c in reversed(candles) if c.opens_at <= fill.executed_at < c.closes_at), None)
    return replace(fill, fee_value=fill.fee * candle.close) if candle else fill
