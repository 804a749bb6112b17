data "google_project" "this" {
  project_id = var.project_id
}

resource "google_project_service" "required" {
  for_each = toset(concat([
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudscheduler.googleapis.com",
    "compute.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "redis.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
    "vpcaccess.googleapis.com",
  ], var.budget == null ? [] : ["billingbudgets.googleapis.com"]))

  project            = var.project_id
  service            = each.key
  disable_on_destroy = false
}

# A service just enabled answers "not enabled" for a while.
resource "time_sleep" "services" {
  create_duration = "60s"
  triggers        = { services = join(",", keys(google_project_service.required)) }

  depends_on = [google_project_service.required]
}

# Who reads a secret, and who reads or writes the journal, is in the audit log; without this only changes of them are.
resource "google_project_iam_audit_config" "access" {
  for_each = var.audit_logs ? toset(["secretmanager.googleapis.com", "storage.googleapis.com"]) : toset([])

  project = var.project_id
  service = each.key

  dynamic "audit_log_config" {
    for_each = toset(["DATA_READ", "DATA_WRITE"])
    content {
      log_type = audit_log_config.key
    }
  }

  depends_on = [time_sleep.services]
}
