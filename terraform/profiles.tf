# What a profile stands for. A value given in a variable of its own counts before it, whatever the profile.

locals {
  profiles = {
    # The cheapest that is safe: one Redis node. Its loss costs no money: the bot holds, and `restore` rebuilds it from the
    # journal and the exchange.
    lean = { tier = "BASIC", memory_gb = 1, egress = "connector", journal_retention_days = 400 }

    # Redis with a replica in another zone and fail-over, and a journal kept as long as tax offices ask. Choose it on the
    # first day: a later change of tier makes a new, empty Redis.
    durable = { tier = "STANDARD_HA", memory_gb = 1, egress = "connector", journal_retention_days = 3650 }

    # lean without the connector: the functions leave through Direct VPC egress. Behind NAT the first connections of a new
    # instance can take half a minute and more, so the 15-minute job keeps one warm; the others may fail and be retried.
    direct = { tier = "BASIC", memory_gb = 1, egress = "direct", journal_retention_days = 400 }
  }
  profile = local.profiles[var.profile]

  redis = {
    tier       = coalesce(var.redis.tier, local.profile.tier)
    memory_gb  = coalesce(var.redis.memory_gb, local.profile.memory_gb)
    key_prefix = var.redis.key_prefix
  }
  egress_mode            = coalesce(var.egress.mode, local.profile.egress)
  journal_retention_days = coalesce(var.journal_retention_days, local.profile.journal_retention_days)
}
