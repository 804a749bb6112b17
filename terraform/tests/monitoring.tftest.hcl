# Metrics, alerts, budget, dashboard.

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

run "the_metrics_bear_the_names_dashboards_rely_on" {
  command = plan

  assert {
    condition = jsonencode(keys(google_logging_metric.bot)) == jsonencode(sort([
      "15min_job_execution_time", "15min_job_failures", "15min_job_rebalance_action", "15min_job_rebalance_notional", "15min_job_success_rate",
      "job_runs", "rebalance_failures", "shared_auth_failures",
    ]))
    error_message = "The metrics are not those agreed."
  }
  assert {
    condition     = alltrue([for key, metric in google_logging_metric.bot : metric.name == key && metric.metric_descriptor[0].metric_kind == "DELTA"])
    error_message = "Without a prefix, a metric's name is the agreed one."
  }
  assert {
    condition     = alltrue([for metric in google_logging_metric.bot : strcontains(metric.filter, "jsonPayload.event=\"job.finished\"") && strcontains(metric.filter, "resource.type=\"cloud_run_revision\"") && length(regexall("jsonPayload\\.event", metric.filter)) == 1])
    error_message = "A metric reads something else than the line job.finished of this bot."
  }
  assert {
    condition     = alltrue([for key, metric in google_logging_metric.bot : startswith(key, "15min_job_") == strcontains(metric.filter, "jsonPayload.task=\"15-min-job\"")])
    error_message = "Metrics named for the 15-minute job count its runs only."
  }
  assert {
    condition = jsonencode({ for key, metric in google_logging_metric.bot : key => metric.value_extractor if metric.value_extractor != null }) == jsonencode({
      "15min_job_execution_time"     = "EXTRACT(jsonPayload.duration_ms)"
      "15min_job_rebalance_notional" = "EXTRACT(jsonPayload.rebalance_notional_usdt)"
    })
    error_message = "Durations and notionals are measured, the rest is counted."
  }
  assert {
    condition     = alltrue([for metric in google_logging_metric.bot : (metric.value_extractor != null) == (metric.metric_descriptor[0].value_type == "DISTRIBUTION") && (metric.value_extractor != null) == (length(metric.bucket_options) == 1)])
    error_message = "What is measured is a distribution with buckets."
  }
  assert {
    condition     = alltrue([for metric in google_logging_metric.bot : toset([for label in metric.metric_descriptor[0].labels : label.key]) == toset(keys(metric.label_extractors))])
    error_message = "Every label has an extractor."
  }
}

run "every_alert_of_the_issue_exists" {
  command = plan

  assert {
    condition     = jsonencode(keys(google_monitoring_alert_policy.query)) == jsonencode(sort(["failures", "rebalance-failing", "silent-balance", "silent-cost", "silent-fifteen-min-job", "silent-price"]))
    error_message = "An alert is missing, or one watches a paused job."
  }
  assert {
    condition     = jsonencode(keys(google_monitoring_alert_policy.line)) == jsonencode(sort(["drift", "forged-caller", "key-age", "orders", "zero-balance"]))
    error_message = "An alert on a single line is missing."
  }
  assert {
    condition     = jsonencode(keys(google_monitoring_alert_policy.redis)) == jsonencode(sort(["redis-evictions", "redis-memory"]))
    error_message = "An alert on the store is missing."
  }
  assert {
    condition     = alltrue([for policy in google_monitoring_alert_policy.query : alltrue([for condition in policy.conditions : condition.condition_prometheus_query_language[0].disable_metric_validation])])
    error_message = "Before its first point a metric is not found, and the first apply would fail."
  }
  assert {
    condition = jsonencode({ for key, policy in google_monitoring_alert_policy.line : key => trimprefix(policy.conditions[0].condition_matched_log[0].filter, "${local.finished}\n") }) == jsonencode({
      drift         = "jsonPayload.weight_drift>0.10"
      forged-caller = "jsonPayload.auth_failure=(\"missing_credentials\" OR \"forbidden_caller\")"
      key-age       = "jsonPayload.key_age_days>=75"
      orders        = "jsonPayload.orders_today>10"
      zero-balance  = "jsonPayload.zero_balance=true"
    })
    error_message = "A line alert matches something else than a field of the line job.finished."
  }
  assert {
    condition     = alltrue([for policy in google_monitoring_alert_policy.line : length(policy.alert_strategy[0].notification_rate_limit) == 1])
    error_message = "Without a rate limit the platform refuses such a policy."
  }
  assert {
    condition = jsonencode({ for key, policy in google_monitoring_alert_policy.redis : key => [regex("redis.googleapis.com/[a-z_/]+", policy.conditions[0].condition_threshold[0].filter), policy.conditions[0].condition_threshold[0].threshold_value] }) == jsonencode({
      redis-evictions = ["redis.googleapis.com/stats/evicted_keys", 0]
      redis-memory    = ["redis.googleapis.com/stats/memory/usage_ratio", 0.8]
    })
    error_message = "Memory above 80 %, and any eviction."
  }
}

