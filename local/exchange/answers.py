"""Responses of the exchange, and what faults do to them on their way out."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
    """The connection was reset instead of a response."""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Read the body; numbers with a point become Decimals."""
        return json.loads(self.body, parse_float=Decimal)


def answered(status: int, payload: object, headers: Mapping[str, str] | None = None) -> Response:
    """Write a payload as JSON."""
    body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False, default=number)
    return Response(status, {"Content-Type": "application/json", **(headers or {})}, body.encode())


def number(value: object) -> int | float:
    """A Decimal as a JSON number (rates, and values given to the control API); never used in computations."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return int(value) if value == value.to_integral_value() else float(value)


def instead(faults: list[Fault], when: str) -> Response | None:
    """The response that a fault substitutes at that point, if any. Raises ConnectionDropped."""
    for fault in (fault for fault in faults if fault.when == when):
        match fault.kind:
            case "drop":
                raise ConnectionDropped
            case "answer" if isinstance(fault.body, str):
                return Response(fault.status, {"Content-Type": "text/plain", **fault.headers}, fault.body.encode())
            case "answer":
                return answered(fault.status, fault.body, fault.headers)
            case "server_error":
                return answered(fault.status, _UNKNOWN_ERROR)
            case "rate_limited":
                return answered(429, {"code": 429}, {"Retry-After": str(fault.retry_after)})
            case "html_403":
                return Response(403, {"Content-Type": "text/html", "Server": "AkamaiGHost"}, _HTML_403)
    return None


def latency_ms(faults: list[Fault], when: str) -> int:
    return sum(fault.ms for fault in faults if fault.kind == "latency" and fault.when == when)


def spoiled(response: Response, faults: list[Fault]) -> Response:
    """The response after faults have changed fields and bytes."""
    for fault in faults:
        if fault.kind in ("null_field", "remove_field", "set_field"):
            payload = response.json()
            for holder, key in list(_places(payload, fault.field)):
                if fault.kind == "remove_field":
                    del holder[key]
                else:
                    holder[key] = fault.value if fault.literal is None else float(fault.literal)
            response = answered(response.status, payload, response.headers)
    for fault in faults:
        match fault.kind:
            case "empty_body":
                response = replace(response, status=fault.status, body=b"")
            case "malformed_json":
                response = replace(response, body=response.body + b'"}')
            case "truncated_json":
                response = replace(response, body=response.body[: len(response.body) // 2])
    return response


def _places(node: Any, field: str) -> Iterator[tuple[Any, Any]]:
    """Containers and keys of a field: at a dotted path, if it exists, or everywhere by that name."""
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
    """Keys of an object and positions of a list, by their text in a path."""
    keys = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    return {str(key): key for key in keys}
