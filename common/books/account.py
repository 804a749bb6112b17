"""The account as it is stored: the position hash and the account document (contract.md §2.1)."""

from datetime import datetime

from common.decimals import plain
from common.domain.portfolio import Account
from common.run import Run
from common.store.documents import account_document, position_fields


def store_account(run: Run, account: Account, as_of: datetime) -> None:
    """Queue the position hash and the account document; `as_of` is the time of the response.

    A thousand balances are converted to text once, not twice.
    """
    document = account_document(account, as_of)
    for balance in document["balances"].values():
        balance.update({name: plain(amount) for name, amount in balance.items()})
    run.batch.hash(run.keys.position, position_fields(account, run.instrument, as_of, document["balances"]))
    run.batch.document(run.keys.account_balance, document)
