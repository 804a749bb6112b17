# Which of the foundation's secrets each function is given, and who may read them.

locals {
  # secret => the environment variable it becomes, and the exchange key it is part of
  parts = {
    mexc_api_key         = { variable = "MEXC_API_KEY", key = "trade" }
    mexc_secret_key      = { variable = "MEXC_SECRET_KEY", key = "trade" }
    read_mexc_api_key    = { variable = "MEXC_API_KEY", key = "read" }
    read_mexc_secret_key = { variable = "MEXC_SECRET_KEY", key = "read" }
  }
  secrets = merge(var.exchange_secrets, { redis_auth = var.foundation.redis_secret })

  # function/secret => both, for every secret a function may ever need
  secret_access = merge([
    for function, row in module.jobs.functions : {
      for secret in concat(["redis_auth"], [for name, part in local.parts : name if part.key == row.key]) :
      "${function}/${secret}" => { function = function, secret = secret }
    }
  ]...)

  # function => environment variable => secret and version, for those that have one
  secret_environment = {
    for function, row in module.jobs.functions : function => merge(
      { REDIS_PASSWORD = { secret = var.foundation.redis_secret.secret_id, version = var.foundation.redis_secret.version } },
      {
        for name, part in local.parts : part.variable => { secret = local.secrets[name].secret_id, version = tostring(var.secret_versions[name]) }
        if part.key == row.key && var.secret_versions[name] != null
      },
    )
  }
}

resource "google_secret_manager_secret_iam_member" "access" {
  for_each = local.secret_access

  secret_id = local.secrets[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function[each.value.function].member
}

# Grants take a while to be seen; a function that is started before fails obscurely.
resource "time_sleep" "grants" {
  create_duration = "90s"

  depends_on = [google_secret_manager_secret_iam_member.access]
}
