"""The only package that knows the platform. May import ground, domain, config; neither mexc nor store."""
