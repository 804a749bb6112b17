# One HTTP function and who may invoke it.
terraform {
  required_version = ">= 1.11, < 2"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.40, < 8"
    }
  }
}

resource "google_cloudfunctions2_function" "this" {
  #checkov:skip=CKV_GCP_124:The five jobs are ALLOW_INTERNAL_ONLY; only ops is reachable from outside, and only with an operator's token
  name        = var.name
  location    = var.region
  description = var.description
  labels      = var.labels

  build_config {
    runtime           = var.runtime
    entry_point       = var.entry_point
    service_account   = var.build_service_account
    docker_repository = var.docker_repository

    source {
      storage_source {
        bucket = var.source_object.bucket
        object = var.source_object.name
      }
    }
    automatic_update_policy {}
  }

  service_config {
    available_memory                 = var.memory
    available_cpu                    = var.cpu
    timeout_seconds                  = var.timeout
    min_instance_count               = var.warm && var.network.connector == null ? 1 : 0
    max_instance_count               = 1 # not a mutex: it is exceeded during deployments, so runs hold a lease
    max_instance_request_concurrency = 1
    service_account_email            = var.service_account
    ingress_settings                 = var.ingress
    all_traffic_on_latest_revision   = true
    environment_variables            = var.environment

    # All traffic, since the exchange must see the reserved address.
    vpc_connector                 = var.network.connector
    vpc_connector_egress_settings = var.network.connector == null ? null : "ALL_TRAFFIC"
    direct_vpc_egress             = var.network.connector == null ? "VPC_EGRESS_ALL_TRAFFIC" : null
    dynamic "direct_vpc_network_interface" {
      for_each = var.network.connector == null ? [var.network] : []
      content {
        network    = direct_vpc_network_interface.value.network
        subnetwork = direct_vpc_network_interface.value.subnetwork
      }
    }

    dynamic "secret_environment_variables" {
      for_each = var.secrets
      content {
        key        = secret_environment_variables.key
        project_id = var.project_id
        secret     = secret_environment_variables.value.secret
        version    = secret_environment_variables.value.version
      }
    }
  }
}

# On the Cloud Run service beneath: the functions API refuses this role. Authoritative, so that a caller added by hand does
# not survive the next apply, and made anew with the function, whose deletion takes it along.
resource "google_cloud_run_v2_service_iam_binding" "invokers" {
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.this.service_config[0].service
  role     = "roles/run.invoker"
  members  = var.invokers

  lifecycle {
    replace_triggered_by = [google_cloudfunctions2_function.this.id]
  }
}
