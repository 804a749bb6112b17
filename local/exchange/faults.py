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

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from local.exchange.amounts import from_control
from local.exchange.effects import CLOSED_HOW, NO_EFFECTS, Effects

ORDER_ENDPOINT = ("POST", "/api/v3/order")
_REQUIRED = object()

# The parameters of each kind with their defaults.
KINDS: dict[str, dict[str, object]] = {
    "latency": {"ms": _REQUIRED, "when": "after"},
    "answer": {"status": _REQUIRED, "body": "", "headers": {}, "when": "before"},
    "server_error": {"status": 503, "when": "before"},
    "drop": {"when": "before"},
    "rate_limited": {"retry_after": 10},
    "html_403": {},
    "empty_body": {"status": 200},
    "malformed_json": {},
    "truncated_json": {},
    "null_field": {"field": _REQUIRED},
    "remove_field": {"field": _REQUIRED},
    "set_field": {"field": _REQUIRED, "value": None, "literal": None},
    "clock_skew": {"ms": _REQUIRED},
    "symbol_closed": {"how": "orders"},
    "hide_order": {"seconds": _REQUIRED},
    "hide_trades": {"seconds": _REQUIRED},
    "lag_balances": {"seconds": _REQUIRED},
    "partial_fill": {"fraction": _REQUIRED},
    "market_closed": {},
    "refuse_duplicates": {},
}
_PLACING = frozenset(
    {"hide_order", "hide_trades", "lag_balances", "partial_fill", "market_closed", "refuse_duplicates"}
)
_COMMON = frozenset({"kind", "method", "path", "times", "skip", "probability"})
_LITERALS = frozenset({"NaN", "Infinity", "-Infinity"})


@dataclass(slots=True)
class Fault:
    """One fault; `hits` counts the requests it changed."""

    id: int
    kind: str
    params: Mapping[str, Any]
    method: str | None = None
    path: str | None = None
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    hits: int = field(default=0)

    def row(self) -> dict[str, object]:
        where = {"id": self.id, "kind": self.kind, "method": self.method, "path": self.path}
        rest = {"times": self.times, "skip": self.skip, "probability": self.probability, "hits": self.hits}
        return where | rest | dict(self.params)


class FaultBook:
    """The faults that are switched on, oldest first."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._faults: list[Fault] = []
        self._last_id = 0

    def __bool__(self) -> bool:
        return bool(self._faults)

    def add(self, spec: Mapping[str, object]) -> Fault:
        """Switch a fault on.

        Raises:
            ValueError: the specification is not one documented above.
        """
        fault = _read(spec, self._last_id + 1)
        self._last_id = fault.id
        self._faults.append(fault)
        return fault

    def clear(self, fault_id: int | None = None) -> int:
        """Switch one fault off, or all; tell how many there were."""
        kept = [] if fault_id is None else [f for f in self._faults if f.id != fault_id]
        removed, self._faults = len(self._faults) - len(kept), kept
        return removed

    def rows(self) -> list[dict[str, object]]:
        return [fault.row() for fault in self._faults]

    def meet(self, method: str, path: str) -> list[Fault]:
        """Give the faults that this request meets, and use each of them up by one."""
        return [fault for fault in self._faults if self._meets(fault, method, path)]

    def _meets(self, fault: Fault, method: str, path: str) -> bool:
        if fault.times == 0 or fault.method not in (None, method) or fault.path not in (None, path):
            return False
        if fault.probability < 1 and self._rng.random() >= fault.probability:
            return False
        if fault.skip:
            fault.skip -= 1
            return False
        if fault.times is not None:
            fault.times -= 1
        fault.hits += 1
        return True


def effects_of(faults: list[Fault]) -> Effects:
    """Put together what the faults change in the exchange's behaviour."""
    effects = NO_EFFECTS
    for fault in faults:
        params = fault.params
        match fault.kind:
            case "clock_skew":
                effects = replace(effects, skew_ms=effects.skew_ms + params["ms"])
            case "symbol_closed":
                effects = replace(effects, closed_how=params["how"])
            case "hide_order":
                effects = replace(effects, hide_order_ms=_ms(params))
            case "hide_trades":
                effects = replace(effects, hide_trades_ms=_ms(params))
            case "lag_balances":
                effects = replace(effects, stale_balances_ms=_ms(params))
            case "partial_fill":
                effects = replace(effects, fill_fraction=params["fraction"])
            case "market_closed":
                effects = replace(effects, market_closed=True)
            case "refuse_duplicates":
                effects = replace(effects, refuse_duplicates=True)
    return effects


def _ms(params: Mapping[str, Any]) -> int:
    return int(params["seconds"] * 1_000)


def _read(spec: Mapping[str, object], fault_id: int) -> Fault:
    kind = spec.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind: one of {', '.join(KINDS)}")
    known = KINDS[kind]
    unknown = spec.keys() - known.keys() - _COMMON
    if unknown:
        raise ValueError(f"{kind}: unknown {', '.join(sorted(unknown))}")
    params = {name: _param(kind, name, spec.get(name, default)) for name, default in known.items()}
    if kind == "set_field" and ("value" in spec) == ("literal" in spec):
        raise ValueError("set_field: either value or literal")
    method, path = (_text(spec, "method"), _text(spec, "path"))
    if kind in _PLACING and path is None:
        method, path = ORDER_ENDPOINT
    times, skip = spec.get("times"), spec.get("skip", 0)
    if times is not None and not _is_count(times):
        raise ValueError("times: a count, or null for every request")
    if not _is_count(skip):
        raise ValueError("skip: a count")
    probability = from_control(spec.get("probability", 1), "probability")
    if not 0 <= probability <= 1:
        raise ValueError("probability: from 0 to 1")
    return Fault(
        id=fault_id,
        kind=kind,
        params=params,
        method=method,
        path=path,
        times=times if isinstance(times, int) else None,
        skip=skip if isinstance(skip, int) else 0,
        probability=float(probability),
    )


def _param(kind: str, name: str, value: object) -> object:
    """Check one parameter of a fault and bring it into its type."""
    where = f"{kind}.{name}"
    if value is _REQUIRED:
        raise ValueError(f"{where} is missing")
    match name:
        case "ms" | "status" | "retry_after":
            signed = kind == "clock_skew" and isinstance(value, int) and not isinstance(value, bool)
            if not (_is_count(value) or signed):
                raise ValueError(f"{where}: a whole number")
        case "seconds" | "fraction":
            number = from_control(value, where)
            if number < 0 or (name == "fraction" and number > 1):
                raise ValueError(f"{where}: {value} is out of range")
            return number
        case "when" | "how" if not isinstance(value, str):
            raise ValueError(f"{where}: text")
        case "literal" if not (value is None or isinstance(value, str)):
            raise ValueError(f"{where}: text")
        case "when" if value not in ("before", "after"):
            raise ValueError(f"{where}: before or after")
        case "how" if value not in CLOSED_HOW:
            raise ValueError(f"{where}: one of {', '.join(CLOSED_HOW)}")
        case "literal" if value is not None and value not in _LITERALS:
            raise ValueError(f"{where}: one of {', '.join(sorted(_LITERALS))}")
        case "field" if not (isinstance(value, str) and value):
            raise ValueError(f"{where}: a name or a dotted path")
        case "headers" if not isinstance(value, Mapping):
            raise ValueError(f"{where}: an object")
    return value


def _text(spec: Mapping[str, object], name: str) -> str | None:
    value = spec.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name}: text")
    return value


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
