# Network, store and journal.

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

run "everything_leaves_through_the_reserved_address" {
  command = plan

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
    condition     = one(google_compute_router_nat.bot.subnetwork).name == google_compute_subnetwork.functions.id && google_compute_subnetwork.functions.private_ip_google_access
    error_message = "The functions' subnet goes through NAT, and reaches Google privately."
  }
  assert {
    condition = google_vpc_access_connector.functions[0].subnet[0].name == google_compute_subnetwork.functions.name && endswith(google_compute_subnetwork.functions.ip_cidr_range, "/28") && alltrue([
      for function in concat(values(module.job), [module.ops]) :
      function.function.service_config[0].vpc_connector == google_vpc_access_connector.functions[0].id &&
      function.function.service_config[0].vpc_connector_egress_settings == "ALL_TRAFFIC" &&
      length(function.function.service_config[0].direct_vpc_network_interface) == 0
    ])
    error_message = "Every function sends all traffic through the connector, which has a /28 of its own."
  }
  assert {
    condition     = google_vpc_access_connector.functions[0].machine_type == "e2-micro" && google_vpc_access_connector.functions[0].min_instances == 2
    error_message = "The smallest connector."
  }
}

run "direct_egress_keeps_an_instance_warm_and_needs_no_connector" {
  command = plan

  variables {
    egress = { mode = "direct" }
  }
  assert {
    condition = length(google_vpc_access_connector.functions) == 0 && alltrue([
      for function in concat(values(module.job), [module.ops]) :
      function.function.service_config[0].vpc_connector == null &&
      function.function.service_config[0].direct_vpc_egress == "VPC_EGRESS_ALL_TRAFFIC" &&
      one(function.function.service_config[0].direct_vpc_network_interface).subnetwork == google_compute_subnetwork.functions.id &&
      function.function.service_config[0].min_instance_count == 1
    ])
    error_message = "Direct VPC egress, all of it, with an instance kept warm."
  }
  assert {
    condition     = tonumber(split("/", google_compute_subnetwork.functions.ip_cidr_range)[1]) <= 26
    error_message = "Direct VPC egress needs a /26 at least."
  }
}

run "an_address_known_to_the_exchange_can_be_kept" {
  command = plan

  variables {
    egress = { address_name = "mexc-egress" }
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

  assert {
    condition     = google_redis_instance.store.auth_enabled && google_redis_instance.store.transit_encryption_mode == "SERVER_AUTHENTICATION"
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

  variables {
    redis               = { tier = "STANDARD_HA", memory_gb = 5 }
    deletion_protection = false
  }
  assert {
    condition     = google_redis_instance.store.tier == "STANDARD_HA" && google_redis_instance.store.memory_size_gb == 5 && google_redis_instance.store.deletion_protection == false
    error_message = "Tier, size and protection follow their variables."
  }
}

run "the_journal_takes_exactly_the_journal_and_cannot_be_deleted" {
  command = plan

  assert {
    condition     = strcontains(google_logging_project_sink.journal.filter, "jsonPayload.event=(\"journal.fill\" OR \"journal.inception\" OR \"journal.intent\" OR \"journal.plan\")\n") && strcontains(google_logging_project_sink.journal.filter, "resource.labels.service_name=(")
    error_message = "The sink takes fills, intents, plans and the inception of this bot."
  }
  assert {
    condition     = google_logging_project_sink.journal.destination == "storage.googleapis.com/test-project-qrl-bot-journal" && google_logging_project_sink.journal.unique_writer_identity
    error_message = "They go to the journal's bucket, written by an account of the sink's own."
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
    condition     = google_storage_bucket.journal.retention_policy[0].retention_period == "34560000" && !google_storage_bucket.journal.force_destroy && google_storage_bucket.journal.public_access_prevention == "enforced" && google_storage_bucket.journal.uniform_bucket_level_access
    error_message = "Nobody deletes, alters or publishes the journal."
  }
  assert {
    condition     = module.ops.function.service_config[0].environment_variables["JOURNAL_BUCKET"] == "test-project-qrl-bot-journal"
    error_message = "restore has to know where the journal lies."
  }
}
