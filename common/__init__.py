"""The bot, shared by the six functions. Imports: errors <- domain <- config <- adapters <- jobs <- runtime."""
