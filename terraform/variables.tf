variable "budget" {
  description = "Monthly budget of the project: e-mails the billing administrators at 50, 90 and 100 %, and when the forecast passes 100 %. None when null."
  type = object({
    billing_account = string
    amount          = number
    currency        = optional(string, "USD")
  })
  default = null

  validation {
    condition     = var.budget == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account))
    error_message = "budget.billing_account looks like 012345-6789AB-CDEF01."
  }
  validation {
    condition     = var.budget == null || try(var.budget.amount >= 1 && floor(var.budget.amount) == var.budget.amount, false)
    error_message = "budget.amount is a whole number of at least 1."
  }
}

variable "connector_max_instances" {
  description = "Most instances of the VPC connector; two always run and are paid for."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = contains(range(3, 11), var.connector_max_instances)
    error_message = "connector_max_instances is a whole number from 3 to 10."
  }
}

variable "deletion_protection" {
  description = "Whether the provider refuses to delete the store. It is under prevent_destroy beside that."
  type        = bool
  default     = true
  nullable    = false
}

variable "egress" {
  description = <<-EOT
    How functions leave to the exchange, always through one reserved address.
    "connector" (default): a Serverless VPC Access connector; two e2-micro instances, about 12 to 14 USD a month.
    "direct": Direct VPC egress; no connector to pay, but behind Cloud NAT a new instance may wait 30 s and more for its
    first connection, so every function keeps one instance warm, which costs more than the connector.
    address_name: an address already reserved in this region and known to the exchange, instead of a new one.
  EOT
  type = object({
    mode         = optional(string, "connector")
    address_name = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["connector", "direct"], var.egress.mode)
    error_message = "egress.mode is connector or direct."
  }
  validation {
    condition     = var.egress.address_name == null || can(regex("^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$", var.egress.address_name))
    error_message = "egress.address_name is the name of an address resource, not the address itself."
  }
}

variable "extra_audiences" {
  description = "Further token audiences every function admits, as exact https URLs. Needed only when an apply stops because a function's own URL is not among those it was told (functions.tf)."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for audience in var.extra_audiences : can(regex("^https://[a-z0-9.-]+\\.run\\.app$", audience))])
    error_message = "Each of extra_audiences is an exact https://….run.app URL without a path."
  }
}

variable "jobs_paused" {
  description = "Jobs whose schedule exists but does not fire. rebalance is part of fifteen_min_job already; its own schedule starts paused."
  type        = set(string)
  default     = ["rebalance"]
  nullable    = false

  validation {
    condition     = length(setsubtract(var.jobs_paused, ["balance", "price", "cost", "fifteen_min_job", "rebalance"])) == 0
    error_message = "jobs_paused names jobs: balance, price, cost, fifteen_min_job, rebalance."
  }
}

variable "journal_retention_days" {
  description = "How long nobody can delete a line of the journal (fills, intents, plans). Nothing deletes it afterwards either."
  type        = number
  default     = 400
  nullable    = false

  validation {
    condition     = var.journal_retention_days >= 30 && var.journal_retention_days <= 3650 && floor(var.journal_retention_days) == var.journal_retention_days
    error_message = "journal_retention_days is a whole number from 30 (the exchange's own memory of trades) to 3650."
  }
}

variable "labels" {
  description = "Labels put on everything that takes them, beside app."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Labels are lower-case letters, digits, - and _, at most 63 of them, the key starting with a letter."
  }
  validation {
    condition     = !contains(keys(var.labels), "app")
    error_message = "The label app is set by this configuration."
  }
}

variable "log_level" {
  description = "Least severe level that is logged."
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["DEBUG", "INFO"], var.log_level)
    error_message = "log_level is DEBUG or INFO: above that the line job.finished is not written, and with it go every metric and alert."
  }
}

variable "mexc_base_url" {
  description = "The exchange."
  type        = string
  default     = "https://api.mexc.com"
  nullable    = false

  validation {
    condition     = can(regex("^https://[a-z0-9.-]+$", var.mexc_base_url))
    error_message = "mexc_base_url is https://host without a path."
  }
}

variable "mexc_key_created" {
  description = "Day the trading key was made, YYYY-MM-DD: the bot warns before its 90 days are over. `deploy.sh secrets` sets it."
  type        = string
  default     = null

  validation {
    condition     = var.mexc_key_created == null || can(formatdate("YYYY", "${var.mexc_key_created}T00:00:00Z"))
    error_message = "mexc_key_created is a date, YYYY-MM-DD."
  }
}

variable "name_prefix" {
  description = "Put before every resource's name, with a dash, so that several deployments can share a project. Give each its own redis.key_prefix only if they share an instance."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.name_prefix == "" || can(regex("^[a-z][a-z0-9]{0,7}$", var.name_prefix))
    error_message = "name_prefix is up to 8 lower-case letters and digits, starting with a letter."
  }
}

variable "notification_channels" {
  description = "Where alerts go, by name: type and labels as Cloud Monitoring knows them, e.g. { me = { type = \"email\", labels = { email_address = \"me@example.com\" } } }. Channels that need a secret are made by hand."
  type = map(object({
    type   = string
    labels = map(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for channel in var.notification_channels : contains(["email", "pubsub", "sms"], channel.type)])
    error_message = "notification_channels are of type email, sms or pubsub: the others carry a secret, which must not lie in a variable."
  }
}

variable "operators" {
  description = "Who may call ops, as IAM members: user:me@example.com or serviceAccount:name@project.iam.gserviceaccount.com. Groups cannot be checked by e-mail and are refused."
  type        = set(string)
  nullable    = false

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
  description = "Google Cloud project, already linked to a billing account."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is 6 to 30 lower-case letters, digits and dashes, not the project's number or name."
  }
}

