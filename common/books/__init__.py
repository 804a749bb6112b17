"""Fills into the ledger, the ledger into a statement. May import ground, domain, config, mexc, store, gcp, run."""
