"""`repair`: shows the unreadable content of a key, and moves it to another key once confirmed.

    {"command": "repair", "key": "bot:QRLUSDT:pause"}                     -> what it holds, and `confirm`
    {"command": "repair", "key": "bot:QRLUSDT:pause", "confirm": "1f0c"}  -> moved to bot:QRLUSDT:pause:aside:<time>

Only unreadable content moves, and only if it has not changed since it was shown; the next run goes on without it.
"""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from common.errors import BadRequest
from common.meter import Meter
from common.run import Job, Outcome, Run
from common.store.keys import Keys
from common.store.repair import Damage, damage
from common.store.store import Store

log = logging.getLogger(__name__)
SOUND = "the key is not there, or everything in it can be read: nothing is moved"


def asked(body: Mapping[str, object], store: Store, meter: Meter) -> Mapping[str, Any] | Job:
    """Show the key's content; with `confirm` return the move, a run under the lease that guards the key."""
    key, confirm, keys = body.get("key"), body.get("confirm"), store.keys
    if not isinstance(key, str) or not _ours(key, keys):
        raise BadRequest(f"key: one of this bot's own, such as {keys.ledger}")
    if confirm is None:
        found = _damage(store, key, meter)
        return found.document() | {"confirm": found.proof}
    if not isinstance(confirm, str):
        raise BadRequest("confirm: what the command without it has answered")
    scope = "price" if key in (keys.price_latest, keys.price_cached, keys.price_history) else "account"
    run = partial(_moved, key=key, proof=confirm)
    return Job(name="repair", task="ops", scope=scope, run=run, show=lambda _: None)


def _ours(key: str, keys: Keys) -> bool:
    """Whether the key may be repaired: leases expire by themselves, and moved content stays where it is."""
    own = (keys.account_balance, keys.raw_latest(""), keys.ledger)
    stems = tuple(name.rpartition(":")[0].rstrip(":") + ":" for name in own)
    return key.startswith(stems) and not key.startswith(keys.lease("")) and ":aside:" not in key


def _damage(store: Store, key: str, meter: Meter) -> Damage:
    found = damage(store.held(key, meter), store.keys)
    if found is None:
        raise BadRequest(SOUND)
    return found


def _moved(run: Run, key: str, proof: str) -> Outcome:
    found = _damage(run.store, key, run.meter)
    if found.proof != proof:
        raise BadRequest("confirm: the key holds something else by now, look at it again")
    aside = found.move(run.batch, run.now)
    log.warning("what cannot be read of %s is moved to %s", key, aside)
    return Outcome(body={"data": found.document() | {"moved_to": aside}})
