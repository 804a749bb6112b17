"""Every key in Redis and every lifetime, as functions: no key literal stands anywhere else (contract.md §3).

`prefix` (REDIS_KEY_PREFIX) goes before every permanent key; the market-data cache has its own namespace.
"""

from dataclasses import dataclass
from hashlib import sha256

HISTORY_LIMIT = 1000
"""Entries that a raw, price or plan history keeps."""
PRICE_CACHE_SECONDS = 30
RUN_MARK_SECONDS = 2 * 86_400
"""Longer than the oldest schedule time a delivery may carry (see slots.py)."""
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


@dataclass(frozen=True, slots=True)
class Keys:
    prefix: str
    symbol: str

    def raw_latest(self, endpoint: str) -> str:
        return f"{self.prefix}mexc:raw:{endpoint}:latest"

    def raw_history(self, endpoint: str) -> str:
        return f"{self.prefix}mexc:raw:{endpoint}:history"

    @property
    def account_balance(self) -> str:
        return f"{self.prefix}account:balance"

    @property
    def position(self) -> str:
        return self._bot("position")

    @property
    def price_latest(self) -> str:
        return self._bot("price:latest")

    @property
    def price_cached(self) -> str:
        return self._bot("price:cached")

    @property
    def price_history(self) -> str:
        return self._bot("price:history")

    @property
    def cost(self) -> str:
        return self._bot("cost")

    @property
    def ledger(self) -> str:
        return self._bot("ledger")

    @property
    def ledger_fills(self) -> str:
        return self._bot("ledger:fills")

    @property
    def ledger_lots(self) -> str:
        return self._bot("ledger:lots")

    @property
    def quarantine(self) -> str:
        """Fills that cannot be booked as they were told, and what operators said of them: a hash by fill id."""
        return self._bot("ledger:quarantine")

    @property
    def attribution(self) -> str:
        return self._bot("attribution")

    @property
    def flows(self) -> str:
        """Every deposit and withdrawal that was seen: a sorted set, never trimmed."""
        return self._bot("attribution:flows")

    @property
    def equity_slots(self) -> str:
        return self._bot("equity:slots")

    @property
    def equity_days(self) -> str:
        return self._bot("equity:days")

    @property
    def shadows(self) -> str:
        """What the policies on paper hold, after the last slot."""
        return self._bot("shadows")

    @property
    def shadow_days(self) -> str:
        """How they grew each day: a sorted set, never trimmed."""
        return self._bot("shadows:days")

    @property
    def inception(self) -> str:
        return self._bot("inception")

    @property
    def plan_last(self) -> str:
        return self._bot("rebalance:last")

    @property
    def plan_history(self) -> str:
        return self._bot("rebalance:history")

    @property
    def policy(self) -> str:
        """The policy in force at the last plan: levels, cost, advice."""
        return self._bot("rebalance:policy")

    @property
    def shape(self) -> str:
        """The settings that shape an order as the last live run had them, for an operator to confirm."""
        return self._bot("settings:shape")

    @property
    def confirmation(self) -> str:
        """The settings that an operator has confirmed."""
        return self._bot("settings:confirmed")

    @property
    def trading_cost(self) -> str:
        """Seven days of what trading costs, and the bands derived from it."""
        return self._bot("trading_cost")

    @property
    def plan_inputs(self) -> str:
        """What each plan rested on beside the exchange's answers, newest first: with them it can be replayed."""
        return self._bot("rebalance:inputs")

    @property
    def orders_open(self) -> str:
        """Intents whose fate is open: a hash by client order id."""
        return self._bot("orders:open")

    @property
    def orders_journal(self) -> str:
        """Every intent there ever was: a hash by client order id."""
        return self._bot("orders:journal")

    @property
    def orders_recent(self) -> str:
        """The intents of the last two days, from which orders are counted: a hash by client order id."""
        return self._bot("orders:recent")

    @property
    def program(self) -> str:
        """The rebalance that is being worked off in slices; absent when there is none."""
        return self._bot("orders:program")

    @property
    def orders_known(self) -> str:
        """The exchange's order id to our client order id."""
        return self._bot("orders:known")

    @property
    def activity(self) -> str:
        """The P&L that the UTC day began with."""
        return self._bot("orders:activity")

    @property
    def continuity(self) -> str:
        """Which Redis this was when orders were last thought of, and since when."""
        return self._bot("orders:continuity")

    @property
    def journal_head(self) -> str:
        """Where the chain of the journal outside Redis stands: the link of its last line."""
        return self._bot("journal:head")

    @property
    def pause(self) -> str:
        return self._bot("pause")

    @property
    def commands(self) -> str:
        """What operators did, newest first."""
        return self._bot("ops:commands")

    def report_last(self, job: str) -> str:
        return self._bot(f"report:{job}:last")

    def report_history(self, job: str) -> str:
        return self._bot(f"report:{job}:history")

    def run_mark(self, job: str, slot: str) -> str:
        """With a TTL: the answer of a finished run, for deliveries of the same slot."""
        return self._bot(f"run:{job}:{slot}")

    def lease(self, scope: str) -> str:
        """With a TTL: who may write `scope` (account or price) now."""
        return self._bot(f"lease:{scope}")

    def _bot(self, name: str) -> str:
        return f"{self.prefix}bot:{self.symbol}:{name}"


@dataclass(frozen=True, slots=True)
class CacheKeys:
    """Keys of the market-data cache: `{namespace}:v1:{key}`, readable."""

    namespace: str
    version: str = "v1"
    owner: str = ""
    """Whose what is read with a key is: prefix and exchange key as a hash, none without an exchange key."""

    @classmethod
    def of(cls, namespace: str, prefix: str, api_key: str | None) -> "CacheKeys":
        """The keys of one bot among those that share a namespace; the exchange key cannot be told from them."""
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
        """With the account's own fees and what its key may trade: no other bot's."""
        return f"rules:{pair}:{self.owner}"

    @staticmethod
    def of_symbol(pair: str) -> tuple[str, str]:
        """Patterns of all that is cached about one pair."""
        return f"*:{pair}", f"*:{pair}:*"
