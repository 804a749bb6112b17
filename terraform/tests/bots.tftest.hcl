# Each run gives a bot values that must be refused, every one of them.

mock_provider "google" {
  source          = "./tests/mocks/bot"
  override_during = plan
}
mock_provider "time" {}

variables {
  bot              = "qrl"
  project_id       = "test-project"
  region           = "asia-southeast1"
  name_prefix      = ""
  labels           = { app = "qrl-bot", bot = "qrl" }
  runtime          = "python313"
  key_prefix       = ""
  secret_versions  = {}
  mexc_key_created = null
  mexc_base_url    = "https://api.mexc.com"
  log_level        = "INFO"
  operators        = ["user:ann@example.com", "serviceAccount:bot@other-project.iam.gserviceaccount.com"]
  jobs_paused      = ["rebalance"]
  trading          = { symbol = "QRLUSDT", target_ratio = 0.5, min_notional_usdt = 5, threshold_pct = "0.01", execution_mode = "plan" }
  settings         = {}
  extra_audiences  = []
  journal          = { retention_days = 400, locked = false }
  exchange_secrets = {
    for name in ["mexc-api-key", "mexc-secret-key", "read-mexc-api-key", "read-mexc-secret-key"] : replace(name, "-", "_") => { id = "projects/test-project/secrets/${name}", secret_id = name }
  }
  foundation = {
    project_number        = "123456789012"
    build_service_account = "projects/test-project/serviceAccounts/qrl-bot-build@test-project.iam.gserviceaccount.com"
    docker_repository     = "projects/test-project/locations/asia-southeast1/repositories/qrl-bot"
    channels              = ["projects/test-project/notificationChannels/1"]
    network               = { connector = "projects/test-project/locations/asia-southeast1/connectors/functions", network = "network", subnetwork = "subnetwork" }
    redis                 = { id = "projects/test-project/locations/asia-southeast1/instances/store", host = "10.1.2.3", port = 6378, ca = "CA ONE\nCA TWO" }
    redis_secret          = { id = join("/", ["projects", "test-project", "secrets", "redis-auth"]), secret_id = "redis-auth", version = "7" }
    sources = {
      balance         = { bucket = "sources", name = "balance-0123456789abcdef.zip" }
      cost            = { bucket = "sources", name = "cost-0123456789abcdef.zip" }
      fifteen_min_job = { bucket = "sources", name = "fifteen_min_job-0123456789abcdef.zip" }
      ops             = { bucket = "sources", name = "ops-0123456789abcdef.zip" }
      price           = { bucket = "sources", name = "price-0123456789abcdef.zip" }
      rebalance       = { bucket = "sources", name = "rebalance-0123456789abcdef.zip" }
    }
  }
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
