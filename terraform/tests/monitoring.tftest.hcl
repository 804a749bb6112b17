# Metrics, alerts, budget, dashboard.

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

run "the_metrics_are_read_off_one_line_a_run" {
  command = plan

  module {
    source = "./modules/bot"
  }

  assert {
    condition     = local.finished == "resource.type=\"cloud_run_revision\"\nresource.labels.location=\"asia-southeast1\"\nresource.labels.service_name=(\"balance\" OR \"cost\" OR \"fifteen-min-job\" OR \"ops\" OR \"price\" OR \"rebalance\")\njsonPayload.event=\"job.finished\""
    error_message = "Metrics and alerts read something else than the line job.finished of this bot."
  }
  assert {
    condition = jsonencode({ for key, metric in google_logging_metric.bot : metric.name => [
      metric.filter, metric.metric_descriptor[0].metric_kind, metric.metric_descriptor[0].value_type, metric.metric_descriptor[0].unit, metric.value_extractor, metric.label_extractors,
      [for buckets in metric.bucket_options : [buckets.exponential_buckets[0].scale, buckets.exponential_buckets[0].growth_factor, buckets.exponential_buckets[0].num_finite_buckets]],
      ] }) == jsonencode({
      "15min_job_execution_time"     = ["${local.finished}\njsonPayload.task=\"15-min-job\"", "DELTA", "DISTRIBUTION", "ms", "EXTRACT(jsonPayload.duration_ms)", { status = "EXTRACT(jsonPayload.status)" }, [[50, 1.5, 24]]]
      "15min_job_failures"           = ["${local.finished}\njsonPayload.task=\"15-min-job\"\njsonPayload.status=(\"error\" OR \"partial\")", "DELTA", "INT64", "1", null, { error_code = "EXTRACT(jsonPayload.error_code)", status = "EXTRACT(jsonPayload.status)" }, []]
      "15min_job_rebalance_action"   = ["${local.finished}\njsonPayload.task=\"15-min-job\"\njsonPayload.rebalance_action:*", "DELTA", "INT64", "1", null, { action = "EXTRACT(jsonPayload.rebalance_action)" }, []]
      "15min_job_rebalance_notional" = ["${local.finished}\njsonPayload.task=\"15-min-job\"\njsonPayload.rebalance_notional_usdt>0", "DELTA", "DISTRIBUTION", "{USDT}", "EXTRACT(jsonPayload.rebalance_notional_usdt)", { action = "EXTRACT(jsonPayload.rebalance_action)" }, [[1, 2, 20]]]
      "15min_job_success_rate"       = ["${local.finished}\njsonPayload.task=\"15-min-job\"", "DELTA", "INT64", "1", null, { status = "EXTRACT(jsonPayload.status)" }, []]
      "job_runs"                     = ["${local.finished}", "DELTA", "INT64", "1", null, { status = "EXTRACT(jsonPayload.status)", task = "EXTRACT(jsonPayload.task)" }, []]
      "rebalance_failures"           = ["${local.finished}\njsonPayload.task=(\"15-min-job\" OR \"rebalance\")\njsonPayload.status=(\"error\" OR \"partial\")\nNOT jsonPayload.rebalance_action=\"HOLD\"", "DELTA", "INT64", "1", null, { task = "EXTRACT(jsonPayload.task)" }, []]
      "unresolved_orders"            = ["${local.finished}\njsonPayload.task=\"15-min-job\"\njsonPayload.attention=\"unresolved_order\"", "DELTA", "INT64", "1", null, { task = "EXTRACT(jsonPayload.task)" }, []]
      "shared_auth_failures"         = ["${local.finished}\njsonPayload.auth_failure:*", "DELTA", "INT64", "1", null, { reason = "EXTRACT(jsonPayload.auth_failure)", task = "EXTRACT(jsonPayload.task)" }, []]
    })
    error_message = "A metric has another name, counts other lines, or measures or labels them otherwise."
  }
  assert {
    condition     = alltrue([for metric in google_logging_metric.bot : metric.disabled != true && toset([for label in metric.metric_descriptor[0].labels : "${label.key} ${label.value_type}"]) == toset([for label in keys(metric.label_extractors) : "${label} STRING"])])
    error_message = "Every label has an extractor, and no metric is switched off."
  }
}

