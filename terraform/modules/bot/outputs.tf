output "audience" {
  description = "What a service account's token for ops is made out for."
  value       = local.computed_uri["ops"]
}

output "dashboard_url" {
  description = "Its dashboard."
  value       = "https://console.cloud.google.com/monitoring/dashboards/builder/${element(split("/", google_monitoring_dashboard.bot.id), 3)}?project=${var.project_id}"
}

output "functions" {
  description = "Function => name of the function, of its schedule and of its Cloud Run service."
  value       = local.names
}

output "journal_bucket" {
  description = "Where fills, intents and plans are kept outside Redis."
  value       = google_storage_bucket.journal.name
}

output "paused" {
  description = "Jobs whose schedule is meant to be paused."
  value       = var.jobs_paused
}

output "urls" {
  description = "Function => its run.app URL."
  value       = merge({ for key, function in module.job : key => function.uri }, { ops = module.ops.uri })
}
