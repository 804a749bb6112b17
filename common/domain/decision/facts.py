"""What a plan rests on: all that was read, measured and told before it is made."""

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
    """An earlier or other price that this run's is held against; `told` completes "… off"."""

    told: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class Expected:
    """The balances that the last plan saw, with what fills have moved since."""

    base: Decimal
    quote: Decimal


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan rests on. None stands for what could not be read, which no guard lets pass.

    `mark_price` is decided on; `last_price` is the last trade's, where that is another. Ages are told at
    `asked_at`, the end of the run's reading. `open_orders` are the bot's own: what others have resting is
    theirs. `doubt` is a reason not to trade whatever the mix. `average_cost` is None where no cost is known.
    `trend` and `program` (of slices) are in words, for whoever reads the plan.
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
