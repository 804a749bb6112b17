# Every archive holds what the rule admits; its name changes with its content.

mock_provider "google" {
  source          = "./tests/mocks/foundation"
  override_during = plan
}
mock_provider "archive" {}
mock_provider "time" {}

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

run "archives_hold_what_the_rule_admits_with_the_content_of_the_checkout" {
  command = plan

  module {
    source = "./modules/foundation"
  }

  assert {
    condition     = alltrue([for key, archive in data.archive_file.bundle : { for source in archive.source : source.filename => source.content } == { for path, source in module.bundle[key].files : path => file("../${source}") }])
    error_message = "An archive differs from the rule's files."
  }
  assert {
    condition     = alltrue([for key, bundle in module.bundle : bundle.files["main.py"] == "functions/${key}/main.py" && contains(keys(bundle.files), "requirements.txt")])
    error_message = "An archive's main.py is another function's."
  }
  assert {
    condition     = alltrue([for bundle in module.bundle : alltrue([for path in keys(bundle.files) : contains(["main.py", "requirements.txt"], path) || can(regex("^common/([^/]+/)*([^/]+[.]py|py[.]typed)$", path))])])
    error_message = "Something else is shipped."
  }
}

run "functions_run_their_own_archive_named_by_its_content" {
  command = plan

  module {
    source = "./modules/foundation"
  }

  assert {
    condition     = jsonencode({ for key, source in output.for_bots.sources : key => [source.bucket, source.name] }) == jsonencode({ for key in ["balance", "cost", "fifteen_min_job", "ops", "price", "rebalance"] : key => ["test-project-qrl-bot-source", "${key}-${substr(module.bundle[key].hash, 0, 16)}.zip"] })
    error_message = "A function runs another archive, or one whose name does not follow its content."
  }
  assert {
    condition     = alltrue([for key, object in google_storage_bucket_object.bundle : object.source == data.archive_file.bundle[key].output_path])
    error_message = "An object carries another function's archive."
  }
  assert {
    condition     = google_storage_bucket.source.public_access_prevention == "enforced" && google_storage_bucket.source.uniform_bucket_level_access
    error_message = "Sources are not public."
  }
}
