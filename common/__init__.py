"""The bot, shared by the six functions.

Imports go one way, and a test keeps it:
    ground <- domain <- config <- mexc, store, gcp <- run <- books <- trading <- jobs <- report <- ops
    <- answers <- runner <- service <- runtime

The ground is errors, clock, meter, decimals, decimal_json and redact. Packages between the same two arrows do not
import each other.
"""

import gc

# Loading modules creates no garbage, and collecting it takes a sixth of a cold start. `process_bot` (runtime.py)
# restores normal thresholds.
gc.set_threshold(200_000, 10, 10)
