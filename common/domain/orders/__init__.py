"""Orders as they are meant, sent and filled. May import what domain may."""
