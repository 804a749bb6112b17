# Who calls what, as whom, when, and who may.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}
mock_provider "archive" {}
mock_provider "time" {}

# The archives' content is another file's business (source.tftest.hcl) and slow to carry through every run.
override_module {
  target  = module.bundle
  outputs = { files = { "main.py" = "terraform/versions.tf" }, hash = "0123456789abcdef0123456789abcdef" }
}

variables {
  project_id = "test-project"
  operators  = ["user:ann@example.com", "serviceAccount:bot@other-project.iam.gserviceaccount.com"]
}

run "each_job_calls_its_own_function_with_its_own_identity_and_audience" {
  command = plan

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
    condition     = alltrue([for job in google_cloud_scheduler_job.job : job.retry_config[0].retry_count <= 5 && job.retry_config[0].min_backoff_duration == "5s"])
    error_message = "Retries back off."
  }
}

run "pausing_is_a_variable" {
  command = plan

  variables {
    jobs_paused = ["price", "fifteen_min_job"]
  }
  assert {
    condition     = jsonencode({ for key, job in google_cloud_scheduler_job.job : key => job.paused }) == jsonencode({ balance = false, price = true, cost = false, fifteen_min_job = true, rebalance = false })
    error_message = "Exactly the jobs in jobs_paused are paused."
  }
}

run "functions_run_the_right_code_as_their_own_accounts" {
  command = plan

  assert {
    condition = jsonencode({ for key, function in merge(module.job, { ops = module.ops }) : key => [function.function.name, function.function.build_config[0].entry_point, function.function.service_config[0].service_account_email] }) == jsonencode({
      balance         = ["balance", "balance", "run-balance@test-project.iam.gserviceaccount.com"]
      price           = ["price", "price", "run-price@test-project.iam.gserviceaccount.com"]
      cost            = ["cost", "cost", "run-cost@test-project.iam.gserviceaccount.com"]
      fifteen_min_job = ["fifteen-min-job", "fifteen_min_job", "run-fifteen-min-job@test-project.iam.gserviceaccount.com"]
      rebalance       = ["rebalance", "rebalance", "run-rebalance@test-project.iam.gserviceaccount.com"]
      ops             = ["ops", "ops", "run-ops@test-project.iam.gserviceaccount.com"]
    })
    error_message = "A function has another name, entry point or account."
  }
  assert {
    condition = alltrue([for function in concat(values(module.job), [module.ops]) :
      function.function.build_config[0].runtime == "python313" &&
      function.function.build_config[0].service_account == "projects/test-project/serviceAccounts/qrl-bot-build@test-project.iam.gserviceaccount.com" &&
      function.function.service_config[0].max_instance_request_concurrency == 1 &&
      function.function.service_config[0].max_instance_count == 1 &&
      function.function.service_config[0].min_instance_count == 0 &&
      function.function.service_config[0].available_memory == "512M" &&
      function.function.service_config[0].available_cpu == "0.333" &&
      function.function.service_config[0].all_traffic_on_latest_revision
    ])
    error_message = "Runtime, build account, concurrency, instances, memory and CPU are explicit."
  }
  assert {
    condition = google_project_iam_member.build["roles/logging.logWriter"].member == google_service_account.build.member && alltrue([
      for grant in concat(values(google_project_iam_member.build), [google_project_iam_member.build_sources]) : grant.member == google_service_account.build.member
    ])
    error_message = "Only the build account has roles in the project."
  }
}

# The platform answers another URL than the one derived from that of ops.
run "a_function_that_would_refuse_its_schedule_is_not_scheduled" {
  command = plan

  override_resource {
    target          = module.job["price"].google_cloudfunctions2_function.this
    override_during = plan
    values          = { service_config = { uri = "https://price-0000000000-as.a.run.app", service = "projects/test-project/locations/asia-southeast1/services/price" } }
  }
  expect_failures = [google_cloud_scheduler_job.job]
}

run "extra_audiences_mend_that" {
  command = plan

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

run "a_prefix_goes_before_every_name" {
  command = plan

  variables {
    name_prefix     = "dev"
    extra_audiences = [for name in ["balance", "price", "cost", "fifteen-min-job", "rebalance"] : "https://${name}-a1b2c3d4e5-as.a.run.app"] # the stand-in platform's URLs know no prefix
  }
  assert {
    condition = alltrue([for name in concat(
      [for function in concat(values(module.job), [module.ops]) : function.function.name],
      [for job in google_cloud_scheduler_job.job : job.name],
      [for account in concat(values(google_service_account.function), values(google_service_account.caller), [google_service_account.build]) : account.account_id],
      [for secret in google_secret_manager_secret.bot : secret.secret_id],
      [for metric in google_logging_metric.bot : metric.name],
      [google_redis_instance.store.name, google_compute_network.bot.name, google_compute_address.egress[0].name, google_logging_project_sink.journal.name],
    ) : startswith(name, "dev-")])
    error_message = "Two deployments in one project would collide."
  }
  assert {
    condition     = alltrue([for account in concat(values(google_service_account.function), values(google_service_account.caller), [google_service_account.build]) : can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", account.account_id))])
    error_message = "An account's id has 6 to 30 characters."
  }
}
