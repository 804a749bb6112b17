# --- who the functions run as: one account each, with no role in the project ---------------------------

resource "google_service_account" "function" {
  for_each = module.jobs.functions

  account_id   = "${local.prefix}run-${replace(each.key, "_", "-")}"
  display_name = "Runs ${local.names[each.key]}"
}

# --- who the scheduler calls as: one account a job, allowed to invoke that job's service and nothing else (modules/function) ---

resource "google_service_account" "caller" {
  for_each = local.jobs

  account_id   = "${local.prefix}call-${replace(each.key, "_", "-")}"
  display_name = "Calls ${local.names[each.key]}"
}
