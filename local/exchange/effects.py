"""How faults change the exchange's own behaviour during one request (faults.py says when)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from local.exchange.config import Rules

# What each way of closing a symbol changes in its rules. "orders" and "key" show nowhere in exchangeInfo.
CLOSED_HOW: dict[str, dict[str, Any]] = {
    "orders": {"api_open": False},
    "key": {},
    "status": {"status": "2"},
    "offline": {"status": "3"},
    "spot_flag": {"is_spot_trading_allowed": False},
    "buy_only": {"trade_side_type": 2},
    "sell_only": {"trade_side_type": 3},
    "closed": {"trade_side_type": 4},
}


@dataclass(frozen=True, slots=True)
class Effects:
    """Changes of behaviour for one request; the default changes nothing."""

    skew_ms: int = 0
    hide_order_ms: int = 0
    hide_trades_ms: int = 0
    stale_balances_ms: int = 0
    fill_fraction: Decimal | None = None
    market_closed: bool = False
    closed_how: str | None = None
    refuse_duplicates: bool = False

    @property
    def key_symbol_closed(self) -> bool:
        return self.closed_how == "key"

    def rules(self, rules: Rules) -> Rules:
        """Give the rules as they are during this request."""
        changes: dict[str, Any] = {}
        if self.market_closed:
            changes["market_orders_open"] = False
        if self.closed_how is not None:
            changes |= CLOSED_HOW[self.closed_how]
        return replace(rules, **changes) if changes else rules


NO_EFFECTS = Effects()
