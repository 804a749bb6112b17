"""What a person sees at the end of a run: the last answers, the plans, Redis, and whether all is well."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import groupby
from typing import Any

import redis
from rich.console import Console
from rich.json import JSON
from rich.table import Table

from common.config import Settings
from common.decimal_json import from_redis, to_answer
from common.decimals import places, plain
from common.domain.decision.policy import WITHIN_THRESHOLD
from common.domain.instrument import Instrument
from common.domain.orders.journal import JournalEntry
from common.store.keys import Keys
from common.store.records import entry_of, ledger_of

PERMANENT = ("latest", "history", "position", "balance", "cost", "ledger", "fills", "lots", "inception", "last")


def show_answers(console: Console, answers: Mapping[str, Any]) -> None:
    for job, answer in answers.items():
        console.rule(f"last answer of {job}", align="left")
        console.print(JSON(to_answer(answer)))


def show_plans(console: Console, plans: list[dict[str, Any]]) -> None:
    """Every plan in the order of time; runs of equal decisions to hold are one line."""
    table = Table(title=f"{len(plans)} plans", title_justify="left", header_style="bold")
    table.add_column("slot")
    for name in ("price", "weight", "quantity", "notional"):
        table.add_column(name, justify="right")
    table.add_column("action")
    table.add_column("reason")
    for (action, reason), group in groupby(plans, key=lambda plan: (plan["action"], plan["reason"])):
        same = list(group)
        shown = [same[0]] if action == "HOLD" else same
        for plan in shown:
            more = f"  (and {len(same) - 1} slots more)" if len(same) > 1 and action == "HOLD" else ""
            table.add_row(
                plan["slot"],
                str(plan["price"]),
                f"{plan['deviation'] + plan['target_ratio']:.4f}",
                f"{plan['quantity']:f}",
                f"{plan['notional_usdt']:.4f}",
                action,
                reason + more,
            )
    console.print(table)


def show_orders(console: Console, orders: list[JournalEntry]) -> None:
    """Every order of the journal in the order of its slot, and what became of it."""
    table = Table(title=f"{len(orders)} orders", title_justify="left", header_style="bold")
    for name in ("slot", "side", "type"):
        table.add_column(name)
    for name in ("quantity", "limit price", "filled", "average fill price"):
        table.add_column(name, justify="right")
    for name in ("state", "reason"):
        table.add_column(name)
    for entry in sorted(orders, key=lambda entry: entry.intent.slot):
        intent, filled = entry.intent, entry.filled_quantity
        table.add_row(
            f"{intent.slot:%Y%m%dT%H%MZ}",
            intent.side,
            intent.style.order_type,
            plain(intent.quantity),
            plain(intent.limit_price) if intent.limit_price is not None else "market",
            plain(filled),
            places(entry.filled_notional / filled, 6) if filled else "",
            entry.state,
            entry.reason or "",
        )
    console.print(table)


def journal_entries(client: "redis.Redis", keys: Keys) -> list[JournalEntry]:
    texts: Any = client.hgetall(keys.orders_journal)
    return [entry_of(from_redis(text, keys.orders_journal), keys.orders_journal) for text in texts.values()]


def show_redis(console: Console, client: "redis.Redis", settings: Settings) -> None:
    """The bot's own keys: those behind its prefix, and its namespace of the cache."""
    table = Table(title="what is in Redis", title_justify="left", header_style="bold")
    for name, side in (
        ("key", "left"),
        ("type", "left"),
        ("entries", "right"),
        ("TTL", "right"),
        ("bytes", "right"),
    ):
        table.add_column(name, justify=side)  # type: ignore[arg-type]
    patterns = f"{settings.redis_key_prefix}*", f"{settings.redis_namespace}:*"
    keys = sorted({key for pattern in patterns for key in client.scan_iter(match=pattern, count=1000)})
    marks = [key for key in keys if ":run:" in key]
    for key in [key for key in keys if ":run:" not in key]:
        kind, entries, size = _measure(client, key)
        ttl: Any = client.ttl(key)
        table.add_row(key, kind, str(entries), "-1 (permanent)" if ttl == -1 else f"{ttl} s", f"{size:,}")
    table.add_row(f"(and {len(marks)} marks of finished runs)", "string", "", "2 days", "")
    console.print(table)


