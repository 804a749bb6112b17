"""What the ledger and the attribution say, held against the exchange's own fills."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, localcontext

from common.decimals import EXACT
from common.domain.instrument import Instrument
from common.domain.ledger.ledger import Ledger, once
from common.domain.ledger.position import Position
from common.domain.orders.order import Fill
from common.domain.performance.attribution import SUMMANDS, Lines
from local.exchange.orders import Fill as Executed


def of_the_ledger(
    ledger: Ledger, stored: Sequence[Fill], executed: Sequence[Executed], instrument: Instrument
) -> Iterator[str]:
    """It has counted the exchange's fills, each once, and says what the fills that are stored beside it say.

    A fill is stored again only when it is known better: when the exchange had not said whose it was.
    """
    position, kept = ledger.position(instrument), once(stored)
    named = Counter(fill.fill_id for fill in stored if fill.client_order_id is not None)
    yield from (f"fill {name} is stored {count} times" for name, count in named.items() if count > 1)
    if position.fill_count != len(executed):
        yield f"the ledger has counted {position.fill_count} fills, the exchange {len(executed)}"
    if {fill.fill_id for fill in kept} != {fill.trade_id for fill in executed}:
        told = f"{[fill.fill_id for fill in kept]}, the exchange has {[fill.trade_id for fill in executed]}"
        yield f"the ledger keeps the fills {told}"
    folded = Position(unknown_quantity=ledger.opening_quantity).fold(kept, instrument)
    if position != folded:
        yield f"the ledger says {position}, its fills say {folded}"
    for name, moved in _moved(executed, instrument).items():
        if getattr(position, name) != moved:
            yield f"the ledger has {getattr(position, name)} as {name}, the exchange's fills have {moved}"


def _moved(fills: Iterable[Executed], instrument: Instrument) -> dict[str, Decimal]:
    """What the exchange's fills have moved, under the names that the ledger has for it."""
    moved = dict.fromkeys(("bought_quantity", "sold_quantity", "cash_flow", "base_fees", "quote_fees"), Decimal(0))
    with localcontext(EXACT):
        for fill in fills:
            moved["bought_quantity" if fill.is_buyer else "sold_quantity"] += fill.quantity
            moved["cash_flow"] += -fill.quote_quantity if fill.is_buyer else fill.quote_quantity
            if fill.commission_asset == instrument.quote:
                moved["quote_fees"] += fill.commission
                moved["cash_flow"] -= fill.commission
            elif fill.commission_asset == instrument.base:
                moved["base_fees"] += fill.commission
    return moved


def of_the_lines(lines: Lines, *, ours_alone: bool) -> Iterator[str]:
    """They sum to the difference to the last digit; with `ours_alone` nobody but the bot has traded."""
    with localcontext(EXACT):
        summed = sum(getattr(lines, name) for name in SUMMANDS)
    if summed != lines.difference:
        yield f"the lines of the attribution sum to {summed}, the difference is {lines.difference}"
    if ours_alone and lines.operator_trades:
        yield f"nobody else has traded, but the attribution has {lines.operator_trades} of the operator's"
