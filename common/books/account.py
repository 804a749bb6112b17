"""The account as it is stored: the position hash and the account document (contract.md §2.1)."""

from common.decimals import plain
from common.domain.portfolio import Account
from common.run import Run
from common.store.records import account_document, position_fields


def store_account(run: Run, account: Account) -> None:
    """Queue the position hash and the account document; a thousand balances become text once, not twice."""
    document = account_document(account, run.now)
    for balance in document["balances"].values():
        balance.update({name: plain(amount) for name, amount in balance.items()})
    run.batch.hash(run.keys.position, position_fields(account, run.instrument, run.now, document["balances"]))
    run.batch.document(run.keys.account_balance, document)
