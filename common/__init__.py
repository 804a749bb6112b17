"""The bot, shared by the six functions.

Imports go one way: errors <- domain <- config <- adapters <- jobs <- service <- runtime.
"""

import gc

# What loading modules allocates is no garbage; looking for some takes a sixth of a cold start. `process_bot`
# (runtime.py) ends this.
gc.set_threshold(200_000, 10, 10)
