# A function checks that a token was made out for itself, and so must be told its own URL, which exists only after it was
# made. A service has two run.app URLs: one that can be computed from the project's number, and the one the API reports and
# the scheduler uses, https://NAME-HASH-REGION.a.run.app, whose hash is the same for every service of a project in a region.
# So ops is made first, and the other functions are told the URL of ops with their own name in place of its. Should the
# platform ever do otherwise, scheduler.tf refuses to schedule a function that would refuse its calls, and says what to do.
#
# ops needs no URL that is not known: gcloud makes a user's token out for gcloud itself, and a service account's for
# whatever it is asked to, which is the computed URL.

locals {
  computed_uri = { for key, name in local.names : key => "https://${name}-${data.google_project.this.number}.${var.region}.run.app" }

  gcloud_client_id = "32555940559.apps.googleusercontent.com" # public: audience of `gcloud auth print-identity-token` for users

  ops_audiences = concat([local.gcloud_client_id, local.computed_uri["ops"]], var.extra_audiences)
  job_audiences = {
    for key in keys(local.jobs) : key => distinct(concat(
      [replace(module.ops.uri, "https://${local.names["ops"]}-", "https://${local.names[key]}-"), local.computed_uri[key]],
      var.extra_audiences,
    ))
  }

  # Every name this configuration sets; var.settings may not.
  reserved_settings = [
    "AUTH_MODE", "EXECUTION_MODE", "GOOGLE_CLOUD_PROJECT", "JOURNAL_BUCKET", "LOG_EXECUTION_ID", "LOG_LEVEL", "MEXC_API_KEY",
    "MEXC_BASE_URL", "MEXC_KEY_CREATED", "MEXC_SECRET_KEY", "MIN_NOTIONAL_USDT", "OIDC_AUDIENCE", "OPERATOR_ACCOUNTS",
    "REDIS_CA", "REDIS_HOST", "REDIS_KEY_PREFIX", "REDIS_PASSWORD", "REDIS_PORT", "RUN_DEADLINE_SECONDS",
    "SCHEDULER_SERVICE_ACCOUNT", "SYMBOL", "TARGET_RATIO", "THRESHOLD_PCT",
  ]

  common_environment = merge(var.settings, {
    AUTH_MODE            = "platform"
    GOOGLE_CLOUD_PROJECT = var.project_id
    LOG_EXECUTION_ID     = "true" # the platform sets it anyway
    LOG_LEVEL            = var.log_level
    MEXC_BASE_URL        = var.mexc_base_url
    MIN_NOTIONAL_USDT    = tostring(var.trading.min_notional_usdt)
    REDIS_CA             = local.redis_ca
    REDIS_HOST           = google_redis_instance.store.host
    REDIS_KEY_PREFIX     = var.redis.key_prefix
    REDIS_PORT           = tostring(google_redis_instance.store.port)
    SYMBOL               = var.trading.symbol
    TARGET_RATIO         = tostring(var.trading.target_ratio)
    THRESHOLD_PCT        = tostring(var.trading.threshold_pct)
  }, var.mexc_key_created == null ? {} : { MEXC_KEY_CREATED = var.mexc_key_created })

  environment = {
    for key, row in local.functions : key => merge(local.common_environment, {
      EXECUTION_MODE       = row.trades ? var.trading.execution_mode : "plan"
      RUN_DEADLINE_SECONDS = tostring(row.timeout - local.deadline_margin)
    })
  }

  network = {
    connector  = one(google_vpc_access_connector.functions[*].id)
    network    = google_compute_network.bot.id
    subnetwork = google_compute_subnetwork.functions.id
  }
}

module "ops" {
  source = "./modules/function"

  name            = local.names["ops"]
  entry_point     = "ops"
  description     = "QRL bot: the operators' door (state, pause, verify, restore)"
  memory          = local.functions["ops"].memory
  cpu             = local.functions["ops"].cpu
  timeout         = local.functions["ops"].timeout
  service_account = google_service_account.function["ops"].email
  secrets         = local.secret_environment["ops"]
  environment = merge(local.environment["ops"], {
    OIDC_AUDIENCE     = join(",", local.ops_audiences)
    JOURNAL_BUCKET    = google_storage_bucket.journal.name
    OPERATOR_ACCOUNTS = join(",", sort([for member in var.operators : split(":", member)[1]]))
  })
  source_object = google_storage_bucket_object.bundle["ops"]

  # Operators sit outside the project; the platform turns away every caller that is not one of them.
  ingress  = "ALLOW_ALL"
  invokers = var.operators

  project_id            = var.project_id
  region                = var.region
  runtime               = var.runtime
  labels                = local.labels
  build_service_account = google_service_account.build.id
  network               = local.network

  depends_on = [time_sleep.grants, google_compute_router_nat.bot]
}

module "job" {
  source   = "./modules/function"
  for_each = local.jobs

  name            = local.names[each.key]
  entry_point     = each.key
  description     = "QRL bot: ${each.value.task}"
  memory          = each.value.memory
  cpu             = each.value.cpu
  timeout         = each.value.timeout
  service_account = google_service_account.function[each.key].email
  secrets         = local.secret_environment[each.key]
  environment = merge(local.environment[each.key], {
    OIDC_AUDIENCE             = join(",", local.job_audiences[each.key])
    SCHEDULER_SERVICE_ACCOUNT = google_service_account.caller[each.key].email
  })
  source_object = google_storage_bucket_object.bundle[each.key]

  # The scheduler of the same project counts as internal when it calls the run.app URL.
  ingress  = "ALLOW_INTERNAL_ONLY"
  invokers = [google_service_account.caller[each.key].member]

  project_id            = var.project_id
  region                = var.region
  runtime               = var.runtime
  labels                = local.labels
  build_service_account = google_service_account.build.id
  network               = local.network

  depends_on = [time_sleep.grants, google_compute_router_nat.bot]
}
