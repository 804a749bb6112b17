resource "google_cloud_scheduler_job" "job" {
  for_each = local.jobs

  name        = local.names[each.key]
  region      = var.region
  description = "${var.bot}: ${each.value.task}"
  schedule    = each.value.schedule
  time_zone   = "Etc/UTC"
  paused      = contains(var.jobs_paused, each.key)

  # Above the function's timeout: a shorter one would count a run as failed, and repeat it, while it still goes on.
  attempt_deadline = "${each.value.timeout + local.deadline_margin}s"

  # No max_retry_duration: beside a count, attempts go on until both are spent.
  retry_config {
    retry_count          = each.value.retries
    min_backoff_duration = "5s"
    max_backoff_duration = "60s"
    max_doublings        = 3
  }

  http_target {
    uri         = module.job[each.key].uri
    http_method = "POST"
    body        = base64encode("{}")
    headers     = { "Content-Type" = "application/json" }

    oidc_token {
      service_account_email = google_service_account.caller[each.key].email
      audience              = module.job[each.key].uri
    }
  }

  lifecycle {
    precondition {
      condition     = contains(local.job_audiences[each.key], module.job[each.key].uri)
      error_message = "${local.names[each.key]} has the URL ${module.job[each.key].uri} but was told ${join(" or ", local.job_audiences[each.key])} and would refuse the scheduler. Add its URL to extra_audiences and apply again."
    }
  }

  depends_on = [module.job] # the invoker binding among it
}
