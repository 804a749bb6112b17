"""Documents with the contract's field names (contract.md §2 to §6): account, position, price, plan, order report.

They are written by hand, only here; with another symbol the asset names in fields follow it.

Data for decisions is read back by its type; data for display is read back by `shown`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from common.decimal_json import from_redis
from common.decimals import exact, quotient, tidy
from common.domain.instrument import Instrument
from common.domain.orders.order import OrderIntent
from common.domain.portfolio import Account, Balance, Holdings
from common.errors import InvalidAmount
from common.store.codec import AMOUNT, Document, from_document

if TYPE_CHECKING:
    from common.domain.ledger.quarantine import Quarantine
    from common.domain.ledger.statement import Statement
    from common.domain.orders.journal import JournalEntry
    from common.domain.performance.attribution import Lines
    from common.domain.performance.benchmark import Comparison, Inception


MALFORMED_DOCUMENT = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, InvalidAmount)
"""The errors that describing a document of another version, or an altered one, can end in."""


def assets(instrument: Instrument) -> tuple[str, str]:
    """The asset names as used in field names: qrl, usdt."""
    return instrument.base.lower(), instrument.quote.lower()


def account_document(account: Account, now: datetime) -> Document:
    """`account:balance` (contract.md §2.1): every non-zero asset; null stays null."""
    return {
        "success": True,
        "balances": {
            asset: {"free": b.free, "locked": b.locked, "total": total}
            for asset, b in account.balances.items()
            if (total := b.total)
        },
        "makerCommission": account.maker_commission,
        "takerCommission": account.taker_commission,
        "canTrade": account.can_trade,
        "canWithdraw": account.can_withdraw,
        "canDeposit": account.can_deposit,
        "updateTime": account.update_time,
        "accountType": account.account_type,
        "permissions": list(account.permissions),
        "timestamp": now,
        "cached": False,
    }


def position_fields(
    account: Account, instrument: Instrument, now: datetime, balances: Document | None = None
) -> Document:
    """The position hash (contract.md §3); pass `balances` if the account document exists already."""
    base, quote = assets(instrument)
    return {
        f"{base}_balance": account.balance(instrument.base).free,
        f"{quote}_balance": account.balance(instrument.quote).free,
        f"{base}_locked": account.balance(instrument.base).locked,
        f"{quote}_locked": account.balance(instrument.quote).locked,
        "all_balances": account_document(account, now)["balances"] if balances is None else balances,
        "account_type": account.account_type,
        "can_trade": account.can_trade,
        "can_withdraw": account.can_withdraw,
        "can_deposit": account.can_deposit,
        "update_time": account.update_time,
        "permissions": list(account.permissions),
        "maker_commission": account.maker_commission,
        "taker_commission": account.taker_commission,
        "updated_at": now,
    }


def holdings_of(fields: Mapping[str, Any], instrument: Instrument, key: str) -> Holdings | None:
    """The holdings in a stored position hash; None when it is empty. Raises StoreCorrupt."""
    if not fields:
        return None
    base, quote = assets(instrument)
    names = {"base": f"{base}_balance", "base_locked": f"{base}_locked"}
    names |= {"quote": f"{quote}_balance", "quote_locked": f"{quote}_locked", "as_of": "updated_at"}
    known = {name: fields[field] for name, field in names.items() if field in fields}
    read = from_document(_Balances, known, key)
    return Holdings(Balance(read.base, read.base_locked), Balance(read.quote, read.quote_locked), read.as_of)


@dataclass(frozen=True, slots=True)
class _Balances:
    """The fields of the position hash that are read back."""

    base: Decimal
    base_locked: Decimal
    quote: Decimal
    quote_locked: Decimal
    as_of: datetime


@dataclass(frozen=True, slots=True)
class LastPrice:
    """`price:latest` and `price:cached` (contract.md §3)."""

    price: Decimal
    volume: Decimal
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class LastPlan:
    """What the last plan decided on: the price and both balances, free and locked."""

    timestamp: datetime
    price: Decimal
    base: Decimal
    quote: Decimal


def last_plan_of(document: Any, instrument: Instrument, key: str) -> LastPlan:
    """Read from a stored plan. Raises StoreCorrupt, naming `key`."""
    base, quote = assets(instrument)
    seen = document if isinstance(document, dict) else {}
    names = {"timestamp": "timestamp", "price": "price", "base": f"{base}_balance", "quote": f"{quote}_balance"}
    return from_document(LastPlan, {field: seen.get(name) for field, name in names.items()}, key)


def intent_document(intent: OrderIntent) -> Document:
    """The intended order, as a plan shows it."""
    return {
        "client_order_id": intent.client_order_id,
        "slot": intent.slot,
        "side": intent.side.value,
        "style": intent.style.value,
        "quantity": intent.quantity,
        "limit_price": intent.limit_price,
        "notional": intent.notional,
    }


def order_report(entry: "JournalEntry", instrument: Instrument, **more: Any) -> Document:
    """The execution report in a response: what was ordered, and the outcome."""
    filled = entry.filled_quantity
    return {
        "client_order_id": entry.intent.client_order_id,
        "order_id": entry.order_id,
        "status": entry.state.value,
        "reason": entry.reason,
        "side": entry.intent.side.value,
        "type": entry.intent.style.order_type,
        "quantity": entry.intent.quantity,
        "limit_price": entry.intent.limit_price,
        f"notional_{instrument.quote.lower()}": entry.intent.notional,
        "filled_quantity": filled,
        f"filled_notional_{instrument.quote.lower()}": entry.filled_notional,
        "sent_at": entry.sent_at,
        "average_fill_price": quotient(entry.filled_notional, filled) if filled > 0 else None,
        **more,
    }


@exact
def cost_document(
    statement: "Statement", lines: "Lines | None", quarantine: "Quarantine", instrument: Instrument
) -> Document:
    """The fields of contract.md §2.3, §5 and §13. P&L covers the coins of known cost only."""
    base, quote = assets(instrument)
    position, fifo, holdings = statement.position, statement.fifo, statement.holdings
    return {
        f"{base}_balance": position.quantity,
        "avg_cost": position.average_cost,
        "current_price": statement.mark_price,
        "current_value": tidy(statement.current_value),
        "total_invested": tidy(position.cost),
        "unrealized_pnl": tidy(statement.unrealized_pnl),
        "realized_pnl": tidy(position.realized_pnl),
        "total_pnl": tidy(statement.total_pnl),
        "roi_percent": statement.roi_percent,
        "account_quantity": holdings.base.total,
        "account_as_of": holdings.as_of,
        "unknown_cost_quantity": position.unknown_quantity,
        "unmatched_sold_quantity": position.unmatched_quantity,
        "unmatched_proceeds": position.unmatched_proceeds,
        "drift_quantity": tidy(statement.drift),
        "fees": {
            quote: position.quote_fees,
            base: position.base_fees,
            "other_value": position.other_fees_value,
            "unvalued": dict(position.unvalued_fees),
        },
        "fill_count": position.fill_count,
        "history_gaps": [{"start": gap.start, "end": gap.end} for gap in statement.gaps],
        "quarantine": [
            {"id": odd.fill_id, "reason": odd.reason, "seen_at": odd.seen_at} for odd in quarantine.open
        ],
        "fifo": {
            "quantity": fifo.quantity,
            "avg_cost": quotient(fifo.cost, fifo.quantity) if fifo.quantity > 0 else None,
            "total_invested": fifo.cost,
            "realized_pnl": fifo.realized_pnl,
            "open_lots": len(fifo.lots),
            "unrealized_pnl": tidy(statement.fifo_unrealized_pnl),
        },
        "benchmark": comparison_document(statement.comparison, statement.inception),
        "attribution": lines_document(lines) if lines else None,
    }


def lines_document(lines: "Lines") -> Document:
    """`attribution` under the names of contract.md §13."""
    values = {name: getattr(lines, name) for name in lines.__slots__}
    return {name: tidy(value) if isinstance(value, Decimal) else value for name, value in values.items()}


def comparison_document(comparison: "Comparison", inception: "Inception") -> Document:
    return {"since": inception.at} | {name: tidy(value) for name, value in comparison._asdict().items()}


TEXTS = frozenset(
    (
        *("reason", "explanation", "message", "advice", "by", "set_by", "command", "key", "name", "source"),
        *("fee_asset", "account_type", "accountType", "permissions", "id", "slot", "day", "status", "code", "task"),
    )
)
"""Names of fields whose text is never a number; the same holds for names that end in `_id`."""


def shown(document: Any, name: str = "") -> Any:
    """A stored document as responses show it: amounts are numbers there, but decimal strings in Redis."""
    if isinstance(document, str):
        text = name in TEXTS or name.endswith("_id") or not AMOUNT.fullmatch(document)
        return document if text else Decimal(document)
    if isinstance(document, dict):
        return {inner: shown(value, inner) for inner, value in document.items()}
    if isinstance(document, list):
        return [shown(value, name) for value in document]
    return document


def shown_hash(fields: Mapping[str, str], key: str) -> Document:
    """The fields of a stored hash as responses show them. Raises StoreCorrupt, naming `key` and field."""
    return {name: _shown_field(name, text, key) for name, text in fields.items()}


def _shown_field(name: str, text: str, key: str) -> Any:
    if text in ("", "True", "False"):
        return {"": None, "True": True, "False": False}[text]
    return shown(from_redis(text, f"{key}:{name}") if text[0] in "{[" else text, name)
