"""The operator endpoint: views and commands.

May import ground, domain, config, mexc, store, gcp, run, books, trading, jobs, report.
"""
