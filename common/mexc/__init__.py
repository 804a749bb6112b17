"""The only package that knows the exchange. May import ground, domain, config; neither store nor gcp."""
