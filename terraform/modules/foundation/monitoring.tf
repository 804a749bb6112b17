# Who is told, what may be spent, and the store's own alerts. What each means and what to do is in docs/operations.md under
# the same name.

locals {
  # --- the platform's own figures of the store ----------------------------------------------------------
  redis_alerts = {
    redis-memory    = { title = "Redis memory above 80 %", severity = "ERROR", metric = "stats/memory/usage_ratio", align = "ALIGN_MAX", above = 0.8, text = "With noeviction a full store refuses writes, and the bot holds." }
    redis-evictions = { title = "Redis evicts keys", severity = "CRITICAL", metric = "stats/evicted_keys", align = "ALIGN_DELTA", above = 0, text = "The store dropped keys: its policy is not noeviction." }
  }

  channels = [for channel in google_monitoring_notification_channel.bots : channel.id]
  mail     = [for key in slice(local.mailed, 0, min(5, length(local.mailed))) : google_monitoring_notification_channel.bots[key].id]
  mailed   = sort([for key, channel in var.notification_channels : key if channel.type == "email"])
}

resource "google_monitoring_notification_channel" "bots" {
  for_each = var.notification_channels

  display_name = "${var.prefix}bots: ${each.key}"
  type         = each.value.type
  labels       = each.value.labels

  depends_on = [time_sleep.services]
}

resource "google_billing_budget" "bots" {
  count = var.budget == null ? 0 : 1

  billing_account = var.budget.billing_account
  display_name    = "${var.prefix}bots"

  budget_filter {
    projects = ["projects/${data.google_project.this.number}"]
  }
  amount {
    specified_amount {
      units         = tostring(var.budget.amount)
      currency_code = var.budget.currency
    }
  }
  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1]
    content {
      threshold_percent = threshold_rules.value
    }
  }
  threshold_rules {
    threshold_percent = 1
    spend_basis       = "FORECASTED_SPEND"
  }

  # Beside the billing administrators, who are mailed anyway. A budget takes mail channels only, and five of them.
  dynamic "all_updates_rule" {
    for_each = length(local.mailed) == 0 ? [] : [local.mail]
    content {
      monitoring_notification_channels = all_updates_rule.value
    }
  }

  depends_on = [time_sleep.services]
}

resource "google_monitoring_alert_policy" "redis" {
  for_each = local.redis_alerts

  display_name          = "${var.prefix}bots: ${each.value.title}"
  severity              = each.value.severity
  combiner              = "OR"
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = each.value.title
    condition_threshold {
      filter          = "resource.type=\"redis_instance\" AND resource.labels.instance_id=\"${google_redis_instance.store.id}\" AND metric.type=\"redis.googleapis.com/${each.value.metric}\""
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.above
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = each.value.align
      }
    }
  }
  documentation {
    content   = "${each.value.text}\n\nWhat to do: docs/operations.md, \"What each alert means\"."
    mime_type = "text/markdown"
  }
}
