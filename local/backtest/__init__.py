"""Back-test: the bot's own rule on candles, honest about what they cannot tell (contract.md §15)."""

from local.backtest.command import configure, main

__all__ = ["configure", "main"]
