"""What was paid for the coins: a fold over fills, by weighted average cost and by FIFO (contract.md §5).

Amounts are in the base asset (`quantity` names) or the quote asset (`cost`, `pnl`, `proceeds`, `flow`).
The total cost is kept, and the average is derived from it, so that for every sequence of fills

    cash_flow + quantity · price = realized_pnl + unrealized_pnl      to the last digit

(as long as nothing of unknown cost was sold). A fee raises the cost of a buy and lowers the proceeds of a
sale; a fee in the base asset lowers the quantity instead.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext

from common.decimals import EXACT, ZERO, exact, quotient
from common.domain.instrument import Instrument, Side
from common.domain.orders.order import FEE_UNKNOWN, Fill

UNKNOWN_FEE = "unknown"


@dataclass(frozen=True, slots=True)
class Position:
    """The coins whose cost is known, those whose cost is not, and all that fills have moved so far.

    `unknown_quantity` are coins from before the history that the exchange still lists.
    `unmatched_quantity` were sold although the ledger never saw them arrive; `unmatched_proceeds` is what
    sales of either kind brought: it is no profit, since the cost is unknown.
    `unvalued_fees` are fees in a third asset for which no price was found; under `UNKNOWN_FEE` the number of fills
    whose fee the exchange did not report. A negative fee is a rebate: it lowers the cost.
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    unknown_quantity: Decimal = ZERO
    unmatched_quantity: Decimal = ZERO
    unmatched_proceeds: Decimal = ZERO
    bought_quantity: Decimal = ZERO
    sold_quantity: Decimal = ZERO
    base_fees: Decimal = ZERO
    quote_fees: Decimal = ZERO
    other_fees_value: Decimal = ZERO
    cash_flow: Decimal = ZERO
    fill_count: int = 0
    unvalued_fees: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def average_cost(self) -> Decimal | None:
        """Quote asset for one coin, None where no cost is known."""
        return quotient(self.cost, self.quantity) if self.quantity > 0 else None

    @property
    @exact
    def expected_quantity(self) -> Decimal:
        """What the account should hold if coins came and went by fills only."""
        return self.quantity + self.unknown_quantity - self.unmatched_quantity

    @property
    @exact
    def quote_flow(self) -> Decimal:
        """What fills did to the quote balance; fees in a third asset do not touch it."""
        return self.cash_flow + self.other_fees_value

    @exact
    def unrealized_pnl(self, mark_price: Decimal) -> Decimal:
        return self.quantity * mark_price - self.cost

    @exact
    def total_pnl(self, mark_price: Decimal) -> Decimal:
        """Realized and unrealized; without coins of known cost, what was realized."""
        return self.realized_pnl + self.unrealized_pnl(mark_price)

    def apply(self, fill: Fill, instrument: Instrument) -> "Position":
        """The position after one fill."""
        return self.fold([fill], instrument)

    def fold(self, fills: Iterable[Fill], instrument: Instrument) -> "Position":
        """The position after `fills`, in the order they are given."""
        with localcontext(EXACT):
            state = _Running(self)
            for fill in fills:
                state.add(fill, instrument)
            return replace(self, **vars(state))


