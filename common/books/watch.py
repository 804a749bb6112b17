"""What `job.finished` tells of the books, for the alerts to go by (contract.md §9)."""

from common.decimals import ONE, ZERO, quotient
from common.store.codec import Document


def told(data: Document | None) -> Document:
    """`ledger_drift`, what the fills do not explain as a fraction of the account's coins, and `quarantined_fills`.

    `data` is the cost answer; without one (no position yet) there is nothing to tell.
    """
    if not data:
        return {}
    off, held = abs(data["drift_quantity"]), data["account_quantity"]
    share = quotient(off, held) if held > 0 else (ONE if off else ZERO)
    return {"ledger_drift": share, "quarantined_fills": len(data.get("quarantine", ()))}
