"""`rebalance`: take a snapshot, plan, store, and execute if the mode allows (contract.md §2.5, §4)."""

from collections.abc import Mapping
from typing import Any

from common.books.update import books_of
from common.mexc.wave import together
from common.run import NO_KEYS, Job, Outcome, Run, View, keep_raw, skipped
from common.store.state import TRADING
from common.trading import resolution
from common.trading.planning import in_doubt, log_fields, plan
from common.trading.snapshot import calls, snapshot
from common.trading.trade import take_in, trade


def run(run: Run) -> Outcome:
    if not run.settings.has_keys:
        return skipped(NO_KEYS)
    books = books_of(run)
    with run.stage("gather"):
        resolved = resolution.resolve(run)
        wave = together(run.pool, calls(run))
        keep_raw(run.batch, wave)
        seen = snapshot(run, wave, run.batch)
    with run.stage("decide"):
        doubt = resolution.adopt(run, resolved, books.tail, seen.open_orders or ())
        books = take_in(run, seen, resolved, books)
        position = books.ledger.position(run.instrument) if books.ledger else None
        planned = plan(
            run,
            run.batch,
            seen,
            total_pnl=position.total_pnl(seen.mark_price) if position else None,
            average_cost=position.average_cost if position else None,
            ledger_known=books.ledger is not None,
            fills=books.tail,
            doubt=in_doubt(resolved.unresolved or doubt or books.quarantine.hold),
        )
    with run.stage("execute"):
        order = trade(run, seen, planned.plan, books).report
    return Outcome(
        body={"rebalance": planned.document, "order": order}, logged=log_fields(planned.plan, order, run)
    )


def show(view: View) -> Mapping[str, Any] | None:
    """The last plan and the policy it was made with; with `limit`, that many plans, newest first."""
    keys = view.keys
    return view.newest("rebalance", keys.plan_last, keys.plan_history, policy=("GET", keys.policy))


JOB = Job(
    name="rebalance",
    task="rebalance",
    scope="account",
    run=run,
    show=show,
    reads=TRADING,
    writes=("account", "books", "orders", "plans"),
)
