variable "audit_logs" {
  description = "Whether reads and writes of secrets and buckets are written to the audit log, in the whole project. With another configuration that rules them, false."
  type        = bool
  default     = true
  nullable    = false
}

variable "bots" {
  description = <<-EOT
    The bots of this deployment, by a name of up to 8 letters and digits; each has its own functions, accounts, schedules,
    journal, dashboard and alerts. What is not given is that of trading, settings, jobs_paused and operators.
    The bot called qrl bears bare names (balance, price, …); another goes before every name of its own (btc-balance).
    key_prefix goes before its keys in the shared store: empty for qrl, "NAME:" for another, after redis.key_prefix.
    exchange_key is the key it trades with, by default one of its own name. Two bots with one key see the same account, and
    each takes all its USDT for its own: give each a sub-account, or a usdt_reserve for what is the other's.
  EOT
  type = map(object({
    symbol            = optional(string)
    target_ratio      = optional(number)
    min_notional_usdt = optional(number)
    threshold_pct     = optional(string)
    execution_mode    = optional(string)
    settings          = optional(map(string), {})
    jobs_paused       = optional(set(string))
    operators         = optional(set(string))
    key_prefix        = optional(string)
    exchange_key      = optional(string)
  }))
  default  = { qrl = {} }
  nullable = false

  validation {
    condition     = length(var.bots) > 0 && alltrue([for bot in keys(var.bots) : can(regex("^[a-z][a-z0-9]{0,7}$", bot))])
    error_message = "bots are named in up to 8 lower-case letters and digits, starting with a letter; there is at least one."
  }
  validation {
    condition     = !contains(keys(var.bots), "read")
    error_message = "no bot is called read: its trading key would bear the name of qrl's read key."
  }
  validation {
    condition     = alltrue([for bot in keys(var.bots) : bot == "qrl" || length(var.name_prefix) + length(bot) <= 8])
    error_message = "name_prefix and a bot's name have 8 letters and digits together at most: an account's id has 30."
  }
  validation {
    condition     = alltrue([for bot in values(var.bots) : bot.exchange_key == null || contains(keys(var.bots), coalesce(bot.exchange_key, "none"))])
    error_message = "exchange_key names a bot: the one whose key is shared."
  }
}

