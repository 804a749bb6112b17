# What each function is told, and which secrets it sees.

mock_provider "google" {
  source          = "./tests/mocks/bot"
  override_during = plan
}
mock_provider "time" {}

variables {
  project_id       = "test-project"
  region           = "asia-southeast1"
  name_prefix      = ""
  labels           = { app = "qrl-bot", bot = "qrl" }
  runtime          = "python313"
  secret_versions  = {}
  mexc_key_created = null
  mexc_base_url    = "https://api.mexc.com"
  log_level        = "INFO"
  operators        = ["user:ann@example.com", "serviceAccount:bot@other-project.iam.gserviceaccount.com"]
  jobs_paused      = ["rebalance"]
  trading          = { symbol = "QRLUSDT", target_ratio = 0.5, min_notional_usdt = 5, threshold_pct = "0.01", execution_mode = "plan" }
  settings         = {}
  extra_audiences  = []
}

run "without_versions_no_function_gets_an_exchange_key" {
  command = plan

  module {
    source = "./modules/bot"
  }

  assert {
    condition     = alltrue([for function in concat(values(module.job), [module.ops]) : [for secret in function.function.service_config[0].secret_environment_variables : secret.key] == ["REDIS_PASSWORD"]])
    error_message = "A key that does not exist yet must not be asked for: the first apply would fail."
  }
}

run "each_function_sees_only_its_own_secrets_at_pinned_versions" {
  command = plan

  module {
    source = "./modules/bot"
  }

  variables {
    secret_versions = { mexc_api_key = 3, mexc_secret_key = 4, read_mexc_api_key = 1, read_mexc_secret_key = 2 }
  }
  assert {
    condition = jsonencode({ for key, function in merge(module.job, { ops = module.ops }) : key => sort([for secret in function.function.service_config[0].secret_environment_variables : "${secret.key}=${secret.secret}@${secret.version}"]) }) == jsonencode({
      balance         = ["MEXC_API_KEY=mexc-api-key@3", "MEXC_SECRET_KEY=mexc-secret-key@4", "REDIS_PASSWORD=redis-auth@7"]
      price           = ["REDIS_PASSWORD=redis-auth@7"]
      cost            = ["MEXC_API_KEY=mexc-api-key@3", "MEXC_SECRET_KEY=mexc-secret-key@4", "REDIS_PASSWORD=redis-auth@7"]
      fifteen_min_job = ["MEXC_API_KEY=mexc-api-key@3", "MEXC_SECRET_KEY=mexc-secret-key@4", "REDIS_PASSWORD=redis-auth@7"]
      rebalance       = ["MEXC_API_KEY=mexc-api-key@3", "MEXC_SECRET_KEY=mexc-secret-key@4", "REDIS_PASSWORD=redis-auth@7"]
      ops             = ["MEXC_API_KEY=read-mexc-api-key@1", "MEXC_SECRET_KEY=read-mexc-secret-key@2", "REDIS_PASSWORD=redis-auth@7"]
    })
    error_message = "A function sees a secret that is not its own, or lacks one."
  }
  assert {
    condition     = alltrue([for function in concat(values(module.job), [module.ops]) : alltrue([for secret in function.function.service_config[0].secret_environment_variables : secret.project_id == "test-project"])])
    error_message = "The project of a secret must be named."
  }
}

run "the_read_key_alone_gives_the_jobs_nothing" {
  command = plan

  module {
    source = "./modules/bot"
  }

  variables {
    secret_versions = { read_mexc_api_key = 1, read_mexc_secret_key = 1 }
  }
  assert {
    condition     = length(module.ops.function.service_config[0].secret_environment_variables) == 3 && alltrue([for job in module.job : length(job.function.service_config[0].secret_environment_variables) == 1])
    error_message = "The pairs are independent."
  }
}

run "accounts_may_read_what_their_function_is_given_and_no_more" {
  command = plan

  module {
    source = "./modules/bot"
  }

  assert {
    condition = jsonencode({
      for secret in distinct([for access in google_secret_manager_secret_iam_member.access : access.secret_id]) : secret => sort([
        for access in google_secret_manager_secret_iam_member.access : access.member if access.secret_id == secret
      ])
      }) == jsonencode({
      "projects/test-project/secrets/mexc-api-key"         = [for name in ["balance", "cost", "fifteen-min-job", "rebalance"] : "serviceAccount:run-${name}@test-project.iam.gserviceaccount.com"]
      "projects/test-project/secrets/mexc-secret-key"      = [for name in ["balance", "cost", "fifteen-min-job", "rebalance"] : "serviceAccount:run-${name}@test-project.iam.gserviceaccount.com"]
      "projects/test-project/secrets/read-mexc-api-key"    = ["serviceAccount:run-ops@test-project.iam.gserviceaccount.com"]
      "projects/test-project/secrets/read-mexc-secret-key" = ["serviceAccount:run-ops@test-project.iam.gserviceaccount.com"]
      "projects/test-project/secrets/redis-auth"           = [for name in ["balance", "cost", "fifteen-min-job", "ops", "price", "rebalance"] : "serviceAccount:run-${name}@test-project.iam.gserviceaccount.com"]
    })
    error_message = "An account may read a secret its function is not given, or may not read one it is."
  }
  assert {
    condition     = alltrue([for access in google_secret_manager_secret_iam_member.access : access.role == "roles/secretmanager.secretAccessor"])
    error_message = "Reading only."
  }
}

