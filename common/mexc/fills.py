"""myTrades row by row: one odd row is no reason to lose the others (exchange.md §5).

Missing data that a fill can do without is left open or derived, and the fill's remarks say so. Nothing that money
depends on is guessed: such a row is returned as odd, unaltered.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pydantic import ValidationError

from common.clock import from_milliseconds
from common.decimals import ONE, ZERO, exact, plain
from common.domain.instrument import Instrument, Side
from common.domain.ledger.position import UNKNOWN_FEE
from common.domain.ledger.quarantine import OddFill
from common.domain.orders.order import FEE_UNKNOWN, NOTIONAL_DERIVED, Fill
from common.errors import UnreadablePayload
from common.mexc.odd_rows import name_of, text_of
from common.mexc.payloads import WireFill, asset_code

AHEAD = timedelta(minutes=1)
"""No fill is that much later than the answer that lists it: a run stops when the clocks are further apart."""


class FillPage(NamedTuple):
    """One page: its fills, the rows that cannot be booked, why others were left out, and how many rows it had."""

    fills: tuple[Fill, ...]
    odd: tuple[OddFill, ...] = ()
    left_out: tuple[tuple[datetime, str], ...] = ()
    rows: int = 0


def read_fills(payload: object, symbol: str, seen_at: datetime) -> FillPage:
    """Raises UnreadablePayload when the payload is not a list."""
    if not isinstance(payload, list):
        raise UnreadablePayload("myTrades: the answer is no list")
    instrument = Instrument.from_symbol(symbol)
    fills, odd, left_out = [], [], []
    for row in payload:
        try:
            wire = WireFill.model_validate(row)
        except ValidationError as error:
            odd.append(_odd(row, _fault(error), seen_at))
            continue
        if wire.symbol != symbol:
            odd.append(_odd(row, f"symbol: asked for {symbol}, answered for {wire.symbol:.20}", seen_at))
        elif wire.qty == ZERO:
            left_out.append((from_milliseconds(wire.time), f"myTrades: {wire.id:.40} has quantity 0"))
        elif from_milliseconds(wire.time) > seen_at + AHEAD:
            odd.append(_odd(row, f"time: {from_milliseconds(wire.time).isoformat()} is still to come", seen_at))
        elif wire.price == ZERO:
            odd.append(_odd(row, "price: is 0", seen_at))
        elif _contradicts_itself(wire):
            odd.append(_odd(row, "quoteQty: is not price times qty", seen_at))
        elif problem := _fee_problem(wire, instrument):
            odd.append(_odd(row, problem, seen_at))
        else:
            fills.append(_fill(wire))
    return FillPage(tuple(fills), tuple(odd), tuple(left_out), len(payload))


@exact
def _contradicts_itself(wire: WireFill) -> bool:
    """Whether the notional differs from price times quantity by more than 1 % and its last digit."""
    if not wire.quoteQty:
        return False
    expected, exponent = wire.price * wire.qty, wire.quoteQty.as_tuple().exponent
    last_digit = ONE.scaleb(min(int(exponent), 0))
    return abs(wire.quoteQty - expected) > expected / 100 + last_digit


@exact
def _fee_problem(wire: WireFill, instrument: Instrument) -> str | None:
    """Why a commission is impossible: in one of the two assets, as large as the trade or larger."""
    asset = wire.commissionAsset
    if not wire.commission or asset is None:
        return None
    traded = {instrument.base: wire.qty, instrument.quote: wire.quoteQty or wire.price * wire.qty}
    if asset not in traded and (code := asset_code(asset)) in traded:
        return f"commissionAsset: {asset:.20} is {code} in another spelling"
    if asset in traded and abs(wire.commission) >= traded[asset]:
        return f"commission: {plain(wire.commission)} {asset} of {plain(traded[asset])} that were traded"
    return None


@exact
def _fill(wire: WireFill) -> Fill:
    """A missing fee is unknown; a missing or zero notional is price times quantity."""
    fee_known = wire.commission is not None and wire.commissionAsset is not None
    notional = wire.quoteQty or ZERO
    remarks = [] if fee_known else [FEE_UNKNOWN]
    if not notional:
        notional = wire.price * wire.qty
        remarks.append(NOTIONAL_DERIVED)
    return Fill(
        fill_id=wire.id,
        order_id=wire.orderId,
        client_order_id=wire.clientOrderId,
        side=Side.BUY if wire.isBuyer else Side.SELL,
        price=wire.price,
        quantity=wire.qty,
        notional=notional,
        fee=wire.commission if fee_known and wire.commission is not None else ZERO,
        fee_asset=wire.commissionAsset if fee_known and wire.commissionAsset is not None else UNKNOWN_FEE,
        executed_at=from_milliseconds(wire.time),
        is_maker=bool(wire.isMaker),
        remarks=tuple(remarks),
    )


def _odd(row: Any, reason: str, seen_at: datetime) -> OddFill:
    return OddFill(name_of(row, "id"), reason, text_of(row)[:4000], seen_at)


def _fault(error: ValidationError) -> str:
    return "; ".join(sorted(_faults(error)))


def _faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_input=False, include_url=False):
        where = ".".join(map(str, fault["loc"])) or "the whole"
        yield f"{where}: {fault['msg']}"
