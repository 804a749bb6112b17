# Tier, TLS, AUTH and network cannot be changed without losing what is stored: they are right from the first day.
resource "google_redis_instance" "store" {
  name               = "${var.prefix}qrl-bot"
  display_name       = "Bots"
  region             = var.region
  tier               = var.redis.tier
  memory_size_gb     = var.redis.memory_gb
  redis_version      = "REDIS_7_2"
  authorized_network = google_compute_network.bot.id
  connect_mode       = "DIRECT_PEERING"
  labels             = var.labels

  auth_enabled            = true
  transit_encryption_mode = "SERVER_AUTHENTICATION"

  # The platform's default, volatile-lru, evicts leases and run marks; allkeys-* would evict the ledger.
  redis_configs = { "maxmemory-policy" = "noeviction" }

  persistence_config {
    persistence_mode    = "RDB"
    rdb_snapshot_period = "ONE_HOUR"
  }
  maintenance_policy {
    weekly_maintenance_window {
      day = "SUNDAY" # UTC
      start_time {
        hours   = 18
        minutes = 0
        seconds = 0
        nanos   = 0
      }
    }
  }

  # The provider protects an instance only when told so.
  deletion_protection = var.deletion_protection
  lifecycle {
    prevent_destroy = true
  }
}

locals {
  # Two authorities overlap while one succeeds the other, so all of them are trusted.
  redis_ca = join("\n", google_redis_instance.store.server_ca_certs[*].cert)
}
