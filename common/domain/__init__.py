"""Pure decisions and values. May import ground (and the standard library); no I/O, clock, environment."""
