# Network, store, secrets, archives, channels.

mock_provider "google" {
  source          = "./tests/mocks/foundation"
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
  project_id              = "test-project"
  region                  = "asia-southeast1"
  prefix                  = ""
  labels                  = { app = "qrl-bot" }
  redis                   = { tier = "BASIC", memory_gb = 1 }
  deletion_protection     = true
  egress                  = { mode = "connector" }
  connector_max_instances = 3
  exchange_keys           = ["qrl"]
  notification_channels   = {}
  budget                  = null
  audit_logs              = true
}

run "everything_leaves_through_the_reserved_address" {
  command = plan

  module {
    source = "./modules/foundation"
  }

  override_resource {
    target          = google_compute_address.egress
    override_during = plan
    values          = { self_link = "https://compute/addresses/reserved", address = "203.0.113.7" }
  }
  assert {
    condition     = google_compute_router_nat.bot.nat_ip_allocate_option == "MANUAL_ONLY" && google_compute_router_nat.bot.nat_ips == toset(["https://compute/addresses/reserved"])
    error_message = "NAT uses the reserved address and no other."
  }
  assert {
    condition     = output.egress_address == "203.0.113.7"
    error_message = "The operator has to know the address."
  }
  assert {
    condition     = google_compute_router_nat.bot.source_subnetwork_ip_ranges_to_nat == "ALL_SUBNETWORKS_ALL_IP_RANGES" && google_compute_router_nat.bot.router == google_compute_router.bot.name && google_compute_router.bot.network == google_compute_network.bot.id
    error_message = "While the way out changes there are two subnets, and both go through NAT."
  }
  assert {
    condition     = google_compute_subnetwork.functions.private_ip_google_access && !google_compute_network.bot.auto_create_subnetworks && google_compute_subnetwork.functions.network == google_compute_network.bot.id
    error_message = "One subnet, which reaches Google privately."
  }
  assert {
    condition     = jsonencode([google_compute_firewall.deny_ingress.direction, google_compute_firewall.deny_ingress.source_ranges, one(google_compute_firewall.deny_ingress.deny).protocol, length(google_compute_firewall.deny_ingress.allow), google_compute_firewall.deny_ingress.disabled]) == jsonencode(["INGRESS", ["0.0.0.0/0"], "all", 0, null])
    error_message = "Nothing comes in."
  }
  assert {
    condition     = google_vpc_access_connector.functions[0].subnet[0].name == google_compute_subnetwork.functions.name && endswith(google_compute_subnetwork.functions.ip_cidr_range, "/28")
    error_message = "The connector has a /28 of its own."
  }
  assert {
    condition     = google_vpc_access_connector.functions[0].machine_type == "e2-micro" && google_vpc_access_connector.functions[0].min_instances == 2 && google_vpc_access_connector.functions[0].max_instances == 3
    error_message = "The smallest connector."
  }
  assert {
    condition     = output.for_bots.network.connector == google_vpc_access_connector.functions[0].id
    error_message = "Bots leave through it."
  }
}

run "direct_egress_needs_a_wide_subnet_and_no_connector" {
  command = plan

  module {
    source = "./modules/foundation"
  }

  variables {
    egress = { mode = "direct" }
  }
  assert {
    condition     = length(google_vpc_access_connector.functions) == 0 && output.for_bots.network == { connector = null, network = google_compute_network.bot.id, subnetwork = google_compute_subnetwork.functions.id }
    error_message = "Bots leave through the subnet itself."
  }
  assert {
    condition     = tonumber(split("/", google_compute_subnetwork.functions.ip_cidr_range)[1]) <= 26
    error_message = "Direct VPC egress needs a /26 at least."
  }
}

run "an_address_known_to_the_exchange_can_be_kept" {
  command = plan

  module {
    source = "./modules/foundation"
  }

  variables {
    egress = { mode = "connector", address_name = "mexc-egress" }
  }
  override_data {
    target          = data.google_compute_address.egress
    override_during = plan
    values          = { self_link = "https://compute/addresses/mexc-egress", address = "203.0.113.9" }
  }
  assert {
    condition     = length(google_compute_address.egress) == 0 && google_compute_router_nat.bot.nat_ips == toset(["https://compute/addresses/mexc-egress"]) && output.egress_address == "203.0.113.9"
    error_message = "The existing address is used and none is reserved."
  }
}

