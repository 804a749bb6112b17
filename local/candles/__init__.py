"""Candle files: every common format into one series; `python -m local candles` fetches such a file.

The reader imports nothing of the bot, the fetcher its client to the exchange.
"""

from local.candles.command import configure, main

__all__ = ["configure", "main"]
