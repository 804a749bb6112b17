"""Which band to choose for a portfolio: what it trades, what it loses a year, and what share the cloud takes.

Losses are against a mix that is kept at no cost, at the given volatility. The half-way band of least loss is
shown; THRESHOLD_PCT=auto with REBALANCE_TO=half follows it, at the cost that the bot measures itself.
"""

import argparse
from collections.abc import Callable
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from common.decimals import ONE, ZERO, parse, places, plain, quotient
from common.domain.decision.advice import Guidance, guidance
from common.errors import InvalidAmount
from local.costs import monthly
from local.refused import Refused

VALUES = ("500", "2000", "20000")
LEAST, MOST = Decimal(10) ** -9, Decimal(10) ** 12
"""An amount asked for is within these, or zero."""
CHEAPEST = "lean"
"""The profile whose monthly price is shown."""


OPTIONS = {
    "fee": ("0.0005", "taker fee, a fraction"),
    "spread": ("0.005", "from bid to ask, a fraction"),
    "depth": ("5000", "quote asset within 1 %% of the mid on a side"),
    "least": ("5", "least order, quote asset"),
    "weight": ("0.5", "target share of the base asset"),
    "volatility": ("1", "a year, a fraction"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--value", nargs="+", default=VALUES, metavar="V", help="portfolios, quote asset")
    for name, (default, help_text) in OPTIONS.items():
        parser.add_argument(f"--{name}", default=default, metavar="X", help=f"{help_text} (%(default)s)")


def main(arguments: argparse.Namespace) -> int:
    values = [_number("value", text, above=0) for text in arguments.value]
    fee, spread = _number("fee", arguments.fee), _number("spread", arguments.spread)
    depth, least = _number("depth", arguments.depth, above=0), _number("least", arguments.least)
    weight = _number("weight", arguments.weight, above=0)
    volatility = _number("volatility", arguments.volatility, above=0)
    if max(fee, spread, weight) >= 1:
        raise Refused("--fee, --spread and --weight are fractions: half a per cent is 0.005")
    rows = [guidance(value, fee, spread / 2, depth, least, weight) for value in values]
    console = Console(highlight=False)
    room = min(weight, ONE - weight)
    small = [row for row in rows if least >= row.value * room]
    console.print(_table(rows, volatility**2, small))
    if small:
        console.print(
            f"{', '.join(plain(row.value) for row in small)}: too little money for a band. "
            f"With a least order of {plain(least)} it takes more than {plain(quotient(least, room))}."
        )
    if beyond := [plain(row.value) for row in rows if row not in small and row.order > depth]:
        console.print(
            f"{', '.join(beyond)}: an order is larger than the {plain(depth)} that stands in the book (--depth): "
            "its cost is a guess, and most likely it cannot be filled. Try SLICE_NOTIONAL_USDT, or another pair."
        )
    console.print(
        f"Losses against a mix kept at no cost, at a volatility of {places(volatility * 100, 0)} % a year."
    )
    console.print("THRESHOLD_PCT=auto with REBALANCE_TO=half follows this, at the cost that the bot measures.")
    return 0


def _table(rows: list[Guidance], variance: Decimal, small: list[Guidance]) -> Table:
    """One column for each portfolio; of a `small` one, which no band fits, only the price of the cloud."""
    table = Table(header_style="bold")
    table.add_column("portfolio")
    for row in rows:
        table.add_column(plain(row.value), justify="right")
    lines: dict[str, Callable[[Guidance], str]] = {
        "one-way cost, %": lambda row: places(row.cost * 100, 2),
        "trigger, points": lambda row: row.shown[0],
        "back to, points": lambda row: row.shown[1],
        "an order": lambda row: places(row.order, 1),
        "orders a year": lambda row: places((row.orders_a_year or ZERO) * variance, 0),
        "loss a year, %": lambda row: places(row.loss * variance * 100, 2),
        "the same as money": lambda row: places(row.loss * variance * row.value, 2),
        "loss of 1 point to the target, %": lambda row: places(row.usual_loss * variance * 100, 2),
        "cloud a month, % of the portfolio": lambda row: places(monthly(CHEAPEST) / row.value * 100, 2),
    }
    for name, text_of in lines.items():
        known = name.startswith("cloud")
        table.add_row(name, *(text_of(row) if known or row not in small else "\u2013" for row in rows))
    return table


def _number(name: str, text: str, above: int | None = None) -> Decimal:
    try:
        number = parse(text)
    except InvalidAmount:
        raise Refused(f"--{name}: {text!r} is no number") from None
    if number and not LEAST <= abs(number) <= MOST:
        raise Refused(f"--{name}: {text:.40} is out of any sensible range")
    if number < 0 or (above is not None and number <= above):
        raise Refused(f"--{name}: must be {'above' if above is not None else 'at least'} 0")
    return number