run "no_secret_is_in_the_configuration" {
  command = plan

  module {
    source = "./modules/bot"
  }

  assert {
    condition     = alltrue([for function in concat(values(module.job), [module.ops]) : length(setintersection(keys(function.function.service_config[0].environment_variables), ["MEXC_API_KEY", "MEXC_SECRET_KEY", "REDIS_PASSWORD"])) == 0])
    error_message = "Secrets come from Secret Manager."
  }
}

run "each_function_is_told_what_it_reads" {
  command = plan

  module {
    source = "./modules/bot"
  }

  variables {
    mexc_key_created = "2026-01-31"
    key_prefix       = "dev:"
    settings         = { MAX_PRICE_AGE_SECONDS = "30", REDIS_CACHE_TTL = "90" }
    trading          = { symbol = "BTCUSDT", target_ratio = 0.6, min_notional_usdt = 7.5, threshold_pct = "auto", execution_mode = "live" }
  }
  assert {
    condition = jsonencode({ for name, value in module.job["fifteen_min_job"].function.service_config[0].environment_variables : name => value if name != "OIDC_AUDIENCE" }) == jsonencode(tomap({
      AUTH_MODE                 = "platform"
      MAX_PRICE_AGE_SECONDS     = "30"
      EXECUTION_MODE            = "live"
      GOOGLE_CLOUD_PROJECT      = "test-project"
      LOG_EXECUTION_ID          = "true"
      LOG_LEVEL                 = "INFO"
      MEXC_BASE_URL             = "https://api.mexc.com"
      MEXC_KEY_CREATED          = "2026-01-31"
      MIN_NOTIONAL_USDT         = "7.5"
      PYDANTIC_DISABLE_PLUGINS  = "__all__"
      REDIS_CA                  = "CA ONE\nCA TWO"
      REDIS_CACHE_TTL           = "90"
      REDIS_HOST                = "10.1.2.3"
      REDIS_KEY_PREFIX          = "dev:"
      REDIS_PORT                = "6378"
      RUN_DEADLINE_SECONDS      = "230"
      SCHEDULER_SERVICE_ACCOUNT = "call-fifteen-min-job@test-project.iam.gserviceaccount.com"
      SYMBOL                    = "BTCUSDT"
      TARGET_RATIO              = "0.6"
      THRESHOLD_PCT             = "auto"
    }))
    error_message = "The environment of a job is not as agreed."
  }
  assert {
    condition = jsonencode({ for key, function in merge(module.job, { ops = module.ops }) : key => function.function.service_config[0].environment_variables["EXECUTION_MODE"] }) == jsonencode({
      balance = "plan", cost = "plan", fifteen_min_job = "live", ops = "plan", price = "plan", rebalance = "live"
    })
    error_message = "Only what rebalances may place an order."
  }
  assert {
    condition = jsonencode({ for key, function in merge(module.job, { ops = module.ops }) : key => function.function.service_config[0].environment_variables["AUTH_MODE"] }) == jsonencode({
      balance = "platform", cost = "platform", fifteen_min_job = "platform", ops = "oidc", price = "platform", rebalance = "platform"
    })
    error_message = "ops, which strangers can reach, checks signatures itself."
  }
  assert {
    condition     = setsubtract(keys(module.ops.function.service_config[0].environment_variables), keys(module.job["balance"].function.service_config[0].environment_variables)) == toset(["JOURNAL_BUCKET", "OPERATOR_ACCOUNTS"])
    error_message = "ops is told beside that who the operators are and where the journal lies."
  }
  assert {
    condition     = setsubtract(keys(module.job["balance"].function.service_config[0].environment_variables), keys(module.ops.function.service_config[0].environment_variables)) == toset(["SCHEDULER_SERVICE_ACCOUNT"])
    error_message = "ops admits no scheduler."
  }
  assert {
    condition = setunion(local.reserved_settings, ["LOG_EXECUTION_ID", "PYDANTIC_DISABLE_PLUGINS"]) == setunion(setsubtract(toset(flatten([
      for function in concat(values(module.job), [module.ops]) : keys(function.function.service_config[0].environment_variables)
    ])), keys(var.settings)), ["K_REVISION", "K_SERVICE"])
    error_message = "reserved_settings has to name exactly what is set here."
  }
}

run "the_defaults_are_those_of_the_bot" {
  command = plan

  module {
    source = "./modules/bot"
  }

  assert {
    condition = alltrue([for name, value in { EXECUTION_MODE = "plan", MIN_NOTIONAL_USDT = "5", REDIS_KEY_PREFIX = "", SYMBOL = "QRLUSDT", TARGET_RATIO = "0.5", THRESHOLD_PCT = "0.01" } :
      alltrue([for function in concat(values(module.job), [module.ops]) : function.function.service_config[0].environment_variables[name] == value])
    ])
    error_message = "Nothing trades unless it is asked for."
  }
  assert {
    condition     = alltrue([for function in concat(values(module.job), [module.ops]) : !contains(keys(function.function.service_config[0].environment_variables), "MEXC_KEY_CREATED")])
    error_message = "An unknown date is not set."
  }
}
