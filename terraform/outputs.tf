output "bots" {
  description = "Bot => what deploy.sh needs to know of it."
  value = { for bot, made in module.bot : bot => {
    audience       = made.audience
    dashboard_url  = made.dashboard_url
    exchange_key   = local.bots[bot].exchange_key
    functions      = made.functions
    journal_bucket = made.journal_bucket
    paused         = made.paused
    urls           = made.urls
  } }

  precondition {
    condition     = length(distinct([for bot in values(local.bots) : bot.key_prefix])) == length(local.bots)
    error_message = "Two bots have the same key_prefix and would overwrite each other's ledger."
  }
  precondition {
    condition     = length(distinct([for bot in values(local.bots) : "${bot.trading.symbol} ${bot.exchange_key}"])) == length(local.bots)
    error_message = "Two bots trade the same symbol with the same key: each would take the other's orders for a stranger's."
  }
}

output "egress_address" {
  description = "The address the exchange sees: bind the API keys to it."
  value       = module.foundation.egress_address
}

output "exchange_secrets" {
  description = "Exchange key => part => the secret that deploy.sh secrets adds a version to."
  value       = { for key, parts in module.foundation.exchange_secrets : key => { for part, secret in parts : part => secret.secret_id } }
}

output "name_prefix" {
  description = "Prefix of every name, with its dash."
  value       = local.prefix
}

output "project_id" {
  description = "Project."
  value       = var.project_id
}

output "redis" {
  description = "The store: instance, host and port, reachable from inside the network only."
  value       = module.foundation.redis
}

output "redis_ca" {
  description = "Authorities of the store's certificate, for redis-cli."
  value       = module.foundation.redis_ca
}

output "region" {
  description = "Region."
  value       = var.region
}