run "every_alert_asks_what_it_says" {
  command = plan

  module {
    source = "./modules/bot"
  }

  variables {
    jobs_paused     = []
    secret_versions = { mexc_api_key = 1, mexc_secret_key = 1 }
  }
  assert {
    condition = jsonencode({ for key, policy in google_monitoring_alert_policy.query : key => [for condition in policy.conditions : [policy.severity, condition.condition_prometheus_query_language[0].duration, condition.condition_prometheus_query_language[0].query]] }) == jsonencode({
      failures               = [["WARNING", "0s", "sum by (task) (increase(logging_googleapis_com:user_job_runs{monitored_resource=\"cloud_run_revision\",status=~\"error|partial\"}[15m])) > 2.5"], ["WARNING", "0s", "sum(increase(logging_googleapis_com:user_15min_job_failures{monitored_resource=\"cloud_run_revision\"}[31m])) > 1.5"]]
      journal                = [["ERROR", "0s", "(sum(increase(logging_googleapis_com:exports_error_count{monitored_resource=\"logging_sink\",name=\"qrl-bot-journal\"}[1h])) > 0.5) or ((sum(increase(logging_googleapis_com:exports_log_entry_count{monitored_resource=\"logging_sink\",name=\"qrl-bot-journal\"}[6h])) or vector(0)) < 0.5 and on() sum(increase(logging_googleapis_com:exports_log_entry_count{monitored_resource=\"logging_sink\",name=\"qrl-bot-journal\"}[6h] offset 6h)) > 0.5 and on() sum(increase(logging_googleapis_com:user_job_runs{monitored_resource=\"cloud_run_revision\",task=\"15-min-job\",status=\"success\"}[6h])) > 3.5)"]]
      order-unresolved       = [["CRITICAL", "0s", "sum(increase(logging_googleapis_com:user_unresolved_orders{monitored_resource=\"cloud_run_revision\"}[46m])) > 2.5"]]
      rebalance-failing      = [["CRITICAL", "0s", "(sum(increase(logging_googleapis_com:user_rebalance_failures{monitored_resource=\"cloud_run_revision\"}[46m])) > 2.5) unless on() (sum(increase(logging_googleapis_com:user_job_runs{monitored_resource=\"cloud_run_revision\",task=~\"15-min-job|rebalance\",status=\"success\"}[46m])) > 0.5) unless on() (sum(increase(logging_googleapis_com:user_15min_job_rebalance_action{monitored_resource=\"cloud_run_revision\",action=\"HOLD\"}[46m])) > 0.5)"]]
      silent-balance         = [["ERROR", "360s", "(sum(increase(logging_googleapis_com:user_job_runs{monitored_resource=\"cloud_run_revision\",task=\"sync-balance\",status=~\"success\"}[5m])) or vector(0)) < 0.5"]]
      silent-cost            = [["ERROR", "600s", "(sum(increase(logging_googleapis_com:user_job_runs{monitored_resource=\"cloud_run_revision\",task=\"update-cost\",status=~\"success|skipped\"}[7m])) or vector(0)) < 0.5"]]
      silent-fifteen-min-job = [["CRITICAL", "1800s", "(sum(increase(logging_googleapis_com:user_job_runs{monitored_resource=\"cloud_run_revision\",task=\"15-min-job\",status=~\"success\"}[17m])) or vector(0)) < 0.5"]]
      silent-price           = [["ERROR", "120s", "(sum(increase(logging_googleapis_com:user_job_runs{monitored_resource=\"cloud_run_revision\",task=\"update-price\",status=~\"success\"}[3m])) or vector(0)) < 0.5"]]
      silent-rebalance       = [["CRITICAL", "82800s", "(sum(increase(logging_googleapis_com:user_job_runs{monitored_resource=\"cloud_run_revision\",task=\"rebalance\",status=~\"success\"}[2942m])) or vector(0)) < 0.5"]]
      slots-dropped          = [["WARNING", "0s", "(sum(increase(logging_googleapis_com:user_job_runs{monitored_resource=\"cloud_run_revision\",task=\"15-min-job\",status!=\"skipped\"}[3h])) < 10.5) and on() (sum(increase(logging_googleapis_com:user_job_runs{monitored_resource=\"cloud_run_revision\",task=\"15-min-job\",status!=\"skipped\"}[1h] offset 3h)) > 0.5)"]]
    })
    error_message = "An alert is missing, or has another query, length or severity. A silent job is noticed after three intervals and two minutes."
  }
  assert {
    condition = alltrue(flatten([for policy in google_monitoring_alert_policy.query : [for condition in policy.conditions : [for found in condition.condition_prometheus_query_language :
      found.disable_metric_validation && found.evaluation_interval == "60s" && length(regexall("logging_googleapis_com:[a-z0-9_]+", found.query)) == length(regexall("logging_googleapis_com:(user_[a-z0-9_]+\\{monitored_resource=\"cloud_run_revision\"|exports_[a-z_]+\\{monitored_resource=\"logging_sink\")", found.query))
    ]]]))
    error_message = "PromQL refuses a log-based metric without its kind of resource, and before its first point a metric is not found."
  }
  assert {
    condition = jsonencode({ for key, policy in google_monitoring_alert_policy.line : key => [
      policy.severity, trimprefix(policy.conditions[0].condition_matched_log[0].filter, "${local.finished}\n"), policy.conditions[0].condition_matched_log[0].label_extractors, policy.alert_strategy[0].notification_rate_limit[0].period,
      ] }) == jsonencode({
      drift         = ["ERROR", "jsonPayload.weight_drift>0.10", { drift = "EXTRACT(jsonPayload.weight_drift)", task = "EXTRACT(jsonPayload.task)" }, "3600s"]
      forged-caller = ["ERROR", "jsonPayload.auth_failure=(\"missing_credentials\" OR \"forbidden_caller\")", { reason = "EXTRACT(jsonPayload.auth_failure)", task = "EXTRACT(jsonPayload.task)" }, "3600s"]
      key-age       = ["WARNING", "jsonPayload.key_age_days>=75", { days = "EXTRACT(jsonPayload.key_age_days)" }, "86400s"]
      ledger-drift  = ["ERROR", "jsonPayload.ledger_drift>0.01", { share = "EXTRACT(jsonPayload.ledger_drift)", task = "EXTRACT(jsonPayload.task)" }, "3600s"]
      in-vain       = ["ERROR", "jsonPayload.slots_in_vain>=6", { slots = "EXTRACT(jsonPayload.slots_in_vain)", task = "EXTRACT(jsonPayload.task)" }, "3600s"]
      orders        = ["CRITICAL", "jsonPayload.orders_today>10", { orders = "EXTRACT(jsonPayload.orders_today)", task = "EXTRACT(jsonPayload.task)" }, "3600s"]
      quarantine    = ["ERROR", "jsonPayload.quarantined_fills>0", { fills = "EXTRACT(jsonPayload.quarantined_fills)", task = "EXTRACT(jsonPayload.task)" }, "3600s"]
      zero-balance  = ["CRITICAL", "jsonPayload.zero_balance=true", { task = "EXTRACT(jsonPayload.task)" }, "3600s"]
    })
    error_message = "An alert on a single line is missing, or matches, shows or repeats something else."
  }
  assert {
    condition = alltrue([for policy in concat(values(google_monitoring_alert_policy.query), values(google_monitoring_alert_policy.line)) :
      policy.enabled != false && policy.combiner == "OR" && policy.notification_channels == tolist(["projects/test-project/notificationChannels/1"]) && strcontains(policy.documentation[0].content, "docs/operations.md")
    ])
    error_message = "Every alert is on, notifies, and says where to read on."
  }
  assert {
    condition     = alltrue([for policy in google_monitoring_alert_policy.line : strcontains(policy.conditions[0].condition_matched_log[0].filter, local.finished) && policy.alert_strategy[0].auto_close == "86400s"])
    error_message = "Lines of this bot alone."
  }
}

