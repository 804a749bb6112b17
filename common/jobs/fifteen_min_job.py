"""`fifteen_min_job` (15-min-job): cost first, then the rebalance, on one snapshot (SPEC §2.4)."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from common.adapters.keys import CacheKeys, Keys
from common.adapters.records import Document, holdings_of
from common.adapters.store import Batch, Read
from common.adapters.wave import Wave, together
from common.errors import BotError
from common.jobs import cost, rebalance
from common.jobs.fills import FillReader
from common.jobs.run import NO_KEYS, Job, Outcome, Run, View, keep_raw

log = logging.getLogger(__name__)
COST_FAILED = "Stale data: the cost update of this run failed"


def reads(keys: Keys, cache: CacheKeys) -> Mapping[str, Read]:
    return {**cost.reads(keys, cache), **rebalance.reads(keys, cache)}


def containers(keys: Keys) -> Mapping[str, str]:
    return {
        **cost.containers(keys),
        **rebalance.containers(keys),
        keys.report_history("fifteen_min_job"): "list",
    }


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg's part of the answer; `error` is what ended it, None when it went through."""

    answer: Mapping[str, Any]
    error: BotError | None = None


def run(run: Run) -> Outcome:
    if not run.settings.has_keys:
        leg = {"status": "skipped", "reason": NO_KEYS}
        return Outcome("skipped", {"cost_update": leg, "rebalance": leg, "order": None}, NO_KEYS)
    with run.stage("gather"):
        books, wave, reader = _gather(run)
    keep_raw(run.batch, wave)
    with run.stage("cost_update"):
        costs = _leg(run, "cost update", lambda batch: _cost(run, batch, books, wave, reader))
    with run.stage("rebalance"):
        hold = COST_FAILED if costs.error else None
        plan = _leg(run, "rebalance", lambda batch: _plan(run, batch, wave, hold))
    return _outcome(run, costs, plan)


def _gather(run: Run) -> tuple[cost.Books, Wave, FillReader]:
    """One wave for both legs: account, price, fills and order book, the rules when they are not cached."""
    books = cost.Books.of(run)
    reader = FillReader.since(books.ledger, run.exchange, run.now)
    return books, together(run.pool, {**reader.calls, **rebalance.calls(run)}), reader


def _leg(run: Run, name: str, work: Callable[[Batch], Document]) -> Leg:
    """Run one leg on a batch of its own: when it fails nothing of it is stored, and the other goes on."""
    batch = run.batch.fork()
    start = run.clock.monotonic()
    try:
        answer = work(batch)
    except BotError as error:
        log.error("15-min job: the %s failed (%s): %s", name, error.code, error)
        return Leg({"status": "error", "error": {"code": error.code, "message": str(error)}}, error)
    run.batch.extend(batch)
    return Leg(answer | {"duration_ms": round((run.clock.monotonic() - start) * 1000)})


def _cost(run: Run, batch: Batch, books: cost.Books, wave: Wave, reader: FillReader) -> Document:
    price = wave.get("price")
    history = reader.history(wave)
    if wave.error("account") is None:
        account = wave.get("account")
        holdings = account.value.holdings(run.instrument, account.reply.received_at)
    else:
        holdings = holdings_of(run.values["position"], run.instrument, run.keys.position)
    if holdings is None:
        return {"status": "skipped", "reason": cost.NO_COST}
    data = cost.update(run, batch, books, price.value, history, holdings)
    return {"status": "success", **data} if data else {"status": "skipped", "reason": cost.NO_COST}


def _plan(run: Run, batch: Batch, wave: Wave, hold: str | None) -> Document:
    return rebalance.plan(run, batch, rebalance.snapshot(run, wave, batch), hold)


def _outcome(run: Run, costs: Leg, plan: Leg) -> Outcome:
    errors = [leg.error for leg in (costs, plan) if leg.error]
    status = ("success", "partial", "error")[len(errors)]
    body: Document = {"cost_update": costs.answer, "rebalance": plan.answer, "order": None}
    failed = errors[-1] if status == "error" else None
    if failed:
        body["error"] = {"code": failed.code, "message": str(failed)}
    told = rebalance.logged(None if plan.error else dict(plan.answer), run)
    if errors:
        told["error_code"] = errors[0].code
    return Outcome(
        status,
        body,
        reason="; ".join(str(error) for error in errors) or None,
        logged=told,
        http_status=failed.http_status if failed and failed.http_status >= 500 else 500 if failed else 200,
    )


def show(view: View) -> Mapping[str, Any] | None:
    """The report of the last run; with `limit`, the last so many."""
    wanted: dict[str, Read] = {"last": ("GET", view.keys.report_last("fifteen_min_job"))}
    if view.limit is not None:
        wanted["history"] = (
            "LRANGE",
            view.keys.report_history("fifteen_min_job"),
            "0",
            str(view.limit - 1),
        )
    found = view.store.read(wanted, view.meter)
    if found["last"] is None:
        return None
    return {"data": found["last"], **({"history": found["history"]} if "history" in found else {})}


JOB = Job(
    name="fifteen_min_job",
    task="15-min-job",
    scope="account",
    reads=reads,
    containers=containers,
    run=run,
    show=show,
    keeps_reports=True,
)
