# The journal outside Redis: fills, intents, plans, commands and what the bot began with, as the functions log them, each line chained to the one before. `restore` of ops
# reads it back. The logging service writes once an hour, so its last hours may be missing; the exchange's own history covers
# them. No object can be replaced or deleted before its retention is over; the retention itself can be shortened by whoever
# may change the bucket, unless it is locked.

resource "google_storage_bucket" "journal" {
  #checkov:skip=CKV_GCP_62:Reads and writes of this bucket are in the audit log when data access logging is on; a bucket of logs about a bucket of logs is not worth its price
  #checkov:skip=CKV_GCP_78:The retention policy keeps every object from being replaced or deleted; versions would have nothing to keep
  name                        = "${var.project_id}-${local.title}-journal"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false
  labels                      = var.labels

  retention_policy {
    retention_period = tostring(var.journal.retention_days * 86400)
    is_locked        = var.journal.locked
  }
  lifecycle_rule {
    action {
      type          = "SetStorageClass"
      storage_class = "COLDLINE"
    }
    condition {
      age = 90
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

# Only what the functions themselves print: others in the project may write log entries, and none of theirs may feed restore.
resource "google_logging_project_sink" "journal" {
  #checkov:skip=CKV2_GCP_4:A locked policy can never be shortened, nor the bucket removed before its last line is years old; whether to lock it (journal_locked) is the owner's decision
  name                   = "${local.title}-journal"
  destination            = "storage.googleapis.com/${google_storage_bucket.journal.name}"
  unique_writer_identity = true
  filter                 = <<-EOT
    ${local.from_this_bot}
    logName="projects/${var.project_id}/logs/run.googleapis.com%2Fstdout"
    jsonPayload.event=~"^journal[.]"
  EOT
}

resource "google_storage_bucket_iam_member" "journal_writer" {
  bucket = google_storage_bucket.journal.name
  role   = "roles/storage.objectCreator"
  member = google_logging_project_sink.journal.writer_identity
}

resource "google_storage_bucket_iam_member" "journal_reader" {
  bucket = google_storage_bucket.journal.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.function["ops"].member
}
