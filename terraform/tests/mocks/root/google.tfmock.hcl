# Values that the provider's own checks let pass; what they are is another file's business.

mock_data "google_project" {
  defaults = { number = "123456789012" }
}

mock_resource "google_service_account" {
  defaults = {
    email  = "account@test-project.iam.gserviceaccount.com"
    id     = "projects/test-project/serviceAccounts/account@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:account@test-project.iam.gserviceaccount.com"
  }
}

mock_resource "google_cloudfunctions2_function" {
  defaults = {
    service_config = {
      uri     = "https://ops-a1b2c3d4e5-as.a.run.app"
      service = "projects/test-project/locations/asia-southeast1/services/ops"
    }
  }
}

mock_resource "google_artifact_registry_repository" {
  defaults = { id = "projects/test-project/locations/asia-southeast1/repositories/qrl-bot" }
}

mock_data "google_compute_address" {
  defaults = { address = "203.0.113.9" }
}

mock_resource "google_compute_address" {
  defaults = { address = "203.0.113.7" }
}

mock_resource "google_compute_subnetwork" {
  defaults = { id = "projects/test-project/regions/asia-southeast1/subnetworks/functions" }
}

mock_resource "google_logging_project_sink" {
  defaults = { writer_identity = "serviceAccount:sink@logging.iam.gserviceaccount.com" }
}

mock_resource "google_monitoring_dashboard" {
  defaults = { id = "projects/123456789012/dashboards/0000" }
}

mock_resource "google_redis_instance" {
  defaults = { id = "projects/test-project/locations/asia-southeast1/instances/store", server_ca_certs = [{ cert = "CA" }] }
}

mock_resource "google_secret_manager_secret" {
  defaults = { id = "projects/test-project/secrets/secret" }
}

mock_resource "google_vpc_access_connector" {
  defaults = { id = "projects/test-project/locations/asia-southeast1/connectors/functions" }
}