class _Running:
    """The fold's mutable copy, field by field: ten thousand frozen ones would cost more than the arithmetic."""

    def __init__(self, start: Position) -> None:
        self.quantity, self.cost, self.realized_pnl = start.quantity, start.cost, start.realized_pnl
        self.unknown_quantity = start.unknown_quantity
        self.unmatched_quantity, self.unmatched_proceeds = start.unmatched_quantity, start.unmatched_proceeds
        self.bought_quantity, self.sold_quantity = start.bought_quantity, start.sold_quantity
        self.base_fees, self.quote_fees = start.base_fees, start.quote_fees
        self.other_fees_value, self.cash_flow = start.other_fees_value, start.cash_flow
        self.fill_count = start.fill_count
        self.unvalued_fees = dict(start.unvalued_fees)

    def add(self, fill: Fill, instrument: Instrument) -> None:
        base_fee, quote_fee = self._fees(fill, instrument)
        self.fill_count += 1
        if fill.side is Side.BUY:
            paid = fill.notional + quote_fee
            self.bought_quantity += fill.quantity
            self.quantity += fill.quantity - base_fee
            self.cost += paid
            self.cash_flow -= paid
        else:
            self.sold_quantity += fill.quantity
            self._sell(fill.quantity + base_fee, fill.notional - quote_fee)

    def _fees(self, fill: Fill, instrument: Instrument) -> tuple[Decimal, Decimal]:
        """The fee as (base asset, quote asset), counted by the asset it was taken in."""
        if FEE_UNKNOWN in fill.remarks:
            self.unvalued_fees[UNKNOWN_FEE] = self.unvalued_fees.get(UNKNOWN_FEE, ZERO) + 1
            return ZERO, ZERO
        if not fill.fee:
            return ZERO, ZERO
        if fill.fee_asset == instrument.quote:
            self.quote_fees += fill.fee
            return ZERO, fill.fee
        if fill.fee_asset == instrument.base:
            self.base_fees += fill.fee
            return fill.fee, ZERO
        if fill.fee_value is None:
            self.unvalued_fees[fill.fee_asset] = self.unvalued_fees.get(fill.fee_asset, ZERO) + fill.fee
            return ZERO, ZERO
        self.other_fees_value += fill.fee_value
        return ZERO, fill.fee_value

    def _sell(self, quantity: Decimal, proceeds: Decimal) -> None:
        """Take coins of known cost first; coins beyond them bring proceeds, but no profit."""
        self.cash_flow += proceeds
        known = min(quantity, self.quantity)
        known_proceeds = proceeds if known == quantity else quotient(proceeds * known, quantity)
        cost = self.cost if known == self.quantity else quotient(self.cost * known, self.quantity)
        self.quantity -= known
        self.cost -= cost
        self.realized_pnl += known_proceeds - cost
        beyond = quantity - known
        from_unknown = min(beyond, self.unknown_quantity)
        self.unknown_quantity -= from_unknown
        self.unmatched_quantity += beyond - from_unknown
        self.unmatched_proceeds += proceeds - known_proceeds


@dataclass(frozen=True, slots=True)
class Lot:
    """Coins bought together: their quantity and what they cost, fees included."""

    quantity: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class FifoView:
    """The same fills, first in, first out: open lots oldest first, and the P&L realized that way."""

    lots: tuple[Lot, ...] = ()
    realized_pnl: Decimal = ZERO

    @property
    @exact
    def quantity(self) -> Decimal:
        return sum((lot.quantity for lot in self.lots), ZERO)

    @property
    @exact
    def cost(self) -> Decimal:
        return sum((lot.cost for lot in self.lots), ZERO)

    def fold(self, fills: Iterable[Fill], instrument: Instrument) -> "FifoView":
        with localcontext(EXACT):
            lots, realized = deque(self.lots), self.realized_pnl
            for fill in fills:
                base_fee = fill.fee_in(instrument.base)
                quote_fee = fill.fee_in(instrument.quote) or (fill.fee_value or ZERO)
                if fill.side is Side.BUY:
                    lots.append(Lot(fill.quantity - base_fee, fill.notional + quote_fee))
                else:
                    realized += _take(lots, fill.quantity + base_fee, fill.notional - quote_fee)
            return FifoView(tuple(lots), realized)


def _take(lots: deque[Lot], quantity: Decimal, proceeds: Decimal) -> Decimal:
    """Remove `quantity` from the oldest lots; the profit on the part that lots covered."""
    left, cost = quantity, ZERO
    while left > 0 and lots:
        lot = lots.popleft()
        if lot.quantity <= left:
            left -= lot.quantity
            cost += lot.cost
            continue
        part = quotient(lot.cost * left, lot.quantity)
        lots.appendleft(Lot(lot.quantity - left, lot.cost - part))
        cost += part
        left = ZERO
    if left == quantity:
        return ZERO
    covered = proceeds if not left else quotient(proceeds * (quantity - left), quantity)
    return covered - cost
