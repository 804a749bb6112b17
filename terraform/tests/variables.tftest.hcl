# Each run gives one value that must be refused.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}
mock_provider "archive" {}
mock_provider "time" {}

# The archives' content is another file's business (source.tftest.hcl) and slow to carry through every run.
override_module {
  target  = module.bundle
  outputs = { files = { "main.py" = "terraform/versions.tf" }, hash = "0123456789abcdef0123456789abcdef" }
}

variables {
  project_id = "test-project"
  operators  = ["user:ann@example.com", "serviceAccount:bot@other-project.iam.gserviceaccount.com"]
}

run "refuses_a_budget_of_a_malformed_account" {
  command = plan

  variables {
    budget = { billing_account = "my-account", amount = 80 }
  }
  expect_failures = [var.budget]
}

run "refuses_a_budget_of_nothing" {
  command = plan

  variables {
    budget = { billing_account = "012345-6789AB-CDEF01", amount = 0 }
  }
  expect_failures = [var.budget]
}

run "refuses_a_connector_of_two_at_most" {
  command = plan

  variables {
    connector_max_instances = 2
  }
  expect_failures = [var.connector_max_instances]
}

run "refuses_an_unknown_way_out" {
  command = plan

  variables {
    egress = { mode = "nat" }
  }
  expect_failures = [var.egress]
}

run "refuses_an_address_in_place_of_its_name" {
  command = plan

  variables {
    egress = { address_name = "203.0.113.7" }
  }
  expect_failures = [var.egress]
}

run "refuses_an_audience_with_a_wildcard" {
  command = plan

  variables {
    extra_audiences = ["https://*.run.app"]
  }
  expect_failures = [var.extra_audiences]
}

run "refuses_an_audience_with_a_path" {
  command = plan

  variables {
    extra_audiences = ["https://price-1.asia-southeast1.run.app/x"]
  }
  expect_failures = [var.extra_audiences]
}

run "refuses_pausing_what_is_not_scheduled" {
  command = plan

  variables {
    jobs_paused = ["ops"]
  }
  expect_failures = [var.jobs_paused]
}

run "refuses_a_journal_shorter_than_the_exchanges_memory" {
  command = plan

  variables {
    journal_retention_days = 29
  }
  expect_failures = [var.journal_retention_days]
}

run "refuses_a_label_in_capitals" {
  command = plan

  variables {
    labels = { Team = "trading" }
  }
  expect_failures = [var.labels]
}

run "refuses_a_label_that_is_taken" {
  command = plan

  variables {
    labels = { app = "other" }
  }
  expect_failures = [var.labels]
}

run "refuses_a_log_level_that_hides_the_metrics" {
  command = plan

  variables {
    log_level = "WARNING"
  }
  expect_failures = [var.log_level]
}

run "refuses_an_exchange_without_tls" {
  command = plan

  variables {
    mexc_base_url = "http://api.mexc.com"
  }
  expect_failures = [var.mexc_base_url]
}

run "refuses_an_exchange_with_a_path" {
  command = plan

  variables {
    mexc_base_url = "https://api.mexc.com/api/v3"
  }
  expect_failures = [var.mexc_base_url]
}

run "refuses_a_day_that_does_not_exist" {
  command = plan

  variables {
    mexc_key_created = "2026-02-30"
  }
  expect_failures = [var.mexc_key_created]
}

run "refuses_a_prefix_too_long_for_account_ids" {
  command = plan

  variables {
    name_prefix = "staging99"
  }
  expect_failures = [var.name_prefix]
}

run "refuses_a_prefix_with_a_dash" {
  command = plan

  variables {
    name_prefix = "dev-"
  }
  expect_failures = [var.name_prefix]
}

run "refuses_a_channel_that_needs_a_secret" {
  command = plan

  variables {
    notification_channels = { slack = { type = "slack", labels = { channel_name = "#bot" } } }
  }
  expect_failures = [var.notification_channels]
}

run "refuses_no_operators" {
  command = plan

  variables {
    operators = []
  }
  expect_failures = [var.operators]
}

