"""`book-fill` and `ignore-fill`: an operator rules on a row that the bot could not book (contract.md §2.6).

The ruling is kept beside the row; trading may go on at once, and the next run that reads fills books it.
"""

import logging
from collections.abc import Mapping
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
from common.store.codec import Unreadable, from_document, moment, to_document

log = logging.getLogger(__name__)
FILL_FIELDS = ("id", "side", "price", "quantity", "notional", "fee", "fee_asset", "order_id", "time", "reason")
"""What an operator may enter about a fill, and what the audit log keeps of it."""
_WIRE = {
    "price": "price",
    "quantity": "qty",
    "notional": "quoteQty",
    "fee": "commission",
    "fee_asset": "commissionAsset",
    "order_id": "orderId",
}

_SPARED: Mapping[str, type] = {"isMaker": bool, "clientOrderId": str}
"""What a fill can do without: if it is unreadable, the operator need not enter it."""


def book(given: Given) -> Mapping[str, Any]:
    """Book a fill in place of a row: the command overrides the row, and must supply what the row lacks."""
    entry = _open(given)
    fill = _said(given, entry)
    log.warning("fill %s is booked as %s said it was", fill.fill_id, given.by)
    return _ruled(given, entry, fill)


def ignore(given: Given) -> Mapping[str, Any]:
    """Leave a row out for good: it was not a fill of this account."""
    entry = _open(given)
    log.warning("fill %s is left out as %s said", entry.odd.fill_id, given.by)
    return _ruled(given, entry, None)


def _open(given: Given) -> Quarantined:
    key, name = given.batch.keys.quarantine, given.body.get("id")
    found: Any = given.store.read_one(("HGETALL", key), given.meter) or {}
    if not isinstance(name, str) or name not in found:
        waiting = ", ".join(found) or "nothing is in quarantine"
        raise BadRequest(f"id: one of those in quarantine ({waiting})")
    entry = from_document(Quarantined, from_redis(found[name], key), key)
    if entry.ruling is not None:
        raise BadRequest(f"id: {name} was spoken of by {entry.ruling.by} before")
    return entry


def _said(given: Given, entry: Quarantined) -> Fill:
    """The row, completed by the command. Raises BadRequest, naming what is missing."""
    try:
        row = loads(entry.odd.row, raw=True)
    except ValueError:
        row = {}
    instrument = given.settings.instrument
    merged: dict[str, Any] = {"quoteQty": None, "commission": None, "commissionAsset": None}
    merged |= row if isinstance(row, dict) else {}
    merged |= {name: None for name, kind in _SPARED.items() if not _is(kind, merged.get(name))}
    merged |= {"symbol": instrument.symbol, "id": entry.odd.fill_id}
    for name, field in _WIRE.items():
        if name in given.body:
            merged[field] = _text(given.body[name])
    if "side" in given.body:
        if given.body["side"] not in ("BUY", "SELL"):
            raise BadRequest("side: BUY or SELL")
        merged["isBuyer"] = given.body["side"] == "BUY"
    if "time" in given.body:
        merged["time"] = _milliseconds(given.body["time"])
    if {"price", "quantity"} & given.body.keys() and "notional" not in given.body:
        merged["quoteQty"] = None
    page = read_fills([merged], instrument.symbol, given.now)
    if not page.fills:
        why = page.odd[0].reason if page.odd else "quantity: is 0"
        raise BadRequest(f"book-fill: give what the row does not say ({why})")
    return page.fills[0]


def _is(kind: type, value: object) -> bool:
    return isinstance(value, kind) and not (isinstance(value, str) and value != spelt_out(value))


def _text(value: object) -> object:
    return plain(value) if isinstance(value, Decimal) else value


def _milliseconds(value: object) -> int:
    try:
        return milliseconds(moment(value))
    except Unreadable:
        raise BadRequest("time: ISO 8601 with an offset") from None


def _ruled(given: Given, entry: Quarantined, fill: Fill | None) -> Mapping[str, Any]:
    ruling = Ruling(given.by, given.now, fill)
    given.batch.hash(given.batch.keys.quarantine, {entry.odd.fill_id: to_document(Quarantined(entry.odd, ruling))})
    return {"id": entry.odd.fill_id, "fill": to_document(fill) if fill else None}
