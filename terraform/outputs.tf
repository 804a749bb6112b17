output "dashboard_url" {
  description = "The dashboard."
  value       = "https://console.cloud.google.com/monitoring/dashboards/builder/${element(split("/", google_monitoring_dashboard.bot.id), 3)}?project=${var.project_id}"
}

output "egress_address" {
  description = "The address the exchange sees: bind the API key to it."
  value       = local.egress_address.address
}

output "functions" {
  description = "Function => name of the function, of its schedule and of its Cloud Run service."
  value       = local.names
}

output "journal_bucket" {
  description = "Where fills, intents and plans are kept outside Redis."
  value       = google_storage_bucket.journal.name
}

output "name_prefix" {
  description = "Prefix of every name, with its dash."
  value       = local.prefix
}

output "ops_audience" {
  description = "What a service account's token for ops is made out for."
  value       = local.computed_uri["ops"]
}

output "ops_url" {
  description = "The operators' door."
  value       = module.ops.uri
}

output "project_id" {
  description = "Project."
  value       = var.project_id
}

output "redis" {
  description = "The store: instance, host and port, reachable from inside the network only."
  value = {
    instance = google_redis_instance.store.name
    host     = google_redis_instance.store.host
    port     = google_redis_instance.store.port
  }
}

output "redis_ca" {
  description = "Authorities of the store's certificate, for redis-cli."
  value       = local.redis_ca
}

output "region" {
  description = "Region."
  value       = var.region
}

output "secrets" {
  description = "Containers of the secrets: what secret_versions calls it => its id."
  value       = { for key, secret in google_secret_manager_secret.bot : key => secret.secret_id }
}

output "service_urls" {
  description = "Function => its run.app URL."
  value       = merge({ for key, function in module.job : key => function.uri }, { ops = module.ops.uri })
}
