"""The ledger's fills as CSV, for tax tools: `python -m local export --format koinly > fills.csv`.

`koinly` is Koinly's universal import, `cointracker` and `cointracking` are the imports of those names, `generic`
has everything the ledger knows. The fills come from the Redis of REDIS_URL, oldest first.

No tool accepts a negative fee: a rebate in an asset of the pair goes into the amounts, one in a third asset gets a
row of its own. CoinTracking does not subtract fees: its amounts are net, and a fee in a third asset is also a row.
"""

import argparse
import csv
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC
from decimal import Decimal, localcontext
from typing import IO

from common.decimals import EXACT, ZERO, places, plain, tidy
from common.domain.instrument import Instrument, Side
from common.domain.ledger.ledger import once
from common.domain.orders.order import Fill
from common.report.words import counted
from common.run import View
from common.store.records import fill_of
from local import stored

Row = dict[str, str]
KOINLY = (
    *("Date", "Sent Amount", "Sent Currency", "Received Amount", "Received Currency", "Fee Amount"),
    *("Fee Currency", "Net Worth Amount", "Net Worth Currency", "Label", "Description", "TxHash"),
)
GENERIC = (
    *("time", "pair", "side", "quantity", "price", "notional", "fee", "fee_asset", "fee_value", "maker"),
    *("fill_id", "order_id", "client_order_id", "remarks"),
)
COINTRACKER = (
    *("Date", "Received Quantity", "Received Currency", "Sent Quantity", "Sent Currency"),
    *("Fee Amount", "Fee Currency", "Tag"),
)
COINTRACKING = (
    *("Type", "Buy Amount", "Buy Currency", "Sell Amount", "Sell Currency", "Fee", "Fee Currency"),
    *("Exchange", "Trade-Group", "Comment", "Date"),
)


@dataclass(frozen=True, slots=True)
class Trade:
    """A fill as tools see it: what was sent and received, and separately the fee (positive) or rebate."""

    sent: Decimal
    sent_asset: str
    received: Decimal
    received_asset: str
    fee: Decimal
    fee_asset: str

    @classmethod
    def of(cls, fill: Fill, instrument: Instrument) -> "Trade":
        base, quote = (fill.quantity, instrument.base), (fill.notional, instrument.quote)
        sent, received = (quote, base) if fill.side is Side.BUY else (base, quote)
        return cls(*sent, *received, fill.fee, fill.fee_asset)

    @property
    def is_rebate(self) -> bool:
        return self.fee < 0

    @property
    def in_a_third_asset(self) -> bool:
        return self.fee_asset not in (self.sent_asset, self.received_asset)

    def net(self) -> "Trade":
        """Move the fee into the amounts: more was sent, or less received; a rebate the other way round."""
        with localcontext(EXACT):
            if self.fee_asset == self.sent_asset:
                return replace(self, sent=self.sent + self.fee, fee=ZERO)
            if self.fee_asset == self.received_asset:
                return replace(self, received=self.received - self.fee, fee=ZERO)
        return self


def koinly_rows(fill: Fill, instrument: Instrument) -> Iterator[Row]:
    """Every amount with a decimal point."""
    trade = Trade.of(fill, instrument)
    shown = trade.net() if trade.is_rebate else trade
    common = {
        "Date": fill.executed_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "Description": f"MEXC {fill.side} {instrument.pair}",
        "TxHash": fill.fill_id,
    }
    yield common | {
        "Sent Amount": _pointed(shown.sent),
        "Sent Currency": shown.sent_asset,
        "Received Amount": _pointed(shown.received),
        "Received Currency": shown.received_asset,
        "Fee Amount": _pointed(shown.fee) if shown.fee > 0 else "",
        "Fee Currency": shown.fee_asset if shown.fee > 0 else "",
    }
    if shown.is_rebate:
        rebate = {
            "Received Amount": _pointed(-shown.fee),
            "Received Currency": shown.fee_asset,
            "Label": "reward",
        }
        yield common | rebate | {"Description": "MEXC fee rebate"}


def cointracker_rows(fill: Fill, instrument: Instrument) -> Iterator[Row]:
    """At most eight decimals, no negative number, American dates in UTC."""
    trade = Trade.of(fill, instrument)
    shown = trade.net() if trade.is_rebate else trade
    date = {"Date": fill.executed_at.astimezone(UTC).strftime("%m/%d/%Y %H:%M:%S")}
    fee = _eight(shown.fee) if shown.fee > 0 else ""
    has_fee = fee not in ("", "0")
    yield date | {
        "Received Quantity": _eight(shown.received),
        "Received Currency": shown.received_asset,
        "Sent Quantity": _eight(shown.sent),
        "Sent Currency": shown.sent_asset,
        "Fee Amount": fee if has_fee else "",
        "Fee Currency": shown.fee_asset if has_fee else "",
    }
    if shown.is_rebate:
        yield date | {"Received Quantity": _eight(-shown.fee), "Received Currency": shown.fee_asset}


