"""The long tables of a run (VERBOSE=1): the last responses, every plan and order, the content of Redis."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import redis
from rich.console import Console
from rich.json import JSON
from rich.table import Table

from common.config import Settings
from common.decimal_json import to_answer
from common.decimals import places, plain
from common.domain.orders.journal import JournalEntry
from common.domain.slots import slot_named
from local.lines import print_whole


def show_answers(console: Console, answers: Mapping[str, Any]) -> None:
    for job, answer in answers.items():
        console.rule(f"last answer of {job}", align="left")
        console.print(JSON(to_answer(answer)))


def show_plans(console: Console, plans: Sequence[Mapping[str, Any]]) -> None:
    """Every plan in order of time; consecutive equal HOLDs are one line."""
    table = _table(f"{len(plans)} plans", "slot", ">price", ">weight", ">quantity", "action", "reason")
    for (action, reason), group in groupby(plans, key=lambda plan: (plan["action"], plan["reason"])):
        same = list(group)
        more = f" (and {len(same) - 1} slots more)" if len(same) > 1 and action == "HOLD" else ""
        for plan in same[:1] if action == "HOLD" else same:
            weight = f"{plan['deviation'] + plan['target_ratio']:.4f}"
            when = f"{slot_named(plan['slot']):%m-%d %H:%M}"
            table.add_row(when, plain(plan["price"]), weight, plain(plan["quantity"]), action, reason + more)
    print_whole(console, table)


def show_orders(console: Console, orders: Sequence[JournalEntry]) -> None:
    """Every order in order of its slot, and its outcome."""
    columns = ("slot", "side", "style", ">quantity", ">limit", ">filled", ">average", "state")
    table = _table(f"{len(orders)} order{'' if len(orders) == 1 else 's'}", *columns)
    for entry in sorted(orders, key=lambda entry: entry.intent.slot):
        intent, filled = entry.intent, entry.filled_quantity
        table.add_row(
            f"{intent.slot:%m-%d %H:%M}",
            intent.side,
            intent.style.value,
            plain(intent.quantity),
            plain(intent.limit_price) if intent.limit_price is not None else "none",
            plain(filled),
            places(entry.filled_notional / filled, 6) if filled else "",
            f"{entry.state}{f': {entry.reason}' if entry.reason else ''}",
        )
    print_whole(console, table)


def _table(title: str, *columns: str) -> Table:
    """A table for 80 columns: the last column takes the rest and folds. `>` before a name aligns it right."""
    table = Table(title=title, title_justify="left", header_style="bold", box=None, padding=(0, 2, 0, 0))
    for name in columns[:-1]:
        table.add_column(name.lstrip(">"), justify="right" if name[0] == ">" else "left", no_wrap=True)
    table.add_column(columns[-1].lstrip(">"), overflow="fold")
    return table


def show_redis(console: Console, client: "redis.Redis", settings: Settings) -> None:
    """The bot's own keys: those with its prefix, and those of its cache namespace."""
    table = _table("what is in Redis", "type", ">entries", ">TTL", ">bytes", "key")
    patterns = f"{settings.redis_key_prefix}*", f"{settings.redis_namespace}:*"
    keys = sorted({key for pattern in patterns for key in client.scan_iter(match=pattern, count=1000)})
    marks = [key for key in keys if ":run:" in key]
    for key in [key for key in keys if ":run:" not in key]:
        kind, entries, size = _measure(client, key)
        ttl: Any = client.ttl(key)
        table.add_row(kind, str(entries), "permanent" if ttl == -1 else f"{ttl} s", f"{size:,}", key)
    table.add_row("string", str(len(marks)), "2 days", "", "(marks of finished runs)")
    print_whole(console, table)


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


def show_checks(console: Console, results: Mapping[str, bool]) -> None:
    for name, held in results.items():
        console.print(f"✓ {name}" if held else f"✗ {name}", style="green" if held else "red")
