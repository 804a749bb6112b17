"""From the exchange's reply to one of our errors: all of exchange.md §3, in one table.

Classes: S stop, a human must act · C our order or request was wrong · F funds · H symbol halted ·
M market orders closed · T too fast · U busy or broken: a write may have been executed · N not found ·
Y our clock.
"""

from collections.abc import Mapping
from typing import Any

from common.errors import (
    AccessRefused,
    ClockRefused,
    ExchangeError,
    ExchangeRefused,
    ExchangeUnavailable,
    InsufficientFunds,
    MarketOrdersClosed,
    OrderRefused,
    OutcomeUnknown,
    RateLimited,
    SymbolHalted,
    UnknownOrder,
)

CLASS_OF_CODE: Mapping[int, str] = {
    code: letter
    for letter, codes in {
        "S": (
            *(26, 401, 402, 403, 406, 511, 602, 701, 702, 703, 704, 10001, 10015, 10072, 10098, 30018, 30020),
            *(60005, 70011, 700001, 700002, 700006, 700007, 140001, 140002),
        ),
        "C": (
            *(-1121, -1128, 400, 10095, 10096, 10097, 10102, 30002, 30003, 30014, 30021, 30026, 30029, 30041),
            *(30087, 33333, 44444, 700004, 700005, 700008, 700013),
        ),
        "F": (10101, 30004, 30005),
        "H": (10007, 30000, 30001, 30010, 30016, 30025, 30027, 30028, 30032),
        "M": (30019, 30051),
        "T": (429, 510),
        "U": (500, 501, 503, 504, 604, 801, 11444, 20001, 20002),
        "N": (-2011, -2013, 22222),
        "Y": (700003, 10073),
    }.items()
    for code in codes
}

_REFUSED: Mapping[str, type[ExchangeRefused]] = {
    "S": AccessRefused,
    "C": OrderRefused,
    "F": InsufficientFunds,
    "H": SymbolHalted,
    "M": MarketOrdersClosed,
    "N": UnknownOrder,
    "Y": ClockRefused,
}


def code_of(payload: Any) -> int | None:
    """The error code of a parsed body: an int, or a string of digits (batch replies); None without one."""
    code = payload.get("code") if isinstance(payload, dict) else None
    if isinstance(code, str) and code.removeprefix("-").isdecimal():
        return int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def is_error(status: int, payload: Any) -> bool:
    """HTTP 400 and up, or a body whose `code` is neither 0 nor 200, whatever the status (exchange.md §3.1)."""
    if status >= 300:
        return True
    return isinstance(payload, dict) and "code" in payload and code_of(payload) not in (0, 200)


def class_of(code: int, message: str) -> str | None:
    """The class of a code; the text decides where a code has two meanings. None for an unlisted code."""
    if code == 400 and "api key" in message.lower():
        return "S"
    if code // 100 in (7300, 7306, 7307):
        return "S"
    return CLASS_OF_CODE.get(code)


def error_for(
    status: int, payload: Any, *, write: bool, retry_after: float | None = None, where: str = "exchange"
) -> ExchangeError:
    """The error for `status` and the parsed body (None when the body is not JSON).

    A write whose outcome the reply leaves open is OutcomeUnknown: to be looked up, never sent again.
    """
    code = code_of(payload)
    text = _text(payload)
    message = f"{where}: HTTP {status}" + (f", code {code}" if code is not None else "") + (text and f": {text}")
    too_fast = code is not None and class_of(code, text) == "T" and not (write and status >= 500)
    if status in (429, 418) or too_fast:
        return RateLimited(message, retry_after)
    if status >= 500 or code is None:
        if write:
            return OutcomeUnknown(f"{message}; the order may have been accepted")
        if status == 403:
            return RateLimited(f"{message}; blocked at the exchange's edge", retry_after)
        if 400 <= status < 500:
            return ExchangeRefused(message)
        return ExchangeUnavailable(message)
    letter = class_of(code, text)
    if letter == "U":
        return OutcomeUnknown(message) if write else ExchangeUnavailable(message)
    if letter is None:
        return OutcomeUnknown(message) if write else ExchangeRefused(message, code)
    return _REFUSED[letter](message, code)


def _text(payload: Any) -> str:
    """The exchange's own words, wherever the five formats put them; at most 200 characters, one line."""
    if not isinstance(payload, dict):
        return ""
    for name in ("msg", "message", "data"):
        if isinstance(payload.get(name), str):
            return " ".join(payload[name].split())[:200]
    return ""
