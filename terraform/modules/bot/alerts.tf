# All alerts of a bot but that on its sink read the line job.finished, through its metrics or by matching it; those on the
# store are the foundation's. What each means and what to do is in docs/operations.md under the same name.

locals {
  runs    = "${local.promql["job_runs"]}{${local.of_functions}"
  of_sink = "monitored_resource=\"logging_sink\",name=\"${google_logging_project_sink.journal.name}\""

  # A job that is given an exchange key has nothing to do before there is one.
  keyed   = { trade = var.secret_versions.mexc_api_key != null, read = var.secret_versions.read_mexc_api_key != null }
  working = { for key, row in local.jobs : key => row if !contains(var.jobs_paused, key) && (row.key == null ? true : local.keyed[row.key]) }

  # --- no successful run -------------------------------------------------------------------------------
  # Three intervals without a run that did its work, and two minutes for a line to become a point. The window is shorter than
  # that and has to stay empty for the rest, so that a first deployment is not announced as an outage, while a job that never
  # starts still is: an absence condition would wait for its first point for ever.
  silent_for    = { for key, row in local.jobs : key => 3 * row.every + 2 }                               # minutes
  silent_lasts  = { for key, row in local.jobs : key => min(2 * row.every, 23 * 60) }                     # minutes
  silent_window = { for key, row in local.jobs : key => local.silent_for[key] - local.silent_lasts[key] } # minutes

  # --- counted over time: PromQL, which can be asked before the metric has its first point ---------------
  # Half a run more or less allows for interpolation at the window's edges.
  query_alerts = merge(
    {
      for key, row in local.working : "silent-${replace(key, "_", "-")}" => {
        title    = "${row.task}: no successful run"
        severity = contains(["fifteen_min_job", "rebalance"], key) ? "CRITICAL" : "ERROR"
        lasts    = local.silent_lasts[key]
        queries = {
          "no run of ${row.task} did its work for three intervals" = "(sum(increase(${local.runs},task=\"${row.task}\",status=~\"${join("|", row.done)}\"}[${local.silent_window[key]}m])) or vector(0)) < 0.5"
        }
        text = "No run of ${row.task} has done its work for three intervals of ${row.every} minutes."
      }
    },
    {
      # Compared with what there was three hours ago, so that a first deployment has not dropped any.
      for key, row in local.working : "slots-dropped" => {
        title    = "slots are dropped"
        severity = "WARNING"
        lasts    = 0
        queries = {
          "two of twelve slots of ${row.task} had no run" = "(sum(increase(${local.runs},task=\"${row.task}\",status!=\"skipped\"}[3h])) < 10.5) and on() (sum(increase(${local.runs},task=\"${row.task}\",status!=\"skipped\"}[1h] offset 3h)) > 0.5)"
        }
        text = "Of the last twelve slots of ${row.task} at least two had no run at all, not even one that failed: never called, or given up for another run that held the lease."
      } if key == "fifteen_min_job"
    },
    {
      failures = {
        title    = "runs fail"
        severity = "WARNING"
        lasts    = 0
        queries = {
          "three failed runs of one job in 15 minutes"    = "sum by (task) (increase(${local.runs},status=~\"error|partial\"}[15m])) > 2.5"
          "two failed runs of 15-min-job in half an hour" = "sum(increase(${local.promql["15min_job_failures"]}{${local.of_functions}}[31m])) > 1.5"
        }
        text = "A job keeps failing; the label task and the log say which and why."
      }
      rebalance-failing = {
        title    = "three rebalances failed in a row"
        severity = "CRITICAL"
        lasts    = 0
        queries = {
          "three rebalances failed in a row" = join(" ", [
            "(sum(increase(${local.promql["rebalance_failures"]}{${local.of_functions}}[46m])) > 2.5)",
            "unless on() (sum(increase(${local.runs},task=~\"${module.jobs.functions["fifteen_min_job"].task}|${module.jobs.functions["rebalance"].task}\",status=\"success\"}[46m])) > 0.5)",
            "unless on() (sum(increase(${local.promql["15min_job_rebalance_action"]}{${local.of_functions},action=\"HOLD\"}[46m])) > 0.5)",
          ])
        }
        text = "At least three rebalances have failed and none has succeeded in between."
      }
      order-unresolved = {
        title    = "an order is unresolved for half an hour"
        severity = "CRITICAL"
        lasts    = 0
        queries = {
          "three slots in a row held because of an order in doubt" = "sum(increase(${local.promql["unresolved_orders"]}{${local.of_functions}}[46m])) > 2.5"
        }
        text = "What became of an order is not known, and until it is the bot trades nothing, while every run ends well."
      }
      # The platform counts what a sink writes and what it cannot, but not every refusal as an error. Compared with the six
      # hours before, so that nothing is missed before the first object.
      journal = {
        title    = "the audit log is not written"
        severity = "ERROR"
        lasts    = 0
        queries = {
          "the sink reports errors, or wrote nothing for six hours" = join(" ", [
            "(sum(increase(logging_googleapis_com:exports_error_count{${local.of_sink}}[1h])) > 0.5)",
            "or ((sum(increase(logging_googleapis_com:exports_log_entry_count{${local.of_sink}}[6h])) or vector(0)) < 0.5",
            "and on() sum(increase(logging_googleapis_com:exports_log_entry_count{${local.of_sink}}[6h] offset 6h)) > 0.5",
            "and on() sum(increase(${local.runs},task=\"${module.jobs.functions["fifteen_min_job"].task}\",status=\"success\"}[6h])) > 3.5)",
          ])
        }
        text = "The log lines of the journal no longer reach their bucket: what a restore would read has stopped growing. Trading goes on."
      }
    },
  )

  # --- read off a single line ---------------------------------------------------------------------------
  line_alerts = {
    drift         = { title = "mix more than 10 % off", severity = "ERROR", match = "jsonPayload.weight_drift>0.10", show = { drift = "weight_drift", task = "task" }, text = "The share of the base asset differs from the target by more than 0.10 of the whole." }
    orders        = { title = "more than 10 orders in a day", severity = "CRITICAL", match = "jsonPayload.orders_today>10", show = { orders = "orders_today", task = "task" }, text = "More orders today than the bot should ever need." }
    zero-balance  = { title = "a balance is zero", severity = "CRITICAL", match = "jsonPayload.zero_balance=true", show = { task = "task" }, text = "The account holds none of one of the two assets, or all of it." }
    forged-caller = { title = "a caller was refused", severity = "ERROR", match = "jsonPayload.auth_failure=(\"missing_credentials\" OR \"forbidden_caller\")", show = { reason = "auth_failure", task = "task" }, text = "Somebody got past the platform's check and was turned away by the function itself." }
    key-age       = { title = "exchange key near its 90 days", severity = "WARNING", match = "jsonPayload.key_age_days>=75", show = { days = "key_age_days" }, text = "A key not bound to an address dies after 90 days; make a new one in time." }
    in-vain       = { title = "six slots wanted to trade and could not", severity = "ERROR", match = "jsonPayload.slots_in_vain>=6", show = { slots = "slots_in_vain", task = "task" }, text = "For an hour and a half every plan wanted to trade, and a limit, an unresolved order or an order that did not fill stood in its way." }
    ledger-drift  = { title = "ledger and account differ by more than 1 %", severity = "ERROR", match = "jsonPayload.ledger_drift>0.01", show = { share = "ledger_drift", task = "task" }, text = "The fills do not explain what the account holds: a deposit, a withdrawal, or fills that were missed." }
    quarantine    = { title = "a fill could not be read", severity = "ERROR", match = "jsonPayload.quarantined_fills>0", show = { fills = "quarantined_fills", task = "task" }, text = "A fill lies aside, uncounted: cost and P&L lack it until an operator books or ignores it." }
  }

  runbook = "\n\nWhat to do: docs/operations.md, \"What each alert means\"."
}

