"""Candle files: every common format into one series; `python -m local candles` fetches such a file.

The reader imports nothing from the bot; the fetcher imports its exchange client.
"""

from local.candles.command import configure, main

__all__ = ["configure", "main"]
