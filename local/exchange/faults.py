"""Faults that can be switched on: which requests they affect, how often, and what they do.

A fault names its `kind` and, optionally: `method` and `path` (which requests; default every request, or POST
/api/v3/order for the kinds about placing), `times` (how many requests; default all), `skip` (how many to let pass
first), `probability` (0 to 1, drawn from the exchange's seed). `KINDS` below lists the kinds, their effects and
their parameters.
"""

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from local.exchange.amounts import Amount, Share
from local.exchange.config import Row, Rules

ORDER_ENDPOINT = {"method": "POST", "path": "/api/v3/order"}
REQUIRED = object()

# The parameters of each kind with their defaults. `when` is "before" the request is carried out, or "after" it,
# when its response is lost. `field` is a name at any depth, or a dotted path with list positions
# ("balances.0.free").
KINDS: dict[str, Row] = {
    # About the response.
    "latency": {"ms": REQUIRED, "when": "after"},  # the path is slow
    "answer": {"status": REQUIRED, "body": "", "headers": {}, "when": "before"},  # any at all; body is text or JSON
    "server_error": {"status": 503, "when": "before"},  # with the "Unknown error" body
    "drop": {"when": "before"},  # the connection is reset
    "rate_limited": {"retry_after": 10},  # 429, before
    "html_403": {},  # the edge's "Access Denied" page, before
    "empty_body": {"status": 200},  # after, as all that follow
    "malformed_json": {},
    "truncated_json": {},
    "null_field": {"field": REQUIRED},
    "remove_field": {"field": REQUIRED},
    # One of the two; literal is NaN, Infinity or -Infinity, unquoted.
    "set_field": {"field": REQUIRED, "value": None, "literal": None},
    # About the exchange's behaviour.
    "clock_skew": {"ms": REQUIRED},  # the server's clock runs ahead (negative: behind)
    "symbol_closed": {"how": "orders"},  # a key of CLOSED_HOW
    "hide_order": {"seconds": REQUIRED},  # a new order and its fills stay invisible
    "hide_trades": {"seconds": REQUIRED},  # only its fills do
    "lag_balances": {"seconds": REQUIRED},  # account keeps showing the balances from before the order
    "partial_fill": {"fraction": REQUIRED},  # only that share of a new order is filled at once
    "market_closed": {},  # MARKET is refused with 30051
    "refuse_duplicates": {},  # a known client order id is refused (an assumption)
}
_PLACING = ("hide_order", "hide_trades", "lag_balances", "partial_fill", "market_closed", "refuse_duplicates")
_COMMON = {"kind", "method", "path", "times", "skip", "probability"}

# How each way of closing a symbol changes its rules. "orders" and "key" do not show in exchangeInfo.
CLOSED_HOW: dict[str, Row] = {
    "orders": {"api_open": False},
    "key": {},
    "status": {"status": "2"},
    "offline": {"status": "3"},
    "spot_flag": {"is_spot_trading_allowed": False},
    "buy_only": {"trade_side_type": 2},
    "sell_only": {"trade_side_type": 3},
    "closed": {"trade_side_type": 4},
}
How = Literal["orders", "key", "status", "offline", "spot_flag", "buy_only", "sell_only", "closed"]
Count = Annotated[int, Field(ge=0)]


class Fault(BaseModel):
    """One fault with the parameters of its kind; `hits` counts the requests it changed."""

    model_config = ConfigDict(strict=True, extra="forbid")

    kind: str
    method: str | None = None
    path: str | None = None
    times: Count | None = None
    skip: Count = 0
    probability: Share = Decimal(1)
    when: Literal["before", "after"] = "before"
    ms: int = 0
    status: Count = 0
    retry_after: Count = 0
    body: Any = ""
    headers: dict[str, str] = {}
    field: Annotated[str, Field(min_length=1)] = "-"
    value: Any = None
    literal: Literal["NaN", "Infinity", "-Infinity"] | None = None
    how: How = "orders"
    seconds: Amount = Decimal(0)
    fraction: Share = Decimal(1)
    id: int = 0
    hits: int = 0

    @model_validator(mode="before")
    @classmethod
    def _of_its_kind(cls, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        kind = spec.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            raise ValueError(f"kind: one of {', '.join(KINDS)}")
        known = KINDS[kind]
        if unknown := spec.keys() - known.keys() - _COMMON:
            raise ValueError(f"{kind}: unknown {', '.join(sorted(unknown))}")
        params = known | dict(spec)
        if missing := [name for name, value in params.items() if value is REQUIRED]:
            raise ValueError(f"{kind}: {', '.join(missing)} is missing")
        if kind == "set_field" and ("value" in spec) == ("literal" in spec):
            raise ValueError("set_field: either value or literal")
        if kind == "latency" and isinstance(params["ms"], int) and params["ms"] < 0:
            raise ValueError("latency: ms is never negative")
        if kind in _PLACING and params.get("path") is None:
            params |= ORDER_ENDPOINT
        return params

    def meets(self, method: str, path: str, rng: random.Random) -> bool:
        """Whether it applies to this request; if so, one of its uses is consumed."""
        if self.times == 0 or self.method not in (None, method) or self.path not in (None, path):
            return False
        if self.probability < 1 and rng.random() >= self.probability:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        self.hits += 1
        return True

    def row(self) -> Row:
        names = ("id", "kind", "method", "path", "times", "skip", "probability", "hits", *KINDS[self.kind])
        return {name: getattr(self, name) for name in names}


class FaultBook:
    """The faults that are switched on, oldest first."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._faults: list[Fault] = []
        self._last_id = 0

    def add(self, spec: Mapping[str, Any]) -> Fault:
        """Switch a fault on. Raises ValueError if it is not documented above."""
        fault = Fault.model_validate(spec)
        self._last_id += 1
        fault.id = self._last_id
        self._faults.append(fault)
        return fault

    def clear(self, fault_id: int | None = None) -> int:
        """Switch one fault off, or all; return how many there were."""
        kept = [] if fault_id is None else [f for f in self._faults if f.id != fault_id]
        removed, self._faults = len(self._faults) - len(kept), kept
        return removed

    def rows(self) -> list[Row]:
        return [fault.row() for fault in self._faults]

    def meet(self, method: str, path: str) -> list[Fault]:
        """The faults that apply to this request; each loses one use."""
        return [fault for fault in self._faults if fault.meets(method, path, self._rng)]


class Effects:
    """How the exchange behaves during one request: the combined changes of its faults."""

    def __init__(self, met: Sequence[Fault] = ()) -> None:
        of_kind = {fault.kind: fault for fault in met}

        def lasting_ms(kind: str) -> int:
            return int(of_kind[kind].seconds * 1_000) if kind in of_kind else 0

        self.skew_ms = sum(fault.ms for fault in met if fault.kind == "clock_skew")
        self.hide_order_ms = lasting_ms("hide_order")
        self.hide_trades_ms = lasting_ms("hide_trades")
        self.stale_balances_ms = lasting_ms("lag_balances")
        self.fill_fraction = of_kind["partial_fill"].fraction if "partial_fill" in of_kind else None
        self.refuse_duplicates = "refuse_duplicates" in of_kind
        closed_how = of_kind["symbol_closed"].how if "symbol_closed" in of_kind else None
        self.key_symbol_closed = closed_how == "key"
        self._changes = CLOSED_HOW[closed_how] if closed_how else {}
        if "market_closed" in of_kind:
            self._changes = self._changes | {"market_orders_open": False}

    def rules(self, rules: Rules) -> Rules:
        """The rules during this request."""
        return rules.model_copy(update=self._changes) if self._changes else rules
