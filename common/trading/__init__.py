"""From a snapshot to an order and its outcome. May import ground, domain, config, mexc, store, gcp, run, books."""
