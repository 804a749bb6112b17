# Terraform makes the containers. The operator adds the exchange keys (`deploy.sh secrets`), so that they are never in a
# variable, a plan or the state. The one value Terraform does write is Redis' AUTH string: the provider keeps it in the
# state of the instance whatever one does, so it is copied from there, write-only, to its secret.

locals {
  parts = ["mexc_api_key", "mexc_secret_key", "read_mexc_api_key", "read_mexc_secret_key"]
  exchange_secrets = {
    for name in flatten([for key in var.exchange_keys : [for part in local.parts : "${key}/${part}"]]) :
    name => "${var.prefix}${name == "qrl/${split("/", name)[1]}" ? "" : "${split("/", name)[0]}-"}${replace(split("/", name)[1], "_", "-")}"
  }
}

resource "google_secret_manager_secret" "redis_auth" {
  secret_id = "${var.prefix}redis-auth"
  labels    = var.labels

  replication {
    auto {}
  }

  depends_on = [time_sleep.services]
}

resource "google_secret_manager_secret_version" "redis_auth" {
  secret                 = google_secret_manager_secret.redis_auth.id
  secret_data_wo         = google_redis_instance.store.auth_string
  secret_data_wo_version = 1

  # A new instance has a new AUTH string.
  lifecycle {
    replace_triggered_by = [google_redis_instance.store.create_time]
  }
}

# key/part => secret. The key called qrl bears the bare names of a deployment of one bot.
resource "google_secret_manager_secret" "exchange" {
  for_each = local.exchange_secrets

  secret_id = each.value
  labels    = var.labels

  replication {
    auto {}
  }

  depends_on = [time_sleep.services]
}