resource "google_monitoring_alert_policy" "query" {
  for_each = local.query_alerts

  display_name          = "${local.title}: ${each.value.title}"
  severity              = each.value.severity
  combiner              = "OR"
  notification_channels = var.foundation.channels
  user_labels           = var.labels

  dynamic "conditions" {
    for_each = each.value.queries
    content {
      display_name = conditions.key
      condition_prometheus_query_language {
        query                     = conditions.value
        duration                  = "${each.value.lasts * 60}s"
        evaluation_interval       = "60s"
        disable_metric_validation = true # a metric is found from its first point on only, and the first apply would fail
      }
    }
  }
  documentation {
    content   = "${each.value.text}${local.runbook}"
    mime_type = "text/markdown"
  }

  depends_on = [google_logging_metric.bot, google_cloud_scheduler_job.job]
}

resource "google_monitoring_alert_policy" "line" {
  for_each = local.line_alerts

  display_name          = "${local.title}: ${each.value.title}"
  severity              = each.value.severity
  combiner              = "OR"
  notification_channels = var.foundation.channels
  user_labels           = var.labels

  conditions {
    display_name = each.value.title
    condition_matched_log {
      filter           = "${local.finished}\n${each.value.match}"
      label_extractors = { for label, field in each.value.show : label => "EXTRACT(jsonPayload.${field})" }
    }
  }
  alert_strategy {
    auto_close = "86400s"
    notification_rate_limit {
      period = each.key == "key-age" ? "86400s" : "3600s"
    }
  }
  documentation {
    content   = "${each.value.text}${local.runbook}"
    mime_type = "text/markdown"
  }
}
