# What a bot may say for itself is checked here, the rest in variables.tf of the root.

variable "bot" {
  description = "Its name."
  type        = string
}

variable "exchange_secrets" {
  description = "Part of its exchange key => the secret."
  type        = map(object({ id = string, secret_id = string }))
}

variable "extra_audiences" {
  description = "Further token audiences."
  type        = list(string)
}

variable "foundation" {
  description = "What it stands on: the foundation's output for_bots."
  type = object({
    project_number        = string
    build_service_account = string
    docker_repository     = string
    channels              = list(string)
    sources               = map(object({ bucket = string, name = string }))
    network               = object({ connector = string, network = string, subnetwork = string })
    redis                 = object({ id = string, host = string, port = number, ca = string })
    redis_secret          = object({ id = string, secret_id = string, version = string })
  })
}

variable "jobs_paused" {
  description = "Jobs whose schedule is paused."
  type        = set(string)

  validation {
    condition     = length(setsubtract(var.jobs_paused, [for key, row in module.jobs.functions : key if row.schedule != null])) == 0
    error_message = "jobs_paused names jobs: balance, price, cost, fifteen_min_job, rebalance."
  }
}

variable "journal" {
  description = "How long its journal is kept, and whether that is locked."
  type        = object({ retention_days = number, locked = bool })
}

variable "key_prefix" {
  description = "Goes before its keys in the store."
  type        = string
}

variable "labels" {
  description = "Labels."
  type        = map(string)
}

variable "log_level" {
  description = "Least severe level that is logged."
  type        = string
}

variable "mexc_base_url" {
  description = "The exchange."
  type        = string
}

variable "mexc_key_created" {
  description = "Day its trading key was made, or null."
  type        = string
}

variable "name_prefix" {
  description = "Put before every name, with its dash; the bot's own name comes after it."
  type        = string
}

variable "operators" {
  description = "IAM members that may call its ops."
  type        = set(string)

  validation {
    condition     = length(var.operators) > 0
    error_message = "operators names at least one account: without it nobody can pause the bot."
  }
  validation {
    condition     = alltrue([for member in var.operators : can(regex("^(user|serviceAccount):[^@:, ]+@[a-z0-9.-]+$", member))])
    error_message = "Each of operators is user:e-mail or serviceAccount:e-mail."
  }
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

variable "secret_versions" {
  description = "Pinned versions of its exchange key's parts."
  type = object({
    mexc_api_key         = optional(number)
    mexc_secret_key      = optional(number)
    read_mexc_api_key    = optional(number)
    read_mexc_secret_key = optional(number)
  })
}

variable "settings" {
  description = "Further settings, as environment variables."
  type        = map(string)

  validation {
    condition     = length(setsubtract(keys(var.settings), local.known_settings)) == 0
    error_message = "The bot does not know, and would trade without, the settings ${join(", ", setsubtract(keys(var.settings), local.known_settings))}."
  }
  validation {
    condition     = length(setintersection(keys(var.settings), local.reserved_settings)) == 0
    error_message = "This configuration sets itself, by variables of its own: ${join(", ", setintersection(keys(var.settings), local.reserved_settings))}."
  }
  validation {
    condition     = length(setintersection(keys(var.settings), local.secret_settings)) == 0
    error_message = "Variables lie in the state in plain text, which nothing secret may: ${join(", ", setintersection(keys(var.settings), local.secret_settings))}."
  }
}

variable "trading" {
  description = "What it keeps and how."
  type = object({
    symbol            = string
    target_ratio      = number
    min_notional_usdt = number
    threshold_pct     = string
    execution_mode    = string
  })

  validation {
    condition     = can(regex("^[A-Z0-9]{2,20}USDT$", var.trading.symbol))
    error_message = "A symbol is a USDT pair in capitals, e.g. QRLUSDT."
  }
  validation {
    condition     = var.trading.target_ratio > 0 && var.trading.target_ratio < 1
    error_message = "A target_ratio lies between 0 and 1."
  }
  validation {
    condition     = var.trading.min_notional_usdt > 0
    error_message = "A min_notional_usdt is above 0."
  }
  validation {
    condition     = var.trading.threshold_pct == "auto" || try(tonumber(var.trading.threshold_pct) >= 0 && tonumber(var.trading.threshold_pct) < 1, false)
    error_message = "A threshold_pct is auto or a fraction, from 0 to below 1 (0.01 = 1 %)."
  }
  validation {
    condition     = contains(["plan", "test", "live"], var.trading.execution_mode)
    error_message = "An execution_mode is plan, test or live."
  }
}
