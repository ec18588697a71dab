variable "budget" {
  description = "Monthly amount in the subscription's currency, from the first of a month on; null sets none."
  type        = object({ monthly = number, start_date = string })
  default     = null

  validation {
    condition     = var.budget == null || can(regex("^[0-9]{4}-[0-9]{2}-01T00:00:00Z$", var.budget.start_date))
    error_message = "A budget starts on the first of a month: 2026-12-01T00:00:00Z."
  }
}

variable "cloud" {
  description = "The Azure cloud: public or usgovernment."
  type        = string
  default     = "public"

  validation {
    condition     = contains(["public", "usgovernment"], var.cloud)
    error_message = "The cloud is public or usgovernment."
  }
}

variable "contact" {
  description = "Email address that Defender and the budget write to."
  type        = string
}

variable "customer_managed_key" {
  description = "Makes a key of yours for the estate's data, and how often it is renewed (ISO 8601); null leaves keys to Microsoft."
  type        = object({ rotate_after = optional(string, "P1Y") })
  default     = null
}

variable "defender_plans" {
  description = "Microsoft Defender for Cloud plans to switch on; empty leaves the subscription as it is."
  type        = set(string)
  default     = ["AI", "AppServices", "Arm", "CosmosDbs", "KeyVaults", "StorageAccounts"]
}

variable "entra_applications" {
  description = "Whether the applying pipeline makes the estate's Entra applications; false where someone else does (entra.client_ids of the estate)."
  type        = bool
  default     = true
}

variable "github_network" {
  description = "Whether GitHub-hosted runners will stand in the estate's network."
  type        = bool
  default     = false

  validation {
    condition     = !var.github_network || var.cloud == "public"
    error_message = "GitHub-hosted runners reach networks of the public cloud only."
  }
}

variable "location" {
  description = "Region."
  type        = string
}

variable "lock_ids" {
  description = "Ids by name of what is locked against deletion: the estate's output lockable_ids, in a second apply."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for id in values(var.lock_ids) : !strcontains(lower(id), "/providers/microsoft.cognitiveservices/")])
    error_message = "An OpenAI account is never locked: a lock stops deployments from being changed."
  }
}

variable "packages" {
  description = "The door of package storage: addresses that may come in (empty: any, with Entra ID), or a subnet and blob zone that close it."
  type = object({
    address_allow_list = optional(set(string), [])
    private            = optional(object({ blob_zone_id = string, location = optional(string), subnet_id = string }))
  })
  default = {}
}

variable "policy_assignments" {
  description = "Whether the applying pipeline may assign policies (operations.policy of the estate)."
  type        = bool
  default     = false
}

variable "prefix" {
  description = "The estate's own name, the same as the estate's prefix."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,11}$", var.prefix)) && !endswith(var.prefix, "-") && !strcontains(var.prefix, "--")
    error_message = "The prefix is 2 to 12 lower-case letters, digits and single hyphens, beginning with a letter."
  }
}

variable "repository" {
  description = "GitHub repository whose pipelines deploy, as OWNER/NAME."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "The repository is written OWNER/NAME, without wildcards."
  }
}

variable "state" {
  description = "The door of state storage: addresses that may come in (empty: any, with Entra ID), or a subnet and blob zone that close it."
  type = object({
    address_allow_list = optional(set(string), [])
    private            = optional(object({ blob_zone_id = string, location = optional(string), subnet_id = string }))
  })
  default = {}
}

variable "subscription_id" {
  description = "The subscription that the estate stands in."
  type        = string
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}

variable "tenant_id" {
  description = "The subscription's tenant."
  type        = string
}
