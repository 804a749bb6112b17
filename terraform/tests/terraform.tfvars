# What a bot takes from the rest of the deployment, for every test of modules/bot. The root has no variables of these names.

bot        = "qrl"
key_prefix = ""
journal    = { retention_days = 400, locked = false }
exchange_secrets = {
  mexc_api_key         = { id = "projects/test-project/secrets/mexc-api-key", secret_id = "mexc-api-key" }
  mexc_secret_key      = { id = "projects/test-project/secrets/mexc-secret-key", secret_id = "mexc-secret-key" }
  read_mexc_api_key    = { id = "projects/test-project/secrets/read-mexc-api-key", secret_id = "read-mexc-api-key" }
  read_mexc_secret_key = { id = "projects/test-project/secrets/read-mexc-secret-key", secret_id = "read-mexc-secret-key" }
}
foundation = {
  project_number        = "123456789012"
  build_service_account = "projects/test-project/serviceAccounts/qrl-bot-build@test-project.iam.gserviceaccount.com"
  docker_repository     = "projects/test-project/locations/asia-southeast1/repositories/qrl-bot"
  channels              = ["projects/test-project/notificationChannels/1"]
  network               = { connector = "projects/test-project/locations/asia-southeast1/connectors/functions", network = "network", subnetwork = "subnetwork" }
  redis                 = { id = "projects/test-project/locations/asia-southeast1/instances/store", host = "10.1.2.3", port = 6378, ca = "CA ONE\nCA TWO" }
  redis_secret          = { id = "projects/test-project/secrets/redis-auth", secret_id = "redis-auth", version = "7" }
  sources = {
    balance         = { bucket = "sources", name = "balance-0123456789abcdef.zip" }
    cost            = { bucket = "sources", name = "cost-0123456789abcdef.zip" }
    fifteen_min_job = { bucket = "sources", name = "fifteen_min_job-0123456789abcdef.zip" }
    ops             = { bucket = "sources", name = "ops-0123456789abcdef.zip" }
    price           = { bucket = "sources", name = "price-0123456789abcdef.zip" }
    rebalance       = { bucket = "sources", name = "rebalance-0123456789abcdef.zip" }
  }
}
