"""Candle files: every common format into one series, exact to the last digit."""
