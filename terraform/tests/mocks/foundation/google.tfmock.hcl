# What the platform would answer, all of it known at plan (see ../bot).

mock_data "google_project" {
  defaults = { number = "123456789012" }
}

mock_resource "google_artifact_registry_repository" {
  defaults = { id = "projects/test-project/locations/asia-southeast1/repositories/qrl-bot", name = "qrl-bot" }
}

mock_resource "google_compute_subnetwork" {
  defaults = { id = "projects/test-project/regions/asia-southeast1/subnetworks/functions" }
}

mock_resource "google_vpc_access_connector" {
  defaults = { id = "projects/test-project/locations/asia-southeast1/connectors/functions" }
}

mock_resource "google_compute_network" {
  defaults = { id = "projects/test-project/global/networks/bot" }
}

mock_resource "google_redis_instance" {
  defaults = { id = "projects/test-project/locations/asia-southeast1/instances/store", server_ca_certs = [{ cert = "CA" }] }
}

mock_resource "google_monitoring_notification_channel" {
  defaults = { id = "projects/test-project/notificationChannels/1" }
}

override_resource {
  target          = google_service_account.build
  override_during = plan
  values = {
    email  = "qrl-bot-build@test-project.iam.gserviceaccount.com"
    id     = "projects/test-project/serviceAccounts/qrl-bot-build@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:qrl-bot-build@test-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_secret_manager_secret.redis_auth
  override_during = plan
  values          = { id = "projects/test-project/secrets/redis-auth" }
}
