variable "accounts" {
  description = "Azure OpenAI accounts by name: where each is, its turn when several could answer (smallest first), and its deployments by name. Capacity is in thousands of tokens a minute."
  type = map(object({
    location = string
    priority = optional(number, 1)
    deployments = map(object({
      capacity = optional(number, 50)
      model    = string
      sku      = optional(string, "DataZoneStandard")
      version  = optional(string)
    }))
  }))

  validation {
    condition     = length(var.accounts) > 0 && alltrue([for account in var.accounts : length(account.deployments) > 0])
    error_message = "There must be an account, and each must have a deployment."
  }
  validation {
    condition     = alltrue([for key in keys(var.accounts) : can(regex("^[a-z0-9]{1,16}$", key))])
    error_message = "An account's name becomes part of a host name: write up to 16 lower-case letters and digits."
  }
  validation {
    condition     = alltrue([for account in var.accounts : can(regex("^[a-z0-9]+$", account.location))])
    error_message = "The region of a model account is written in lower case without spaces, such as swedencentral."
  }
  validation {
    condition     = alltrue([for account in var.accounts : account.priority >= 1 && floor(account.priority) == account.priority])
    error_message = "An account's priority is a whole number from 1 on; the smallest answers first."
  }
  validation {
    condition     = alltrue(flatten([for account in var.accounts : [for name in keys(account.deployments) : can(regex("^[A-Za-z0-9][A-Za-z0-9._-]{0,62}[A-Za-z0-9]$", name))]]))
    error_message = "A deployment's name is 2 to 64 letters, digits, points, - and _, and begins and ends with a letter or digit."
  }
  validation {
    condition     = alltrue(flatten([for account in var.accounts : [for one in account.deployments : one.capacity >= 1 && floor(one.capacity) == one.capacity]]))
    error_message = "A deployment's capacity is a whole number of thousands of tokens a minute, from 1 on."
  }
  validation {
    condition     = alltrue(flatten([for account in var.accounts : [for one in account.deployments : contains(["DataZoneProvisionedManaged", "DataZoneStandard", "GlobalProvisionedManaged", "GlobalStandard", "ProvisionedManaged", "Standard"], one.sku)]]))
    error_message = "A deployment's sku is Standard (the region), DataZoneStandard (its data zone) or GlobalStandard, or one of them provisioned: ProvisionedManaged, DataZoneProvisionedManaged, GlobalProvisionedManaged."
  }
  validation {
    condition     = alltrue([for key in keys(var.accounts) : length("oai-${var.prefix}-${key}-00000") <= 64])
    error_message = "A name is too long once prefixed: shorten the prefix or the account's name."
  }
  validation {
    condition     = alltrue(flatten([for account in var.accounts : [for one in account.deployments : one.version != null || contains(keys(var.models), one.model)]]))
    error_message = "A model is not in the table of models: write one of ${join(", ", sort(keys(var.models)))}, or name its version too."
  }
  validation {
    condition = length(flatten([for account in var.accounts : [
      for one in account.deployments : one.model
      if try((one.version == null || one.version == var.models[one.model].version) && timecmp("${var.models[one.model].retires}T00:00:00Z", plantimestamp()) <= 0, false)
    ]])) == 0
    error_message = "Azure has retired ${join("; ", distinct(flatten([for account in var.accounts : [
      for one in account.deployments : "${one.model} (on ${var.models[one.model].retires}): write ${try(coalesce(var.models[one.model].instead), "another model")} instead"
      if try((one.version == null || one.version == var.models[one.model].version) && timecmp("${var.models[one.model].retires}T00:00:00Z", plantimestamp()) <= 0, false)
    ]])))}."
  }
}

variable "address_allow_list" {
  description = "Public addresses (CIDR) that may reach the accounts beside the private network; empty closes the door to the Internet."
  type        = set(string)
  default     = []
}

variable "content_filter" {
  description = "From which severity on harm is stopped: Low, Medium or High."
  type        = object({ severity = optional(string, "Low") })
  default     = {}

  validation {
    condition     = contains(["High", "Low", "Medium"], var.content_filter.severity)
    error_message = "The severity is Low, Medium or High; Low stops the most."
  }
}

variable "customer_managed_key" {
  description = "Versionless id of the key, and the identity that may use it; null lets Microsoft manage keys."
  type        = object({ identity_client_id = string, identity_id = string, key_id = string })
  default     = null
}

variable "diagnostics" {
  description = "Where logs and metrics go."
  type        = object({ workspace_id = string })
}

variable "model_domain" {
  description = "Domain of Azure OpenAI in this cloud."
  type        = string
}

variable "models" {
  description = "What tables/models.json says of each model."
  type = map(object({
    instead = optional(string)
    retires = string
    stage   = string
    version = string
  }))
}

variable "prefix" {
  description = "What every name begins with."
  type        = string
}

variable "private_network" {
  description = "Where private endpoints stand. zone_ids null: an Azure Policy attaches the zones."
  type = object({
    location  = string
    subnet_id = string
    zone_ids  = optional(map(list(string)))
  })
}

variable "resource_group_name" {
  description = "The application resource group."
  type        = string
}

variable "suffix" {
  description = "What globally unique names end with."
  type        = string
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
