# The cheapest that is safe: one Redis node. Its loss costs no money: the bot holds, and `restore` rebuilds it from the
# journal and the exchange. About 55 USD a month; docs/operations.md, "What it costs".
redis                  = { tier = "BASIC", memory_gb = 1 }
egress                 = { mode = "connector" }
journal_retention_days = 400
