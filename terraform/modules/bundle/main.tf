# What a function's archive holds: rule.txt over a checkout. No provider, so that the rule can be tried out anywhere.
terraform {
  required_version = ">= 1.11, < 2"
}

variable "root" {
  description = "Folder of the checkout."
  type        = string
}

variable "function" {
  description = "The function's folder below functions/."
  type        = string
}

locals {
  lines = [for line in split("\n", file("${path.module}/rule.txt")) : trimspace(line)]
  rules = [
    for line in local.lines : zipmap(["from", "to", "files"], split(" ", replace(replace(line, "/\\s+/", " "), "{job}", var.function)))
    if line != "" && !startswith(line, "#")
  ]
  files = merge([
    for rule in local.rules : {
      for file in fileset("${var.root}/${rule.from}", rule.files) : trimprefix("${rule.to}/${file}", "./") => trimprefix("${rule.from}/${file}", "./")
    }
  ]...)
  missing = [for rule in local.rules : "${rule.from}/${rule.files}" if !startswith(rule.files, "**/") && !fileexists("${var.root}/${rule.from}/${rule.files}")]
}

output "files" {
  description = "Path in the archive => path in the checkout."
  value       = local.files

  precondition {
    condition     = length(local.missing) == 0
    error_message = "Not in this checkout: ${join(", ", local.missing)}."
  }
}

output "hash" {
  description = "Hash of what the archive holds, path by path; the same on every machine, whatever the bytes of the archive."
  value       = sha256(jsonencode({ for path, source in local.files : path => filesha256("${var.root}/${source}") }))
}