def _measure(client: "redis.Redis", key: str) -> tuple[str, int, int]:
    """Type, number of entries and bytes of text under a key."""
    kind: Any = client.type(key)
    if kind == "string":
        return kind, 1, client.strlen(key)
    if kind == "hash":
        fields: Any = client.hgetall(key)
        return kind, len(fields), sum(len(name) + len(value) for name, value in fields.items())
    items: Any = client.zrange(key, 0, -1) if kind == "zset" else client.lrange(key, 0, -1)
    return kind, len(items), sum(map(len, items))


def checks(client: "redis.Redis", keys: Keys, slots: int, failures: int) -> dict[str, bool]:
    """What must hold after a played day, by what a person would say."""
    wanted = [
        keys.raw_latest("account_info"),
        keys.raw_history("ticker_24hr"),
        keys.position,
        keys.account_balance,
        keys.price_latest,
        keys.price_history,
        keys.cost,
        keys.plan_last,
        keys.plan_history,
        keys.ledger,
        keys.inception,
    ]
    mine: Any = client.scan_iter(match=f"{keys.prefix}*", count=1000)
    permanent = [key for key in mine if key.rsplit(":", 1)[-1] in PERMANENT]
    reports: Any = client.llen(keys.report_history("fifteen_min_job"))
    plans: Any = client.llen(keys.plan_history)
    return {
        "every key of the contract is there": all(client.exists(key) for key in wanted),
        "every permanent key has TTL -1": bool(permanent) and all(client.ttl(key) == -1 for key in permanent),
        f"{slots} fifteen-minute reports": reports == slots,
        f"{slots} plans": plans == slots,
        "every call was answered with 2xx": failures == 0,
    }


def live_checks(client: "redis.Redis", keys: Keys, state: Mapping[str, Any]) -> dict[str, bool]:
    """What must hold after orders were placed; `state` is the simulated exchange's own (GET /sim/state)."""
    ledger, _ = ledger_of(_document(client, keys.ledger), keys.ledger)
    instrument = Instrument.from_symbol(keys.symbol)
    held = state["balances"].get(instrument.base, {"free": "0", "locked": "0"})
    told = {fill["id"] for fill in state["fills"] if fill["symbol"] == keys.symbol}
    kept: Any = client.zrange(keys.ledger_fills, 0, -1)
    known = {from_redis(text, keys.ledger_fills)["fill_id"] for text in kept}
    plan = _document(client, keys.plan_last)
    return {
        **_band_check(plan),
        "the ledger equals the exchange's balance": ledger.position(instrument).expected_quantity
        == Decimal(held["free"]) + Decimal(held["locked"]),
        "every fill of the exchange is in the ledger, and no other": told == known,
        "no intent is open": client.hlen(keys.orders_open) == 0,
    }


def _band_check(plan: Mapping[str, Any]) -> dict[str, bool]:
    """Inside the band, or outside it with a guard that says why: a wild market may end a day in a cooldown."""
    if plan["action"] == "HOLD" and plan["reason"].startswith("Order refused: "):
        return {f"the mix is outside its band, and a guard says why ({plan['reason'][15:]})": True}
    return {"the mix is inside its band": plan["action"] == "HOLD" and plan["reason"] == WITHIN_THRESHOLD}


def _document(client: "redis.Redis", key: str) -> Any:
    text: Any = client.get(key)
    return from_redis(text, key)


def show_checks(console: Console, results: Mapping[str, bool]) -> bool:
    for name, held in results.items():
        console.print(f"[green]✓[/] {name}" if held else f"[red]✗ {name}[/]")
    return all(results.values())
