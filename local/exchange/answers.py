"""Answers of the exchange and what faults do to them on their way out."""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from local.exchange.faults import Fault

_HTML_403 = (
    b"<HTML><HEAD>\n<TITLE>Access Denied</TITLE>\n</HEAD><BODY>\n<H1>Access Denied</H1>\n \n"
    b"You don't have permission to access this page on this server.<P>\n"
    b"Reference&#32;&#35;18&#46;simulated&#46;0\n</BODY>\n</HTML>\n"
)
_UNKNOWN_ERROR = {"code": -1003, "msg": "Unknown error, please check your request or try again later."}


class ConnectionDropped(Exception):
    """The connection was reset instead of an answer."""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer, complete."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        """Read the body; numbers with a point become Decimals."""
        return json.loads(self.body, parse_float=Decimal)


@dataclass(slots=True)
class Draft:
    """An answer before it is written: the payload can still be changed."""

    status: int
    payload: object
    headers: dict[str, str] = field(default_factory=dict)

    def written(self) -> Response:
        body = json.dumps(self.payload, separators=(",", ":"), ensure_ascii=False, default=number)
        return Response(self.status, {"Content-Type": "application/json", **self.headers}, body.encode())


def number(value: object) -> int | float:
    """A Decimal as a JSON number (rates, and what the control API was given); never used to compute with."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return int(value) if value == value.to_integral_value() else float(value)


def instead(faults: list[Fault], when: str) -> Response | None:
    """The answer that a fault puts in the place of the real one at that point, if any. Raises ConnectionDropped."""
    for fault in (fault for fault in faults if fault.when == when):
        match fault.kind:
            case "drop":
                raise ConnectionDropped
            case "answer" if isinstance(fault.body, str):
                return Response(fault.status, {"Content-Type": "text/plain", **fault.headers}, fault.body.encode())
            case "answer":
                return Draft(fault.status, fault.body, dict(fault.headers)).written()
            case "server_error":
                return Draft(fault.status, _UNKNOWN_ERROR).written()
            case "rate_limited":
                return Draft(429, {"code": 429}, {"Retry-After": str(fault.retry_after)}).written()
            case "html_403":
                return Response(403, {"Content-Type": "text/html", "Server": "AkamaiGHost"}, _HTML_403)
    return None


def latency_ms(faults: list[Fault], when: str) -> int:
    return sum(fault.ms for fault in faults if fault.kind == "latency" and fault.when == when)


def spoiled(draft: Draft, faults: list[Fault]) -> Response:
    """Write the answer with the fields and bytes that faults change."""
    for fault in faults:
        if fault.kind in ("null_field", "remove_field", "set_field"):
            draft.payload = _changed(draft.payload, fault)
    response = draft.written()
    for fault in faults:
        match fault.kind:
            case "empty_body":
                response = Response(fault.status, response.headers, b"")
            case "malformed_json":
                response = Response(response.status, response.headers, response.body + b'"}')
            case "truncated_json":
                half = response.body[: len(response.body) // 2]
                response = Response(response.status, response.headers, half)
    return response


def _changed(payload: Any, fault: Fault) -> Any:
    """A copy of the payload with the fault's field changed wherever it is met."""
    copy = deepcopy(payload)
    for holder, key in list(_places(copy, fault.field)):
        if fault.kind == "remove_field":
            del holder[key]
        else:
            holder[key] = fault.value if fault.literal is None else float(fault.literal)
    return copy


def _places(node: Any, field: str) -> Iterator[tuple[Any, Any]]:
    """Containers and keys of a field: at a dotted path, if it leads anywhere, or all of that name."""
    if "." in field or field.isdigit():
        *way, last = field.split(".")
        for step in way:
            node = node[_keys(node)[step]] if step in _keys(node) else None
        if last in _keys(node):
            yield node, _keys(node)[last]
        return
    for text, key in _keys(node).items():
        yield from _places(node[key], field)
        if text == field:
            yield node, key


def _keys(node: Any) -> dict[str, Any]:
    """Keys of an object and positions of a list, by how a path writes them."""
    keys = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    return {str(key): key for key in keys}
