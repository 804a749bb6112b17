"""A run from its lease to its commit: begin, gather, decide, apply, report (contract.md §2).

May import everything but service, runtime and the functions.
"""

import logging
import random
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Response

from common.answers import Call, bug, envelope, finished, json_response
from common.clock import Clock, Deadline
from common.config import Settings
from common.decimal_json import to_answer
from common.domain.slots import Slot
from common.errors import BotError, LeaseAbandoned, LeaseHeld, StoreError
from common.gcp import journal, logs
from common.mexc.client import Mexc
from common.mexc.http import MexcHttp
from common.redact import Redact
from common.run import Job, Outcome, Run
from common.store.batch import Batch
from common.store.cache import MarketCache
from common.store.lease import Lease
from common.store.state import State, containers, reads
from common.store.store import Begun, Store

if TYPE_CHECKING:
    from common.domain.orders.journal import JournalEntry

log = logging.getLogger(__name__)
LEASE_MARGIN_SECONDS = 10
HEAD = "journal_head"
"""Read like a cache entry: whatever the chain's key holds, it must not stop a run."""


@dataclass
class Runner:
    """The collaborators of every run; one for a process, thread-safe.

    `in_flight` are the orders this process has sent, until it reads their outcome from Redis: so a Redis that
    forgets is noticed.
    """

    settings: Settings
    clock: Clock
    http: MexcHttp
    store: Store
    cache: MarketCache
    pool: Executor
    rng: random.Random
    redact: Redact
    in_flight: "dict[str, JournalEntry]" = field(default_factory=dict)
    _policy_checked: bool = False

    def run(self, call: Call, slot: Slot) -> Response:
        """Run the job of `call` for its slot, under the lease of the job's scope. Raises BotError."""
        token = f"{call.job.name}:{slot.name}:{self.run_id()}"
        deadline = self.deadline()
        begun = self._begin(call, slot, token)
        if begun.answer is not None:
            return self._duplicate(call, begun.answer)
        if not begun.acquired:
            raise self._lease_held(call, slot, begun)
        lease = self.store.lease(call.job.scope, begun, call.meter)
        try:
            try:
                run = self._given(call, slot, deadline, token, lease, begun)
                outcome = call.job.run(run)
            except BotError as error:
                self._record_failure(call, slot, lease, error)
                raise
            except Exception as error:
                self._record_failure(call, slot, lease, bug(error))
                raise
            return self._apply(call, slot, run, outcome)
        finally:
            lease.close()

    def run_id(self) -> str:
        return f"{self.rng.getrandbits(64):016x}"

    def batch(self, call: Call, run_id: str) -> Batch:
        return Batch(self.store.keys, run_id, call.job.task, self.redact)

    def deadline(self) -> Deadline:
        return Deadline(self.clock, self.settings.run_deadline_seconds)

    def exchange(self, call: Call, deadline: Deadline) -> Mexc:
        live = self.settings.execution_mode == "live"
        return Mexc(self.http, self.settings.instrument, deadline, call.meter, self.cache, may_trade=live)

    def _given(self, call: Call, slot: Slot, deadline: Deadline, token: str, lease: Lease, begun: Begun) -> Run:
        """The job's Run; its time is read after waiting for the lease."""
        return Run(
            settings=self.settings,
            clock=self.http.clock,
            slot=slot,
            now=self.http.clock.now(),
            exchange=self.exchange(call, deadline),
            store=self.store,
            cache=self.cache,
            pool=self.pool,
            deadline=deadline,
            meter=call.meter,
            batch=self.batch(call, token.rsplit(":", 1)[1]),
            lease=lease,
            state=State.of({name: begun.values[name] for name in call.job.reads}, self.store.keys),
            stages=call.stages,
            in_flight=self.in_flight,
            chain=journal.follow(begun.values.get(HEAD)),
        )

    def _begin(self, call: Call, slot: Slot, token: str) -> Begun:
        """Take the lease, after a short wait for another run that shares the state."""
        job, keys = call.job, self.store.keys
        seconds = self.settings.run_deadline_seconds + LEASE_MARGIN_SECONDS
        mark = keys.run_mark(job.name, slot.name) if slot.scheduled else None
        wanted = reads(job.reads, keys, self.cache.keys) | {HEAD: ("CACHED", keys.audit_log_head)}
        types = containers(job.writes, keys)
        patience = Deadline(self.clock, self._lease_wait(job))
        start = self.clock.monotonic()
        while True:
            begun = self.store.begin(job.scope, token, seconds, mark, wanted, types, call.meter)
            if begun.acquired or begun.answer is not None or not patience.remaining:
                call.stages["begin"] = call.since(start)
                return begun
            self.clock.sleep(0.05 + 0.1 * self.rng.random())

    def _lease_wait(self, job: Job) -> float:
        """Seconds: the setting, or for a patient job a multiple of it, but at most half of the run's time."""
        wait = self.settings.lease_wait_seconds
        return max(wait, min(wait * job.patience, self.settings.run_deadline_seconds / 2))

    def _lease_held(self, call: Call, slot: Slot, begun: Begun) -> LeaseHeld | LeaseAbandoned:
        """The error for a slot lost to another run: Scheduler sees a success, so the log has to report it.

        If that run's time is over but its lease is not, it has died, and a retry helps.
        """
        if begun.left < LEASE_MARGIN_SECONDS:
            name = begun.token.rpartition(":")[0]
            return LeaseAbandoned(
                f"the run {name} died and its lease ends in {begun.left:.0f} s: a retry will find it free"
            )
        if slot.scheduled:
            logs.event(
                "slot.dropped", {"task": call.job.task, "slot": slot.name, "scope": call.job.scope}, logging.WARNING
            )
        return LeaseHeld("another run that shares this state is under way")

    def _apply(self, call: Call, slot: Slot, run: Run, outcome: Outcome) -> Response:
        """Store everything in one MULTI, with the response for duplicate deliveries."""
        job, batch = call.job, run.batch
        reason = {"reason": outcome.reason} if outcome.reason else {}
        document = envelope(call, {"status": outcome.status, **reason, **outcome.body})
        cache = {"cache": counts} if (counts := self.cache.counts.take()) else {}
        if job.keeps_reports:
            document["stages"] = dict(call.stages)
            batch.report(job.name, {**document, **cache})
        else:
            summary = _summary(call, slot, outcome.status, outcome.reason)
            batch.document(self.store.keys.report_last(job.name), {**summary, **cache})
        text = to_answer(document)
        if slot.scheduled and outcome.http_status == 200:
            batch.run_mark(job.name, slot.name, text)
        run.seal()
        start = self.clock.monotonic()
        run.lease.commit(batch)
        call.stages["commit"] = call.since(start)
        self._warn_of_eviction()
        unwell = outcome.http_status != 200
        finished(call, self.settings, outcome.status, outcome.reason, {**outcome.logged, **cache}, failed=unwell)
        return json_response(text, outcome.http_status)

    def _record_failure(self, call: Call, slot: Slot, lease: Lease, error: BotError) -> None:
        """Give the lease back and store a summary of the failure; nothing else is stored."""
        batch = self.batch(call, "failed")
        summary = _summary(call, slot, "error", str(error)) | {"error": {"code": error.code}}
        batch.document(self.store.keys.report_last(call.job.name), summary)
        try:
            lease.commit(batch)
        except (StoreError, ValueError) as lost:  # ValueError: a text that UTF-8 cannot hold
            log.warning("the failure could not be recorded: %s", lost if isinstance(lost, StoreError) else "text")

    def _duplicate(self, call: Call, text: str) -> Response:
        finished(call, self.settings, "skipped", "duplicate delivery", {})
        response = json_response(text)
        response.headers["X-Duplicate-Delivery"] = "true"
        return response

    def _warn_of_eviction(self) -> None:
        """Check once a process: permanent state is safe only under `noeviction` (contract.md §3)."""
        if self._policy_checked:
            return
        self._policy_checked = True
        policy = self.store.eviction_policy()
        if policy not in (None, "noeviction"):
            log.error("Redis runs the eviction policy %s: state may be lost, set noeviction", policy)


def _summary(call: Call, slot: Slot, status: str, reason: str | None) -> dict[str, Any]:
    return {
        "task": call.job.task,
        "status": status,
        "reason": reason,
        "timestamp": call.now,
        "slot": slot.name,
        "duration_ms": call.duration_ms,
    }
