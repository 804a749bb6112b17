# Who calls what, as whom, when, and who may.

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

run "each_job_calls_its_own_function_with_its_own_identity_and_audience" {
  command = plan

  module {
    source = "./modules/bot"
  }

  assert {
    condition = jsonencode({ for key, job in google_cloud_scheduler_job.job : key => [job.name, job.http_target[0].uri, job.http_target[0].oidc_token[0].audience, job.http_target[0].oidc_token[0].service_account_email] }) == jsonencode({
      balance         = ["balance", "https://balance-a1b2c3d4e5-as.a.run.app", "https://balance-a1b2c3d4e5-as.a.run.app", "call-balance@test-project.iam.gserviceaccount.com"]
      price           = ["price", "https://price-a1b2c3d4e5-as.a.run.app", "https://price-a1b2c3d4e5-as.a.run.app", "call-price@test-project.iam.gserviceaccount.com"]
      cost            = ["cost", "https://cost-a1b2c3d4e5-as.a.run.app", "https://cost-a1b2c3d4e5-as.a.run.app", "call-cost@test-project.iam.gserviceaccount.com"]
      fifteen_min_job = ["fifteen-min-job", "https://fifteen-min-job-a1b2c3d4e5-as.a.run.app", "https://fifteen-min-job-a1b2c3d4e5-as.a.run.app", "call-fifteen-min-job@test-project.iam.gserviceaccount.com"]
      rebalance       = ["rebalance", "https://rebalance-a1b2c3d4e5-as.a.run.app", "https://rebalance-a1b2c3d4e5-as.a.run.app", "call-rebalance@test-project.iam.gserviceaccount.com"]
    })
    error_message = "A job calls another function, as another account, or with another audience than its function's URL."
  }
  assert {
    condition     = alltrue([for job in google_cloud_scheduler_job.job : job.http_target[0].http_method == "POST" && job.http_target[0].body == "e30=" && job.http_target[0].headers == tomap({ "Content-Type" = "application/json" })])
    error_message = "Jobs POST {} as JSON."
  }
  assert {
    condition = jsonencode({ for key, job in module.job : key => [job.function.service_config[0].environment_variables["SCHEDULER_SERVICE_ACCOUNT"], one(job.invokers.members), job.invokers.role, job.invokers.name] }) == jsonencode({
      balance         = ["call-balance@test-project.iam.gserviceaccount.com", "serviceAccount:call-balance@test-project.iam.gserviceaccount.com", "roles/run.invoker", "projects/test-project/locations/asia-southeast1/services/balance"]
      price           = ["call-price@test-project.iam.gserviceaccount.com", "serviceAccount:call-price@test-project.iam.gserviceaccount.com", "roles/run.invoker", "projects/test-project/locations/asia-southeast1/services/price"]
      cost            = ["call-cost@test-project.iam.gserviceaccount.com", "serviceAccount:call-cost@test-project.iam.gserviceaccount.com", "roles/run.invoker", "projects/test-project/locations/asia-southeast1/services/cost"]
      fifteen_min_job = ["call-fifteen-min-job@test-project.iam.gserviceaccount.com", "serviceAccount:call-fifteen-min-job@test-project.iam.gserviceaccount.com", "roles/run.invoker", "projects/test-project/locations/asia-southeast1/services/fifteen-min-job"]
      rebalance       = ["call-rebalance@test-project.iam.gserviceaccount.com", "serviceAccount:call-rebalance@test-project.iam.gserviceaccount.com", "roles/run.invoker", "projects/test-project/locations/asia-southeast1/services/rebalance"]
    })
    error_message = "Each job's caller, and nobody else, may invoke its service, and the function admits that caller."
  }
  assert {
    condition     = alltrue([for key, job in module.job : contains(split(",", job.function.service_config[0].environment_variables["OIDC_AUDIENCE"]), google_cloud_scheduler_job.job[key].http_target[0].oidc_token[0].audience)])
    error_message = "A function would refuse the audience of its own schedule."
  }
  assert {
    condition     = alltrue([for job in module.job : alltrue([for audience in split(",", job.function.service_config[0].environment_variables["OIDC_AUDIENCE"]) : startswith(audience, "https://${job.function.name}-") && !strcontains(audience, "*")])])
    error_message = "A function admits exact audiences of its own and no others."
  }
}

