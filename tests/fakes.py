"""Stand-ins at the seams: a clock that moves when told, and an exchange behind the requests session."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import BaseAdapter

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


class FakeClock:
    """Stands still at `NOON` until it is moved; sleeping moves it."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._start = now
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.move(seconds)

    def move(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class Call:
    """One request as it went over the wire."""

    def __init__(self, request: requests.PreparedRequest) -> None:
        parts = urlsplit(request.url or "")
        self.method = request.method
        self.path = parts.path.removeprefix("/api/v3/")
        self.query = parts.query
        self.params = dict(parse_qsl(parts.query))
        self.headers = request.headers
        self.body = request.body


Answer = Any | Callable[[Call], Any]


class StubExchange(BaseAdapter):
    """Mounted on a session: answers by path, and remembers every call.

    An answer is a JSON value, a (status, body) or (status, body, headers) tuple with a JSON or text body,
    an exception to raise, a function of the call that gives one of these, or a list: one after the other.
    """

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        super().__init__()
        self.answers: dict[str, Answer] = dict(answers or {})
        self.calls: list[Call] = []
        self._lock = Lock()

    def paths(self) -> list[str]:
        return [call.path for call in self.calls]

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:  # type: ignore[override]
        call = Call(request)
        with self._lock:
            self.calls.append(call)
            answer = self.answers.get(call.path, (404, {"code": -1, "msg": f"no answer for {call.path}"}))
            if isinstance(answer, Several):
                answer = answer.next()
        if callable(answer) and not isinstance(answer, type):
            answer = answer(call)
        if isinstance(answer, BaseException):
            raise answer
        status, body, headers = (*answer, {})[:3] if isinstance(answer, tuple) else (200, answer, {})
        return self._response(request, status, body, headers)

    def close(self) -> None:
        """Nothing is open."""

    @staticmethod
    def _response(
        request: requests.PreparedRequest, status: int, body: Any, headers: Mapping[str, str]
    ) -> requests.Response:
        response = requests.Response()
        response.status_code = status
        text = body if isinstance(body, str) else json.dumps(body)
        response._content = text.encode()
        response.headers.update(headers)
        response.url = request.url or ""
        response.request = request
        return response


class Several:
    """Answers one after the other; the last one stays."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)

    def next(self) -> Answer:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
