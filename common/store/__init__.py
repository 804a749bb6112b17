"""The only package that knows Redis. May import ground, domain, config; neither mexc nor gcp."""
