"""Domain values as documents and back: what stands in Redis and, with numbers for strings, in answers.

The names of contract.md §2, §4 (`qrl_balance`, `threshold_pct`, …) are made here; with another symbol the asset
names in them follow it.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.decimals import quotient, tidy
from common.domain.instrument import Instrument, Side, TradingRules
from common.domain.ledger.ledger import Gap, Ledger
from common.domain.ledger.position import FifoView, Lot, Position
from common.domain.orders.order import Fill
from common.domain.performance.benchmark import Comparison, Inception, Moved
from common.domain.portfolio import Account, Balance, Holdings
from common.errors import StoreCorrupt
from common.store.stored import a, amount, amount_or_none, amounts, moment, reading

Document = dict[str, Any]


def assets(instrument: Instrument) -> tuple[str, str]:
    """The asset names that go into field names: qrl, usdt."""
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
    """The position hash (contract.md §3); `balances` are those of the account document where it is made as well."""
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
    """The holdings in a position hash that was read back; None when there is none."""
    if not fields:
        return None
    base, quote = assets(instrument)
    with reading(key, "a position"):
        return Holdings(
            Balance(amount(fields[f"{base}_balance"]), amount(fields[f"{base}_locked"])),
            Balance(amount(fields[f"{quote}_balance"]), amount(fields[f"{quote}_locked"])),
            moment(fields["updated_at"]),
        )


_RULE_AMOUNTS = (
    "size_increment",
    "min_quantity",
    "price_increment",
    "min_notional",
    "max_notional",
    "maker_fee",
    "taker_fee",
)


def rules_document(rules: TradingRules) -> Document:
    return {
        name: [str(item) for item in value] if isinstance(value, tuple) else value
        for name in TradingRules.__slots__
        for value in [getattr(rules, name)]
    }


def rules_of(document: Any) -> TradingRules | None:
    """Cached rules; None (a miss) when they are not what this version writes."""
    try:
        return TradingRules(
            **amounts(document, _RULE_AMOUNTS),
            sides=tuple(Side(side) for side in a(list, document["sides"])),
            market_orders=a(bool, document["market_orders"]),
            closed=tuple(a(str, reason) for reason in a(list, document["closed"])),
            price_band_up=amount_or_none(document["price_band_up"]),
            price_band_down=amount_or_none(document["price_band_down"]),
            market_min_notional=amount_or_none(document["market_min_notional"]),
            market_max_notional=amount_or_none(document["market_max_notional"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def price_in(document: Any, key: str) -> Decimal:
    """The price of a stored document. Raises StoreCorrupt, naming `key`."""
    try:
        return amount(document["price"])
    except (KeyError, TypeError):
        raise StoreCorrupt(f"{key} holds no price") from None


def fill_document(fill: Fill) -> Document:
    return {name: getattr(fill, name) for name in Fill.__slots__}


def fill_of(document: Any, key: str = "the record") -> Fill:
    """A fill that was stored or journalled. Raises StoreCorrupt, naming `key`."""
    with reading(key, "a fill"):
        client_id, asset = document["client_order_id"], document["fee_asset"]
        return Fill(
            **amounts(document, ("price", "quantity", "notional", "fee")),
            fill_id=a(str, document["fill_id"]),
            order_id=a(str, document["order_id"]),
            client_order_id=None if client_id is None else a(str, client_id),
            side=Side(document["side"]),
            fee_asset=str(asset) if isinstance(asset, Decimal) else a(str, asset),
            executed_at=moment(document["executed_at"]),
            is_maker=a(bool, document["is_maker"]),
            fee_value=amount_or_none(document["fee_value"]),
        )


def position_document(position: Position) -> Document:
    return {name: getattr(position, name) for name in Position.__slots__}


def _position_of(document: Any) -> Position:
    return Position(
        **amounts(document, set(Position.__slots__) - {"fill_count", "unvalued_fees"}),
        fill_count=int(amount(document["fill_count"])),
        unvalued_fees=amounts(document["unvalued_fees"], a(dict, document["unvalued_fees"])),
    )


def ledger_document(ledger: Ledger, fifo: Document) -> Document:
    """The ledger's state: small, whatever the history; `fifo` is the summary of the open lots."""
    return {
        "sealed": position_document(ledger.sealed),
        "sealed_until": ledger.sealed_until,
        "place": ledger.place,
        "opened_at": ledger.opened_at,
        "opening": ledger.opening,
        "tail": [fill_document(fill) for fill in ledger.tail],
        "gaps": [{"start": gap.start, "end": gap.end} for gap in ledger.gaps],
        "fifo": fifo,
    }


def ledger_of(document: Any, key: str) -> tuple[Ledger, Document]:
    """The ledger and its FIFO summary. Raises StoreCorrupt, naming `key`."""
    with reading(key, "a ledger"):
        return Ledger(
            sealed=_position_of(document["sealed"]),
            sealed_until=moment(document["sealed_until"]),
            place=moment(document["place"]),
            opened_at=moment(document["opened_at"]),
            opening=amount(document["opening"]),
            tail=tuple(fill_of(fill, key) for fill in a(list, document["tail"])),
            gaps=tuple(Gap(moment(gap["start"]), moment(gap["end"])) for gap in a(list, document["gaps"])),
        ), document["fifo"]


def lots_document(fifo: FifoView) -> Document:
    return {"realized_pnl": fifo.realized_pnl, "lots": [[lot.quantity, lot.cost] for lot in fifo.lots]}


def lots_of(document: Any, key: str) -> FifoView:
    with reading(key, "a record of FIFO lots"):
        lots = tuple(Lot(amount(quantity), amount(cost)) for quantity, cost in document["lots"])
        return FifoView(lots, amount(document["realized_pnl"]))


def fifo_summary(fifo: FifoView) -> Document:
    quantity, cost = fifo.quantity, fifo.cost
    return {
        "quantity": quantity,
        "avg_cost": quotient(cost, quantity) if quantity > 0 else None,
        "total_invested": cost,
        "realized_pnl": fifo.realized_pnl,
        "open_lots": len(fifo.lots),
    }


def inception_document(inception: Inception, instrument: Instrument) -> Document:
    base, quote = assets(instrument)
    return {
        "timestamp": inception.at,
        f"{base}_quantity": inception.base_quantity,
        f"{quote}_quantity": inception.quote_quantity,
        "price": inception.mark_price,
        "moved": {name: getattr(inception.moved, name) for name in Moved.__slots__},
    }


def inception_of(document: Any, instrument: Instrument, key: str) -> Inception:
    base, quote = assets(instrument)
    with reading(key, "the record of the inception"):
        return Inception(
            moment(document["timestamp"]),
            amount(document[f"{base}_quantity"]),
            amount(document[f"{quote}_quantity"]),
            amount(document["price"]),
            Moved(**amounts(document["moved"], Moved.__slots__)),
        )


def comparison_document(comparison: Comparison, inception: Inception) -> Document:
    return {"since": inception.at} | {name: tidy(getattr(comparison, name)) for name in Comparison.__slots__}
