"""The operator's door.

May import ground, domain, config, mexc, store, gcp, run, books, trading, jobs, report.
"""
