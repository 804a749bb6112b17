"""The shadows of a run: what other policies would do now, on paper (contract.md §13). They reach no exchange."""

import logging

from common.books.update import Update
from common.clock import milliseconds
from common.decimal_json import from_redis
from common.domain.decision.plan import Plan
from common.domain.performance.shadows import Seen, Shadows, advance
from common.errors import BotError, StoreCorrupt
from common.run import Run
from common.store.codec import from_document, to_document

log = logging.getLogger(__name__)


def keep_shadows(run: Run, update: Update, plan: Plan) -> None:
    """Advance every shadow by one slot and queue the result; manual runs do not, and an error here stops nothing.

    `update` is the run's reading before its own order: what the account held since the last slot.
    """
    state, shadows, mid = update.books.attribution_state, run.settings.shadows, update.observation.mid_price
    if state is None or not shadows or mid <= 0 or not run.slot.scheduled:
        return
    account, cost = state.now(run.instrument).attribution, plan.facts.trading_cost
    seen = Seen(
        run.slot.at,
        mid,
        account.real,
        account.held,
        cost.one_way if cost else run.settings.cost_fallback,
        plan.decision.policy,
        plan.facts.rules,
        run.instrument,
    )
    try:
        after, day = advance(_stored(run), shadows, seen)
    except (BotError, ArithmeticError) as error:
        log.warning("the shadows stay where they were (%s)", type(error).__name__)
        return
    run.batch.document(run.keys.shadows, to_document(after))
    if day is not None:
        run.batch.members(run.keys.shadow_days, [(milliseconds(run.slot.at), to_document(day))])


def _stored(run: Run) -> Shadows | None:
    text, key = run.state.shadows, run.keys.shadows
    if text is None:
        return None
    try:
        return from_document(Shadows, from_redis(text, key), key)
    except StoreCorrupt as error:
        log.warning("%s: the shadows start again", error)
        return None