run "what_cannot_run_is_not_missed" {
  command = plan

  module {
    source = "./modules/bot"
  }

  assert {
    condition     = jsonencode(keys(google_monitoring_alert_policy.query)) == jsonencode(["failures", "journal", "order-unresolved", "rebalance-failing", "silent-price"])
    error_message = "Before there is an exchange key, only price has anything to do."
  }
}

run "a_paused_job_is_not_missed" {
  command = plan

  module {
    source = "./modules/bot"
  }

  variables {
    jobs_paused     = ["price", "rebalance"]
    secret_versions = { mexc_api_key = 1, mexc_secret_key = 1 }
  }
  assert {
    condition     = jsonencode([for key in keys(google_monitoring_alert_policy.query) : key if startswith(key, "silent-")]) == jsonencode(["silent-balance", "silent-cost", "silent-fifteen-min-job"])
    error_message = "An alert watches a job that is paused, or none watches one that is not."
  }
}

run "the_dashboard_shows_every_metric_a_dashboard_is_for" {
  command = plan

  module {
    source = "./modules/bot"
  }

  assert {
    condition     = alltrue([for name in ["15min_job_execution_time_bucket", "15min_job_success_rate", "15min_job_rebalance_action", "15min_job_rebalance_notional_bucket", "15min_job_failures", "shared_auth_failures", "job_runs"] : strcontains(google_monitoring_dashboard.bot.dashboard_json, "logging_googleapis_com:user_${name}{")])
    error_message = "A metric is not on the dashboard."
  }
  assert {
    condition     = length(regexall("googleapis_com:[a-z0-9_]+", google_monitoring_dashboard.bot.dashboard_json)) == length(regexall("googleapis_com:[a-z0-9_]+\\{monitored_resource=", google_monitoring_dashboard.bot.dashboard_json))
    error_message = "PromQL refuses a metric without its kind of resource."
  }
  assert {
    condition     = length(distinct([for tile in jsondecode(google_monitoring_dashboard.bot.dashboard_json).mosaicLayout.tiles : "${try(tile.xPos, 0)}/${try(tile.yPos, 0)}"])) == length(jsondecode(google_monitoring_dashboard.bot.dashboard_json).mosaicLayout.tiles)
    error_message = "Two tiles overlap."
  }
}
