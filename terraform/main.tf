# One foundation (network and address, store, secrets, archives, channels) and any number of bots upon it.

locals {
  prefix = var.name_prefix == "" ? "" : "${var.name_prefix}-"
  labels = merge(var.labels, { app = "qrl-bot" })

  bots = {
    for bot, own in var.bots : bot => {
      key_prefix   = own.key_prefix != null ? own.key_prefix : bot == "qrl" ? local.redis.key_prefix : "${local.redis.key_prefix}${bot}:"
      exchange_key = coalesce(own.exchange_key, bot)
      jobs_paused  = coalesce(own.jobs_paused, var.jobs_paused)
      operators    = coalesce(own.operators, var.operators)
      settings     = merge(var.settings, own.settings)
      trading      = { for name, value in var.trading : name => try(coalesce(own[name], value), value) }
    }
  }
}

module "foundation" {
  source = "./modules/foundation"

  project_id              = var.project_id
  region                  = var.region
  prefix                  = local.prefix
  labels                  = local.labels
  redis                   = { tier = local.redis.tier, memory_gb = local.redis.memory_gb }
  deletion_protection     = var.deletion_protection
  egress                  = { mode = local.egress_mode, address_name = var.egress.address_name }
  connector_max_instances = var.connector_max_instances
  exchange_keys           = toset([for bot in local.bots : bot.exchange_key])
  notification_channels   = var.notification_channels
  budget                  = var.budget
  audit_logs              = var.audit_logs
}

module "bot" {
  source   = "./modules/bot"
  for_each = local.bots

  bot              = each.key
  project_id       = var.project_id
  region           = var.region
  name_prefix      = local.prefix
  labels           = merge(local.labels, { bot = each.key })
  runtime          = var.runtime
  foundation       = module.foundation.for_bots
  key_prefix       = each.value.key_prefix
  exchange_secrets = module.foundation.exchange_secrets[each.value.exchange_key]
  secret_versions  = try(var.secret_versions[each.value.exchange_key], {})
  mexc_key_created = try(var.mexc_key_created[each.value.exchange_key], null)
  mexc_base_url    = var.mexc_base_url
  log_level        = var.log_level
  operators        = each.value.operators
  jobs_paused      = each.value.jobs_paused
  trading          = each.value.trading
  settings         = each.value.settings
  extra_audiences  = var.extra_audiences
  journal          = { retention_days = local.journal_retention_days, locked = var.journal_locked }

  depends_on = [module.foundation] # the network, the services and the build account's grants among it
}

check "somebody_is_told" {
  assert {
    condition     = length(var.notification_channels) > 0
    error_message = "notification_channels is empty: alerts will be raised and nobody will be told."
  }
}
