"""The bot's own state whose stored form differs from its dataclass, as documents and back (see codec.py).

Those dataclasses have defaults for convenience only. A field that every version wrote must be present: if it is
missing it was lost, and its default must not replace it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from common.domain.instrument import Instrument, TradingRules
from common.domain.ledger.ledger import Ledger
from common.domain.ledger.position import FifoView, Lot
from common.domain.orders.order import Fill
from common.domain.performance.benchmark import Inception
from common.errors import StoreCorrupt
from common.store.codec import Document, from_document, to_document, whole
from common.store.documents import assets

FILL_FIELDS = ("is_maker", "fee_value")
POSITION_FIELDS = (
    *("quantity", "cost", "realized_pnl", "unknown_quantity", "unmatched_quantity", "unmatched_proceeds"),
    *("bought_quantity", "sold_quantity", "base_fees", "quote_fees", "other_fees_value", "cash_flow"),
    *("fill_count", "unvalued_fees"),
)
RULES_FIELDS = (
    *("sides", "market_orders", "closed", "price_band_up", "price_band_down"),
    *("market_min_notional", "market_max_notional"),
)


def fill_of(document: Any, key: str = "the record") -> Fill:
    """A fill from Redis or the audit log. Raises StoreCorrupt, naming `key`."""
    return from_document(Fill, whole(document, FILL_FIELDS, key), key)


def ledger_of(document: Any, key: str) -> Ledger:
    """Raises StoreCorrupt, naming `key`."""
    found = whole(document, ("tail", "gaps"), key)
    ledger = from_document(Ledger, found, key)
    whole(found["sealed"], POSITION_FIELDS, key)
    for fill in found["tail"]:
        whole(fill, FILL_FIELDS, key)
    return ledger


def lots_document(fifo: FifoView) -> Document:
    """Each lot as a pair, since there may be thousands."""
    return {"realized_pnl": fifo.realized_pnl, "lots": [[lot.quantity, lot.cost] for lot in fifo.lots]}


@dataclass(frozen=True, slots=True)
class _Lots:
    realized_pnl: Decimal
    lots: tuple[tuple[Decimal, Decimal], ...]


def lots_of(document: Any, key: str) -> FifoView:
    """Raises StoreCorrupt, naming `key`."""
    read = from_document(_Lots, document, key)
    return FifoView(tuple(Lot(*pair) for pair in read.lots), read.realized_pnl)


def _inception_names(instrument: Instrument) -> Mapping[str, str]:
    base, quote = assets(instrument)
    names = {"timestamp": "at", f"{base}_quantity": "base_quantity", f"{quote}_quantity": "quote_quantity"}
    return names | {"price": "mark_price", "moved": "moved"}


def inception_document(inception: Inception, instrument: Instrument) -> Document:
    """Under the pair's own names: qrl_quantity, usdt_quantity."""
    document = to_document(inception)
    return {stored: document[name] for stored, name in _inception_names(instrument).items()}


def inception_of(document: Any, instrument: Instrument, key: str) -> Inception:
    """Raises StoreCorrupt, naming `key`."""
    names = _inception_names(instrument)
    found = whole(document, names, key)
    return from_document(Inception, {name: found[stored] for stored, name in names.items()}, key)


def rules_of(document: Any) -> TradingRules | None:
    """Cached rules; None (a miss) when this version would not have written them."""
    try:
        return from_document(TradingRules, whole(document, RULES_FIELDS, "rules"), "rules")
    except StoreCorrupt:
        return None
