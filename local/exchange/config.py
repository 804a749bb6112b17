"""What a simulated exchange is made of: instrument rules, fees, book shape, switches. Values only.

Each point that the exchange's documents leave open is a switch here; its default is the harder case for the bot.
The control API changes these models while the exchange runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from local.exchange.amounts import ONE, Amount, Share

API_KEY = "mx0simulated"
SECRET_KEY = "simulated-secret"
QUOTE_ASSET = "USDT"
MX_SYMBOL = "MXUSDT"

Side = Literal["BUY", "SELL"]
Row = dict[str, Any]
Names = Annotated[tuple[str, ...], Field(strict=False)]
"""Texts from a JSON list."""


class Values(BaseModel):
    """Immutable values; a change makes a checked copy, and an unknown name is refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    def changed(self, changes: Mapping[str, Any]) -> Self:
        return self.model_validate(self.model_dump(by_alias=True) | dict(changes))


class Rules(Values):
    """The trading rules of one symbol, as enforced and as shown by exchangeInfo.

    The numbers are invented: no public dump has those of QRLUSDT. They are fine enough for a price of 0.02 USDT.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    base_asset: str
    status: str = "1"
    base_asset_precision: int = 4
    quote_precision: int = 6
    quote_asset_precision: int = 6
    quote_amount_precision: Amount = ONE
    quote_amount_precision_market: Amount = ONE
    base_size_precision: Amount = Decimal("0.0001")
    max_quote_amount: Amount = Decimal(2_000_000)
    max_quote_amount_market: Amount = Decimal(100_000)
    order_types: Names = ("LIMIT", "MARKET", "LIMIT_MAKER")
    is_spot_trading_allowed: bool = True
    trade_side_type: int = 1
    permissions: Names = ("SPOT",)
    # A value below 1 is a band around the last price; None leaves the filter out.
    bid_multiplier_up: Amount | None = Decimal("0.05")
    ask_multiplier_down: Amount | None = Decimal("0.05")
    # List price in exchangeInfo; what an account really pays is in Fees.
    maker_commission: Amount = Decimal(0)
    taker_commission: Amount = Decimal("0.0005")
    full_name: str = ""
    st: bool = False
    # What exchangeInfo does not show: a scale coarser than the published one, MARKET closed to the API,
    # API trading switched off for the symbol although it is listed and priced.
    true_quantity_scale: int | None = None
    market_orders_open: bool = True
    api_open: bool = True

    @property
    def symbol(self) -> str:
        return self.base_asset + QUOTE_ASSET

    @cached_property
    def price_decimals(self) -> int:
        """The smaller of the two fields that define it."""
        return min(self.quote_precision, self.quote_asset_precision)

    @cached_property
    def tick(self) -> Decimal:
        return ONE.scaleb(-self.price_decimals)

    @property
    def quantity_scale(self) -> int:
        scale = self.true_quantity_scale
        return self.base_asset_precision if scale is None else min(self.base_asset_precision, scale)

    @cached_property
    def quantity_step(self) -> Decimal:
        return ONE.scaleb(-self.quantity_scale)


class Fees(Values):
    """What the account pays: rates as fractions, and the asset.

    `asset`: QUOTE (on top of a buy, out of a sale's proceeds), BASE (out of what a buy receives; a sale still
    pays in quote), MX (20 % off, 50 % when 500 MX are held; without enough MX the fee is in quote again).
    """

    maker: Amount = Decimal(0)
    taker: Amount = Decimal("0.0005")
    asset: Literal["QUOTE", "BASE", "MX"] = "QUOTE"


class BookShape(Values):
    """The synthetic order book: thin but real."""

    levels: int = 3
    notional_per_side: Amount = Decimal(2_000)
    spread: Annotated[Amount, Field(lt=1)] = Decimal("0.0010")
    level_step: Amount = Decimal("0.0010")
    # In a gap of a candle file this share of the depth is left.
    quiet_share: Share = Decimal("0.1")
    # Depth taken by our own fills is missing for this long, so that it is not sold twice.
    refill_ms: int = 1_000
    # The largest share of the volume traded through a resting order that goes to others; drawn for each minute.
    queue_ahead: Share = ONE
    # The exchange promises no order of levels; True shuffles them.
    shuffled: bool = False


class Options(Values):
    """Switches for what is unknown or differs between observations of the real exchange."""

    # Does the hold of a buy include the fee? Unknown; True refuses an all-in buy without a reserve.
    hold_includes_fee: bool = True
    # A LIMIT_MAKER that would take: acknowledged and found cancelled, or refused at once.
    limit_maker_crossing: Literal["cancel", "refuse"] = "cancel"
    # order/test may check only the form, or everything that a real order is checked for.
    order_test_checks: Literal["form", "all"] = "form"
    # myTrades promises no order.
    trades_order: Literal["newest", "oldest", "shuffled"] = "newest"
    # exchangeInfo of a symbol that does not exist.
    unknown_symbol_info: Literal["empty", "error"] = "empty"
    # Account commissions: null (2025), ints as 5 = 0.05 % (2022), or not there at all (docs).
    commission_fields: Literal["null", "ints", "absent"] = "null"
    # The single 24 h ticker with "" for bidQty and askQty and null for quoteVolume, as in the docs' list.
    bare_ticker: bool = False
    # Envelope code of the enveloped lists: 0 (live) or 200 (docs).
    envelope_code: Literal[0, 200] = 0
    # The ack of a new order echoes the client order id (seen only in 2026 test data).
    ack_client_id: bool = False
    # myTrades has the client order id of each fill, or null.
    fill_client_id: bool = True
    max_open_orders: int = 500


class RateLimit(Values):
    """Weight per window and client address; `weight` None switches the limit off."""

    weight: int | None = 500
    window_ms: int = 10_000
    # Sources disagree whether endpoints share the limit; a shared one is the harder case.
    per_endpoint: bool = False
    retry_after_s: int = 10
    # Requests tolerated while refused with 429 before the address is banned with 418.
    patience: int = 20
    ban_s: int = 120


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """Everything a simulated exchange starts with.

    `start_ms` is the time at which the price path is at `start_price` (None: the last UTC midnight).
    `start_price` None means 0.02 for the random walk, and no scaling for a candle file. `candles` is a file to
    replay instead of the walk; `candles_from_ms` is the time of the candle at the simulated start (None: the
    first), so earlier candles are history for klines. `balances` None means 1 000 of the base asset and 500 USDT.
    """

    symbol: str = "QRLUSDT"
    start_ms: int | None = None
    start_price: Decimal | None = None
    daily_volatility: float = 0.05
    candles: Path | None = None
    candles_from_ms: int | None = None
    balances: Mapping[str, Decimal] | None = None
    api_key: str = API_KEY
    secret_key: str = SECRET_KEY
    key_permissions: frozenset[str] = frozenset({"SPOT_ACCOUNT_READ", "SPOT_DEAL_READ", "SPOT_DEAL_WRITE"})
    key_addresses: frozenset[str] | None = None
    fees: Fees = field(default_factory=Fees)
    book: BookShape = field(default_factory=BookShape)
    options: Options = field(default_factory=Options)
    rate_limit: RateLimit = field(default_factory=RateLimit)

    def __post_init__(self) -> None:
        if not self.symbol.endswith(QUOTE_ASSET) or self.symbol == QUOTE_ASSET:
            raise ValueError(f"symbol {self.symbol}: only pairs against {QUOTE_ASSET} are simulated")
        if self.symbol == MX_SYMBOL:
            raise ValueError(f"{MX_SYMBOL} is always there as the second symbol")
        if self.start_price is not None and self.start_price <= 0:
            raise ValueError("start_price must be positive")

    @property
    def base_asset(self) -> str:
        return self.symbol.removesuffix(QUOTE_ASSET)
