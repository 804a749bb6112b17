"""`balance` (sync-balance): store the account in Redis (contract.md §2.1)."""

import logging
from collections.abc import Mapping
from typing import Any

from common.books.account import store_account
from common.decimals import float_like, places
from common.domain.instrument import Instrument
from common.domain.portfolio import Account
from common.run import NO_KEYS, Job, Outcome, Run, View, age_seconds, skipped
from common.store.documents import assets, shown
from common.store.state import ORDERS
from common.trading.resting import tend

log = logging.getLogger(__name__)


def run(run: Run) -> Outcome:
    if not run.settings.has_keys:
        return skipped(NO_KEYS)
    with run.stage("gather"):
        tend(run)
        answer = run.exchange.account()
    account, instrument = answer.value, run.instrument
    store_account(run, account, answer.reply.received_at)
    run.batch.raw(answer.reply)
    log.info("[Cloud Task] Stored raw account_info response")
    held = sum(1 for balance in account.balances.values() if balance.total)
    log.info(_sentence(account, instrument, held))
    base, quote = assets(instrument)
    data = {
        f"{base}_balance": account.balance(instrument.base).free,
        f"{quote}_balance": account.balance(instrument.quote).free,
        f"{base}_locked": account.balance(instrument.base).locked,
        f"{quote}_locked": account.balance(instrument.quote).locked,
        "total_assets": held,
        "account_type": account.account_type,
    }
    empty = not (account.balance(instrument.base).total or account.balance(instrument.quote).total)
    return Outcome(body={"data": data}, logged={"zero_balance": empty})


def _sentence(account: Account, instrument: Instrument, held: int) -> str:
    base, quote = account.balance(instrument.base), account.balance(instrument.quote)
    maker, taker = account.maker_commission, account.taker_commission
    return (
        f"[Cloud Task] Balance synced - {instrument.base}: {places(base.free, 4)} "
        f"(locked: {float_like(base.locked)}), {instrument.quote}: {places(quote.free, 2)} "
        f"(locked: {float_like(quote.locked)}), Total assets: {held}, "
        f"Account type: {account.account_type}, canTrade: {account.can_trade}, Maker/Taker: {maker}/{taker}, "
        f"Permissions: {list(account.permissions)}, Update time: {account.update_time}"
    )


def show(view: View) -> Mapping[str, Any] | None:
    document = view.store.read_one(("GET", view.keys.account_balance), view.meter)
    if document is None:
        return None
    age = age_seconds(document.get("timestamp"), view.now)
    return {"data": shown(document) | {"cached": True, "age_seconds": age}}


JOB = Job(
    name="balance",
    task="sync-balance",
    scope="account",
    run=run,
    show=show,
    reads=ORDERS,
    writes=("account", "orders"),
)
