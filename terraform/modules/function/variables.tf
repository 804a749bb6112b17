variable "build_service_account" {
  description = "Account that builds it, as projects/…/serviceAccounts/…."
  type        = string
}

variable "cpu" {
  description = "vCPU."
  type        = string
}

variable "description" {
  description = "What it does."
  type        = string
}

variable "docker_repository" {
  description = "Where its image is kept, as projects/…/locations/…/repositories/…."
  type        = string
}

variable "entry_point" {
  description = "Name of the function in main.py."
  type        = string
}

variable "environment" {
  description = "Environment variables, none of them secret."
  type        = map(string)
}

variable "ingress" {
  description = "ALLOW_INTERNAL_ONLY or ALLOW_ALL."
  type        = string
}

variable "invokers" {
  description = "IAM members that may invoke it; nobody else may."
  type        = set(string)

  validation {
    condition     = length(setintersection(var.invokers, ["allUsers", "allAuthenticatedUsers"])) == 0
    error_message = "A function open to everybody would accept forged tokens: the platform must check the caller."
  }
}

variable "labels" {
  description = "Labels."
  type        = map(string)
}

variable "memory" {
  description = "Memory."
  type        = string
}

variable "name" {
  description = "Name, in kebab-case so that the Cloud Run service beneath has the same."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name))
    error_message = "A function's name is kebab-case."
  }
}

variable "network" {
  description = "The connector, or null for Direct VPC egress over network and subnetwork."
  type = object({
    connector  = string
    network    = string
    subnetwork = string
  })
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "runtime" {
  description = "Python runtime."
  type        = string
}

variable "secrets" {
  description = "Environment variable => secret and pinned version."
  type        = map(object({ secret = string, version = string }))

  validation {
    condition     = alltrue([for secret in var.secrets : secret.version != "latest"])
    error_message = "Secret versions are pinned: latest is read again only by a new instance."
  }
}

variable "service_account" {
  description = "E-mail of the account it runs as."
  type        = string
}

variable "source_object" {
  description = "The archive."
  type        = object({ bucket = string, name = string })
}

variable "timeout" {
  description = "Seconds."
  type        = number
}

variable "warm" {
  description = "Whether one instance is kept running with Direct VPC egress, where a new one is slow to connect."
  type        = bool
}
