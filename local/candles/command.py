"""Fetch candles from the exchange into a file; an existing file is continued, however the last run ended."""

import argparse
from pathlib import Path

INTERVALS = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "60m": 60, "4h": 240, "1d": 1440}
"""Minutes of each interval; the exchange's own name for 1h is 60m."""

MOST_DAYS = 10_000
"""No exchange has traded earlier than this."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.add_argument("symbol", help="the pair as the exchange spells it: QRLUSDT")
    parser.add_argument("--interval", choices=INTERVALS, default="15m")
    parser.add_argument("--days", type=_days, default=365, help="how far back from now; a day is 24 hours")
    parser.add_argument("--out", type=Path, help="the file (SYMBOL-INTERVAL.csv); one that is there is continued")
    parser.add_argument("--exchange", default="https://api.mexc.com", help="base URL of the exchange")


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= MOST_DAYS):
        raise argparse.ArgumentTypeError(f"{text:.40} is no number of days from 1 to {MOST_DAYS}")
    return int(text)


def main(arguments: argparse.Namespace) -> int:
    from local.candles import download  # imported here, so that the reader starts without the bot

    return download.run(arguments, INTERVALS[arguments.interval])
