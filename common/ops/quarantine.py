"""`book-fill` and `ignore-fill`: an operator says what a row was that the bot could not book (contract.md §2.6).

What is said is kept beside the row; the next run that reads fills books it, and trading goes on at once.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.clock import milliseconds
from common.decimal_json import from_redis, loads, spelt_out
from common.decimals import plain
from common.domain.ledger.quarantine import Quarantined, Ruling
from common.domain.orders.order import Fill
from common.errors import BadRequest
from common.mexc.fills import read_fills
from common.ops.given import Given
from common.store.codec import from_document, to_document

log = logging.getLogger(__name__)
TOLD = ("id", "side", "price", "quantity", "notional", "fee", "fee_asset", "order_id", "time", "reason")
"""What an operator may say of a fill, and what the journal keeps of it."""
_WIRE = {
    "price": "price",
    "quantity": "qty",
    "notional": "quoteQty",
    "fee": "commission",
    "fee_asset": "commissionAsset",
    "order_id": "orderId",
}

_SPARED: Mapping[str, type] = {"isMaker": bool, "clientOrderId": str}
"""What a fill can do without: nobody need say it where it cannot be read."""


def book(given: Given) -> Mapping[str, Any]:
    """Book a fill in a row's place: what the row tells stands unless said otherwise, the rest must be said."""
    entry = _open(given)
    fill = _said(given, entry)
    log.warning("fill %s is booked as %s said it was", fill.fill_id, given.by)
    return _ruled(given, entry, fill)


def ignore(given: Given) -> Mapping[str, Any]:
    """Leave a row out for good: it was no fill of this account's."""
    entry = _open(given)
    log.warning("fill %s is left out as %s said", entry.odd.fill_id, given.by)
    return _ruled(given, entry, None)


def _open(given: Given) -> Quarantined:
    key, name = given.batch.keys.quarantine, given.body.get("id")
    found: Any = given.store.read({"rows": ("HGETALL", key)}, given.meter)["rows"] or {}
    if not isinstance(name, str) or name not in found:
        waiting = ", ".join(found) or "nothing is in quarantine"
        raise BadRequest(f"id: one of those in quarantine ({waiting})")
    entry = from_document(Quarantined, from_redis(found[name], key), key)
    if entry.ruling is not None:
        raise BadRequest(f"id: {name} was spoken of by {entry.ruling.by} before")
    return entry


def _said(given: Given, entry: Quarantined) -> Fill:
    """The row with what was said in place of what could not be read. Raises BadRequest, naming what is missing."""
    try:
        row = loads(entry.odd.row, raw=True)
    except ValueError:
        row = {}
    instrument = given.settings.instrument
    told: dict[str, Any] = {"quoteQty": None, "commission": None, "commissionAsset": None}
    told |= row if isinstance(row, dict) else {}
    told |= {name: None for name, kind in _SPARED.items() if not _is(kind, told.get(name))}
    told |= {"symbol": instrument.symbol, "id": entry.odd.fill_id}
    for name, field in _WIRE.items():
        if name in given.body:
            told[field] = _text(given.body[name])
    if "side" in given.body:
        if given.body["side"] not in ("BUY", "SELL"):
            raise BadRequest("side: BUY or SELL")
        told["isBuyer"] = given.body["side"] == "BUY"
    if "time" in given.body:
        told["time"] = _milliseconds(given.body["time"])
    if {"price", "quantity"} & given.body.keys() and "notional" not in given.body:
        told["quoteQty"] = None
    page = read_fills([told], instrument.symbol, given.now)
    if not page.fills:
        why = page.odd[0].reason if page.odd else "quantity: is 0"
        raise BadRequest(f"book-fill: say what the row does not tell ({why})")
    return page.fills[0]


def _is(kind: type, value: object) -> bool:
    return isinstance(value, kind) and not (isinstance(value, str) and value != spelt_out(value))


def _text(value: object) -> object:
    return plain(value) if isinstance(value, Decimal) else value


def _milliseconds(value: object) -> int:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadRequest("time: ISO 8601 with an offset")
    return milliseconds(moment)


def _ruled(given: Given, entry: Quarantined, fill: Fill | None) -> Mapping[str, Any]:
    ruling = Ruling(given.by, given.now, fill)
    given.batch.hash(given.batch.keys.quarantine, {entry.odd.fill_id: to_document(Quarantined(entry.odd, ruling))})
    return {"id": entry.odd.fill_id, "fill": to_document(fill) if fill else None}
