output "egress_address" {
  description = "The address the exchange sees."
  value       = local.egress_address.address
}

output "exchange_secrets" {
  description = "Exchange key => part => its secret."
  value = { for key in var.exchange_keys : key => {
    for part in local.parts : part => {
      id        = google_secret_manager_secret.exchange["${key}/${part}"].id
      secret_id = google_secret_manager_secret.exchange["${key}/${part}"].secret_id
    }
  } }
}

output "for_bots" {
  description = "What every bot stands on."
  value = {
    project_number        = data.google_project.this.number
    build_service_account = google_service_account.build.id
    docker_repository     = google_artifact_registry_repository.images.id
    channels              = local.channels
    sources               = { for key, object in google_storage_bucket_object.bundle : key => { bucket = object.bucket, name = object.name } }
    network = {
      connector  = one(google_vpc_access_connector.functions[*].id)
      network    = google_compute_network.bot.id
      subnetwork = google_compute_subnetwork.functions.id
    }
    redis = {
      id   = google_redis_instance.store.id
      host = google_redis_instance.store.host
      port = google_redis_instance.store.port
      ca   = local.redis_ca
    }
    redis_secret = {
      id        = google_secret_manager_secret.redis_auth.id
      secret_id = google_secret_manager_secret.redis_auth.secret_id
      version   = google_secret_manager_secret_version.redis_auth.version
    }
  }

  # A function that is built before its builder's grants are seen, or called before it can reach the exchange, fails obscurely.
  depends_on = [time_sleep.build_grants, google_compute_router_nat.bot]
}

output "redis" {
  description = "The store: instance, host and port."
  value = {
    instance = google_redis_instance.store.name
    host     = google_redis_instance.store.host
    port     = google_redis_instance.store.port
  }
}

output "redis_ca" {
  description = "Authorities of the store's certificate."
  value       = local.redis_ca
}