run "the_store_is_private_encrypted_durable_and_never_evicts" {
  command = plan

  module {
    source = "./modules/foundation"
  }

  assert {
    condition     = google_redis_instance.store.auth_enabled && google_redis_instance.store.transit_encryption_mode == "SERVER_AUTHENTICATION" && google_redis_instance.store.redis_version == "REDIS_7_2" && google_redis_instance.store.connect_mode == "DIRECT_PEERING"
    error_message = "TLS and AUTH from the first day: neither can be added without losing the data."
  }
  assert {
    condition     = google_redis_instance.store.redis_configs == tomap({ "maxmemory-policy" = "noeviction" })
    error_message = "The platform's default policy evicts leases."
  }
  assert {
    condition     = google_redis_instance.store.persistence_config[0].persistence_mode == "RDB" && google_redis_instance.store.persistence_config[0].rdb_snapshot_period == "ONE_HOUR"
    error_message = "Snapshots are off unless asked for."
  }
  assert {
    condition     = google_redis_instance.store.deletion_protection == true && length(google_redis_instance.store.maintenance_policy) == 1
    error_message = "Protection and maintenance are explicit."
  }
  assert {
    condition     = google_redis_instance.store.tier == "BASIC" && google_redis_instance.store.memory_size_gb == 1 && google_redis_instance.store.authorized_network == google_compute_network.bot.id
    error_message = "The smallest instance, in the bot's own network."
  }
}

run "tier_and_size_are_variables" {
  command = plan

  module {
    source = "./modules/foundation"
  }

  variables {
    redis               = { tier = "STANDARD_HA", memory_gb = 5 }
    deletion_protection = false
  }
  assert {
    condition     = google_redis_instance.store.tier == "STANDARD_HA" && google_redis_instance.store.memory_size_gb == 5 && google_redis_instance.store.deletion_protection == false
    error_message = "Tier, size and protection follow their variables."
  }
}

run "the_services_are_all_that_is_needed_and_outlive_the_bots" {
  command = plan

  module {
    source = "./modules/foundation"
  }

  assert {
    condition     = keys(google_project_service.required) == [for name in ["artifactregistry", "cloudbuild", "cloudfunctions", "cloudscheduler", "compute", "iam", "logging", "monitoring", "redis", "run", "secretmanager", "storage", "vpcaccess"] : "${name}.googleapis.com"]
    error_message = "A service is missing, or one is enabled for nothing."
  }
  assert {
    condition     = alltrue([for service in google_project_service.required : service.disable_on_destroy == false])
    error_message = "Taking the bots down must not take a service from the rest of the project."
  }
  assert {
    condition = jsonencode({ for service, config in google_project_iam_audit_config.access : service => sort([for log in config.audit_log_config : log.log_type]) }) == jsonencode({
      "secretmanager.googleapis.com" = ["DATA_READ", "DATA_WRITE"]
      "storage.googleapis.com"       = ["DATA_READ", "DATA_WRITE"]
    })
    error_message = "Who reads a secret or the journal is in the audit log."
  }
}

run "builds_may_write_images_and_read_sources_and_nothing_else" {
  command = plan

  module {
    source = "./modules/foundation"
  }

  assert {
    condition = jsonencode([
      [google_project_iam_member.build_logs.project, google_project_iam_member.build_logs.role, google_project_iam_member.build_logs.member, length(google_project_iam_member.build_logs.condition)],
      [google_artifact_registry_repository_iam_member.build_images.repository, google_artifact_registry_repository_iam_member.build_images.role, google_artifact_registry_repository_iam_member.build_images.member],
      [google_project_iam_member.build_sources.project, google_project_iam_member.build_sources.role, google_project_iam_member.build_sources.member, google_project_iam_member.build_sources.condition[0].expression],
      ]) == jsonencode([
      ["test-project", "roles/logging.logWriter", "serviceAccount:qrl-bot-build@test-project.iam.gserviceaccount.com", 0],
      ["qrl-bot", "roles/artifactregistry.writer", "serviceAccount:qrl-bot-build@test-project.iam.gserviceaccount.com"],
      ["test-project", "roles/storage.objectViewer", "serviceAccount:qrl-bot-build@test-project.iam.gserviceaccount.com", "resource.name.startsWith(\"projects/_/buckets/test-project-qrl-bot-source\") || resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-123456789012-\")"],
    ])
    error_message = "The build account may do more, or less, than build."
  }
  assert {
    condition     = jsonencode({ for policy in google_artifact_registry_repository.images.cleanup_policies : policy.id => [policy.action, try(policy.most_recent_versions[0].keep_count, null), try(policy.condition[0].older_than, null)] }) == jsonencode({ delete-the-rest = ["DELETE", null, "86400s"], keep-three = ["KEEP", 3, null] })
    error_message = "Three images of each function are kept, and no more."
  }
  assert {
    condition     = output.for_bots.docker_repository == google_artifact_registry_repository.images.id && output.for_bots.build_service_account == google_service_account.build.id
    error_message = "Bots are built by that account, into that repository."
  }
}

