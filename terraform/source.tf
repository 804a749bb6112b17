# Archives are composed here from the checkout, by the same rule as `deploy.sh stage` (modules/bundle/rule.txt).

module "bundle" {
  source   = "./modules/bundle"
  for_each = local.functions

  root     = "${path.module}/.."
  function = each.key
}

data "archive_file" "bundle" {
  for_each = local.functions

  type             = "zip"
  output_path      = "${path.module}/build/${each.key}.zip"
  output_file_mode = "0644"

  dynamic "source" {
    for_each = module.bundle[each.key].files
    content {
      filename = source.key
      content  = file("${path.module}/../${source.value}")
    }
  }
}

resource "google_storage_bucket" "source" {
  #checkov:skip=CKV_GCP_62:Access logs of a bucket that holds only archives made from this repository would tell nothing
  name                        = "${var.project_id}-${local.prefix}qrl-bot-source"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true # every archive can be made again from the repository
  labels                      = local.labels

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
  for_each = local.functions

  bucket       = google_storage_bucket.source.name
  name         = "${each.key}-${substr(module.bundle[each.key].hash, 0, 16)}.zip"
  source       = data.archive_file.bundle[each.key].output_path
  content_type = "application/zip"

  lifecycle {
    create_before_destroy = true
  }
}
