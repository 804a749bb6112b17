"""From a snapshot to an order and its end. May import ground, domain, config, mexc, store, gcp, run, books."""
