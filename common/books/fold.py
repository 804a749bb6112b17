"""The books as values, and how new fills change them: no I/O, the same for every job that reads fills."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.decimals import ZERO, exact
from common.domain.instrument import Instrument, Side
from common.domain.ledger.ledger import (
    Absorbed,
    Gap,
    Ledger,
    drift,
    net_quantity,
    once,
    restamped_after_fills,
    was_before,
)
from common.domain.ledger.position import FifoView, Position
from common.domain.ledger.quarantine import OddFill, Quarantine
from common.domain.ledger.sequence import RULE
from common.domain.order_book import OrderBook
from common.domain.orders.order import Fill
from common.domain.performance.attribution_state import AttributionState, without
from common.domain.performance.benchmark import Inception, Moved
from common.domain.performance.equity import Flow
from common.domain.portfolio import Holdings


class Books(NamedTuple):
    """The ledger, the lots of its sealed fills, the inception, the attribution's state, and odd fills.

    All but the quarantine are None before the first run.
    """

    ledger: Ledger | None = None
    lots: FifoView | None = None
    inception: Inception | None = None
    attribution_state: AttributionState | None = None
    quarantine: Quarantine = Quarantine()

    @property
    def tail(self) -> tuple[Fill, ...]:
        """The fills of the last hour."""
        return self.ledger.tail if self.ledger else ()


class NewFills(NamedTuple):
    """What was read: `fills` are new, or better known than in the tail; `odd` rows cannot be booked.

    `known` are all stored fills and `flows` all stored flows, read only if something must be folded from scratch.
    `counted_before` are among `known`: their record was lost, so they must be stored again, but not counted again.
    """

    fills: tuple[Fill, ...]
    read_until: datetime
    gaps: tuple[Gap, ...] = ()
    odd: tuple[OddFill, ...] = ()
    looked_back: bool = False
    place_in_the_future: bool = False
    known: tuple[Fill, ...] | None = None
    flows: tuple[Flow, ...] = ()
    counted_before: tuple[Fill, ...] = ()


class Observation(NamedTuple):
    """The account and the price to compare the books with; without a book, `mid_price` is the last price.

    `lags` says that the balances are known not to show the fills of the bot's own order yet.
    """

    holdings: Holdings
    mark_price: Decimal
    mid_price: Decimal
    lags: bool = False

    @classmethod
    def of(cls, holdings: Holdings, mark_price: Decimal, book: OrderBook | None = None) -> "Observation":
        sound = book is not None and book.problem is None
        return cls(holdings, mark_price, book.mid_price if book and sound else mark_price)


class BookContext(NamedTuple):
    """The pair, the exchange's address, and the target weight."""

    instrument: Instrument
    exchange: str
    weight: Decimal


class Folded(NamedTuple):
    """The books after new fills, and what to record of the change.

    `observation` has its balances restamped. `from_scratch` says that the ledger was rebuilt, `lots_changed` that
    the lots must be stored. `confirmed` is a flow that counts from now on; `flows` are all flows if some were
    corrected.
    """

    observation: Observation
    ledger: Ledger
    lots: FifoView
    inception: Inception
    attribution_state: AttributionState
    from_scratch: bool
    lots_changed: bool
    confirmed: Flow | None = None
    flows: tuple[Flow, ...] | None = None


def needs_the_whole(books: Books, fills: Iterable[Fill], place_in_the_future: bool) -> bool:
    """Whether the new fills can only be taken in with every stored fill at hand.

    That holds for a late fill, a fill of our own that was taken for somebody else's, a ledger ordered by an older
    version, a missing attribution, or a lost key.
    """
    held = {fill.fill_id: fill for fill in books.tail}
    given = tuple(fills)
    new = [fill for fill in given if fill.fill_id not in held]
    better = [fill for fill in given if fill.fill_id in held]
    ledger, state = books.ledger, books.attribution_state
    if ledger is None:
        return books.inception is not None
    if place_in_the_future or ledger.order_rule != RULE or state is None or books.lots is None:
        return True
    if any(fill.client_order_id != held[fill.fill_id].client_order_id for fill in better):
        return True
    return any(ledger.is_late(fill) for fill in new) or not state.knows(new)


