# Archives are composed here from the checkout, by the same rule as `deploy.sh stage` (modules/bundle/rule.txt).

locals {
  checkout = "${path.module}/../../.."
}

module "jobs" {
  source = "../jobs"
}

module "bundle" {
  source   = "../bundle"
  for_each = module.jobs.functions

  root     = local.checkout
  function = each.key
}

data "archive_file" "bundle" {
  for_each = module.jobs.functions

  type             = "zip"
  output_path      = "${path.root}/build/${each.key}.zip"
  output_file_mode = "0644"

  dynamic "source" {
    for_each = module.bundle[each.key].files
    content {
      filename = source.key
      content  = file("${local.checkout}/${source.value}")
    }
  }
}

resource "google_storage_bucket" "source" {
  #checkov:skip=CKV_GCP_62:Access logs of a bucket that holds only archives made from this repository would tell nothing
  name                        = "${var.project_id}-${var.prefix}qrl-bot-source"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true # every archive can be made again from the repository
  labels                      = var.labels

  versioning {
    enabled = true
  }
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 30
    }
  }

  depends_on = [time_sleep.services]
}

# The content's hash is in the name: a changed file is a new object, and so a new revision of the function.
resource "google_storage_bucket_object" "bundle" {
  for_each = module.jobs.functions

  bucket       = google_storage_bucket.source.name
  name         = "${each.key}-${substr(module.bundle[each.key].hash, 0, 16)}.zip"
  source       = data.archive_file.bundle[each.key].output_path
  content_type = "application/zip"

  lifecycle {
    create_before_destroy = true
  }
}

# --- what they are built into ---------------------------------------------------------------------------

# A deployment makes an image a function; the repository the platform would make keeps them all.
resource "google_artifact_registry_repository" "images" {
  #checkov:skip=CKV_GCP_84:A key of one's own protects against nothing here: the images hold the code of a public repository
  repository_id = "${var.prefix}qrl-bot"
  location      = var.region
  format        = "DOCKER"
  description   = "Images of the functions"
  labels        = var.labels

  cleanup_policies {
    id     = "keep-three"
    action = "KEEP"
    most_recent_versions {
      keep_count = 3
    }
  }
  cleanup_policies {
    id     = "delete-the-rest"
    action = "DELETE"
    condition {
      older_than = "86400s"
    }
  }

  depends_on = [time_sleep.services]
}

# --- who builds them: not the default compute account, which has no roles in new organisations ----------

resource "google_service_account" "build" {
  account_id   = "${var.prefix}qrl-bot-build"
  display_name = "Builds the bots' functions"

  depends_on = [time_sleep.services]
}

resource "google_project_iam_member" "build_logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

resource "google_artifact_registry_repository_iam_member" "build_images" {
  repository = google_artifact_registry_repository.images.name
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

# Sources only: the bots' own archives, and the copies the functions service makes of them.
resource "google_project_iam_member" "build_sources" {
  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = google_service_account.build.member

  condition {
    title      = "function-sources"
    expression = "resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.source.name}\") || resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${data.google_project.this.number}-\")"
  }
}

# Grants take a while to be seen; a function that is built before fails obscurely.
resource "time_sleep" "build_grants" {
  create_duration = "90s"

  depends_on = [
    google_artifact_registry_repository_iam_member.build_images,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_sources,
  ]
}
