# Each run gives values that must be refused, every one of them.

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

run "refuses_what_makes_no_sense" {
  command = plan

  variables {
    budget                  = { billing_account = "my-account", amount = 80 }
    connector_max_instances = 2
    egress                  = { mode = "nat" }
    extra_audiences         = ["https://*.run.app"]
    journal_retention_days  = 29
    labels                  = { Team = "trading" }
    log_level               = "WARNING"
    mexc_base_url           = "http://api.mexc.com"
    mexc_key_created        = { qrl = "2026-02-30" }
    name_prefix             = "staging99"
    notification_channels   = { slack = { type = "slack", labels = { channel_name = "#bot" } } }
    profile                 = "cheap"
    project_id              = "123456789012"
    redis                   = { tier = "HA" }
    region                  = "asia-southeast1-a"
    runtime                 = "python39"
    secret_versions         = { qrl = { mexc_api_key = 1 } }
  }
  expect_failures = [var.budget, var.connector_max_instances, var.egress, var.extra_audiences, var.journal_retention_days, var.labels, var.log_level, var.mexc_base_url, var.mexc_key_created, var.name_prefix, var.notification_channels, var.profile, var.project_id, var.redis, var.region, var.runtime, var.secret_versions]
}

run "refuses_what_makes_no_sense_in_another_way" {
  command = plan

  variables {
    budget                 = { billing_account = "012345-6789AB-CDEF01", amount = 0 }
    egress                 = { address_name = "203.0.113.7" }
    extra_audiences        = ["https://price-1.asia-southeast1.run.app/x"]
    journal_retention_days = 3651
    labels                 = { app = "other" }
    mexc_base_url          = "https://api.mexc.com/api/v3"
    name_prefix            = "dev-"
    redis                  = { memory_gb = 0.5 }
    secret_versions        = { qrl = { read_mexc_secret_key = 1 } }
  }
  expect_failures = [var.budget, var.egress, var.extra_audiences, var.journal_retention_days, var.labels, var.mexc_base_url, var.name_prefix, var.redis, var.secret_versions]
}

run "refuses_what_makes_no_sense_in_a_third_way" {
  command = plan

  variables {
    budget          = { billing_account = "012345-6789AB-CDEF01", amount = 80, currency = "€" }
    bots            = { qrl = { exchange_key = "btc" } }
    redis           = { key_prefix = "dev*" }
    secret_versions = { qrl = { mexc_api_key = 0, mexc_secret_key = 0 } }
  }
  expect_failures = [var.budget, var.bots, var.redis, var.secret_versions]
}

run "refuses_names_too_long_for_account_ids" {
  command = plan

  variables {
    bots        = { qrl = {}, doge = { symbol = "DOGEUSDT" } }
    name_prefix = "stage"
  }
  expect_failures = [var.bots]
}

run "refuses_no_bots" {
  command = plan

  variables {
    bots = {}
  }
  expect_failures = [var.bots]
}

run "refuses_a_bot_whose_key_bears_the_name_of_the_read_key" {
  command = plan

  variables {
    bots = { qrl = {}, read = { symbol = "BTCUSDT" } }
  }
  expect_failures = [var.bots]
}

run "refuses_a_prefix_whose_key_bears_the_name_of_the_read_key" {
  command = plan

  variables {
    name_prefix = "read"
  }
  expect_failures = [var.name_prefix]
}

run "refuses_a_bot_in_capitals" {
  command = plan

  variables {
    bots = { BTC = { symbol = "BTCUSDT" } }
  }
  expect_failures = [var.bots]
}