def fold(books: Books, new_fills: NewFills, observation: Observation, context: BookContext) -> Folded:
    """Take the new fills into ledger, lots, inception and attribution. Pure."""
    instrument, holdings = context.instrument, observation.holdings
    if books.ledger is None:
        holdings = restamped_after_fills(holdings, None, new_fills.fills, instrument)
    absorbed = _absorbed(books, new_fills, holdings, context)
    ledger = absorbed.ledger
    if books.ledger is not None:
        holdings = restamped_after_fills(holdings, ledger, ledger.tail, instrument)
    observation = observation._replace(holdings=holdings)
    lots = FifoView() if absorbed.from_scratch or books.lots is None else books.lots
    lots = lots.fold(absorbed.sealed_fills, instrument)
    inception = books.inception
    if inception is None:
        then = ledger.position(instrument, holdings.as_of)
        quantities = holdings.base.total, holdings.quote.total
        inception = Inception(holdings.as_of, *quantities, observation.mark_price, Moved.by(then))
    elif absorbed.explaining:
        inception = inception.after(absorbed.explaining, instrument)
    state, confirmed, flows = _attributed(books, new_fills, ledger, inception, observation, context)
    lots_changed = absorbed.from_scratch or bool(absorbed.sealed_fills)
    rebuilt = absorbed.from_scratch
    return Folded(observation, ledger, lots, inception, state, rebuilt, lots_changed, confirmed, flows)


def _absorbed(books: Books, new_fills: NewFills, holdings: Holdings, context: BookContext) -> Absorbed:
    ledger, instrument = books.ledger, context.instrument
    if ledger is None:
        quantity, as_of = holdings.base.total, holdings.as_of
        everything = once((*(new_fills.known or ()), *new_fills.fills))
        return Ledger.first(new_fills.read_until, everything, quantity, as_of, instrument, context.exchange)
    if new_fills.place_in_the_future:
        ledger = ledger.set_back(new_fills.read_until)
    ledger = replace(
        ledger,
        gaps=(*ledger.gaps, *(gap for gap in new_fills.gaps if gap not in ledger.gaps)),
        exchange=ledger.exchange or context.exchange,
        looked_back_on=new_fills.read_until.date() if new_fills.looked_back else ledger.looked_back_on,
    )
    if new_fills.known is None:
        return ledger.absorb(new_fills.fills, new_fills.read_until, instrument)
    if not is_whole(books, new_fills, instrument):
        ledger = replace(ledger, order_rule=RULE)
        sealed = {fill.fill_id for fill in new_fills.known} - {fill.fill_id for fill in ledger.tail}
        fresh = [fill for fill in new_fills.fills if fill.fill_id not in sealed]
        return ledger.absorb(fresh, new_fills.read_until, instrument, late_too=True)
    return ledger.rebuilt(once((*new_fills.known, *ledger.tail)), new_fills.fills, instrument, new_fills.read_until)


def is_whole(books: Books, new_fills: NewFills, instrument: Instrument) -> bool:
    """Whether the stored fills include all that the ledger has counted; if not, what is sealed stays as it is."""
    if books.ledger is None or new_fills.known is None:
        return True
    known = {fill.fill_id for fill in (*new_fills.known, *books.tail)}
    return len(known) >= books.ledger.position(instrument).fill_count


