"""Whether it was worth it. May import what domain may."""