variable "redis" {
  description = <<-EOT
    The store. Prices a month in us-central1; Singapore is dearer.
    tier BASIC: one node, 35.77 USD for 1 GB (98.55 for 5 GB); STANDARD_HA: a replica and fail-over, 46.72 USD for 1 GB
    (197.10 for 5 GB). The bot's data is bounded and fits 1 GB. memory_gb can be changed in place; a change of tier makes a
    new, empty instance and is refused while the old one is protected.
    key_prefix goes before every key (REDIS_KEY_PREFIX).
  EOT
  type = object({
    tier       = optional(string, "BASIC")
    memory_gb  = optional(number, 1)
    key_prefix = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["BASIC", "STANDARD_HA"], var.redis.tier)
    error_message = "redis.tier is BASIC or STANDARD_HA."
  }
  validation {
    condition     = contains(range(1, 301), var.redis.memory_gb)
    error_message = "redis.memory_gb is a whole number from 1 to 300."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9:_-]{0,40}$", var.redis.key_prefix))
    error_message = "redis.key_prefix is up to 40 letters, digits and : _ -."
  }
}

variable "region" {
  description = "Region of everything. It must have Cloud Functions, Cloud Scheduler and Memorystore."
  type        = string
  default     = "asia-southeast1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is a region such as asia-southeast1, not a zone."
  }
}

variable "runtime" {
  description = "Python runtime of the functions; python313 is supported until 2029-10."
  type        = string
  default     = "python313"
  nullable    = false

  validation {
    condition     = contains(["python311", "python312", "python313", "python314"], var.runtime)
    error_message = "runtime is python311, python312, python313 or python314."
  }
}

variable "secret_versions" {
  description = <<-EOT
    Pinned versions of the secrets the operator adds (`deploy.sh secrets` adds them and writes this down). A pair that is
    null is not handed to any function: the bot then answers "API keys not configured". The read_ pair is for ops and
    belongs to an exchange key that can read only; ops never sees the trading key.
  EOT
  type = object({
    mexc_api_key         = optional(number)
    mexc_secret_key      = optional(number)
    read_mexc_api_key    = optional(number)
    read_mexc_secret_key = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for version in values(var.secret_versions) : version == null || try(version >= 1 && floor(version) == version, false)])
    error_message = "secret_versions are version numbers, 1 and up: a version is pinned, never latest."
  }
  validation {
    condition = (
      (var.secret_versions.mexc_api_key == null) == (var.secret_versions.mexc_secret_key == null) &&
      (var.secret_versions.read_mexc_api_key == null) == (var.secret_versions.read_mexc_secret_key == null)
    )
    error_message = "secret_versions come in pairs: the API key and its secret key."
  }
}

variable "settings" {
  description = "Further settings of the bot, as environment variables (README, table of settings). Not for secrets, and not for what this configuration sets itself."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.settings) : can(regex("^[A-Z][A-Z0-9_]{0,63}$", name))])
    error_message = "settings are named in capitals, digits and _, starting with a letter."
  }
  validation {
    condition     = length(setsubtract(keys(var.settings), jsondecode(file("${path.module}/settings.json")))) == 0
    error_message = "settings the bot does not know, and would trade without: ${join(", ", setsubtract(keys(var.settings), jsondecode(file("${path.module}/settings.json"))))}. Names: docs, table of settings."
  }
  validation {
    condition     = length(setintersection(keys(var.settings), local.reserved_settings)) == 0
    error_message = "settings collide with what this configuration sets itself: ${join(", ", setintersection(keys(var.settings), local.reserved_settings))}."
  }
  validation {
    condition     = alltrue([for name in keys(var.settings) : !can(regex("^(K_|X_GOOGLE_|FUNCTION_|GOOGLE_)|^PORT$|(SECRET|PASSWORD|TOKEN|REDIS_URL)", name))])
    error_message = "settings cannot hold what the platform sets (K_*, FUNCTION_*, GOOGLE_*, PORT) nor anything secret (*SECRET*, *PASSWORD*, *TOKEN*, REDIS_URL): variables lie in the state in plain text."
  }
}

variable "trading" {
  description = "What is kept and how: symbol, target_ratio (share of the base asset's value), min_notional_usdt and threshold_pct (smallest deviation worth trading, as a fraction of the whole), execution_mode plan | test | live. Only live places orders."
  type = object({
    symbol            = optional(string, "QRLUSDT")
    target_ratio      = optional(number, 0.5)
    min_notional_usdt = optional(number, 5)
    threshold_pct     = optional(number, 0.01)
    execution_mode    = optional(string, "plan")
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^[A-Z0-9]{2,20}USDT$", var.trading.symbol))
    error_message = "trading.symbol is a USDT pair in capitals, e.g. QRLUSDT."
  }
  validation {
    condition     = var.trading.target_ratio > 0 && var.trading.target_ratio < 1
    error_message = "trading.target_ratio lies between 0 and 1."
  }
  validation {
    condition     = var.trading.min_notional_usdt > 0
    error_message = "trading.min_notional_usdt is above 0."
  }
  validation {
    condition     = var.trading.threshold_pct >= 0 && var.trading.threshold_pct < 1
    error_message = "trading.threshold_pct is a fraction, from 0 to below 1 (0.01 = 1 %)."
  }
  validation {
    condition     = contains(["plan", "test", "live"], var.trading.execution_mode)
    error_message = "trading.execution_mode is plan, test or live."
  }
}
