"""What `job.finished` reports of the books, for the alerts (contract.md §9)."""

from common.books.update import Update
from common.decimals import ONE, ZERO, quotient
from common.store.codec import Document


def log_fields(updated: Update) -> Document:
    """`ledger_drift`, the share of the coins that the fills do not explain, and `quarantined_fills`."""
    off, held = abs(updated.statement.drift), updated.statement.holdings.base.total
    share = quotient(off, held) if held > 0 else (ONE if off else ZERO)
    return {"ledger_drift": share, "quarantined_fills": len(updated.books.quarantine.open)}
