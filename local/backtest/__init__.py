"""Back-test: the bot's own rule on candles, honest about what they cannot show (contract.md §15)."""

from local.backtest.command import configure, main

__all__ = ["configure", "main"]