variable "budget" {
  description = "Monthly budget of the project: tells the billing administrators and the mail channels at 50, 90 and 100 %, and when the forecast passes 100 %. The currency is the billing account's, and need not be given. Whoever applies it needs billing.budgets.create on the billing account (roles/billing.costsManager). None when null."
  type = object({
    billing_account = string
    amount          = number
    currency        = optional(string)
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
  validation {
    condition     = try(var.budget.currency, null) == null || can(regex("^[A-Z]{3}$", var.budget.currency))
    error_message = "budget.currency is three capitals, and that of the billing account."
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
    "connector": a Serverless VPC Access connector; two e2-micro instances.
    "direct": Direct VPC egress; no connector to pay, but behind Cloud NAT a new instance may wait 30 s and more for its
    first connection, so the 15-minute job keeps one instance warm.
    null: as the profile says.
    address_name: an address already reserved in this region and known to the exchange, instead of a new one.
  EOT
  type = object({
    mode         = optional(string)
    address_name = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.egress.mode == null || contains(["connector", "direct"], coalesce(var.egress.mode, "none"))
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
  description = "Jobs of every bot whose schedule exists but does not fire, unless bots says otherwise. rebalance is part of fifteen_min_job already; its own schedule starts paused."
  type        = set(string)
  default     = ["rebalance"]
  nullable    = false
}

variable "journal_locked" {
  description = "Whether the journal's retention is locked: then nobody, its owner included, can shorten it or delete the bucket before its last line is that old. It cannot be undone."
  type        = bool
  default     = false
  nullable    = false
}

variable "journal_retention_days" {
  description = "How long no line of the journal (fills, intents, plans) can be deleted or replaced. Nothing deletes it afterwards either. As the profile says when null."
  type        = number
  default     = null

  validation {
    condition     = var.journal_retention_days == null || try(var.journal_retention_days >= 30 && var.journal_retention_days <= 3650 && floor(var.journal_retention_days) == var.journal_retention_days, false)
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
  description = "Day each trading key was made, YYYY-MM-DD, by the bot it is named for: the bot warns before its 90 days are over. `deploy.sh secrets` sets it."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for day in values(var.mexc_key_created) : can(formatdate("YYYY", "${day}T00:00:00Z"))])
    error_message = "mexc_key_created are dates, YYYY-MM-DD."
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
  validation {
    condition     = var.name_prefix != "read"
    error_message = "name_prefix is not read: the trading key would bear the name of the read key of a deployment without a prefix."
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
  description = "Who may call the ops of every bot, unless bots says otherwise, as IAM members: user:me@example.com or serviceAccount:name@project.iam.gserviceaccount.com. Groups cannot be checked by e-mail and are refused."
  type        = set(string)
  nullable    = false
}

variable "profile" {
  description = "What is provisioned where no variable of its own says otherwise: lean, durable or direct (profiles.tf; docs/operations.md, \"What it costs\")."
  type        = string
  default     = "lean"
  nullable    = false

  validation {
    condition     = contains(["lean", "durable", "direct"], var.profile)
    error_message = "profile is lean, durable or direct."
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
    The store. What is null is as the profile says.
    tier BASIC: one node; STANDARD_HA: a replica and fail-over. The bots' data is bounded and fits 1 GB. memory_gb can be
    changed in place; a change of tier makes a new, empty instance and is refused while the old one is protected.
    key_prefix goes before every key of every bot (REDIS_KEY_PREFIX).
  EOT
  type = object({
    tier       = optional(string)
    memory_gb  = optional(number)
    key_prefix = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.redis.tier == null || contains(["BASIC", "STANDARD_HA"], coalesce(var.redis.tier, "none"))
    error_message = "redis.tier is BASIC or STANDARD_HA."
  }
  validation {
    condition     = var.redis.memory_gb == null || contains(range(1, 301), coalesce(var.redis.memory_gb, 0))
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
    Pinned versions of the secrets the operator adds, by the bot the key is named for (`deploy.sh secrets` adds them and
    writes this down). A pair that is null is not handed to any function: the bot then answers "API keys not configured".
    The read_ pair is for ops and belongs to an exchange key that can read only; ops never sees the trading key.
  EOT
  type = map(object({
    mexc_api_key         = optional(number)
    mexc_secret_key      = optional(number)
    read_mexc_api_key    = optional(number)
    read_mexc_secret_key = optional(number)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for version in flatten([for pairs in values(var.secret_versions) : values(pairs)]) : version == null || try(version >= 1 && floor(version) == version, false)])
    error_message = "secret_versions are version numbers, 1 and up: a version is pinned, never latest."
  }
  validation {
    condition = alltrue([for pairs in values(var.secret_versions) :
      (pairs.mexc_api_key == null) == (pairs.mexc_secret_key == null) && (pairs.read_mexc_api_key == null) == (pairs.read_mexc_secret_key == null)
    ])
    error_message = "secret_versions come in pairs: the API key and its secret key."
  }
}

variable "settings" {
  description = "Further settings of every bot, as environment variables (README, table of settings). Not for secrets, and not for what this configuration sets itself."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "trading" {
  description = "What every bot keeps and how, unless bots says otherwise: symbol, target_ratio (share of the base asset's value), min_notional_usdt and threshold_pct (smallest deviation worth trading, as a fraction of the whole, or auto), execution_mode plan | test | live. Only live places orders."
  type = object({
    symbol            = optional(string, "QRLUSDT")
    target_ratio      = optional(number, 0.5)
    min_notional_usdt = optional(number, 5)
    threshold_pct     = optional(string, "0.01")
    execution_mode    = optional(string, "plan")
  })
  default  = {}
  nullable = false
}
