"""Orders as intended, sent and filled. May import what domain may."""
