"""The jobs, each: gather, decide, apply. May import errors, domain, config, adapters."""
