# A deployment from before there were several bots is taken over as it stands: the bot qrl upon its foundation.

moved {
  from = google_project_service.required
  to   = module.foundation.google_project_service.required
}

moved {
  from = time_sleep.services
  to   = module.foundation.time_sleep.services
}

moved {
  from = google_compute_network.bot
  to   = module.foundation.google_compute_network.bot
}

moved {
  from = google_compute_subnetwork.functions
  to   = module.foundation.google_compute_subnetwork.functions
}

moved {
  from = google_compute_firewall.deny_ingress
  to   = module.foundation.google_compute_firewall.deny_ingress
}

moved {
  from = google_vpc_access_connector.functions
  to   = module.foundation.google_vpc_access_connector.functions
}

moved {
  from = google_compute_address.egress
  to   = module.foundation.google_compute_address.egress
}

moved {
  from = google_compute_router.bot
  to   = module.foundation.google_compute_router.bot
}

moved {
  from = google_compute_router_nat.bot
  to   = module.foundation.google_compute_router_nat.bot
}

moved {
  from = google_redis_instance.store
  to   = module.foundation.google_redis_instance.store
}

moved {
  from = google_storage_bucket.source
  to   = module.foundation.google_storage_bucket.source
}

moved {
  from = google_storage_bucket_object.bundle
  to   = module.foundation.google_storage_bucket_object.bundle
}

moved {
  from = google_service_account.build
  to   = module.foundation.google_service_account.build
}

moved {
  from = google_project_iam_member.build_sources
  to   = module.foundation.google_project_iam_member.build_sources
}

moved {
  from = google_secret_manager_secret_version.redis_auth
  to   = module.foundation.google_secret_manager_secret_version.redis_auth
}

moved {
  from = google_monitoring_alert_policy.redis
  to   = module.foundation.google_monitoring_alert_policy.redis
}

moved {
  from = google_project_iam_member.build["roles/logging.logWriter"]
  to   = module.foundation.google_project_iam_member.build_logs
}

moved {
  from = google_monitoring_notification_channel.bot
  to   = module.foundation.google_monitoring_notification_channel.bots
}

moved {
  from = google_billing_budget.bot
  to   = module.foundation.google_billing_budget.bots
}

moved {
  from = google_secret_manager_secret.bot["redis_auth"]
  to   = module.foundation.google_secret_manager_secret.redis_auth
}

moved {
  from = google_secret_manager_secret.bot["mexc_api_key"]
  to   = module.foundation.google_secret_manager_secret.exchange["qrl/mexc_api_key"]
}

moved {
  from = google_secret_manager_secret.bot["mexc_secret_key"]
  to   = module.foundation.google_secret_manager_secret.exchange["qrl/mexc_secret_key"]
}

moved {
  from = google_secret_manager_secret.bot["read_mexc_api_key"]
  to   = module.foundation.google_secret_manager_secret.exchange["qrl/read_mexc_api_key"]
}

moved {
  from = google_secret_manager_secret.bot["read_mexc_secret_key"]
  to   = module.foundation.google_secret_manager_secret.exchange["qrl/read_mexc_secret_key"]
}

moved {
  from = module.job
  to   = module.bot["qrl"].module.job
}

moved {
  from = module.ops
  to   = module.bot["qrl"].module.ops
}

moved {
  from = google_service_account.function
  to   = module.bot["qrl"].google_service_account.function
}

moved {
  from = google_service_account.caller
  to   = module.bot["qrl"].google_service_account.caller
}

moved {
  from = google_secret_manager_secret_iam_member.access
  to   = module.bot["qrl"].google_secret_manager_secret_iam_member.access
}

moved {
  from = time_sleep.grants
  to   = module.bot["qrl"].time_sleep.grants
}

moved {
  from = google_cloud_scheduler_job.job
  to   = module.bot["qrl"].google_cloud_scheduler_job.job
}

moved {
  from = google_storage_bucket.journal
  to   = module.bot["qrl"].google_storage_bucket.journal
}

moved {
  from = google_logging_project_sink.journal
  to   = module.bot["qrl"].google_logging_project_sink.journal
}

moved {
  from = google_storage_bucket_iam_member.journal_writer
  to   = module.bot["qrl"].google_storage_bucket_iam_member.journal_writer
}

moved {
  from = google_storage_bucket_iam_member.journal_reader
  to   = module.bot["qrl"].google_storage_bucket_iam_member.journal_reader
}

moved {
  from = google_logging_metric.bot
  to   = module.bot["qrl"].google_logging_metric.bot
}

moved {
  from = google_monitoring_alert_policy.query
  to   = module.bot["qrl"].google_monitoring_alert_policy.query
}

moved {
  from = google_monitoring_alert_policy.line
  to   = module.bot["qrl"].google_monitoring_alert_policy.line
}

moved {
  from = google_monitoring_dashboard.bot
  to   = module.bot["qrl"].google_monitoring_dashboard.bot
}
