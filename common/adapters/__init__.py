"""I/O: the exchange, Redis, callers, logs, the clock. May import errors, domain, config; returns domain values."""
