"""What a person wants to know after a run, in a few lines: result, actions, what is next, and the checks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from common.domain.instrument import Side
from common.domain.orders.journal import JournalEntry
from common.meter import Meter
from common.report import content, page
from common.report.values import Values, gather
from common.report.words import quantity
from common.run import View
from common.service import Bot
from local.lines import wrapped

LABEL = 12
"""The width of a label, with the space around it."""


def values_of(bot: Bot) -> Values:
    """The data of the report, from the bot's Redis."""
    return gather(View(bot.settings, bot.clock, bot.store, Meter(), bot.clock.now(), None), curves=True)


def show(console: Console, values: Values, plans: Sequence[Mapping[str, Any]], checks: Mapping[str, bool]) -> None:
    """Print five lines. Failed `checks` are named."""
    failed = [name for name, held in checks.items() if not held]
    well = Text(f"all {len(checks)} checks hold")
    if failed:
        well = Text(f"{len(failed)} of {len(checks)} do NOT hold: {'; '.join(failed)}", style="red")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="bold", width=LABEL - 4)
    grid.add_column(overflow="fold")
    for label, text in (
        (values.instrument.pair, content.mix(values)),
        ("worth it", content.sentence(values)),
        ("did", deeds(values, plans)),
        ("next", f"{content.last_plan(values)}; {content.prices(values)}"),
        ("checks", well),
    ):
        grid.add_row(label, wrapped(text, console.width - LABEL) if isinstance(text, str) else text)
    console.print(grid)


def deeds(values: Values, plans: Sequence[Mapping[str, Any]]) -> str:
    """What was planned, and the outcome of the orders."""
    actions = Counter(plan["action"] for plan in plans)
    planned = ", ".join(f"{count} {action}" for action, count in actions.most_common())
    text = f"{len(plans)} plans ({planned or 'none'})"
    if values.mode != "live":
        return f"{text}; no orders, for plans only are made"
    traded = "; ".join(filter(None, (_traded(values.orders, side, values.base) for side in Side)))
    count = len(values.orders)
    return f"{text}; {count} order{'' if count == 1 else 's'}: {traded or 'nothing filled'}"


def _traded(orders: Sequence[JournalEntry], side: Side, base: str) -> str:
    filled = [entry.filled_quantity for entry in orders if entry.intent.side is side and entry.filled_quantity]
    word = "bought" if side is Side.BUY else "sold"
    return f"{word} {quantity(sum(filled[1:], filled[0]))} {base} in {len(filled)}" if filled else ""


def write_page(values: Values, folder: Path) -> Path:
    """Write the report as an HTML page (contract.md §14)."""
    path = folder / "report.html"
    path.write_text(page.render(values), encoding="utf-8")
    return path
