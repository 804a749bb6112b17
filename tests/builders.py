"""Payloads and values written for the tests: each shows only the numbers that matter to the reader."""

import base64
import json
import os
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from common.clock import milliseconds
from common.domain.decision.facts import Facts, Reference
from common.domain.decision.levels import Level
from common.domain.decision.policy import Limits, Policy
from common.domain.instrument import Instrument, Side, TradingRules
from common.domain.ledger.ledger import MEMORY, Ledger
from common.domain.ledger.position import Position
from common.domain.ledger.sequence import RULE
from common.domain.order_book import Level as BookLevel
from common.domain.order_book import OrderBook
from common.domain.orders.journal import Activity
from common.domain.orders.order import Fill
from common.domain.portfolio import Balance, Holdings
from common.store.keys import Keys
from tests.fakes import NOON

QRL = Instrument("QRL", "USDT")
KEYS = Keys("", "QRLUSDT")
POLICY = Policy(Decimal("0.5"), Decimal("5"), (Level(Decimal("0.01")),))
PROPERTY = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    max_examples=int(os.environ.get("EXAMPLES", "25")),
)
"""How every hypothesis test runs: a busy machine is no failure, and `make soak` asks for more examples."""


def d(text: str | int) -> Decimal:
    return Decimal(text)


LIMITS = Limits(
    max_price_deviation=d("0.2"),
    max_slippage=d("0.005"),
    max_depth_share=d("0.8"),
    max_fee=d("0.01"),
    max_orders_per_day=5,
    cooldown=timedelta(hours=1),
    max_notional=d(1000),
    max_daily_loss=None,
)


def told(response: Any) -> Any:
    """The JSON of an answer, its numbers whole."""
    return json.loads(response.get_data(as_text=True), parse_float=Decimal)


