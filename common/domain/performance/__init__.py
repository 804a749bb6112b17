"""Whether rebalancing was worth it. May import what domain may."""
