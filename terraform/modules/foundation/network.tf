# Functions reach Redis and the exchange through this network; the exchange sees one address, to which its key is bound.

locals {
  # Direct VPC egress takes addresses in blocks of 16, up to two a running instance, and wants /26 at least.
  subnet_range = var.egress.mode == "direct" ? "10.8.1.0/24" : "10.8.0.0/28"

  egress_address = var.egress.address_name == null ? google_compute_address.egress[0] : data.google_compute_address.egress[0]
}

resource "google_compute_network" "bot" {
  name                    = "${var.prefix}qrl-bot"
  auto_create_subnetworks = false

  depends_on = [time_sleep.services]
}

# Google's own services are reached privately too, since all traffic of the functions goes through here.
resource "google_compute_subnetwork" "functions" {
  #checkov:skip=CKV_GCP_26:Flow logs are charged by the GiB; NAT errors are logged, and nothing but the functions lives here
  name                     = "${var.prefix}qrl-bot-${var.egress.mode}"
  network                  = google_compute_network.bot.id
  region                   = var.region
  ip_cidr_range            = local.subnet_range
  private_ip_google_access = true

  lifecycle {
    create_before_destroy = true # a change of egress.mode
  }
}

# Nothing listens in this network but Redis, which is reached by peering and needs no rule.
resource "google_compute_firewall" "deny_ingress" {
  name      = "${var.prefix}qrl-bot-deny-ingress"
  network   = google_compute_network.bot.id
  direction = "INGRESS"
  priority  = 65000

  source_ranges = ["0.0.0.0/0"]
  deny {
    protocol = "all"
  }
}

# Connectors are reached by the platform's own, higher, rules.
resource "google_vpc_access_connector" "functions" {
  count = var.egress.mode == "connector" ? 1 : 0

  name          = "${var.prefix}qrl-bot"
  region        = var.region
  machine_type  = "e2-micro"
  min_instances = 2
  max_instances = var.connector_max_instances

  subnet {
    name = google_compute_subnetwork.functions.name
  }

  # On a change to Direct VPC egress the functions leave it first: without this it goes while they still use it.
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_address" "egress" {
  count = var.egress.address_name == null ? 1 : 0

  name        = "${var.prefix}qrl-bot-egress"
  region      = var.region
  description = "What the exchange sees; its API key is bound to it"
  labels      = var.labels

  # The exchange key is bound to it: losing it means making a new key.
  lifecycle {
    prevent_destroy       = true
    create_before_destroy = true
  }

  depends_on = [time_sleep.services]
}

data "google_compute_address" "egress" {
  count = var.egress.address_name == null ? 0 : 1

  name   = var.egress.address_name
  region = var.region
}

resource "google_compute_router" "bot" {
  name    = "${var.prefix}qrl-bot"
  network = google_compute_network.bot.id
  region  = var.region
}

resource "google_compute_router_nat" "bot" {
  name                               = "${var.prefix}qrl-bot"
  router                             = google_compute_router.bot.name
  region                             = var.region
  nat_ip_allocate_option             = "MANUAL_ONLY"
  nat_ips                            = [local.egress_address.self_link]
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES" # while egress.mode changes there are two

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}
