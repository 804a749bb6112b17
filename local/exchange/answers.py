"""Answers of the exchange and what faults do to them on their way out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from local.exchange.faults import Fault

JSON_TYPE = "application/json"
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
        body = json.dumps(self.payload, separators=(",", ":"), ensure_ascii=False, default=_number)
        return Response(self.status, {"Content-Type": JSON_TYPE, **self.headers}, body.encode())


def instead(faults: list[Fault], when: str) -> Response | None:
    """Give the answer that a fault puts in the place of the real one at that point, if any does.

    Raises:
        ConnectionDropped: the fault is that there is none.
    """
    for fault in faults:
        params = fault.params
        if params.get("when", "before") != when:
            continue
        match fault.kind:
            case "drop":
                raise ConnectionDropped
            case "answer":
                return _any_answer(params["status"], params["body"], params["headers"])
            case "server_error":
                return Draft(params["status"], _UNKNOWN_ERROR).written()
            case "rate_limited":
                return Draft(429, {"code": 429}, {"Retry-After": str(params["retry_after"])}).written()
            case "html_403":
                return Response(403, {"Content-Type": "text/html", "Server": "AkamaiGHost"}, _HTML_403)
    return None


def latency_ms(faults: list[Fault], when: str) -> int:
    return sum(f.params["ms"] for f in faults if f.kind == "latency" and f.params["when"] == when)


def spoiled(draft: Draft, faults: list[Fault]) -> Response:
    """Write the answer with the fields and bytes that faults change."""
    for fault in faults:
        if fault.kind in ("null_field", "remove_field", "set_field"):
            draft.payload = _changed(draft.payload, fault)
    response = draft.written()
    for fault in faults:
        match fault.kind:
            case "empty_body":
                response = Response(fault.params["status"], response.headers, b"")
            case "malformed_json":
                response = Response(response.status, response.headers, response.body + b'"}')
            case "truncated_json":
                half = response.body[: len(response.body) // 2]
                response = Response(response.status, response.headers, half)
    return response


def _any_answer(status: int, body: object, headers: Mapping[str, str]) -> Response:
    if isinstance(body, str):
        return Response(status, {"Content-Type": "text/plain", **headers}, body.encode())
    return Draft(status, body, dict(headers)).written()


def _changed(payload: object, fault: Fault) -> object:
    """Give a copy of the payload with the fault's field changed wherever it is met."""
    remove = fault.kind == "remove_field"
    value: object = None
    if fault.kind == "set_field":
        literal = fault.params["literal"]
        value = fault.params["value"] if literal is None else float(literal)
    name: str = fault.params["field"]
    if "." in name or name.isdigit():
        return _at_path(payload, name.split("."), value, remove=remove)
    return _by_name(payload, name, value, remove=remove)


def _by_name(node: object, name: str, value: object, *, remove: bool) -> object:
    if isinstance(node, list):
        return [_by_name(item, name, value, remove=remove) for item in node]
    if not isinstance(node, dict):
        return node
    changed = {}
    for key, item in node.items():
        if key != name:
            changed[key] = _by_name(item, name, value, remove=remove)
        elif not remove:
            changed[key] = value
    return changed


def _at_path(node: object, steps: list[str], value: object, *, remove: bool) -> object:
    """Change what the path leads to; a path that leads nowhere changes nothing."""

    def descend(item: object) -> object:
        return value if len(steps) == 1 else _at_path(item, steps[1:], value, remove=remove)

    drop = remove and len(steps) == 1
    if isinstance(node, dict) and steps[0] in node:
        return _replaced_entry(node, steps[0], descend, drop=drop)
    if isinstance(node, list) and steps[0].isdigit() and int(steps[0]) < len(node):
        index = int(steps[0])
        put = [] if drop else [descend(node[index])]
        return [*node[:index], *put, *node[index + 1 :]]
    return node


def _replaced_entry(
    node: dict[str, object], key: str, descend: Callable[[object], object], *, drop: bool
) -> dict[str, object]:
    if drop:
        return {name: item for name, item in node.items() if name != key}
    return node | {key: descend(node[key])}


def _number(value: object) -> object:
    """Write the Decimals that the control API read from JSON numbers as numbers again."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
