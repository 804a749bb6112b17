"""The bot, shared by the six functions.

Imports go one way, and a test keeps it:
    ground <- domain <- config <- mexc, store, gcp <- run <- books <- trading <- jobs <- report <- ops
    <- answers <- runner <- service <- runtime

The ground is errors, clock, meter, decimals, decimal_json and redact. Rooms between the same two arrows know
nothing of each other.
"""

import gc

# What loading modules allocates is no garbage; looking for some takes a sixth of a cold start. `process_bot`
# (runtime.py) ends this.
gc.set_threshold(200_000, 10, 10)