run "each_exchange_key_has_secrets_of_its_own" {
  command = plan

  module {
    source = "./modules/foundation"
  }

  variables {
    exchange_keys = ["qrl", "btc"]
    prefix        = "dev-"
  }
  assert {
    condition = jsonencode({ for key, secret in google_secret_manager_secret.exchange : key => secret.secret_id }) == jsonencode({
      "btc/mexc_api_key"         = "dev-btc-mexc-api-key"
      "btc/mexc_secret_key"      = "dev-btc-mexc-secret-key"
      "btc/read_mexc_api_key"    = "dev-btc-read-mexc-api-key"
      "btc/read_mexc_secret_key" = "dev-btc-read-mexc-secret-key"
      "qrl/mexc_api_key"         = "dev-mexc-api-key"
      "qrl/mexc_secret_key"      = "dev-mexc-secret-key"
      "qrl/read_mexc_api_key"    = "dev-read-mexc-api-key"
      "qrl/read_mexc_secret_key" = "dev-read-mexc-secret-key"
    })
    error_message = "Names of secrets are as agreed."
  }
  assert {
    condition     = jsonencode({ for key, parts in output.exchange_secrets : key => [for part, secret in parts : secret.secret_id] }) == jsonencode({ btc = ["dev-btc-mexc-api-key", "dev-btc-mexc-secret-key", "dev-btc-read-mexc-api-key", "dev-btc-read-mexc-secret-key"], qrl = ["dev-mexc-api-key", "dev-mexc-secret-key", "dev-read-mexc-api-key", "dev-read-mexc-secret-key"] })
    error_message = "A bot is given another key's secrets."
  }
  assert {
    condition     = nonsensitive(google_secret_manager_secret_version.redis_auth.secret_data == null) && google_secret_manager_secret_version.redis_auth.secret == "projects/test-project/secrets/redis-auth"
    error_message = "The AUTH string is written write-only, so that the state holds it once at most."
  }
  assert {
    condition     = alltrue([for name in [google_redis_instance.store.name, google_compute_network.bot.name, google_compute_address.egress[0].name, google_service_account.build.account_id, google_artifact_registry_repository.images.repository_id] : name == "dev-qrl-bot" || startswith(name, "dev-qrl-bot-")])
    error_message = "Two foundations in one project would collide."
  }
}

run "the_store_is_watched_and_what_is_spent_told" {
  command = plan

  module {
    source = "./modules/foundation"
  }

  variables {
    notification_channels = {
      ann  = { type = "email", labels = { email_address = "ann@example.com" } }
      desk = { type = "pubsub", labels = { topic = "projects/test-project/topics/desk" } }
    }
    budget = { billing_account = "012345-6789AB-CDEF01", amount = 80 }
  }
  assert {
    condition     = google_monitoring_notification_channel.bots["ann"].labels == tomap({ email_address = "ann@example.com" })
    error_message = "The channel is the one given."
  }
  assert {
    condition = jsonencode({ for key, policy in google_monitoring_alert_policy.redis : key => [for found in policy.conditions[0].condition_threshold : [
      policy.severity, found.filter, found.comparison, found.threshold_value, found.duration, one(found.aggregations).alignment_period, one(found.aggregations).per_series_aligner, policy.enabled, length(policy.notification_channels),
      ]] }) == jsonencode({
      redis-evictions = [["CRITICAL", "resource.type=\"redis_instance\" AND resource.labels.instance_id=\"projects/test-project/locations/asia-southeast1/instances/store\" AND metric.type=\"redis.googleapis.com/stats/evicted_keys\"", "COMPARISON_GT", 0, "0s", "300s", "ALIGN_DELTA", null, 2]]
      redis-memory    = [["ERROR", "resource.type=\"redis_instance\" AND resource.labels.instance_id=\"projects/test-project/locations/asia-southeast1/instances/store\" AND metric.type=\"redis.googleapis.com/stats/memory/usage_ratio\"", "COMPARISON_GT", 0.8, "0s", "300s", "ALIGN_MAX", null, 2]]
    })
    error_message = "Memory above 80 %, and any eviction, of this store, is told."
  }
  assert {
    condition     = google_billing_budget.bots[0].amount[0].specified_amount[0].units == "80" && google_billing_budget.bots[0].budget_filter[0].projects == toset(["projects/123456789012"]) && contains(keys(google_project_service.required), "billingbudgets.googleapis.com")
    error_message = "The budget is of this project."
  }
  assert {
    condition     = jsonencode([for rule in google_billing_budget.bots[0].threshold_rules : "${rule.threshold_percent} ${rule.spend_basis == null ? "spent" : rule.spend_basis}"]) == jsonencode(["0.5 spent", "0.9 spent", "1 spent", "1 FORECASTED_SPEND"])
    error_message = "At 50, 90 and 100 %, and when the forecast passes 100 %."
  }
  assert {
    condition     = google_billing_budget.bots[0].all_updates_rule[0].monitoring_notification_channels == tolist([google_monitoring_notification_channel.bots["ann"].id]) && google_billing_budget.bots[0].all_updates_rule[0].disable_default_iam_recipients != true
    error_message = "A budget takes mail channels only; the billing administrators are told too."
  }
}

run "without_a_budget_none_is_made" {
  command = plan

  module {
    source = "./modules/foundation"
  }

  assert {
    condition     = length(google_billing_budget.bots) == 0 && !contains(keys(google_project_service.required), "billingbudgets.googleapis.com")
    error_message = "No budget was asked for."
  }
}