def cointracking_rows(fill: Fill, instrument: Instrument) -> Iterator[Row]:
    """Amounts net of the fee, which is listed beside them; in a third asset it is a row of its own."""
    trade = Trade.of(fill, instrument)
    shown = trade.net()
    common = {
        "Exchange": "MEXC",
        "Comment": f"{fill.side} {instrument.pair} {fill.fill_id}",
        "Date": fill.executed_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
    }
    itemized = trade.fee > 0 and not trade.in_a_third_asset
    yield common | {
        "Type": "Trade",
        "Buy Amount": plain(tidy(shown.received)),
        "Buy Currency": shown.received_asset,
        "Sell Amount": plain(tidy(shown.sent)),
        "Sell Currency": shown.sent_asset,
        "Fee": plain(tidy(trade.fee)) if itemized else "",
        "Fee Currency": trade.fee_asset if itemized else "",
    }
    if trade.in_a_third_asset and trade.fee > 0:
        yield common | {
            "Type": "Other Fee",
            "Sell Amount": plain(tidy(trade.fee)),
            "Sell Currency": trade.fee_asset,
        }
    if trade.in_a_third_asset and trade.is_rebate:
        reward = {"Buy Amount": plain(tidy(-trade.fee)), "Buy Currency": trade.fee_asset}
        yield common | {"Type": "Reward / Bonus"} | reward


def _pointed(amount: Decimal) -> str:
    """Plain text with a decimal point."""
    text = plain(amount)
    return text if "." in text else f"{text}.0"


def _eight(amount: Decimal) -> str:
    """Plain text with at most eight decimal places."""
    return plain(tidy(Decimal(places(amount, 8))))


def generic_rows(fill: Fill, instrument: Instrument) -> Iterator[Row]:
    yield {
        "time": fill.executed_at.isoformat(),
        "pair": instrument.pair,
        "side": fill.side.value,
        "quantity": plain(fill.quantity),
        "price": plain(fill.price),
        "notional": plain(fill.notional),
        "fee": plain(fill.fee),
        "fee_asset": fill.fee_asset,
        "fee_value": plain(fill.fee_value) if fill.fee_value is not None else "",
        "maker": "yes" if fill.is_maker else "no",
        "fill_id": fill.fill_id,
        "order_id": fill.order_id,
        "client_order_id": fill.client_order_id or "",
        "remarks": ", ".join(fill.remarks),
    }


Rows = Callable[[Fill, Instrument], Iterator[Row]]
FORMATS: dict[str, tuple[tuple[str, ...], Rows]] = {
    "koinly": (KOINLY, koinly_rows),
    "cointracker": (COINTRACKER, cointracker_rows),
    "cointracking": (COINTRACKING, cointracking_rows),
    "generic": (GENERIC, generic_rows),
}


def write(fills: Iterable[Fill], instrument: Instrument, form: str, out: IO[str]) -> int:
    """Write the fills; return how many there were."""
    columns, rows = FORMATS[form]
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    count = 0
    for fill in fills:
        writer.writerows(rows(fill, instrument))
        count += 1
    return count


def stored_fills(view: View) -> list[Fill]:
    """Every fill of the ledger, in the ledger's order. Raises StoreError, naming the key and the fill."""
    key = view.store.keys.ledger_fills
    documents = view.store.read_one(("ZRANGE", key, "0", "-1"), view.meter)
    return list(once(fill_of(each, f"{key}, fill {number}") for number, each in enumerate(documents, 1)))


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=sorted(FORMATS), default="generic", help="which tool's import")
    stored.configure(parser)


def main(arguments: argparse.Namespace) -> int:
    with stored.stored(arguments) as view:
        fills, instrument = stored_fills(view), view.settings.instrument
    count = write(fills, instrument, arguments.format, sys.stdout)
    print(counted(count, "fill"), file=sys.stderr)
    return 0


if __name__ == "__main__":  # `python -m local.export`: what the command was called first
    from local.__main__ import main as command

    sys.exit(command(["export", *sys.argv[1:]]))
