"""The player: the deployed schedule, delivered as Cloud Scheduler does."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from local.player import SCHEDULE, Player, slots

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Functions:
    """Stands for the deployed functions: notes what is delivered, and answers the statuses given, then 200."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.statuses: list[int] = []
        self.delivered: list[tuple[str, str, dict[str, str], bytes]] = []

    def headers(self, number: int = 0) -> dict[str, str]:
        return self.delivered[number][2]


@pytest.fixture
def functions() -> Iterator[Functions]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            known.delivered.append((self.command, self.path, dict(self.headers), body))
            status = known.statuses.pop(0) if known.statuses else 200
            text = json.dumps({"status": "success" if status == 200 else "error", "try": len(known.delivered)})
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known = Functions(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield known
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def player(functions: Functions, waits: list[float]) -> Iterator[Player]:
    player = Player(functions.url, waits.append)
    yield player
    player._session.close()


# The schedule


def test_the_jobs_of_a_day_are_as_many_as_their_schedules_say() -> None:
    counts = dict.fromkeys(SCHEDULE, 0)
    for _, jobs in slots(MIDNIGHT, MIDNIGHT + timedelta(days=1)):
        for job in jobs:
            counts[job] += 1
    assert counts == {"balance": 480, "price": 1440, "cost": 288, "fifteen_min_job": 96}


def test_slots_are_whole_minutes_up_to_the_end() -> None:
    played = list(slots(MIDNIGHT + timedelta(seconds=20), MIDNIGHT + 3 * MINUTE))
    assert [moment for moment, _ in played] == [MIDNIGHT, MIDNIGHT + MINUTE, MIDNIGHT + 2 * MINUTE]
    assert played[0][1] == ["balance", "price", "cost", "fifteen_min_job"]
    assert played[1][1] == ["price"]


# A delivery


def test_a_delivery_looks_like_the_schedulers(player: Player, functions: Functions) -> None:
    player.deliver("fifteen_min_job", MIDNIGHT)
    [(method, path, headers, body)] = functions.delivered
    assert (method, path, body) == ("POST", "/fifteen_min_job", b"{}")
    assert headers["User-Agent"] == "Google-Cloud-Scheduler"
    assert headers["X-CloudScheduler"] == "true"
    assert headers["X-CloudScheduler-JobName"] == "fifteen-min-job"
    assert headers["X-CloudScheduler-ScheduleTime"] == "2026-01-05T00:00:00+00:00"
    assert headers["Content-Type"] == "application/json"


def test_the_slot_is_told_in_utc(player: Player, functions: Functions) -> None:
    player.deliver("price", MIDNIGHT.astimezone(timezone(timedelta(hours=7))))
    assert functions.headers()["X-CloudScheduler-ScheduleTime"] == "2026-01-05T00:00:00+00:00"


def test_a_forced_run_has_no_slot(player: Player, functions: Functions) -> None:
    player.deliver("price", None)
    assert "X-CloudScheduler-ScheduleTime" not in functions.headers()


def test_a_failed_delivery_is_retried_with_the_same_slot_and_growing_pauses(
    player: Player, functions: Functions, waits: list[float]
) -> None:
    functions.statuses = [503, 500]
    response = player.deliver("price", MIDNIGHT)
    assert (response.status_code, len(functions.delivered), waits) == (200, 3, [5, 10])
    assert len({headers["X-CloudScheduler-ScheduleTime"] for _, _, headers, _ in functions.delivered}) == 1


def test_after_three_retries_the_slot_is_given_up(player: Player, functions: Functions, waits: list[float]) -> None:
    functions.statuses = [503] * 9
    response = player.deliver("price", MIDNIGHT)
    assert (response.status_code, len(functions.delivered), waits) == (503, 4, [5, 10, 20])


@pytest.mark.parametrize(("status", "tries"), [(200, 1), (401, 4), (405, 4)])
def test_only_a_2xx_is_success(status: int, tries: int, player: Player, functions: Functions) -> None:
    functions.statuses = [status] * 4 if status >= 300 else [200]
    player.deliver("price", MIDNIGHT)
    assert len(functions.delivered) == tries


def test_the_tally_counts_calls_by_status_and_keeps_the_last_answer(player: Player, functions: Functions) -> None:
    functions.statuses = [503, 200, 200]
    player.deliver("price", MIDNIGHT)
    player.deliver("price", MIDNIGHT + MINUTE)
    player.deliver("cost", MIDNIGHT)
    assert player.tally.calls == {("price", 503): 1, ("price", 200): 2, ("cost", 200): 1}
    assert (player.tally.count("price"), player.tally.count("balance")) == (3, 0)
    assert player.tally.answers["price"] == {"status": "success", "try": 3}
