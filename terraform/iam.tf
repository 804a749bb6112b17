# --- who the functions run as: one account each, with no role in the project ---------------------------

resource "google_service_account" "function" {
  for_each = local.functions

  account_id   = "${local.prefix}run-${replace(each.key, "_", "-")}"
  display_name = "QRL bot: runs ${local.names[each.key]}"

  depends_on = [time_sleep.services]
}

# --- who the scheduler calls as: one account a job, allowed to invoke that job's service and nothing else (modules/function) ---

resource "google_service_account" "caller" {
  for_each = local.jobs

  account_id   = "${local.prefix}call-${replace(each.key, "_", "-")}"
  display_name = "QRL bot: calls ${local.names[each.key]}"

  depends_on = [time_sleep.services]
}

# --- who builds them: not the default compute account, which has no roles in new organisations --------

resource "google_service_account" "build" {
  account_id   = "${local.prefix}qrl-bot-build"
  display_name = "QRL bot: builds the functions"

  depends_on = [time_sleep.services]
}

resource "google_project_iam_member" "build" {
  for_each = toset(["roles/artifactregistry.writer", "roles/logging.logWriter"])

  project = var.project_id
  role    = each.key
  member  = google_service_account.build.member
}

# Sources only: the bot's own archives, and the copies the functions service makes of them.
resource "google_project_iam_member" "build_sources" {
  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = google_service_account.build.member

  condition {
    title      = "function-sources"
    expression = "resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.source.name}\") || resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${data.google_project.this.number}-\")"
  }
}

# Grants take a while to be seen; a function that is built or started before fails obscurely.
resource "time_sleep" "grants" {
  create_duration = "90s"

  depends_on = [
    google_project_iam_member.build,
    google_project_iam_member.build_sources,
    google_secret_manager_secret_iam_member.access,
  ]
}