run "ops_is_reachable_by_the_operators_and_by_nobody_else" {
  command = plan

  module {
    source = "./modules/bot"
  }

  assert {
    condition     = module.ops.function.service_config[0].ingress_settings == "ALLOW_ALL"
    error_message = "Operators sit outside the network."
  }
  assert {
    condition     = module.ops.invokers.members == toset(["user:ann@example.com", "serviceAccount:bot@other-project.iam.gserviceaccount.com"]) && module.ops.invokers.role == "roles/run.invoker"
    error_message = "Exactly the operators may invoke ops."
  }
  assert {
    condition     = module.ops.function.service_config[0].environment_variables["OPERATOR_ACCOUNTS"] == "ann@example.com,bot@other-project.iam.gserviceaccount.com"
    error_message = "ops checks the operators' e-mails itself as well."
  }
  assert {
    condition     = module.ops.function.service_config[0].environment_variables["OIDC_AUDIENCE"] == "32555940559.apps.googleusercontent.com,https://ops-123456789012.asia-southeast1.run.app"
    error_message = "ops admits tokens of gcloud and those made out for its computed URL."
  }
  assert {
    condition     = !contains(keys(google_cloud_scheduler_job.job), "ops") && !contains(keys(google_service_account.caller), "ops")
    error_message = "ops is not scheduled."
  }
  assert {
    condition     = alltrue([for job in module.job : job.function.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"])
    error_message = "The five jobs take internal calls only."
  }
}

run "schedules_are_as_agreed_and_rebalance_is_paused" {
  command = plan

  module {
    source = "./modules/bot"
  }

  assert {
    condition = jsonencode({ for key, job in google_cloud_scheduler_job.job : key => "${job.schedule} ${job.time_zone} ${job.region} ${job.paused ? "paused" : "running"}" }) == jsonencode({
      balance         = "*/3 * * * * Etc/UTC asia-southeast1 running"
      price           = "* * * * * Etc/UTC asia-southeast1 running"
      cost            = "*/5 * * * * Etc/UTC asia-southeast1 running"
      fifteen_min_job = "*/15 * * * * Etc/UTC asia-southeast1 running"
      rebalance       = "0 0 * * * Etc/UTC asia-southeast1 paused"
    })
    error_message = "A schedule, its zone, its region or its pause is not as agreed."
  }
  assert {
    condition = alltrue([for key, job in google_cloud_scheduler_job.job :
      tonumber(trimsuffix(job.attempt_deadline, "s")) > module.job[key].function.service_config[0].timeout_seconds &&
      module.job[key].function.service_config[0].timeout_seconds > tonumber(module.job[key].function.service_config[0].environment_variables["RUN_DEADLINE_SECONDS"]) &&
      tonumber(module.job[key].function.service_config[0].environment_variables["RUN_DEADLINE_SECONDS"]) >= 30
    ])
    error_message = "Attempt deadline > function timeout > the code's deadline."
  }
  assert {
    condition     = alltrue([for key, job in google_cloud_scheduler_job.job : tonumber(trimsuffix(job.attempt_deadline, "s")) <= 60 * local.jobs[key].every])
    error_message = "An attempt must end before the next slot."
  }
  assert {
    condition = jsonencode({ for key, job in google_cloud_scheduler_job.job : key => [for retry in job.retry_config : [retry.retry_count, retry.min_backoff_duration, retry.max_backoff_duration, retry.max_doublings, retry.max_retry_duration]] }) == jsonencode({
      balance         = [[1, "5s", "60s", 3, "not given"]]
      price           = [[0, "5s", "60s", 3, "not given"]]
      cost            = [[1, "5s", "60s", 3, "not given"]]
      fifteen_min_job = [[2, "5s", "60s", 3, "not given"]]
      rebalance       = [[2, "5s", "60s", 3, "not given"]]
    })
    error_message = "Retries are counted. With max_retry_duration beside the count the scheduler goes on until both are spent."
  }
}

run "pausing_is_a_variable" {
  command = plan

  module {
    source = "./modules/bot"
  }

  variables {
    jobs_paused = ["price", "fifteen_min_job"]
  }
  assert {
    condition     = jsonencode({ for key, job in google_cloud_scheduler_job.job : key => job.paused }) == jsonencode({ balance = false, price = true, cost = false, fifteen_min_job = true, rebalance = false })
    error_message = "Exactly the jobs in jobs_paused are paused."
  }
}

run "with_direct_egress_the_15_minute_job_alone_is_kept_warm" {
  command = plan

  module {
    source = "./modules/bot"
  }

  variables {
    foundation = {
      project_number        = "123456789012"
      build_service_account = "projects/test-project/serviceAccounts/qrl-bot-build@test-project.iam.gserviceaccount.com"
      docker_repository     = "projects/test-project/locations/asia-southeast1/repositories/qrl-bot"
      channels              = []
      network               = { connector = null, network = "network", subnetwork = "subnetwork" }
      redis                 = { id = "store", host = "10.1.2.3", port = 6378, ca = "CA" }
      redis_secret          = { id = join("/", ["projects", "test-project", "secrets", "redis-auth"]), secret_id = "redis-auth", version = "7" }
      sources               = { for name in ["balance", "price", "cost", "fifteen_min_job", "rebalance", "ops"] : name => { bucket = "sources", name = name } }
    }
  }
  assert {
    condition = alltrue([for key, function in merge(module.job, { ops = module.ops }) :
      function.function.service_config[0].vpc_connector == null &&
      function.function.service_config[0].direct_vpc_egress == "VPC_EGRESS_ALL_TRAFFIC" &&
      one(function.function.service_config[0].direct_vpc_network_interface).subnetwork == "subnetwork" &&
      one(function.function.service_config[0].direct_vpc_network_interface).network == "network" &&
      function.function.service_config[0].min_instance_count == (key == "fifteen_min_job" ? 1 : 0)
    ])
    error_message = "Direct VPC egress, all of it; the job that trades must not wait half a minute for its first connection."
  }
}

run "functions_run_the_right_code_as_their_own_accounts" {
  command = plan

  module {
    source = "./modules/bot"
  }

  assert {
    condition = jsonencode({ for key, function in merge(module.job, { ops = module.ops }) : key => [function.function.name, function.function.build_config[0].entry_point, function.function.service_config[0].service_account_email, function.function.build_config[0].source[0].storage_source[0].object, function.function.build_config[0].source[0].storage_source[0].bucket] }) == jsonencode({
      balance         = ["balance", "balance", "run-balance@test-project.iam.gserviceaccount.com", "balance-0123456789abcdef.zip", "sources"]
      price           = ["price", "price", "run-price@test-project.iam.gserviceaccount.com", "price-0123456789abcdef.zip", "sources"]
      cost            = ["cost", "cost", "run-cost@test-project.iam.gserviceaccount.com", "cost-0123456789abcdef.zip", "sources"]
      fifteen_min_job = ["fifteen-min-job", "fifteen_min_job", "run-fifteen-min-job@test-project.iam.gserviceaccount.com", "fifteen_min_job-0123456789abcdef.zip", "sources"]
      rebalance       = ["rebalance", "rebalance", "run-rebalance@test-project.iam.gserviceaccount.com", "rebalance-0123456789abcdef.zip", "sources"]
      ops             = ["ops", "ops", "run-ops@test-project.iam.gserviceaccount.com", "ops-0123456789abcdef.zip", "sources"]
    })
    error_message = "A function has another name, entry point or account."
  }
  assert {
    condition = alltrue([for function in concat(values(module.job), [module.ops]) :
      function.function.build_config[0].runtime == "python313" &&
      length(function.function.build_config[0].automatic_update_policy) == 1 &&
      function.function.build_config[0].docker_repository == "projects/test-project/locations/asia-southeast1/repositories/qrl-bot" &&
      function.function.service_config[0].vpc_connector == "projects/test-project/locations/asia-southeast1/connectors/functions" &&
      function.function.service_config[0].vpc_connector_egress_settings == "ALL_TRAFFIC" &&
      length(function.function.service_config[0].direct_vpc_network_interface) == 0 &&
      function.function.build_config[0].service_account == "projects/test-project/serviceAccounts/qrl-bot-build@test-project.iam.gserviceaccount.com" &&
      function.function.service_config[0].max_instance_request_concurrency == 1 &&
      function.function.service_config[0].max_instance_count == 1 &&
      function.function.service_config[0].min_instance_count == 0 &&
      function.function.service_config[0].available_memory == "512M" &&
      function.function.service_config[0].available_cpu == "0.333" &&
      function.function.service_config[0].all_traffic_on_latest_revision
    ])
    error_message = "Runtime, builder, images, the way out, concurrency, instances, memory and CPU are explicit."
  }
}

# The platform answers another URL than the one derived from that of ops.
run "a_function_that_would_refuse_its_schedule_is_not_scheduled" {
  command = plan

  module {
    source = "./modules/bot"
  }

  override_resource {
    target          = module.job["price"].google_cloudfunctions2_function.this
    override_during = plan
    values          = { service_config = { uri = "https://price-0000000000-as.a.run.app", service = "projects/test-project/locations/asia-southeast1/services/price" } }
  }
  expect_failures = [google_cloud_scheduler_job.job]
}

run "extra_audiences_mend_that" {
  command = plan

  module {
    source = "./modules/bot"
  }

  variables {
    extra_audiences = ["https://price-0000000000-as.a.run.app"]
  }
  override_resource {
    target          = module.job["price"].google_cloudfunctions2_function.this
    override_during = plan
    values          = { service_config = { uri = "https://price-0000000000-as.a.run.app", service = "projects/test-project/locations/asia-southeast1/services/price" } }
  }
  assert {
    condition     = google_cloud_scheduler_job.job["price"].http_target[0].oidc_token[0].audience == "https://price-0000000000-as.a.run.app"
    error_message = "The audience is the URL the platform reports."
  }
}

run "everything_of_another_bot_bears_its_name" {
  command = plan

  module {
    source = "./modules/bot"
  }

  variables {
    bot             = "btc"
    name_prefix     = "dev-"
    extra_audiences = [for name in ["balance", "price", "cost", "fifteen-min-job", "rebalance"] : "https://${name}-a1b2c3d4e5-as.a.run.app"] # the stand-in platform's URLs know no prefix
  }
  assert {
    condition = alltrue([for name in concat(
      [for function in concat(values(module.job), [module.ops]) : function.function.name],
      [for job in google_cloud_scheduler_job.job : job.name],
      [for account in concat(values(google_service_account.function), values(google_service_account.caller)) : account.account_id],
      [for metric in google_logging_metric.bot : metric.name],
      [for policy in concat(values(google_monitoring_alert_policy.query), values(google_monitoring_alert_policy.line)) : policy.display_name],
      [google_logging_project_sink.journal.name, trimprefix(google_storage_bucket.journal.name, "test-project-"), jsondecode(google_monitoring_dashboard.bot.dashboard_json).displayName],
    ) : startswith(name, "dev-btc-")])
    error_message = "Two bots in one project would collide, or could not be told apart."
  }
  assert {
    condition     = alltrue([for account in concat(values(google_service_account.function), values(google_service_account.caller)) : can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", account.account_id))])
    error_message = "An account's id has 6 to 30 characters."
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.query["failures"].conditions[0].condition_prometheus_query_language[0].query, "logging_googleapis_com:user_dev_btc_job_runs{") && strcontains(google_monitoring_dashboard.bot.dashboard_json, "logging_googleapis_com:user_dev_btc_15min_job_failures{")
    error_message = "A query asks for a metric that does not exist, or for another bot's."
  }
}

run "the_journal_takes_what_the_functions_print_and_nothing_else" {
  command = plan

  module {
    source = "./modules/bot"
  }

  assert {
    condition = google_logging_project_sink.journal.filter == join("\n", [
      "resource.type=\"cloud_run_revision\"",
      "resource.labels.location=\"asia-southeast1\"",
      "resource.labels.service_name=(\"balance\" OR \"cost\" OR \"fifteen-min-job\" OR \"ops\" OR \"price\" OR \"rebalance\")",
      "",
      "logName=\"projects/test-project/logs/run.googleapis.com%2Fstdout\"",
      "jsonPayload.event=~\"^journal[.]\"",
      "",
    ])
    error_message = "What else may write logs in the project could feed restore, or the journal lacks something."
  }
  assert {
    condition     = google_logging_project_sink.journal.destination == "storage.googleapis.com/test-project-qrl-bot-journal" && google_logging_project_sink.journal.unique_writer_identity && google_logging_project_sink.journal.disabled != true
    error_message = "Lines go to the journal's bucket, written by an account of the sink's own."
  }
  assert {
    condition     = google_storage_bucket_iam_member.journal_writer.role == "roles/storage.objectCreator" && google_storage_bucket_iam_member.journal_writer.member == google_logging_project_sink.journal.writer_identity && google_storage_bucket_iam_member.journal_writer.bucket == google_storage_bucket.journal.name
    error_message = "The sink may add, not alter."
  }
  assert {
    condition     = google_storage_bucket_iam_member.journal_reader.role == "roles/storage.objectViewer" && google_storage_bucket_iam_member.journal_reader.member == "serviceAccount:run-ops@test-project.iam.gserviceaccount.com" && google_storage_bucket_iam_member.journal_reader.bucket == google_storage_bucket.journal.name
    error_message = "ops may read it."
  }
  assert {
    condition     = google_storage_bucket.journal.name == "test-project-qrl-bot-journal" && google_storage_bucket.journal.retention_policy[0].retention_period == "34560000" && google_storage_bucket.journal.retention_policy[0].is_locked == false && !google_storage_bucket.journal.force_destroy && google_storage_bucket.journal.public_access_prevention == "enforced" && google_storage_bucket.journal.uniform_bucket_level_access
    error_message = "No line is deleted, altered or published before its time; locking that is the owner's decision."
  }
  assert {
    condition     = jsonencode([for rule in google_storage_bucket.journal.lifecycle_rule : [one(rule.action).type, one(rule.action).storage_class, one(rule.condition).age]]) == jsonencode([["SetStorageClass", "COLDLINE", 90]])
    error_message = "The journal grows colder and is never deleted."
  }
  assert {
    condition     = module.ops.function.service_config[0].environment_variables["JOURNAL_BUCKET"] == "test-project-qrl-bot-journal"
    error_message = "restore has to know where the journal lies."
  }
}

run "the_journal_can_be_locked" {
  command = plan

  module {
    source = "./modules/bot"
  }

  variables {
    journal = { retention_days = 3650, locked = true }
  }
  assert {
    condition     = google_storage_bucket.journal.retention_policy[0].is_locked && google_storage_bucket.journal.retention_policy[0].retention_period == "315360000"
    error_message = "Asked for, its retention is locked."
  }
}
