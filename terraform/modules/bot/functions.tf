# A function checks that a token was made out for itself, and so must be told its own URL, which exists only after it was
# made. A service has two run.app URLs: one that can be computed from the project's number, and the one the API reports and
# the scheduler uses, https://NAME-HASH-REGION.a.run.app, whose hash is the same for every service of a project in a region.
# So ops is made first, and the other functions are told the URL of ops with their own name in place of its. Should the
# platform ever do otherwise, scheduler.tf refuses to schedule a function that would refuse its calls, and says what to do.
#
# ops needs no URL that is not known: gcloud makes a user's token out for gcloud itself, and a service account's for
# whatever it is asked to, which is the computed URL. Its callers send their token twice: in X-Serverless-Authorization,
# whose signature the platform checks and removes, and in Authorization, which the platform then leaves alone.

module "jobs" {
  source = "../jobs"
}

locals {
  # The bot called qrl bears the bare names of a deployment of one: its dashboards and whoever reads its metrics know them.
  prefix = var.bot == "qrl" ? var.name_prefix : "${var.name_prefix}${var.bot}-"
  title  = "${var.name_prefix}${var.bot}-bot" # of what is shown and not called

  jobs  = { for key, function in module.jobs.functions : key => function if function.schedule != null }
  names = { for key in keys(module.jobs.functions) : key => "${local.prefix}${replace(key, "_", "-")}" }

  deadline_margin = 10 # seconds between the code's deadline, the function's timeout and the scheduler's attempt deadline

  computed_uri = { for key, name in local.names : key => "https://${name}-${var.foundation.project_number}.${var.region}.run.app" }

  gcloud_client_id = "32555940559.apps.googleusercontent.com" # public: audience of `gcloud auth print-identity-token` for users

  ops_audiences = concat([local.gcloud_client_id, local.computed_uri["ops"]], var.extra_audiences)
  job_audiences = {
    for key in keys(local.jobs) : key => distinct(concat(
      [replace(module.ops.uri, "https://${local.names["ops"]}-", "https://${local.names[key]}-"), local.computed_uri[key]],
      var.extra_audiences,
    ))
  }

  # What var.settings may name: the bot's own settings (`make settings` writes the file), but none that is secret, set here,
  # or set by the platform.
  known_settings  = jsondecode(file("${path.module}/../../settings.json")).known
  secret_settings = jsondecode(file("${path.module}/../../settings.json")).secret
  reserved_settings = [
    "AUTH_MODE", "EXECUTION_MODE", "GOOGLE_CLOUD_PROJECT", "JOURNAL_BUCKET", "K_REVISION", "K_SERVICE", "LOG_LEVEL", "MEXC_BASE_URL",
    "MEXC_KEY_CREATED", "MIN_NOTIONAL_USDT", "OIDC_AUDIENCE", "OPERATOR_ACCOUNTS", "REDIS_CA", "REDIS_HOST", "REDIS_KEY_PREFIX",
    "REDIS_PORT", "RUN_DEADLINE_SECONDS", "SCHEDULER_SERVICE_ACCOUNT", "SYMBOL", "TARGET_RATIO", "THRESHOLD_PCT",
  ]

  common_environment = merge(var.settings, {
    GOOGLE_CLOUD_PROJECT     = var.project_id
    LOG_EXECUTION_ID         = "true" # the platform sets it anyway
    LOG_LEVEL                = var.log_level
    MEXC_BASE_URL            = var.mexc_base_url
    MIN_NOTIONAL_USDT        = tostring(var.trading.min_notional_usdt)
    PYDANTIC_DISABLE_PLUGINS = "__all__" # it looks for some in every installed package at each start
    REDIS_CA                 = var.foundation.redis.ca
    REDIS_HOST               = var.foundation.redis.host
    REDIS_KEY_PREFIX         = var.key_prefix
    REDIS_PORT               = tostring(var.foundation.redis.port)
    SYMBOL                   = var.trading.symbol
    TARGET_RATIO             = tostring(var.trading.target_ratio)
    THRESHOLD_PCT            = var.trading.threshold_pct
  }, var.mexc_key_created == null ? {} : { MEXC_KEY_CREATED = var.mexc_key_created })

  environment = {
    for key, row in module.jobs.functions : key => merge(local.common_environment, {
      EXECUTION_MODE       = row.trades ? var.trading.execution_mode : "plan"
      RUN_DEADLINE_SECONDS = tostring(row.timeout - local.deadline_margin)
    })
  }
}

module "ops" {
  source = "../function"

  name            = local.names["ops"]
  entry_point     = "ops"
  description     = "${var.bot}: the operators' door (state, pause, verify, restore)"
  memory          = module.jobs.functions["ops"].memory
  cpu             = module.jobs.functions["ops"].cpu
  timeout         = module.jobs.functions["ops"].timeout
  warm            = module.jobs.functions["ops"].warm
  service_account = google_service_account.function["ops"].email
  secrets         = local.secret_environment["ops"]
  environment = merge(local.environment["ops"], {
    AUTH_MODE         = "oidc" # it checks the signature itself: a switch on the service could turn the platform's check off
    OIDC_AUDIENCE     = join(",", local.ops_audiences)
    JOURNAL_BUCKET    = google_storage_bucket.journal.name
    OPERATOR_ACCOUNTS = join(",", sort([for member in var.operators : split(":", member)[1]]))
  })
  source_object = var.foundation.sources["ops"]

  # Operators sit outside the project; the platform turns away every caller that is not one of them.
  ingress  = "ALLOW_ALL"
  invokers = var.operators

  project_id            = var.project_id
  region                = var.region
  runtime               = var.runtime
  labels                = var.labels
  build_service_account = var.foundation.build_service_account
  docker_repository     = var.foundation.docker_repository
  network               = var.foundation.network

  depends_on = [time_sleep.grants]
}

module "job" {
  source   = "../function"
  for_each = local.jobs

  name            = local.names[each.key]
  entry_point     = each.key
  description     = "${var.bot}: ${each.value.task}"
  memory          = each.value.memory
  cpu             = each.value.cpu
  timeout         = each.value.timeout
  warm            = each.value.warm
  service_account = google_service_account.function[each.key].email
  secrets         = local.secret_environment[each.key]
  environment = merge(local.environment[each.key], {
    AUTH_MODE                 = "platform"
    OIDC_AUDIENCE             = join(",", local.job_audiences[each.key])
    SCHEDULER_SERVICE_ACCOUNT = google_service_account.caller[each.key].email
  })
  source_object = var.foundation.sources[each.key]

  # The scheduler of the same project counts as internal when it calls the run.app URL.
  ingress  = "ALLOW_INTERNAL_ONLY"
  invokers = [google_service_account.caller[each.key].member]

  project_id            = var.project_id
  region                = var.region
  runtime               = var.runtime
  labels                = var.labels
  build_service_account = var.foundation.build_service_account
  docker_repository     = var.foundation.docker_repository
  network               = var.foundation.network

  depends_on = [time_sleep.grants]
}
