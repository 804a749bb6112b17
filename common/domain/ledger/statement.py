"""Cost and P&L as one value: what the books say at a price (contract.md §2.3, §5)."""

from decimal import Decimal
from typing import NamedTuple

from common.decimals import exact, quotient
from common.domain.instrument import Instrument
from common.domain.ledger.ledger import Gap, Ledger, drift
from common.domain.ledger.position import FifoView, Position
from common.domain.performance.benchmark import Comparison, Inception, compare
from common.domain.portfolio import Holdings, Valuation


class Statement(NamedTuple):
    """The books at `mark_price`; amounts in the quote asset, quantities in the base asset.

    P&L covers the coins of known cost; `drift` is what the account holds beyond the ledger: deposits, withdrawals.
    """

    position: Position
    fifo: FifoView
    holdings: Holdings
    mark_price: Decimal
    drift: Decimal
    gaps: tuple[Gap, ...]
    inception: Inception
    comparison: Comparison

    @property
    def cost_known(self) -> bool:
        return self.position.average_cost is not None

    @property
    def empty(self) -> bool:
        """Whether nothing was ever traded and nothing was held when the ledger began."""
        return not self.position.fill_count and not self.position.unknown_quantity

    @property
    @exact
    def current_value(self) -> Decimal:
        return self.position.quantity * self.mark_price

    @property
    def unrealized_pnl(self) -> Decimal:
        return self.position.unrealized_pnl(self.mark_price)

    @property
    def total_pnl(self) -> Decimal:
        return self.position.total_pnl(self.mark_price)

    @property
    @exact
    def roi_percent(self) -> Decimal | None:
        """On what was invested; None where nothing was."""
        invested = self.position.cost
        return quotient(self.unrealized_pnl * 100, invested) if invested > 0 else None

    @property
    @exact
    def fifo_unrealized_pnl(self) -> Decimal:
        return self.fifo.quantity * self.mark_price - self.fifo.cost


def statement(
    ledger: Ledger,
    lots: FifoView,
    inception: Inception,
    holdings: Holdings,
    mark_price: Decimal,
    instrument: Instrument,
) -> Statement:
    """What the books say; `lots` are those of the sealed fills, `holdings` the balances to compare with."""
    known_to_balances = ledger.position(instrument, holdings.as_of)
    return Statement(
        position=ledger.position(instrument),
        fifo=lots.fold(ledger.tail, instrument),
        holdings=holdings,
        mark_price=mark_price,
        drift=drift(ledger, holdings.base.total, holdings.as_of, instrument),
        gaps=ledger.gaps,
        inception=inception,
        comparison=compare(inception, Valuation.of(holdings, mark_price), known_to_balances),
    )
