"""Every key in Redis and every lifetime: no other module contains a key literal (contract.md §3).

`prefix` (REDIS_KEY_PREFIX) goes before every permanent key; the market-data cache has its own namespace.
"""

from dataclasses import dataclass
from hashlib import sha256

HISTORY_LIMIT = 1000
"""Entries that a raw, price or plan history keeps."""
PRICE_CACHE_SECONDS = 30
RUN_MARK_SECONDS = 2 * 86_400
"""Longer than the age of the oldest schedule time that a delivery may carry (see slots.py)."""
RAW_ENDPOINTS = (
    "account_info",
    "ticker_24hr",
    "ticker_price",
    "my_trades",
    "depth",
    "exchange_info",
    "trade_fee",
    "self_symbols",
    "default_symbols",
    "order",
    "all_orders",
    "open_orders",
    "klines",
)


class _Key:
    """A key of one bot, as an attribute of Keys."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, keys: "Keys", _: object) -> str:
        return f"{keys.prefix}bot:{keys.symbol}:{self._name}"


@dataclass(frozen=True, slots=True)
class Keys:
    prefix: str
    symbol: str

    position = _Key("position")
    price_latest = _Key("price:latest")
    price_cached = _Key("price:cached")
    price_history = _Key("price:history")
    cost = _Key("cost")
    ledger = _Key("ledger")
    ledger_fills = _Key("ledger:fills")
    ledger_lots = _Key("ledger:lots")
    quarantine = _Key("ledger:quarantine")
    """Fills that cannot be booked as reported, and the operators' rulings on them: a hash by fill id."""
    attribution = _Key("attribution")
    flows = _Key("attribution:flows")
    """Every deposit and withdrawal seen: a sorted set, never trimmed."""
    equity_slots = _Key("equity:slots")
    equity_days = _Key("equity:days")
    shadows = _Key("shadows")
    """What the shadow policies hold after the last slot."""
    shadow_days = _Key("shadows:days")
    """Their growth each day: a sorted set, never trimmed."""
    inception = _Key("inception")
    plan_last = _Key("rebalance:last")
    plan_history = _Key("rebalance:history")
    policy = _Key("rebalance:policy")
    """The policy in force at the last plan: levels, cost, advice."""
    shape = _Key("settings:shape")
    """The settings that shape an order, from the last live run, for an operator to confirm."""
    confirmation = _Key("settings:confirmed")
    """The settings that an operator has confirmed."""
    trading_cost = _Key("trading_cost")
    """Seven days of what trading costs, and the bands derived from it."""
    plan_inputs = _Key("rebalance:inputs")
    """What each plan was based on beside the exchange's replies, newest first, so that it can be replayed."""
    orders_open = _Key("orders:open")
    """Intents whose outcome is open: a hash by client order id."""
    orders_journal = _Key("orders:journal")
    """Every intent ever made: a hash by client order id."""
    orders_recent = _Key("orders:recent")
    """The intents of the last two days, from which orders are counted: a hash by client order id."""
    program = _Key("orders:program")
    """The rebalance being executed in slices; absent when there is none."""
    orders_known = _Key("orders:known")
    """From the exchange's order id to our client order id."""
    day_start = _Key("orders:activity")
    """The total P&L at the start of the UTC day (DayStart)."""
    continuity = _Key("orders:continuity")
    """Which Redis recorded orders last, and since when (Continuity)."""
    audit_log_head = _Key("journal:head")
    """The link of the audit log's last line (see domain/chain.py)."""
    pause = _Key("pause")
    commands = _Key("ops:commands")
    """What operators did, newest first."""

    def raw_latest(self, endpoint: str) -> str:
        return f"{self.prefix}mexc:raw:{endpoint}:latest"

    def raw_history(self, endpoint: str) -> str:
        return f"{self.prefix}mexc:raw:{endpoint}:history"

    @property
    def account_balance(self) -> str:
        return f"{self.prefix}account:balance"

    def report_last(self, job: str) -> str:
        return f"{self.prefix}bot:{self.symbol}:report:{job}:last"

    def report_history(self, job: str) -> str:
        return f"{self.prefix}bot:{self.symbol}:report:{job}:history"

    def run_mark(self, job: str, slot: str) -> str:
        """With a TTL: the response of a finished run, for duplicate deliveries of its slot."""
        return f"{self.prefix}bot:{self.symbol}:run:{job}:{slot}"

    def lease(self, scope: str) -> str:
        """With a TTL: the run that may write `scope` (account or price) now."""
        return f"{self.prefix}bot:{self.symbol}:lease:{scope}"


@dataclass(frozen=True, slots=True)
class CacheKeys:
    """Keys of the market-data cache, readable: `{namespace}:v1:{key}`."""

    namespace: str
    version: str = "v1"
    owner: str = ""
    """Owner of data read with an exchange key: a hash of prefix and exchange key, empty without a key."""

    @classmethod
    def of(cls, namespace: str, prefix: str, api_key: str | None) -> "CacheKeys":
        """The keys of one bot among those that share a namespace; they do not reveal the exchange key."""
        owner = sha256(f"{prefix}:{api_key}".encode()).hexdigest()[:12] if api_key else ""
        return cls(namespace, owner=owner)

    def full(self, key: str) -> str:
        return f"{self.namespace}:{self.version}:{key}"

    @staticmethod
    def ticker(pair: str) -> str:
        return f"ticker:{pair}"

    @staticmethod
    def ohlcv(pair: str, interval: str, limit: int) -> str:
        return f"ohlcv:{pair}:{interval}:{limit}"

    @staticmethod
    def deals(pair: str, limit: int) -> str:
        return f"deals:{pair}:{limit}"

    @staticmethod
    def orderbook(pair: str, limit: int) -> str:
        return f"orderbook:{pair}:{limit}"

    def rules(self, pair: str) -> str:
        """Includes the account's own fees and what its key may trade, so it is never shared between bots."""
        return f"rules:{pair}:{self.owner}"

    @staticmethod
    def of_symbol(pair: str) -> tuple[str, str]:
        """Patterns of everything cached about one pair."""
        return f"*:{pair}", f"*:{pair}:*"
