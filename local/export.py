"""The ledger's fills as CSV, for tax tools: `python -m local.export --format koinly > fills.csv`.

`koinly` has the columns of Koinly's universal import, which other tools read as well; `generic` has
everything the ledger knows. The fills come from the Redis of REDIS_URL, oldest first.
"""

import argparse
import csv
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import IO, Any

import redis

from common.decimal_json import from_redis
from common.decimals import plain
from common.domain.instrument import Instrument, Side
from common.domain.ledger.ledger import once
from common.domain.orders.order import Fill
from common.store.keys import Keys
from common.store.records import fill_of

Row = dict[str, str]
KOINLY = (
    *("Date", "Sent Amount", "Sent Currency", "Received Amount", "Received Currency", "Fee Amount"),
    *("Fee Currency", "Net Worth Amount", "Net Worth Currency", "Label", "Description", "TxHash"),
)
GENERIC = (
    *("time", "pair", "side", "quantity", "price", "notional", "fee", "fee_asset", "fee_value", "maker"),
    *("fill_id", "order_id", "client_order_id"),
)


def koinly_row(fill: Fill, instrument: Instrument) -> Row:
    """What was given, what was received, and the fee apart from both."""
    base, quote = (plain(fill.quantity), instrument.base), (plain(fill.notional), instrument.quote)
    sent, received = (quote, base) if fill.side is Side.BUY else (base, quote)
    return {
        "Date": fill.executed_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "Sent Amount": sent[0],
        "Sent Currency": sent[1],
        "Received Amount": received[0],
        "Received Currency": received[1],
        "Fee Amount": plain(fill.fee) if fill.fee else "",
        "Fee Currency": fill.fee_asset if fill.fee else "",
        "Description": f"MEXC {fill.side} {instrument.pair}",
        "TxHash": fill.fill_id,
    }


def generic_row(fill: Fill, instrument: Instrument) -> Row:
    return {
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
    }


FORMATS = {"koinly": (KOINLY, koinly_row), "generic": (GENERIC, generic_row)}


def write(fills: Iterable[Fill], instrument: Instrument, form: str, out: IO[str]) -> int:
    """Write the fills; the number of rows."""
    columns, row = FORMATS[form]
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    count = 0
    for fill in fills:
        writer.writerow(row(fill, instrument))
        count += 1
    return count


def stored_fills(client: "redis.Redis", keys: Keys) -> list[Fill]:
    """Every fill of the ledger, in its order."""
    texts: Any = client.zrange(keys.ledger_fills, 0, -1)
    return list(once(fill_of(from_redis(text, keys.ledger_fills)) for text in texts))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.export", description=__doc__)
    parser.add_argument("--format", choices=sorted(FORMATS), default="generic")
    parser.add_argument("--symbol", default=os.environ.get("SYMBOL", "QRLUSDT"))
    parser.add_argument("--prefix", default=os.environ.get("REDIS_KEY_PREFIX", ""))
    options = parser.parse_args(arguments)
    url = os.environ.get("REDIS_URL")
    if not url:
        print("REDIS_URL is not set: where the ledger lies", file=sys.stderr)
        return 2
    client = redis.Redis.from_url(url, decode_responses=True, protocol=2)
    try:
        fills = stored_fills(client, Keys(options.prefix, options.symbol))
    except redis.RedisError as error:
        print(f"Redis cannot be read ({type(error).__name__})", file=sys.stderr)
        return 1
    count = write(fills, Instrument.from_symbol(options.symbol), options.format, sys.stdout)
    print(f"{count} fills", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