def without_counted(
    books: Books, new_fills: NewFills, observation: Observation, instrument: Instrument
) -> NewFills:
    """Set apart the late fills that the ledger has counted already, though their record was lost (`ops` repair).

    They are at most as many, and as much on each side, as the record lacks. If they are exactly that, there is no
    doubt; otherwise a fill counts as counted if the account is explained better so.
    """
    ledger, held = books.ledger, {fill.fill_id: fill for fill in (*(new_fills.known or ()), *books.tail)}
    if ledger is None or is_whole(books, new_fills, instrument):
        return new_fills
    new = [fill for fill in new_fills.fills if fill.fill_id not in held]
    late = [fill for fill in new if ledger.is_late(fill)]
    recorded = Position().fold(held.values(), instrument)
    counted, exactly = _fitting(late, recorded, ledger.position(instrument))
    if not exactly:
        counted = _better_left_out(counted, new, ledger, observation.holdings, instrument)
    return new_fills._replace(
        fills=tuple(fill for fill in new_fills.fills if fill not in counted),
        known=once((*held.values(), *counted)),
        counted_before=tuple(counted),
    )


@exact
def _fitting(late: Iterable[Fill], recorded: Position, counted: Position) -> tuple[list[Fill], bool]:
    """The late fills that fit into what the record lacks, largest first, and whether they are all that it lacks."""
    fitting: list[Fill] = []
    lacking = {
        Side.BUY: counted.bought_quantity - recorded.bought_quantity,
        Side.SELL: counted.sold_quantity - recorded.sold_quantity,
    }
    missing = counted.fill_count - recorded.fill_count
    for fill in sorted(late, key=lambda fill: fill.quantity, reverse=True):
        if len(fitting) < missing and fill.quantity <= lacking[fill.side]:
            lacking[fill.side] -= fill.quantity
            fitting.append(fill)
    return fitting, len(fitting) == missing and not any(lacking.values())


@exact
def _better_left_out(
    fills: Iterable[Fill], new: Iterable[Fill], ledger: Ledger, holdings: Holdings, instrument: Instrument
) -> list[Fill]:
    """The fills without which the ledger and the new fills leave less of the account unexplained."""
    off = drift(ledger, holdings.base.total, holdings.as_of, instrument)
    off -= sum((net_quantity(fill, instrument) for fill in new), ZERO)
    left_out = []
    for fill in fills:
        without_it = off + net_quantity(fill, instrument)
        if abs(without_it) < abs(off):
            off = without_it
            left_out.append(fill)
    return left_out


def _attributed(
    books: Books,
    new_fills: NewFills,
    ledger: Ledger,
    inception: Inception,
    observation: Observation,
    context: BookContext,
) -> tuple[AttributionState, Flow | None, tuple[Flow, ...] | None]:
    """The attribution after the new fills, the flow it confirms, and all flows if late fills explain some."""
    held = {fill.fill_id: fill for fill in (*(new_fills.known or ()), *books.tail)}
    new = [fill for fill in new_fills.fills if fill.fill_id not in held and not was_before(fill, inception.at)]
    state, fresh, flows = books.attribution_state, new, None
    if state is None or (new_fills.known is not None and is_whole(books, new_fills, context.instrument)):
        everything = once((*held.values(), *new_fills.fills))
        late = [fill for fill in new if state is not None and was_before(fill, state.as_of)]
        left = without(new_fills.flows, late, context.instrument)
        flows = left if left != new_fills.flows else None
        state = AttributionState.rebuilt(state, inception, everything, left, context.weight, context.instrument)
        fresh = []
    else:
        since = [fill for fill in new_fills.fills if not was_before(fill, inception.at)]
        state = state.with_fee_values(_newly_worth(since, held))
    mid = observation.mid_price if observation.mid_price > 0 else state.attribution.price
    state = state.with_weight(context.weight, mid)
    seen = None if observation.lags else observation.holdings
    state, confirmed = state.after(fresh, seen, mid, ledger.tail, context.instrument)
    return state, confirmed, flows


@exact
def _newly_worth(fills: Iterable[Fill], held: dict[str, Fill]) -> Decimal:
    """The worth of fees that were valued only now, of fills that count already."""
    known = [fill for fill in fills if fill.fill_id in held and held[fill.fill_id].fee_value is None]
    return sum((fill.fee_value or ZERO for fill in known), ZERO)
