"""What a plan is based on: everything read and measured before it is made."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from common.domain.decision.cost_of_trading import Estimate
from common.domain.decision.pause import Pause
from common.domain.decision.policy import Hold
from common.domain.instrument import Instrument, TradingRules
from common.domain.order_book import OrderBook
from common.domain.orders.journal import Activity
from common.domain.portfolio import Holdings


@dataclass(frozen=True, slots=True)
class Reference:
    """An earlier or other price that this run's price is compared with; `label` completes "… off"."""

    label: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class Expected:
    """The balances that the last plan saw, plus what fills have moved since."""

    base: Decimal
    quote: Decimal


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is based on. None means that a value could not be read, and no guard lets that pass.

    The decision uses `mark_price`; `last_price` is the last trade's, where it differs. Ages are taken at
    `asked_at`, the end of the run's reading. `open_orders` counts the bot's own orders only. `doubt` is a reason
    not to trade whatever the mix. `average_cost` is None where no cost is known. `trend` and `program` (of slices)
    are in words, for the reader of the plan.
    """

    now: datetime
    asked_at: datetime
    slot: datetime
    instrument: Instrument
    holdings: Holdings
    mark_price: Decimal
    price_as_of: datetime
    references: tuple[Reference, ...]
    book: OrderBook | None
    rules: TradingRules
    can_trade: bool
    pause: Pause | None
    activity: Activity
    open_orders: int | None
    total_pnl: Decimal | None = None
    ledger_known: bool = False
    last_price: Decimal | None = None
    average_cost: Decimal | None = None
    doubt: Hold | None = None
    expected: Expected | None = None
    unconfirmed: tuple[str, ...] = ()
    trading_cost: Estimate | None = None
    trend: str | None = None
    program: str | None = None
