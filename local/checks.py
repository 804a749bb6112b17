"""What must hold after a played day, in plain words."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import redis

from common.decimal_json import from_redis
from common.domain.decision.policy import WITHIN_THRESHOLD
from common.domain.instrument import Instrument
from common.domain.orders.order import slot_in
from common.domain.slots import slot_named
from common.store.keys import Keys
from common.store.records import ledger_of

PERMANENT = ("latest", "history", "position", "balance", "cost", "ledger", "fills", "lots", "inception", "last")


def of_a_day(client: "redis.Redis", keys: Keys, slots: int, failures: int) -> dict[str, bool]:
    """Checks of any day: `slots` 15-minute slots were due, `failures` calls got no 2xx."""
    wanted = [
        keys.raw_latest("account_info"),
        keys.raw_history("ticker_24hr"),
        keys.position,
        keys.account_balance,
        keys.price_latest,
        keys.price_history,
        keys.plan_last,
        keys.plan_history,
        keys.ledger,
        keys.inception,
    ]
    if client.exists(keys.ledger_fills):  # an account that never held the base asset has no cost
        wanted += [keys.cost]
    missing = [key for key in wanted if not client.exists(key)]
    mine: Any = client.scan_iter(match=f"{keys.prefix}*", count=1000)
    permanent = [key for key in mine if key.rsplit(":", 1)[-1] in PERMANENT]
    reports: Any = client.llen(keys.report_history("fifteen_min_job"))
    plans: Any = client.llen(keys.plan_history)
    return {
        "every key of the contract is there" + (f" (not {', '.join(missing)})" if missing else ""): not missing,
        "every permanent key has TTL -1": bool(permanent) and all(client.ttl(key) == -1 for key in permanent),
        f"{slots} fifteen-minute reports": reports == slots,
        f"{slots} plans": plans == slots,
        "every call was answered with 2xx": failures == 0,
    }


def of_orders(client: "redis.Redis", keys: Keys, state: Mapping[str, Any]) -> dict[str, bool]:
    """Checks of a day with orders; `state` is that of the simulated exchange (GET /sim/state)."""
    stored: Any = client.mget(keys.ledger, keys.plan_last)
    if None in stored:
        return {"a ledger and a plan are stored": False}
    book, plan = (from_redis(text, key) for text, key in zip(stored, (keys.ledger, keys.plan_last), strict=True))
    ledger = ledger_of(book, keys.ledger)
    instrument = Instrument.from_symbol(keys.symbol)
    held = state["balances"].get(instrument.base, {"free": "0", "locked": "0"})
    listed = {fill["id"] for fill in state["fills"] if fill["symbol"] == keys.symbol}
    kept: Any = client.zrange(keys.ledger_fills, 0, -1)
    known = {from_redis(text, keys.ledger_fills)["fill_id"] for text in kept}
    ids: Any = client.hkeys(keys.orders_journal)
    return {
        **_band_check(plan, ids),
        "the ledger equals the exchange's balance": ledger.position(instrument).expected_quantity
        == Decimal(held["free"]) + Decimal(held["locked"]),
        "every fill of the exchange is in the ledger, and no other": listed == known,
        "no intent is open, unless it rests": _open_states(client, keys) <= {"RESTING"},
    }


def _band_check(plan: Mapping[str, Any], ids: Iterable[str]) -> dict[str, bool]:
    """The mix is inside the band; or outside it with a guard that says why, or with an order at work.

    A volatile market may end a day in a cooldown, or with a resting order. `ids` are those of all orders.
    """
    outside = "the mix is outside its band, and "
    if plan["action"] == "HOLD" and plan["reason"].startswith("Order refused: "):
        return {f"{outside}a guard says why ({plan['reason'][15:]})": True}
    if plan["action"] != "HOLD" and slot_named(plan["slot"]) in map(slot_in, ids):
        return {f"{outside}the last slot's order works on it": True}
    return {"the mix is inside its band": plan["action"] == "HOLD" and plan["reason"] == WITHIN_THRESHOLD}


def _open_states(client: "redis.Redis", keys: Keys) -> set[str]:
    texts: Any = client.hvals(keys.orders_open)
    return {from_redis(text, keys.orders_open).get("state", "?") for text in texts}
