# Terraform makes the containers and says who may read them. The operator adds the exchange keys (`deploy.sh secrets`), so
# that they are never in a variable, a plan or the state. The one value Terraform does write is Redis' AUTH string: the
# provider keeps it in the state of the instance whatever one does, so it is copied from there, write-only, to its secret.

locals {
  # secret => the environment variable it becomes, and the exchange key it is part of
  exchange_secrets = {
    mexc_api_key         = { variable = "MEXC_API_KEY", key = "trade" }
    mexc_secret_key      = { variable = "MEXC_SECRET_KEY", key = "trade" }
    read_mexc_api_key    = { variable = "MEXC_API_KEY", key = "read" }
    read_mexc_secret_key = { variable = "MEXC_SECRET_KEY", key = "read" }
  }

  # function/secret => both, for every secret a function may ever need
  secret_access = merge([
    for function, row in local.functions : {
      for secret in concat(["redis_auth"], [for name, part in local.exchange_secrets : name if part.key == row.key]) :
      "${function}/${secret}" => { function = function, secret = secret }
    }
  ]...)

  # function => environment variable => secret and version, for those that have one
  secret_environment = {
    for function, row in local.functions : function => merge(
      { REDIS_PASSWORD = { secret = google_secret_manager_secret.bot["redis_auth"].secret_id, version = google_secret_manager_secret_version.redis_auth.version } },
      {
        for name, part in local.exchange_secrets : part.variable => { secret = google_secret_manager_secret.bot[name].secret_id, version = tostring(var.secret_versions[name]) }
        if part.key == row.key && var.secret_versions[name] != null
      },
    )
  }
}

resource "google_secret_manager_secret" "bot" {
  for_each = toset(concat(["redis_auth"], keys(local.exchange_secrets)))

  secret_id = "${local.prefix}${replace(each.key, "_", "-")}"
  labels    = local.labels

  replication {
    auto {}
  }

  depends_on = [time_sleep.services]
}

resource "google_secret_manager_secret_version" "redis_auth" {
  secret                 = google_secret_manager_secret.bot["redis_auth"].id
  secret_data_wo         = google_redis_instance.store.auth_string
  secret_data_wo_version = 1

  # A new instance has a new AUTH string.
  lifecycle {
    replace_triggered_by = [google_redis_instance.store.create_time]
  }
}

resource "google_secret_manager_secret_iam_member" "access" {
  for_each = local.secret_access

  secret_id = google_secret_manager_secret.bot[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function[each.value.function].member
}
