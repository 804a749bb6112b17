# Redis with a replica in another zone and fail-over, and a journal kept as long as tax offices ask. About 66 USD a month.
# Choose on the first day: a later change of tier makes a new, empty Redis.
redis                  = { tier = "STANDARD_HA", memory_gb = 1 }
egress                 = { mode = "connector" }
journal_retention_days = 3650
