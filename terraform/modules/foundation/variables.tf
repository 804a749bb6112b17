# Checked where they are given: variables.tf of the root.

variable "audit_logs" {
  description = "Whether data access is logged."
  type        = bool
}

variable "budget" {
  description = "The project's monthly budget, or null."
  type        = object({ billing_account = string, amount = number, currency = optional(string) })
}

variable "connector_max_instances" {
  description = "Most instances of the connector."
  type        = number
}

variable "deletion_protection" {
  description = "Whether the provider refuses to delete the store."
  type        = bool
}

variable "egress" {
  description = "connector or direct, and the name of an address that is there already, or null."
  type        = object({ mode = string, address_name = optional(string) })
}

variable "exchange_keys" {
  description = "Names of the exchange keys, each with its secrets."
  type        = set(string)
}

variable "labels" {
  description = "Labels."
  type        = map(string)
}

variable "notification_channels" {
  description = "Where alerts go."
  type        = map(object({ type = string, labels = map(string) }))
}

variable "prefix" {
  description = "Put before every name, with its dash."
  type        = string
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "redis" {
  description = "Tier and size of the store."
  type        = object({ tier = string, memory_gb = number })
}

variable "region" {
  description = "Region."
  type        = string
}