def finished(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of every line `job.finished`."""
    return [vars(record)["fields"] for record in caplog.records if record.getMessage() == "job.finished"]


def stored(client: "redis.Redis", key: str) -> Any:
    """The document under a key, its amounts as the text they are."""
    text: Any = client.get(key)
    return json.loads(text)


def everything(client: "redis.Redis") -> dict[str, Any]:
    """Every key with its content: to see what has changed, or to bring it back."""
    return {key: client.dump(key) for key in client.scan_iter()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def platform_token(email: str = "scheduler@project.iam", **claims: Any) -> str:
    """A token as the platform hands it on: checked, its signature removed."""
    body = {
        "iss": "https://accounts.google.com",
        "aud": "https://bot.run.app",
        "email": email,
        "email_verified": True,
        "exp": int(NOON.timestamp()) + 3600,
        **claims,
    }
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, body)]
    return ".".join([*parts, "SIGNATURE_REMOVED_BY_GOOGLE"])


def ds(*texts: str | int) -> tuple[Decimal, ...]:
    return tuple(map(d, texts))


def rules(step: str = "0.0001", min_notional: str = "1", fee: str = "0", **more: Any) -> TradingRules:
    return TradingRules(
        size_increment=d(step),
        min_quantity=d(0),
        price_increment=d("0.000001"),
        min_notional=d(min_notional),
        max_notional=d(1000000),
        maker_fee=d(0),
        taker_fee=d(fee),
        **more,
    )


def holdings(qrl: str | int, usdt: str | int, qrl_locked: str | int = 0, usdt_locked: str | int = 0) -> Holdings:
    return Holdings(Balance(d(qrl), d(qrl_locked)), Balance(d(usdt), d(usdt_locked)), NOON)


Rows = list[tuple[str, str]]


def book(bids: Rows, asks: Rows) -> OrderBook:
    def levels(rows: Rows) -> list[BookLevel]:
        return [BookLevel(d(price), d(quantity)) for price, quantity in rows]

    return OrderBook.of(levels(bids), levels(asks))


DEEP = book(
    bids=[("0.999", "1000"), ("0.998", "1000"), ("0.997", "1000")],
    asks=[("1.001", "1000"), ("1.002", "1000"), ("1.003", "1000")],
)
FACTS = Facts(
    now=NOON,
    asked_at=NOON,
    slot=NOON,
    instrument=QRL,
    holdings=holdings(1000, 1000),
    mark_price=d(1),
    price_as_of=NOON,
    references=(Reference("the last known one", d(1)),),
    book=DEEP,
    rules=rules(),
    can_trade=True,
    pause=None,
    activity=Activity(),
    total_pnl=d(0),
    ledger_known=True,
    open_orders=0,
)


def unread_ledger(now: datetime = NOON, opening: str | int | Decimal = 0) -> Ledger:
    """Nothing read yet of all that the exchange still tells at `now`."""
    coins, start = Decimal(opening), now - MEMORY
    return Ledger(Position(unknown_quantity=coins), start, start, start, coins, order_rule=RULE)


def fill(
    side: str, quantity: str | int, price: str | int, *, number: int = 1, at: datetime = NOON, **more: Any
) -> Fill:
    """A fill of `quantity` at `price`, by default without a fee."""
    fee, fee_asset = more.pop("fee", "0"), more.pop("fee_asset", "USDT")
    return Fill(
        fill_id=f"{number}X1",
        order_id=f"C02__{number}",
        client_order_id=None,
        side=Side(side),
        price=d(price),
        quantity=d(quantity),
        notional=d(quantity) * d(price),
        fee=d(fee),
        fee_asset=fee_asset,
        executed_at=at,
        **more,
    )


def amounts(places: int, least: int = 1, most: int = 10**9) -> st.SearchStrategy[Decimal]:
    """Decimals with so many decimal places; `least` and `most` count units of the last one."""
    return st.integers(least, most).map(lambda units: Decimal(units).scaleb(-places))


def fill_lists(*sides: str, most: int = 20) -> st.SearchStrategy[list[Fill]]:
    """Fills of two hours in any order, some at the same second, with fees in USDT, QRL and MX (MX0: unvalued)."""

    def build(number: int, row: tuple[str, Decimal, Decimal, int, str, int]) -> Fill:
        side, quantity, price, second, asset, permille = row
        whole = quantity if asset == "QRL" else quantity * price
        fee = whole * permille / 1000
        return fill(
            side,
            str(quantity),
            str(price),
            number=number,
            at=NOON + timedelta(seconds=second),
            fee=str(fee),
            fee_asset=asset.removesuffix("0"),
            fee_value=fee * 3 if asset == "MX" else None,
        )

    row = st.tuples(
        st.sampled_from(sides or ("BUY", "SELL")),
        amounts(4, most=10**8),
        amounts(6, most=10**7),
        st.integers(0, 7200) | st.integers(0, 3),
        st.sampled_from(["USDT", "QRL", "MX", "MX0"]),
        st.integers(0, 20),
    )
    return st.lists(row, max_size=most).map(lambda rows: [build(n, r) for n, r in enumerate(rows, 1)])


def fill_payload(
    side: str,
    quantity: str,
    price: str,
    *,
    number: int = 1,
    at: datetime = NOON,
    fee: str = "0",
    asset: str = "USDT",
) -> dict[str, Any]:
    return {
        "symbol": "QRLUSDT",
        "id": f"{number}X1",
        "orderId": f"C02__{number}",
        "orderListId": -1,
        "price": price,
        "qty": quantity,
        "quoteQty": str(d(quantity) * d(price)),
        "commission": fee,
        "commissionAsset": asset,
        "time": milliseconds(at),
        "isBuyer": side == "BUY",
        "isMaker": False,
        "isBestMatch": True,
        "isSelfTrade": None,
        "clientOrderId": None,
    }


def account_payload(*balances: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    """Balances as (asset, free, locked)."""
    return {
        "makerCommission": None,
        "takerCommission": None,
        "buyerCommission": None,
        "sellerCommission": None,
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "updateTime": None,
        "accountType": "SPOT",
        "balances": [{"asset": a, "free": f, "locked": locked, "available": f} for a, f, locked in balances],
        "permissions": ["SPOT"],
        **more,
    }


def ticker_payload(price: str = "0.0205", **more: Any) -> dict[str, Any]:
    return {
        "symbol": "QRLUSDT",
        "priceChange": "0.0005",
        "priceChangePercent": "0.025",
        "prevClosePrice": "0.0200",
        "lastPrice": price,
        "bidPrice": "0.0204",
        "bidQty": "",
        "askPrice": "0.0206",
        "askQty": "",
        "openPrice": "0.0200",
        "highPrice": "0.021",
        "lowPrice": "0.0195",
        "volume": "1500000",
        "quoteVolume": None,
        "openTime": milliseconds(NOON - timedelta(seconds=19)),
        "closeTime": milliseconds(NOON),
        "count": None,
        **more,
    }


def price_payload(price: str = "0.0205") -> dict[str, Any]:
    return {"symbol": "QRLUSDT", "price": price}


def order_payload(**more: Any) -> dict[str, Any]:
    return {
        "symbol": "QRLUSDT",
        "orderId": "C02__1",
        "clientOrderId": "rb1",
        "price": "0.02",
        "origQty": "25",
        "executedQty": "0",
        "cummulativeQuoteQty": "0",
        "status": "NEW",
        "side": "BUY",
        **more,
    }


def depth_payload(price: str = "0.0205", quantity: str = "100000") -> dict[str, Any]:
    """Three levels a side around `price`, ten basis points apart."""
    tick = d(price) / 1000
    return {
        "lastUpdateId": 42,
        "bids": [[str(d(price) - tick * n), quantity] for n in (1, 2, 3)],
        "asks": [[str(d(price) + tick * n), quantity] for n in (1, 2, 3)],
    }


def exchange_info_payload(**more: Any) -> dict[str, Any]:
    return {
        "timezone": "CST",
        "serverTime": milliseconds(NOON),
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [
            {
                "symbol": "QRLUSDT",
                "status": "1",
                "baseAsset": "QRL",
                "baseAssetPrecision": 4,
                "quoteAsset": "USDT",
                "quotePrecision": 6,
                "quoteAssetPrecision": 6,
                "orderTypes": ["LIMIT", "MARKET", "LIMIT_MAKER"],
                "isSpotTradingAllowed": True,
                "quoteAmountPrecision": "1",
                "baseSizePrecision": "0.0001",
                "permissions": ["SPOT"],
                "filters": [],
                "maxQuoteAmount": "2000000",
                "makerCommission": "0",
                "takerCommission": "0.0005",
                "tradeSideType": 1,
                **more,
            }
        ],
    }


def exchange_answers(
    qrl: str = "1000.5", usdt: str = "500.25", price: str = "0.0205", fills: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """All that the five jobs ask, for a stub exchange."""
    return {
        "account": account_payload(("QRL", qrl, "0"), ("USDT", usdt, "10")),
        "ticker/24hr": ticker_payload(price),
        "ticker/price": price_payload(price),
        "depth": depth_payload(price),
        "myTrades": fills or [],
        "openOrders": [],
        "exchangeInfo": exchange_info_payload(),
        "tradeFee": {"data": {"makerCommission": 0, "takerCommission": 0.0005}, "code": 0, "msg": "success"},
        "selfSymbols": {"code": 200, "data": ["QRLUSDT"], "msg": None},
        "defaultSymbols": {"code": 0, "data": ["QRLUSDT"], "msg": "success"},
        "time": {"serverTime": milliseconds(NOON)},
    }
