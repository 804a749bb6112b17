"""Whether to trade, how much and within which limits. May import what domain may."""
