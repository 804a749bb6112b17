# One row a function. Everything else (names, accounts, schedules, environments, alerts) is derived from it.
#   entry_point, folder   the key itself
#   task                  the name in the run's answer and in its log lines
#   schedule, every       cron in Etc/UTC, and the same in minutes for the dead man's switch; null = not scheduled
#   timeout               seconds; the code's own deadline lies below it, the scheduler's attempt deadline above
#   retries               further attempts of the same slot after anything but 2xx
#   memory, cpu           0.333 vCPU is what the platform pairs with 512 MiB; less doubles the cold start
#   key                   which exchange key it is given: trade, read (ops only) or none
#   trades                whether execution_mode is passed on; where it is not, no order can be placed
#   warm                  whether an instance waits for it where a new one would be slow to connect (egress.mode direct)
#   done                  statuses of a run that did its work; cost has nothing to do before the first fill
terraform {
  required_version = ">= 1.11, < 2"
}

output "functions" {
  description = "Function => its row."
  value = {
    balance         = { task = "sync-balance", schedule = "*/3 * * * *", every = 3, timeout = 60, retries = 1, memory = "512M", cpu = "0.333", key = "trade", trades = false, warm = false, done = ["success"] }
    price           = { task = "update-price", schedule = "* * * * *", every = 1, timeout = 45, retries = 0, memory = "512M", cpu = "0.333", key = null, trades = false, warm = false, done = ["success"] }
    cost            = { task = "update-cost", schedule = "*/5 * * * *", every = 5, timeout = 120, retries = 1, memory = "512M", cpu = "0.333", key = "trade", trades = false, warm = false, done = ["success", "skipped"] }
    fifteen_min_job = { task = "15-min-job", schedule = "*/15 * * * *", every = 15, timeout = 240, retries = 2, memory = "512M", cpu = "0.333", key = "trade", trades = true, warm = true, done = ["success"] }
    rebalance       = { task = "rebalance", schedule = "0 0 * * *", every = 1440, timeout = 240, retries = 2, memory = "512M", cpu = "0.333", key = "trade", trades = true, warm = false, done = ["success"] }
    ops             = { task = "ops", schedule = null, every = null, timeout = 540, retries = 0, memory = "512M", cpu = "0.333", key = "read", trades = false, warm = false, done = ["success"] }
  }
}
