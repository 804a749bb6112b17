# Each run gives a bot values that must be refused, every one of them.

mock_provider "google" {
  source          = "./tests/mocks/bot"
  override_during = plan
}
mock_provider "time" {}

variables {
  project_id       = "test-project"
  region           = "asia-southeast1"
  name_prefix      = ""
  labels           = { app = "qrl-bot", bot = "qrl" }
  runtime          = "python313"
  secret_versions  = {}
  mexc_key_created = null
  mexc_base_url    = "https://api.mexc.com"
  log_level        = "INFO"
  operators        = ["user:ann@example.com", "serviceAccount:bot@other-project.iam.gserviceaccount.com"]
  jobs_paused      = ["rebalance"]
  trading          = { symbol = "QRLUSDT", target_ratio = 0.5, min_notional_usdt = 5, threshold_pct = "0.01", execution_mode = "plan" }
  settings         = {}
  extra_audiences  = []
}

run "refuses_a_misspelt_setting_and_an_operator_without_kind" {
  command = plan

  module {
    source = "./modules/bot"
  }

  variables {
    settings    = { MAX_NOTIONAL_USD = "50" }
    operators   = ["ann@example.com"]
    jobs_paused = ["ops"]
    trading     = { symbol = "QRLBTC", target_ratio = 0.5, min_notional_usdt = 5, threshold_pct = "0.01", execution_mode = "plan" }
  }
  expect_failures = [var.settings, var.operators, var.jobs_paused, var.trading]
}

run "refuses_a_setting_that_is_set_already_and_everybody" {
  command = plan

  module {
    source = "./modules/bot"
  }

  variables {
    settings  = { EXECUTION_MODE = "live" }
    operators = ["allUsers"]
    trading   = { symbol = "QRLUSDT", target_ratio = 50, min_notional_usdt = 5, threshold_pct = "0.01", execution_mode = "plan" }
  }
  expect_failures = [var.settings, var.operators, var.trading]
}

run "refuses_a_setting_of_the_platform_and_every_account" {
  command = plan

  module {
    source = "./modules/bot"
  }

  variables {
    settings  = { K_SERVICE = "price" }
    operators = ["allAuthenticatedUsers"]
    trading   = { symbol = "QRLUSDT", target_ratio = 0.5, min_notional_usdt = 0, threshold_pct = "0.01", execution_mode = "plan" }
  }
  expect_failures = [var.settings, var.operators, var.trading]
}

run "refuses_a_setting_that_is_secret_and_a_group" {
  command = plan

  module {
    source = "./modules/bot"
  }

  variables {
    settings  = { REDIS_URL = "rediss://:x@h" }
    operators = ["group:ops@example.com"]
    trading   = { symbol = "QRLUSDT", target_ratio = 0.5, min_notional_usdt = 5, threshold_pct = "1", execution_mode = "plan" }
  }
  expect_failures = [var.settings, var.operators, var.trading]
}

run "refuses_a_setting_in_lower_case_and_two_operators_in_one" {
  command = plan

  module {
    source = "./modules/bot"
  }

  variables {
    settings  = { max_notional_usdt = "60" }
    operators = ["user:ann@example.com,user:bob@example.com"]
    trading   = { symbol = "QRLUSDT", target_ratio = 0.5, min_notional_usdt = 5, threshold_pct = "0.01", execution_mode = "LIVE" }
  }
  expect_failures = [var.settings, var.operators, var.trading]
}

run "refuses_no_operators_and_a_threshold_in_words" {
  command = plan

  module {
    source = "./modules/bot"
  }

  variables {
    operators = []
    trading   = { symbol = "QRLUSDT", target_ratio = 0.5, min_notional_usdt = 5, threshold_pct = "one", execution_mode = "plan" }
  }
  expect_failures = [var.operators, var.trading]
}
