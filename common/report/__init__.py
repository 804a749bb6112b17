"""The report, as text and as a page.

May import ground, domain, config, mexc, store, gcp, run, books, trading, jobs.
"""