# The window that must hold no success, and how long it must go on holding none, make three intervals and two minutes.
run "silence_is_noticed_after_three_intervals" {
  command = plan

  variables {
    jobs_paused = []
  }
  assert {
    condition = jsonencode({ for key, policy in google_monitoring_alert_policy.query : key => tonumber(regex("\\[(\\d+)m\\]", policy.conditions[0].condition_prometheus_query_language[0].query)[0]) + tonumber(trimsuffix(policy.conditions[0].condition_prometheus_query_language[0].duration, "s")) / 60 if startswith(key, "silent-") }) == jsonencode({
      silent-balance         = 11
      silent-cost            = 17
      silent-fifteen-min-job = 47
      silent-price           = 5
      silent-rebalance       = 4322
    })
    error_message = "A silent job is noticed after three intervals, a daily one after three days."
  }
  assert {
    condition     = alltrue([for key, policy in google_monitoring_alert_policy.query : strcontains(policy.conditions[0].condition_prometheus_query_language[0].query, "or vector(0)) < 0.5") if startswith(key, "silent-")])
    error_message = "A job that never ran is silent too."
  }
  assert {
    condition = jsonencode({ for key, policy in google_monitoring_alert_policy.query : key => regex("task=\"([^\"]+)\",status=~\"([^\"]+)\"", policy.conditions[0].condition_prometheus_query_language[0].query) if startswith(key, "silent-") }) == jsonencode({
      silent-balance         = ["sync-balance", "success"]
      silent-cost            = ["update-cost", "success|skipped"]
      silent-fifteen-min-job = ["15-min-job", "success"]
      silent-price           = ["update-price", "success"]
      silent-rebalance       = ["rebalance", "success"]
    })
    error_message = "Each job's silence is its own."
  }
}

run "alerts_and_budget_go_where_they_are_told" {
  command = plan

  variables {
    notification_channels = { ann = { type = "email", labels = { email_address = "ann@example.com" } } }
    budget                = { billing_account = "012345-6789AB-CDEF01", amount = 80 }
  }
  assert {
    condition     = google_monitoring_notification_channel.bot["ann"].labels == tomap({ email_address = "ann@example.com" })
    error_message = "The channel is the one given."
  }
  assert {
    condition     = alltrue([for policy in concat(values(google_monitoring_alert_policy.query), values(google_monitoring_alert_policy.line), values(google_monitoring_alert_policy.redis)) : policy.notification_channels == tolist([google_monitoring_notification_channel.bot["ann"].id])])
    error_message = "Every alert notifies."
  }
  assert {
    condition     = alltrue([for policy in concat(values(google_monitoring_alert_policy.query), values(google_monitoring_alert_policy.line), values(google_monitoring_alert_policy.redis)) : policy.severity != null && strcontains(policy.documentation[0].content, "docs/operations.md")])
    error_message = "Every alert has a severity and says where to read on."
  }
  assert {
    condition     = google_billing_budget.bot[0].amount[0].specified_amount[0].units == "80" && google_billing_budget.bot[0].budget_filter[0].projects == toset(["projects/123456789012"]) && contains(keys(google_project_service.required), "billingbudgets.googleapis.com")
    error_message = "The budget is of this project."
  }
}

run "without_a_budget_none_is_made" {
  command = plan

  assert {
    condition     = length(google_billing_budget.bot) == 0 && !contains(keys(google_project_service.required), "billingbudgets.googleapis.com")
    error_message = "No budget was asked for."
  }
}

run "the_dashboard_shows_every_metric_a_dashboard_is_for" {
  command = plan

  assert {
    condition     = alltrue([for name in ["15min_job_execution_time_bucket", "15min_job_success_rate", "15min_job_rebalance_action", "15min_job_rebalance_notional_bucket", "15min_job_failures", "shared_auth_failures", "job_runs"] : strcontains(google_monitoring_dashboard.bot.dashboard_json, "logging_googleapis_com:user_${name}")])
    error_message = "A metric is not on the dashboard."
  }
  assert {
    condition     = length(distinct([for tile in jsondecode(google_monitoring_dashboard.bot.dashboard_json).mosaicLayout.tiles : "${try(tile.xPos, 0)}/${try(tile.yPos, 0)}"])) == length(jsondecode(google_monitoring_dashboard.bot.dashboard_json).mosaicLayout.tiles)
    error_message = "Two tiles overlap."
  }
}

run "with_a_prefix_queries_follow_the_metrics_names" {
  command = plan

  variables {
    name_prefix     = "dev"
    extra_audiences = [for name in ["balance", "price", "cost", "fifteen-min-job", "rebalance"] : "https://${name}-a1b2c3d4e5-as.a.run.app"] # the stand-in platform's URLs know no prefix
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.query["failures"].conditions[0].condition_prometheus_query_language[0].query, "logging_googleapis_com:user_dev_") && strcontains(google_monitoring_dashboard.bot.dashboard_json, "logging_googleapis_com:user_dev_15min_job_failures")
    error_message = "A query asks for a metric that does not exist."
  }
}
