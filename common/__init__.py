"""The bot, shared by the six functions.

Imports go one way: errors <- domain <- config <- adapters <- jobs <- service <- runtime.
"""
