"""The sweep: every answer of the exchange and every document in Redis, spoilt field by field, under every job."""
