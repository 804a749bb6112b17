"""Answers of the exchange and what faults do to them on their way out."""

import json
from collections.abc import Mapping
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


def _changed(node: Any, fault: Fault) -> Any:
    """A copy of the payload with the fault's field changed: at a dotted path, or wherever its name is met."""
    remove = fault.kind == "remove_field"
    value = fault.value if fault.literal is None else float(fault.literal)

    def along(node: Any, steps: list[str]) -> Any:
        """A path that leads nowhere changes nothing."""
        step, rest = steps[0], steps[1:]
        keys = (
            node.keys() if isinstance(node, dict) else map(str, range(len(node))) if isinstance(node, list) else ()
        )
        if step not in set(keys):
            return node
        copy, key = node.copy(), step if isinstance(node, dict) else int(step)
        if rest or not remove:
            copy[key] = along(node[key], rest) if rest else value
        else:
            del copy[key]
        return copy

    def everywhere(node: Any) -> Any:
        if isinstance(node, list):
            return [everywhere(item) for item in node]
        if not isinstance(node, dict):
            return node
        kept = {key: everywhere(item) for key, item in node.items() if key != fault.field or not remove}
        return kept | ({fault.field: value} if fault.field in kept else {})

    if "." in fault.field or fault.field.isdigit():
        return along(node, fault.field.split("."))
    return everywhere(node)
