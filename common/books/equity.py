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

    By-hand runs leave none: the realized variance goes from slot to slot.
    """
    track = books.track
    if track is None or mid <= 0 or not run.slot.scheduled:
        return
    track = replace(track, shares=track.shares.seen(mid), last_day=run.slot.at.date())
    seen = track.now(run.instrument)
    point = to_document(Point.of(run.slot.at, mid, seen.shares, seen.attribution))
    stamp = milliseconds(run.slot.at)
    run.batch.at_score(run.keys.equity_slots, point, stamp)
    run.batch.trimmed(run.keys.equity_slots)
    if books.track is not None and books.track.last_day != track.last_day:
        run.batch.at_score(run.keys.equity_days, point, stamp)
        note("equity", point)
    run.batch.document(run.keys.attribution, to_document(track))
