"""Plays Cloud Scheduler: the deployed schedule, its headers, its slots, its retries (platform.md §2)."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from croniter import croniter_range  # type: ignore[import-untyped]

SCHEDULE = {
    "balance": "*/3 * * * *",
    "price": "* * * * *",
    "cost": "*/5 * * * *",
    "fifteen_min_job": "*/15 * * * *",
}
"""The jobs deployed unpaused; `rebalance` (0 0 * * *) is paused. A test compares this with Terraform."""
RETRIES = 3
BACKOFF_SECONDS = 5


def slots(start: datetime, end: datetime) -> Iterator[tuple[datetime, list[str]]]:
    """The minutes from `start` up to `end`, each with the jobs that are due."""
    moment = start.replace(second=0, microsecond=0)
    due = {name: set(croniter_range(moment, end, schedule)) for name, schedule in SCHEDULE.items()}
    while moment < end:
        yield moment, [name for name in SCHEDULE if moment in due[name]]
        moment += timedelta(minutes=1)


@dataclass
class Tally:
    """What the player saw: calls by job and status, and the last response of each job."""

    calls: Counter[tuple[str, int]] = field(default_factory=Counter)
    answers: dict[str, Any] = field(default_factory=dict)

    def note(self, job: str, response: requests.Response) -> None:
        self.calls[job, response.status_code] += 1
        self.answers[job] = response.json()

    @property
    def failures(self) -> int:
        """Calls that got no 2xx."""
        return sum(number for (_, status), number in self.calls.items() if not 200 <= status < 300)

    def count(self, job: str) -> int:
        return sum(number for (name, _), number in self.calls.items() if name == job)


class Player:
    """Delivers slots to the functions at `base_url`; `wait` passes the time between two tries."""

    def __init__(self, base_url: str, wait: Callable[[float], None], timeout: float = 120) -> None:
        self._base_url = base_url
        self._wait = wait
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False
        self.tally = Tally()

    def deliver(self, job: str, slot: datetime | None) -> requests.Response:
        """Deliver one slot of one job, with retries until a 2xx; `None` is a forced run without a slot."""
        headers = {
            "User-Agent": "Google-Cloud-Scheduler",
            "X-CloudScheduler": "true",
            "X-CloudScheduler-JobName": job.replace("_", "-"),
            "Content-Type": "application/json",
        }
        if slot is not None:
            headers["X-CloudScheduler-ScheduleTime"] = slot.astimezone(UTC).isoformat()
        for attempt in range(RETRIES + 1):
            response = self._session.post(
                f"{self._base_url}/{job}", data="{}", headers=headers, timeout=self._timeout
            )
            self.tally.note(job, response)
            if response.ok or attempt == RETRIES:
                break
            self._wait(BACKOFF_SECONDS * 2**attempt)
        return response
