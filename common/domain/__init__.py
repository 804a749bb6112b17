"""Pure decisions and values. May import the standard library and common.errors; no I/O, clock, environment."""
