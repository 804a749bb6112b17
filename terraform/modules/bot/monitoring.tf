# Every metric is read off one line a run, event job.finished, and nothing else.

locals {
  from_this_bot = <<-EOT
    resource.type="cloud_run_revision"
    resource.labels.location="${var.region}"
    resource.labels.service_name=(${join(" OR ", [for name in values(local.names) : "\"${name}\""])})
  EOT
  finished      = "${local.from_this_bot}jsonPayload.event=\"job.finished\""
  fifteen_min   = "${local.finished}\njsonPayload.task=\"${module.jobs.functions["fifteen_min_job"].task}\""
  rebalancing   = "jsonPayload.task=(\"${module.jobs.functions["fifteen_min_job"].task}\" OR \"${module.jobs.functions["rebalance"].task}\")"

  # labels: name => field of the line. value: field that is measured; the others count lines.
  metrics = {
    "15min_job_execution_time" = {
      description = "How long a run of the 15-minute job took"
      filter      = local.fifteen_min
      labels      = { status = "status" }
      value       = "duration_ms"
      unit        = "ms"
      buckets     = { first = 50, growth = 1.5, count = 24 }
    }
    "15min_job_success_rate" = {
      description = "Runs of the 15-minute job by status; the rate is the share with status success"
      filter      = local.fifteen_min
      labels      = { status = "status" }
    }
    "15min_job_rebalance_action" = {
      description = "Plans by action: HOLD, BUY, SELL"
      filter      = "${local.fifteen_min}\njsonPayload.rebalance_action:*"
      labels      = { action = "rebalance_action" }
    }
    "15min_job_rebalance_notional" = {
      description = "What a plan would trade, or traded"
      filter      = "${local.fifteen_min}\njsonPayload.rebalance_notional_usdt>0"
      labels      = { action = "rebalance_action" }
      value       = "rebalance_notional_usdt"
      unit        = "{USDT}"
      buckets     = { first = 1, growth = 2, count = 20 }
    }
    "15min_job_failures" = {
      description = "Runs of the 15-minute job of which a leg, or all, failed"
      filter      = "${local.fifteen_min}\njsonPayload.status=(\"error\" OR \"partial\")"
      labels      = { status = "status", error_code = "error_code" }
    }
    "shared_auth_failures" = {
      description = "Callers the functions refused"
      filter      = "${local.finished}\njsonPayload.auth_failure:*"
      labels      = { task = "task", reason = "auth_failure" }
    }
    "job_runs" = {
      description = "Runs by task and status"
      filter      = local.finished
      labels      = { task = "task", status = "status" }
    }
    "unresolved_orders" = {
      description = "Runs of the 15-minute job that held because what became of an order is not known"
      filter      = "${local.fifteen_min}\njsonPayload.attention=\"unresolved_order\""
      labels      = { task = "task" }
    }
    # A plan that holds because the cost leg failed is no failure of the rebalance.
    "rebalance_failures" = {
      description = "Runs whose rebalance failed, before its plan or in carrying it out"
      filter      = "${local.finished}\n${local.rebalancing}\njsonPayload.status=(\"error\" OR \"partial\")\nNOT jsonPayload.rebalance_action=\"HOLD\""
      labels      = { task = "task" }
    }
  }

  # A log-based metric may be of several kinds of resource, and PromQL refuses one that could be: each query names the kind.
  of_functions = "monitored_resource=\"cloud_run_revision\""

  # Name in PromQL, by the rule of Cloud Monitoring: what is no letter, digit or _ becomes _.
  promql = { for name in keys(local.metrics) : name => "logging_googleapis_com:user_${replace("${local.prefix}${name}", "/[^A-Za-z0-9_]/", "_")}" }
}

resource "google_logging_metric" "bot" {
  for_each = local.metrics

  name        = "${local.prefix}${each.key}"
  description = each.value.description
  filter      = each.value.filter

  metric_descriptor {
    metric_kind  = "DELTA"
    value_type   = try(each.value.value, null) == null ? "INT64" : "DISTRIBUTION"
    unit         = try(each.value.unit, "1")
    display_name = "${local.prefix}${each.key}"

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }
  label_extractors = { for label, field in each.value.labels : label => "EXTRACT(jsonPayload.${field})" }
  value_extractor  = try("EXTRACT(jsonPayload.${each.value.value})", null)

  dynamic "bucket_options" {
    for_each = try([each.value.buckets], [])
    content {
      exponential_buckets {
        scale              = bucket_options.value.first
        growth_factor      = bucket_options.value.growth
        num_finite_buckets = bucket_options.value.count
      }
    }
  }
}