run "refuses_everybody_as_operator" {
  command = plan

  variables {
    operators = ["allUsers"]
  }
  expect_failures = [var.operators]
}

run "refuses_every_google_account_as_operator" {
  command = plan

  variables {
    operators = ["allAuthenticatedUsers"]
  }
  expect_failures = [var.operators]
}

run "refuses_a_group_as_operator" {
  command = plan

  variables {
    operators = ["group:ops@example.com"]
  }
  expect_failures = [var.operators]
}

run "refuses_an_operator_without_kind" {
  command = plan

  variables {
    operators = ["ann@example.com"]
  }
  expect_failures = [var.operators]
}

run "refuses_two_operators_in_one_string" {
  command = plan

  variables {
    operators = ["user:ann@example.com,user:bob@example.com"]
  }
  expect_failures = [var.operators]
}

run "refuses_a_project_number" {
  command = plan

  variables {
    project_id = "123456789012"
  }
  expect_failures = [var.project_id]
}

run "refuses_an_unknown_tier" {
  command = plan

  variables {
    redis = { tier = "HA" }
  }
  expect_failures = [var.redis]
}

run "refuses_half_a_gigabyte" {
  command = plan

  variables {
    redis = { memory_gb = 0.5 }
  }
  expect_failures = [var.redis]
}

run "refuses_a_key_prefix_with_a_glob" {
  command = plan

  variables {
    redis = { key_prefix = "dev*" }
  }
  expect_failures = [var.redis]
}

run "refuses_a_zone" {
  command = plan

  variables {
    region = "asia-southeast1-a"
  }
  expect_failures = [var.region]
}

run "refuses_a_runtime_out_of_support" {
  command = plan

  variables {
    runtime = "python39"
  }
  expect_failures = [var.runtime]
}

run "refuses_half_a_pair_of_keys" {
  command = plan

  variables {
    secret_versions = { mexc_api_key = 1 }
  }
  expect_failures = [var.secret_versions]
}

run "refuses_half_a_pair_of_read_keys" {
  command = plan

  variables {
    secret_versions = { read_mexc_secret_key = 1 }
  }
  expect_failures = [var.secret_versions]
}

run "refuses_version_zero" {
  command = plan

  variables {
    secret_versions = { mexc_api_key = 0, mexc_secret_key = 0 }
  }
  expect_failures = [var.secret_versions]
}

run "refuses_a_setting_in_lower_case" {
  command = plan

  variables {
    settings = { cooldown_seconds = "60" }
  }
  expect_failures = [var.settings]
}

run "refuses_a_misspelt_setting" {
  command = plan

  variables {
    settings = { MAX_NOTIONAL_USD = "50" }
  }
  expect_failures = [var.settings]
}

run "refuses_a_setting_that_is_set_already" {
  command = plan

  variables {
    settings = { EXECUTION_MODE = "live" }
  }
  expect_failures = [var.settings]
}

run "refuses_a_setting_of_the_platform" {
  command = plan

  variables {
    settings = { K_SERVICE = "price" }
  }
  expect_failures = [var.settings]
}

run "refuses_a_setting_that_would_hold_a_secret" {
  command = plan

  variables {
    settings = { REDIS_URL = "rediss://:x@h" }
  }
  expect_failures = [var.settings]
}

run "refuses_a_pair_in_another_currency" {
  command = plan

  variables {
    trading = { symbol = "QRLBTC" }
  }
  expect_failures = [var.trading]
}

run "refuses_a_ratio_in_percent" {
  command = plan

  variables {
    trading = { target_ratio = 50 }
  }
  expect_failures = [var.trading]
}

run "refuses_no_least_notional" {
  command = plan

  variables {
    trading = { min_notional_usdt = 0 }
  }
  expect_failures = [var.trading]
}

run "refuses_a_threshold_in_percent" {
  command = plan

  variables {
    trading = { threshold_pct = 1 }
  }
  expect_failures = [var.trading]
}

run "refuses_an_unknown_mode" {
  command = plan

  variables {
    trading = { execution_mode = "LIVE" }
  }
  expect_failures = [var.trading]
}
