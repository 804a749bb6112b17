"""The five jobs, each: gather, decide, apply; none imports another.

May import ground, domain, config, mexc, store, gcp, run, books, trading.
"""
