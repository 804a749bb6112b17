# What the platform would answer, told apart function by function so that a crossed wire shows. All of it is known at plan,
# because a plan is all that is made: what is under prevent_destroy could not be taken down after an apply.

mock_resource "google_cloud_scheduler_job" {
  defaults = { retry_config = { max_retry_duration = "not given" } }
}

mock_resource "google_logging_project_sink" {
  defaults = { writer_identity = "serviceAccount:sink@logging.iam.gserviceaccount.com" }
}

mock_resource "google_monitoring_dashboard" {
  defaults = { id = "projects/123456789012/dashboards/0000" }
}

override_resource {
  target          = google_service_account.function["balance"]
  override_during = plan
  values = {
    email  = "run-balance@test-project.iam.gserviceaccount.com"
    id     = "projects/test-project/serviceAccounts/run-balance@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:run-balance@test-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_service_account.function["price"]
  override_during = plan
  values = {
    email  = "run-price@test-project.iam.gserviceaccount.com"
    id     = "projects/test-project/serviceAccounts/run-price@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:run-price@test-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_service_account.function["cost"]
  override_during = plan
  values = {
    email  = "run-cost@test-project.iam.gserviceaccount.com"
    id     = "projects/test-project/serviceAccounts/run-cost@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:run-cost@test-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_service_account.function["fifteen_min_job"]
  override_during = plan
  values = {
    email  = "run-fifteen-min-job@test-project.iam.gserviceaccount.com"
    id     = "projects/test-project/serviceAccounts/run-fifteen-min-job@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:run-fifteen-min-job@test-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_service_account.function["rebalance"]
  override_during = plan
  values = {
    email  = "run-rebalance@test-project.iam.gserviceaccount.com"
    id     = "projects/test-project/serviceAccounts/run-rebalance@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:run-rebalance@test-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_service_account.function["ops"]
  override_during = plan
  values = {
    email  = "run-ops@test-project.iam.gserviceaccount.com"
    id     = "projects/test-project/serviceAccounts/run-ops@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:run-ops@test-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_service_account.caller["balance"]
  override_during = plan
  values = {
    email  = "call-balance@test-project.iam.gserviceaccount.com"
    id     = "projects/test-project/serviceAccounts/call-balance@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:call-balance@test-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_service_account.caller["price"]
  override_during = plan
  values = {
    email  = "call-price@test-project.iam.gserviceaccount.com"
    id     = "projects/test-project/serviceAccounts/call-price@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:call-price@test-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_service_account.caller["cost"]
  override_during = plan
  values = {
    email  = "call-cost@test-project.iam.gserviceaccount.com"
    id     = "projects/test-project/serviceAccounts/call-cost@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:call-cost@test-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_service_account.caller["fifteen_min_job"]
  override_during = plan
  values = {
    email  = "call-fifteen-min-job@test-project.iam.gserviceaccount.com"
    id     = "projects/test-project/serviceAccounts/call-fifteen-min-job@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:call-fifteen-min-job@test-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = google_service_account.caller["rebalance"]
  override_during = plan
  values = {
    email  = "call-rebalance@test-project.iam.gserviceaccount.com"
    id     = "projects/test-project/serviceAccounts/call-rebalance@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:call-rebalance@test-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target          = module.job["balance"].google_cloudfunctions2_function.this
  override_during = plan
  values = {
    service_config = {
      uri     = "https://balance-a1b2c3d4e5-as.a.run.app"
      service = "projects/test-project/locations/asia-southeast1/services/balance"
    }
  }
}

override_resource {
  target          = module.job["price"].google_cloudfunctions2_function.this
  override_during = plan
  values = {
    service_config = {
      uri     = "https://price-a1b2c3d4e5-as.a.run.app"
      service = "projects/test-project/locations/asia-southeast1/services/price"
    }
  }
}

override_resource {
  target          = module.job["cost"].google_cloudfunctions2_function.this
  override_during = plan
  values = {
    service_config = {
      uri     = "https://cost-a1b2c3d4e5-as.a.run.app"
      service = "projects/test-project/locations/asia-southeast1/services/cost"
    }
  }
}

override_resource {
  target          = module.job["fifteen_min_job"].google_cloudfunctions2_function.this
  override_during = plan
  values = {
    service_config = {
      uri     = "https://fifteen-min-job-a1b2c3d4e5-as.a.run.app"
      service = "projects/test-project/locations/asia-southeast1/services/fifteen-min-job"
    }
  }
}

override_resource {
  target          = module.job["rebalance"].google_cloudfunctions2_function.this
  override_during = plan
  values = {
    service_config = {
      uri     = "https://rebalance-a1b2c3d4e5-as.a.run.app"
      service = "projects/test-project/locations/asia-southeast1/services/rebalance"
    }
  }
}

override_resource {
  target          = module.ops.google_cloudfunctions2_function.this
  override_during = plan
  values = {
    service_config = {
      uri     = "https://ops-a1b2c3d4e5-as.a.run.app"
      service = "projects/test-project/locations/asia-southeast1/services/ops"
    }
  }
}
