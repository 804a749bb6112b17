"""Points of the account's value: one a slot, one a day (contract.md §13)."""

from dataclasses import replace
from decimal import Decimal

from common.books.fold import Books
from common.clock import milliseconds
from common.domain.performance.equity import Point
from common.gcp.journal import note
from common.run import Run
from common.store.codec import to_document


def keep_point(run: Run, books: Books, mid: Decimal) -> None:
    """Queue the slot's point, and with the first slot of a day the day's, which is never trimmed.

    Manual runs leave none: the realized variance goes from slot to slot. A slot of yesterday that is retried after
    midnight neither begins a day nor lets today begin twice.
    """
    state = books.attribution_state
    if state is None or mid <= 0 or not run.slot.scheduled:
        return
    day = run.slot.at.date()
    state = replace(state, shares=state.shares.seen(mid), last_day=max(state.last_day or day, day))
    seen = state.now(run.instrument)
    point = to_document(Point.of(run.slot.at, mid, seen.shares, seen.attribution))
    stamp = milliseconds(run.slot.at)
    run.batch.at_score(run.keys.equity_slots, point, stamp)
    run.batch.trimmed(run.keys.equity_slots)
    if books.attribution_state is not None and books.attribution_state.last_day != state.last_day:
        run.batch.at_score(run.keys.equity_days, point, stamp)
        note("equity", point)
    run.batch.document(run.keys.attribution, to_document(state))
