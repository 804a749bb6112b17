output "function" {
  description = "The function, whole."
  value       = google_cloudfunctions2_function.this
}

output "invokers" {
  description = "The binding, whole: who may invoke it, and something to wait for before calling."
  value       = google_cloud_run_v2_service_iam_binding.invokers
}

output "uri" {
  description = "The run.app URL: where to call it and what its tokens are made out for."
  value       = google_cloudfunctions2_function.this.service_config[0].uri
}
