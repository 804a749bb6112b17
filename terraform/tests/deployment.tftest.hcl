# Bots upon their foundation, and what a profile stands for.

mock_provider "google" {
  source          = "./tests/mocks/root"
  override_during = plan
}
mock_provider "archive" {}
mock_provider "time" {}

# The archives' content is another file's business (source.tftest.hcl) and slow to carry through every run.
override_module {
  target  = module.foundation.module.bundle
  outputs = { files = { "main.py" = "terraform/versions.tf" }, hash = "0123456789abcdef0123456789abcdef" }
}

variables {
  project_id            = "test-project"
  operators             = ["user:ann@example.com"]
  notification_channels = { ann = { type = "email", labels = { email_address = "ann@example.com" } } }
  extra_audiences       = ["https://ops-a1b2c3d4e5-as.a.run.app"] # the stand-in platform gives every function this URL
}

run "by_default_there_is_one_bot_with_bare_names" {
  command = plan

  assert {
    condition     = jsonencode(output.bots["qrl"].functions) == jsonencode({ balance = "balance", cost = "cost", fifteen_min_job = "fifteen-min-job", ops = "ops", price = "price", rebalance = "rebalance" }) && keys(output.bots) == ["qrl"]
    error_message = "Today's deployment is the default."
  }
  assert {
    condition = jsonencode(local.bots["qrl"]) == jsonencode({
      exchange_key = "qrl"
      jobs_paused  = ["rebalance"]
      key_prefix   = ""
      operators    = ["user:ann@example.com"]
      settings     = {}
      trading      = { execution_mode = "plan", min_notional_usdt = 5, symbol = "QRLUSDT", target_ratio = 0.5, threshold_pct = "0.01" }
    })
    error_message = "Nothing trades unless it is asked for."
  }
  assert {
    condition     = jsonencode([local.redis, local.egress_mode, local.journal_retention_days]) == jsonencode([{ key_prefix = "", memory_gb = 1, tier = "BASIC" }, "connector", 400])
    error_message = "By default it is lean."
  }
  assert {
    condition     = jsonencode(sort(keys(output.bots["qrl"]))) == jsonencode(["audience", "dashboard_url", "exchange_key", "functions", "journal_bucket", "paused", "urls"]) && output.bots["qrl"].urls["ops"] == "https://ops-a1b2c3d4e5-as.a.run.app" && output.bots["qrl"].audience == "https://ops-123456789012.asia-southeast1.run.app"
    error_message = "deploy.sh reads these."
  }
  assert {
    condition     = output.project_id == "test-project" && output.region == "asia-southeast1" && output.name_prefix == "" && output.egress_address == "203.0.113.7" && output.exchange_secrets["qrl"]["mexc_api_key"] == "mexc-api-key"
    error_message = "deploy.sh reads these too."
  }
}

run "bots_stand_side_by_side" {
  command = plan

  variables {
    name_prefix     = "dev"
    redis           = { key_prefix = "dev:" }
    settings        = { MAX_ORDERS_PER_DAY = "4", MAX_NOTIONAL_USDT = "100" }
    secret_versions = { qrl = { mexc_api_key = 1, mexc_secret_key = 1 } }
    bots = {
      qrl = {}
      btc = { symbol = "BTCUSDT", target_ratio = 0.6, threshold_pct = "auto", settings = { MAX_NOTIONAL_USDT = "500" }, jobs_paused = [], operators = ["user:bob@example.com"] }
      eth = { symbol = "ETHUSDT", exchange_key = "qrl", key_prefix = "own:" }
    }
  }
  assert {
    condition = jsonencode({ for bot, made in local.bots : bot => [made.key_prefix, made.exchange_key, made.settings, made.jobs_paused, made.operators, made.trading] }) == jsonencode({
      qrl = ["dev:", "qrl", { MAX_NOTIONAL_USDT = "100", MAX_ORDERS_PER_DAY = "4" }, ["rebalance"], ["user:ann@example.com"], { execution_mode = "plan", min_notional_usdt = 5, symbol = "QRLUSDT", target_ratio = 0.5, threshold_pct = "0.01" }]
      btc = ["dev:btc:", "btc", { MAX_NOTIONAL_USDT = "500", MAX_ORDERS_PER_DAY = "4" }, [], ["user:bob@example.com"], { execution_mode = "plan", min_notional_usdt = 5, symbol = "BTCUSDT", target_ratio = 0.6, threshold_pct = "auto" }]
      eth = ["own:", "qrl", { MAX_NOTIONAL_USDT = "100", MAX_ORDERS_PER_DAY = "4" }, ["rebalance"], ["user:ann@example.com"], { execution_mode = "plan", min_notional_usdt = 5, symbol = "ETHUSDT", target_ratio = 0.5, threshold_pct = "0.01" }]
    })
    error_message = "What a bot does not say for itself is what all have."
  }
  assert {
    condition     = output.bots["btc"].functions["price"] == "dev-btc-price" && output.bots["qrl"].functions["price"] == "dev-price"
    error_message = "Each bot's functions bear its name."
  }
  assert {
    condition     = keys(output.exchange_secrets) == ["btc", "qrl"]
    error_message = "Three bots with two exchange keys."
  }
}

run "what_a_variable_says_counts_before_the_profile" {
  command = plan

  variables {
    profile                = "durable"
    redis                  = { memory_gb = 2, key_prefix = "dev:" }
    egress                 = { address_name = "mexc-egress" }
    journal_retention_days = 90
    budget                 = { billing_account = "012345-6789AB-CDEF01", amount = 80 }
  }
  assert {
    condition     = var.budget.currency == null
    error_message = "The currency is the billing account's."
  }
  assert {
    condition     = jsonencode([local.redis, local.egress_mode, local.journal_retention_days, output.egress_address]) == jsonencode([{ key_prefix = "dev:", memory_gb = 2, tier = "STANDARD_HA" }, "connector", 90, "203.0.113.9"])
    error_message = "A profile overrides what was given beside it, or is not taken at all."
  }
}

run "each_profile_is_what_its_price_is_told_for" {
  command = plan

  variables {
    profile = "direct"
  }
  assert {
    condition = jsonencode(local.profiles) == jsonencode({
      direct  = { egress = "direct", journal_retention_days = 400, memory_gb = 1, tier = "BASIC" }
      durable = { egress = "connector", journal_retention_days = 3650, memory_gb = 1, tier = "STANDARD_HA" }
      lean    = { egress = "connector", journal_retention_days = 400, memory_gb = 1, tier = "BASIC" }
    })
    error_message = "A profile has another tier, size, way out or memory."
  }
  assert {
    condition     = local.egress_mode == "direct" && local.redis.tier == "BASIC"
    error_message = "The profile is taken."
  }
}

run "two_bots_do_not_share_a_ledger" {
  command = plan

  variables {
    bots = { qrl = {}, btc = { symbol = "BTCUSDT", key_prefix = "" } }
  }
  expect_failures = [output.bots]
}

run "two_bots_do_not_trade_one_symbol_with_one_key" {
  command = plan

  variables {
    bots = { qrl = {}, two = { exchange_key = "qrl" } }
  }
  expect_failures = [output.bots]
}

run "without_a_channel_nobody_will_be_told_and_that_is_said" {
  command = plan

  variables {
    notification_channels = {}
  }
  expect_failures = [check.somebody_is_told]
}
