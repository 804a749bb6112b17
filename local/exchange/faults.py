"""Faults that can be switched on: which requests they meet, how often, and what they do.

A fault names its `kind` and, optionally: `method` and `path` (which requests; without them every request, or
POST /api/v3/order for the kinds that are about placing), `times` (how many requests; without it every one),
`skip` (let so many pass first), `probability` (0 to 1, drawn from the exchange's seed).

Kinds about the answer (`when`: "before" the request is carried out, or "after", when its answer is lost):
  latency          ms, when                      the path is slow
  answer           status, body, headers, when   any answer at all; body is text or JSON
  server_error     status=503, when              with the "Unknown error" body
  drop             when                          the connection is reset
  rate_limited     retry_after=10                429
  html_403                                       the edge's "Access Denied" page, before
  empty_body       status=200                    after
  malformed_json, truncated_json                 after
  null_field       field                         after
  remove_field     field                         after
  set_field        field, value | literal        after; literal is NaN, Infinity or -Infinity, unquoted
Kinds about the exchange's behaviour:
  clock_skew       ms                            the server's clock runs ahead (negative: behind)
  symbol_closed    how="orders"                  orders, key, status, offline, spot_flag, buy_only, sell_only,
                                                 closed
  hide_order       seconds                       a new order and its fills stay invisible
  hide_trades      seconds                       only its fills do
  lag_balances     seconds                       account goes on showing what was before the order
  partial_fill     fraction                      at once only that share of a new order is filled
  market_closed                                  MARKET is refused with 30051
  refuse_duplicates                              a known client order id is refused (an assumption)

`field` is a name, met at any depth, or a dotted path with list positions ("balances.0.free").
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from local.exchange.amounts import Amount, Share
from local.exchange.config import Row, Rules

ORDER_ENDPOINT = {"method": "POST", "path": "/api/v3/order"}
REQUIRED = object()
_WHEN: Row = {"when": "before"}
_LASTING: Row = {"seconds": REQUIRED}

# The parameters of each kind with their defaults.
KINDS: dict[str, Row] = {
    "latency": {"ms": REQUIRED, "when": "after"},
    "answer": {"status": REQUIRED, "body": "", "headers": {}, **_WHEN},
    "server_error": {"status": 503, **_WHEN},
    "drop": _WHEN,
    "rate_limited": {"retry_after": 10},
    "html_403": {},
    "empty_body": {"status": 200},
    "malformed_json": {},
    "truncated_json": {},
    "null_field": {"field": REQUIRED},
    "remove_field": {"field": REQUIRED},
    "set_field": {"field": REQUIRED, "value": None, "literal": None},
    "clock_skew": {"ms": REQUIRED},
    "symbol_closed": {"how": "orders"},
    "hide_order": _LASTING,
    "hide_trades": _LASTING,
    "lag_balances": _LASTING,
    "partial_fill": {"fraction": REQUIRED},
    "market_closed": {},
    "refuse_duplicates": {},
}
_PLACING = ("hide_order", "hide_trades", "lag_balances", "partial_fill", "market_closed", "refuse_duplicates")
_COMMON = {"kind", "method", "path", "times", "skip", "probability"}

# What each way of closing a symbol changes in its rules. "orders" and "key" show nowhere in exchangeInfo.
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
    """One fault, its parameters those of its kind; `hits` counts the requests it changed."""

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
        """Whether it changes this request; if so it is used up by one."""
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

    def __bool__(self) -> bool:
        return bool(self._faults)

    def add(self, spec: Mapping[str, Any]) -> Fault:
        """Switch a fault on. Raises ValueError: it is not one documented above."""
        fault = Fault.model_validate(spec)
        self._last_id += 1
        fault.id = self._last_id
        self._faults.append(fault)
        return fault

    def clear(self, fault_id: int | None = None) -> int:
        """Switch one fault off, or all; tell how many there were."""
        kept = [] if fault_id is None else [f for f in self._faults if f.id != fault_id]
        removed, self._faults = len(self._faults) - len(kept), kept
        return removed

    def rows(self) -> list[Row]:
        return [fault.row() for fault in self._faults]

    def meet(self, method: str, path: str) -> list[Fault]:
        """Give the faults that this request meets, and use each of them up by one."""
        return [fault for fault in self._faults if fault.meets(method, path, self._rng)]


@dataclass(frozen=True, slots=True)
class Effects:
    """How the exchange behaves during one request; the default changes nothing."""

    skew_ms: int = 0
    hide_order_ms: int = 0
    hide_trades_ms: int = 0
    stale_balances_ms: int = 0
    fill_fraction: Decimal | None = None
    market_closed: bool = False
    closed_how: str | None = None
    refuse_duplicates: bool = False

    @classmethod
    def of(cls, faults: list[Fault]) -> "Effects":
        """All that these faults change together."""
        met = {fault.kind: fault for fault in faults}

        def lasting_ms(kind: str) -> int:
            return int(met[kind].seconds * 1_000) if kind in met else 0

        return cls(
            skew_ms=sum(fault.ms for fault in faults if fault.kind == "clock_skew"),
            hide_order_ms=lasting_ms("hide_order"),
            hide_trades_ms=lasting_ms("hide_trades"),
            stale_balances_ms=lasting_ms("lag_balances"),
            fill_fraction=met["partial_fill"].fraction if "partial_fill" in met else None,
            market_closed="market_closed" in met,
            closed_how=met["symbol_closed"].how if "symbol_closed" in met else None,
            refuse_duplicates="refuse_duplicates" in met,
        )

    @property
    def key_symbol_closed(self) -> bool:
        return self.closed_how == "key"

    def rules(self, rules: Rules) -> Rules:
        """Give the rules as they are during this request."""
        changes = {"market_orders_open": False} if self.market_closed else {}
        if self.closed_how is not None:
            changes |= CLOSED_HOW[self.closed_how]
        return rules.model_copy(update=changes) if changes else rules


NO_EFFECTS = Effects()
